//! What is inside an object, item by item; each error on its way out learns where it was.

use std::slice;

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::BorrowedStrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{
    DeError,
    deserializer::{At, text_of},
    error::quoted,
};
use crate::{js::JsString, value::Slot};

/// The items of an array.
pub(super) struct Items<'de> {
    at: At<'de>,
    items: slice::Iter<'de, Slot>,
    index: usize,
}

impl<'de> Items<'de> {
    pub(super) fn new(at: At<'de>, items: &'de [Slot]) -> Self {
        Self { at, items: items.iter(), index: 0 }
    }
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some(slot) = self.items.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(self.at.to(slot)).map(Some).map_err(|error| error.at_index(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The members of an object. One that is undefined is absent.
pub(super) struct Members<'de> {
    at: At<'de>,
    members: slice::Iter<'de, (JsString, Slot)>,
    current: Option<&'de (JsString, Slot)>,
}

impl<'de> Members<'de> {
    pub(super) fn new(at: At<'de>, members: &'de [(JsString, Slot)]) -> Self {
        Self { at, members: members.iter(), current: None }
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        self.current = self.members.find(|(_, slot)| !matches!(slot, Slot::Undefined));
        let Some((key, _)) = self.current else { return Ok(None) };
        seed.deserialize(Key(text_of(key)?)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, DeError> {
        let (key, slot) = self.current.expect("serde asks for a value after its key");
        seed.deserialize(self.at.to(slot)).map_err(|error| error.at_key(&key.to_text_lossy()))
    }
}

/// An object's key: text, which a map with other keys reads as a number or a truth value.
struct Key<'de>(&'de str);

macro_rules! parsed_keys {
    ($($method:ident, $visit:ident, $expected:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
            match self.0.parse() {
                Ok(key) => visitor.$visit(key),
                Err(_) => Err(DeError::expected(concat!("a key that is ", $expected), quoted(self.0))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = DeError;

    parsed_keys! {
        deserialize_i8, visit_i8, "a whole number from -128 to 127";
        deserialize_i16, visit_i16, "a whole number of 16 bits";
        deserialize_i32, visit_i32, "a whole number of 32 bits";
        deserialize_i64, visit_i64, "a whole number of 64 bits";
        deserialize_i128, visit_i128, "a whole number of 128 bits";
        deserialize_u8, visit_u8, "a whole number from 0 to 255";
        deserialize_u16, visit_u16, "a positive whole number of 16 bits";
        deserialize_u32, visit_u32, "a positive whole number of 32 bits";
        deserialize_u64, visit_u64, "a positive whole number of 64 bits";
        deserialize_u128, visit_u128, "a positive whole number of 128 bits";
        deserialize_bool, visit_bool, "true or false";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// The pairs of a map, as pairs or as members.
pub(super) struct Pairs<'de> {
    at: At<'de>,
    pairs: slice::Iter<'de, (Slot, Slot)>,
    current: Option<&'de (Slot, Slot)>,
    index: usize,
}

impl<'de> Pairs<'de> {
    pub(super) fn new(at: At<'de>, pairs: &'de [(Slot, Slot)]) -> Self {
        Self { at, pairs: pairs.iter(), current: None, index: 0 }
    }

    fn next(&mut self) -> Option<&'de (Slot, Slot)> {
        self.current = self.pairs.next();
        self.index += 1;
        self.current
    }
}

impl<'de> SeqAccess<'de> for Pairs<'de> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some((key, value)) = self.next() else { return Ok(None) };
        let index = self.index - 1;
        let pair = Pair { at: self.at, key: Some(key), value: Some(value) };
        seed.deserialize(pair).map(Some).map_err(|error| error.at_index(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.pairs.len())
    }
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        let Some((key, _)) = self.next() else { return Ok(None) };
        let index = self.index - 1;
        seed.deserialize(self.at.to(key)).map(Some).map_err(|error| error.at_index(index))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, DeError> {
        let (key, value) = self.current.expect("serde asks for a value after its key");
        seed.deserialize(self.at.to(value)).map_err(|error| match key {
            Slot::String(key) => error.at_key(&key.to_text_lossy()),
            _ => error.at_index(self.index - 1),
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.pairs.len())
    }
}

/// One pair of a map.
struct Pair<'de> {
    at: At<'de>,
    key: Option<&'de Slot>,
    value: Option<&'de Slot>,
}

impl<'de> SeqAccess<'de> for Pair<'de> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let (slot, index) = match (self.key.take(), self.value) {
            (Some(key), _) => (key, 0),
            (None, Some(value)) => {
                self.value = None;
                (value, 1)
            }
            (None, None) => return Ok(None),
        };
        seed.deserialize(self.at.to(slot)).map(Some).map_err(|error| error.at_index(index))
    }
}

impl<'de> Deserializer<'de> for Pair<'de> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_seq(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// An enum's variant with content.
pub(super) struct Variant<'de> {
    name: &'de str,
    content: At<'de>,
}

impl<'de> Variant<'de> {
    pub(super) fn new(name: &'de str, content: At<'de>) -> Self {
        Self { name, content }
    }
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = DeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), DeError> {
        Ok((seed.deserialize(IntoDeserializer::<DeError>::into_deserializer(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = DeError;

    fn unit_variant(self) -> Result<(), DeError> {
        serde::Deserialize::deserialize(self.content).map_err(|error: DeError| error.at_key(self.name))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DeError> {
        seed.deserialize(self.content).map_err(|error| error.at_key(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DeError> {
        self.content.deserialize_seq(visitor).map_err(|error| error.at_key(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.content.deserialize_map(visitor).map_err(|error| error.at_key(self.name))
    }
}
