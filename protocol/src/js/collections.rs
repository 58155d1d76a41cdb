//! Maps and sets in JavaScript's sense: any keys and items, in the order of insertion.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};

use super::handover;

/// Entries in the order of insertion; keys and values are of any type.
///
/// In JavaScript: a `Map`. Other formats: an array of pairs. (A `HashMap` is a plain object there, and is read from
/// an object as well as from a `Map`.) Like JavaScript's, the keys are compared by JavaScript alone: a key that is
/// here twice is one entry there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Map<K, V>(pub Vec<(K, V)>);

/// Items in the order of insertion.
///
/// In JavaScript: a `Set`. Other formats: an array. (A `HashSet` is an array there, and is read from an array as well
/// as from a `Set`.) An item that is here twice is one item there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Set<T>(pub Vec<T>);

impl<K, V> Map<K, V> {
    /// The value of the last entry with this key, as in JavaScript. Looks at every entry: collect into a `HashMap`
    /// to look up many.
    pub fn get<Q: ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: PartialEq<Q>,
    {
        self.0.iter().rev().find(|(own, _)| own == key).map(|(_, value)| value)
    }
}

macro_rules! collection {
    ($name:ident, [$($parameter:ident),*], $item:ty) => {
        impl<$($parameter),*> $name<$($parameter),*> {
            /// How many there are.
            #[must_use]
            pub fn len(&self) -> usize {
                self.0.len()
            }

            /// Whether there are none.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// Each in order.
            pub fn iter(&self) -> std::slice::Iter<'_, $item> {
                self.0.iter()
            }
        }

        impl<$($parameter),*> Default for $name<$($parameter),*> {
            fn default() -> Self {
                Self(Vec::new())
            }
        }

        impl<$($parameter),*> FromIterator<$item> for $name<$($parameter),*> {
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> Self {
                Self(items.into_iter().collect())
            }
        }

        impl<$($parameter),*> IntoIterator for $name<$($parameter),*> {
            type Item = $item;
            type IntoIter = std::vec::IntoIter<$item>;

            fn into_iter(self) -> Self::IntoIter {
                self.0.into_iter()
            }
        }

        impl<'a, $($parameter),*> IntoIterator for &'a $name<$($parameter),*> {
            type Item = &'a $item;
            type IntoIter = std::slice::Iter<'a, $item>;

            fn into_iter(self) -> Self::IntoIter {
                self.0.iter()
            }
        }
    };
}

collection!(Map, [K, V], (K, V));
collection!(Set, [T], T);

impl<K: Serialize, V: Serialize> Serialize for Map<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(handover::MAP, &self.0)
    }
}

impl<T: Serialize> Serialize for Set<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(handover::SET, &self.0)
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Map<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = ItemsVisitor { expected: "a Map", item: PhantomData };
        deserializer.deserialize_newtype_struct(handover::MAP, visitor).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Set<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = ItemsVisitor { expected: "a Set", item: PhantomData };
        deserializer.deserialize_newtype_struct(handover::SET, visitor).map(Self)
    }
}

/// Reads the sequence inside a newtype struct.
struct ItemsVisitor<T> {
    expected: &'static str,
    item: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ItemsVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        Vec::deserialize(deserializer)
    }
}
