//! One value on its way into rows: the buffer, the rows beside it, and the graphs met so far.

use super::{
    FlightError,
    error::Problem,
    graph::Graphs,
    row::{ROW_BYTES_MAX, push_bytes_row, push_row_start},
    text::{push_hex, push_js_string, push_number, push_tagged},
};
use crate::{
    Value,
    js::Date,
    value::{ArrayKind, Slot},
};

/// How many levels are written by recursion, which a value's own `Serialize` decides. Values of the graph are
/// written without recursion and have no limit.
pub(super) const LEVELS_MAX: usize = 512;

/// Where a handed-over value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// It is all there is in its row.
    Row,
    /// Inside something else.
    Inside,
}

/// Writes one row and those it needs.
pub(super) struct Encoder<'o> {
    /// Ends with the row being written.
    pub(super) out: &'o mut Vec<u8>,
    /// Where the main row begins in `out`.
    start: usize,
    /// Where the main row's JSON begins; nothing while another row is written into `out`.
    json_start: Option<usize>,
    /// Id of the main row.
    id: u32,
    pub(super) ids: Ids,
    /// Finished rows, to be put before the main row.
    rows: Vec<u8>,
    levels: usize,
    graphs: Graphs,
}

/// Hands out row ids.
pub(super) struct Ids(u32);

impl Ids {
    pub(super) fn next(&mut self) -> u32 {
        let id = self.0;
        self.0 += 1;
        id
    }
}

impl<'o> Encoder<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, id: u32, free: u32) -> Self {
        let start = out.len();
        push_row_start(out, id);
        let json_start = Some(out.len());
        Self {
            out,
            start,
            json_start,
            id,
            ids: Ids(free),
            rows: Vec::new(),
            levels: 0,
            graphs: Graphs::default(),
        }
    }

    /// Ends the row, puts the rows it needs before it, and gives the next free id.
    pub(super) fn finish(mut self) -> u32 {
        self.graphs.write(self.out, &mut self.rows, &mut self.ids);
        self.out.push(b'\n');
        if !self.rows.is_empty() {
            let main_bytes = self.out.len() - self.start;
            self.out.extend_from_slice(&self.rows);
            self.out[self.start..].rotate_left(main_bytes);
        }
        self.ids.0
    }

    /// Whether nothing of the main row's JSON is written yet.
    pub(super) fn position(&self) -> Position {
        if self.json_start == Some(self.out.len()) { Position::Row } else { Position::Inside }
    }

    /// Goes one level deeper.
    pub(super) fn enter(&mut self) -> Result<(), FlightError> {
        if self.levels == LEVELS_MAX {
            return Err(FlightError::new(Problem::TooDeep { levels_max: LEVELS_MAX }));
        }
        self.levels += 1;
        Ok(())
    }

    /// Comes back from a level.
    pub(super) fn leave(&mut self) {
        self.levels -= 1;
    }

    /// Writes a value of a graph: scalars here, objects in rows of their own as soon as the main row is complete.
    /// Only then is it known which of them are met again, in this value or in another of the same graph.
    pub(super) fn hand(&mut self, value: &Value, position: Position) -> Result<(), FlightError> {
        match value.slot() {
            Slot::Node(node) => match position {
                Position::Row => self.graphs.hand_row(value, *node, self.id, self.out, &mut self.ids),
                Position::Inside => self.graphs.hand(value, *node, self.out, &mut self.ids),
            },
            scalar => {
                push_scalar(self.out, scalar);
                Ok(())
            }
        }
    }

    /// Writes a row of bytes and a reference to it.
    pub(super) fn bytes(&mut self, kind: ArrayKind, bytes: &[u8]) -> Result<(), FlightError> {
        if bytes.len() > ROW_BYTES_MAX {
            return Err(FlightError::new(Problem::TooLarge { bytes: bytes.len() }));
        }
        let id = self.ids.next();
        push_bytes_row(&mut self.rows, id, kind.tag() as u8, bytes);
        push_reference(self.out, "$", id);
        Ok(())
    }

    /// Writes a row with what `write` writes, and a reference with this tag to it.
    pub(super) fn outlined(
        &mut self,
        tag: &str,
        write: impl FnOnce(&mut Self) -> Result<(), FlightError>,
    ) -> Result<(), FlightError> {
        let id = self.ids.next();
        let json_start = self.json_start.take();
        let outer = std::mem::take(self.out);
        push_row_start(self.out, id);
        let written = write(self);
        self.out.push(b'\n');
        let row = std::mem::replace(self.out, outer);
        self.json_start = json_start;
        written?;
        self.rows.extend_from_slice(&row);
        push_reference(self.out, tag, id);
        Ok(())
    }
}

/// Writes `"<tag><id>"`.
pub(super) fn push_reference(out: &mut Vec<u8>, tag: &str, id: u32) {
    out.push(b'"');
    out.extend_from_slice(tag.as_bytes());
    push_hex(out, id);
    out.push(b'"');
}

/// Writes what is not an object.
///
/// # Panics
///
/// If it is an object.
pub(super) fn push_scalar(out: &mut Vec<u8>, slot: &Slot) {
    match slot {
        Slot::Undefined => out.extend_from_slice(b"\"$undefined\""),
        Slot::Null => out.extend_from_slice(b"null"),
        Slot::Bool(true) => out.extend_from_slice(b"true"),
        Slot::Bool(false) => out.extend_from_slice(b"false"),
        Slot::Number(number) => push_number(out, *number),
        Slot::String(string) => push_js_string(out, string),
        Slot::BigInt(integer) => {
            out.extend_from_slice(b"\"$n");
            out.extend_from_slice(integer.as_str().as_bytes());
            out.push(b'"');
        }
        Slot::Date(date) => push_date(out, *date),
        Slot::Symbol(key) => push_tagged(out, "$S", key),
        Slot::Node(_) => unreachable!("objects are written by the graph they live in"),
    }
}

/// Writes a date. The reference writes `null` for an invalid one; a text that is no date keeps it what it is.
fn push_date(out: &mut Vec<u8>, date: Date) {
    out.extend_from_slice(b"\"$D");
    match date.to_iso() {
        Some(text) => out.extend_from_slice(text.as_bytes()),
        None => out.extend_from_slice(b"NaN"),
    }
    out.push(b'"');
}
