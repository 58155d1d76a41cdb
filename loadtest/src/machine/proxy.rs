//! A wire between a node and Redis that can be cut, stalled and reset, and that can lose what Redis answers.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, spawn_local},
    time::sleep,
};

/// What the wire does with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// It carries it.
    Open,
    /// It holds it back, both ways; connections stay. What was held back goes on when it is open again.
    Stalled,
    /// It is cut: connections are reset, and new ones end at once.
    Cut,
    /// It carries commands, and loses answers.
    Deaf,
    /// It carries each piece this much later, either way.
    Slow(Duration),
}

/// A wire of one node; it ends when dropped.
pub struct Proxy {
    port: u16,
    shared: Rc<Shared>,
    accepts: AbortHandle,
}

struct Shared {
    /// Where Redis is now.
    upstream: Cell<u16>,
    wire: watch::Sender<Wire>,
    connections: RefCell<Vec<AbortHandle>>,
    resets: Cell<u64>,
    lost: Cell<u64>,
    delayed: Cell<u64>,
}

impl Proxy {
    /// A wire to the Redis at this port.
    ///
    /// # Errors
    ///
    /// That there is no port to be had.
    pub async fn start(upstream: u16) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let shared = Rc::new(Shared {
            upstream: Cell::new(upstream),
            wire: watch::Sender::new(Wire::Open),
            connections: RefCell::default(),
            resets: Cell::new(0),
            lost: Cell::new(0),
            delayed: Cell::new(0),
        });
        let accepts = spawn_local(accept(listener, Rc::clone(&shared))).abort_handle();
        Ok(Self { port, shared, accepts })
    }

    /// Where the node finds Redis.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on Redis is here.
    pub fn lead_to(&self, upstream: u16) {
        self.shared.upstream.set(upstream);
    }

    /// From now on the wire does this.
    pub fn set(&self, wire: Wire) {
        self.shared.wire.send_replace(wire);
        if wire == Wire::Cut {
            self.reset();
        }
    }

    /// Ends every connection, in the middle of whatever it carries.
    pub fn reset(&self) {
        for connection in self.shared.connections.take() {
            if !connection.is_finished() {
                connection.abort();
                self.shared.resets.set(self.shared.resets.get() + 1);
            }
        }
    }

    /// How many connections were reset so far.
    #[must_use]
    pub fn resets(&self) -> u64 {
        self.shared.resets.get()
    }

    /// How many pieces of answers were lost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.get()
    }

    /// How many pieces were carried later so far.
    #[must_use]
    pub fn delayed(&self) -> u64 {
        self.shared.delayed.get()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
        self.reset();
    }
}

async fn accept(listener: TcpListener, shared: Rc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if *shared.wire.borrow() == Wire::Cut {
            continue;
        }
        let carries = spawn_local(carry(client, Rc::clone(&shared)));
        let mut connections = shared.connections.borrow_mut();
        connections.retain(|connection| !connection.is_finished());
        connections.push(carries.abort_handle());
    }
}

/// Carries bytes both ways until one side ends. An error of a side is its end.
async fn carry(client: TcpStream, shared: Rc<Shared>) -> io::Result<()> {
    open(&shared).await;
    let server = TcpStream::connect(("127.0.0.1", shared.upstream.get())).await?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        // Aborted, it ends with a reset, and not as if all had been said.
        stream.set_zero_linger()?;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        ended = pump(from_client, to_server, &shared, false) => ended,
        ended = pump(from_server, to_client, &shared, true) => ended,
    }
}

/// Waits until the wire is not stalled.
async fn open(shared: &Shared) {
    let mut wire = shared.wire.subscribe();
    // The sender lives as long as what we borrow.
    drop(wire.wait_for(|wire| *wire != Wire::Stalled).await);
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
    are_answers: bool,
) -> io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        open(shared).await;
        if length == 0 {
            return Ok(());
        }
        let wire = *shared.wire.borrow();
        match wire {
            Wire::Deaf if are_answers => {
                shared.lost.set(shared.lost.get() + 1);
                continue;
            }
            Wire::Slow(delay) => {
                shared.delayed.set(shared.delayed.get() + 1);
                sleep(delay).await;
            }
            _ => {}
        }
        to.write_all(&piece[..length]).await?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        spawn_local(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                spawn_local(async move {
                    let (mut from, mut to) = client.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        port
    }

    async fn said(client: &mut TcpStream, word: &[u8; 4]) -> io::Result<[u8; 4]> {
        client.write_all(word).await?;
        let mut heard = [0; 4];
        client.read_exact(&mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn an_open_wire_carries_and_a_cut_one_ends_connections() {
        let test = async {
            let proxy = Proxy::start(echo().await).await.unwrap();
            let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
            assert_eq!(said(&mut client, b"here").await.unwrap(), *b"here");
            proxy.set(Wire::Cut);
            assert!(said(&mut client, b"gone").await.is_err());
            let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
            assert!(said(&mut client, b"gone").await.is_err());
            proxy.set(Wire::Open);
            let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
            assert_eq!(said(&mut client, b"back").await.unwrap(), *b"back");
            assert_eq!(proxy.resets(), 1);
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn a_stalled_wire_loses_nothing_and_a_deaf_one_answers() {
        let test = async {
            let proxy = Proxy::start(echo().await).await.unwrap();
            let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
            proxy.set(Wire::Stalled);
            client.write_all(b"late").await.unwrap();
            proxy.set(Wire::Open);
            let mut heard = [0; 4];
            client.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, *b"late");
            proxy.set(Wire::Deaf);
            client.write_all(b"lost").await.unwrap();
            while proxy.lost() == 0 {
                tokio::task::yield_now().await;
            }
            proxy.set(Wire::Open);
            assert_eq!(said(&mut client, b"here").await.unwrap(), *b"here");
        };
        LocalSet::new().run_until(test).await;
    }
}
