//! A proxy in front of a node that says of some calls that they did not run, although they did: the checker has to see it.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, spawn_local},
};

/// One of so many answers is a lie.
const TRUTHS: usize = 10;

const TRUE: &[u8] = b"callboard-outcome: done\r\n";
const LIE: &[u8] = b"callboard-outcome: not-run\r\n";

/// A liar; it ends when dropped.
pub(crate) struct Liar {
    address: String,
    accepts: AbortHandle,
}

impl Liar {
    /// In front of this address.
    pub(crate) async fn start(upstream: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let accepts = spawn_local(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Connections end with their clients.
                spawn_local(lie(client, upstream.clone()));
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

async fn lie(mut client: TcpStream, upstream: String) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let answers = async {
        let mut seen = 0;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = from_server.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            to_client.write_all(&twisted(&piece[..length], &mut seen)).await?;
        }
    };
    tokio::select! {
        ended = tokio::io::copy(&mut from_client, &mut to_server) => ended.map(drop),
        ended = answers => ended,
    }
}

/// An answer, as it is told. A head that comes in pieces is told as it is.
fn twisted(piece: &[u8], seen: &mut usize) -> Vec<u8> {
    let Some(at) = piece.windows(TRUE.len()).position(|bytes| bytes == TRUE) else { return piece.to_vec() };
    *seen += 1;
    if !seen.is_multiple_of(TRUTHS) {
        return piece.to_vec();
    }
    [&piece[..at], LIE, &piece[at + TRUE.len()..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_of_some_is_a_lie() {
        let answer = b"HTTP/1.1 200 OK\r\ncallboard-outcome: done\r\nx: y\r\n\r\n1:2\n";
        let mut seen = 0;
        let told: Vec<_> = (0..TRUTHS).map(|_| twisted(answer, &mut seen)).collect();
        assert!(told[..TRUTHS - 1].iter().all(|told| told == answer));
        let lie = b"HTTP/1.1 200 OK\r\ncallboard-outcome: not-run\r\nx: y\r\n\r\n1:2\n";
        assert_eq!(told[TRUTHS - 1], lie);
    }
}
