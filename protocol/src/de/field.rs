//! One field of a form: the text or files that were sent under one name.

use serde::de::{self, DeserializeSeed, Deserializer, Expected, SeqAccess, Visitor};

use super::{
    DeError,
    deserializer::{Place, visit_text},
    walk::Walk,
    words,
};
use crate::{
    js::{JsString, handover},
    value::{Blob, Node, Slot},
};

/// The values under one name, at least one.
#[derive(Clone, Copy)]
pub(super) struct Field<'v, 'w, 'f> {
    walk: &'w Walk<'v>,
    values: &'f [(&'v str, &'v Slot)],
}

impl<'v, 'w, 'f> Field<'v, 'w, 'f> {
    pub(super) fn new(walk: &'w Walk<'v>, values: &'f [(&'v str, &'v Slot)]) -> Self {
        Self { walk, values }
    }

    /// The only value.
    fn one(self, expected: &dyn Expected) -> Result<&'v Slot, DeError> {
        match self.values {
            [(_, slot)] => Ok(slot),
            values => Err(DeError::mismatch(expected, format!("{} values", values.len()))),
        }
    }

    /// The only value, which is text.
    fn text(self, expected: &dyn Expected) -> Result<&'v JsString, DeError> {
        match self.one(expected)? {
            Slot::String(text) => {
                self.walk.charge_bytes(text.size_bytes())?;
                Ok(text)
            }
            other => Err(DeError::mismatch(expected, self.walk.kind(other))),
        }
    }

    /// The only value, as a place from which a file can be read.
    fn place(self, expected: &dyn Expected) -> Result<Place<'v, 'w>, DeError> {
        Ok(Place::new(self.walk, self.one(expected)?))
    }

    /// Whether it was left empty: a text of no length, or a file input where nothing was chosen.
    fn is_left_empty(self) -> bool {
        match self.values {
            [(_, Slot::String(text))] => text.as_str() == Some(""),
            [(_, Slot::Node(id))] => {
                matches!(self.walk.node(*id), Node::Blob(Blob { name: Some(name), content, .. })
                    if name.as_str() == Some("") && content.is_empty())
            }
            _ => false,
        }
    }

    /// A number: digits are read as they are, a decimal or exponent by way of a float.
    fn number<V: Visitor<'v>, T>(
        self,
        visitor: V,
        visit: impl FnOnce(V, T) -> Result<V::Value, DeError>,
        from_float: impl FnOnce(f64) -> Option<T>,
    ) -> Result<V::Value, DeError>
    where
        T: std::str::FromStr,
    {
        let text = self.text(&visitor)?.to_text_lossy();
        let digits = text.trim();
        match digits.parse().ok().or_else(|| from_float(float(digits)?)) {
            Some(number) => visit(visitor, number),
            None => Err(DeError::mismatch(&visitor, words::quote(&text))),
        }
    }
}

/// A number as a form's number input may hold it, which excludes the words that Rust takes, such as `inf`.
fn float(text: &str) -> Option<f64> {
    let numeric = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    text.as_bytes().iter().all(numeric).then(|| text.parse().ok())?
}

/// The integer that a float is. Up to 2^53 there is no doubt which one was meant.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

macro_rules! integers {
    ($($method:ident $visit:ident,)*) => {
        $(fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
            self.number(visitor, V::$visit, |number| whole(number)?.try_into().ok())
        })*
    };
}

impl<'v> Deserializer<'v> for Field<'v, '_, '_> {
    type Error = DeError;

    integers! {
        deserialize_i8 visit_i8,
        deserialize_i16 visit_i16,
        deserialize_i32 visit_i32,
        deserialize_i64 visit_i64,
        deserialize_i128 visit_i128,
        deserialize_u8 visit_u8,
        deserialize_u16 visit_u16,
        deserialize_u32 visit_u32,
        deserialize_u64 visit_u64,
        deserialize_u128 visit_u128,
    }

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.values {
            [(_, Slot::String(text))] => visit_text(self.walk, text, visitor),
            [_] => self.place(&visitor)?.deserialize_any(visitor),
            _ => self.deserialize_seq(visitor),
        }
    }

    /// Of several values the last: a box is often preceded by a hidden field that stands for its not being ticked.
    fn deserialize_bool<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        let last = Self { values: &self.values[self.values.len().saturating_sub(1)..], ..self };
        let text = last.text(&visitor)?.to_text_lossy();
        match &*text {
            "on" | "true" | "1" => visitor.visit_bool(true),
            "off" | "false" | "0" | "" => visitor.visit_bool(false),
            other => Err(DeError::mismatch(&visitor, words::quote(other))),
        }
    }

    fn deserialize_f32<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        let text = self.text(&visitor)?.to_text_lossy();
        match float(text.trim()) {
            Some(number) => visitor.visit_f64(number),
            None => Err(DeError::mismatch(&visitor, words::quote(&text))),
        }
    }

    fn deserialize_str<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        let text = self.text(&visitor)?;
        visit_text(self.walk, text, visitor)
    }

    fn deserialize_bytes<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.place(&visitor)?.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        if self.is_left_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
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

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match (name, self.values) {
            // A file is handed over. So is text to whoever takes any value; a date or big integer reads it instead.
            (handover::SETTLED, [(_, Slot::Node(_))]) | (handover::VALUE, [_]) => {
                self.place(&visitor)?.deserialize_newtype_struct(name, visitor)
            }
            (handover::MAP, _) => Err(DeError::mismatch(&visitor, "a field of a form")),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_seq(Values { walk: self.walk, all: self.values, next: 0 })
    }

    fn deserialize_tuple<V: Visitor<'v>>(self, len: usize, visitor: V) -> Result<V::Value, DeError> {
        if self.values.len() > len {
            let expected = format!("a tuple of size {len}");
            return Err(de::Error::invalid_length(self.values.len(), &&*expected));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        let slot = self.one(&visitor)?;
        Err(DeError::mismatch(&visitor, self.walk.kind(slot)))
    }

    fn deserialize_struct<V: Visitor<'v>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'v>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.text(&visitor)?;
        self.place(&visitor)?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    fn deserialize_char<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_bytes(visitor)
    }
}

/// The values under one name, each a field of its own.
struct Values<'v, 'w, 'f> {
    walk: &'w Walk<'v>,
    all: &'f [(&'v str, &'v Slot)],
    next: usize,
}

impl<'v> SeqAccess<'v> for Values<'v, '_, '_> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some(value) = self.all.get(self.next..=self.next) else { return Ok(None) };
        let value = seed
            .deserialize(Field::new(self.walk, value))
            .map_err(|error: DeError| error.within_index(self.next))?;
        self.next += 1;
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.all.len() - self.next)
    }
}
