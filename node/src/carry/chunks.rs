//! The two ends of a transfer on this node.

use std::task::{Context, Poll, ready};

use actix::Addr;
use bytes::Bytes;
use callboard_cluster::core::Input;
use callboard_protocol::envelope::{TransferEnd, TransferId};
use tokio::sync::mpsc;

use crate::actors::{Feed, Membership, Tell as _};

/// A piece as it was delivered.
pub(crate) type Chunk = (Bytes, Option<TransferEnd>);

/// What comes of a transfer, piece by piece. Dropping it tells the writer that nothing more is wanted.
pub(crate) struct ChunkReader {
    transfer: TransferId,
    chunks: mpsc::UnboundedReceiver<Chunk>,
    membership: Addr<Membership>,
    ended: Option<TransferEnd>,
}

impl ChunkReader {
    /// How much is under way is bounded by the credit that is given as pieces are taken here.
    pub(crate) fn new(
        transfer: TransferId,
        chunks: mpsc::UnboundedReceiver<Chunk>,
        membership: Addr<Membership>,
    ) -> Self {
        Self { transfer, chunks, membership, ended: None }
    }

    /// The next piece, or how it ended. A transfer that is lost without a word is broken.
    pub(crate) fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, TransferEnd>> {
        if let Some(end) = self.ended {
            return Poll::Ready(Err(end));
        }
        let Some((bytes, end)) = ready!(self.chunks.poll_recv(context)) else {
            self.ended = Some(TransferEnd::Broken);
            return Poll::Ready(Err(TransferEnd::Broken));
        };
        self.ended = end;
        match end {
            Some(end) if bytes.is_empty() => Poll::Ready(Err(end)),
            Some(_) => Poll::Ready(Ok(bytes)),
            None => {
                self.membership.tell(Feed(Input::Taken(self.transfer, 1)));
                Poll::Ready(Ok(bytes))
            }
        }
    }
}

impl Drop for ChunkReader {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.membership.tell(Feed(Input::Stop(self.transfer)));
        }
    }
}

/// The room that the writer of a transfer has. Ends when the reader wants no more.
pub(crate) struct Room {
    transfer: TransferId,
    given: mpsc::UnboundedReceiver<u64>,
    left: u64,
    membership: Addr<Membership>,
}

impl Room {
    pub(crate) fn new(
        transfer: TransferId,
        given: mpsc::UnboundedReceiver<u64>,
        membership: Addr<Membership>,
    ) -> Self {
        Self { transfer, given, left: 0, membership }
    }

    /// Waits until a piece may be written; whether anybody still wants one.
    pub(crate) async fn wait(&mut self) -> bool {
        while self.left == 0 {
            match self.given.recv().await {
                Some(more) => self.left += more,
                None => return false,
            }
        }
        true
    }

    /// Returns once nobody wants more.
    pub(crate) async fn stopped(&mut self) {
        while let Some(more) = self.given.recv().await {
            self.left += more;
        }
    }

    /// Writes a piece. Only where [`wait`](Self::wait) said so.
    pub(crate) fn write(&mut self, bytes: Bytes, end: Option<TransferEnd>) {
        self.left = self.left.saturating_sub(1);
        self.membership.tell(Feed(Input::Write(self.transfer, bytes, end)));
    }
}
