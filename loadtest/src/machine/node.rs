//! A node of the cluster: a process, and where it listens.

use std::{
    ffi::OsString,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::time::timeout;

use super::{
    http,
    process::{Process, leashed},
};

/// How long a node may take to start, or to become a member.
const READY_MAX: Duration = Duration::from_mins(1);

/// What nodes of one cluster have in common.
pub struct Recipe {
    /// The binary of the application.
    pub program: PathBuf,
    /// What only this cluster has; everything of it is below.
    pub folder: PathBuf,
    /// The name of the cluster in Redis.
    pub namespace: String,
    /// Their key ring.
    keys: String,
    /// Settings besides those that every node gets, as names of flags and values.
    pub settings: Vec<(String, String)>,
    /// What else stands in the environment of every node.
    pub environment: Vec<(String, OsString)>,
    /// Where standard error goes.
    pub log: Log,
}

/// Where the standard error of nodes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// To ours, each line with the name of its node.
    Here,
    /// To a file of each node in the folder.
    Files,
}

/// A node.
pub struct Node {
    /// The process that it is.
    pub process: Process,
    /// `HOST:PORT` for calls and pages.
    pub address: String,
    /// `HOST:PORT` of the admin port.
    pub admin: String,
    /// Kept, so that nothing the node prints can fail.
    _stdout: BufReader<ChildStdout>,
}

impl Recipe {
    /// Of a program, with new keys.
    ///
    /// # Errors
    ///
    /// That the program cannot be run, or makes no keys.
    pub fn new(program: PathBuf, folder: &Path, namespace: &str, log: Log) -> anyhow::Result<Self> {
        let output = Command::new(&program).args(["keys", "new"]).output();
        let output = output.with_context(|| format!("cannot run {}", program.display()))?;
        if !output.status.success() {
            bail!("{} keys new fails: {}", program.display(), String::from_utf8_lossy(&output.stderr));
        }
        Ok(Self {
            program,
            folder: folder.to_owned(),
            namespace: namespace.to_owned(),
            keys: String::from_utf8(output.stdout)?.trim_end().to_owned(),
            settings: Vec::new(),
            environment: Vec::new(),
            log,
        })
    }

    /// Where a node's standard error goes, if that is a file.
    #[must_use]
    pub fn log_file(&self, number: usize) -> PathBuf {
        self.folder.join(format!("node-{number}.log"))
    }

    fn command(&self, number: usize, redis_port: u16) -> anyhow::Result<Command> {
        let mut command = leashed(&self.program);
        // No setting of whoever runs this.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CALLBOARD_") {
                command.env_remove(name);
            }
        }
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--namespace", &self.namespace]);
        command.args(["--redis", &format!("redis://127.0.0.1:{redis_port}")]);
        command.arg("--state-dir").arg(self.folder.join(format!("state-{number}")));
        for (name, value) in &self.settings {
            command.arg(format!("--{name}")).arg(value);
        }
        command.env("CALLBOARD_KEYS", &self.keys);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        match self.log {
            Log::Here => command.stderr(Stdio::piped()),
            Log::Files => {
                let file = File::options().append(true).create(true).open(self.log_file(number))?;
                command.stderr(file)
            }
        };
        Ok(command)
    }
}

impl Node {
    /// Starts a node that reaches Redis at this port, and waits for its first line.
    ///
    /// # Errors
    ///
    /// That it does not start; with its last words.
    pub async fn start(recipe: &Recipe, number: usize, redis_port: u16) -> anyhow::Result<Self> {
        let name = format!("node {number}");
        let mut process = Process::start(name.clone(), &mut recipe.command(number, redis_port)?)?;
        if let Some(stderr) = process.take_stderr() {
            let name = name.clone();
            // It ends with the node.
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    crate::view::note(&format!("{name} | {line}"));
                }
            });
        }
        let mut stdout = BufReader::new(process.take_stdout().context("it is piped")?);
        let first = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).map(|_| (line, stdout))
        });
        let read = timeout(READY_MAX, first).await.with_context(|| format!("{name} says nothing"))?;
        let (line, stdout) = read??;
        let mut addresses = line.split_whitespace().filter_map(|word| word.strip_prefix("http://"));
        let (Some(address), Some(admin)) = (addresses.next(), addresses.next()) else {
            bail!("{name} did not start; its first line was {line:?}{}", recipe.last_words(number));
        };
        let (address, admin) = (address.to_owned(), admin.to_owned());
        Ok(Self { process, address, admin, _stdout: stdout })
    }

    /// Waits until it serves, as a member of its cluster.
    ///
    /// # Errors
    ///
    /// That it ended, or takes too long.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.process.status()? {
                bail!("{} ended before it was ready: {status}", self.process.name());
            }
            if http::get(&self.admin, "/readyz").await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if started.elapsed() > READY_MAX {
                bail!("{} does not become ready", self.process.name());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Recipe {
    /// The end of a node's log, if it is a file, for an error.
    #[must_use]
    pub fn last_words(&self, number: usize) -> String {
        let log = std::fs::read_to_string(self.log_file(number)).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(20)..];
        if last.is_empty() { String::new() } else { format!("\n  | {}", last.join("\n  | ")) }
    }
}
