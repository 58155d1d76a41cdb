//! The arena that the objects of a value live in.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use super::{Node, Slot, Value};

/// The arena behind a [`Value`]. What is in it never changes and never moves; a body that is still arriving adds to it.
#[derive(Debug, Default)]
pub struct Graph {
    /// What was there when the first value was handed out.
    first: Vec<Node>,
    /// What was added since; most graphs never have any.
    later: OnceLock<Box<Later>>,
}

/// Names one object of a [`Graph`]; two slots with the same id are the same object, as `===` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// Position in the arena, for tables beside it.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Objects that a [`Builder`] first makes room for: as many as most calls have.
const FIRST_NODES: usize = 8;
/// Objects in the first segment of [`Later`]; each segment after it has twice as many as the one before.
const SEGMENT_NODES: usize = 32;
/// Segments that ids of 32 bits can need.
const SEGMENTS: usize = 28;

/// A list that grows behind shared references: segments are never moved, and each place is filled once.
#[derive(Debug, Default)]
struct Later {
    segments: [OnceLock<Box<[OnceLock<Node>]>>; SEGMENTS],
    /// How many places are filled. Written by the one [`Builder`] that has the graph.
    filled: AtomicUsize,
}

impl Later {
    /// The segment of a position, and the place in it.
    fn place(position: usize) -> (usize, usize) {
        let segment = (position / SEGMENT_NODES + 1).ilog2() as usize;
        (segment, position - SEGMENT_NODES * ((1 << segment) - 1))
    }

    fn get(&self, position: usize) -> Option<&Node> {
        let (segment, place) = Self::place(position);
        self.segments[segment].get()?.get(place)?.get()
    }

    fn push(&self, node: Node) {
        let position = self.filled.load(Ordering::Relaxed);
        let (segment, place) = Self::place(position);
        let segment = self.segments[segment]
            .get_or_init(|| (0..SEGMENT_NODES << segment).map(|_| OnceLock::new()).collect());
        assert!(segment[place].set(node).is_ok(), "one builder fills each place once");
        self.filled.store(position + 1, Ordering::Release);
    }
}

impl Graph {
    /// The object with this id.
    ///
    /// # Panics
    ///
    /// If the id is of another graph; ids are made by [`Builder`] alone.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        match self.first.get(id.index()) {
            Some(node) => node,
            None => {
                self.added(id.index() - self.first.len()).expect("ids are of the graph they are asked of")
            }
        }
    }

    /// Every object there is by now, in the order of their ids: adding them to another [`Builder`] in this order keeps
    /// the ids.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        let added = 0..self.len() - self.first.len();
        self.first.iter().chain(added.filter_map(|position| self.added(position)))
    }

    fn added(&self, position: usize) -> Option<&Node> {
        self.later.get()?.get(position)
    }

    /// How many objects there are by now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first.len() + self.later.get().map_or(0, |later| later.filled.load(Ordering::Acquire))
    }

    /// Whether there are no objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Makes a [`Value`]: objects are added, may be filled later (that is how a cycle is closed), and are finished once.
///
/// What is to grow is made with [`Builder::publish`] instead of [`Builder::finish`]: what was added until then becomes
/// visible, and can no longer be filled.
#[derive(Debug, Default)]
pub struct Builder {
    published: Option<Arc<Graph>>,
    /// How many objects are published.
    base: usize,
    /// Those that are not.
    nodes: Vec<Node>,
}

impl Builder {
    /// An empty arena.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object and gives the slot that names it.
    ///
    /// # Panics
    ///
    /// Beyond 2^32 objects; every decoder's budget ends long before.
    pub fn add(&mut self, node: Node) -> NodeId {
        let id = u32::try_from(self.len()).expect("budgets end long before 2^32 objects");
        if self.nodes.is_empty() {
            self.nodes.reserve(FIRST_NODES);
        }
        self.nodes.push(node);
        NodeId(id)
    }

    /// An object added before.
    ///
    /// # Panics
    ///
    /// If the id is of another builder.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        match (id.index().checked_sub(self.base), &self.published) {
            (Some(position), _) => &self.nodes[position],
            (None, Some(graph)) => graph.node(id),
            (None, None) => unreachable!("nothing is published"),
        }
    }

    /// An object added before, to fill it.
    ///
    /// # Panics
    ///
    /// If it is published, or of another builder.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        let position = id.index().checked_sub(self.base).expect("what is published does not change");
        &mut self.nodes[position]
    }

    /// Whether an object can still be filled.
    #[must_use]
    pub fn is_open(&self, id: NodeId) -> bool {
        id.index() >= self.base
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.base + self.nodes.len()
    }

    /// Whether there are no objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends building: the value at this slot.
    #[must_use]
    pub fn finish(mut self, slot: Slot) -> Value {
        self.publish_at(slot)
    }

    /// As [`Builder::finish`], and building goes on.
    pub fn publish_at(&mut self, slot: Slot) -> Value {
        Value { graph: self.publish(), slot }
    }

    /// Makes everything that was added visible to whoever holds the graph, and gives the graph.
    pub fn publish(&mut self) -> Arc<Graph> {
        let nodes = std::mem::take(&mut self.nodes);
        self.base += nodes.len();
        match &self.published {
            Some(graph) => {
                if !nodes.is_empty() {
                    let later = graph.later.get_or_init(Box::default);
                    for node in nodes {
                        later.push(node);
                    }
                }
                Arc::clone(graph)
            }
            None => {
                let graph = Arc::new(Graph { first: nodes, later: OnceLock::new() });
                self.published = Some(Arc::clone(&graph));
                graph
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_grows_behind_those_who_hold_it() {
        let mut builder = Builder::new();
        let first = builder.add(Node::Array(Vec::new()));
        let graph = builder.publish();
        let mut ids = vec![first];
        for _ in 0..1000 {
            let last = *ids.last().unwrap();
            ids.push(builder.add(Node::Array(vec![Slot::Node(last)])));
            if ids.len() % 7 == 0 {
                builder.publish();
            }
        }
        builder.publish();

        assert_eq!((graph.len(), graph.nodes().count()), (1001, 1001));
        for pair in ids.windows(2) {
            let Node::Array(items) = graph.node(pair[1]) else { panic!() };
            assert!(matches!(items[..], [Slot::Node(id)] if id == pair[0]));
        }
    }

    #[test]
    fn what_is_published_is_read_and_not_filled() {
        let mut builder = Builder::new();
        let id = builder.add(Node::Error);
        builder.publish();
        let open = builder.add(Node::Error);
        assert!(matches!(builder.node(id), Node::Error));
        assert_eq!((builder.is_open(id), builder.is_open(open)), (false, true));
    }

    #[test]
    fn segments_follow_each_other_without_a_gap() {
        let mut next = (0, 0);
        for position in 0..10_000 {
            assert_eq!(Later::place(position), next, "{position}");
            next = if next.1 + 1 == SEGMENT_NODES << next.0 { (next.0 + 1, 0) } else { (next.0, next.1 + 1) };
        }
        assert!(Later::place(u32::MAX as usize).0 < SEGMENTS);
    }
}
