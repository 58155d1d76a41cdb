//! Strings, dates and big integers through serde.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Unexpected, Visitor},
};

use super::{
    BigInt, Date, JsString,
    handover::{self, Whole},
};
use crate::{Value, value::Slot};

/// In JavaScript: a string, with its lone surrogates. Other formats: text, in which each of them is U+FFFD.
impl Serialize for JsString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = self.as_str() {
            return serializer.serialize_str(text);
        }
        handover::serialize(serializer, Slot::String(self.clone()).into(), self.to_text_lossy())
    }
}

impl<'de> Deserialize<'de> for JsString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::deserialize(deserializer)
    }
}

impl Whole for JsString {
    const EXPECTED: &'static str = "a string";

    fn from_value(value: &Value) -> Option<Self> {
        match value.slot() {
            Slot::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn from_other<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// In JavaScript: a `Date`. Other formats: its ISO text, or nothing if it is invalid; in formats that people do not
/// read, the milliseconds since the epoch.
impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = Slot::Date(*self).into();
        if serializer.is_human_readable() {
            handover::serialize(serializer, value, self.to_iso())
        } else {
            handover::serialize(serializer, value, self.millis().unwrap_or(f64::NAN))
        }
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::deserialize(deserializer)
    }
}

impl Whole for Date {
    const EXPECTED: &'static str = "a date";

    fn from_value(value: &Value) -> Option<Self> {
        match value.slot() {
            Slot::Date(date) => Some(*date),
            _ => None,
        }
    }

    fn from_other<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(DateVisitor)
        } else {
            f64::deserialize(deserializer).map(Self::from_millis)
        }
    }
}

struct DateVisitor;

impl Visitor<'_> for DateVisitor {
    type Value = Date;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date in ISO format")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Date, E> {
        let date = Date::parse(text);
        match date.millis() {
            Some(_) => Ok(date),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_u64<E: Error>(self, millis: u64) -> Result<Date, E> {
        Ok(Date::from_millis(millis as f64))
    }

    fn visit_i64<E: Error>(self, millis: i64) -> Result<Date, E> {
        Ok(Date::from_millis(millis as f64))
    }

    fn visit_f64<E: Error>(self, millis: f64) -> Result<Date, E> {
        Ok(Date::from_millis(millis))
    }

    fn visit_unit<E: Error>(self) -> Result<Date, E> {
        Ok(Date::from_millis(f64::NAN))
    }

    fn visit_none<E: Error>(self) -> Result<Date, E> {
        self.visit_unit()
    }
}

/// In JavaScript: a `bigint`. Other formats: its decimal digits as text.
impl Serialize for BigInt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        handover::serialize(serializer, Slot::BigInt(self.clone()).into(), self.as_str())
    }
}

impl<'de> Deserialize<'de> for BigInt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::deserialize(deserializer)
    }
}

impl Whole for BigInt {
    const EXPECTED: &'static str = "a big integer";

    fn from_value(value: &Value) -> Option<Self> {
        match value.slot() {
            Slot::BigInt(integer) => Some(integer.clone()),
            _ => None,
        }
    }

    fn from_other<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(BigIntVisitor)
        } else {
            deserializer.deserialize_str(BigIntVisitor)
        }
    }
}

struct BigIntVisitor;

impl Visitor<'_> for BigIntVisitor {
    type Value = BigInt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer in decimal digits")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<BigInt, E> {
        BigInt::from_decimal(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<BigInt, E> {
        Ok(number.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<BigInt, E> {
        Ok(number.into())
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<BigInt, E> {
        Ok(number.into())
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<BigInt, E> {
        Ok(number.into())
    }
}
