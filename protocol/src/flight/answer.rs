//! Answers that go on: later values, streams, and what is still arriving, each row as soon as it is ready.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;

use super::{
    FlightError,
    encoder::{Encoder, Ids, Position, RowRole, Session},
    error::Problem,
    graph::Graphs,
    producer::{Event, Failure, Producer, SpilledBlob, Turn},
    row::{push_bytes_row, push_close_row, push_error_row, push_piece_rows, push_row_start},
    text::{push_hex, push_string},
};
use crate::{
    Value,
    js::handover,
    value::{ArrayKind, Node, StreamKind},
};

/// The rows of an answer, of which some may still be produced.
#[derive(Debug)]
pub struct Answer {
    /// The rows that were ready at once.
    pub head: Bytes,
    /// Those that follow, if any do.
    pub rest: Option<Rest>,
}

impl From<Bytes> for Answer {
    fn from(head: Bytes) -> Self {
        Self { head, rest: None }
    }
}

/// The rows that follow. Dropping it drops what the application was making: nothing is made for a client that is gone.
///
/// It is polled by one task, and whatever produces is polled only when it was woken. All that is open gets its turn:
/// one that is always ready does not keep the others waiting.
pub struct Rest {
    session: Session,
    open: FuturesUnordered<Turn>,
    failed: Vec<Failed>,
}

/// Something of an answer that ended in an error of the application or of ours, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The row that the client sees fail.
    pub row: u32,
    /// What the client sees of it.
    pub digest: Option<String>,
    /// What it does not see.
    pub private: String,
}

/// Rows that are handed out at once: enough to fill packets, and little enough that nothing waits long.
const BATCH_BYTES: usize = 64 << 10;

/// Most things that are taken in one poll, as many of them may make no rows.
const BATCH_EVENTS: usize = 1024;

/// The first id that clients cannot count to.
const ROWS_MAX: u32 = 1 << 31;

pub(super) fn encode<T: Serialize + ?Sized>(value: &T, first_row: u32) -> Result<Answer, FlightError> {
    let graphs = Graphs::that_go_on();
    let mut session = Session { ids: Ids::from(first_row + 1), graphs };
    let mut head = Vec::with_capacity(128);
    let mut encoder = Encoder::new(&mut head, first_row, RowRole::Value, &mut session);
    value.serialize(&mut encoder)?;
    encoder.finish();
    session.graphs.end_row();
    let mut rest = Rest { session, open: FuturesUnordered::new(), failed: Vec::new() };
    rest.open_started();
    let rest = (!rest.open.is_empty()).then_some(rest);
    Ok(Answer { head: head.into(), rest })
}

impl Rest {
    /// Rows that are ready, or nothing when all is written. Some is never empty.
    pub fn poll_rows(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut rows = Vec::new();
        let mut is_waiting = false;
        for _ in 0..BATCH_EVENTS {
            if rows.len() >= BATCH_BYTES {
                break;
            }
            match self.open.poll_next_unpin(context) {
                Poll::Ready(Some((row, producer, event))) => self.take(row, producer, event, &mut rows),
                Poll::Ready(None) => break,
                Poll::Pending => {
                    is_waiting = true;
                    break;
                }
            }
        }
        if !rows.is_empty() {
            return Poll::Ready(Some(rows.into()));
        }
        if self.open.is_empty() {
            return Poll::Ready(None);
        }
        if !is_waiting {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// The rows that are still to come.
    pub fn open_rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.open.iter().map(|turn| turn.row)
    }

    /// Ends everything that is open with this digest, and gives the rows that say so.
    #[must_use]
    pub fn abort(self, digest: &str) -> Bytes {
        let mut open: Vec<u32> = self.open.into_iter().map(|turn| turn.row).collect();
        open.sort_unstable();
        let mut rows = Vec::new();
        for row in open {
            push_error_row(&mut rows, row, Some(digest));
        }
        rows.into()
    }

    /// What failed since this was last asked.
    pub fn failed(&mut self) -> Vec<Failed> {
        std::mem::take(&mut self.failed)
    }

    /// How many values and streams are still to come.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Takes what a producer gave. One that is not given back has ended.
    fn take(&mut self, row: u32, producer: Option<Producer>, event: Event, rows: &mut Vec<u8>) {
        let kind = producer.as_ref().and_then(Producer::stream_kind);
        let written = match (event, kind) {
            (Event::Failed(failure), _) => {
                drop(producer);
                return self.fail(row, failure, rows);
            }
            (Event::Piece(bytes), _) => {
                return self.take_piece(row, producer, &bytes, rows);
            }
            (Event::Value(value), Some(StreamKind::Bytes)) => match value.node() {
                Some(Node::Bytes(array)) => {
                    push_piece_rows(rows, row, &array.bytes);
                    Ok(())
                }
                _ => Err(FlightError::new(Problem::NoBytes { kind: value.kind() }).into()),
            },
            (Event::Item(item), _) => self.write(row, "", kind, rows, move |encoder| item.encode(encoder)),
            (Event::Value(value), _) => self.write_value(row, "", kind, rows, value),
            (Event::End(None), Some(_)) => return push_close_row(rows, row),
            (Event::End(Some(value)), Some(_)) => match self.write_value(row, "C", kind, rows, value) {
                Ok(()) => return,
                failed => failed,
            },
            (Event::End(_), None) => match producer {
                Some(Producer::Spilled(blob)) => return write_blob(row, &blob, rows),
                _ => Err(Failure::unencodable("a later value that never came")),
            },
        };
        match (written, producer) {
            (Ok(()), Some(producer)) if kind.is_some() => self.open.push(Turn::new(row, producer)),
            (Ok(()), _) => {}
            (Err(failure), producer) => {
                drop(producer);
                self.fail(row, failure, rows);
            }
        }
    }

    fn take_piece(&mut self, row: u32, producer: Option<Producer>, bytes: &Bytes, rows: &mut Vec<u8>) {
        let Some(mut producer) = producer else { return };
        match &mut producer {
            Producer::Spilled(blob) => {
                let id = self.session.ids.next();
                blob.pieces.push(id);
                push_bytes_row(rows, id, ArrayKind::Uint8.tag() as u8, bytes);
            }
            _ => push_piece_rows(rows, row, bytes),
        }
        self.open.push(Turn::new(row, producer));
    }

    fn write_value(
        &mut self,
        row: u32,
        tag: &str,
        kind: Option<StreamKind>,
        rows: &mut Vec<u8>,
        value: Value,
    ) -> Result<(), Failure> {
        self.write(row, tag, kind, rows, move |encoder| {
            // Nothing but references: in a graph that grows, every object has a row of its own.
            let position = if value.node().is_some() { Position::Inside } else { encoder.position() };
            encoder.hand(&value, position)
        })
    }

    /// Writes a row, and those it needs. Of one that fails nothing stays.
    fn write(
        &mut self,
        row: u32,
        tag: &str,
        kind: Option<StreamKind>,
        rows: &mut Vec<u8>,
        write: impl FnOnce(&mut Encoder<'_>) -> Result<(), FlightError>,
    ) -> Result<(), Failure> {
        if self.session.ids.peek() >= ROWS_MAX {
            return Err(FlightError::new(Problem::TooManyRows).into());
        }
        let start = rows.len();
        let role = if kind.is_some() && tag.is_empty() { RowRole::Item } else { RowRole::Value };
        let written = catch_unwind(AssertUnwindSafe(|| {
            let mut encoder = Encoder::with_tag(rows, row, tag, role, &mut self.session);
            write(&mut encoder).map(|()| encoder.finish())
        }));
        let failure = match written {
            Ok(Ok(())) => {
                self.open_started();
                self.session.graphs.end_row();
                return Ok(());
            }
            Ok(Err(error)) => error.into(),
            Err(payload) => Failure::panic(&*payload),
        };
        handover::clear();
        rows.truncate(start);
        self.session.graphs.undo_row();
        Err(failure)
    }

    fn fail(&mut self, row: u32, Failure { digest, private }: Failure, rows: &mut Vec<u8>) {
        push_error_row(rows, row, digest.as_deref());
        if let Some(private) = private {
            self.failed.push(Failed { row, digest, private });
        }
    }

    fn open_started(&mut self) {
        for (row, producer) in self.session.graphs.started.drain(..) {
            self.open.push(Turn::new(row, producer));
        }
    }
}

impl From<FlightError> for Failure {
    fn from(error: FlightError) -> Self {
        Self::unencodable(error.to_string())
    }
}

/// The row that puts a file's pieces together.
fn write_blob(row: u32, blob: &SpilledBlob, rows: &mut Vec<u8>) {
    push_row_start(rows, row);
    rows.push(b'[');
    push_string(rows, &blob.media_type);
    for piece in &blob.pieces {
        rows.extend_from_slice(b",\"$");
        push_hex(rows, *piece);
        rows.push(b'"');
    }
    rows.extend_from_slice(b"]\n");
}

impl futures_core::Stream for Rest {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.get_mut().poll_rows(context)
    }
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("open", &self.open.len()).finish_non_exhaustive()
    }
}
