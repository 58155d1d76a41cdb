//! Cuts a response into rows, as its bytes arrive.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::value::{ArrayKind, StreamKind};

/// Cuts a response into rows. It takes bytes in pieces of any size, and does no IO.
///
/// Rows come out the same wherever the pieces were cut. A row that the end of the body cuts short is lost, as it is
/// to the clients; so is an empty row with a length in front, if nothing follows it.
#[derive(Debug)]
pub struct Parser {
    buffer: BytesMut,
    state: State,
    id: u32,
    kind: RowKind,
    length_bytes: usize,
    /// How much of the buffer is known to hold no line feed.
    searched_bytes: usize,
    row_bytes_max: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Id,
    Tag,
    Length,
    Bytes,
    Line,
}

/// One row of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id; an id without digits is 0.
    pub id: u32,
    /// What it is.
    pub kind: RowKind,
    /// What stands after the tag.
    pub body: Bytes,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// A value as JSON; also every tag that clients do not know.
    Model,
    /// A string, or the next item of a stream.
    Text,
    /// Binary data, or the next item of a stream.
    Binary(ArrayKind),
    /// A piece of a byte stream.
    Piece,
    /// An export of a client module.
    Module,
    /// Something to load early.
    Hint,
    /// An error.
    Error,
    /// The beginning of a stream or an async iterable.
    Open(StreamKind),
    /// The end of one.
    Close,
    /// Debug information; clients in production refuse it.
    Debug,
}

/// Why bytes are not rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A length that is not lower-case hex.
    #[error("byte {byte:#04x} in a length")]
    Length {
        /// The byte.
        byte: u8,
    },
    /// A row longer than the limit.
    #[error("a row longer than {row_bytes_max} bytes")]
    TooLong {
        /// The limit.
        row_bytes_max: usize,
    },
}

impl Parser {
    /// A parser that refuses rows longer than this many bytes.
    #[must_use]
    pub fn new(row_bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            state: State::Id,
            id: 0,
            kind: RowKind::Model,
            length_bytes: 0,
            searched_bytes: 0,
            row_bytes_max,
        }
    }

    /// Takes the next piece of the body.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next complete row, or nothing until more bytes are pushed.
    ///
    /// # Errors
    ///
    /// [`RowError`] if a length cannot be read or a row is too long; there is no way on from there.
    pub fn next_row(&mut self) -> Result<Option<Row>, RowError> {
        while let Some(&byte) = self.buffer.first() {
            match self.state {
                State::Id => {
                    self.buffer.advance(1);
                    if byte == b':' {
                        self.state = State::Tag;
                    } else {
                        self.id = self.id << 4 | digit(byte);
                    }
                }
                State::Tag => self.tag(byte),
                State::Length => {
                    self.buffer.advance(1);
                    self.length(byte)?;
                }
                State::Bytes => {
                    let whole = self.length_bytes <= self.buffer.len();
                    return Ok(whole.then(|| self.row(self.length_bytes)));
                }
                State::Line => return self.line(),
            }
        }
        Ok(None)
    }

    fn tag(&mut self, byte: u8) {
        let (kind, state) = match byte {
            b'T' => (RowKind::Text, State::Length),
            b'b' => (RowKind::Piece, State::Length),
            b'I' => (RowKind::Module, State::Line),
            b'H' => (RowKind::Hint, State::Line),
            b'E' => (RowKind::Error, State::Line),
            b'C' => (RowKind::Close, State::Line),
            b'N' | b'D' | b'J' | b'W' => (RowKind::Debug, State::Line),
            _ => match (ArrayKind::from_tag(char::from(byte)), StreamKind::from_tag(char::from(byte))) {
                (Some(kind), _) => (RowKind::Binary(kind), State::Length),
                (_, Some(kind)) => (RowKind::Open(kind), State::Line),
                (None, None) => (RowKind::Model, State::Line),
            },
        };
        self.kind = kind;
        self.state = state;
        let is_tag = kind != RowKind::Model || byte.is_ascii_uppercase() || byte == b'#';
        self.buffer.advance(usize::from(is_tag));
    }

    fn length(&mut self, byte: u8) -> Result<(), RowError> {
        match byte {
            b',' => self.state = State::Bytes,
            b'0'..=b'9' | b'a'..=b'f' => {
                self.length_bytes = self.length_bytes << 4 | digit(byte) as usize;
                self.check(self.length_bytes)?;
            }
            _ => return Err(RowError::Length { byte }),
        }
        Ok(())
    }

    fn line(&mut self) -> Result<Option<Row>, RowError> {
        let end = memchr::memchr(b'\n', &self.buffer[self.searched_bytes..]);
        let length = end.map_or(self.buffer.len(), |end| self.searched_bytes + end);
        self.check(length)?;
        if end.is_none() {
            self.searched_bytes = length;
            return Ok(None);
        }
        let row = self.row(length);
        self.buffer.advance(1);
        Ok(Some(row))
    }

    fn check(&self, length_bytes: usize) -> Result<(), RowError> {
        if length_bytes > self.row_bytes_max {
            return Err(RowError::TooLong { row_bytes_max: self.row_bytes_max });
        }
        Ok(())
    }

    /// Takes the row's body and begins the next row.
    fn row(&mut self, length_bytes: usize) -> Row {
        let body = self.buffer.split_to(length_bytes).freeze();
        let row = Row { id: self.id, kind: self.kind, body };
        self.state = State::Id;
        self.id = 0;
        self.length_bytes = 0;
        self.searched_bytes = 0;
        row
    }
}

/// The value of a digit, by the clients' arithmetic: upper-case letters give ids that nothing refers to.
fn digit(byte: u8) -> u32 {
    if byte > b'`' { u32::from(byte - 87) } else { u32::from(byte).wrapping_sub(48) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(pieces: &[&[u8]]) -> (Vec<Row>, Option<RowError>) {
        let mut parser = Parser::new(1000);
        let mut rows = Vec::new();
        for piece in pieces {
            parser.push(piece);
            loop {
                match parser.next_row() {
                    Ok(Some(row)) => rows.push(row),
                    Ok(None) => break,
                    Err(error) => return (rows, Some(error)),
                }
            }
        }
        (rows, None)
    }

    fn row(id: u32, kind: RowKind, body: &'static str) -> Row {
        Row { id, kind, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn each_tag_is_a_kind_of_row() {
        let body = b"1f:[1]\n:HL\"/a\"\n2:T3,a\nb3:E{}\n4:P5\n5:R\n5:C\n6:o1,\x07:N1\n7:I[]\n8:b0,9:#x\n";
        let expected = [
            row(0x1f, RowKind::Model, "[1]"),
            row(0, RowKind::Hint, "L\"/a\""),
            row(2, RowKind::Text, "a\nb"),
            row(3, RowKind::Error, "{}"),
            row(4, RowKind::Model, "5"),
            row(5, RowKind::Open(StreamKind::Values), ""),
            row(5, RowKind::Close, ""),
            row(6, RowKind::Binary(ArrayKind::Uint8), "\u{7}"),
            row(0, RowKind::Debug, "1"),
            row(7, RowKind::Module, "[]"),
            row(8, RowKind::Piece, ""),
            row(9, RowKind::Model, "x"),
        ];
        assert_eq!(rows(&[body]), (expected.to_vec(), None));
    }

    #[test]
    fn what_the_end_cuts_short_is_lost() {
        for body in ["1:[1]", "1:T3,ab", "1:T0,", "1:", "1", ""] {
            assert_eq!(rows(&[body.as_bytes()]), (vec![], None), "{body}");
        }
    }

    #[test]
    fn long_rows_and_odd_lengths_are_refused() {
        let too_long = RowError::TooLong { row_bytes_max: 1000 };
        assert_eq!(rows(&[b"1:T3e9,"]).1, Some(too_long));
        assert_eq!(rows(&[b"1:Tffffffffffffffffffff,"]).1, Some(too_long));
        assert_eq!(rows(&[&[b'1'; 1002], b":", &[b'1'; 1001]]).1, Some(too_long));
        assert_eq!(rows(&[b"1:TA,"]).1, Some(RowError::Length { byte: b'A' }));
    }

    proptest! {
        #[test]
        fn rows_do_not_depend_on_where_the_body_is_cut(
            body in "(([0-9a-f]{0,2}:[TobEHIRCN]?([0-9a-f]{1,2},)?[^\n]{0,9}\n?)|.){0,6}",
            cuts in prop::collection::vec(0..60_usize, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut start = 0;
            for cut in cuts.into_iter().chain([body.len()]) {
                pieces.push(&body.as_bytes()[start..cut]);
                start = cut;
            }
            prop_assert_eq!(rows(&[body.as_bytes()]), rows(&pieces));
        }

        #[test]
        fn any_bytes_are_taken_without_panic(body: Vec<u8>) {
            let _ = rows(&[&body]);
        }
    }
}
