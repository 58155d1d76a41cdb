//! Rows of an answer that goes on, from the node that makes them to the one whose client reads them.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use callboard_protocol::{
    ErrorCode,
    carried::RowsPiece,
    envelope::TransferEnd,
    flight::{self, Rest},
};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::{ChunkReader, Room};
use crate::{call::CallInfo, handle::answering};

/// How much of an answer goes along with the reply. What is beyond it follows in pieces.
pub(crate) const FIRST_PIECE_BYTES: usize = 64 << 10;

/// Most bytes of a piece.
const PIECE_BYTES: usize = 32 << 10;

/// The stream of rows broke off within a row: the answer cannot be ended properly.
#[derive(Debug, thiserror::Error)]
#[error("the node that made the answer is gone")]
pub(crate) struct Broken;

/// The beginning of an answer of which more follows, and what is left of its rows.
pub(crate) fn first_piece(mut head: Bytes, rest: Option<&Rest>) -> (Bytes, Bytes) {
    let first = head.split_to(head.len().min(FIRST_PIECE_BYTES));
    (piece(first, head.is_empty(), rest), head)
}

/// A piece; `whole` says whether it ends with the end of a row.
fn piece(rows: Bytes, whole: bool, rest: Option<&Rest>) -> Bytes {
    let open = whole.then(|| rest.map(|rest| rest.open_rows().collect()).unwrap_or_default());
    RowsPiece { open, rows }.encode()
}

/// Sends what is left of the rows, and those that are still made, until all is sent or nobody wants more.
pub(crate) async fn send_rows(info: Arc<CallInfo>, left: Bytes, mut rest: Option<Rest>, mut room: Room) {
    let end = Instant::now() + info.node.settings.stream_timeout;
    let span = info.timeline.log_span();
    if !send_piece(left, rest.as_ref(), &mut room).await {
        return;
    }
    while let Some(making) = &mut rest {
        let made = tokio::select! {
            made = poll_fn(|context| span.in_scope(|| answering(&info.node, || making.poll_rows(context)))) => made,
            () = room.stopped() => return,
            () = sleep_until(end) => {
                info.log_expired();
                rest.take().map(|rest| rest.abort(ErrorCode::DeadlineExceeded.as_str()))
            }
        };
        if let Some(rest) = &mut rest {
            info.log_failed(rest);
        }
        let Some(rows) = made else { break };
        if !send_piece(rows, rest.as_ref(), &mut room).await {
            return;
        }
    }
    if room.wait().await {
        room.write(Bytes::new(), Some(TransferEnd::Complete));
    }
}

async fn send_piece(mut rows: Bytes, rest: Option<&Rest>, room: &mut Room) -> bool {
    while !rows.is_empty() {
        if !room.wait().await {
            return false;
        }
        let next = rows.split_to(rows.len().min(PIECE_BYTES));
        room.write(piece(next, rows.is_empty(), rest), None);
    }
    true
}

/// Rows that another node makes.
pub(crate) struct CarriedRows {
    chunks: ChunkReader,
    open: Option<Vec<u32>>,
    ended: bool,
}

impl CarriedRows {
    /// What follows a first piece, which is given back without its frame.
    pub(crate) fn after(first: &Bytes, chunks: ChunkReader) -> Option<(Bytes, Self)> {
        let RowsPiece { open, rows } = RowsPiece::decode(first).ok()?;
        Some((rows, Self { chunks, open, ended: false }))
    }

    /// The next rows; nothing after the last. What is still open when the other node is lost ends with an error row.
    pub(crate) fn poll_rows(
        &mut self,
        info: &CallInfo,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        while !self.ended {
            let piece = ready!(self.chunks.poll_chunk(context))
                .and_then(|bytes| RowsPiece::decode(&bytes).map_err(|_| TransferEnd::Broken));
            match piece {
                Ok(RowsPiece { open, rows }) => {
                    self.open = open;
                    if !rows.is_empty() {
                        return Poll::Ready(Some(Ok(rows)));
                    }
                }
                Err(TransferEnd::Complete) => self.ended = true,
                Err(TransferEnd::Broken) => {
                    self.ended = true;
                    let (call, trace) = (info.id, info.timeline.trace_id());
                    warn!(%call, trace, "the node that made an answer was lost before its end");
                    return Poll::Ready(self.end_open(ErrorCode::OutcomeUnknown).transpose());
                }
            }
        }
        Poll::Ready(None)
    }

    /// Rows that end what is still open.
    pub(crate) fn abort(mut self, code: ErrorCode) -> Result<Bytes, Broken> {
        self.end_open(code).map(Option::unwrap_or_default)
    }

    fn end_open(&mut self, code: ErrorCode) -> Result<Option<Bytes>, Broken> {
        let open = self.open.take().ok_or(Broken)?;
        let rows: Vec<u8> = open.into_iter().flat_map(|row| flight::error_row(row, code.as_str())).collect();
        Ok((!rows.is_empty()).then(|| rows.into()))
    }
}
