//! What one deserialisation may cost, and how deep it is.

use std::{cell::Cell, collections::HashSet};

use super::{DeError, Problem};
use crate::{
    Value,
    js::JsString,
    value::{Graph, Node, NodeId, Promise, Slot},
};

/// Deepest nesting that is read into Rust types other than [`Value`]. Reading recurses on the stack, and so does the
/// type that comes of it; 512 is also the depth at which decoding stops by default.
pub const DEPTH_MAX: usize = 512;

/// Bytes of text that count like one value: about what a value takes in memory itself.
const BYTES_PER_VALUE: usize = 32;

/// Settings of deserialisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most values made beyond those that were sent: an object that occurs in several places is made in each, and so
    /// a short call can ask for endless copies. 32 bytes of text or binary data count as one value.
    ///
    /// Default `1_000_000`: what React allows as slots of arrays, at most some 100 MB. Since 0.1.0.
    pub expansions_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { expansions_max: 1_000_000 }
    }
}

/// What is left of the limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    limits: Limits,
    left: usize,
    /// Whether what the graph holds was added. Weighing it takes time, so it waits until it matters.
    weighed: bool,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, left: limits.expansions_max, weighed: false }
    }
}

/// One deserialisation.
pub(crate) struct Walk<'v> {
    root: &'v Value,
    budget: Cell<Budget>,
    depth: Cell<usize>,
}

/// One more level, until it is dropped.
pub(crate) struct Level<'w>(&'w Cell<usize>);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl<'v> Walk<'v> {
    pub(crate) fn new(root: &'v Value, budget: Budget) -> Self {
        Self { root, budget: Cell::new(budget), depth: Cell::new(0) }
    }

    /// What is left, for the next walk through the same graph.
    pub(crate) fn into_budget(self) -> Budget {
        self.budget.get()
    }

    pub(crate) fn node(&self, id: NodeId) -> &'v Node {
        self.root.graph().node(id)
    }

    /// The value at a slot, with its sharing.
    pub(crate) fn value(&self, slot: &Slot) -> Value {
        self.root.at(slot)
    }

    /// What kind of value there is, for messages.
    pub(crate) fn kind(&self, slot: &Slot) -> &'static str {
        match slot {
            Slot::Node(id) if matches!(self.node(*id), Node::FormData(_)) => {
                "form data; take Form to accept it"
            }
            Slot::Date(_) => "a date; take Date to accept it",
            _ => self.value(slot).kind(),
        }
    }

    /// Goes one level deeper, into an object.
    pub(crate) fn enter(&self, id: NodeId) -> Result<Level<'_>, DeError> {
        if self.depth.get() >= DEPTH_MAX {
            return Err(self.too_deep(id));
        }
        self.charge(1)?;
        self.depth.set(self.depth.get() + 1);
        Ok(Level(&self.depth))
    }

    /// Pays for values.
    pub(crate) fn charge(&self, values: usize) -> Result<(), DeError> {
        let mut budget = self.budget.get();
        match budget.left.checked_sub(values) {
            Some(left) => {
                budget.left = left;
                self.budget.set(budget);
                Ok(())
            }
            None => self.overdrawn(values),
        }
    }

    /// Pays for a copy of text or bytes.
    pub(crate) fn charge_bytes(&self, bytes: usize) -> Result<(), DeError> {
        self.charge(bytes / BYTES_PER_VALUE)
    }

    #[cold]
    fn overdrawn(&self, values: usize) -> Result<(), DeError> {
        let Budget { limits, left, weighed } = self.budget.get();
        if weighed {
            return Err(DeError::new(Problem::TooManyExpansions { expansions_max: limits.expansions_max }));
        }
        let left = left.saturating_add(weight(self.root.graph()));
        self.budget.set(Budget { limits, left, weighed: true });
        self.charge(values)
    }

    #[cold]
    fn too_deep(&self, id: NodeId) -> DeError {
        DeError::new(if contains_itself(self.root.graph(), id) {
            Problem::Cycle
        } else {
            Problem::TooDeep { depth_max: DEPTH_MAX }
        })
    }

    /// Looks through promises that were kept.
    pub(crate) fn settled(&self, mut slot: &'v Slot) -> Result<&'v Slot, DeError> {
        for _ in 0..DEPTH_MAX {
            let Slot::Node(id) = slot else { return Ok(slot) };
            let Node::Promise(promise) = self.node(*id) else { return Ok(slot) };
            match promise.now() {
                Promise::Fulfilled(inner) => {
                    self.charge(1)?;
                    slot = inner;
                }
                Promise::Rejected { .. } => return Err(DeError::new(Problem::RejectedPromise)),
                Promise::Pending(pending) => {
                    return Err(DeError::new(Problem::Unsettled(pending.clone())));
                }
            }
        }
        Err(match slot {
            Slot::Node(id) => self.too_deep(*id),
            _ => DeError::new(Problem::TooDeep { depth_max: DEPTH_MAX }),
        })
    }
}

/// Whether an object can be reached from itself. Each object is looked at once.
fn contains_itself(graph: &Graph, start: NodeId) -> bool {
    let mut seen = vec![false; graph.len()];
    let mut todo = vec![start];
    while let Some(id) = todo.pop() {
        let mut met_again = false;
        each_slot(graph.node(id), |slot| {
            if let Slot::Node(inner) = slot {
                met_again |= *inner == start;
                if !std::mem::replace(&mut seen[inner.index()], true) {
                    todo.push(*inner);
                }
            }
        });
        if met_again {
            return true;
        }
    }
    false
}

/// What it costs to read everything in a graph once. A text that several slots share counts once.
fn weight(graph: &Graph) -> usize {
    let mut texts = HashSet::new();
    let mut bytes = 0;
    let mut values = graph.len();
    for node in graph.nodes() {
        match node {
            Node::Object(members) | Node::FormData(members) => {
                bytes += members.iter().map(|(key, _)| key.size_bytes()).sum::<usize>();
            }
            // Read as items, every byte may be a value.
            Node::Bytes(array) => values += array.bytes.len(),
            Node::Blob(blob) => bytes += usize::try_from(blob.content.len()).unwrap_or(usize::MAX),
            _ => {}
        }
        each_slot(node, |slot| {
            values += 1;
            match slot {
                Slot::String(text) | Slot::Symbol(text) if texts.insert(address(text)) => {
                    bytes += text.size_bytes();
                }
                Slot::BigInt(integer) => bytes += integer.as_str().len(),
                _ => {}
            }
        });
    }
    values + bytes / BYTES_PER_VALUE
}

/// Where a text is, and how long it is: slices of one body may begin at one place.
fn address(text: &JsString) -> (usize, usize) {
    (text.as_str().map_or(0, |text| text.as_ptr().addr()), text.size_bytes())
}

/// Visits what deserialisation can reach from an object.
fn each_slot(node: &Node, mut visit: impl FnMut(&Slot)) {
    match node {
        Node::Array(items) | Node::Set(items) | Node::Iterator(items) => items.iter().for_each(visit),
        Node::Object(members) | Node::FormData(members) => members.iter().for_each(|(_, slot)| visit(slot)),
        Node::Map(entries) => entries.iter().for_each(|(key, value)| {
            visit(key);
            visit(value);
        }),
        Node::Promise(promise) => {
            if let Promise::Fulfilled(slot) = promise.now() {
                visit(slot);
            }
        }
        _ => {}
    }
}
