//! What is written reads back.

mod answers;
mod arbitrary;
mod graphs;
mod growing;
mod responses;
mod serialized;

use super::*;
use crate::{
    Value,
    js::{ByteArray, JsString},
    value::Slot,
};

/// A value that passes through serde by being handed over.
struct Handed(Value);

impl Serialize for Handed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::js::handover::put(self.0.clone());
        serializer.serialize_newtype_struct(crate::js::handover::VALUE, &())
    }
}

fn read(rows: &[u8]) -> Value {
    parse(rows, &Limits::default()).unwrap().root.unwrap()
}

fn text<T: Serialize + ?Sized>(value: &T) -> String {
    String::from_utf8(encode(value, 1).unwrap().to_vec()).unwrap()
}

fn graph_rows(value: &Value) -> Result<Vec<u8>, FlightError> {
    let mut out = Vec::new();
    RowWriter::new(&mut out, 0).graph(0, value)?;
    Ok(out)
}

fn slot(number: f64) -> Slot {
    Slot::Number(number)
}
