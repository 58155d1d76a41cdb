//! Arrays and objects while they are written.

use serde::ser::{self, Serialize};

use super::{
    super::{FlightError, encoder::Encoder, error::Segment, text::push_plain_string},
    key::KeyWriter,
};

/// An array or object that is open.
pub(in super::super) struct Compound<'e, 'o> {
    encoder: &'e mut Encoder<'o>,
    /// What closes it.
    close: &'static str,
    /// How many items or members were written.
    written: usize,
    /// Where in the buffer the last key of a map stands, for messages.
    key: std::ops::Range<usize>,
    /// The enum variant that this is the content of, for messages.
    variant: Option<&'static str>,
}

impl<'e, 'o> Compound<'e, 'o> {
    pub(super) fn open(
        encoder: &'e mut Encoder<'o>,
        open: &'static str,
        close: &'static str,
    ) -> Result<Self, FlightError> {
        encoder.enter()?;
        encoder.out.extend_from_slice(open.as_bytes());
        Ok(Self { encoder, close, written: 0, key: 0..0, variant: None })
    }

    pub(super) fn of_variant(self, variant: &'static str) -> Self {
        Self { variant: Some(variant), ..self }
    }

    fn comma(&mut self) {
        if self.written > 0 {
            self.encoder.out.push(b',');
        }
        self.written += 1;
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), FlightError> {
        self.comma();
        value
            .serialize(&mut *self.encoder)
            .map_err(|error| self.located(error, Segment::Index(self.written - 1)))
    }

    fn member<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), FlightError> {
        self.comma();
        push_plain_string(self.encoder.out, key);
        self.encoder.out.push(b':');
        value.serialize(&mut *self.encoder).map_err(|error| self.located(error, Segment::Key(key.to_owned())))
    }

    #[cold]
    fn located(&self, error: FlightError, segment: Segment) -> FlightError {
        let error = error.within(segment);
        match self.variant {
            Some(variant) => error.within_key(variant),
            None => error,
        }
    }

    fn close(self) {
        self.encoder.out.extend_from_slice(self.close.as_bytes());
        self.encoder.leave();
    }
}

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = FlightError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), FlightError> {
        self.comma();
        let start = self.encoder.out.len();
        key.serialize(KeyWriter { out: self.encoder.out })
            .map_err(|error| self.located(error, Segment::Index(self.written - 1)))?;
        self.key = start + 1..self.encoder.out.len() - 1;
        self.encoder.out.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), FlightError> {
        value.serialize(&mut *self.encoder).map_err(|error| {
            let key = String::from_utf8_lossy(&self.encoder.out[self.key.clone()]).into_owned();
            self.located(error, Segment::Key(key))
        })
    }

    fn end(self) -> Result<(), FlightError> {
        self.close();
        Ok(())
    }
}

macro_rules! arrays {
    ($($trait:ident, $method:ident;)*) => {
        $(impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = FlightError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), FlightError> {
                self.item(value)
            }

            fn end(self) -> Result<(), FlightError> {
                self.close();
                Ok(())
            }
        })*
    };
}

arrays! {
    SerializeSeq, serialize_element;
    SerializeTuple, serialize_element;
    SerializeTupleStruct, serialize_field;
    SerializeTupleVariant, serialize_field;
}

macro_rules! objects {
    ($($trait:ident;)*) => {
        $(impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = FlightError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), FlightError> {
                self.member(key, value)
            }

            fn end(self) -> Result<(), FlightError> {
                self.close();
                Ok(())
            }
        })*
    };
}

objects! {
    SerializeStruct;
    SerializeStructVariant;
}
