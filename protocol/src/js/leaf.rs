//! Newtypes that are one JavaScript value: how each goes through serde.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BigInt, Date, JsString, handover};
use crate::{
    Value,
    value::{ArrayKind, Builder, Node, Promise, Slot, TypedArray},
};

/// `undefined`, and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undefined;

/// Bytes: an `ArrayBuffer`, any typed array or a `Blob` from JavaScript, a `Uint8Array` to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByteArray(pub Bytes);

/// One JavaScript value as a Rust type.
trait Leaf: Sized {
    /// For messages.
    const EXPECTED: &'static str;

    /// What formats without JavaScript's types hold instead.
    type Plain: Serialize + serde::de::DeserializeOwned;

    fn read(value: &Value) -> Option<Self>;
    fn write(&self) -> Value;
    fn to_plain(&self) -> Self::Plain;
    fn from_plain(plain: Self::Plain) -> Option<Self>;
}

/// Follows promises to what they resolved to.
pub(super) fn settled(value: &Value) -> Value {
    let mut value = value.clone();
    while let Some(Node::Promise(Promise::Fulfilled(slot))) = value.node() {
        value = value.at(slot);
    }
    value
}

struct Plainly;

impl<T: Leaf> handover::Fallback<T> for Plainly {
    fn read<'de, D: Deserializer<'de>>(self, deserializer: D, expected: &'static str) -> Result<T, D::Error> {
        let plain = T::Plain::deserialize(deserializer)?;
        T::from_plain(plain).ok_or_else(|| serde::de::Error::custom(format_args!("expected {expected}")))
    }
}

macro_rules! leaves {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                handover::send(serializer, self.write(), &self.to_plain())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                handover::receive_or(
                    deserializer,
                    Self::EXPECTED,
                    |value| {
                        let value = settled(value);
                        <$type as Leaf>::read(&value)
                            .ok_or_else(|| format!("expected {}, found {}", Self::EXPECTED, value.kind()))
                    },
                    Plainly,
                )
            }
        }
    )*};
}

leaves!(Date, BigInt, JsString, Undefined, ByteArray, TypedArray);

impl Leaf for Date {
    const EXPECTED: &'static str = "a date";
    type Plain = Option<String>;

    /// Text is read as an ISO date, too: what a form's date field sends.
    fn read(value: &Value) -> Option<Self> {
        match value.slot() {
            Slot::Date(date) => Some(*date),
            Slot::String(text) => Some(Self::parse(text.as_str()?)).filter(|date| date.millis().is_some()),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        Slot::Date(*self).into()
    }

    fn to_plain(&self) -> Self::Plain {
        self.to_iso()
    }

    fn from_plain(plain: Self::Plain) -> Option<Self> {
        Some(plain.map_or(Self::from_millis(f64::NAN), |iso| Self::parse(&iso)))
    }
}

impl Leaf for BigInt {
    const EXPECTED: &'static str = "a big integer";
    type Plain = String;

    fn read(value: &Value) -> Option<Self> {
        match value.slot() {
            Slot::BigInt(number) => Some(number.clone()),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        Slot::BigInt(self.clone()).into()
    }

    fn to_plain(&self) -> String {
        self.to_string()
    }

    fn from_plain(plain: String) -> Option<Self> {
        Self::from_decimal(&plain).ok()
    }
}

impl Leaf for JsString {
    const EXPECTED: &'static str = "a string";
    type Plain = String;

    fn read(value: &Value) -> Option<Self> {
        match value.slot() {
            Slot::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        Slot::String(self.clone()).into()
    }

    fn to_plain(&self) -> String {
        self.to_text_lossy().into_owned()
    }

    fn from_plain(plain: String) -> Option<Self> {
        Some(plain.into())
    }
}

impl Leaf for Undefined {
    const EXPECTED: &'static str = "undefined";
    type Plain = ();

    fn read(value: &Value) -> Option<Self> {
        matches!(value.slot(), Slot::Undefined).then_some(Self)
    }

    fn write(&self) -> Value {
        Value::undefined()
    }

    fn to_plain(&self) {}

    fn from_plain((): ()) -> Option<Self> {
        Some(Self)
    }
}

impl Leaf for ByteArray {
    const EXPECTED: &'static str = "binary data";
    type Plain = Vec<u8>;

    fn read(value: &Value) -> Option<Self> {
        match value.node()? {
            Node::Bytes(array) => Some(Self(array.bytes.clone())),
            Node::Blob(blob) => Some(Self(blob.bytes.clone())),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        single(Node::Bytes(TypedArray { kind: ArrayKind::Uint8, bytes: self.0.clone() }))
    }

    fn to_plain(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn from_plain(plain: Vec<u8>) -> Option<Self> {
        Some(Self(plain.into()))
    }
}

impl Leaf for TypedArray {
    const EXPECTED: &'static str = "a typed array";
    type Plain = (String, Vec<u8>);

    fn read(value: &Value) -> Option<Self> {
        match value.node()? {
            Node::Bytes(array) => Some(array.clone()),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        single(Node::Bytes(self.clone()))
    }

    fn to_plain(&self) -> Self::Plain {
        (self.kind.js_name().into(), self.bytes.to_vec())
    }

    fn from_plain((name, bytes): Self::Plain) -> Option<Self> {
        let kind = ArrayKind::ALL.iter().copied().find(|kind| kind.js_name() == name)?;
        (bytes.len() % kind.element_bytes() == 0).then(|| Self { kind, bytes: bytes.into() })
    }
}

/// A value that is one object.
pub(super) fn single(node: Node) -> Value {
    let mut builder = Builder::new();
    let id = builder.add(node);
    builder.finish(Slot::Node(id))
}

impl From<SystemTime> for Date {
    fn from(time: SystemTime) -> Self {
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_millis() as f64,
            Err(before) => -(before.duration().as_millis() as f64),
        };
        Self::from_millis(millis)
    }
}

impl TryFrom<Date> for SystemTime {
    type Error = InvalidDate;

    fn try_from(date: Date) -> Result<Self, InvalidDate> {
        let millis = date.millis().ok_or(InvalidDate)?;
        let distance = Duration::from_millis(millis.abs() as u64);
        let time =
            if millis < 0.0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
        time.ok_or(InvalidDate)
    }
}

/// A date that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the date is invalid")]
pub struct InvalidDate;

macro_rules! big_int_from {
    ($($type:ty),*) => {$(
        impl From<$type> for BigInt {
            fn from(number: $type) -> Self {
                Self::from(i128::from(number))
            }
        }
    )*};
}

big_int_from!(i64, u64, i32, u32);
