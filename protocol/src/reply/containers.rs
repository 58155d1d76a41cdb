//! Maps, sets and iterators, made of the arrays that their references name.

use std::collections::HashMap;

use super::{ReplyError, ReplyErrorKind, decoder::Decoder, tag::Made};
use crate::{
    js::{BigInt, JsString},
    value::{Node, NodeId, Slot},
};

/// What `Map` and `Set` take for the same key: `NaN` equals itself, and `-0` equals `0`.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Undefined,
    Null,
    Bool(bool),
    Number(u64),
    String(JsString),
    BigInt(BigInt),
    Node(NodeId),
}

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
        let items = items.clone();
        self.budget.spend(items.len(), &self.limits)?;
        Ok(match made {
            Made::Map => Node::Map(self.entries(&items).ok_or(ReplyErrorKind::Initializer { what })?),
            Made::Set => {
                let values = items.into_iter().map(|item| (item, ())).collect();
                Node::Set(unique(values).into_iter().map(|(item, ())| item).collect())
            }
            _ => Node::Iterator(items),
        })
    }

    /// The entries of a map: each item is an array, or an object with members `0` and `1`.
    fn entries(&mut self, items: &[Slot]) -> Option<Vec<(Slot, Slot)>> {
        let names = [JsString::from("0"), JsString::from("1")];
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

/// Keeps each key once, at its first place, with its last value.
fn unique<V>(entries: Vec<(Slot, V)>) -> Vec<(Slot, V)> {
    let mut places: HashMap<Key, usize> = HashMap::with_capacity(entries.len());
    let mut kept: Vec<(Slot, V)> = Vec::with_capacity(entries.len());
    for (slot, value) in entries {
        let (slot, key) = key(slot);
        let place = key.map(|key| *places.entry(key).or_insert(kept.len()));
        match place.and_then(|place| kept.get_mut(place)) {
            Some(first) => first.1 = value,
            None => kept.push((slot, value)),
        }
    }
    kept
}

/// A key as it is stored, and what it is compared by; dates are objects of their own, each equal to no other.
fn key(slot: Slot) -> (Slot, Option<Key>) {
    let key = match &slot {
        Slot::Undefined => Key::Undefined,
        Slot::Null => Key::Null,
        Slot::Bool(truth) => Key::Bool(*truth),
        Slot::Number(number) => {
            // Adding zero turns -0 into 0.
            let number = if number.is_nan() { f64::NAN } else { number + 0.0 };
            return (Slot::Number(number), Some(Key::Number(number.to_bits())));
        }
        Slot::String(text) => Key::String(text.clone()),
        Slot::BigInt(number) => Key::BigInt(number.clone()),
        Slot::Node(node) => Key::Node(*node),
        Slot::Date(_) | Slot::Symbol(_) => return (slot, None),
    };
    (slot, Some(key))
}
