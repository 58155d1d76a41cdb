//! Flight rows, server to client: what an action gave back, written for React's clients, and read as they read it.
//!
//! *Writing*: [`encode`] and [`encode_into`] turn anything that serialises into rows, [`encode_answer`] also what is
//! still to come, [`RowWriter`] writes rows one by one. *Reading* serves tests, tools and the load harness.

mod answer;
mod encoder;
mod error;
mod graph;
mod made;
mod parser;
mod producer;
mod response;
mod row;
mod serializer;
#[cfg(test)]
mod tests;
mod text;

use bytes::Bytes;
use serde::Serialize;

pub use answer::{Answer, Failed, Rest};
pub use error::{FlightError, Path, Problem};
pub use parser::{Parser, Row, RowError, RowKind};
pub use response::{ActionResponse, Limits, ParseError, Response, Thrown, parse, parse_action};
pub use row::RowWriter;

pub(crate) use made::{Broken, Given, Made, MadeKind};
pub(crate) use text::push_plain_string as push_json_string;

/// A value as rows: its own is numbered `first_row`, those it needs follow in number and precede in place.
///
/// Types become what `serde_json` makes of them, except where JavaScript has something better: `i128`, `u128` and
/// integers beyond ±(2^53 - 1) are big integers; `NaN`, the infinities and `-0` are themselves; bytes are a
/// `Uint8Array`. An object that several [`Value`](crate::Value)s of one graph share is one object at the client too.
///
/// # Errors
///
/// [`FlightError`] if the value holds what no client can be sent.
pub fn encode<T: Serialize + ?Sized>(value: &T, first_row: u32) -> Result<Bytes, FlightError> {
    let mut out = Vec::with_capacity(128);
    encode_into(&mut out, value, first_row)?;
    Ok(out.into())
}

/// As [`encode`], with values and streams that are still to come: what they become follows in [`Rest`].
///
/// # Errors
///
/// [`FlightError`] if the value holds what no client can be sent. What fails later fails alone, see [`Rest::failed`].
pub fn encode_answer<T: Serialize + ?Sized>(value: &T, first_row: u32) -> Result<Answer, FlightError> {
    answer::encode(value, first_row)
}

/// Appends what [`encode`] gives to a buffer, and gives the first row id that is still free.
///
/// # Errors
///
/// As [`encode`]; then nothing was appended.
pub fn encode_into<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
    first_row: u32,
) -> Result<u32, FlightError> {
    let mut rows = RowWriter::new(out, first_row);
    rows.value(first_row, value)?;
    Ok(rows.next_id())
}

/// Row 0 of an action's answer: its member `a` is a promise of row `value_row`.
#[must_use]
pub fn action_root(build: &str, value_row: u32) -> Bytes {
    let mut out = Vec::with_capacity(64);
    RowWriter::new(&mut out, 0).action_root(0, build, value_row);
    out.into()
}

/// A row that rejects what refers to it, with the digest that the client is shown.
#[must_use]
pub fn error_row(id: u32, digest: &str) -> Bytes {
    let mut out = Vec::with_capacity(64);
    RowWriter::new(&mut out, id).error(id, digest);
    out.into()
}
