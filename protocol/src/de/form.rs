//! An HTML form as a struct.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use serde::{
    Deserialize, Serialize, Serializer,
    de::{DeserializeSeed, Deserializer, MapAccess, Visitor, value::BorrowedStrDeserializer},
};

use super::{DeError, deserializer::Place, field::Field, walk::Walk};
use crate::{
    js::{JsString, handover},
    value::Slot,
};

/// An argument that is a form, read into a struct whose fields are named like the form's.
///
/// In JavaScript: a `FormData`, which is what a `<form action={…}>` sends; or a plain object with the same members, so
/// that the same action can be called with `action({ name: "Ada", age: 36 })`. The fields of a form are text:
///
/// | field's type | what is read |
/// |---|---|
/// | numbers | the text, blanks around it ignored |
/// | `bool` | `on`, `true`, `1`, and `off`, `false`, `0`, empty; of several values the last counts. A box that is not ticked is not sent: write `#[serde(default)]` |
/// | `Option<_>` | `None` for an empty text, also for `Option<String>`, and for a file input without a file |
/// | `Vec<_>` and other sequences | every value under that name; none are sent if nothing is chosen: write `#[serde(default)]` |
/// | [`File`](crate::js::File), [`Blob`](crate::value::Blob), bytes | a file |
/// | [`Date`](crate::js::Date), [`BigInt`](crate::js::BigInt) | the text, in ISO format or decimal digits |
/// | enums without contents | the variant's name |
///
/// Fields that the struct does not have are ignored. A name that is sent more than once is refused where one value is
/// asked for. Under `#[serde(flatten)]` and in untagged enums all fields are strings, as serde does not say there
/// what is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form<T>(pub T);

impl<T> Form<T> {
    /// What was read.
    #[must_use]
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

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Form<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(handover::FORM, FormVisitor(PhantomData))
    }
}

/// Written as what it holds: what a client sends as an object comes back as one.
impl<T: Serialize> Serialize for Form<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

struct FormVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FormVisitor<T> {
    type Value = Form<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("form data or an object")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Form<T>, D::Error> {
        T::deserialize(deserializer).map(Form)
    }
}

/// The fields of a form, as a map.
#[derive(Clone, Copy)]
pub(super) struct FormFields<'v, 'w> {
    walk: &'w Walk<'v>,
    /// The form itself.
    slot: &'v Slot,
    entries: &'v [(JsString, Slot)],
}

impl<'v, 'w> FormFields<'v, 'w> {
    pub(super) fn new(walk: &'w Walk<'v>, slot: &'v Slot, entries: &'v [(JsString, Slot)]) -> Self {
        Self { walk, slot, entries }
    }
}

impl<'v> Deserializer<'v> for FormFields<'v, '_> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.walk.charge(self.entries.len())?;
        visitor.visit_map(Fields::new(self.walk, self.entries))
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match name {
            handover::VALUE | handover::SETTLED | handover::MAP | handover::SET => {
                Place::new(self.walk, self.slot).deserialize_newtype_struct(name, visitor)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'v>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'v>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq tuple tuple_struct
        map struct enum identifier
    }
}

/// The fields of a form, each name once with all its values.
struct Fields<'v, 'w> {
    walk: &'w Walk<'v>,
    /// Names that are text, sorted; values under one name in their order. Browsers send no other names.
    sorted: Vec<(&'v str, &'v Slot)>,
    next: usize,
    current: Option<std::ops::Range<usize>>,
}

impl<'v, 'w> Fields<'v, 'w> {
    fn new(walk: &'w Walk<'v>, entries: &'v [(JsString, Slot)]) -> Self {
        let mut sorted: Vec<_> =
            entries.iter().filter_map(|(name, slot)| Some((name.as_str()?, slot))).collect();
        sorted.sort_by_key(|(name, _)| *name);
        Self { walk, sorted, next: 0, current: None }
    }
}

impl<'v> MapAccess<'v> for Fields<'v, '_> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        let Some((name, _)) = self.sorted.get(self.next) else { return Ok(None) };
        let values = self.sorted[self.next..].iter().take_while(|(other, _)| other == name).count();
        self.walk.charge_bytes(name.len())?;
        self.current = Some(self.next..self.next + values);
        self.next += values;
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, DeError> {
        let current = self.current.take().unwrap_or_default();
        let fields = &self.sorted[current];
        let name = fields.first().map_or("", |(name, _)| name);
        seed.deserialize(Field::new(self.walk, fields)).map_err(|error: DeError| error.within_key(name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.sorted.len() - self.next)
    }
}
