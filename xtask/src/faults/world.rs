//! The cluster under test: its nodes and their wires, Redis, and the clients.

use std::{cell::Ref, collections::HashMap, path::PathBuf, rc::Rc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use rand::{SeedableRng as _, rngs::SmallRng};
use tokio::time::{Instant, sleep};

use super::{
    Options,
    history::Outcome,
    ledger::{Action, Ledger, Line},
    liar::Liar,
    load::Load,
    proxy::Proxy,
    tally::Tally,
};
use crate::cluster::{
    http,
    node::{Log, Node, Recipe},
    redis_server::{Memory, Redis},
};

const NAMESPACE: &str = "faults";

/// How long nodes may take to stop.
const STOP_MAX: Duration = Duration::from_secs(20);

/// How long a cluster may take to do calls again after a fault.
const RECOVERY_MAX: Duration = Duration::from_secs(20);

/// How often something is looked at until it is so.
const LOOK: Duration = Duration::from_millis(10);

/// A node and its wire.
pub(super) struct Member {
    pub(super) number: usize,
    pub(super) node: Node,
    pub(super) wire: Proxy,
    liar: Option<Liar>,
}

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
    pub(super) redis: Redis,
    pub(super) members: Vec<Member>,
    pub(super) load: Rc<Load>,
    pub(super) random: SmallRng,
    /// What happened in this phase, besides calls.
    pub(super) seen: Tally,
    recipe: Recipe,
    ledger: Ledger,
    /// Nodes that were ever started.
    started: usize,
    lying: bool,
}

impl Times {
    /// In the ratio that was checked by simulation.
    pub(super) fn of(renew: Duration) -> Self {
        Self { renew, hold: renew * 3, fence: renew * 15 / 4, command: renew * 3 / 4 }
    }

    fn settings(self) -> Vec<(&'static str, String)> {
        let ms = |duration: Duration| format!("{}ms", duration.as_millis());
        vec![
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
        ]
    }
}

impl World {
    /// How often a node heard nothing of Redis for longer than it may hold, as its log says: without a fault, this machine
    /// did not let it run.
    pub(super) fn stalls(&self) -> usize {
        let logs = (1..=self.started).map(|number| std::fs::read_to_string(self.recipe.log_file(number)));
        logs.flatten().map(|log| log.matches("session: Redis is silent").count()).sum()
    }

    /// Starts everything, in this folder.
    pub(super) async fn start(options: &Options, program: PathBuf, folder: PathBuf) -> anyhow::Result<Self> {
        let times = Times::of(options.renew);
        let ledger = Ledger::create(folder.join("ledger"))?;
        let mut recipe = Recipe::new(program, &folder, NAMESPACE, Log::Files)?;
        recipe.settings = times.settings();
        recipe.environment = vec![("LEDGER", ledger.file().into())];
        if let Some(mutant) = options.mutant {
            recipe.environment.push(("CALLBOARD_TEST_MUTANT", mutant.id().into()));
        }
        let redis = Redis::start(&folder.join("redis"), Memory::Kept).await?;
        // Its actions have the same references wherever they run.
        let (number, wire) = (1, Proxy::start(redis.port()).await?);
        let first = Node::start(&recipe, number, wire.port()).await?;
        let load = Load::new(references(&first).await?, options.seed);
        let mut world = Self {
            times,
            redis,
            members: Vec::new(),
            load,
            random: SmallRng::seed_from_u64(options.seed),
            seen: Tally::default(),
            recipe,
            ledger,
            started: 1,
            lying: options.lying,
        };
        world.admit(Member { number, node: first, wire, liar: None }).await?;
        while world.members.len() < options.nodes {
            world.add_node().await?;
        }
        Ok(world)
    }

    /// Waits until a node serves, and then lets clients ask it.
    async fn admit(&mut self, mut member: Member) -> anyhow::Result<()> {
        if let Err(error) = member.node.ready().await {
            bail!("{error:#}{}", self.recipe.last_words(member.number));
        }
        if self.lying && self.members.is_empty() {
            member.liar = Some(Liar::start(member.node.address.clone()).await?);
        }
        let address = member.liar.as_ref().map_or(member.node.address.as_str(), Liar::address);
        self.load.add(member.node.process.id(), address.to_owned());
        self.members.push(member);
        Ok(())
    }

    /// Starts another node, and gives its place.
    pub(super) async fn add_node(&mut self) -> anyhow::Result<usize> {
        self.started += 1;
        let number = self.started;
        let wire = Proxy::start(self.redis.port()).await?;
        let node = Node::start(&self.recipe, number, wire.port()).await?;
        self.admit(Member { number, node, wire, liar: None }).await?;
        Ok(self.members.len() - 1)
    }

    /// Kills a node, and writes down that it is dead.
    pub(super) async fn kill(&mut self, place: usize) -> anyhow::Result<()> {
        let mut member = self.members.remove(place);
        let pid = member.node.process.id();
        member.node.process.kill().await?;
        self.load.remove(pid);
        self.ledger.killed(pid)
    }

    /// Takes a node out of service as one does before it is replaced: clients ask others, then it is told to stop.
    pub(super) async fn retire(&mut self, place: usize) -> anyhow::Result<()> {
        let mut member = self.members.remove(place);
        let pid = member.node.process.id();
        self.load.remove(pid);
        // What was just sent has to arrive: a balancer waits as well.
        sleep(Duration::from_millis(100)).await;
        let ended_well = member.node.process.stop(STOP_MAX).await?;
        ensure!(
            ended_well,
            "node {} did not end well{}",
            member.number,
            self.recipe.last_words(member.number)
        );
        Ok(())
    }

    pub(super) fn pid(&self, place: usize) -> u32 {
        self.members[place].node.process.id()
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
        self.redis.sessions(NAMESPACE).await
    }

    /// Waits until all calls have ended, for their clients and for those who run them.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        self.load.quiet().await;
        for place in 0..self.members.len() {
            if let Some(status) = self.members[place].node.process.status()? {
                let number = self.members[place].number;
                bail!("node {number} ended by itself: {status}{}", self.recipe.last_words(number));
            }
        }
        let pids: Vec<_> = (0..self.members.len()).map(|place| self.pid(place)).collect();
        self.wait_for(STOP_MAX, |lines| open_runs(lines, &pids) == 0).await?;
        Ok(())
    }

    /// Calls through every node until each does calls again; which ones do not.
    pub(super) async fn recover(&self) -> anyhow::Result<Vec<String>> {
        let mut missing = Vec::new();
        for place in 0..self.members.len() {
            for action in [Action::Plain, Action::Keyed] {
                let started = Instant::now();
                while self.load.ask_once(self.pid(place), action).await != Some(Outcome::Done) {
                    if started.elapsed() > RECOVERY_MAX {
                        missing.push(format!(
                            "node {} does no call of {}",
                            self.members[place].number,
                            action.name()
                        ));
                        break;
                    }
                    sleep(LOOK).await;
                }
            }
        }
        Ok(missing)
    }

    /// Stops the nodes in good order, so that all that runs ends.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        for member in &mut self.members {
            member.node.process.stop(STOP_MAX).await?;
        }
        self.redis.stop().await
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

/// What clients call the actions by, from the admin port.
async fn references(node: &Node) -> anyhow::Result<HashMap<Action, String>> {
    let answer = http::get(&node.admin, "/actions").await?;
    let manifest: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let known = manifest["actions"].as_array().context("the manifest lists no actions")?;
    let reference = |action: Action| {
        let entry = known.iter().find(|entry| entry["name"] == action.name());
        let reference = entry.and_then(|entry| entry["reference"].as_str());
        let reference = reference.with_context(|| format!("this program has no action {}", action.name()))?;
        anyhow::Ok((action, reference.to_owned()))
    };
    Action::ALL.into_iter().map(reference).collect()
}
