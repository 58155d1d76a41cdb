//! The arguments of a call, one after the other.

use std::ops::{Deref, DerefMut};

use serde::{
    Serialize, Serializer,
    de::{DeserializeOwned, Error},
};

use super::{Budget, DeError, Limits, Place, Walk};
use crate::{Value, value::Slot};

/// Hands out the arguments of a call in order, each as its own type.
///
/// Arguments beyond those asked for are ignored, as JavaScript ignores them: React's clients append some of their own,
/// such as the form to a function used as a form's action.
#[derive(Debug)]
pub struct Arguments {
    /// An array.
    value: Value,
    next: usize,
    budget: Budget,
}

impl Arguments {
    /// The arguments of a decoded call, under the default [`Limits`].
    ///
    /// # Errors
    ///
    /// [`DeError`] if the call's body is not an array.
    pub fn new(value: Value) -> Result<Self, DeError> {
        Self::with_limits(value, Limits::default())
    }

    /// The arguments of a decoded call. All arguments together may cost as much as the limits say.
    ///
    /// # Errors
    ///
    /// As [`Arguments::new`].
    pub fn with_limits(value: Value, limits: Limits) -> Result<Self, DeError> {
        array(&value)?;
        Ok(Self { value, next: 0, budget: Budget::new(limits) })
    }

    /// How many arguments were sent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.value.as_array().map_or(0, <[Slot]>::len)
    }

    /// Whether none were sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next argument. One that was not sent is read as `undefined`, and so is `None` to an `Option`.
    ///
    /// # Errors
    ///
    /// [`DeError`] naming the argument and the path in it, if it is not a `T`.
    #[expect(
        clippy::should_implement_trait,
        reason = "each argument has its own type, as no iterator's items have"
    )]
    pub fn next<T: DeserializeOwned>(&mut self) -> Result<T, DeError> {
        let index = self.next;
        self.next += 1;
        let walk = Walk::new(&self.value, self.budget);
        let sent = self.value.as_array().and_then(|arguments| arguments.get(index));
        let read = T::deserialize(Place::new(&walk, sent.unwrap_or(&Slot::Undefined)));
        self.budget = walk.into_budget();
        read.map_err(|error| {
            let error = if sent.is_none() { error.of_missing_argument() } else { error };
            error.in_argument(index)
        })
    }

    /// All arguments that were not asked for yet.
    ///
    /// # Errors
    ///
    /// [`DeError`] naming the argument that is not a `T`.
    pub fn rest<T: DeserializeOwned>(&mut self) -> Result<Rest<T>, DeError> {
        let first = self.next;
        let walk = Walk::new(&self.value, self.budget);
        let rest = read_rest(&walk, array(&self.value)?, first);
        self.budget = walk.into_budget();
        self.next = self.len().max(first);
        rest
    }
}

/// All remaining arguments of a call, for an action that takes any number.
///
/// In JavaScript: `action(first, ...rest)`. As a result it is an array. Values of a `Rest<Value>` share their objects
/// as the arguments did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest<T>(pub Vec<T>);

/// The arguments from this position on, counted from 0. `arguments` is the array of all arguments.
///
/// # Errors
///
/// [`DeError`] if it is not an array, or naming the argument that is not a `T`.
pub fn from_rest<T: DeserializeOwned>(first_index: usize, arguments: &Value) -> Result<Rest<T>, DeError> {
    let walk = Walk::new(arguments, Budget::new(Limits::default()));
    read_rest(&walk, array(arguments)?, first_index)
}

fn array(value: &Value) -> Result<&[Slot], DeError> {
    value.as_array().ok_or_else(|| {
        Error::invalid_type(serde::de::Unexpected::Other(value.kind()), &"an array of arguments")
    })
}

fn read_rest<T: DeserializeOwned>(
    walk: &Walk<'_>,
    arguments: &[Slot],
    first: usize,
) -> Result<Rest<T>, DeError> {
    let rest = arguments.iter().enumerate().skip(first).map(|(index, slot)| {
        T::deserialize(Place::new(walk, slot)).map_err(|error: DeError| error.in_argument(index))
    });
    rest.collect::<Result<_, _>>().map(Rest)
}

impl<T> Deref for Rest<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T> DerefMut for Rest<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T> IntoIterator for Rest<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T: Serialize> Serialize for Rest<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
