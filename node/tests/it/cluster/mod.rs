//! Several nodes and a real Redis: an action cannot tell, and a client need not know, which node runs a call.

mod keyed;
mod pages;
mod routed;
#[path = "../../../../cluster/tests/conformance/server.rs"]
#[expect(dead_code, reason = "the suite that it is of needs more of it")]
mod server;

use std::time::{Duration, Instant};

use callboard::{ActionContext, action};

use crate::{
    client::{Caller, NodeName},
    order::Journal,
};
use server::Server;

const KEYS: &str = "1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

/// Nodes of one cluster.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Caller>,
    pub(crate) journal: Journal,
    pub(crate) redis: Server,
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

impl Cluster {
    pub(crate) fn start(nodes: usize) -> Self {
        Self::start_with(nodes, &[])
    }

    /// Starts nodes and waits until all of them serve.
    pub(crate) fn start_with(nodes: usize, settings: &[(&str, &str)]) -> Self {
        let mut cluster = Self { nodes: Vec::new(), journal: Journal::default(), redis: Server::start() };
        for _ in 0..nodes {
            cluster.join(settings);
        }
        cluster.wait_until_agreed();
        cluster
    }

    /// Starts one more.
    pub(crate) fn join(&mut self, settings: &[(&str, &str)]) {
        let url = self.redis.url();
        // As short as the ratio allows without taking a busy machine for a dead one.
        let mut all = vec![
            ("redis", url.as_str()),
            ("keys", KEYS),
            ("call_command_timeout", "600ms"),
            ("call_renew", "400ms"),
            ("call_hold", "1200ms"),
            ("call_fence", "1500ms"),
        ];
        all.extend_from_slice(settings);
        let node = Caller::start_with(&self.journal, NAMES[self.nodes.len()], &all);
        wait_until_ready(&node);
        self.nodes.push(node);
    }

    /// Waits until all nodes know of each other: until then some run what comes to them.
    pub(crate) fn wait_until_agreed(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        let ran = |node: &Caller| node.call("where_am_i", "[]").row().to_owned();
        loop {
            let names: Vec<_> = self.nodes.iter().map(ran).collect();
            if names.iter().all(|name| *name == names[0]) {
                return;
            }
            assert!(Instant::now() < until, "the nodes do not agree: {names:?}");
        }
    }
}

/// Where a node says whether it is a member and serves.
pub(crate) fn readyz(node: &Caller) -> String {
    format!("http://{}/readyz", node.node.admin())
}

/// Waits until it says so.
pub(crate) fn wait_until_ready(node: &Caller) {
    node.until(&readyz(node), |answer| answer.status == 200);
}

/// Says which node it ran on.
#[action(public, name = "where_am_i")]
async fn where_am_i(cx: &ActionContext) -> &'static str {
    cx.state::<NodeName>().0
}
