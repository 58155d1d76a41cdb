//! A [`Value`] in the middle of Rust types: it passes through our own (de)serializers with its sharing; elsewhere it
//! is a plain tree.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};

use super::{Node, Promise, Slot, Value};
use crate::{
    de,
    js::{JsString, handover},
};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        handover::send(serializer, self.clone(), &Tree { value: self, slot: self.slot(), levels: 0 })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::receive(deserializer, "a value", |value| Ok::<_, std::convert::Infallible>(value.clone()))
    }
}

/// A value as JSON would have it: no sharing, dates and big integers as text, `undefined` as null.
struct Tree<'v> {
    value: &'v Value,
    slot: &'v Slot,
    levels: usize,
}

impl Tree<'_> {
    fn at<'t>(&'t self, slot: &'t Slot) -> Tree<'t> {
        Tree { value: self.value, slot, levels: self.levels + 1 }
    }

    fn list<S: Serializer>(&self, serializer: S, items: &[Slot]) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(items.iter().map(|slot| self.at(slot)))
    }

    fn members<S: Serializer>(&self, serializer: S, members: &[(JsString, Slot)]) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(members.len()))?;
        for (key, slot) in members {
            map.serialize_entry(&*key.to_text_lossy(), &self.at(slot))?;
        }
        map.end()
    }
}

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.levels > de::DEPTH_MAX {
            return Err(S::Error::custom("nested too deeply, or a cycle"));
        }
        let id = match self.slot {
            Slot::Undefined | Slot::Null => return serializer.serialize_unit(),
            Slot::Bool(value) => return serializer.serialize_bool(*value),
            Slot::Number(number) => return number_as_json(*number, serializer),
            Slot::String(text) | Slot::Symbol(text) => {
                return serializer.serialize_str(&text.to_text_lossy());
            }
            Slot::BigInt(number) => return serializer.serialize_str(number.as_str()),
            Slot::Date(date) => return date.to_iso().serialize(serializer),
            Slot::Node(id) => *id,
        };
        match self.value.graph().node(id) {
            Node::Array(items) | Node::Set(items) | Node::Iterator(items) => self.list(serializer, items),
            Node::Object(members) => self.members(serializer, members),
            Node::FormData(entries) => serializer
                .collect_seq(entries.iter().map(|(name, slot)| (name.to_text_lossy(), self.at(slot)))),
            Node::Map(pairs) => {
                serializer.collect_seq(pairs.iter().map(|(key, value)| (self.at(key), self.at(value))))
            }
            Node::Bytes(array) => serializer.serialize_bytes(&array.bytes),
            Node::Blob(blob) => serializer.serialize_bytes(&blob.bytes),
            Node::Promise(Promise::Fulfilled(slot)) | Node::Lazy(Promise::Fulfilled(slot)) => {
                self.at(slot).serialize(serializer)
            }
            _ => Err(S::Error::custom(format_args!("{} has no plain form", self.value.at(self.slot).kind()))),
        }
    }
}

/// A whole number as one, so that it prints as in JavaScript.
fn number_as_json<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    let safe = number.trunc() == number && number.abs() < 9_007_199_254_740_992.0;
    if safe { serializer.serialize_i64(number as i64) } else { serializer.serialize_f64(number) }
}
