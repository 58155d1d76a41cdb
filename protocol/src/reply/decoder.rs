//! The decoder: what is decoded in which order, and what an error reaches.
//!
//! A *unit* is what stands or falls together: the root, one promise's value or one row of a stream, with all it refers
//! to that no unit before did. A unit is read in three steps: its parts are parsed (`model`), references are followed
//! (`resolve`), then maps, sets and iterators are made of the arrays they name (`containers`). Units come in the order
//! in which their parts arrived, as form data entries stand in that order.
//!
//! A *batch* is what is made visible together (`commit`): the whole value if the whole body is there at first, else
//! what each part brought. A batch waits for the bound arguments of the server references in it, as a reference is
//! nothing without them. Promises and streams of earlier batches are then settled and go on.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
};

use bytestring::ByteString;

use super::{
    Limits, Position, ReplyError, ReplyErrorKind, Resolver,
    commit::Batch,
    index::{Added, EntryId, Index, ROOT, Raw, State},
    json::Lexer,
    limits::Budget,
    model::Frame,
    promises::Promised,
    resolve::{Pending, Places, Tables},
    slots::Slots,
    streams::Stream,
};
use crate::{
    Value,
    js::JsString,
    multipart::Part,
    value::{Builder, Flow, Node, NodeId, Slot},
};

/// Everything that one decoding keeps.
pub(super) struct Decoder {
    pub(super) limits: Limits,
    pub(super) index: Index,
    pub(super) builder: Builder,
    pub(super) budget: Budget,
    /// What unsettled promises and open streams share, if they are handed out; `None` if the whole body is there.
    pub(super) flow: Option<Flow>,
    /// The part that is being parsed; within a row, the stream.
    pub(super) part: u64,
    pub(super) lexer: Lexer,
    pub(super) stack: Vec<Frame>,
    /// Values that are not in an array, object or part yet. Where a reference is one, a `null` holds its place.
    pub(super) values: Vec<Slot>,
    /// The references among them, each with its position there.
    pub(super) unplaced: Vec<(usize, u32)>,
    pub(super) keys: Vec<JsString>,
    /// The row that was parsed last.
    pub(super) row: Raw,
    pub(super) slots: Slots,
    pub(super) pending: Vec<Pending>,
    pub(super) places: Places,
    pub(super) tables: Tables,
    /// Whether a map, a set or an iterator was made of an array, by node id.
    pub(super) consumed: Vec<bool>,
    /// Server references by the object that describes them, each with the promise of its bound arguments.
    pub(super) server_references: HashMap<NodeId, (Result<Slot, ReplyErrorKind>, Option<u32>)>,
    /// Server references without bound arguments by id: there is only one function.
    pub(super) unbound: HashMap<JsString, NodeId>,
    pub(super) units: Vec<Unit>,
    /// Bytes of the parts that the last unit read.
    pub(super) unit_bytes: usize,
    /// All promises; their nodes ascend.
    pub(super) promises: Vec<Promised>,
    pub(super) streams: Vec<Stream>,
    /// What has arrived and is not looked at yet, the first to arrive first.
    pub(super) queue: BinaryHeap<Reverse<(usize, Task)>>,
    pub(super) batch: Batch,
    /// Promises and streams that were handed out and are not settled or ended.
    pub(super) open: usize,
    /// The root, once it is handed out.
    pub(super) root: Option<Value>,
}

/// What stands or falls together.
#[derive(Debug, Default)]
pub(super) struct Unit {
    pub(super) failed: Option<Failure>,
    /// Units that refer to parts of this one.
    pub(super) dependents: Vec<u32>,
}

/// Why something failed, shared by all that fails with it.
pub(super) type Failure = Arc<ReplyError>;

/// Something that waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// The model of a promise's value.
    Promise(u32),
    /// The next row of a stream.
    Row(u32),
}

/// What a unit begins with.
#[derive(Debug)]
pub(super) enum Model {
    Part(EntryId),
    /// Of the stream with this id.
    Row(u64, ByteString),
}

impl Decoder {
    /// Of nothing so far; the root is the part with this id, and so many parts are known to come.
    ///
    /// What every reply needs is made with room for a small one: to grow it step by step costs more than it saves.
    pub(super) fn new(root: u64, parts: usize, limits: &Limits) -> Self {
        Self {
            limits: *limits,
            index: Index::new(root, parts.min(limits.parts_max)),
            builder: Builder::new(),
            budget: Budget::default(),
            flow: None,
            part: 0,
            lexer: Lexer::default(),
            stack: Vec::with_capacity(4),
            values: Vec::with_capacity(8),
            unplaced: Vec::new(),
            keys: Vec::new(),
            row: Raw::Slot(Slot::Undefined),
            slots: Slots::default(),
            pending: Vec::new(),
            places: Places::default(),
            tables: Tables::default(),
            consumed: Vec::new(),
            server_references: HashMap::new(),
            unbound: HashMap::new(),
            units: Vec::with_capacity(4),
            unit_bytes: 0,
            promises: Vec::new(),
            streams: Vec::new(),
            queue: BinaryHeap::new(),
            batch: Batch::default(),
            open: 0,
            root: None,
        }
    }

    /// Adds the one part of a body that is a text.
    pub(super) fn set_root(&mut self, text: ByteString) {
        self.index.entry_mut(ROOT).text = Some(text);
    }

    /// Adds the parts whose names begin with the prefix.
    pub(super) fn add_parts(&mut self, parts: &[Part], prefix: &str) -> Result<(), ReplyError> {
        super::limits::check("parts_max", parts.len(), self.limits.parts_max)?;
        for part in parts {
            self.budget.spend(1, &self.limits)?;
            self.index.add(part, prefix, &self.limits)?;
        }
        Ok(())
    }

    /// Decodes a body that is there as a whole.
    pub(super) fn decode(&mut self, resolver: &dyn Resolver) -> Result<Value, ReplyError> {
        self.decode_root(resolver)?;
        if self.promises.is_empty() && self.streams.is_empty() {
            let root = self.settled(ROOT).map_err(|failure| (*failure).clone())?;
            return Ok(self.builder.publish_at(root));
        }
        self.run(resolver)?;
        self.finish()
    }

    /// Decodes one more part, and whatever waited for it.
    pub(super) fn add_part(&mut self, part: &Part, resolver: &dyn Resolver) -> Result<(), ReplyError> {
        self.budget.spend(1, &self.limits)?;
        let arrival = self.index.next_arrival();
        match self.index.add(part, "", &self.limits)? {
            Added::Model(ROOT) => self.decode_root(resolver)?,
            Added::Model(entry) => {
                if let Some(promise) = self.index.entry(entry).promise
                    && !std::mem::replace(&mut self.promises[promise as usize].is_queued, true)
                {
                    self.queue.push(Reverse((arrival, Task::Promise(promise))));
                }
            }
            Added::Row(stream) => self.queue.push(Reverse((arrival, Task::Row(stream)))),
            Added::Kept => {}
        }
        self.run(resolver)?;
        self.commit(false)
    }

    /// The body is complete.
    pub(super) fn finish(&mut self) -> Result<Value, ReplyError> {
        self.commit(true)?;
        self.root.clone().ok_or_else(|| missing(&"root".into()).into())
    }

    /// Reads the root alone, as the description of a server reference: its id, and the part that the promise of its
    /// bound arguments waits for.
    pub(super) fn describe(
        &mut self,
        resolver: &dyn Resolver,
    ) -> Result<(Option<JsString>, Option<u64>), ReplyError> {
        self.decode_root(resolver)?;
        let root = self.settled(ROOT).map_err(|failure| (*failure).clone())?;
        let Slot::Node(node) = root else { return Ok((None, None)) };
        let Node::Object(members) = self.builder.node(node) else { return Ok((None, None)) };
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, slot)| slot);
        let id = match member("id") {
            Some(Slot::String(id)) => Some(id.clone()),
            _ => None,
        };
        let bound = member("bound").and_then(|bound| self.promise_number(bound));
        Ok((id, bound.map(|promise| self.index.entry(self.promises[promise as usize].entry).id)))
    }

    fn decode_root(&mut self, resolver: &dyn Resolver) -> Result<(), ReplyError> {
        if self.index.entry(ROOT).text.is_none() {
            return Err(missing(&"root".into()).into());
        }
        self.unit(Model::Part(ROOT), resolver)
    }

    /// Looks at everything that has arrived and is waited for.
    fn run(&mut self, resolver: &dyn Resolver) -> Result<(), ReplyError> {
        while let Some(Reverse((_, task))) = self.queue.pop() {
            self.budget.spend(1, &self.limits)?;
            match task {
                Task::Promise(promise) => {
                    let entry = self.promises[promise as usize].entry;
                    if matches!(self.index.entry(entry).state, State::Unparsed) {
                        // A failure is kept with the unit, where the promise finds it.
                        self.attempt(Model::Part(entry), resolver)?.ok();
                    }
                    self.decoded(promise);
                }
                Task::Row(stream) => self.next_row(stream, resolver)?,
            }
        }
        Ok(())
    }

    /// Decodes a unit whose failure need not be that of the whole reply.
    pub(super) fn attempt(
        &mut self,
        model: Model,
        resolver: &dyn Resolver,
    ) -> Result<Result<(), Failure>, ReplyError> {
        match self.unit(model, resolver) {
            Err(error) if !error.is_fatal() => {
                self.stack.clear();
                self.values.clear();
                self.unplaced.clear();
                self.keys.clear();
                let (failure, unit) = (Arc::new(error), self.unit_number() as usize);
                self.units[unit].failed = Some(Arc::clone(&failure));
                Ok(Err(failure))
            }
            other => other.map(Ok),
        }
    }

    fn unit(&mut self, model: Model, resolver: &dyn Resolver) -> Result<(), ReplyError> {
        self.units.push(Unit::default());
        self.unit_bytes = 0;
        let first_pending = self.pending.len();
        self.parse(model)?;
        self.resolve_from(first_pending, resolver)?;
        self.make_containers_from(first_pending)
    }

    /// The unit that is being decoded, or was the last to be.
    pub(super) fn unit_number(&self) -> u32 {
        u32::try_from(self.units.len() - 1).expect("units are parts, which are limited far below 2^32")
    }

    /// The value of a part whose unit is done.
    pub(super) fn settled(&self, entry: EntryId) -> Result<Slot, Failure> {
        let part = self.index.entry(entry);
        let failed = self.units.get(part.unit as usize).and_then(|unit| unit.failed.as_ref());
        match (&part.state, failed) {
            (State::Unparsed, _) | (State::Parsing, None) => Err(Arc::new(incomplete("a promise"))),
            (_, Some(failure)) => Err(Arc::clone(failure)),
            (State::Parsed(raw), None) => Ok(self.slot_of(raw)),
        }
    }

    /// What a value is, once references are followed.
    pub(super) fn slot_of(&self, raw: &Raw) -> Slot {
        match raw {
            Raw::Slot(slot) => slot.clone(),
            Raw::Pending(pending) => self.resolved(*pending),
        }
    }

    pub(super) fn add(&mut self, node: Node) -> Result<NodeId, ReplyErrorKind> {
        self.budget.node(&self.limits)?;
        Ok(self.builder.add(node))
    }

    /// An error at the place that is being parsed.
    pub(super) fn here(&self, kind: ReplyErrorKind) -> ReplyError {
        ReplyError { kind, at: Some(Position { part: self.part, offset_bytes: self.lexer.offset() }) }
    }
}

/// A reference to a part that is not there.
pub(super) fn missing(text: &JsString) -> ReplyErrorKind {
    ReplyErrorKind::Reference { text: super::Excerpt::new(text), problem: "names no part" }
}

/// The error of what was still to come when the body ended.
pub(super) fn incomplete(what: &'static str) -> ReplyError {
    ReplyErrorKind::Incomplete { what }.into()
}
