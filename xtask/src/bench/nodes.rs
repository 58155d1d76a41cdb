//! Three nodes of the workload, and which of them runs a call.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::{
    line::{Call, Line},
    server::{self, Server},
    store::Redis,
};

/// How many there are.
pub(crate) const NODES: usize = 3;

/// A key ring that all of them have.
const KEYS: &str = "1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

/// How long nodes may take until they serve and agree.
const AGREE_MAX: Duration = Duration::from_mins(1);

/// How many calls are asked for to see what they cost.
const PROBES: u32 = 10;

/// The nodes of a cluster; killed when dropped.
pub(crate) struct Nodes<'a> {
    workload: PathBuf,
    redis: &'a Redis,
    servers: Vec<Server>,
    folders: Vec<tempfile::TempDir>,
}

impl<'a> Nodes<'a> {
    /// Starts them with default settings, and waits until they serve.
    pub(crate) fn start(workload: PathBuf, redis: &'a Redis) -> anyhow::Result<Self> {
        let folders = (0..NODES).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?;
        let mut nodes = Self { workload, redis, servers: Vec::new(), folders };
        for place in 0..NODES {
            nodes.servers.push(nodes.begin(place)?);
        }
        nodes.servers.iter().try_for_each(wait_until_ready)?;
        Ok(nodes)
    }

    fn begin(&self, place: usize) -> anyhow::Result<Server> {
        let mut command = server::node(&self.workload);
        command
            .args(["--namespace", "bench", "--redis", &self.redis.url()])
            .arg("--state-dir")
            .arg(self.folders[place].path());
        Server::start("node", command.env("CALLBOARD_KEYS", KEYS))
    }

    pub(crate) fn server(&self, place: usize) -> &Server {
        &self.servers[place]
    }

    /// Kills one as a crash would.
    pub(crate) fn kill(&mut self, place: usize) {
        self.servers[place].kill();
    }

    /// Starts one that was killed, and waits until it serves.
    pub(crate) fn restart(&mut self, place: usize) -> anyhow::Result<()> {
        self.servers[place] = self.begin(place)?;
        wait_until_ready(&self.servers[place])
    }

    /// The node that runs this call, once all agree on it.
    pub(crate) fn owner_of(&self, call: &Call) -> anyhow::Result<usize> {
        let started = Instant::now();
        loop {
            if let Some(owner) = self.agreed_owner_of(call)? {
                return Ok(owner);
            }
            if started.elapsed() > AGREE_MAX {
                bail!("the nodes do not agree which of them runs a call");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The one node at which this call costs no Redis command, if the others pass it on.
    pub(crate) fn agreed_owner_of(&self, call: &Call) -> anyhow::Result<Option<usize>> {
        let passed_on: Vec<bool> =
            self.servers.iter().map(|server| self.passes_on(server, call)).collect::<Result<_, _>>()?;
        let owner = passed_on.iter().position(|passed_on| !passed_on);
        Ok(owner.filter(|_| passed_on.iter().filter(|passed_on| !**passed_on).count() == 1))
    }

    /// A call that is passed on costs three scripts: two frames, and the end of the first. What nodes do besides is less
    /// than one for each of these calls, which are over in a moment.
    fn passes_on(&self, server: &Server, call: &Call) -> anyhow::Result<bool> {
        let mut line = Line::open(&server.address, &call.request(&server.address))?;
        let before = self.redis.commands()?;
        (0..PROBES).try_for_each(|_| line.ask().map(drop))?;
        let scripts = self.redis.commands()?.since(&before).of("evalsha");
        Ok(scripts >= 1.5 * f64::from(PROBES))
    }
}

fn wait_until_ready(node: &Server) -> anyhow::Result<()> {
    let admin = node.admin.as_deref().context("the node named no admin port")?;
    let started = Instant::now();
    loop {
        let answer = server::request(admin, "GET", "/readyz", &[], "")?;
        if answer.status == 200 {
            return Ok(());
        }
        if started.elapsed() > AGREE_MAX {
            bail!("the node is still {}", String::from_utf8_lossy(&answer.body));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
