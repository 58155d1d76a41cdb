//! The decoder: what is decoded in which order, and what an error reaches.
//!
//! A *unit* is what stands or falls together: the root with all it refers to, or one promise's value with all that
//! refers to and no unit before did. A unit is read in three steps: its parts are parsed (`model`), references are
//! followed (`resolve`), then maps, sets and iterators are made of the arrays they name (`containers`). Promises
//! come in the order in which their parts arrived, as their form data entries stand in that order; at last they are
//! settled (`settle`).

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
};

use super::{
    Limits, Position, ReplyError, ReplyErrorKind, Resolver,
    index::{EntryId, Index, ROOT, Raw, State},
    json::Lexer,
    limits::Budget,
    model::Frame,
    resolve::{Pending, Tables},
    slots::Slots,
};
use crate::{
    Value,
    js::JsString,
    value::{Builder, Node, NodeId, Slot},
};

/// Everything that one decoding keeps.
pub(super) struct Decoder<'a> {
    pub(super) limits: &'a Limits,
    pub(super) resolver: &'a dyn Resolver,
    pub(super) index: Index<'a>,
    pub(super) builder: Builder,
    pub(super) budget: Budget,
    /// The part that is being parsed.
    pub(super) part: u64,
    pub(super) lexer: Lexer,
    pub(super) stack: Vec<Frame>,
    pub(super) values: Vec<Raw>,
    pub(super) keys: Vec<JsString>,
    pub(super) slots: Slots,
    pub(super) pending: Vec<Pending>,
    /// Where references stand in objects and arrays: there a `null` holds their place.
    pub(super) places: HashMap<(NodeId, u32), u32>,
    pub(super) tables: Tables,
    /// Arrays that a map, a set or an iterator was made of.
    pub(super) consumed: HashSet<NodeId>,
    /// Server references by the object that describes them.
    pub(super) server_references: HashMap<NodeId, Slot>,
    /// Server references without bound arguments by id: there is only one function.
    pub(super) unbound: HashMap<JsString, NodeId>,
    pub(super) bound: Vec<Bound>,
    /// The parts that each unit parsed.
    pub(super) units: Vec<Vec<EntryId>>,
    /// All promises, and the part each waits for; ids ascend.
    pub(super) promises: Vec<(NodeId, EntryId)>,
    /// Parts whose promises are not looked at yet, the first to arrive first.
    queue: BinaryHeap<Reverse<(usize, EntryId)>>,
}

/// A server reference whose bound arguments are in a promise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) node: NodeId,
    pub(super) promise: EntryId,
    pub(super) unit: u32,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(index: Index<'a>, limits: &'a Limits, resolver: &'a dyn Resolver) -> Self {
        Self {
            limits,
            resolver,
            index,
            builder: Builder::new(),
            budget: Budget::default(),
            part: 0,
            lexer: Lexer::default(),
            stack: Vec::new(),
            values: Vec::new(),
            keys: Vec::new(),
            slots: Slots::default(),
            pending: Vec::new(),
            places: HashMap::new(),
            tables: Tables::default(),
            consumed: HashSet::new(),
            server_references: HashMap::new(),
            unbound: HashMap::new(),
            bound: Vec::new(),
            units: Vec::new(),
            promises: Vec::new(),
            queue: BinaryHeap::new(),
        }
    }

    /// Decodes the root with everything it leads to.
    pub(super) fn decode(mut self) -> (Result<Value, ReplyError>, u64) {
        let root = self.root();
        let steps = self.budget.steps();
        (root.map(|root| self.builder.finish(root)), steps)
    }

    /// Reads the root alone, as the description of a server reference: its id, and the part that the promise of its
    /// bound arguments waits for.
    pub(super) fn describe(mut self) -> Result<(Option<JsString>, Option<u64>), ReplyError> {
        self.unit(ROOT)?;
        let Slot::Node(node) = self.settled(ROOT)? else { return Ok((None, None)) };
        let Node::Object(members) = self.builder.node(node) else { return Ok((None, None)) };
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, slot)| slot);
        let id = match member("id") {
            Some(Slot::String(id)) => Some(id.clone()),
            _ => None,
        };
        let bound = member("bound").and_then(|bound| self.promised(bound));
        Ok((id, bound.map(|entry| self.index.entry(entry).id)))
    }

    fn root(&mut self) -> Result<Slot, ReplyError> {
        if self.index.entry(ROOT).text.is_none() {
            return Err(missing(&"root".into()).into());
        }
        self.unit(ROOT)?;
        while let Some(Reverse((_, entry))) = self.queue.pop() {
            if matches!(self.index.entry(entry).state, State::Unparsed) {
                self.promised_unit(entry)?;
            }
        }
        let root = self.settled(ROOT)?;
        if self.promises.is_empty() {
            return Ok(root);
        }
        self.settle()?;
        self.settled_root(root)
    }

    fn promised_unit(&mut self, entry: EntryId) -> Result<(), ReplyError> {
        match self.unit(entry) {
            Err(error) if !error.is_fatal() => {
                self.stack.clear();
                self.values.clear();
                self.keys.clear();
                for part in std::mem::take(&mut self.units[self.index.entry(entry).unit as usize]) {
                    self.index.entry_mut(part).state = State::Failed(error.clone());
                }
                self.index.entry_mut(entry).state = State::Failed(error);
                Ok(())
            }
            other => other,
        }
    }

    fn unit(&mut self, entry: EntryId) -> Result<(), ReplyError> {
        self.units.push(Vec::new());
        let first_pending = self.pending.len();
        self.parse(entry)?;
        self.resolve_from(first_pending)?;
        self.make_containers_from(first_pending)
    }

    /// The unit that is being decoded.
    pub(super) fn unit_number(&self) -> u32 {
        u32::try_from(self.units.len() - 1).expect("units are parts, which are limited far below 2^32")
    }

    /// The value of a part whose unit is done.
    pub(super) fn settled(&self, entry: EntryId) -> Result<Slot, ReplyError> {
        match &self.index.entry(entry).state {
            State::Parsed(Raw::Slot(slot)) => Ok(slot.clone()),
            State::Parsed(Raw::Pending(pending)) => Ok(self.resolved(*pending)),
            State::Failed(error) => Err(error.clone()),
            State::Unparsed | State::Parsing => Err(missing(&"promise".into()).into()),
        }
    }

    /// The promise of a part's value; one part has one promise.
    pub(super) fn promise(&mut self, entry: EntryId) -> Result<NodeId, ReplyErrorKind> {
        if let Some(node) = self.index.entry(entry).promise {
            return Ok(node);
        }
        let node = self.add(Node::Promise(crate::value::Promise::Rejected { digest: None }))?;
        self.promises.push((node, entry));
        let part = self.index.entry_mut(entry);
        part.promise = Some(node);
        if part.text.is_some() {
            self.queue.push(Reverse((part.arrival, entry)));
        }
        Ok(node)
    }

    /// The part that a promise waits for.
    pub(super) fn promised(&self, slot: &Slot) -> Option<EntryId> {
        let Slot::Node(node) = slot else { return None };
        let at = self.promises.binary_search_by_key(node, |(node, _)| *node).ok()?;
        Some(self.promises[at].1)
    }

    pub(super) fn add(&mut self, node: Node) -> Result<NodeId, ReplyErrorKind> {
        self.budget.node(self.limits)?;
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
