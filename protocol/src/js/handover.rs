//! How a [`Value`] passes through serde untouched.
//!
//! serde's data model has no dates, files or shared objects. A newtype of this module that meets one of our own
//! (de)serializers recognises it by the name [`VALUE`], and the value itself goes past serde through this cell, in
//! the same thread and within the same call. Any other format sees the newtype's fallback instead.

use std::{cell::Cell, fmt, marker::PhantomData};

use serde::{
    Deserializer, Serialize, Serializer,
    de::{Error as _, Visitor},
};

use crate::{Value, de::DeError};

/// Name of a newtype struct whose content is handed over: the (de)serializer puts or takes a [`Value`].
pub(crate) const VALUE: &str = "$callboard::Value";
/// Name of a newtype struct around a sequence of pairs that is a JavaScript `Map`.
pub(crate) const MAP: &str = "$callboard::Map";
/// Name of a newtype struct around a sequence that is a JavaScript `Set`.
pub(crate) const SET: &str = "$callboard::Set";

thread_local! {
    static HANDED: Cell<Option<Value>> = const { Cell::new(None) };
    static FAILED: Cell<Option<DeError>> = const { Cell::new(None) };
}

/// Leaves a value for the other side of the serde call that is made next.
pub(crate) fn put(value: Value) {
    HANDED.set(Some(value));
}

/// Takes what the other side left.
pub(crate) fn take() -> Option<Value> {
    HANDED.take()
}

/// Leaves an error with its path, which serde's own errors would flatten into a text.
fn fail<X: serde::de::Error>(error: DeError) -> X {
    let flat = X::custom(&error);
    FAILED.set(Some(error));
    flat
}

/// Takes the error that the other side left.
pub(crate) fn take_error() -> Option<DeError> {
    FAILED.take()
}

/// Serialises a value past serde; formats that do not know it see `fallback`.
pub(crate) fn send<S: Serializer>(
    serializer: S,
    value: Value,
    fallback: &(impl Serialize + ?Sized),
) -> Result<S::Ok, S::Error> {
    put(value);
    let sent = serializer.serialize_newtype_struct(VALUE, fallback);
    // A format that did not take it must not leave it to the next one.
    drop(take());
    sent
}

/// Deserialises a value past serde; formats that do not know it end in an error.
pub(crate) fn receive<'de, D, T, E, F>(
    deserializer: D,
    expected: &'static str,
    read: F,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: Into<DeError>,
    F: FnOnce(&Value) -> Result<T, E>,
{
    receive_or(deserializer, expected, read, NoFallback)
}

/// Deserialises a value past serde; formats that do not know it use `fallback`.
pub(crate) fn receive_or<'de, D, T, E, F, B>(
    deserializer: D,
    expected: &'static str,
    read: F,
    fallback: B,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: Into<DeError>,
    F: FnOnce(&Value) -> Result<T, E>,
    B: Fallback<T>,
{
    deserializer.deserialize_newtype_struct(VALUE, Receiver { expected, read, fallback, value: PhantomData })
}

/// How a newtype is read from a format that does not know it.
pub(crate) trait Fallback<T> {
    fn read<'de, D: Deserializer<'de>>(self, deserializer: D, expected: &'static str) -> Result<T, D::Error>;
}

struct NoFallback;

impl<T> Fallback<T> for NoFallback {
    fn read<'de, D: Deserializer<'de>>(self, _: D, expected: &'static str) -> Result<T, D::Error> {
        Err(D::Error::custom(format_args!("{expected} can only be read from a call's arguments")))
    }
}

struct Receiver<F, B, T, E> {
    expected: &'static str,
    read: F,
    fallback: B,
    value: PhantomData<fn() -> (T, E)>,
}

impl<'de, T, E: Into<DeError>, F: FnOnce(&Value) -> Result<T, E>, B: Fallback<T>> Visitor<'de>
    for Receiver<F, B, T, E>
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_unit<X: serde::de::Error>(self) -> Result<T, X> {
        let value = take().ok_or_else(|| X::custom(format_args!("expected {}", self.expected)))?;
        (self.read)(&value).map_err(|error| fail(error.into()))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        self.fallback.read(deserializer, self.expected)
    }
}
