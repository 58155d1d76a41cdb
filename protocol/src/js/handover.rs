//! How a [`Value`] passes through serde untouched.
//!
//! serde's data model has no dates, files or shared objects. A newtype of this module that meets one of our own
//! (de)serializers recognises it by the name [`VALUE`], and the value itself goes past serde through this cell, in
//! the same thread and within the same call. Any other format sees the newtype's fallback instead.

use std::cell::Cell;

use crate::Value;

/// Name of a newtype struct whose content is handed over: the (de)serializer puts or takes a [`Value`].
pub(crate) const VALUE: &str = "$callboard::Value";
/// Name of a newtype struct around a sequence of pairs that is a JavaScript `Map`.
pub(crate) const MAP: &str = "$callboard::Map";
/// Name of a newtype struct around a sequence that is a JavaScript `Set`.
pub(crate) const SET: &str = "$callboard::Set";

thread_local! {
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
