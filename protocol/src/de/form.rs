//! A form's fields as a struct.

use std::{
    collections::HashMap,
    ops::{Deref, DerefMut},
    slice, vec,
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor, value::BorrowedStrDeserializer},
    forward_to_deserialize_any,
};

use super::{
    DeError,
    deserializer::{At, text_of},
    error::quoted,
    session::{Session, visit},
};
use crate::{
    Value,
    js::{JsString, handover},
    value::{Blob, Node, Slot},
};

/// An argument that is a form: a `FormData`, as forms and `useActionState` send it, or a plain object with the same
/// members. It derefs to the struct.
///
/// Fields of a `FormData` are text, so numbers are parsed (`"42"`), truth values are those of a checkbox (`on`, `true`,
/// `1`; `off`, `false`, `0` and nothing are false), a repeated name fills a `Vec`, and an empty text is `None` for an
/// `Option`. An unchecked checkbox is not sent at all: give its member `#[serde(default)]`. Files are `js::File`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form<T>(pub T);

impl<T> Form<T> {
    /// The struct itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Form<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Form<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Form<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::receive(deserializer, "a form", |value| from_form(value).map(Form))
    }
}

fn from_form<T: DeserializeOwned>(value: &Value) -> Result<T, DeError> {
    let _session = Session::begin();
    let at = At::new(value);
    match at.node() {
        Some(Node::FormData(entries)) => T::deserialize(Fields::new(at, entries)),
        Some(Node::Object(_)) => T::deserialize(at),
        _ => Err(at.mismatch("a form")),
    }
}

/// The fields of a form, those of one name together.
struct Fields<'de> {
    at: At<'de>,
    fields: vec::IntoIter<(&'de str, Vec<&'de Slot>)>,
    current: Option<(&'de str, Vec<&'de Slot>)>,
    unreadable: Option<DeError>,
}

impl<'de> Fields<'de> {
    fn new(at: At<'de>, entries: &'de [(JsString, Slot)]) -> Self {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut fields: Vec<(&str, Vec<&Slot>)> = Vec::new();
        let mut unreadable = None;
        for (name, slot) in entries {
            match text_of(name) {
                Ok(name) => {
                    let place = *places.entry(name).or_insert_with(|| {
                        fields.push((name, Vec::new()));
                        fields.len() - 1
                    });
                    fields[place].1.push(slot);
                }
                Err(error) => unreadable = Some(error),
            }
        }
        Self { at, fields: fields.into_iter(), current: None, unreadable }
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        if let Some(error) = self.unreadable.take() {
            return Err(error);
        }
        self.current = self.fields.next();
        let Some((name, _)) = &self.current else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, DeError> {
        let (name, slots) = self.current.take().expect("serde asks for a value after its key");
        seed.deserialize(Field { at: self.at, slots: &slots }).map_err(|error| error.at_key(name))
    }
}

impl<'de> Deserializer<'de> for Fields<'de> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_map(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// All that was sent under one name; where one value is asked for, the first counts, as in `FormData.get`.
#[derive(Clone, Copy)]
struct Field<'s, 'de> {
    at: At<'de>,
    slots: &'s [&'de Slot],
}

impl<'de> Field<'_, 'de> {
    fn first(self) -> At<'de> {
        self.at.to(self.slots.first().expect("a field was sent at least once"))
    }

    fn text(self, expected: &str) -> Result<&'de str, DeError> {
        visit()?;
        match self.first().slot {
            Slot::String(text) => text_of(text),
            _ => Err(self.first().mismatch(expected)),
        }
    }

    /// Left empty: no text, or no file chosen, which browsers send as a file without a name and without content.
    fn is_empty(self) -> bool {
        match (self.first().slot, self.first().node()) {
            (Slot::String(text), _) => *text == "",
            (_, Some(Node::Blob(Blob { name, bytes, .. }))) => {
                bytes.is_empty() && name.as_ref().is_none_or(|name| *name == "")
            }
            _ => false,
        }
    }

    fn parsed<T: std::str::FromStr>(self, expected: &str) -> Result<T, DeError> {
        let text = self.text(expected)?;
        text.trim().parse().map_err(|_| DeError::expected(expected, quoted(text)))
    }
}

macro_rules! parsed {
    ($($method:ident, $visit:ident, $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
            let range = format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX);
            visitor.$visit(self.parsed::<$type>(&range)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Field<'_, 'de> {
    type Error = DeError;

    parsed! {
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

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_f64(self.parsed("a number")?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.text("a checkbox")? {
            "on" | "true" | "1" => visitor.visit_bool(true),
            "off" | "false" | "0" | "" => visitor.visit_bool(false),
            other => Err(DeError::expected("a checkbox (on, true, 1, off, false or 0)", quoted(other))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        if self.is_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_seq(Repeated { at: self.at, slots: self.slots.iter(), index: 0 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.text("a choice")?))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match name {
            handover::VALUE => self.first().deserialize_newtype_struct(name, visitor),
            handover::MAP => Err(self.first().mismatch("a map")),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.first().deserialize_bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.first().deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    fn deserialize_map<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DeError> {
        Err(DeError::problem("a form's field is one value; it cannot hold members"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.first().deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { char str string unit_struct tuple_struct identifier }
}

/// The values of a repeated name.
struct Repeated<'s, 'de> {
    at: At<'de>,
    slots: slice::Iter<'s, &'de Slot>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Repeated<'_, 'de> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some(slot) = self.slots.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        let field = Field { at: self.at, slots: slice::from_ref(slot) };
        seed.deserialize(field).map(Some).map_err(|error| error.at_index(index))
    }
}
