//! `Map`, `Set`, and the three kinds of nothing.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Visitor},
};

use super::handover;
use crate::{Value, de, value::Slot};

/// A JavaScript `Map`: pairs in insertion order, with keys of any type. Elsewhere an array of pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map<K, V>(pub Vec<(K, V)>);

/// A JavaScript `Set`: items in insertion order. Elsewhere an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T>(pub Vec<T>);

/// Something, `null` or `undefined`; `Option` takes the last two for one. An absent member is `Undefined` if it has
/// `#[serde(default)]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Maybe<T> {
    /// `undefined`, or absent.
    #[default]
    Undefined,
    /// `null`.
    Null,
    /// A value.
    Some(T),
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<T> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<K: Serialize, V: Serialize> Serialize for Map<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(handover::MAP, &self.0)
    }
}

impl<T: Serialize> Serialize for Set<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(handover::SET, &self.0)
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Map<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(handover::MAP, Inner::new("a map")).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Set<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(handover::SET, Inner::new("a set")).map(Self)
    }
}

/// Reads what is inside a newtype.
struct Inner<T> {
    expected: &'static str,
    inner: PhantomData<fn() -> T>,
}

impl<T> Inner<T> {
    fn new(expected: &'static str) -> Self {
        Self { expected, inner: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Inner<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }
}

impl<T: Serialize> Serialize for Maybe<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Undefined => handover::send(serializer, Value::undefined(), &()),
            Self::Null => serializer.serialize_none(),
            Self::Some(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |value: &Value| match value.slot() {
            Slot::Undefined => Ok(Self::Undefined),
            Slot::Null => Ok(Self::Null),
            _ => de::from_value(value).map(Self::Some),
        };
        handover::receive_or(deserializer, "a value, null or undefined", read, Plainly)
    }
}

struct Plainly;

impl<T: DeserializeOwned> handover::Fallback<Maybe<T>> for Plainly {
    fn read<'de, D: Deserializer<'de>>(self, deserializer: D, _: &'static str) -> Result<Maybe<T>, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Maybe::Null, Maybe::Some))
    }
}
