//! The end of reading: promises, lazy values, client modules and bound arguments get their contents.

use std::collections::HashSet;

use super::{ChunkId, ParseError, Reader, Rejection};
use crate::{
    js::JsString,
    value::{Node, NodeId, Promise, Slot},
};

impl Reader<'_> {
    /// Completes what had to wait until every reference was linked.
    pub(super) fn settle(&mut self) -> Result<(), ParseError> {
        self.drop_undefined_members();
        self.fill_streams();
        for (element, digest) in std::mem::take(&mut self.broken_elements) {
            *self.builder.node_mut(element) = Node::Lazy(Promise::Rejected { digest });
        }
        for (module, description) in std::mem::take(&mut self.modules) {
            if let Some(named) = self.client_reference(&description) {
                *self.builder.node_mut(module) = named;
            }
        }
        for (node, row) in std::mem::take(&mut self.lazies) {
            *self.builder.node_mut(node) = Node::Lazy(self.outcome(row));
        }
        let promises: Vec<(ChunkId, NodeId)> = std::mem::take(&mut self.promises).into_iter().collect();
        for (row, node) in &promises {
            *self.builder.node_mut(*node) = Node::Promise(self.outcome(*row));
        }
        for (_, node) in promises {
            self.flatten(node);
        }
        for (reference, arguments) in std::mem::take(&mut self.bound) {
            let arguments = self.arguments(&arguments).ok_or(ParseError::Bound)?;
            self.charge(arguments.len())?;
            if let Node::ServerReference { bound, .. } = self.builder.node_mut(reference) {
                *bound = Some(arguments);
            }
        }
        Ok(())
    }

    /// What came of a row.
    fn outcome(&self, row: ChunkId) -> Promise {
        match self.rejected.get(&row) {
            Some(digest) => Promise::Rejected { digest: digest.clone() },
            None => Promise::Fulfilled(self.roots.get(&row).cloned().unwrap_or(Slot::Null)),
        }
    }

    /// Objects have no members that are undefined.
    fn drop_undefined_members(&mut self) {
        self.with_undefined.sort_unstable();
        self.with_undefined.dedup();
        for node in std::mem::take(&mut self.with_undefined) {
            if let Node::Object(members) = self.builder.node_mut(node) {
                members.retain(|(_, slot)| !matches!(slot, Slot::Undefined));
            }
        }
    }

    /// A promise of a promise settles as the inner one does. One that leads back to itself never does; here it is
    /// rejected.
    fn flatten(&mut self, first: NodeId) {
        let mut chain = HashSet::new();
        let mut last = first;
        let end: Result<Slot, Rejection> = loop {
            match self.builder.node(last) {
                Node::Promise(Promise::Fulfilled(Slot::Node(next)))
                    if matches!(self.builder.node(*next), Node::Promise(_)) =>
                {
                    if !chain.insert(last) {
                        break Err(None);
                    }
                    last = *next;
                }
                Node::Promise(Promise::Fulfilled(slot)) => break Ok(slot.clone()),
                Node::Promise(Promise::Rejected { digest }) => break Err(digest.clone()),
                _ => return,
            }
        };
        for promise in chain {
            *self.builder.node_mut(promise) = Node::Promise(match &end {
                Ok(slot) => Promise::Fulfilled(slot.clone()),
                Err(digest) => Promise::Rejected { digest: digest.clone() },
            });
        }
    }

    /// The names in the description of a client module: `[module, chunks, name, async]`.
    fn client_reference(&self, description: &Slot) -> Option<Node> {
        let Slot::Node(node) = description else { return None };
        let Node::Array(items) = self.builder.node(*node) else { return None };
        let text = |slot: &Slot| match slot {
            Slot::String(text) => Some(text.clone()),
            Slot::Number(number) => Some(JsString::from(ryu_js::Buffer::new().format(*number))),
            _ => None,
        };
        Some(Node::ClientReference { module: text(items.first()?)?, name: text(items.get(2)?)? })
    }

    /// The items of an array, or of a promise of one.
    fn arguments(&self, bound: &Slot) -> Option<Vec<Slot>> {
        let Slot::Node(node) = bound else { return None };
        match self.builder.node(*node) {
            Node::Array(items) => Some(items.clone()),
            Node::Promise(Promise::Fulfilled(Slot::Node(inner))) => match self.builder.node(*inner) {
                Node::Array(items) => Some(items.clone()),
                _ => None,
            },
            _ => None,
        }
    }
}
