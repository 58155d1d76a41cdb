//! Typed arrays and plain bytes through serde.

use std::{borrow::Cow, fmt, ops::Deref};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Unexpected, Visitor},
};

use super::handover::{self, Whole};
use crate::{
    Value,
    value::{ArrayKind, Builder, Node, Slot, TypedArray},
};

/// Bytes, whatever JavaScript keeps them in.
///
/// In JavaScript: a `Uint8Array`; read from an `ArrayBuffer`, any typed array, a `DataView` or a `Blob`, without
/// copying. Other formats: bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ByteArray(pub Bytes);

impl Deref for ByteArray {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Bytes>> From<T> for ByteArray {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl Serialize for ByteArray {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for ByteArray {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::deserialize(deserializer)
    }
}

impl Whole for ByteArray {
    const EXPECTED: &'static str = "binary data";

    fn from_value(value: &Value) -> Option<Self> {
        match value.node() {
            Some(Node::Bytes(array)) => Some(Self(array.bytes.clone())),
            Some(Node::Blob(blob)) => blob.content.bytes().ok().map(Self),
            _ => None,
        }
    }

    fn from_other<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = ByteArray;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("binary data")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<ByteArray, E> {
        Ok(ByteArray(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<ByteArray, E> {
        Ok(ByteArray(bytes.into()))
    }

    /// Formats without bytes, such as JSON, write them as numbers.
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ByteArray, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(ByteArray(bytes.into()))
    }
}

/// What another format sees of a typed array.
#[derive(Serialize, Deserialize)]
#[serde(expecting = "a typed array")]
struct TypedArrayFields<'a> {
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    bytes: ByteArray,
}

/// In JavaScript: an `ArrayBuffer`, a typed array or a `DataView`. Other formats: a struct of the constructor's name,
/// `type`, and the `bytes`.
impl Serialize for TypedArray {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut builder = Builder::new();
        let array = builder.add(Node::Bytes(self.clone()));
        let fields =
            TypedArrayFields { kind: self.kind.js_name().into(), bytes: ByteArray(self.bytes.clone()) };
        handover::serialize(serializer, builder.finish(Slot::Node(array)), fields)
    }
}

impl<'de> Deserialize<'de> for TypedArray {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::deserialize(deserializer)
    }
}

impl Whole for TypedArray {
    const EXPECTED: &'static str = "a typed array";

    fn from_value(value: &Value) -> Option<Self> {
        match value.node() {
            Some(Node::Bytes(array)) => Some(array.clone()),
            _ => None,
        }
    }

    fn from_other<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let TypedArrayFields { kind, bytes: ByteArray(bytes) } = Deserialize::deserialize(deserializer)?;
        let Some(&kind) = ArrayKind::ALL.iter().find(|known| known.js_name() == kind) else {
            return Err(D::Error::invalid_value(Unexpected::Str(&kind), &"the name of a typed array"));
        };
        if bytes.len() % kind.element_bytes() != 0 {
            return Err(D::Error::invalid_length(bytes.len(), &"bytes of whole elements"));
        }
        Ok(Self { kind, bytes })
    }
}
