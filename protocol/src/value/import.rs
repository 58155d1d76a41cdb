//! One arena into another: how the parts of a call that were decoded apart become one value.

use super::{Builder, Items, Node, NodeId, Promise, Slot, Stream, StreamEnd, Value};

impl Builder {
    /// Copies a value with its whole arena, and gives the slot that names it here. Sharing inside it is kept.
    ///
    /// # Panics
    ///
    /// If the value is still growing: what comes later would name objects of the other arena.
    pub fn import(&mut self, value: &Value) -> Slot {
        let offset = self.len() as u32;
        let moved = |slot: &mut Slot| {
            if let Slot::Node(id) = slot {
                *id = NodeId(id.0 + offset);
            }
        };
        for node in value.graph().nodes() {
            let mut node = node.clone();
            node.each_slot(moved);
            self.add(node);
        }
        let mut slot = value.slot().clone();
        moved(&mut slot);
        slot
    }
}

impl Node {
    /// Visits every slot that stands in this object.
    fn each_slot(&mut self, visit: impl Fn(&mut Slot)) {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Iterator(items) => items.iter_mut().for_each(visit),
            Self::Object(members) | Self::FormData(members) => {
                members.iter_mut().map(|(_, slot)| slot).for_each(visit);
            }
            Self::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
                visit(key);
                visit(value);
            }),
            Self::Promise(promise) | Self::Lazy(promise) => match promise {
                Promise::Fulfilled(slot) => visit(slot),
                Promise::Rejected { .. } => {}
                Promise::Pending(_) => panic!("a value that is still growing cannot be copied"),
            },
            Self::Stream(Stream { items, .. }) => match items {
                Items::Complete { items, end } => {
                    items.iter_mut().for_each(&visit);
                    if let StreamEnd::Returned(slot) = end {
                        visit(slot);
                    }
                }
                Items::Live(_) => panic!("a value that is still growing cannot be copied"),
            },
            Self::ServerReference { bound, .. } => bound.iter_mut().flatten().for_each(visit),
            Self::Element { kind, key, props } => [kind, key, props].into_iter().for_each(visit),
            Self::Bytes(_)
            | Self::Blob(_)
            | Self::Temporary { .. }
            | Self::ClientReference { .. }
            | Self::Error => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imported_value_keeps_its_sharing() {
        let mut builder = Builder::new();
        let shared = builder.add(Node::Array(Vec::new()));
        let root = builder.add(Node::Array(vec![Slot::Node(shared), Slot::Node(shared)]));
        let value = builder.finish(Slot::Node(root));

        let mut other = Builder::new();
        other.add(Node::Error);
        let slot = other.import(&value);

        assert_eq!(other.finish(slot), value);
    }
}
