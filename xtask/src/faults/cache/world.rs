//! The cluster under test, with clients that read and write.

use std::{path::PathBuf, rc::Rc, time::Duration};

use rand::{SeedableRng as _, rngs::SmallRng};
use tokio::time::{Instant, sleep};

use super::{
    super::{
        fleet::{Fleet, NAMESPACE},
        liar::Lie,
        world::{LOOK, RECOVERY_MAX, Times},
    },
    Options,
    clients::{Clients, Deed},
    history::{Lapse, Origin},
    tally::Tally,
};
use crate::cluster::node::{Log, Recipe};

/// Everything that runs.
pub(super) struct World {
    pub(super) lease: Duration,
    pub(super) fleet: Fleet,
    pub(super) clients: Rc<Clients>,
    pub(super) random: SmallRng,
    /// What happened in this phase, besides what clients saw.
    pub(super) tally: Tally,
    pub(super) lapses: Vec<Lapse>,
    /// Where everything is written down.
    pub(super) folder: PathBuf,
}

impl World {
    /// Starts everything, in this folder.
    pub(super) async fn start(options: &Options, program: PathBuf, folder: PathBuf) -> anyhow::Result<Self> {
        let setup = &options.setup;
        let mut recipe = Recipe::new(program, &folder, NAMESPACE, Log::Files)?;
        recipe.settings = Times::of(options.lease / 2).settings();
        recipe.settings.push(("cache-lease".to_owned(), format!("{}ms", options.lease.as_millis())));
        let database = format!("sqlite://{}?mode=rwc", folder.join("shared.sqlite").display());
        recipe.environment = vec![("DATABASE_URL".to_owned(), database.into())];
        recipe.environment.extend(setup.mutant_variable());
        let fleet = Fleet::start(recipe, setup.nodes, setup.lying.then_some(Lie::OldPage)).await?;
        let references = fleet.references(&Deed::ALL.map(Deed::action)).await?;
        Ok(Self {
            lease: options.lease,
            clients: Clients::new(Rc::clone(&fleet.targets), references, setup.seed),
            fleet,
            random: SmallRng::seed_from_u64(setup.seed),
            tally: Tally::default(),
            lapses: Vec::new(),
            folder,
        })
    }

    /// How long others take to clear up behind a node that died: they see twice a lease that it renews nothing, and every
    /// lease of before has to end.
    pub(super) fn reaping(&self) -> Duration {
        let margin = Duration::from_millis(self.lease.as_millis().div_ceil(1000) as u64);
        (self.lease + margin) * 2 + self.lease
    }

    /// Reads and writes through every node until each serves what it kept and does writes; which ones do not.
    pub(super) async fn recover(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for member in &self.fleet.members {
            let (pid, started) = (member.node.process.id(), Instant::now());
            let (mut keeps, mut writes) = (false, false);
            while !(keeps && writes) {
                writes = writes
                    || self.clients.write(pid, Deed::Strict, "tagged-0", None, &mut <_>::default()).await;
                let read = self.clients.read(pid, "/tagged/0", None, &mut <_>::default()).await;
                keeps = keeps || read == Some(Origin::Kept);
                if started.elapsed() > RECOVERY_MAX {
                    let number = member.number;
                    missing.push(format!("node {number}: keeps pages: {keeps}, does writes: {writes}"));
                    break;
                }
                sleep(LOOK).await;
            }
        }
        missing
    }
}
