//! What gives the rows of an answer that follow its first ones.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use bytestring::ByteString;

use super::made::{Broken, Content, Encodable, Made, MadeItems, MadeKind};
use crate::{
    Value,
    value::{BlobContent, Live, Node, Pending, Promise, Slot, Spilled, StreamEnd, StreamKind},
};

/// Gives one row after the other, or what they are made of.
pub(super) enum Producer {
    /// Something that the application makes.
    Made { kind: MadeKind, items: MadeItems },
    /// A promise of a value that is still arriving.
    Pending { value: Value, pending: Pending },
    /// A stream of a value that is still arriving.
    Live { kind: StreamKind, value: Value, live: Live, is_claimed: bool },
    /// The bytes of a file.
    Spilled(SpilledBlob),
}

/// A file whose bytes are not in memory, and the rows that its first ones are in.
pub(super) struct SpilledBlob {
    pub(super) media_type: ByteString,
    pub(super) pieces: Vec<u32>,
    content: Arc<dyn Spilled>,
    offset_bytes: u64,
}

/// What a producer gives.
pub(super) enum Event {
    /// Something that serialises.
    Item(Box<dyn Encodable>),
    /// A value that arrived.
    Value(Value),
    /// Bytes of a byte stream or a file.
    Piece(Bytes),
    /// The end, with the value that an async iterator returned.
    End(Option<Value>),
    /// An end in an error.
    Failed(Failure),
}

/// Why a producer ends early.
pub(super) struct Failure {
    pub(super) digest: Option<String>,
    /// What the log is told; nothing where the client itself sent the error.
    pub(super) private: Option<String>,
}

/// Bytes of a file that are read at once. It bounds what is in memory, and how long the others wait for the storage.
const PIECE_BYTES: usize = 64 << 10;

impl Producer {
    pub(super) fn made(Made { kind, items }: Made) -> Self {
        Self::Made { kind, items }
    }

    pub(super) fn pending(value: Value, pending: Pending) -> Self {
        Self::Pending { value, pending }
    }

    pub(super) fn live(kind: StreamKind, value: Value, live: Live) -> Self {
        Self::Live { kind, value, live, is_claimed: false }
    }

    pub(super) fn spilled(media_type: ByteString, content: Arc<dyn Spilled>) -> Self {
        Self::Spilled(SpilledBlob { media_type, pieces: Vec::new(), content, offset_bytes: 0 })
    }

    /// What it is, if it is a stream.
    pub(super) fn stream_kind(&self) -> Option<StreamKind> {
        match self {
            Self::Made { kind: MadeKind::Stream(kind), .. } | Self::Live { kind, .. } => Some(*kind),
            Self::Made { kind: MadeKind::Promise, .. } | Self::Pending { .. } | Self::Spilled(_) => None,
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        Poll::Ready(match self {
            Self::Made { items, .. } => match ready!(items.as_mut().poll_next(context)) {
                Some(Ok(given)) => match given.0 {
                    Content::Item(item) => Event::Item(item),
                    Content::Bytes(bytes) => Event::Piece(bytes),
                },
                Some(Err(Broken { digest, private })) => {
                    Event::Failed(Failure { digest: Some(digest), private: Some(private) })
                }
                None => Event::End(None),
            },
            Self::Pending { value, pending } => match ready!(pending.poll_settled(context)) {
                Promise::Fulfilled(Slot::Node(_)) if leads_back(value, pending) => {
                    Event::Failed(Failure::unencodable("a promise that resolves to itself"))
                }
                Promise::Fulfilled(slot) => Event::Value(value.at(slot)),
                Promise::Rejected { digest } => {
                    Event::Failed(Failure { digest: digest.clone(), private: None })
                }
                Promise::Pending(_) => Event::Failed(Failure::unencodable("a promise settled to nothing")),
            },
            Self::Live { value, live, is_claimed, .. } => {
                if !*is_claimed && !live.claim() {
                    return Poll::Ready(Event::Failed(Failure::unencodable(
                        "a stream that is read elsewhere",
                    )));
                }
                *is_claimed = true;
                match ready!(live.poll_next(context)) {
                    Ok(slot) => Event::Value(value.at(&slot)),
                    Err(StreamEnd::Closed) => Event::End(None),
                    Err(StreamEnd::Returned(slot)) => Event::End(Some(value.at(&slot))),
                    Err(StreamEnd::Errored { digest }) => Event::Failed(Failure { digest, private: None }),
                }
            }
            Self::Spilled(blob) => blob.next_piece(),
        })
    }
}

impl SpilledBlob {
    fn next_piece(&mut self) -> Event {
        let content = BlobContent::Spilled(Arc::clone(&self.content));
        match content.slice(self.offset_bytes, PIECE_BYTES) {
            Ok(bytes) if bytes.is_empty() => Event::End(None),
            Ok(bytes) => {
                self.offset_bytes += bytes.len() as u64;
                Event::Piece(bytes)
            }
            // A file that cannot be read back is missing, and not empty.
            Err(error) => Event::Failed(Failure { digest: None, private: Some(error.to_string()) }),
        }
    }
}

impl Failure {
    /// The digest of what cannot be written.
    pub(super) fn unencodable(private: impl Into<String>) -> Self {
        Self { digest: Some("unencodable-value".to_owned()), private: Some(private.into()) }
    }

    pub(super) fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self {
            digest: Some("panic".to_owned()),
            private: Some(format!("panicked: {}", text.unwrap_or("without words"))),
        }
    }
}

/// Most promises in a row, each resolved by the next. A client that awaits more than these is kept busy for nothing.
const PROMISES_MAX: usize = 512;

/// Whether a settled promise waits for itself. Then the client would wait for ever.
fn leads_back(value: &Value, pending: &Pending) -> bool {
    let mut state = pending.settled();
    for _ in 0..PROMISES_MAX {
        let Some(Promise::Fulfilled(Slot::Node(node))) = state else { return false };
        let Node::Promise(next) = value.graph().node(*node) else { return false };
        if matches!(next, Promise::Pending(other) if other == pending) {
            return true;
        }
        state = Some(next.now());
    }
    true
}

/// A producer, until it gives the next thing.
pub(super) struct Turn {
    pub(super) row: u32,
    pub(super) producer: Option<Producer>,
}

impl Turn {
    pub(super) fn new(row: u32, producer: Producer) -> Self {
        Self { row, producer: Some(producer) }
    }
}

impl Future for Turn {
    type Output = (u32, Option<Producer>, Event);

    /// A producer that panics fails alone.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let row = self.row;
        let producer = self.producer.as_mut().expect("a turn ends once");
        let polled = catch_unwind(AssertUnwindSafe(|| producer.poll_event(context)));
        match polled {
            Ok(event) => event.map(|event| (row, self.producer.take(), event)),
            Err(payload) => {
                let broken = self.producer.take();
                // What is left of it may panic once more.
                let _again = catch_unwind(AssertUnwindSafe(|| drop(broken)));
                Poll::Ready((row, None, Event::Failed(Failure::panic(&*payload))))
            }
        }
    }
}
