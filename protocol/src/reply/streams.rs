//! Streams, async iterables and async iterators: each row is a model of its own.

use std::cmp::Reverse;

use super::{
    ReplyError, ReplyErrorKind, Resolver,
    decoder::{Decoder, Model, Task},
};
use crate::value::{ArrayKind, Items, Live, Node, NodeId, Slot, StreamEnd, StreamKind, TypedArray};

/// A stream that was met.
#[derive(Debug)]
pub(super) struct Stream {
    id: u64,
    node: NodeId,
    kind: StreamKind,
    /// The unit that it stands in.
    pub(super) unit: u32,
    /// Whether further rows are of no interest.
    is_ended: bool,
    sink: Sink,
}

/// Where the items go.
#[derive(Debug)]
enum Sink {
    /// To whoever reads it.
    Live(Live),
    /// Into the value.
    Whole { items: Vec<Slot>, end: Option<StreamEnd> },
}

/// What a row brought.
#[derive(Debug)]
pub(super) struct Arrived {
    stream: u32,
    /// The unit that the row was, if it had anything to decode.
    unit: Option<u32>,
    what: Result<(Slot, usize), StreamEnd>,
}

/// How a stream ends that was not closed.
const BROKEN_OFF: StreamEnd = StreamEnd::Errored { digest: None };

impl Decoder {
    /// A stream of the rows with this id. Marked before the rows are read: one id makes one stream.
    pub(super) fn stream(&mut self, kind: StreamKind, id: u64) -> Result<NodeId, ReplyErrorKind> {
        let number = u32::try_from(self.streams.len()).expect("objects are limited far below 2^32");
        let rows = self.index.rows(id);
        if rows.stream.is_some() {
            return Err(ReplyErrorKind::UsedTwice { what: "a stream" });
        }
        rows.stream = Some(number);
        let waiting = rows.unread.iter().map(|(arrival, _)| Reverse((*arrival, Task::Row(number))));
        self.budget.work(waiting.len());
        self.queue.extend(waiting);
        let (sink, items) = match &self.flow {
            Some(flow) => {
                let live = Live::new(flow);
                self.open += 1;
                (Sink::Live(live.clone()), Items::Live(live))
            }
            None => (
                Sink::Whole { items: Vec::new(), end: None },
                Items::Complete { items: Vec::new(), end: BROKEN_OFF },
            ),
        };
        let node = self.add(Node::Stream(crate::value::Stream { kind, items }))?;
        let unit = self.unit_number();
        self.streams.push(Stream { id, node, kind, unit, is_ended: false, sink });
        Ok(node)
    }

    /// Reads the next row of a stream.
    pub(super) fn next_row(&mut self, number: u32, resolver: &dyn Resolver) -> Result<(), ReplyError> {
        let stream = &self.streams[number as usize];
        let (id, kind, is_ended) = (stream.id, stream.kind, stream.is_ended);
        let is_lost = self.units[stream.unit as usize].failed.is_some();
        let Some((_, text)) = self.index.rows(id).unread.pop_front() else { return Ok(()) };
        if is_ended || is_lost {
            return Ok(());
        }
        let (unit, what) = match text.strip_prefix('C') {
            // What follows the C of a plain stream means nothing.
            Some("") => (None, Err(StreamEnd::Closed)),
            Some(_) if matches!(kind, StreamKind::Values | StreamKind::Bytes) => {
                (None, Err(StreamEnd::Closed))
            }
            Some(returned) => {
                let model = Model::Row(id, text.slice_ref(returned));
                match self.row(model, kind, resolver)? {
                    Ok((unit, Slot::Undefined, _)) => (Some(unit), Err(StreamEnd::Closed)),
                    Ok((unit, slot, _)) => (Some(unit), Err(StreamEnd::Returned(slot))),
                    Err(end) => (None, Err(end)),
                }
            }
            None => match self.row(Model::Row(id, text), kind, resolver)? {
                Ok((unit, slot, bytes)) => (Some(unit), Ok((slot, bytes))),
                Err(end) => (None, Err(end)),
            },
        };
        self.streams[number as usize].is_ended = what.is_err();
        self.batch.arrived.push(Arrived { stream: number, unit, what });
        Ok(())
    }

    /// A row's unit, value and bytes; a row that cannot be read breaks off its stream.
    fn row(
        &mut self,
        model: Model,
        kind: StreamKind,
        resolver: &dyn Resolver,
    ) -> Result<Result<(u32, Slot, usize), StreamEnd>, ReplyError> {
        if self.attempt(model, resolver)?.is_err() {
            return Ok(Err(BROKEN_OFF));
        }
        let (slot, unit) = (self.slot_of(&self.row), self.unit_number());
        if kind == StreamKind::Bytes && !self.is_view(&slot) {
            self.units[unit as usize].failed = Some(ReplyError::from(ReplyErrorKind::NotBytes).into());
            return Ok(Err(BROKEN_OFF));
        }
        Ok(Ok((unit, slot, self.unit_bytes)))
    }

    /// Whether it is bytes that a byte stream takes: an `ArrayBuffer` is none of them.
    fn is_view(&self, slot: &Slot) -> bool {
        let Slot::Node(node) = slot else { return false };
        matches!(self.builder.node(*node), Node::Bytes(TypedArray { kind, .. }) if *kind != ArrayKind::ArrayBuffer)
    }

    /// Hands on what rows brought. A row that failed after it was decoded breaks off its stream there.
    pub(super) fn deliver(&mut self) {
        for Arrived { stream, unit, what } in std::mem::take(&mut self.batch.arrived) {
            self.budget.work(1);
            let failed = unit.is_some_and(|unit| self.units[unit as usize].failed.is_some());
            let what = if failed { Err(BROKEN_OFF) } else { what };
            let stream = &mut self.streams[stream as usize];
            match (&mut stream.sink, what) {
                (Sink::Live(live), Ok((slot, bytes))) => live.push(slot, bytes),
                (Sink::Live(live), Err(end)) => {
                    stream.is_ended = true;
                    self.open -= usize::from(!live.is_ended());
                    live.end(end);
                }
                (Sink::Whole { items, end: None }, Ok((slot, _))) => items.push(slot),
                (Sink::Whole { end, .. }, Err(new)) => {
                    end.get_or_insert(new);
                }
                (Sink::Whole { end: Some(_), .. }, Ok(_)) => {}
            }
        }
    }

    /// Fills in the streams of a body that was there as a whole.
    pub(super) fn fill_streams(&mut self) {
        for stream in &mut self.streams {
            let Sink::Whole { items, end } = &mut stream.sink else { continue };
            let items =
                Items::Complete { items: std::mem::take(items), end: end.take().unwrap_or(BROKEN_OFF) };
            *self.builder.node_mut(stream.node) =
                Node::Stream(crate::value::Stream { kind: stream.kind, items });
        }
    }

    /// Ends a stream that goes on no further.
    pub(super) fn break_off(&mut self, number: usize) {
        let stream = &mut self.streams[number];
        stream.is_ended = true;
        if let Sink::Live(live) = &stream.sink
            && !live.is_ended()
        {
            live.end(BROKEN_OFF);
            self.open -= 1;
        }
    }
}
