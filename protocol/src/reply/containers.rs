//! Maps, sets and iterators, made of the arrays that their references name.

use bytestring::ByteString;

use super::{ReplyError, ReplyErrorKind, decoder::Decoder, keys, tag::Made};
use crate::{
    js::JsString,
    value::{Node, NodeId, Slot},
};

impl Decoder {
    /// Makes the maps, sets and iterators of a unit, in the order they were met.
    pub(super) fn make_containers_from(&mut self, first: usize) -> Result<(), ReplyError> {
        for pending in first..self.pending.len() {
            let Some(node) = self.pending[pending].node else { continue };
            let made = self.pending[pending].made;
            let source =
                self.resolved(u32::try_from(pending).expect("references are limited far below 2^32"));
            let container = self.container(made, &source).map_err(|kind| self.at(pending, kind))?;
            *self.builder.node_mut(node) = container;
        }
        Ok(())
    }

    fn container(&mut self, made: Made, source: &Slot) -> Result<Node, ReplyErrorKind> {
        let what = match made {
            Made::Map => "a map",
            Made::Set => "a set",
            _ => "an iterator",
        };
        let Slot::Node(array) = *source else { return Err(ReplyErrorKind::Initializer { what }) };
        let Node::Array(items) = self.builder.node(array) else {
            return Err(ReplyErrorKind::Initializer { what });
        };
        // Marked before the work: a part is read once, whatever comes of it.
        if self.consumed.len() <= array.index() {
            self.consumed.resize(array.index() + 1, false);
        }
        if std::mem::replace(&mut self.consumed[array.index()], true) {
            return Err(ReplyErrorKind::UsedTwice { what });
        }
        self.budget.spend(items.len(), &self.limits)?;
        Ok(match made {
            Made::Map => Node::Map(self.entries(array).ok_or(ReplyErrorKind::Initializer { what })?),
            Made::Set => {
                let values = items.iter().map(|item| (item.clone(), ())).collect();
                Node::Set(unique(values).into_iter().map(|(item, ())| item).collect())
            }
            _ => Node::Iterator(items.clone()),
        })
    }

    /// The entries of a map: each item is an array, or an object with members `0` and `1`.
    fn entries(&mut self, array: NodeId) -> Option<Vec<(Slot, Slot)>> {
        let names = ["0", "1"].map(|name| JsString::from(ByteString::from_static(name)));
        let Node::Array(items) = self.builder.node(array) else { return None };
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            let Slot::Node(node) = *item else { return None };
            let pair = match self.builder.node(node) {
                Node::Array(pair) => [pair.first().cloned(), pair.get(1).cloned()],
                Node::Object(members) => names.each_ref().map(|name| {
                    let at = self.tables.find(node, members, name, &mut self.budget)?;
                    Some(members[at as usize].1.clone())
                }),
                _ => [None, None],
            };
            let [key, value] = pair.map(|slot| slot.unwrap_or(Slot::Undefined));
            entries.push((key, value));
        }
        Some(unique(entries))
    }
}

/// As [`keys::keep_last`], with keys as a map or set stores them: it has no `-0`.
fn unique<V>(mut entries: Vec<(Slot, V)>) -> Vec<(Slot, V)> {
    for (key, _) in &mut entries {
        if let Slot::Number(number) = key {
            *number += 0.0;
        }
    }
    keys::keep_last(&mut entries, keys::of_slot);
    entries
}
