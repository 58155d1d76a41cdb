//! A server under measurement: its process, its CPU time, and a plain request to it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
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
        Ok(Self { admin: addresses.next().map(str::to_owned), address, child })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// User and system time of all its threads so far.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        cpu_time(self.id())
    }

    /// Kills it, and returns when it is dead.
    pub(crate) fn kill(&mut self) {
        // It may be gone already; then there is nothing to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// User and system time of all threads of a process so far.
pub(crate) fn cpu_time(id: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name in the second field may hold anything; what counts stands behind its closing bracket.
    let (_, fields) = stat.rsplit_once(')').context("no process status")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks =
        |place: usize| -> anyhow::Result<u64> { Ok(fields.get(place).context("a short status")?.parse()?) };
    let ticks = ticks(11)? + ticks(12)?;
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
