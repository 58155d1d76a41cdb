//! Enums: a string is a variant without contents, an object with one member a variant with them.

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, Unexpected, VariantAccess, Visitor};

use super::{DeError, access::within, deserializer::Place, key::Key, walk::Walk};
use crate::{js::JsString, value::Slot};

/// A variant.
pub(super) struct Variant<'v, 'w> {
    walk: &'w Walk<'v>,
    name: &'v JsString,
    contents: Option<&'v Slot>,
}

impl<'v, 'w> Variant<'v, 'w> {
    /// One that was sent as its name.
    pub(super) fn unit(walk: &'w Walk<'v>, name: &'v JsString) -> Self {
        Self { walk, name, contents: None }
    }

    /// One that was sent as the only member of an object.
    pub(super) fn with_contents(walk: &'w Walk<'v>, name: &'v JsString, contents: &'v Slot) -> Self {
        Self { walk, name, contents: Some(contents) }
    }

    fn read<T>(
        self,
        expected: &'static str,
        read: impl FnOnce(Place<'v, 'w>) -> Result<T, DeError>,
    ) -> Result<T, DeError> {
        match self.contents {
            Some(contents) => read(Place::new(self.walk, contents)).map_err(|error| within(error, self.name)),
            None => Err(DeError::invalid_type(Unexpected::UnitVariant, &expected)),
        }
    }
}

impl<'v> EnumAccess<'v> for Variant<'v, '_> {
    type Error = DeError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'v>>(self, seed: T) -> Result<(T::Value, Self), DeError> {
        let variant = seed.deserialize(Key::new(self.walk, self.name))?;
        Ok((variant, self))
    }
}

impl<'v> VariantAccess<'v> for Variant<'v, '_> {
    type Error = DeError;

    fn unit_variant(self) -> Result<(), DeError> {
        match self.contents {
            Some(_) => self.read("unit variant", serde::Deserialize::deserialize),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'v>>(self, seed: T) -> Result<T::Value, DeError> {
        self.read("newtype variant", |contents| seed.deserialize(contents))
    }

    fn tuple_variant<V: Visitor<'v>>(self, len: usize, visitor: V) -> Result<V::Value, DeError> {
        self.read("newtype variant", |contents| contents.deserialize_tuple(len, visitor))
    }

    fn struct_variant<V: Visitor<'v>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.read("newtype variant", |contents| contents.deserialize_struct("", fields, visitor))
    }
}
