//! The contents of arrays, maps and objects, one by one.

use std::slice;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, value::SeqAccessDeserializer};

use super::{DeError, deserializer::Place, key::Key, walk::Walk, words};
use crate::{js::JsString, value::Slot};

/// Items in order.
pub(super) struct Items<'v, 'w> {
    walk: &'w Walk<'v>,
    left: slice::Iter<'v, Slot>,
    index: usize,
}

impl<'v, 'w> Items<'v, 'w> {
    pub(super) fn new(walk: &'w Walk<'v>, items: &'v [Slot]) -> Self {
        Self { walk, left: items.iter(), index: 0 }
    }
}

impl<'v> SeqAccess<'v> for Items<'v, '_> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some(slot) = self.left.next() else { return Ok(None) };
        self.walk.charge(1)?;
        let item =
            seed.deserialize(Place::new(self.walk, slot)).map_err(|error| error.within_index(self.index))?;
        self.index += 1;
        Ok(Some(item))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// Members of an object. One that is `undefined` is absent, as it is on the wire.
pub(super) struct Members<'v, 'w> {
    walk: &'w Walk<'v>,
    left: slice::Iter<'v, (JsString, Slot)>,
    current: Option<(&'v JsString, &'v Slot)>,
}

impl<'v, 'w> Members<'v, 'w> {
    pub(super) fn new(walk: &'w Walk<'v>, members: &'v [(JsString, Slot)]) -> Self {
        Self { walk, left: members.iter(), current: None }
    }
}

impl<'v> MapAccess<'v> for Members<'v, '_> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        for (name, slot) in self.left.by_ref() {
            self.walk.charge(1)?;
            if !matches!(slot, Slot::Undefined) {
                self.current = Some((name, slot));
                return seed.deserialize(Key::new(self.walk, name)).map(Some).map_err(|error| {
                    // A type that knows its members names the unknown one itself.
                    if error.path_is_empty() { within(error, name) } else { error }
                });
            }
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, DeError> {
        let (name, slot) = self.current.take().ok_or_else(out_of_turn)?;
        seed.deserialize(Place::new(self.walk, slot)).map_err(|error| within(error, name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// The same error, seen from outside the member of this name.
#[cold]
pub(super) fn within(error: DeError, name: &JsString) -> DeError {
    error.within_key(&name.beginning(words::SHOWN_BYTES))
}

/// A type that asks for a value before its key; serde's contract forbids it.
#[cold]
fn out_of_turn() -> DeError {
    serde::de::Error::custom("a value was asked for before its key")
}

/// Entries of a `Map`, as a map.
pub(super) struct Entries<'v, 'w> {
    walk: &'w Walk<'v>,
    left: slice::Iter<'v, (Slot, Slot)>,
    current: Option<&'v (Slot, Slot)>,
    index: usize,
}

impl<'v, 'w> Entries<'v, 'w> {
    pub(super) fn new(walk: &'w Walk<'v>, entries: &'v [(Slot, Slot)]) -> Self {
        Self { walk, left: entries.iter(), current: None, index: 0 }
    }
}

impl<'v> MapAccess<'v> for Entries<'v, '_> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        self.current = self.left.next();
        let Some((key, _)) = self.current else { return Ok(None) };
        self.walk.charge(1)?;
        seed.deserialize(Place::new(self.walk, key))
            .map(Some)
            .map_err(|error| error.within_index(0).within_index(self.index))
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, DeError> {
        let (key, value) = self.current.take().ok_or_else(out_of_turn)?;
        let index = self.index;
        self.index += 1;
        seed.deserialize(Place::new(self.walk, value)).map_err(|error| match key {
            Slot::String(key) => error.within_entry(&key.beginning(words::SHOWN_BYTES)),
            _ => error.within_index(1).within_index(index),
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// Entries of a `Map`, as a sequence of pairs.
pub(super) struct Pairs<'v, 'w> {
    walk: &'w Walk<'v>,
    left: slice::Iter<'v, (Slot, Slot)>,
    index: usize,
}

impl<'v, 'w> Pairs<'v, 'w> {
    pub(super) fn new(walk: &'w Walk<'v>, entries: &'v [(Slot, Slot)]) -> Self {
        Self { walk, left: entries.iter(), index: 0 }
    }
}

impl<'v> SeqAccess<'v> for Pairs<'v, '_> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some((key, value)) = self.left.next() else { return Ok(None) };
        self.walk.charge(1)?;
        let pair = SeqAccessDeserializer::new(Pair { walk: self.walk, sides: [key, value], next: 0 });
        let pair = seed.deserialize(pair).map_err(|error| error.within_index(self.index))?;
        self.index += 1;
        Ok(Some(pair))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// One entry of a `Map`: its key, then its value.
struct Pair<'v, 'w> {
    walk: &'w Walk<'v>,
    sides: [&'v Slot; 2],
    next: usize,
}

impl<'v> SeqAccess<'v> for Pair<'v, '_> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some(slot) = self.sides.get(self.next) else { return Ok(None) };
        let side =
            seed.deserialize(Place::new(self.walk, slot)).map_err(|error| error.within_index(self.next))?;
        self.next += 1;
        Ok(Some(side))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.sides.len() - self.next)
    }
}
