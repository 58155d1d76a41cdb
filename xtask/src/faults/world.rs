//! The cluster under test with clients that call, and the ledger of what ran.

use std::{cell::Ref, collections::HashMap, path::PathBuf, rc::Rc, time::Duration};

use rand::{SeedableRng as _, rngs::SmallRng};
use tokio::time::{Instant, sleep};

use super::{
    Options,
    fleet::{Fleet, NAMESPACE, STOP_MAX},
    history::Outcome,
    ledger::{Action, Ledger, Line},
    liar::Lie,
    load::Load,
    tally::Tally,
};
use crate::cluster::node::{Log, Recipe};

/// How long a cluster may take to do calls again after a fault.
pub(super) const RECOVERY_MAX: Duration = Duration::from_secs(20);

/// How often something is looked at until it is so.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// The times that matter to faults.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) renew: Duration,
    pub(super) hold: Duration,
    pub(super) fence: Duration,
    pub(super) command: Duration,
}

/// Everything that runs.
pub(super) struct World {
    pub(super) times: Times,
    pub(super) fleet: Fleet,
    pub(super) load: Rc<Load>,
    pub(super) random: SmallRng,
    /// What happened in this phase, besides calls.
    pub(super) seen: Tally,
    ledger: Ledger,
}

impl Times {
    /// In the ratio that was checked by simulation.
    pub(super) fn of(renew: Duration) -> Self {
        Self { renew, hold: renew * 3, fence: renew * 15 / 4, command: renew * 3 / 4 }
    }

    pub(super) fn settings(self) -> Vec<(String, String)> {
        let ms = |duration: Duration| format!("{}ms", duration.as_millis());
        let settings = [
            ("call-renew", ms(self.renew)),
            ("call-hold", ms(self.hold)),
            ("call-fence", ms(self.fence)),
            ("call-command-timeout", ms(self.command)),
            ("call-timeout", "4s".to_owned()),
            ("drain-timeout", "10s".to_owned()),
            ("workers", "1".to_owned()),
            // A connection that a node closes by itself is not to be confused with one that breaks.
            ("keep-alive", "24h".to_owned()),
            ("log", "info,actix_server=warn".to_owned()),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

impl World {
    /// Starts everything, in this folder.
    pub(super) async fn start(options: &Options, program: PathBuf, folder: PathBuf) -> anyhow::Result<Self> {
        let times = Times::of(options.renew);
        let ledger = Ledger::create(folder.join("ledger"))?;
        let mut recipe = Recipe::new(program, &folder, NAMESPACE, Log::Files)?;
        recipe.settings = times.settings();
        recipe.environment = vec![("LEDGER".to_owned(), ledger.file().into())];
        recipe.environment.extend(options.setup.mutant_variable());
        let lie = options.setup.lying.then_some(Lie::NotRun);
        let fleet = Fleet::start(recipe, options.setup.nodes, lie).await?;
        let references = fleet.references(&Action::ALL.map(Action::name)).await?;
        Ok(Self {
            times,
            load: Load::new(Rc::clone(&fleet.targets), references, options.setup.seed),
            fleet,
            random: SmallRng::seed_from_u64(options.setup.seed),
            seen: Tally::default(),
            ledger,
        })
    }

    /// Kills a node, and writes down that it is dead.
    pub(super) async fn kill(&mut self, place: usize) -> anyhow::Result<()> {
        let pid = self.fleet.kill(place).await?;
        self.ledger.killed(pid)
    }

    /// What the actions wrote down so far.
    pub(super) fn lines(&self) -> anyhow::Result<Ref<'_, Vec<Line>>> {
        self.ledger.lines()
    }

    /// Waits until the ledger is so, for some time; whether it is.
    pub(super) async fn wait_for(
        &self,
        within: Duration,
        is_so: impl Fn(&[Line]) -> bool,
    ) -> anyhow::Result<bool> {
        let started = Instant::now();
        loop {
            if is_so(&self.lines()?) {
                return Ok(true);
            }
            if started.elapsed() > within {
                return Ok(false);
            }
            sleep(LOOK).await;
        }
    }

    /// The sessions that are members now.
    pub(super) async fn sessions(&self) -> anyhow::Result<Vec<String>> {
        self.fleet.redis.sessions(NAMESPACE).await
    }

    /// Waits until all calls have ended, for their clients and for those who run them.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        self.load.quiet().await;
        self.fleet.check_alive()?;
        let pids = self.fleet.pids();
        self.wait_for(STOP_MAX, |lines| open_runs(lines, &pids) == 0).await?;
        Ok(())
    }

    /// Calls through every node until each does calls again; which ones do not.
    pub(super) async fn recover(&self) -> anyhow::Result<Vec<String>> {
        let mut missing = Vec::new();
        for member in &self.fleet.members {
            for action in [Action::Plain, Action::Keyed] {
                let started = Instant::now();
                while self.load.ask_once(member.node.process.id(), action).await != Some(Outcome::Done) {
                    if started.elapsed() > RECOVERY_MAX {
                        missing.push(format!("node {} does no call of {}", member.number, action.name()));
                        break;
                    }
                    sleep(LOOK).await;
                }
            }
        }
        Ok(missing)
    }
}

/// Runs that have not ended, of these processes.
fn open_runs(lines: &[Line], pids: &[u32]) -> usize {
    let mut open: HashMap<(&str, u32), i64> = HashMap::new();
    for line in lines {
        match line {
            Line::Start(run) => *open.entry((&run.call, run.pid)).or_default() += 1,
            Line::End(run) => *open.entry((&run.call, run.pid)).or_default() -= 1,
            Line::Killed(_) => {}
        }
    }
    open.iter().filter(|((_, pid), runs)| pids.contains(pid) && **runs > 0).count()
}
