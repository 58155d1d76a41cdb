//! The cluster that is broken: a Redis, nodes, a wire between each and Redis, and what a balancer in front would do.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::time::sleep;

use crate::{
    machine::{
        node::{Node, Recipe},
        proxy::Proxy,
        redis_server::{Memory, Redis},
    },
    observation::TargetId,
    target::{Place, Targets},
};

/// How long nodes may take to stop: as long as they give their calls, and a little.
const STOP_MAX: Duration = Duration::from_secs(40);

/// How long a balancer goes on sending requests to a node that left or died.
const NOTICE: Duration = Duration::from_millis(100);

/// A node, its wire, and the number that the load knows it by.
pub(crate) struct Member {
    pub(crate) number: usize,
    pub(crate) node: Node,
    pub(crate) wire: Proxy,
    pub(crate) target: TargetId,
}

/// Everything that runs.
pub(crate) struct Fleet {
    pub(crate) redis: Redis,
    /// The oldest stands first.
    pub(crate) members: Vec<Member>,
    recipe: Recipe,
    targets: Targets,
    started: usize,
}

impl Fleet {
    /// Starts a Redis and this many nodes, which are asked from now on.
    pub(crate) async fn start(
        recipe: Recipe,
        nodes: usize,
        targets: Targets,
        mut progress: impl FnMut(String),
    ) -> anyhow::Result<Self> {
        progress("starting redis-server".to_owned());
        let redis = Redis::start(&recipe.folder.join("redis"), Memory::Kept).await?;
        let mut fleet = Self { redis, members: Vec::new(), recipe, targets, started: 0 };
        for number in 1..=nodes {
            progress(format!("starting node {number} of {nodes}"));
            fleet.add().await?;
        }
        Ok(fleet)
    }

    /// Starts a node, waits until it serves, and lets it be asked.
    pub(crate) async fn add(&mut self) -> anyhow::Result<()> {
        self.started += 1;
        let number = self.started;
        let wire = Proxy::start(self.redis.port()).await?;
        let mut node = Node::start(&self.recipe, number, wire.port()).await?;
        if let Err(error) = node.ready().await {
            bail!("{error:#}{}", self.recipe.last_words(number));
        }
        let target = self.targets.add(Place::parse(&format!("http://{}", node.address))?)?;
        self.members.push(Member { number, node, wire, target });
        Ok(())
    }

    /// Kills a node, and gives its process.
    pub(crate) async fn kill(&mut self, place: usize) -> anyhow::Result<u32> {
        let mut member = self.members.remove(place);
        let process = member.node.process.id();
        member.node.process.kill().await?;
        sleep(NOTICE).await;
        self.targets.remove(member.target);
        Ok(process)
    }

    /// Takes the oldest node out of service: it is asked no more, and then told to stop.
    pub(crate) async fn retire_oldest(&mut self) -> anyhow::Result<()> {
        ensure!(!self.members.is_empty(), "there is no node");
        let mut member = self.members.remove(0);
        self.targets.pause(member.target);
        // What was just sent has to arrive: a balancer waits as well.
        sleep(NOTICE).await;
        let ended_well = member.node.process.stop(STOP_MAX).await?;
        self.targets.remove(member.target);
        let number = member.number;
        ensure!(ended_well, "node {number} did not end well{}", self.recipe.last_words(number));
        Ok(())
    }

    /// A balancer sees that this node does not answer, or that it does again.
    pub(crate) fn eject(&self, place: usize) {
        self.targets.pause(self.members[place].target);
    }

    /// Waits until the node says that it serves, and lets it be asked again.
    pub(crate) async fn readmit(&mut self, place: usize) -> anyhow::Result<()> {
        let member = &mut self.members[place];
        if let Err(error) = member.node.ready().await {
            let number = member.number;
            bail!("{error:#}{}", self.recipe.last_words(number));
        }
        self.targets.resume(member.target);
        Ok(())
    }

    /// Ends Redis and starts another one in its place, with what it wrote down.
    pub(crate) async fn restart_redis(&mut self) -> anyhow::Result<()> {
        self.redis.restart(Memory::Kept).await?;
        for member in &self.members {
            member.wire.lead_to(self.redis.port());
            // It was gone, and so are its connections.
            member.wire.reset();
        }
        Ok(())
    }

    /// The memberships that there are now.
    pub(crate) async fn sessions(&self) -> anyhow::Result<Vec<String>> {
        self.redis.sessions(&self.recipe.namespace).await
    }

    /// How many keys Redis holds.
    pub(crate) async fn keys(&self) -> anyhow::Result<u64> {
        let said = self.redis.command("DBSIZE").await?.concat();
        said.trim_start_matches(':').parse().with_context(|| format!("DBSIZE is {said:?}"))
    }

    /// The admin port of a node.
    pub(crate) fn admin(&self) -> anyhow::Result<Place> {
        let member = self.members.first().context("there is no node")?;
        Place::parse(&format!("http://{}", member.node.admin))
    }

    /// Fails if a node ended by itself.
    pub(crate) fn check_alive(&mut self) -> anyhow::Result<()> {
        for member in &mut self.members {
            if let Some(status) = member.node.process.status()? {
                let number = member.number;
                bail!("node {number} ended by itself: {status}{}", self.recipe.last_words(number));
            }
        }
        Ok(())
    }

    /// Stops everything in good order.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        for member in &mut self.members {
            let ended_well = member.node.process.stop(STOP_MAX).await?;
            let number = member.number;
            ensure!(ended_well, "node {number} did not end well{}", self.recipe.last_words(number));
        }
        self.redis.stop().await
    }
}
