//! What is not there, told apart from what is empty.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use super::handover;
use crate::Value;

/// A value, `null` or `undefined`, where `Option` makes no difference between the last two.
///
/// In JavaScript: the value, `null`, or `undefined`; as a member of an object also a key that is absent. Other formats
/// have one way to say that there is nothing: both become that, and that is read as `Undefined`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Maybe<T> {
    /// `undefined`, or an absent member.
    #[default]
    Undefined,
    /// `null`.
    Null,
    /// Anything else.
    Some(T),
}

impl<T> Maybe<T> {
    /// The value, if there is one.
    #[must_use]
    pub fn into_option(self) -> Option<T> {
        match self {
            Self::Some(value) => Some(value),
            Self::Undefined | Self::Null => None,
        }
    }

    /// The value by reference, if there is one.
    #[must_use]
    pub fn as_option(&self) -> Option<&T> {
        match self {
            Self::Some(value) => Some(value),
            Self::Undefined | Self::Null => None,
        }
    }

    /// Whether this is `undefined`, for `#[serde(skip_serializing_if = "Maybe::is_undefined")]`.
    #[must_use]
    pub fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined)
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl<T> From<T> for Maybe<T> {
    fn from(value: T) -> Self {
        Self::Some(value)
    }
}

impl<T: Serialize> Serialize for Maybe<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Undefined => handover::serialize(serializer, Value::undefined(), None::<()>),
            Self::Null => serializer.serialize_none(),
            Self::Some(value) => serializer.serialize_some(value),
        }
    }
}

/// Asks for an option, which is also what serde makes of an absent member without `#[serde(default)]`.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(MaybeVisitor(PhantomData))
    }
}

struct MaybeVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MaybeVisitor<T> {
    type Value = Maybe<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, null or undefined")
    }

    fn visit_none<E: Error>(self) -> Result<Maybe<T>, E> {
        Ok(Maybe::Undefined)
    }

    fn visit_unit<E: Error>(self) -> Result<Maybe<T>, E> {
        Ok(Maybe::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Maybe<T>, D::Error> {
        T::deserialize(deserializer).map(Maybe::Some)
    }
}

/// Nothing, where `()` is `null`.
///
/// In JavaScript: `undefined`. Other formats: nothing or null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Undefined;

impl Serialize for Undefined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        handover::serialize(serializer, Value::undefined(), None::<()>)
    }
}

impl<'de> Deserialize<'de> for Undefined {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(UndefinedVisitor)
    }
}

struct UndefinedVisitor;

impl<'de> Visitor<'de> for UndefinedVisitor {
    type Value = Undefined;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("undefined")
    }

    fn visit_none<E: Error>(self) -> Result<Undefined, E> {
        Ok(Undefined)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Undefined, D::Error> {
        deserializer.deserialize_any(self)
    }
}
