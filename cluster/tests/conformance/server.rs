//! A Redis of its own for a test: a child on a free port that ends with it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(20);

/// A running `redis-server`.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    arguments: Vec<String>,
    dir: TempDir,
}

impl Server {
    /// Whose data is lost with it.
    pub(crate) fn start() -> Self {
        Self::with(&["--appendonly", "no"])
    }

    /// Whose data survives a restart.
    pub(crate) fn durable() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// With these arguments as well.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        // Somebody else may take a port between its choice and its use.
        for _ in 0..5 {
            let port = free_port();
            let mut child = spawn(dir.path(), port, &arguments);
            if is_up(&mut child, port) {
                return Self { child, port, arguments, dir };
            }
        }
        panic!("redis-server does not start");
    }

    /// Kills it and starts it again on the same port, with what it wrote down.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.dir.path(), self.port, &self.arguments);
        assert!(is_up(&mut self.child, self.port), "redis-server does not start again");
    }

    /// Starts it again after it was killed, with other arguments as well, and does not wait until it has its data.
    pub(crate) fn begin_again(&mut self, arguments: &[&str]) {
        let arguments = arguments.iter().map(ToString::to_string);
        let arguments: Vec<_> = self.arguments.iter().cloned().chain(arguments).collect();
        self.child = spawn(self.dir.path(), self.port, &arguments);
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends a command without blanks in its arguments, and gives back the first line of the answer.
    pub(crate) fn command(&self, line: &str) -> String {
        command(self.port, line).expect("an answer")
    }

    /// Sends a command until its answer fits.
    pub(crate) async fn wait_for(&self, line: &str, fits: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let answer = command(self.port, line).unwrap_or_default();
            if fits(&answer) {
                return answer;
            }
            assert!(started.elapsed() < START_MAX, "{line} still answers {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path, port: u16, arguments: &[String]) -> Child {
    let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let mut command = Command::new(&program);
    if arguments.iter().any(|argument| argument == "--sentinel") {
        // A Sentinel insists on a file that it can write.
        let file = dir.join("sentinel.conf");
        if !file.exists() {
            std::fs::write(&file, "").expect("written");
        }
        command.arg(file);
    } else {
        command.args(["--save", ""]);
    }
    command
        .arg("--port")
        .arg(port.to_string())
        .args(["--bind", "127.0.0.1"])
        .arg("--dir")
        .arg(dir)
        .args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; install redis-server or set REDIS_SERVER"))
}

fn is_up(child: &mut Child, port: u16) -> bool {
    let started = Instant::now();
    // Somebody else's may answer at the port that this one could not take.
    let ours = format!("process_id:{}\r", child.id());
    let is_ours = |answer: &str| answer.contains(&ours) || answer.starts_with("-NO");
    while started.elapsed() < START_MAX {
        if command(port, "PING").is_ok_and(|answer| !answer.starts_with("-LOADING"))
            && command(port, "INFO server").is_ok_and(|answer| is_ours(&answer))
        {
            return true;
        }
        if child.try_wait().expect("our child").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

pub(crate) fn command(port: u16, line: &str) -> std::io::Result<String> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    (&stream).write_all(format!("{line}\r\n").as_bytes())?;
    let mut reader = BufReader::new(&stream);
    let mut answer = String::new();
    reader.read_line(&mut answer)?;
    // A bulk string: its length comes first.
    if let Some(length) = answer.strip_prefix('$').and_then(|length| length.trim_end().parse::<usize>().ok())
    {
        let mut bulk = vec![0; length];
        reader.read_exact(&mut bulk)?;
        return Ok(String::from_utf8_lossy(&bulk).into_owned());
    }
    Ok(answer.trim_end().to_owned())
}

fn free_port() -> u16 {
    // A Redis Cluster also needs the port 10,000 above.
    loop {
        let port =
            TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("an address").port();
        if port < 55_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}
