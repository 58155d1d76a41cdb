//! A collector that takes whatever it is sent, and keeps nothing.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

/// How many bytes, and who waits for the first.
#[derive(Default)]
struct Taken(Mutex<u64>, Condvar);

/// How long spans may be on their way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Listens as long as the process lives.
pub(crate) struct Collector {
    address: SocketAddr,
    taken: Arc<Taken>,
}

impl Collector {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let collector = Self { address: listener.local_addr()?, taken: Arc::default() };
        let taken = Arc::clone(&collector.taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let taken = Arc::clone(&taken);
                // Whoever hangs up has sent all that it wanted to.
                std::thread::spawn(move || drop(take(stream, &taken)));
            }
        });
        Ok(collector)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether anything was sent, by now or soon.
    pub(crate) fn got_any(&self) -> bool {
        let Taken(bytes, came) = &*self.taken;
        let bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = came.wait_timeout_while(bytes, PATIENCE, |bytes| *bytes == 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 > 0
    }
}

fn take(stream: TcpStream, Taken(bytes, came): &Taken) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let taken = std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        *bytes.lock().unwrap_or_else(PoisonError::into_inner) += taken;
        came.notify_all();
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}
