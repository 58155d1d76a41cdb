//! Names of members. JavaScript has only strings for them, so numbers and booleans are read from their text.

use serde::de::{Deserializer, Expected, Visitor};

use super::{DeError, deserializer::visit_text, variant::Variant, walk::Walk, words};
use crate::{
    js::{JsString, handover},
    value::Slot,
};

/// The name of a member, to be read as a map's key or a struct's field.
#[derive(Clone, Copy)]
pub(super) struct Key<'v, 'w> {
    walk: &'w Walk<'v>,
    name: &'v JsString,
}

impl<'v, 'w> Key<'v, 'w> {
    pub(super) fn new(walk: &'w Walk<'v>, name: &'v JsString) -> Self {
        Self { walk, name }
    }

    #[cold]
    fn mismatch<T>(self, expected: &dyn Expected) -> Result<T, DeError> {
        Err(DeError::mismatch(expected, words::quote(&self.name.beginning(words::SHOWN_BYTES))))
    }
}

macro_rules! parsed {
    ($($method:ident => $visit:ident,)*) => {
        $(fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
            self.walk.charge_bytes(self.name.size_bytes())?;
            match self.name.as_str().map(str::parse) {
                Some(Ok(key)) => visitor.$visit(key),
                _ => self.mismatch(&visitor),
            }
        })*
    };
}

impl<'v> Deserializer<'v> for Key<'v, '_> {
    type Error = DeError;

    parsed! {
        deserialize_bool => visit_bool,
        deserialize_i8 => visit_i8,
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64,
        deserialize_u128 => visit_u128,
        deserialize_f32 => visit_f32,
        deserialize_f64 => visit_f64,
    }

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        visit_text(self.walk, self.name, visitor)
    }

    /// A name that is not text is no field, and so it is not an error that it is there. Only its beginning is made text:
    /// nothing is charged here, and an object may be read many times.
    fn deserialize_identifier<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.name.as_str() {
            Some(name) => visitor.visit_borrowed_str(name),
            None => visitor.visit_string(format!("{}\u{FFFD}", self.name.beginning(words::SHOWN_BYTES))),
        }
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        if matches!(name, handover::VALUE | handover::SETTLED) {
            handover::put(Slot::String(self.name.clone()).into());
        }
        let read = visitor.visit_newtype_struct(self);
        drop(handover::take());
        read
    }

    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_enum(Variant::unit(self.walk, self.name))
    }

    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'v>>
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
    }
}
