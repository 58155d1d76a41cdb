//! Walks a value before it is written: which objects are met more than once, and whether the client can make it.
//!
//! The walk goes where the client goes when it makes the value, in the same order: into arrays and objects, and
//! into what a `Map` is made of before the `Map` itself; into promises and bound arguments only later.

use super::{
    super::{
        FlightError,
        encoder::Session,
        error::{Problem, Segment},
        row::ROW_BYTES_MAX,
    },
    Graphs, Part, Progress,
};
use crate::{
    Value,
    value::{Blob, BlobContent, Items, Node, NodeId, Promise, Slot, Stream, StreamEnd, StreamKind},
};

/// A walk through one graph.
struct Walk<'v> {
    /// The graph's position in the list.
    graph: usize,
    /// A value of the graph.
    value: &'v Value,
    /// The objects the walk is in, outermost first, each with how many of its slots were looked at.
    open: Vec<(NodeId, usize)>,
    /// What the client makes later, by itself.
    later: Vec<NodeId>,
}

impl Session {
    /// Walks everything that can be reached from an object.
    pub(super) fn survey(&mut self, graph: usize, value: &Value, start: NodeId) -> Result<(), FlightError> {
        if self.graphs.mark(graph, start).progress != Progress::Unseen {
            return Ok(());
        }
        let mut walk = Walk { graph, value, open: Vec::new(), later: vec![start] };
        while let Some(next) = walk.later.pop() {
            self.meet(&mut walk, next).map_err(FlightError::new)?;
            while let Some(inner) = self.next_inner(&mut walk) {
                self.meet(&mut walk, inner).map_err(|problem| walk.located(problem))?;
            }
        }
        Ok(())
    }

    /// The next object in a slot, or nothing when the walk has left its first object.
    fn next_inner(&mut self, walk: &mut Walk<'_>) -> Option<NodeId> {
        while let Some((id, position)) = walk.open.last_mut() {
            let node = walk.value.graph().node(*id);
            while let Some(slot) = slot_at(node, *position) {
                *position += 1;
                if let Slot::Node(inner) = slot {
                    return Some(*inner);
                }
            }
            self.graphs.mark(walk.graph, *id).progress = Progress::Seen;
            walk.open.pop();
        }
        None
    }

    /// Notes that an object is met once more, and if for the first time, opens it.
    fn meet(&mut self, walk: &mut Walk<'_>, id: NodeId) -> Result<(), Problem> {
        let value = walk.value;
        let node = value.graph().node(id);
        match self.graphs.mark(walk.graph, id).progress {
            Progress::Unseen => self.meet_first(walk, id, node),
            // The client makes a collection from its finished contents, so these cannot hold it.
            Progress::Open if !matches!(node, Node::Array(_) | Node::Object(_)) => {
                Err(Problem::Cycle { kind: walk.kind(id) })
            }
            Progress::Open | Progress::Seen => {
                if !matches!(node, Node::Temporary { .. }) {
                    self.graphs.own_row(walk.graph, id, &mut self.ids);
                }
                Ok(())
            }
        }
    }

    fn meet_first(&mut self, walk: &mut Walk<'_>, id: NodeId, node: &Node) -> Result<(), Problem> {
        self.graphs.note(walk.graph, id);
        self.graphs.mark(walk.graph, id).progress = Progress::Seen;
        match node {
            Node::Element { .. } | Node::Lazy(_) | Node::ClientReference { .. } => {
                return Err(Problem::Unsupported { kind: walk.kind(id) });
            }
            Node::Bytes(array) => {
                fits(array.bytes.len())?;
                self.graphs.own_row(walk.graph, id, &mut self.ids);
            }
            Node::Blob(Blob { content: BlobContent::Memory(bytes), .. }) => fits(bytes.len())?,
            Node::Promise(_) => self.meet_promises(walk, id)?,
            Node::Stream(stream) => self.meet_stream(walk, id, stream)?,
            Node::ServerReference { bound, .. } => {
                walk.later.extend(bound.iter().flatten().rev().filter_map(inner));
            }
            Node::Blob(_) | Node::Error | Node::Temporary { .. } => {}
            Node::Array(_)
            | Node::Object(_)
            | Node::Map(_)
            | Node::Set(_)
            | Node::Iterator(_)
            | Node::FormData(_) => {
                self.graphs.mark(walk.graph, id).progress = Progress::Open;
                walk.open.push((id, 0));
            }
        }
        Ok(())
    }

    /// A stream opens in its own row. The client gets the items later, by themselves.
    fn meet_stream(&mut self, walk: &mut Walk<'_>, id: NodeId, stream: &Stream) -> Result<(), Problem> {
        match &stream.items {
            // The pieces of a byte stream are no objects at the client.
            Items::Complete { items, .. } if stream.kind == StreamKind::Bytes => {
                let other = items.iter().map(|slot| walk.value.at(slot)).find(|item| !is_bytes(item));
                if let Some(other) = other {
                    return Err(Problem::NoBytes { kind: other.kind() });
                }
            }
            Items::Complete { items, end } => {
                if let StreamEnd::Returned(Slot::Node(value)) = end {
                    walk.later.push(*value);
                }
                walk.later.extend(items.iter().rev().filter_map(inner));
            }
            Items::Live(_) => self.graphs.grows(walk.graph, || walk.kind(id))?,
        }
        self.graphs.own_row(walk.graph, id, &mut self.ids);
        Ok(())
    }

    /// Follows a promise that is met first, and promises it is resolved by, to a value that is none.
    fn meet_promises(&mut self, walk: &mut Walk<'_>, first: NodeId) -> Result<(), Problem> {
        let value = walk.value;
        let mut chain = vec![first];
        let mut promise = first;
        loop {
            self.graphs.mark(walk.graph, promise).progress = Progress::Open;
            let Node::Promise(state) = value.graph().node(promise) else { break };
            let state = state.now();
            if matches!(state, Promise::Pending(_)) {
                self.graphs.grows(walk.graph, || walk.kind(promise))?;
                self.graphs.own_row_with(walk.graph, promise, Part::Awaited, &mut self.ids);
                break;
            }
            self.graphs.own_row(walk.graph, promise, &mut self.ids);
            let Promise::Fulfilled(Slot::Node(next)) = state else { break };
            if !matches!(value.graph().node(*next), Node::Promise(_)) {
                walk.later.push(*next);
                break;
            }
            match self.graphs.mark(walk.graph, *next).progress {
                Progress::Unseen => {
                    self.graphs.note(walk.graph, *next);
                    chain.push(*next);
                    promise = *next;
                }
                Progress::Open => return Err(Problem::EndlessPromise),
                Progress::Seen => break,
            }
        }
        for promise in chain {
            self.graphs.mark(walk.graph, promise).progress = Progress::Seen;
        }
        Ok(())
    }
}

impl Graphs {
    /// Notes that an object was met for the first time.
    fn note(&mut self, graph: usize, node: NodeId) {
        if self.goes_on {
            self.journal.push((graph, node));
        }
    }

    /// What comes later may refer to anything that is there now.
    fn grows(&mut self, graph: usize, kind: impl FnOnce() -> &'static str) -> Result<(), Problem> {
        if !self.goes_on {
            return Err(Problem::StillToCome { kind: kind() });
        }
        self.surveyed(graph).all_have_rows = true;
        Ok(())
    }
}

impl Walk<'_> {
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

fn is_bytes(value: &Value) -> bool {
    matches!(value.node(), Some(Node::Bytes(_)))
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
