//! Streams and async iterables: rows with the id of one that is open are its items.

use std::collections::hash_map::Entry;

use super::{ChunkId, ParseError, Reader, Rejection, chunk::Source};
use crate::{
    flight::parser::{Row, RowKind},
    value::{ArrayKind, Items, Node, NodeId, Stream, StreamEnd, StreamKind},
};

/// The first number that an item can have; rows have those below.
const FIRST_ITEM: ChunkId = 1 << 32;

/// A stream while its rows are collected.
pub(super) struct StreamRows {
    kind: StreamKind,
    items: Vec<ChunkId>,
    end: Option<End>,
}

enum End {
    /// Closed, with the value that an async iterator returned.
    Closed(Option<ChunkId>),
    Errored(Rejection),
}

/// Whether the client reads on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    On,
    Ends,
}

impl Reader<'_> {
    /// Opens a stream, unless the row is something else already.
    pub(super) fn open_stream(&mut self, id: ChunkId, kind: StreamKind) {
        if let Entry::Vacant(entry) = self.sources.entry(id) {
            entry.insert(Source::Stream);
            self.streams.insert(id, StreamRows { kind, items: Vec::new(), end: None });
        }
    }

    /// Takes a row that belongs to a stream.
    pub(super) fn stream_row(&mut self, id: ChunkId, row: Row) -> Result<Reading, ParseError> {
        let (kind, has_ended) = {
            let stream = &self.streams[&id];
            (stream.kind, stream.end.is_some())
        };
        let is_piece = row.kind == RowKind::Piece && !row.body.is_empty();
        let source = match row.kind {
            RowKind::Model => Source::Model(row.body),
            RowKind::Text => Source::Text(row.body),
            RowKind::Binary(array) => Source::Binary(array, row.body),
            RowKind::Piece => Source::Binary(ArrayKind::Uint8, row.body),
            RowKind::Error => {
                let Some(digest) = self.digest(row.body)? else { return Ok(Reading::Ends) };
                return Ok(self.end_stream(id, End::Errored(digest)));
            }
            RowKind::Close => {
                let iterates = matches!(kind, StreamKind::AsyncIterable | StreamKind::AsyncIterator);
                let value =
                    (iterates && !row.body.is_empty()).then(|| self.add_item(Source::Model(row.body)));
                return Ok(self.end_stream(id, End::Closed(value)));
            }
            RowKind::Debug => return Ok(Reading::Ends),
            RowKind::Open(_) | RowKind::Module | RowKind::Hint => return Ok(Reading::On),
        };
        // The controller of a byte stream throws at what is empty or no bytes, and takes away the buffer that the client
        // reads from with other binary rows.
        let is_taken = kind != StreamKind::Bytes || is_piece;
        match kind {
            StreamKind::Values | StreamKind::Bytes if has_ended || !is_taken => return Ok(Reading::Ends),
            // Whoever iterates never comes here.
            _ if has_ended => return Ok(Reading::On),
            _ => {}
        }
        let item = self.add_item(source);
        self.stream(id).items.push(item);
        Ok(Reading::On)
    }

    fn stream(&mut self, id: ChunkId) -> &mut StreamRows {
        self.streams.get_mut(&id).expect("only rows of streams come here")
    }

    fn end_stream(&mut self, id: ChunkId, end: End) -> Reading {
        self.stream(id).end.get_or_insert(end);
        Reading::On
    }

    fn add_item(&mut self, source: Source) -> ChunkId {
        let item = FIRST_ITEM + self.items;
        self.items += 1;
        self.sources.insert(item, source);
        item
    }

    /// A stream that was referred to: its items are read, and put into it in the end.
    pub(super) fn read_stream(&mut self, id: ChunkId) -> NodeId {
        let rows = self.streams.remove(&id).expect("each stream is read once");
        self.wanted.extend(&rows.items);
        if let Some(End::Closed(Some(value))) = rows.end {
            self.wanted.push(value);
        }
        let node = self.builder.add(Node::Error);
        self.opened.push((node, rows));
        node
    }

    /// Puts the items into their streams.
    pub(super) fn fill_streams(&mut self) {
        for (node, rows) in std::mem::take(&mut self.opened) {
            let mut items = Vec::with_capacity(rows.items.len());
            let mut broken = None;
            for item in rows.items {
                match self.rejected.get(&item) {
                    Some(digest) => {
                        broken = Some(End::Errored(digest.clone()));
                        break;
                    }
                    None => items.extend(self.roots.get(&item).cloned()),
                }
            }
            let end = match broken.or(rows.end) {
                Some(End::Closed(None)) => StreamEnd::Closed,
                Some(End::Closed(Some(value))) => match (self.rejected.get(&value), self.roots.get(&value)) {
                    (Some(digest), _) => StreamEnd::Errored { digest: digest.clone() },
                    (None, Some(slot)) => StreamEnd::Returned(slot.clone()),
                    (None, None) => StreamEnd::Closed,
                },
                Some(End::Errored(digest)) => StreamEnd::Errored { digest },
                // The body ended before it did.
                None => StreamEnd::Errored { digest: None },
            };
            *self.builder.node_mut(node) =
                Node::Stream(Stream { kind: rows.kind, items: Items::Complete { items, end } });
        }
    }
}
