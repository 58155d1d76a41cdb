//! Writing rows.

use serde::Serialize;

use super::{
    FlightError,
    encoder::{Encoder, Ids, Position, RowRole, Session},
    graph::Graphs,
    text::{push_hex, push_plain_string, push_string},
};
use crate::{
    Value,
    value::{ArrayKind, StreamKind},
};

/// Appends rows to a buffer and hands out their ids: each once, counting up.
///
/// The client reads ids as 32 bits with a sign, so a response ends before id 2^31; that many rows would fill more
/// than ten gigabytes.
#[derive(Debug)]
pub struct RowWriter<'a> {
    out: &'a mut Vec<u8>,
    free: u32,
}

impl<'a> RowWriter<'a> {
    /// Appends to `out`; `first` is the first id that is handed out.
    #[must_use]
    pub fn new(out: &'a mut Vec<u8>, first: u32) -> Self {
        Self { out, free: first }
    }

    /// An id that no row has yet.
    pub fn allocate(&mut self) -> u32 {
        let id = self.free;
        self.free += 1;
        id
    }

    /// The id that would be handed out next.
    #[must_use]
    pub fn next_id(&self) -> u32 {
        self.free
    }

    /// A model row with the encoded value. What needs rows of its own gets them first, so that the client never
    /// meets a reference to bytes it does not have: it would wait for them for ever.
    ///
    /// # Errors
    ///
    /// [`FlightError`] if the value holds what no client can be sent; then nothing was appended.
    pub fn value<T: Serialize + ?Sized>(&mut self, id: u32, value: &T) -> Result<(), FlightError> {
        self.encode(id, |encoder| value.serialize(encoder))
    }

    /// A model row with a value of the graph, without a detour through serde.
    ///
    /// # Errors
    ///
    /// As [`RowWriter::value`].
    pub fn graph(&mut self, id: u32, value: &Value) -> Result<(), FlightError> {
        self.encode(id, |encoder| encoder.hand(value, Position::Row))
    }

    fn encode(
        &mut self,
        id: u32,
        write: impl FnOnce(&mut Encoder<'_>) -> Result<(), FlightError>,
    ) -> Result<(), FlightError> {
        self.free = self.free.max(id + 1);
        let start = self.out.len();
        let mut session = Session { ids: Ids::from(self.free), graphs: Graphs::default() };
        let mut encoder = Encoder::new(self.out, id, RowRole::Value, &mut session);
        let written = write(&mut encoder).map(|()| encoder.finish());
        match written {
            Ok(()) => self.free = session.ids.peek(),
            Err(_) => self.out.truncate(start),
        }
        written
    }

    /// A model row whose JSON is already there. It must be on one line.
    pub fn model(&mut self, id: u32, json: &str) {
        debug_assert!(!json.contains('\n'), "a line feed would end the row");
        push_row_start(self.out, id);
        self.out.extend_from_slice(json.as_bytes());
        self.out.push(b'\n');
    }

    /// A row that is a string, sent without escapes; it must stand before the rows that refer to it. Clients drop a
    /// byte order mark in front of it, and an empty one must not be the last row; a [`RowWriter::value`] is free of
    /// all three.
    ///
    /// # Panics
    ///
    /// If there are 2^31 bytes or more, whose length the client cannot read.
    pub fn text(&mut self, id: u32, text: &str) {
        push_bytes_row(self.out, id, b'T', text.as_bytes());
    }

    /// A row that is a typed array; it must stand before the rows that refer to it, and an empty one must not be
    /// the last row.
    ///
    /// # Panics
    ///
    /// If there are 2^31 bytes or more, whose length the client cannot read.
    pub fn binary(&mut self, id: u32, kind: ArrayKind, bytes: &[u8]) {
        push_bytes_row(self.out, id, kind.tag() as u8, bytes);
    }

    /// A row that rejects what refers to it; the digest is all that the client sees of the error.
    pub fn error(&mut self, id: u32, digest: &str) {
        push_error_row(self.out, id, Some(digest));
    }

    /// The root row of an action's answer, as Next's router reads it: `a` is a promise of row `value`, `b` the
    /// build that page data would have to match.
    pub fn action_root(&mut self, id: u32, build: &str, value: u32) {
        push_row_start(self.out, id);
        self.out.extend_from_slice(b"{\"a\":\"$@");
        push_hex(self.out, value);
        self.out.extend_from_slice(b"\",\"q\":\"\",\"i\":false,\"b\":");
        // The client reads this string as a model, so a dollar in front is doubled here too.
        push_string(self.out, build);
        self.out.extend_from_slice(b"}\n");
    }
}

/// The longest row with a length in front that clients can read: they keep the length in 32 bits with a sign.
pub(super) const ROW_BYTES_MAX: usize = i32::MAX as usize;

pub(super) fn push_row_start(out: &mut Vec<u8>, id: u32) {
    push_hex(out, id);
    out.push(b':');
}

pub(super) fn push_bytes_row(out: &mut Vec<u8>, id: u32, tag: u8, bytes: &[u8]) {
    assert!(bytes.len() <= ROW_BYTES_MAX, "{} bytes do not fit in a row", bytes.len());
    push_row_start(out, id);
    out.push(tag);
    push_hex(out, bytes.len() as u32);
    out.push(b',');
    out.extend_from_slice(bytes);
}

/// Writes the row that opens a stream.
pub(super) fn push_open_row(out: &mut Vec<u8>, id: u32, kind: StreamKind) {
    push_row_start(out, id);
    out.extend_from_slice(&[kind.tag() as u8, b'\n']);
}

/// Writes the row that closes a stream.
pub(super) fn push_close_row(out: &mut Vec<u8>, id: u32) {
    push_row_start(out, id);
    out.extend_from_slice(b"C\n");
}

/// Writes an item of a stream that is a string, unless it has to be a model row: clients drop a byte order mark in
/// front of text, and see an empty row only when something follows it.
pub(super) fn push_text_row(out: &mut Vec<u8>, id: u32, text: &str) -> bool {
    let fits = !text.is_empty() && !text.starts_with('\u{FEFF}') && text.len() <= ROW_BYTES_MAX;
    if fits {
        push_bytes_row(out, id, b'T', text.as_bytes());
    }
    fits
}

/// Writes bytes of a byte stream. The client's controller throws at an empty piece, which says nothing anyway.
pub(super) fn push_piece_rows(out: &mut Vec<u8>, id: u32, bytes: &[u8]) {
    for piece in bytes.chunks(ROW_BYTES_MAX) {
        push_bytes_row(out, id, b'b', piece);
    }
}

pub(super) fn push_error_row(out: &mut Vec<u8>, id: u32, digest: Option<&str>) {
    push_row_start(out, id);
    out.extend_from_slice(b"E{");
    if let Some(digest) = digest {
        out.extend_from_slice(b"\"digest\":");
        push_plain_string(out, digest);
    }
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_row_has_its_form_and_an_id_of_its_own() {
        let mut out = Vec::new();
        let mut rows = RowWriter::new(&mut out, 15);

        let (text, binary, model, error) =
            (rows.allocate(), rows.allocate(), rows.allocate(), rows.allocate());
        rows.text(text, "$\n");
        rows.binary(binary, ArrayKind::Int16, b"\n\n");
        rows.model(model, "[1]");
        rows.error(error, "7");
        rows.value(30, "last").unwrap();

        assert_eq!(rows.next_id(), 31);
        assert_eq!(out, b"f:T2,$\n10:S2,\n\n11:[1]\n12:E{\"digest\":\"7\"}\n1e:\"last\"\n");
    }
}
