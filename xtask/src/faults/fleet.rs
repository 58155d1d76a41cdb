//! What a cluster under test consists of: its nodes and their wires, and Redis.

use std::{collections::HashMap, rc::Rc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use tokio::time::sleep;

use super::{
    liar::{Liar, Lie},
    targets::Targets,
};
use crate::cluster::{
    http,
    node::{Node, Recipe},
    redis_server::{Memory, Redis},
};
use callboard_loadtest::machine::proxy::Proxy;

/// The name of the cluster.
pub(super) const NAMESPACE: &str = "faults";

/// How long nodes may take to stop.
pub(super) const STOP_MAX: Duration = Duration::from_secs(20);

/// A node and its wire.
pub(super) struct Member {
    pub(super) number: usize,
    pub(super) node: Node,
    pub(super) wire: Proxy,
    liar: Option<Liar>,
}

/// Everything that runs.
pub(super) struct Fleet {
    pub(super) redis: Redis,
    pub(super) members: Vec<Member>,
    pub(super) targets: Rc<Targets>,
    recipe: Recipe,
    /// Nodes that were ever started.
    started: usize,
    /// What the one in front of the first node says.
    lie: Option<Lie>,
}

impl Fleet {
    /// Starts Redis and this many nodes, all in the folder of the recipe.
    pub(super) async fn start(recipe: Recipe, nodes: usize, lie: Option<Lie>) -> anyhow::Result<Self> {
        let redis = Redis::start(&recipe.folder.join("redis"), Memory::Kept).await?;
        let targets = Rc::default();
        let mut fleet = Self { redis, members: Vec::new(), targets, recipe, started: 0, lie };
        while fleet.members.len() < nodes {
            fleet.add_node().await?;
        }
        Ok(fleet)
    }

    /// Starts another node, waits until it serves, lets clients ask it, and gives its place.
    pub(super) async fn add_node(&mut self) -> anyhow::Result<usize> {
        let mut member = self.start_node().await?;
        self.wait_until_ready(&mut member).await?;
        self.admit(member).await
    }

    /// Starts another node, which may not serve yet.
    pub(super) async fn start_node(&mut self) -> anyhow::Result<Member> {
        self.started += 1;
        let number = self.started;
        let wire = Proxy::start(self.redis.port()).await?;
        let node = Node::start(&self.recipe, number, wire.port()).await?;
        Ok(Member { number, node, wire, liar: None })
    }

    pub(super) async fn wait_until_ready(&self, member: &mut Member) -> anyhow::Result<()> {
        if let Err(error) = member.node.ready().await {
            bail!("{error:#}{}", self.recipe.last_words(member.number));
        }
        Ok(())
    }

    /// Lets clients ask a node, and gives its place.
    pub(super) async fn admit(&mut self, mut member: Member) -> anyhow::Result<usize> {
        if let (Some(lie), []) = (self.lie, &self.members[..]) {
            member.liar = Some(Liar::start(member.node.address.clone(), lie).await?);
        }
        let address = member.liar.as_ref().map_or(member.node.address.as_str(), Liar::address);
        self.targets.add(member.node.process.id(), address.to_owned());
        self.members.push(member);
        Ok(self.members.len() - 1)
    }

    /// Kills a node, and gives its process.
    pub(super) async fn kill(&mut self, place: usize) -> anyhow::Result<u32> {
        let mut member = self.members.remove(place);
        let pid = member.node.process.id();
        member.node.process.kill().await?;
        self.targets.remove(pid);
        Ok(pid)
    }

    /// Takes a node out of service as one does before it is replaced: clients ask others, then it is told to stop.
    pub(super) async fn retire(&mut self, place: usize) -> anyhow::Result<()> {
        let mut member = self.members.remove(place);
        self.targets.remove(member.node.process.id());
        // What was just sent has to arrive: a balancer waits as well.
        sleep(Duration::from_millis(100)).await;
        let ended_well = member.node.process.stop(STOP_MAX).await?;
        let number = member.number;
        ensure!(ended_well, "node {number} did not end well{}", self.recipe.last_words(number));
        Ok(())
    }

    pub(super) fn pid(&self, place: usize) -> u32 {
        self.members[place].node.process.id()
    }

    /// Every node's process, in the order in which they were started.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.node.process.id()).collect()
    }

    /// Ends Redis and starts another one in its place, with what it wrote down, or without.
    pub(super) async fn restart_redis(&mut self, memory: Memory) -> anyhow::Result<()> {
        self.redis.restart(memory).await?;
        self.lead_to_redis();
        Ok(())
    }

    /// Leads every wire to where Redis is now. It was gone, and so are its connections.
    pub(super) fn lead_to_redis(&self) {
        for member in &self.members {
            member.wire.lead_to(self.redis.port());
            member.wire.reset();
        }
    }

    /// Fails if a node ended by itself.
    pub(super) fn check_alive(&mut self) -> anyhow::Result<()> {
        for member in &mut self.members {
            if let Some(status) = member.node.process.status()? {
                let number = member.number;
                bail!("node {number} ended by itself: {status}{}", self.recipe.last_words(number));
            }
        }
        Ok(())
    }

    /// How often a node heard nothing of Redis for longer than it may hold, as its log says: without a fault, this machine
    /// did not let it run.
    pub(super) fn stalls(&self) -> usize {
        let logs = (1..=self.started).map(|number| std::fs::read_to_string(self.recipe.log_file(number)));
        logs.flatten().map(|log| log.matches("session: Redis is silent").count()).sum()
    }

    /// What clients call actions of these names by, from the admin port. They are the same wherever they run.
    pub(super) async fn references(
        &self,
        names: &[&'static str],
    ) -> anyhow::Result<HashMap<&'static str, String>> {
        let first = self.members.first().context("there is no node")?;
        let answer = http::get(&first.node.admin, "/actions").await?;
        let manifest: serde_json::Value = serde_json::from_slice(&answer.body)?;
        let known = manifest["actions"].as_array().context("the manifest lists no actions")?;
        let reference = |name: &&'static str| {
            let entry = known.iter().find(|entry| entry["name"] == *name);
            let reference = entry.and_then(|entry| entry["reference"].as_str());
            let reference = reference.with_context(|| format!("this program has no action {name}"))?;
            anyhow::Ok((*name, reference.to_owned()))
        };
        names.iter().map(reference).collect()
    }

    /// Stops everything in good order, so that all that runs ends.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        for member in &mut self.members {
            member.node.process.stop(STOP_MAX).await?;
        }
        self.redis.stop().await
    }
}
