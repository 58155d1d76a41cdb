//! serde's `Deserializer` over a place in a value.

use serde::{
    Deserializer,
    de::{Visitor, value::BorrowedStrDeserializer},
    forward_to_deserialize_any,
};

use super::{
    DeError,
    access::{Items, Members, Pairs, Variant},
    error::{echo, quoted},
    kind_of,
    session::{Level, visit},
};
use crate::{
    Value,
    js::{JsString, handover},
    value::{Node, Promise, Slot},
};

/// A place in a value.
#[derive(Clone, Copy)]
pub(super) struct At<'de> {
    pub(super) value: &'de Value,
    pub(super) slot: &'de Slot,
}

impl<'de> At<'de> {
    pub(super) fn new(value: &'de Value) -> Self {
        Self { value, slot: value.slot() }
    }

    pub(super) fn to(self, slot: &'de Slot) -> Self {
        Self { slot, ..self }
    }

    pub(super) fn found(self) -> &'static str {
        kind_of(self.value, self.slot)
    }

    pub(super) fn mismatch(self, expected: &str) -> DeError {
        DeError::expected(expected, self.found())
    }

    pub(super) fn node(self) -> Option<&'de Node> {
        match self.slot {
            Slot::Node(id) => Some(self.value.graph().node(*id)),
            _ => None,
        }
    }

    /// Looks through promises, which are there or not by now, and pays for the visit.
    fn settled(mut self) -> Result<Self, DeError> {
        visit()?;
        while let Some(Node::Promise(promise)) = self.node() {
            visit()?;
            match promise {
                Promise::Fulfilled(slot) => self = self.to(slot),
                Promise::Rejected { .. } => return Err(DeError::problem("a promise that was rejected")),
            }
        }
        Ok(self)
    }

    fn text(self, expected: &str) -> Result<&'de str, DeError> {
        match self.slot {
            Slot::String(text) => text_of(text),
            _ => Err(self.mismatch(expected)),
        }
    }

    /// A whole number within a type's range, from a number or a big integer.
    fn integer<T: TryFrom<i128>>(
        self,
        min: impl std::fmt::Display,
        max: impl std::fmt::Display,
    ) -> Result<T, DeError> {
        let range = || format!("a whole number from {min} to {max}");
        let (number, shown) = match self.slot {
            // Above 2^53 a number that is whole need not be the one that was meant; its range still counts.
            Slot::Number(number) if number.trunc() == *number && number.abs() < 1e38 => {
                (Some(*number as i128), number.to_string())
            }
            Slot::Number(number) => (None, number.to_string()),
            Slot::BigInt(number) => (number.to_i128(), echo(number.as_str())),
            _ => return Err(self.mismatch(&range())),
        };
        let fits = number.and_then(|number| T::try_from(number).ok());
        fits.ok_or_else(|| DeError::expected(range(), shown))
    }
}

pub(super) fn text_of(text: &JsString) -> Result<&str, DeError> {
    text.as_str().ok_or_else(|| {
        DeError::expected("text", "a string with a lone surrogate; only a JsString can hold one")
    })
}

macro_rules! integers {
    ($($method:ident, $visit:ident, $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
            visitor.$visit(self.settled()?.integer::<$type>(<$type>::MIN, <$type>::MAX)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for At<'de> {
    type Error = DeError;

    integers! {
        deserialize_i8, visit_i8, i8;
        deserialize_i16, visit_i16, i16;
        deserialize_i32, visit_i32, i32;
        deserialize_i64, visit_i64, i64;
        deserialize_i128, visit_i128, i128;
        deserialize_u8, visit_u8, u8;
        deserialize_u16, visit_u16, u16;
        deserialize_u32, visit_u32, u32;
        deserialize_u64, visit_u64, u64;
        deserialize_u128, visit_u128, u128;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let at = self.settled()?;
        let id = match at.slot {
            Slot::Undefined | Slot::Null => return visitor.visit_unit(),
            Slot::Bool(value) => return visitor.visit_bool(*value),
            Slot::Number(number) => return any_number(*number, visitor),
            Slot::String(text) => return visitor.visit_borrowed_str(text_of(text)?),
            Slot::BigInt(number) => {
                return match number.to_i128() {
                    Some(number) => visitor.visit_i128(number),
                    None => Err(DeError::expected("a number", "a big integer of more than 128 bits")),
                };
            }
            Slot::Date(date) => {
                let iso = date.to_iso().ok_or_else(|| DeError::expected("a date", "an invalid date"))?;
                return visitor.visit_string(iso);
            }
            Slot::Symbol(_) => return Err(at.mismatch("a value")),
            Slot::Node(id) => id,
        };
        let _level = Level::enter()?;
        match at.value.graph().node(*id) {
            Node::Array(items) | Node::Set(items) | Node::Iterator(items) => {
                visitor.visit_seq(Items::new(at, items))
            }
            Node::Object(members) => visitor.visit_map(Members::new(at, members)),
            Node::Map(pairs) => visitor.visit_map(Pairs::new(at, pairs)),
            Node::Bytes(array) => visitor.visit_borrowed_bytes(&array.bytes),
            Node::Blob(blob) => visitor.visit_borrowed_bytes(&blob.bytes),
            _ => Err(at.mismatch("a plain value")),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let at = self.settled()?;
        match at.slot {
            Slot::Bool(value) => visitor.visit_bool(*value),
            _ => Err(at.mismatch("true or false")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let at = self.settled()?;
        match at.slot {
            Slot::Number(number) => visitor.visit_f64(*number),
            _ => Err(at.mismatch("a number")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_borrowed_str(self.settled()?.text("a character")?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_borrowed_str(self.settled()?.text("a string")?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let at = self.settled()?;
        match at.node() {
            Some(Node::Bytes(array)) => visitor.visit_borrowed_bytes(&array.bytes),
            Some(Node::Blob(blob)) => visitor.visit_borrowed_bytes(&blob.bytes),
            _ => Err(at.mismatch("binary data")),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let at = self.settled()?;
        match at.slot {
            Slot::Undefined | Slot::Null => visitor.visit_none(),
            _ => visitor.visit_some(at),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let at = self.settled()?;
        match at.slot {
            Slot::Undefined | Slot::Null => visitor.visit_unit(),
            _ => Err(at.mismatch("null or undefined")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match name {
            handover::VALUE => {
                visit()?;
                handover::put(self.value.at(self.slot));
                visitor.visit_unit().map_err(|flat| handover::take_error().unwrap_or(flat))
            }
            handover::MAP => {
                let at = self.settled()?;
                match at.node() {
                    Some(Node::Map(pairs)) => visitor.visit_newtype_struct(Pairs::new(at, pairs)),
                    _ => Err(at.mismatch("a map")),
                }
            }
            handover::SET => {
                let at = self.settled()?;
                match at.node() {
                    Some(Node::Set(_)) => visitor.visit_newtype_struct(at),
                    _ => Err(at.mismatch("a set")),
                }
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let at = self.settled()?;
        let _level = Level::enter()?;
        match at.node() {
            Some(Node::Array(items) | Node::Set(items) | Node::Iterator(items)) => {
                visitor.visit_seq(Items::new(at, items))
            }
            Some(Node::Map(pairs)) => visitor.visit_seq(Pairs::new(at, pairs)),
            _ => Err(at.mismatch("an array")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let at = self.settled()?;
        let _level = Level::enter()?;
        match at.node() {
            Some(Node::Object(members)) => visitor.visit_map(Members::new(at, members)),
            Some(Node::Map(pairs)) => visitor.visit_map(Pairs::new(at, pairs)),
            _ => Err(at.mismatch("an object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let at = self.settled()?;
        let _level = Level::enter()?;
        match (at.slot, at.node()) {
            (Slot::String(text), _) => visitor.visit_enum(BorrowedStrDeserializer::new(text_of(text)?)),
            (_, Some(Node::Object(members))) => match members.as_slice() {
                [(name, slot)] => visitor.visit_enum(Variant::new(text_of(name)?, at.to(slot))),
                _ => Err(DeError::expected(
                    "an object with one member, the variant's name",
                    format_args!("{} members", members.len()),
                )),
            },
            _ => {
                let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
                Err(at.mismatch(&format!("one of {}", names.join(", "))))
            }
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        // Not looked at: what nobody wants may be anything.
        visitor.visit_unit()
    }
}

fn any_number<'de, V: Visitor<'de>>(number: f64, visitor: V) -> Result<V::Value, DeError> {
    /// 2^53: up to here a number in JavaScript is the integer that was meant.
    const SAFE: f64 = 9_007_199_254_740_992.0;
    let is_negative_zero = number == 0.0 && number.is_sign_negative();
    if number.trunc() != number || number.abs() > SAFE || is_negative_zero {
        visitor.visit_f64(number)
    } else if number < 0.0 {
        visitor.visit_i64(number as i64)
    } else {
        visitor.visit_u64(number as u64)
    }
}

/// A map's pairs where a newtype asks for the sequence of them.
impl<'de> Deserializer<'de> for Pairs<'de> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let _level = Level::enter()?;
        visitor.visit_seq(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
