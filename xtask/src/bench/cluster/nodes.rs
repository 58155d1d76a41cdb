//! Three nodes of the workload, and which of them runs a call.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::store::Redis;
use crate::bench::server::{self, Answer, Server};

/// How many there are.
pub(super) const NODES: usize = 3;

/// A key ring that all of them have.
const KEYS: &str = "1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

/// How long nodes may take until they serve and agree.
const AGREE_MAX: Duration = Duration::from_mins(1);

/// How many calls are asked for to see what they cost.
const PROBES: u32 = 10;

/// One action with arguments.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) reference: String,
    pub(super) body: String,
}

impl Call {
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let headers = [
            ("content-type", "text/plain;charset=UTF-8"),
            ("accept", "text/x-component"),
            ("next-action", &self.reference),
        ];
        headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// Asks for it once, on a connection of its own.
    pub(super) fn ask(&self, address: &str) -> anyhow::Result<Answer> {
        server::request(address, "POST", "/", &self.headers(), &self.body)
    }
}

/// Calls on one connection, one at a time.
pub(super) struct Line {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Line {
    pub(super) fn open(address: &str, call: &Call) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(40)))?;
        let (body, length) = (&call.body, call.body.len());
        let mut request = format!("POST / HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n");
        request.extend(call.headers().iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        request.extend(["\r\n", body]);
        Ok(Self { stream: BufReader::new(stream), request: request.into_bytes() })
    }

    /// Asks for the call, and reads its whole answer.
    pub(super) fn ask(&mut self) -> anyhow::Result<()> {
        self.stream.get_mut().write_all(&self.request)?;
        let (mut head, mut length) = (String::new(), None);
        loop {
            let begin = head.len();
            if self.stream.read_line(&mut head)? == 0 {
                bail!("the node closed the connection after {head:?}");
            }
            let line = head[begin..].trim_end();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = Some(value.parse()?);
            }
        }
        let mut body = vec![0; length.context("the answer has no length")?];
        self.stream.read_exact(&mut body)?;
        if !head.starts_with("HTTP/1.1 200 ") {
            bail!("the node answers {head}{}", String::from_utf8_lossy(&body));
        }
        Ok(())
    }
}

/// The nodes of a cluster; killed when dropped.
pub(super) struct Nodes<'a> {
    workload: PathBuf,
    redis: &'a Redis,
    servers: Vec<Server>,
    folders: Vec<tempfile::TempDir>,
}

impl<'a> Nodes<'a> {
    /// Starts them with default settings, and waits until they serve.
    pub(super) fn start(workload: PathBuf, redis: &'a Redis) -> anyhow::Result<Self> {
        let folders = (0..NODES).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?;
        let mut nodes = Self { workload, redis, servers: Vec::new(), folders };
        for place in 0..NODES {
            nodes.servers.push(nodes.begin(place)?);
        }
        nodes.servers.iter().try_for_each(wait_until_ready)?;
        Ok(nodes)
    }

    fn begin(&self, place: usize) -> anyhow::Result<Server> {
        let mut command = Command::new(&self.workload);
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--namespace", "bench"]);
        command.args(["--redis", &self.redis.url()]).arg("--state-dir").arg(self.folders[place].path());
        Server::start("node", command.env("CALLBOARD_KEYS", KEYS))
    }

    pub(super) fn server(&self, place: usize) -> &Server {
        &self.servers[place]
    }

    /// Kills one as a crash would.
    pub(super) fn kill(&mut self, place: usize) {
        self.servers[place].kill();
    }

    /// Starts one that was killed, and waits until it serves.
    pub(super) fn restart(&mut self, place: usize) -> anyhow::Result<()> {
        self.servers[place] = self.begin(place)?;
        wait_until_ready(&self.servers[place])
    }

    /// The node that runs this call, once all agree on it.
    pub(super) fn owner_of(&self, call: &Call) -> anyhow::Result<usize> {
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
    pub(super) fn agreed_owner_of(&self, call: &Call) -> anyhow::Result<Option<usize>> {
        let passed_on: Vec<bool> =
            self.servers.iter().map(|server| self.passes_on(server, call)).collect::<Result<_, _>>()?;
        let owner = passed_on.iter().position(|passed_on| !passed_on);
        Ok(owner.filter(|_| passed_on.iter().filter(|passed_on| !**passed_on).count() == 1))
    }

    /// A call that is passed on costs three scripts: two frames, and the end of the first. What nodes do besides is less
    /// than one for each of these calls, which are over in a moment.
    fn passes_on(&self, server: &Server, call: &Call) -> anyhow::Result<bool> {
        let mut line = Line::open(&server.address, call)?;
        let before = self.redis.commands()?;
        (0..PROBES).try_for_each(|_| line.ask())?;
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
