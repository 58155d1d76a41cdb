//! Puts into place what rows refer to.
//!
//! A reference may lead through places that other references have to fill first. They are followed on a list and
//! not on the stack; where they lead back to themselves there is null, as in the reference.

mod collection;

use super::{ChunkId, ParseError, Reader, Rejection};
use crate::{
    js::JsString,
    value::{Node, NodeId, Slot},
};

/// Where a reference stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// It is all of this row or item.
    Root(ChunkId),
    /// In an object, at this position.
    In(NodeId, usize),
}

/// What is made of that which is referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Map,
    Set,
    Iterator,
    FormData,
    Blob,
    ServerReference,
}

/// How many lazy values in a row a path may go through. More are a circle, or meant to cost time.
const LAZIES_MAX: usize = 100;

/// A reference to a row, or to something in it.
pub(super) struct Reference {
    kind: Kind,
    path: Vec<JsString>,
    place: Place,
    /// The row it stands in, and the innermost element there.
    owner: (ChunkId, Option<NodeId>),
    under_then: bool,
    progress: Progress,
    /// How far the path was followed: to here, which is behind so many steps.
    at: Place,
    steps: usize,
    /// How many entries of what was found are known to be complete.
    entries: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    New,
    Active,
    Linked,
}

/// Why a reference cannot be linked now.
pub(super) enum Stop {
    /// This one has to be linked before.
    Needs(usize),
    /// It leads to nothing; the row it stands in is rejected.
    Fails(Rejection),
    /// The response goes beyond a limit.
    Limit(ParseError),
}

impl Reference {
    pub(super) fn new(
        kind: Kind,
        target: ChunkId,
        path: Vec<JsString>,
        place: Place,
        owner: (ChunkId, Option<NodeId>),
        under_then: bool,
    ) -> Self {
        let at = Place::Root(target);
        let progress = Progress::New;
        Self { kind, path, place, owner, under_then, progress, at, steps: 0, entries: 0 }
    }
}

impl Reader<'_> {
    /// Forgets a reference, because something else was written in its place.
    pub(super) fn withdraw(&mut self, place: Place) {
        if let Some(index) = self.unlinked.remove(&place) {
            self.references[index].progress = Progress::Linked;
        }
    }

    /// Links every reference, and rejects the rows in which one fails.
    pub(super) fn link_all(&mut self) -> Result<(), ParseError> {
        let rejected: Vec<ChunkId> = self.rejected.keys().copied().collect();
        for id in rejected {
            self.reject_dependants(id);
        }
        for first in 0..self.references.len() {
            let mut active = vec![first];
            while let Some(&top) = active.last() {
                if self.references[top].progress == Progress::Linked {
                    active.pop();
                    continue;
                }
                self.references[top].progress = Progress::Active;
                match self.resolve(top) {
                    Ok(slot) => self.fill(top, slot),
                    Err(Stop::Needs(other)) => active.push(other),
                    Err(Stop::Fails(digest)) => {
                        self.fill(top, Slot::Null);
                        self.fail(top, digest);
                    }
                    Err(Stop::Limit(error)) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn resolve(&mut self, index: usize) -> Result<Slot, Stop> {
        let found = self.follow(index)?;
        match self.references[index].kind {
            Kind::Plain => Ok(self.unless_callable_then(index, found)),
            Kind::ServerReference => self.server_reference(index, &found),
            _ => self.collection(index, &found),
        }
    }

    /// Follows a reference's path.
    fn follow(&mut self, index: usize) -> Result<Slot, Stop> {
        let mut lazies = 0;
        loop {
            let Reference { at, steps, .. } = self.references[index];
            let found = self.linked(at)?;
            let is_end = steps == self.references[index].path.len();
            let lazy = match &found {
                Slot::Node(node) => self.lazies.get(node).copied(),
                _ => None,
            };
            let next = match lazy {
                Some(row) if !self.rejected.contains_key(&row) => {
                    if lazies == LAZIES_MAX {
                        return Err(Stop::Fails(None));
                    }
                    lazies += 1;
                    Place::Root(row)
                }
                Some(row) if !is_end => return Err(Stop::Fails(self.rejected.get(&row).cloned().flatten())),
                _ if is_end => return Ok(found),
                _ => {
                    let key = self.references[index].path[steps].clone();
                    self.references[index].steps += 1;
                    match self.step(&found, &key)? {
                        Ok(place) => place,
                        Err(slot) => {
                            // Only the length of an array is not in a place, and nothing is in it.
                            return if steps + 1 == self.references[index].path.len() {
                                Ok(slot)
                            } else {
                                Err(Stop::Fails(None))
                            };
                        }
                    }
                }
            };
            self.references[index].at = next;
        }
    }

    /// What is in a place, as soon as nothing has to be linked there before.
    fn linked(&self, place: Place) -> Result<Slot, Stop> {
        if let Some(&other) = self.unlinked.get(&place) {
            return match self.references[other].progress {
                Progress::New => Err(Stop::Needs(other)),
                Progress::Active | Progress::Linked => Ok(Slot::Null),
            };
        }
        match place {
            Place::Root(id) => match self.rejected.get(&id) {
                Some(digest) => Err(Stop::Fails(digest.clone())),
                None => Ok(self.roots.get(&id).cloned().unwrap_or(Slot::Null)),
            },
            Place::In(node, position) => Ok(match self.builder.node(node) {
                Node::Array(items) => items.get(position).cloned(),
                Node::Object(members) => members.get(position).map(|(_, slot)| slot.clone()),
                Node::Element { kind, key, props } => {
                    [kind, key, props].get(position.wrapping_sub(1)).map(|slot| (*slot).clone())
                }
                _ => None,
            }
            .unwrap_or(Slot::Undefined)),
        }
    }

    /// The place of an own member of an array, a plain object or an element; or the length of an array.
    fn step(&mut self, from: &Slot, key: &JsString) -> Result<Result<Place, Slot>, Stop> {
        let Slot::Node(node) = *from else { return Err(Stop::Fails(None)) };
        let position = match self.builder.node(node) {
            Node::Array(items) if *key == "length" => return Ok(Err(Slot::Number(items.len() as f64))),
            Node::Array(items) => index(key).filter(|index| *index < items.len()),
            Node::Object(_) => self.member(node, key),
            Node::Element { .. } => {
                ["type", "key", "props"].iter().position(|name| key == name).map(|at| at + 1)
            }
            _ => None,
        };
        position.map(|position| Ok(Place::In(node, position))).ok_or(Stop::Fails(None))
    }

    /// The position of an object's member.
    pub(super) fn member(&mut self, node: NodeId, key: &JsString) -> Option<usize> {
        const SEARCHED_MAX: usize = 16;
        let Node::Object(members) = self.builder.node(node) else { return None };
        if members.len() <= SEARCHED_MAX {
            return members.iter().position(|(name, _)| name == key);
        }
        let by_name = self.members.entry(node).or_insert_with(|| {
            members.iter().enumerate().map(|(position, (name, _))| (name.clone(), position)).collect()
        });
        by_name.get(key).copied()
    }

    /// A function is never put under a key that would make its object a promise.
    fn unless_callable_then(&self, index: usize, slot: Slot) -> Slot {
        let callable = matches!(&slot, Slot::Node(node) if matches!(
            self.builder.node(*node),
            Node::ServerReference { .. } | Node::ClientReference { .. }
        ));
        if callable && self.references[index].under_then { Slot::Null } else { slot }
    }

    /// Puts what was found where the reference stands.
    fn fill(&mut self, index: usize, slot: Slot) {
        self.references[index].progress = Progress::Linked;
        let place = self.references[index].place;
        self.unlinked.remove(&place);
        match place {
            Place::Root(id) => {
                self.roots.insert(id, slot);
            }
            Place::In(node, position) => match self.builder.node_mut(node) {
                Node::Array(items) => items[position] = slot,
                Node::Object(members) => {
                    if matches!(slot, Slot::Undefined) {
                        self.with_undefined.push(node);
                    }
                    members[position].1 = slot;
                }
                Node::Element { kind, key, props } => {
                    if let Some(place) = [kind, key, props].into_iter().nth(position.wrapping_sub(1)) {
                        *place = slot;
                    }
                }
                _ => {}
            },
        }
    }

    /// Rejects what a failing reference stands in: the innermost element, or else the row.
    fn fail(&mut self, index: usize, digest: Rejection) {
        match self.references[index].owner {
            (_, Some(element)) => {
                self.broken_elements.entry(element).or_insert(digest);
            }
            (row, None) => {
                if !self.rejected.contains_key(&row) {
                    self.reject(row, digest);
                    self.reject_dependants(row);
                }
            }
        }
    }

    /// Rejects all that refers to a rejected row, and what refers to that.
    fn reject_dependants(&mut self, first: ChunkId) {
        let mut rows = vec![first];
        while let Some(row) = rows.pop() {
            let digest = self.rejected.get(&row).cloned().flatten();
            for index in self.dependants.remove(&row).unwrap_or_default() {
                match self.references[index].owner {
                    (_, Some(element)) => {
                        self.broken_elements.entry(element).or_insert_with(|| digest.clone());
                    }
                    (owner, None) => {
                        if !self.rejected.contains_key(&owner) {
                            self.reject(owner, digest.clone());
                            rows.push(owner);
                        }
                    }
                }
            }
        }
    }
}

/// The index that an array's key is, written as JavaScript writes it.
fn index(key: &JsString) -> Option<usize> {
    let text = key.as_str()?;
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| canonical)
}
