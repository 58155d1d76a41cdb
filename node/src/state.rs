//! The application's own shared state: one value per type.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
};

/// What the application put in at start, found again by its type.
#[derive(Default)]
pub(crate) struct State(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl State {
    pub(crate) fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Box::new(value));
    }

    /// # Panics
    ///
    /// If the application never put in a `T`: a mistake that the first call shows.
    pub(crate) fn get<T: Any>(&self) -> &T {
        let value = self.0.get(&TypeId::of::<T>()).and_then(|value| value.downcast_ref());
        value.unwrap_or_else(|| panic!("no state of type {}: pass it to App::state", type_name::<T>()))
    }
}
