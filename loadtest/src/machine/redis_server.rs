//! A Redis of our own, on a free port.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::Signal;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::process::{Process, leashed};

/// How long a server may take to start, to end, or to answer.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Whether what Redis knows is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It is gone when Redis ends.
    Lost,
    /// Each write is on disk before it is answered.
    Kept,
}

/// A running `redis-server`; it ends with us.
pub struct Redis {
    process: Process,
    port: u16,
    memory: Memory,
    folder: PathBuf,
}

impl Redis {
    /// Starts one that keeps its files, if any, in this folder.
    ///
    /// # Errors
    ///
    /// That there is no `redis-server`, or that it does not start.
    pub async fn start(folder: &Path, memory: Memory) -> anyhow::Result<Self> {
        check()?;
        std::fs::create_dir_all(folder)?;
        let (process, port) = spawn(folder, memory).await?;
        Ok(Self { process, port, memory, folder: folder.to_owned() })
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once, and starts another one in its place, at another port; with what it wrote down, or without.
    ///
    /// # Errors
    ///
    /// That it does not end, or does not start again.
    pub async fn restart(&mut self, memory: Memory) -> anyhow::Result<()> {
        // The connection ends without an answer.
        drop(self.command("SHUTDOWN NOSAVE").await);
        self.process.ended(WAIT_MAX).await?;
        self.revive(memory).await
    }

    /// Kills it.
    ///
    /// # Errors
    ///
    /// That it does not die.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await
    }

    /// Starts another one in the place of one that ended, at another port; with what that wrote down, or without.
    ///
    /// # Errors
    ///
    /// That it does not start.
    pub async fn revive(&mut self, memory: Memory) -> anyhow::Result<()> {
        if memory == Memory::Lost {
            std::fs::remove_dir_all(&self.folder)?;
            std::fs::create_dir_all(&self.folder)?;
        }
        (self.process, self.port) = spawn(&self.folder, self.memory).await?;
        Ok(())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// That it may not be signalled.
    pub fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        self.process.signal(signal)
    }

    /// Asks it to end.
    ///
    /// # Errors
    ///
    /// That it does not end.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop(WAIT_MAX).await.map(drop)
    }

    /// Sends a command without blanks in its arguments. The answer's texts: one, or those of a list.
    ///
    /// # Errors
    ///
    /// What Redis says, or that it does not answer.
    pub async fn command(&self, line: &str) -> anyhow::Result<Vec<String>> {
        timeout(WAIT_MAX, command(self.port, line)).await.context("redis-server does not answer")?
    }

    /// The sessions that are members of the cluster of this name.
    ///
    /// # Errors
    ///
    /// What Redis says, or that it does not answer.
    pub async fn sessions(&self, namespace: &str) -> anyhow::Result<Vec<String>> {
        let fields = self.command(&format!("HKEYS {{cb:{namespace}:0}}:view")).await?;
        Ok(fields.iter().filter_map(|field| field.strip_prefix("acked:").map(str::to_owned)).collect())
    }
}

fn program() -> PathBuf {
    std::env::var_os("REDIS_SERVER").map_or_else(|| "redis-server".into(), PathBuf::from)
}

/// Says what to do where there is no Redis.
fn check() -> anyhow::Result<()> {
    let program = program();
    let output = Command::new(&program).arg("--version").output();
    let output = output.with_context(|| {
        format!(
            "cannot run {}: install it (Debian: apt-get install redis-server), or name it in REDIS_SERVER",
            program.display()
        )
    })?;
    ensure!(output.status.success(), "{} --version fails", program.display());
    Ok(())
}

async fn spawn(folder: &Path, memory: Memory) -> anyhow::Result<(Process, u16)> {
    // Somebody else may take a port between its choice and its use.
    for _ in 0..5 {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = leashed(&program());
        command.args(["--bind", "127.0.0.1", "--save", "", "--port"]).arg(port.to_string());
        command.arg("--dir").arg(folder);
        command.args(match memory {
            Memory::Lost => ["--appendonly", "no"].as_slice(),
            Memory::Kept => &["--appendonly", "yes", "--appendfsync", "always"],
        });
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut process = Process::start("redis-server".to_owned(), &mut command)?;
        if is_up(&mut process, port).await? {
            return Ok((process, port));
        }
    }
    bail!("redis-server does not start")
}

/// Whether it takes commands; not, if it ends instead.
async fn is_up(process: &mut Process, port: u16) -> anyhow::Result<bool> {
    let started = Instant::now();
    while started.elapsed() < WAIT_MAX {
        // Whoever took the port from it may be a Redis, too.
        if process.status()?.is_some() {
            return Ok(false);
        }
        let facts = command(port, "INFO").await.unwrap_or_default().concat();
        let is = |fact: &str| facts.lines().any(|line| line.trim_end() == fact);
        if is(&format!("process_id:{}", process.id())) && is("loading:0") {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bail!("redis-server does not answer")
}

async fn command(port: u16, line: &str) -> anyhow::Result<Vec<String>> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    let head = read_line(&mut stream).await?;
    let Some(count) = head.strip_prefix('*') else { return Ok(vec![read_text(&mut stream, head).await?]) };
    let mut texts = Vec::new();
    for _ in 0..count.parse::<usize>()? {
        let head = read_line(&mut stream).await?;
        texts.push(read_text(&mut stream, head).await?);
    }
    Ok(texts)
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    let mut line = String::new();
    ensure!(stream.read_line(&mut line).await? > 0, "redis-server closed the connection");
    Ok(line.trim_end().to_owned())
}

/// The text that begins with this line.
async fn read_text(stream: &mut BufReader<TcpStream>, head: String) -> anyhow::Result<String> {
    if let Some(error) = head.strip_prefix('-') {
        bail!("redis-server says {error}");
    }
    let Some(length) = head.strip_prefix('$') else { return Ok(head) };
    // Nothing.
    if length == "-1" {
        return Ok(String::new());
    }
    // Its end of line comes after it.
    let mut text = vec![0; length.parse::<usize>()? + 2];
    stream.read_exact(&mut text).await?;
    text.truncate(text.len() - 2);
    Ok(String::from_utf8(text)?)
}
