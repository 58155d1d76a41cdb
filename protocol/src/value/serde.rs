//! Any value through serde. Our own formats pass it whole; others see a tree, as `JSON.stringify` would make it.

use std::{collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
    ser::Error,
};

use super::{ArrayKind, Builder, Node, Promise, Slot, TypedArray};
use crate::{
    Value,
    de::{Budget, DeError, Limits, Problem, Walk},
    js::{BigInt, JsString, handover},
};

/// In JavaScript: the value itself, with its sharing and cycles. Other formats: a tree, in which shared objects are
/// repeated and cycles are an error.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let walk = Walk::new(self, Budget::new(Limits::default()));
        handover::serialize(serializer, self.clone(), Tree { walk: &walk, slot: self.slot() })
    }
}

/// Part of a value, as another format sees it. The walk sees to it that sharing and cycles end.
#[derive(Clone, Copy)]
struct Tree<'v, 'w> {
    walk: &'w Walk<'v>,
    slot: &'v Slot,
}

impl<'v> Tree<'v, '_> {
    /// Another part of the value.
    fn part(self, slot: &'v Slot) -> Self {
        Self { slot, ..self }
    }

    fn node<S: Serializer>(self, node: &'v Node, serializer: S) -> Result<S::Ok, S::Error> {
        match node {
            Node::Array(items) | Node::Set(items) | Node::Iterator(items) => {
                serializer.collect_seq(items.iter().map(|slot| self.part(slot)))
            }
            Node::Object(members) => serializer
                .collect_map(members.iter().map(|(key, slot)| (key.to_text_lossy(), self.part(slot)))),
            Node::Map(entries) => {
                serializer.collect_seq(entries.iter().map(|(key, value)| (self.part(key), self.part(value))))
            }
            Node::FormData(entries) => {
                serializer.collect_seq(entries.iter().map(|(name, slot)| (name, self.part(slot))))
            }
            Node::Bytes(array) => {
                self.walk.charge_bytes(array.bytes.len()).map_err(refused)?;
                array.serialize(serializer)
            }
            Node::Blob(blob) => {
                let bytes = usize::try_from(blob.content.len()).unwrap_or(usize::MAX);
                self.walk.charge_bytes(bytes).map_err(refused)?;
                blob.serialize(serializer)
            }
            Node::Promise(promise) | Node::Lazy(promise) => match promise.now() {
                Promise::Fulfilled(slot) => self.part(slot).serialize(serializer),
                Promise::Rejected { .. } | Promise::Pending(_) => {
                    Err(S::Error::custom("a promise without a value has no form here"))
                }
            },
            Node::Stream(_)
            | Node::ServerReference { .. }
            | Node::Temporary { .. }
            | Node::Element { .. }
            | Node::ClientReference { .. }
            | Node::Error => {
                Err(S::Error::custom(format_args!("{} has no form here", self.walk.value(self.slot).kind())))
            }
        }
    }
}

/// Why the walk went no further.
#[cold]
#[expect(clippy::needless_pass_by_value, reason = "called as the argument of map_err")]
fn refused<E: Error>(error: DeError) -> E {
    match error.problem() {
        Problem::Cycle => E::custom("a value that contains itself has no form here"),
        other => E::custom(other),
    }
}

impl Serialize for Tree<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.walk.charge(1).map_err(refused)?;
        match self.slot {
            Slot::Undefined | Slot::Null => serializer.serialize_unit(),
            Slot::Bool(truth) => serializer.serialize_bool(*truth),
            Slot::Number(number) => serialize_number(*number, serializer),
            Slot::String(text) => {
                self.walk.charge_bytes(text.size_bytes()).map_err(refused)?;
                text.serialize(serializer)
            }
            Slot::BigInt(integer) => integer.serialize(serializer),
            Slot::Date(date) => date.serialize(serializer),
            Slot::Symbol(_) => Err(S::Error::custom("a symbol has no form here")),
            Slot::Node(id) => {
                let _level = self.walk.enter(*id).map_err(refused)?;
                self.node(self.walk.node(*id), serializer)
            }
        }
    }
}

/// Integers as integers: `1` and not `1.0`, as JavaScript writes it.
fn serialize_number<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    const SAFE_INTEGER_MAX: f64 = 9_007_199_254_740_991.0;
    let negative_zero = number == 0.0 && number.is_sign_negative();
    if number.fract() == 0.0 && number.abs() <= SAFE_INTEGER_MAX && !negative_zero {
        serializer.serialize_i64(number as i64)
    } else {
        serializer.serialize_f64(number)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(handover::VALUE, ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if let Some(value) = handover::take() {
            return Ok(value);
        }
        let mut builder = Builder::new();
        let slot = Grow(&mut builder).deserialize(deserializer)?;
        Ok(builder.finish(slot))
    }
}

/// Adds a value of another format to an arena.
struct Grow<'b>(&'b mut Builder);

impl<'de> DeserializeSeed<'de> for Grow<'_> {
    type Value = Slot;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Slot, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Grow<'_> {
    fn big_integer(number: impl Into<BigInt>) -> Slot {
        Slot::BigInt(number.into())
    }
}

impl<'de> Visitor<'de> for Grow<'_> {
    type Value = Slot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Slot, E> {
        Ok(Slot::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Slot, E> {
        Ok(Slot::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Slot, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Slot, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Slot, E> {
        Ok(Slot::Bool(truth))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Slot, E> {
        Ok(Slot::Number(number))
    }

    /// A JavaScript number, rounded as JavaScript rounds it when it parses JSON.
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Slot, E> {
        Ok(Slot::Number(number as f64))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Slot, E> {
        Ok(Slot::Number(number as f64))
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Slot, E> {
        Ok(Self::big_integer(number))
    }

    fn visit_u128<E: de::Error>(self, number: u128) -> Result<Slot, E> {
        Ok(Self::big_integer(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Slot, E> {
        Ok(Slot::String(text.into()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Slot, E> {
        Ok(Slot::String(text.into()))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Slot, E> {
        self.visit_byte_buf(bytes.to_owned())
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Slot, E> {
        let array = TypedArray { kind: ArrayKind::Uint8, bytes: bytes.into() };
        Ok(Slot::Node(self.0.add(Node::Bytes(array))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Slot, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(Grow(self.0))? {
            items.push(item);
        }
        Ok(Slot::Node(self.0.add(Node::Array(items))))
    }

    /// Of a key that comes twice the last value counts and the first place, as in JavaScript.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slot, A::Error> {
        let mut members: Vec<(JsString, Slot)> = Vec::new();
        let mut places = HashMap::new();
        while let Some(key) = map.next_key::<JsString>()? {
            let slot = map.next_value_seed(Grow(self.0))?;
            let place = *places.entry(key.clone()).or_insert(members.len());
            match members.get_mut(place) {
                Some((_, earlier)) => *earlier = slot,
                None => members.push((key, slot)),
            }
        }
        Ok(Slot::Node(self.0.add(Node::Object(members))))
    }
}
