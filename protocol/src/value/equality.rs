//! When two values are the same: the same contents *and* the same sharing.

use std::collections::HashMap;

use super::{Items, Node, NodeId, Promise, Slot, Stream, StreamEnd, Value};

/// Compares contents and identity: `[a, a]` with one object twice differs from two equal objects, and cycles end.
/// Members of plain objects compare without order, as JavaScript reorders integer keys; `NaN` equals itself and
/// `-0` differs from `0` (`Object.is`).
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = Pairs { left: HashMap::new(), right: HashMap::new(), todo: Vec::new() };
        if !pairs.slots(&self.slot, &other.slot) {
            return false;
        }
        while let Some((left, right)) = pairs.todo.pop() {
            if !pairs.nodes(self.graph.node(left), other.graph.node(right)) {
                return false;
            }
        }
        true
    }
}

/// The objects met so far, each with its counterpart, and those whose contents are still to be compared.
struct Pairs {
    left: HashMap<NodeId, NodeId>,
    right: HashMap<NodeId, NodeId>,
    todo: Vec<(NodeId, NodeId)>,
}

impl Pairs {
    fn slots(&mut self, left: &Slot, right: &Slot) -> bool {
        match (left, right) {
            (Slot::Undefined, Slot::Undefined) | (Slot::Null, Slot::Null) => true,
            (Slot::Bool(a), Slot::Bool(b)) => a == b,
            (Slot::Number(a), Slot::Number(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Slot::String(a), Slot::String(b)) | (Slot::Symbol(a), Slot::Symbol(b)) => a == b,
            (Slot::BigInt(a), Slot::BigInt(b)) => a == b,
            (Slot::Date(a), Slot::Date(b)) => a == b,
            (Slot::Node(a), Slot::Node(b)) => self.ids(*a, *b),
            _ => false,
        }
    }

    fn ids(&mut self, left: NodeId, right: NodeId) -> bool {
        match (self.left.get(&left), self.right.get(&right)) {
            (None, None) => {
                self.left.insert(left, right);
                self.right.insert(right, left);
                self.todo.push((left, right));
                true
            }
            (Some(known), Some(_)) => *known == right,
            _ => false,
        }
    }

    fn lists(&mut self, left: &[Slot], right: &[Slot]) -> bool {
        left.len() == right.len() && left.iter().zip(right).all(|(a, b)| self.slots(a, b))
    }

    fn promises(&mut self, left: &Promise, right: &Promise) -> bool {
        match (left.now(), right.now()) {
            (Promise::Fulfilled(a), Promise::Fulfilled(b)) => self.slots(a, b),
            (Promise::Rejected { digest: a }, Promise::Rejected { digest: b }) => a == b,
            (Promise::Pending(a), Promise::Pending(b)) => a == b,
            _ => false,
        }
    }

    /// Streams that may still grow are equal to themselves alone.
    fn streams(&mut self, left: &Stream, right: &Stream) -> bool {
        left.kind == right.kind
            && match (&left.items, &right.items) {
                (Items::Complete { items: a, end }, Items::Complete { items: b, end: other }) => {
                    self.lists(a, b)
                        && match (end, other) {
                            (StreamEnd::Closed, StreamEnd::Closed) => true,
                            (StreamEnd::Returned(a), StreamEnd::Returned(b)) => self.slots(a, b),
                            (StreamEnd::Errored { digest: a }, StreamEnd::Errored { digest: b }) => a == b,
                            _ => false,
                        }
                }
                (Items::Live(a), Items::Live(b)) => a == b,
                _ => false,
            }
    }

    fn nodes(&mut self, left: &Node, right: &Node) -> bool {
        match (left, right) {
            (Node::Array(a), Node::Array(b))
            | (Node::Set(a), Node::Set(b))
            | (Node::Iterator(a), Node::Iterator(b)) => self.lists(a, b),
            (Node::Object(a), Node::Object(b)) => {
                let by_key: HashMap<_, _> = b.iter().map(|(key, slot)| (key, slot)).collect();
                a.len() == b.len()
                    && a.iter()
                        .all(|(key, slot)| by_key.get(key).is_some_and(|other| self.slots(slot, other)))
            }
            (Node::Map(a), Node::Map(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|((k, v), (l, w))| self.slots(k, l) && self.slots(v, w))
            }
            (Node::Bytes(a), Node::Bytes(b)) => a == b,
            (Node::Blob(a), Node::Blob(b)) => a == b,
            (Node::FormData(a), Node::FormData(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((k, v), (l, w))| k == l && self.slots(v, w))
            }
            (Node::Promise(a), Node::Promise(b)) | (Node::Lazy(a), Node::Lazy(b)) => self.promises(a, b),
            (Node::Stream(a), Node::Stream(b)) => self.streams(a, b),
            (Node::ServerReference { id: a, bound: x }, Node::ServerReference { id: b, bound: y }) => {
                a == b
                    && match (x, y) {
                        (None, None) => true,
                        (Some(x), Some(y)) => self.lists(x, y),
                        _ => false,
                    }
            }
            (Node::Temporary { path: a }, Node::Temporary { path: b }) => a == b,
            (Node::Element { kind, key, props }, Node::Element { kind: k, key: l, props: p }) => {
                self.slots(kind, k) && self.slots(key, l) && self.slots(props, p)
            }
            (Node::ClientReference { module, name }, Node::ClientReference { module: m, name: n }) => {
                module == m && name == n
            }
            (Node::Error, Node::Error) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Builder;
    use super::*;

    fn pair(shared: bool) -> Value {
        let mut builder = Builder::new();
        let first = builder.add(Node::Array(Vec::new()));
        let second = if shared { first } else { builder.add(Node::Array(Vec::new())) };
        let root = builder.add(Node::Array(vec![Slot::Node(first), Slot::Node(second)]));
        builder.finish(Slot::Node(root))
    }

    #[test]
    fn sharing_is_part_of_the_value() {
        assert_eq!(pair(true), pair(true));
        assert_eq!(pair(false), pair(false));
        assert_ne!(pair(true), pair(false));
        assert_ne!(pair(false), pair(true));
    }

    #[test]
    fn comparing_cycles_ends() {
        let cycle = || {
            let mut builder = Builder::new();
            let root = builder.add(Node::Array(Vec::new()));
            *builder.node_mut(root) = Node::Array(vec![Slot::Node(root)]);
            builder.finish(Slot::Node(root))
        };
        assert_eq!(cycle(), cycle());
    }
}
