//! Values into Rust types.
//!
//! A [`Value`] deserialises as serde's data model has it; what JSON lacks comes through the newtypes of
//! [`js`](crate::js). Errors name the place: `argument 2, .items[3].price: expected a number, found a string`.
//!
//! A value is a graph and a Rust type is a tree, so each visit of a shared object is paid for: depth and the number of
//! visited values are limited per argument, and a cycle ends at the limit of depth.

mod access;
mod deserializer;
mod error;
mod form;
mod session;
#[cfg(test)]
mod tests;

use serde::{Serialize, Serializer, de::DeserializeOwned};

use crate::{
    Value,
    value::{Node, Slot},
};

use deserializer::At;
pub use error::DeError;
pub use form::Form;
use session::Session;
pub use session::{DEPTH_MAX, VISITS_MAX};

/// A value as a `T`.
///
/// # Errors
///
/// [`DeError`] names the place inside the value.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, DeError> {
    let _session = Session::begin();
    T::deserialize(At::new(value))
}

/// An argument of a call as a `T`; `index` counts from 0, and messages count from 1.
///
/// # Errors
///
/// [`DeError`] names the argument and the place inside it.
pub fn from_argument<T: DeserializeOwned>(index: usize, value: &Value) -> Result<T, DeError> {
    from_value(value).map_err(|error| error.in_argument(index))
}

/// The arguments from `first` on, each as a `T`.
///
/// # Errors
///
/// [`DeError`] names the first argument that is no `T`.
pub fn from_rest<T: DeserializeOwned>(first: usize, arguments: &Value) -> Result<Rest<T>, DeError> {
    let items = match arguments.node() {
        Some(Node::Array(items)) => items.get(first..).unwrap_or_default(),
        _ => &[],
    };
    let rest =
        items.iter().enumerate().map(|(index, slot)| from_argument(first + index, &arguments.at(slot)));
    rest.collect::<Result<_, _>>().map(Rest)
}

/// All arguments that are left, as the last parameter of an action; it serialises as an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest<T>(pub Vec<T>);

impl<T: Serialize> Serialize for Rest<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// What a slot holds, in JavaScript's words, for messages.
fn kind_of(value: &Value, slot: &Slot) -> &'static str {
    value.at(slot).kind()
}
