//! A Redis of its own, how long it takes to answer, and what it was asked.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::server;

/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(10);

/// A running `redis-server` that writes nothing to disk; killed when dropped.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Redis {
    /// Starts `REDIS_SERVER`, or `redis-server`, on a free port.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let child = Command::new(&program)
            .args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port", &port.to_string()])
            .arg("--dir")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {program}: install redis-server or set REDIS_SERVER"))?;
        let mut redis = Self { child, port, _folder: folder };
        let started = Instant::now();
        while redis.connect().and_then(|mut connection| connection.ping()).is_err() {
            if let Some(status) = redis.child.try_wait()? {
                bail!("{program} ended at once, with {status}");
            }
            if started.elapsed() > START_MAX {
                bail!("{program} does not answer on port {port}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(Connection(BufReader::new(stream)))
    }

    /// User and system time so far.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        server::cpu_time(self.child.id())
    }

    /// What it ran so far.
    pub(crate) fn commands(&self) -> anyhow::Result<Commands> {
        Commands::parse(&self.connect()?.info("commandstats")?)
    }

    /// Which one this is.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        let info = self.connect()?.info("server")?;
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        Ok(version.context("redis tells no version")?.trim().to_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A connection that asks for one thing at a time.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn ping(&mut self) -> anyhow::Result<()> {
        self.0.get_mut().write_all(b"*1\r\n$4\r\nPING\r\n")?;
        match self.line()?.as_str() {
            "+PONG" => Ok(()),
            other => bail!("redis answers {other:?} to PING"),
        }
    }

    fn info(&mut self, section: &str) -> anyhow::Result<String> {
        self.0.get_mut().write_all(format!("INFO {section}\r\n").as_bytes())?;
        let line = self.line()?;
        let length = line.strip_prefix('$').and_then(|length| length.parse::<usize>().ok());
        let mut text = vec![0; length.with_context(|| format!("redis answers {line:?} to INFO"))? + 2];
        self.0.read_exact(&mut text)?;
        Ok(String::from_utf8(text)?)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

/// How often each command ran, as `INFO commandstats` counts it: those inside of scripts as well as those that nodes sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Commands(BTreeMap<String, f64>);

/// What nodes send at work. An `EXISTS` follows an `XREAD` that waited for nothing, which is none at work, and cannot be told
/// from those inside of scripts.
const SENT: [&str; 6] = ["evalsha", "xreadgroup", "xread", "mget", "hgetall", "xtrim"];

impl Commands {
    fn parse(info: &str) -> anyhow::Result<Self> {
        let lines = info.lines().filter_map(|line| line.strip_prefix("cmdstat_"));
        let count = |line: &str| -> Option<(String, f64)> {
            let (name, rest) = line.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
        };
        let counts = lines.map(|line| count(line).with_context(|| format!("redis counts oddly: {line}")));
        Ok(Self(counts.collect::<Result<_, _>>()?))
    }

    /// What ran since then.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self(self.0.iter().map(|(name, count)| (name.clone(), count - before.of(name))).collect())
    }

    pub(crate) fn of(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Those that nodes sent; a script is one.
    pub(crate) fn sent(&self) -> f64 {
        SENT.iter().map(|name| self.of(name)).sum()
    }

    /// Those inside of scripts as well.
    pub(crate) fn all(&self) -> f64 {
        self.0.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Commandstats\r\ncmdstat_evalsha:calls=30,usec=9,failed_calls=0\r\n\
        cmdstat_exists:calls=40,usec=1\r\ncmdstat_xread:calls=10,usec=5\r\ncmdstat_config|get:calls=1,usec=1\r\n";

    #[test]
    fn a_script_is_one_command_whatever_it_does() {
        let commands = Commands::parse(INFO).unwrap();
        assert!((commands.sent() - 40.0).abs() < 1e-9);
        assert!((commands.all() - 81.0).abs() < 1e-9);
    }

    #[test]
    fn what_ran_before_does_not_count() {
        let commands = Commands::parse(INFO).unwrap();
        assert!(commands.since(&commands).all().abs() < 1e-9);
        assert_eq!(commands.since(&Commands::default()), commands);
    }
}
