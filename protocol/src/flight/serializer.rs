//! serde's data model as rows.
//!
//! As `serde_json` writes it, with these differences, all of them what JavaScript needs: integers that a JavaScript
//! number would round are big integers (`$n`), as is every `i128` and `u128`; `NaN`, the infinities and `-0` keep
//! their value; bytes are a `Uint8Array`; strings that begin with `$` are escaped.

mod compound;
mod key;

use serde::ser::{self, Serialize};

use self::compound::Compound;
use super::{
    FlightError,
    encoder::Encoder,
    text::{
        SAFE_INTEGER_MAX, push_digits, push_display, push_integer, push_number, push_plain_string,
        push_short_number,
    },
};
use crate::{js::handover, value::ArrayKind};

impl Encoder<'_> {
    fn big_integer(&mut self, number: impl std::fmt::Display) {
        self.out.extend_from_slice(b"\"$n");
        push_display(self.out, number);
        self.out.push(b'"');
    }

    /// Opens the object with one member that an enum's variant with contents is.
    fn open_variant(&mut self, variant: &str) {
        self.out.push(b'{');
        push_plain_string(self.out, variant);
        self.out.push(b':');
    }
}

impl<'e, 'o> ser::Serializer for &'e mut Encoder<'o> {
    type Ok = ();
    type Error = FlightError;
    type SerializeSeq = Compound<'e, 'o>;
    type SerializeTuple = Compound<'e, 'o>;
    type SerializeTupleStruct = Compound<'e, 'o>;
    type SerializeTupleVariant = Compound<'e, 'o>;
    type SerializeMap = Compound<'e, 'o>;
    type SerializeStruct = Compound<'e, 'o>;
    type SerializeStructVariant = Compound<'e, 'o>;

    fn serialize_bool(self, truth: bool) -> Result<(), FlightError> {
        self.out.extend_from_slice(if truth { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, number: i8) -> Result<(), FlightError> {
        self.serialize_i64(number.into())
    }

    fn serialize_i16(self, number: i16) -> Result<(), FlightError> {
        self.serialize_i64(number.into())
    }

    fn serialize_i32(self, number: i32) -> Result<(), FlightError> {
        self.serialize_i64(number.into())
    }

    fn serialize_i64(self, number: i64) -> Result<(), FlightError> {
        if number.unsigned_abs() <= SAFE_INTEGER_MAX {
            push_integer(self.out, number);
        } else {
            self.big_integer(number);
        }
        Ok(())
    }

    fn serialize_i128(self, number: i128) -> Result<(), FlightError> {
        self.big_integer(number);
        Ok(())
    }

    fn serialize_u8(self, number: u8) -> Result<(), FlightError> {
        self.serialize_u64(number.into())
    }

    fn serialize_u16(self, number: u16) -> Result<(), FlightError> {
        self.serialize_u64(number.into())
    }

    fn serialize_u32(self, number: u32) -> Result<(), FlightError> {
        self.serialize_u64(number.into())
    }

    fn serialize_u64(self, number: u64) -> Result<(), FlightError> {
        if number <= SAFE_INTEGER_MAX {
            push_digits(self.out, number);
        } else {
            self.big_integer(number);
        }
        Ok(())
    }

    fn serialize_u128(self, number: u128) -> Result<(), FlightError> {
        self.big_integer(number);
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), FlightError> {
        push_short_number(self.out, number);
        Ok(())
    }

    fn serialize_f64(self, number: f64) -> Result<(), FlightError> {
        push_number(self.out, number);
        Ok(())
    }

    fn serialize_char(self, char: char) -> Result<(), FlightError> {
        self.serialize_str(char.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), FlightError> {
        self.text(text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), FlightError> {
        self.bytes(ArrayKind::Uint8, bytes)
    }

    fn serialize_none(self) -> Result<(), FlightError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), FlightError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), FlightError> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), FlightError> {
        self.serialize_unit()
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
                Some(handed) => {
                    let position = self.position();
                    self.hand(&handed, position)
                }
                None => value.serialize(self),
            },
            handover::LATER => match handover::take_made() {
                Some(made) => self.start(made),
                None => value.serialize(self),
            },
            handover::MAP => self.outlined("$Q", |encoder| value.serialize(encoder)),
            handover::SET => self.outlined("$W", |encoder| value.serialize(encoder)),
            _ => value.serialize(self),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), FlightError> {
        self.enter()?;
        self.open_variant(variant);
        value.serialize(&mut *self).map_err(|error| error.within_key(variant))?;
        self.out.push(b'}');
        self.leave();
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Self::SerializeSeq, FlightError> {
        Compound::open(self, "[", "]")
    }

    fn serialize_tuple(self, _len: usize) -> Result<Self::SerializeTuple, FlightError> {
        Compound::open(self, "[", "]")
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleStruct, FlightError> {
        Compound::open(self, "[", "]")
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, FlightError> {
        self.open_variant(variant);
        Compound::open(self, "[", "]}").map(|compound| compound.of_variant(variant))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Self::SerializeMap, FlightError> {
        Compound::open(self, "{", "}")
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStruct, FlightError> {
        Compound::open(self, "{", "}")
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, FlightError> {
        self.open_variant(variant);
        Compound::open(self, "{", "}}").map(|compound| compound.of_variant(variant))
    }
}
