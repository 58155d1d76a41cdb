//! A server under measurement: its process, its CPU time, and a plain request to it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// The processes that it started and that do its work.
    workers: Vec<u32>,
    /// `HOST:PORT` of what is measured.
    pub(crate) address: String,
    /// `HOST:PORT` of the admin port, if it has one.
    pub(crate) admin: Option<String>,
}

impl Server {
    /// Starts a program whose first line names its addresses: `listening on http://A[ admin http://B …]`.
    pub(crate) fn start(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line)?;
        let mut addresses = line.split_whitespace().filter_map(|word| word.strip_prefix("http://"));
        let Some(address) = addresses.next().map(str::to_owned) else {
            drop(child.kill());
            bail!("{name} did not start: its first line was {line:?}");
        };
        Ok(Self { admin: addresses.next().map(str::to_owned), address, child, workers: Vec::new() })
    }

    /// One that was started in another way.
    pub(crate) fn running(child: Child, address: String) -> Self {
        Self { child, workers: Vec::new(), address, admin: None }
    }

    /// Counts the processes that it started to it; how many there are.
    pub(crate) fn adopt_workers(&mut self) -> anyhow::Result<usize> {
        self.workers = children(self.id())?;
        Ok(self.workers.len())
    }

    /// What it ended with, if it has.
    pub(crate) fn status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// User and system time of all its threads so far.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        std::iter::once(&self.id()).chain(&self.workers).map(|id| cpu_time(*id)).sum()
    }

    /// Memory that it has and that is not on disk.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kilobytes.context("a process without memory")?.parse::<u64>()? * 1024)
    }

    /// Kills it, and returns when it is dead.
    pub(crate) fn kill(&mut self) {
        // It may be gone already; then there is nothing to do.
        if self.workers.is_empty() {
            drop(self.child.kill());
        } else if let Some(id) = Pid::from_raw(self.id().cast_signed()) {
            // Killed, it would leave its workers behind.
            let _gone = kill_process(id, Signal::TERM);
        }
        drop(self.child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The command that starts a node of this workload on free ports.
pub(crate) fn node(workload: &Path) -> Command {
    let mut command = Command::new(workload);
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command
}

/// A number that the kernel tells of a process.
fn status(id: u32, place: usize) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name in the second field may hold anything; what counts stands behind its closing bracket.
    let (_, fields) = stat.rsplit_once(')').context("no process status")?;
    Ok(fields.split_whitespace().nth(place).context("a short status")?.parse()?)
}

/// The processes that a process started.
fn children(parent: u32) -> anyhow::Result<Vec<u32>> {
    let processes = std::fs::read_dir("/proc")?.filter_map(Result::ok);
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // Of one that ended meanwhile nothing is known.
    Ok(ids.filter(|id| status(*id, 1).is_ok_and(|found| found == u64::from(parent))).collect())
}

/// User and system time of all threads of a process so far.
pub(crate) fn cpu_time(id: u32) -> anyhow::Result<Duration> {
    let ticks = status(id, 11)? + status(id, 12)?;
    Ok(Duration::from_secs_f64(ticks as f64 / ticks_per_second()?))
}

fn ticks_per_second() -> anyhow::Result<f64> {
    let output = Command::new("getconf").arg("CLK_TCK").output().context("cannot run getconf")?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// One request on a connection of its own. HTTP/1.0, so that the answer ends where the connection does.
pub(crate) fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &str,
) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut text =
        format!("{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {}\r\n", body.len());
    text.extend(headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
    stream.write_all(format!("{text}\r\n{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("the answer has no head")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer)?;
    let status = head.split_whitespace().nth(1).context("the answer has no status")?.parse()?;
    Ok(Answer { status, head, body })
}
