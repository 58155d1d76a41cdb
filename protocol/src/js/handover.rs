//! How a [`Value`] passes through serde untouched.
//!
//! serde's data model has no dates, files or shared objects. A newtype of this module that meets one of our own
//! (de)serializers recognises it by the name [`VALUE`], and the value itself goes past serde through this cell, in
//! the same thread and within the same call. Any other format sees the newtype's fallback instead.

use std::{cell::Cell, fmt, marker::PhantomData};

use serde::{
    Deserializer, Serialize, Serializer,
    de::{Error, Unexpected, Visitor},
};

use crate::{Value, flight::Made};

/// Name of a newtype struct whose content is handed over: the (de)serializer puts or takes a [`Value`].
pub(crate) const VALUE: &str = "$callboard::Value";
/// Name of a newtype struct around a sequence of pairs that is a JavaScript `Map`.
pub(crate) const MAP: &str = "$callboard::Map";
/// Name of a newtype struct around a sequence that is a JavaScript `Set`.
pub(crate) const SET: &str = "$callboard::Set";

/// Name of a newtype struct like [`VALUE`] for reading: promises that were kept are looked through.
pub(crate) const SETTLED: &str = "$callboard::Settled";
/// Name of a newtype struct that may be read from form data as well as from an object.
pub(crate) const FORM: &str = "$callboard::Form";

/// Name of a newtype struct that stands for what is still to come: the serializer takes a [`Made`].
pub(crate) const LATER: &str = "$callboard::Later";

thread_local! {
    static MADE: Cell<Option<Made>> = const { Cell::new(None) };
    static HANDED: Cell<Option<Value>> = const { Cell::new(None) };
}

/// Leaves a value for the other side of the serde call that is made next.
pub(crate) fn put(value: Value) {
    HANDED.set(Some(value));
}

/// Takes what the other side left.
pub(crate) fn take() -> Option<Value> {
    HANDED.take()
}

/// Forgets what a serializer that panicked left.
pub(crate) fn clear() {
    drop((take(), take_made()));
}

/// Takes what [`serialize_made`] left.
pub(crate) fn take_made() -> Option<Made> {
    MADE.take()
}

/// Writes what is still to come: handed over to a serializer of answers, an error in any other format.
pub(crate) fn serialize_made<S: Serializer>(serializer: S, made: Made) -> Result<S::Ok, S::Error> {
    let formless = Formless(made.kind.name());
    MADE.set(Some(made));
    let written = serializer.serialize_newtype_struct(LATER, &formless);
    drop(take_made());
    written
}

/// What has no form in other formats.
struct Formless(&'static str);

impl Serialize for Formless {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        drop(take_made());
        Err(serde::ser::Error::custom(format_args!("{} that is still to come has no form here", self.0)))
    }
}

/// Writes a value: handed over to our own serializer, and as its fallback to any other.
pub(crate) fn serialize<S: Serializer, F: Serialize>(
    serializer: S,
    value: Value,
    fallback: F,
) -> Result<S::Ok, S::Error> {
    put(value);
    let written = serializer.serialize_newtype_struct(VALUE, &Fallback(fallback));
    // A serializer that looked at neither must not leave the value to whoever reads next.
    drop(take());
    written
}

/// What another format sees.
struct Fallback<F>(F);

impl<F: Serialize> Serialize for Fallback<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        drop(take());
        self.0.serialize(serializer)
    }
}

/// A newtype that is read whole, from one value.
pub(crate) trait Whole: Sized {
    /// What it is read from, for messages.
    const EXPECTED: &'static str;

    /// Reads it from a value, or not if the value is of another kind.
    fn from_value(value: &Value) -> Option<Self>;

    /// Reads it from another format.
    fn from_other<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Reads a newtype from our own deserializer or any other.
pub(crate) fn deserialize<'de, T: Whole, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_newtype_struct(SETTLED, WholeVisitor(PhantomData))
}

struct WholeVisitor<T>(PhantomData<T>);

impl<'de, T: Whole> Visitor<'de> for WholeVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        match take() {
            Some(value) => T::from_value(&value)
                .ok_or_else(|| D::Error::invalid_type(Unexpected::Other(value.kind()), &self)),
            None => T::from_other(deserializer),
        }
    }
}
