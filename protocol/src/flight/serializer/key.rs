//! Keys of maps: object keys are strings, so numbers and booleans are written as text, as `serde_json` does.

use serde::ser::{self, Impossible, Serialize};

use super::super::{
    FlightError,
    error::Problem,
    text::{push_display, push_js_key, push_plain_string},
};
use crate::{js::handover, value::Slot};

/// Writes one key.
pub(super) struct KeyWriter<'o> {
    pub(super) out: &'o mut Vec<u8>,
}

impl KeyWriter<'_> {
    fn quoted(self, number: impl std::fmt::Display) {
        self.out.push(b'"');
        push_display(self.out, number);
        self.out.push(b'"');
    }

    fn float(self, is_finite: bool, number: impl ryu_js::Float) -> Result<(), FlightError> {
        if !is_finite {
            return refuse("a number that is not finite");
        }
        self.quoted(ryu_js::Buffer::new().format_finite(number));
        Ok(())
    }
}

fn refuse<T>(kind: &'static str) -> Result<T, FlightError> {
    Err(FlightError::new(Problem::Key { kind }))
}

macro_rules! numbers {
    ($($method:ident, $type:ty;)*) => {
        $(fn $method(self, number: $type) -> Result<(), FlightError> {
            self.quoted(number);
            Ok(())
        })*
    };
}

impl ser::Serializer for KeyWriter<'_> {
    type Ok = ();
    type Error = FlightError;
    type SerializeSeq = Impossible<(), FlightError>;
    type SerializeTuple = Impossible<(), FlightError>;
    type SerializeTupleStruct = Impossible<(), FlightError>;
    type SerializeTupleVariant = Impossible<(), FlightError>;
    type SerializeMap = Impossible<(), FlightError>;
    type SerializeStruct = Impossible<(), FlightError>;
    type SerializeStructVariant = Impossible<(), FlightError>;

    numbers! {
        serialize_bool, bool;
        serialize_i8, i8;
        serialize_i16, i16;
        serialize_i32, i32;
        serialize_i64, i64;
        serialize_i128, i128;
        serialize_u8, u8;
        serialize_u16, u16;
        serialize_u32, u32;
        serialize_u64, u64;
        serialize_u128, u128;
    }

    fn serialize_f32(self, number: f32) -> Result<(), FlightError> {
        self.float(number.is_finite(), number)
    }

    fn serialize_f64(self, number: f64) -> Result<(), FlightError> {
        self.float(number.is_finite(), number)
    }

    fn serialize_char(self, char: char) -> Result<(), FlightError> {
        self.serialize_str(char.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), FlightError> {
        push_plain_string(self.out, text);
        Ok(())
    }

    fn serialize_bytes(self, _bytes: &[u8]) -> Result<(), FlightError> {
        refuse("bytes")
    }

    fn serialize_none(self) -> Result<(), FlightError> {
        refuse("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), FlightError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), FlightError> {
        refuse("null")
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), FlightError> {
        refuse("null")
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), FlightError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), FlightError> {
        match name {
            handover::VALUE => match handover::take() {
                Some(handed) => match handed.slot() {
                    Slot::String(string) => {
                        push_js_key(self.out, string);
                        Ok(())
                    }
                    Slot::BigInt(integer) => {
                        self.quoted(integer);
                        Ok(())
                    }
                    _ => refuse(handed.kind()),
                },
                None => value.serialize(self),
            },
            _ => value.serialize(self),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), FlightError> {
        refuse("a variant with contents")
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Self::SerializeSeq, FlightError> {
        refuse("an array")
    }

    fn serialize_tuple(self, _len: usize) -> Result<Self::SerializeTuple, FlightError> {
        refuse("an array")
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleStruct, FlightError> {
        refuse("an array")
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, FlightError> {
        refuse("a variant with contents")
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Self::SerializeMap, FlightError> {
        refuse("an object")
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStruct, FlightError> {
        refuse("an object")
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, FlightError> {
        refuse("a variant with contents")
    }
}
