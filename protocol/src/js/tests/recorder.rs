//! A serializer that knows the names of [`handover`], as the one of Flight rows does, and writes down what it is given.

use serde::ser::{self, Impossible, Serialize, SerializeSeq, SerializeTuple, Serializer};

use super::{super::handover, Value};

/// What was given.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    Handed(Value),
    Named(&'static str, Box<Record>),
    List(Vec<Record>),
    Text(String),
    Bytes(Vec<u8>),
    Number(u64),
    None,
}

pub(super) fn record<T: Serialize>(value: &T) -> Record {
    let recorded = value.serialize(Recorder).unwrap();
    assert!(handover::take().is_none(), "a value was left behind");
    recorded
}

/// What none of the tests needs.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unexpected(String);

impl ser::Error for Unexpected {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Recorder;

#[derive(Default)]
struct Listed(Vec<Record>);

impl SerializeSeq for Listed {
    type Ok = Record;
    type Error = Unexpected;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unexpected> {
        self.0.push(value.serialize(Recorder)?);
        Ok(())
    }

    fn end(self) -> Result<Record, Unexpected> {
        Ok(Record::List(self.0))
    }
}

impl SerializeTuple for Listed {
    type Ok = Record;
    type Error = Unexpected;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unexpected> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Record, Unexpected> {
        SerializeSeq::end(self)
    }
}

macro_rules! unexpected {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<Record, Unexpected> {
            Err(ser::Error::custom(stringify!($method)))
        })*
    };
}

impl Serializer for Recorder {
    type Ok = Record;
    type Error = Unexpected;
    type SerializeSeq = Listed;
    type SerializeTuple = Listed;
    type SerializeTupleStruct = Impossible<Record, Unexpected>;
    type SerializeTupleVariant = Impossible<Record, Unexpected>;
    type SerializeMap = Impossible<Record, Unexpected>;
    type SerializeStruct = Impossible<Record, Unexpected>;
    type SerializeStructVariant = Impossible<Record, Unexpected>;

    unexpected! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_u8(self, number: u8) -> Result<Record, Unexpected> {
        Ok(Record::Number(number.into()))
    }

    fn serialize_str(self, text: &str) -> Result<Record, Unexpected> {
        Ok(Record::Text(text.to_owned()))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Record, Unexpected> {
        Ok(Record::Bytes(bytes.to_owned()))
    }

    fn serialize_none(self) -> Result<Record, Unexpected> {
        Ok(Record::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Record, Unexpected> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Record, Unexpected> {
        match (name, handover::take()) {
            (handover::VALUE, Some(handed)) => Ok(Record::Handed(handed)),
            _ => Ok(Record::Named(name, Box::new(value.serialize(self)?))),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<Record, Unexpected> {
        Err(ser::Error::custom(name))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Listed, Unexpected> {
        Ok(Listed::default())
    }

    fn serialize_tuple(self, _len: usize) -> Result<Listed, Unexpected> {
        Ok(Listed::default())
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleStruct, Unexpected> {
        Err(ser::Error::custom(name))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, Unexpected> {
        Err(ser::Error::custom(name))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Self::SerializeMap, Unexpected> {
        Err(ser::Error::custom("a map"))
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Self::SerializeStruct, Unexpected> {
        Err(ser::Error::custom(name))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, Unexpected> {
        Err(ser::Error::custom(name))
    }
}
