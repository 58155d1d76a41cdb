//! One value on its way into rows: the buffer, and the rows beside it.

use super::{
    FlightError,
    error::Problem,
    graph::Graphs,
    made::{Made, MadeKind},
    producer::Producer,
    row::{ROW_BYTES_MAX, push_bytes_row, push_open_row, push_row_start, push_text_row},
    text::{push_hex, push_js_string, push_number, push_string, push_tagged},
};
use crate::{
    Value,
    js::Date,
    value::{ArrayKind, Slot},
};

/// How many levels are written by recursion, which a value's own `Serialize` decides. Values of the graph are
/// written without recursion and have no limit.
pub(super) const LEVELS_MAX: usize = 512;

/// What a main row is to the client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RowRole {
    /// A value: references name it.
    Value,
    /// An item of a stream: strings and bytes have their own kinds of rows, and nothing can refer to it.
    Item,
}

/// Where a handed-over value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// It is all there is in its row.
    Row,
    /// Inside something else.
    Inside,
}

/// What the rows of one response share.
pub(super) struct Session {
    pub(super) ids: Ids,
    pub(super) graphs: Graphs,
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
    role: RowRole,
    /// Whether the main row has its length in front, and so no line feed at its end.
    has_length: bool,
    pub(super) session: &'o mut Session,
    /// Finished rows, to be put before the main row.
    rows: Vec<u8>,
    levels: usize,
}

/// Hands out row ids.
pub(super) struct Ids(u32);

impl Ids {
    /// Ids from this one on.
    pub(super) fn from(first: u32) -> Self {
        Self(first)
    }

    pub(super) fn next(&mut self) -> u32 {
        let id = self.0;
        self.0 += 1;
        id
    }

    /// The id that is handed out next.
    pub(super) fn peek(&self) -> u32 {
        self.0
    }
}

impl<'o> Encoder<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, id: u32, role: RowRole, session: &'o mut Session) -> Self {
        Self::with_tag(out, id, "", role, session)
    }

    /// A row with a tag, of those that JSON follows.
    pub(super) fn with_tag(
        out: &'o mut Vec<u8>,
        id: u32,
        tag: &str,
        role: RowRole,
        session: &'o mut Session,
    ) -> Self {
        let start = out.len();
        push_row_start(out, id);
        out.extend_from_slice(tag.as_bytes());
        let json_start = Some(out.len());
        Self { out, start, json_start, id, role, has_length: false, session, rows: Vec::new(), levels: 0 }
    }

    /// Ends the row. The rows it needs are put before it, and the items of streams in it after it.
    pub(super) fn finish(mut self) {
        let mut tail = Vec::new();
        self.session.write(self.out, &mut self.rows, &mut tail);
        if !self.has_length {
            self.out.push(b'\n');
        }
        if !self.rows.is_empty() {
            let main_bytes = self.out.len() - self.start;
            self.out.extend_from_slice(&self.rows);
            self.out[self.start..].rotate_left(main_bytes);
        }
        self.out.extend_from_slice(&tail);
    }

    /// Whether this is all of an item.
    fn is_item(&self) -> bool {
        self.role == RowRole::Item && self.position() == Position::Row
    }

    /// Writes a row with its length in front in the place of the main row.
    fn replace_row(&mut self, write: impl FnOnce(&mut Vec<u8>, u32) -> bool) -> bool {
        let json_start = self.out.len();
        if !write(self.out, self.id) {
            return false;
        }
        self.out.drain(self.start..json_start);
        self.has_length = true;
        self.json_start = None;
        true
    }

    /// Writes a string.
    pub(super) fn text(&mut self, text: &str) {
        if !self.is_item() || !self.replace_row(|out, id| push_text_row(out, id, text)) {
            push_string(self.out, text);
        }
    }

    /// Writes what is still to come: a reference to the row that it will be.
    pub(super) fn start(&mut self, made: Made) -> Result<(), FlightError> {
        if !self.session.graphs.may_go_on() {
            return Err(FlightError::new(Problem::StillToCome { kind: made.kind.name() }));
        }
        let row = self.session.ids.next();
        let tag = match made.kind {
            MadeKind::Promise => "$@",
            MadeKind::Stream(kind) => {
                push_open_row(&mut self.rows, row, kind);
                "$"
            }
        };
        push_reference(self.out, tag, row);
        self.session.graphs.started.push((row, Producer::made(made)));
        Ok(())
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
            Slot::Node(node) => match (position, self.role) {
                (Position::Row, RowRole::Value) => self.session.hand_row(value, *node, self.id, self.out),
                _ => self.session.hand(value, *node, self.out),
            },
            Slot::String(text) if position == Position::Row && text.as_str().is_some() => {
                self.text(text.as_str().unwrap_or_default());
                Ok(())
            }
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
        let tag = kind.tag() as u8;
        if self.is_item() && !bytes.is_empty() {
            self.replace_row(|out, id| {
                push_bytes_row(out, id, tag, bytes);
                true
            });
            return Ok(());
        }
        let id = self.session.ids.next();
        push_bytes_row(&mut self.rows, id, tag, bytes);
        push_reference(self.out, "$", id);
        Ok(())
    }

    /// Writes a row with what `write` writes, and a reference with this tag to it.
    pub(super) fn outlined(
        &mut self,
        tag: &str,
        write: impl FnOnce(&mut Self) -> Result<(), FlightError>,
    ) -> Result<(), FlightError> {
        let id = self.session.ids.next();
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
