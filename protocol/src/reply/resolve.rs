//! Following references: from the value of a part along own keys, and nowhere else.

use std::collections::HashMap;

use super::{
    Excerpt, Position, ReplyError, ReplyErrorKind, Resolver,
    commit::Bound,
    decoder::Decoder,
    index::{EntryId, Raw, State},
    keys::NARROW,
    limits::Budget,
    tag::{Made, Path, Reference},
};
use crate::{
    js::JsString,
    value::{Node, NodeId, Slot},
};

/// A reference that was met while parsing.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) made: Made,
    /// The map, set or iterator that is made of what it names.
    pub(super) node: Option<NodeId>,
    target: EntryId,
    path: Path,
    text: JsString,
    /// The array context it counts in.
    context: Option<u32>,
    /// The array or object it stands in, and where there.
    pub(super) place: Option<(NodeId, u32)>,
    pub(super) at: Position,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Unknown,
    /// Being followed. Met again in this state it is a cycle of nothing but references, which is null.
    Walking,
    Known(Slot),
}

/// One reference being followed.
#[derive(Debug)]
struct Walk {
    pending: u32,
    path: Path,
    current: Slot,
    /// Another reference that stands where the path has come to.
    waiting: Option<u32>,
}

/// Tables of the members of wide objects, made when first needed: many references lead into one object.
#[derive(Debug, Default)]
pub(super) struct Tables(HashMap<NodeId, HashMap<JsString, u32>>);

impl Tables {
    /// Where an object has this member.
    pub(super) fn find(
        &mut self,
        node: NodeId,
        members: &[(JsString, Slot)],
        key: &JsString,
        budget: &mut Budget,
    ) -> Option<u32> {
        if members.len() <= NARROW {
            return (0..).zip(members).find(|(_, (name, _))| name == key).map(|(at, _)| at);
        }
        let table = self.0.entry(node).or_insert_with(|| {
            budget.work(members.len());
            members.iter().map(|(name, _)| name.clone()).zip(0..).collect()
        });
        table.get(key).copied()
    }
}

/// References by where they stand: there a `null` holds their place. Made when a path first comes to a `null`, which is
/// seldom.
#[derive(Debug, Default)]
pub(super) struct Places {
    pending: HashMap<(NodeId, u32), u32>,
    /// How many references were looked at.
    seen: usize,
}

impl Places {
    /// The reference that stands there. Given are all references of units that were parsed.
    fn find(&mut self, place: (NodeId, u32), pending: &[Pending], budget: &mut Budget) -> Option<u32> {
        budget.work(pending.len() - self.seen);
        let new = (0..).zip(pending).skip(self.seen);
        self.pending.extend(new.filter_map(|(number, pending)| Some((pending.place?, number))));
        self.seen = pending.len();
        self.pending.get(&place).copied()
    }
}

/// Where a step of a path leads.
enum Step {
    To(Slot),
    Behind(u32),
}

impl Pending {
    pub(super) fn new(
        made: Made,
        node: Option<NodeId>,
        target: EntryId,
        reference: Reference,
        context: Option<u32>,
        at: Position,
    ) -> Self {
        let Reference { path, text, .. } = reference;
        Self { made, node, target, path, text, context, place: None, at, outcome: Outcome::Unknown }
    }
}

impl Decoder {
    /// Follows all references from this one on, and puts what they name in their places.
    pub(super) fn resolve_from(&mut self, first: usize, resolver: &dyn Resolver) -> Result<(), ReplyError> {
        for pending in first..self.pending.len() {
            if matches!(self.pending[pending].outcome, Outcome::Unknown) {
                self.walk(u32::try_from(pending).expect("references are limited far below 2^32"), resolver)?;
            }
        }
        for pending in first..self.pending.len() {
            self.put(pending);
        }
        Ok(())
    }

    /// What a reference named; null if that is not known, as for a cycle.
    pub(super) fn resolved(&self, pending: u32) -> Slot {
        match &self.pending[pending as usize].outcome {
            Outcome::Known(slot) => slot.clone(),
            Outcome::Unknown | Outcome::Walking => Slot::Null,
        }
    }

    fn walk(&mut self, pending: u32, resolver: &dyn Resolver) -> Result<(), ReplyError> {
        let mut walk = self.begin(pending);
        // Those that wait for this one: seldom any.
        let mut outer = Vec::new();
        loop {
            if let Some(other) = walk.waiting.take() {
                if matches!(self.pending[other as usize].outcome, Outcome::Unknown) {
                    walk.waiting = Some(other);
                    outer.push(std::mem::replace(&mut walk, self.begin(other)));
                    continue;
                }
                walk.current = self.resolved(other);
            }
            let at = walk.pending as usize;
            self.budget.spend(1, &self.limits).map_err(|kind| self.at(at, kind))?;
            if let Some(key) = walk.path.next() {
                match self.step(&walk.current, &key) {
                    Some(Step::To(slot)) => walk.current = slot,
                    Some(Step::Behind(other)) => walk.waiting = Some(other),
                    None => return Err(self.broken(at)),
                }
            } else {
                let slot = std::mem::replace(&mut walk.current, Slot::Null);
                let slot = self.arrive(at, slot, resolver).map_err(|kind| self.at(at, kind))?;
                self.pending[at].outcome = Outcome::Known(slot);
                let Some(next) = outer.pop() else { return Ok(()) };
                walk = next;
            }
        }
    }

    fn begin(&mut self, pending: u32) -> Walk {
        let reference = &mut self.pending[pending as usize];
        reference.outcome = Outcome::Walking;
        let path = std::mem::replace(&mut reference.path, Path::Ended);
        let target = reference.target;
        self.depend_on(target);
        let (current, waiting) = match &self.index.entry(target).state {
            State::Parsed(Raw::Slot(slot)) => (slot.clone(), None),
            State::Parsed(Raw::Pending(other)) => (Slot::Null, Some(*other)),
            // Parsing ended before, and a part that failed has refused its unit.
            State::Unparsed | State::Parsing => (Slot::Null, None),
        };
        Walk { pending, path, current, waiting }
    }

    /// Notes that this unit fails with that of a part, where that can still fail.
    fn depend_on(&mut self, target: EntryId) {
        let (unit, target) = (self.unit_number(), self.index.entry(target).unit);
        if target != unit && target as usize >= self.batch.first_unit {
            let dependents = &mut self.units[target as usize].dependents;
            if dependents.last() != Some(&unit) {
                dependents.push(unit);
            }
        }
    }

    fn step(&mut self, current: &Slot, key: &JsString) -> Option<Step> {
        let Slot::Node(node) = *current else { return None };
        let (at, slot) = match self.builder.node(node) {
            Node::Array(items) if *key == "length" => {
                return Some(Step::To(Slot::Number(items.len() as f64)));
            }
            Node::Array(items) => {
                let at = array_index(key.as_str()?)?;
                (at, items.get(at as usize)?.clone())
            }
            Node::Object(members) => {
                let at = self.tables.find(node, members, key, &mut self.budget)?;
                (at, members[at as usize].1.clone())
            }
            _ => return None,
        };
        Some(match slot {
            Slot::Null => self.behind(node, at),
            slot => Step::To(slot),
        })
    }

    /// A null, or the reference whose place it holds.
    fn behind(&mut self, node: NodeId, at: u32) -> Step {
        let pending = self.places.find((node, at), &self.pending, &mut self.budget);
        pending.map_or(Step::To(Slot::Null), Step::Behind)
    }

    /// The end of a path: accounts for what is there, or makes what is made of it.
    fn arrive(&mut self, at: usize, slot: Slot, resolver: &dyn Resolver) -> Result<Slot, ReplyErrorKind> {
        match self.pending[at].made {
            Made::Plain => {
                if let Slot::BigInt(number) = &slot {
                    self.budget.copy(number.as_str().len(), &self.limits)?;
                }
                if let Some(context) = self.pending[at].context {
                    self.charge_reference(context, &slot)?;
                }
                Ok(slot)
            }
            Made::ServerReference => self.server_reference(&slot, resolver),
            _ => Ok(slot),
        }
    }

    fn charge_reference(&mut self, context: u32, slot: &Slot) -> Result<(), ReplyErrorKind> {
        let max = self.limits.array_slots_max;
        let size = match slot {
            // Bytes are never fewer than UTF-16 units, and known: to count the units of a long string for each of
            // many references to it would take the square of the body. Clients do not refer to strings.
            Slot::String(text) => text.size_bytes(),
            Slot::BigInt(number) => number.as_str().len(),
            Slot::Node(id) => match self.builder.node(*id) {
                Node::Bytes(array) => array.bytes.len(),
                Node::Array(_) => return self.slots.add_array(context, *id, max),
                _ => 0,
            },
            _ => 0,
        };
        self.slots.add(context, size as u64, max)
    }

    /// Puts what a reference named where it stands.
    fn put(&mut self, pending: usize) {
        let Some((node, at)) = self.pending[pending].place else { return };
        self.budget.work(1);
        let mut slot = self.resolved(u32::try_from(pending).expect("references are limited far below 2^32"));
        let callable =
            matches!(&slot, Slot::Node(id) if matches!(self.builder.node(*id), Node::ServerReference { .. }));
        match self.builder.node_mut(node) {
            Node::Array(items) => items[at as usize] = slot,
            Node::Object(members) => {
                let (key, place) = &mut members[at as usize];
                // What JavaScript would take for a promise.
                if callable && *key == "then" {
                    slot = Slot::Null;
                }
                *place = slot;
            }
            _ => {}
        }
    }

    /// A server function by the object that describes it, which is looked at once: also one that names no action, as
    /// each of many promises may come to it and fail.
    fn server_reference(&mut self, meta: &Slot, resolver: &dyn Resolver) -> Result<Slot, ReplyErrorKind> {
        let what = "a server reference";
        let Slot::Node(node) = *meta else { return Err(ReplyErrorKind::Initializer { what }) };
        if let Some((known, bound)) = self.server_references.get(&node) {
            if let Some(promise) = *bound {
                self.batch.bound.push(Bound { node: None, promise, unit: self.unit_number() });
            }
            return known.clone();
        }
        let Node::Object(members) = self.builder.node(node) else {
            return Err(ReplyErrorKind::Initializer { what });
        };
        self.budget.spend(members.len(), &self.limits)?;
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, slot)| slot.clone());
        let (id, bound) = (member("id"), member("bound").and_then(|bound| self.promise_number(&bound)));
        let described = match id {
            Some(Slot::String(id)) => self.described(id, bound, resolver),
            _ => Ok(Slot::Null),
        };
        let bound = bound.filter(|_| described.is_ok());
        self.server_references.insert(node, (described.clone(), bound));
        described
    }

    fn described(
        &mut self,
        id: JsString,
        bound: Option<u32>,
        resolver: &dyn Resolver,
    ) -> Result<Slot, ReplyErrorKind> {
        match resolver.resolve(&id) {
            super::Resolution::Known => {}
            super::Resolution::Absent => return Ok(Slot::Undefined),
            super::Resolution::Unknown => {
                return Err(ReplyErrorKind::UnknownReference { id: Excerpt::new(&id) });
            }
        }
        if let Some(promise) = bound {
            let node = self.add(Node::ServerReference { id, bound: Some(Vec::new()) })?;
            self.batch.bound.push(Bound { node: Some(node), promise, unit: self.unit_number() });
            return Ok(Slot::Node(node));
        }
        if let Some(node) = self.unbound.get(&id) {
            return Ok(Slot::Node(*node));
        }
        let node = self.add(Node::ServerReference { id: id.clone(), bound: None })?;
        self.unbound.insert(id, node);
        Ok(Slot::Node(node))
    }

    /// An error at the place of a reference.
    pub(super) fn at(&self, pending: usize, kind: ReplyErrorKind) -> ReplyError {
        ReplyError { kind, at: Some(self.pending[pending].at) }
    }

    fn broken(&self, pending: usize) -> ReplyError {
        let text = Excerpt::new(&self.pending[pending].text);
        self.at(pending, ReplyErrorKind::Reference { text, problem: "leads to no own member" })
    }
}

/// An array index as JavaScript writes it: no sign, no leading zero.
fn array_index(text: &str) -> Option<u32> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    if canonical { text.parse().ok() } else { None }
}
