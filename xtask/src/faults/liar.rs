//! A proxy in front of a node that lies about some answers: the checker has to see it.

use std::{cell::RefCell, collections::HashMap, io, rc::Rc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, spawn_local},
};

/// One of so many answers is a lie.
const TRUTHS: usize = 10;

const TRUE: &[u8] = b"callboard-outcome: done\r\n";
const FALSE: &[u8] = b"callboard-outcome: not-run\r\n";

/// What every page that clients read begins with; what it shows follows.
const PAGE: &[u8] = b"<!doctype html><title>tagged ";

/// What is said instead of the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// That a call did not run which did.
    NotRun,
    /// A page as it was when it was first seen.
    OldPage,
}

/// A liar; it ends when dropped.
pub(crate) struct Liar {
    address: String,
    accepts: AbortHandle,
}

/// What a liar remembers of all its connections.
struct Memory {
    lie: Lie,
    /// Answers that it could have lied about.
    seen: usize,
    /// The first answer with each page, by the page's title.
    pages: HashMap<Vec<u8>, Vec<u8>>,
}

impl Liar {
    /// In front of this address.
    pub(crate) async fn start(upstream: String, lie: Lie) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let memory = Rc::new(RefCell::new(Memory::new(lie)));
        let accepts = spawn_local(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Connections end with their clients.
                spawn_local(carry(client, upstream.clone(), Rc::clone(&memory)));
            }
        });
        Ok(Self { address, accepts: accepts.abort_handle() })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn carry(mut client: TcpStream, upstream: String, memory: Rc<RefCell<Memory>>) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let answers = async {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = from_server.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            let told = memory.borrow_mut().told(&piece[..length]);
            to_client.write_all(&told).await?;
        }
    };
    tokio::select! {
        ended = tokio::io::copy(&mut from_client, &mut to_server) => ended.map(drop),
        ended = answers => ended,
    }
}

impl Memory {
    fn new(lie: Lie) -> Self {
        Self { lie, seen: 0, pages: HashMap::new() }
    }

    /// An answer, as it is told. One that comes in pieces is told as it is.
    fn told(&mut self, piece: &[u8]) -> Vec<u8> {
        let lie = match self.lie {
            Lie::NotRun => {
                position(piece, TRUE).map(|at| [&piece[..at], FALSE, &piece[at + TRUE.len()..]].concat())
            }
            Lie::OldPage => self.first(piece),
        };
        let Some(lie) = lie else { return piece.to_vec() };
        self.seen += 1;
        if self.seen.is_multiple_of(TRUTHS) { lie } else { piece.to_vec() }
    }

    /// The first answer with the page that this answer has; nothing if it has none.
    fn first(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let from = position(piece, PAGE)? + PAGE.len();
        let title = &piece[from..from + position(&piece[from..], b"<")?];
        if !piece.ends_with(b"</script>") {
            return None;
        }
        Some(self.pages.entry(title.to_vec()).or_insert_with(|| piece.to_vec()).clone())
    }
}

fn position(piece: &[u8], part: &[u8]) -> Option<usize> {
    piece.windows(part.len()).position(|bytes| bytes == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_of_some_is_a_lie() {
        let answer = b"HTTP/1.1 200 OK\r\ncallboard-outcome: done\r\nx: y\r\n\r\n1:2\n";
        let mut memory = Memory::new(Lie::NotRun);
        let told: Vec<_> = (0..TRUTHS).map(|_| memory.told(answer)).collect();
        assert!(told[..TRUTHS - 1].iter().all(|told| told == answer));
        let lie = b"HTTP/1.1 200 OK\r\ncallboard-outcome: not-run\r\nx: y\r\n\r\n1:2\n";
        assert_eq!(told[TRUTHS - 1], lie);
    }

    #[test]
    fn an_old_page_is_that_page() {
        let answer = |title: &str, shown: u32| {
            let head = "HTTP/1.1 200 OK\r\n\r\n<!doctype html><title>tagged";
            format!("{head} {title}</title><script>{shown}</script>").into_bytes()
        };
        let mut memory = Memory::new(Lie::OldPage);
        assert_eq!(memory.told(&answer("0", 1)), answer("0", 1));
        for shown in 2..TRUTHS {
            assert_eq!(memory.told(&answer("1", shown as u32)), answer("1", shown as u32));
        }
        assert_eq!(memory.told(&answer("0", 7)), answer("0", 1));
    }
}
