//! Walks a value before it is written: which objects are met more than once, and whether the client can make it.
//!
//! The walk goes where the client goes when it makes the value, in the same order: into arrays and objects, and
//! into what a `Map` is made of before the `Map` itself; into promises and bound arguments only later.

use super::{
    super::{
        FlightError,
        encoder::Ids,
        error::{Problem, Segment},
        row::ROW_BYTES_MAX,
    },
    Graphs, Progress,
};
use crate::{
    Value,
    value::{Node, NodeId, Promise, Slot},
};

/// A walk through one graph.
struct Walk {
    /// The graph's position in the list.
    graph: usize,
    /// A value of the graph.
    value: Value,
    /// The objects the walk is in, outermost first, each with how many of its slots were looked at.
    open: Vec<(NodeId, usize)>,
    /// What the client makes later, by itself.
    later: Vec<NodeId>,
}

impl Graphs {
    /// Walks everything that can be reached from an object.
    pub(super) fn survey(
        &mut self,
        graph: usize,
        value: &Value,
        start: NodeId,
        ids: &mut Ids,
    ) -> Result<(), FlightError> {
        if self.list[graph].marks[start.index()].progress != Progress::Unseen {
            return Ok(());
        }
        let mut walk = Walk { graph, value: value.clone(), open: Vec::new(), later: vec![start] };
        while let Some(next) = walk.later.pop() {
            self.meet(&mut walk, next, ids).map_err(FlightError::new)?;
            while let Some(inner) = self.next_inner(&mut walk) {
                self.meet(&mut walk, inner, ids).map_err(|problem| walk.located(problem))?;
            }
        }
        Ok(())
    }

    /// The next object in a slot, or nothing when the walk has left its first object.
    fn next_inner(&mut self, walk: &mut Walk) -> Option<NodeId> {
        while let Some((id, position)) = walk.open.last_mut() {
            let node = walk.value.graph().node(*id);
            while let Some(slot) = slot_at(node, *position) {
                *position += 1;
                if let Slot::Node(inner) = slot {
                    return Some(*inner);
                }
            }
            self.list[walk.graph].marks[id.index()].progress = Progress::Seen;
            walk.open.pop();
        }
        None
    }

    /// Notes that an object is met once more, and if for the first time, opens it.
    fn meet(&mut self, walk: &mut Walk, id: NodeId, ids: &mut Ids) -> Result<(), Problem> {
        let node = walk.value.graph().node(id);
        let mark = &mut self.list[walk.graph].marks[id.index()];
        match mark.progress {
            Progress::Unseen => {
                mark.progress = Progress::Seen;
                match node {
                    Node::Stream(_) | Node::Element { .. } | Node::Lazy(_) | Node::ClientReference { .. } => {
                        return Err(Problem::Unsupported { kind: walk.kind(id) });
                    }
                    Node::Bytes(array) => {
                        fits(array.bytes.len())?;
                        self.own_row(walk.graph, id, ids);
                    }
                    Node::Blob(blob) => fits(usize::try_from(blob.content.len()).unwrap_or(usize::MAX))?,
                    Node::Promise(_) => self.meet_promises(walk, id, ids)?,
                    Node::ServerReference { bound, .. } => {
                        let bound = bound.iter().flatten().rev().filter_map(inner);
                        walk.later.extend(bound);
                    }
                    Node::Error | Node::Temporary { .. } => {}
                    Node::Array(_)
                    | Node::Object(_)
                    | Node::Map(_)
                    | Node::Set(_)
                    | Node::Iterator(_)
                    | Node::FormData(_) => {
                        mark.progress = Progress::Open;
                        walk.open.push((id, 0));
                    }
                }
            }
            // The client makes a collection from its finished contents, so these cannot hold it.
            Progress::Open if !matches!(node, Node::Array(_) | Node::Object(_)) => {
                return Err(Problem::Cycle { kind: walk.kind(id) });
            }
            Progress::Open | Progress::Seen => {
                if !matches!(node, Node::Temporary { .. }) {
                    self.own_row(walk.graph, id, ids);
                }
            }
        }
        Ok(())
    }

    /// Follows a promise that is met first, and promises it is resolved by, to a value that is none.
    fn meet_promises(&mut self, walk: &mut Walk, first: NodeId, ids: &mut Ids) -> Result<(), Problem> {
        let mut chain = vec![first];
        let mut promise = first;
        loop {
            self.list[walk.graph].marks[promise.index()].progress = Progress::Open;
            self.own_row(walk.graph, promise, ids);
            let Node::Promise(Promise::Fulfilled(Slot::Node(value))) = walk.value.graph().node(promise)
            else {
                break;
            };
            if !matches!(walk.value.graph().node(*value), Node::Promise(_)) {
                walk.later.push(*value);
                break;
            }
            match self.list[walk.graph].marks[value.index()].progress {
                Progress::Unseen => {
                    chain.push(*value);
                    promise = *value;
                }
                Progress::Open => return Err(Problem::EndlessPromise),
                Progress::Seen => break,
            }
        }
        for promise in chain {
            self.list[walk.graph].marks[promise.index()].progress = Progress::Seen;
        }
        Ok(())
    }
}

impl Walk {
    fn kind(&self, node: NodeId) -> &'static str {
        self.value.at(&Slot::Node(node)).kind()
    }

    /// The error, with the path that the open objects are.
    fn located(&self, problem: Problem) -> FlightError {
        self.open.iter().rev().fold(FlightError::new(problem), |error, (node, position)| {
            // The position is already behind the slot that led here.
            let index = position - 1;
            error.within(match self.value.graph().node(*node) {
                Node::Object(members) | Node::FormData(members) => {
                    Segment::Key(members[index].0.to_text_lossy().into_owned())
                }
                Node::Map(_) => Segment::Index(index / 2),
                _ => Segment::Index(index),
            })
        })
    }
}

fn inner(slot: &Slot) -> Option<NodeId> {
    match slot {
        Slot::Node(node) => Some(*node),
        _ => None,
    }
}

fn fits(bytes: usize) -> Result<(), Problem> {
    if bytes > ROW_BYTES_MAX { Err(Problem::TooLarge { bytes }) } else { Ok(()) }
}

/// One of the slots that the client fills before it has the object.
fn slot_at(node: &Node, position: usize) -> Option<&Slot> {
    match node {
        Node::Array(items) | Node::Set(items) | Node::Iterator(items) => items.get(position),
        Node::Object(members) | Node::FormData(members) => members.get(position).map(|(_, slot)| slot),
        Node::Map(entries) => {
            let (key, value) = entries.get(position / 2)?;
            Some(if position.is_multiple_of(2) { key } else { value })
        }
        _ => None,
    }
}
