//! From the graph of a call to Rust types.
//!
//! Any `serde::Deserialize` is an argument: numbers become integers where they are some, `undefined` and `null` become
//! `None`, and what JavaScript has beyond serde's data model is taken by the newtypes of [`crate::js`]. [`Form`] takes
//! an HTML form, [`Rest`] all remaining arguments, and [`Arguments`] hands out one argument after the other.
//!
//! Nothing here grows beyond the call: nesting ends at [`DEPTH_MAX`], cycles are refused, and each time a shared object
//! is copied once more it is charged to [`Limits::expansions_max`].

mod access;
mod arguments;
mod deserializer;
mod elements;
mod error;
mod field;
mod form;
mod key;
mod variant;
mod walk;
mod words;

#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;

pub use arguments::{Arguments, Rest, from_rest};
pub use error::{DeError, Problem};
pub use form::Form;
pub use walk::{DEPTH_MAX, Limits};

pub(crate) use walk::{Budget, Walk};

use self::deserializer::Place;
use crate::Value;

/// A value as a Rust type, under the default [`Limits`].
///
/// # Errors
///
/// [`DeError`], with the path from the value to what does not fit.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, DeError> {
    let walk = Walk::new(value, Budget::new(Limits::default()));
    T::deserialize(Place::new(&walk, value.slot()))
}

/// As [`from_value`], of a value that may have to be read again when more of it has arrived. All attempts together may
/// cost what the budget has left.
pub(crate) fn from_arriving<T: DeserializeOwned>(value: &Value, budget: &mut Budget) -> Result<T, DeError> {
    let walk = Walk::new(value, *budget);
    let read = T::deserialize(Place::new(&walk, value.slot()));
    *budget = walk.into_budget();
    read
}

/// One argument as a Rust type. `index` counts from 0; messages count from 1.
///
/// # Errors
///
/// As [`from_value`]; the error names the argument too.
pub fn from_argument<T: DeserializeOwned>(index: usize, value: &Value) -> Result<T, DeError> {
    from_value(value).map_err(|error: DeError| error.in_argument(index))
}
