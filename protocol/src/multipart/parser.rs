//! The incremental parser.

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;
use memchr::memmem::Finder;

use super::{Limits, MultipartError, headers};

/// What the parser found next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins.
    PartStart(PartStart),
    /// Some of its content, never empty; a slice of what was pushed where that was contiguous.
    Data(Bytes),
    /// The part ends.
    PartEnd,
    /// The form ends; what follows is ignored.
    End,
}

/// The headers of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartStart {
    /// The field's name, un-escaped.
    pub name: ByteString,
    /// The file name, un-escaped; only files have one.
    pub file_name: Option<ByteString>,
    /// The media type.
    pub content_type: Option<ByteString>,
}

/// Takes chunks of a body and gives events; holds back at most a boundary or a header block.
#[derive(Debug)]
pub struct Parser {
    /// `\r\n--boundary`, which ends the content of each part.
    delimiter: Finder<'static>,
    limits: Limits,
    buffer: Buffer,
    state: State,
    /// Parts begun.
    part: usize,
    /// Bytes at the front of the buffer that were searched before, in vain: no byte is searched twice.
    searched: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    AfterBoundary,
    Headers,
    Content,
    Ended,
}

/// The bytes not yet understood: one chunk as it came, or several put together.
#[derive(Debug)]
enum Buffer {
    Whole(Bytes),
    Joined(BytesMut),
}

impl Buffer {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Joined(bytes) => bytes,
        }
    }

    fn push(&mut self, chunk: Bytes) {
        if self.bytes().is_empty() {
            *self = Self::Whole(chunk);
            return;
        }
        if let Self::Whole(rest) = self {
            let mut joined = BytesMut::with_capacity(rest.len() + chunk.len());
            joined.extend_from_slice(rest);
            *self = Self::Joined(joined);
        }
        if let Self::Joined(joined) = self {
            joined.extend_from_slice(&chunk);
        }
    }

    fn take(&mut self, count: usize) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes.split_to(count),
            Self::Joined(bytes) => bytes.split_to(count).freeze(),
        }
    }

    fn skip(&mut self, count: usize) {
        match self {
            Self::Whole(bytes) => bytes.advance(count),
            Self::Joined(bytes) => bytes.advance(count),
        }
    }
}

impl Parser {
    /// A parser for a body with this boundary, as [`super::boundary`] gives it.
    ///
    /// # Errors
    ///
    /// [`MultipartError::Boundary`] if it is not 1 to 70 bytes long.
    pub fn new(boundary: &str, limits: Limits) -> Result<Self, MultipartError> {
        if !(1..=70).contains(&boundary.len()) {
            return Err(MultipartError::Boundary);
        }
        Ok(Self {
            delimiter: Finder::new(&format!("\r\n--{boundary}")).into_owned(),
            limits,
            buffer: Buffer::Whole(Bytes::new()),
            state: State::Preamble,
            part: 0,
            searched: 0,
        })
    }

    /// Adds what came next.
    pub fn push(&mut self, chunk: Bytes) {
        self.buffer.push(chunk);
    }

    /// Which part is being read, counted from 1.
    #[must_use]
    pub fn part(&self) -> usize {
        self.part
    }

    /// The next event, or `None` until more is pushed.
    ///
    /// # Errors
    ///
    /// [`MultipartError`]; the parser is of no use after it.
    pub fn next_event(&mut self) -> Result<Option<Event>, MultipartError> {
        loop {
            let progress = match self.state {
                State::Preamble => self.preamble()?,
                State::AfterBoundary => {
                    if let Some(event) = self.after_boundary()? {
                        return Ok(Some(event));
                    }
                    self.state == State::Headers
                }
                State::Headers => return self.headers(),
                State::Content => return Ok(self.content()),
                State::Ended => return Ok(None),
            };
            if !progress {
                return Ok(None);
            }
        }
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    ///
    /// [`MultipartError::Truncated`] if the last boundary is missing.
    pub fn finish(&self) -> Result<(), MultipartError> {
        if self.state == State::Ended { Ok(()) } else { Err(MultipartError::Truncated { part: self.part }) }
    }

    /// The first boundary has no line end of its own before it; some clients write one nevertheless.
    fn preamble(&mut self) -> Result<bool, MultipartError> {
        let bytes = self.buffer.bytes();
        let delimiter = self.delimiter.needle();
        let (skip, expected) = match bytes.first() {
            Some(b'\r') => (0, delimiter),
            _ => (2, &delimiter[2..]),
        };
        let seen = bytes.len().min(expected.len());
        if bytes[..seen] != expected[..seen] {
            return Err(self.malformed("does not begin with the boundary"));
        }
        if seen < expected.len() {
            return Ok(false);
        }
        let length = delimiter.len() - skip;
        self.buffer.skip(length);
        self.state = State::AfterBoundary;
        Ok(true)
    }

    fn after_boundary(&mut self) -> Result<Option<Event>, MultipartError> {
        match self.buffer.bytes() {
            [b'\r', b'\n', ..] => {
                if self.part == self.limits.parts_max {
                    return Err(MultipartError::TooManyParts { max: self.limits.parts_max });
                }
                // The line end stays: with it, even a block without headers ends in an empty line.
                self.part += 1;
                self.state = State::Headers;
                Ok(None)
            }
            [b'-', b'-', ..] => {
                self.state = State::Ended;
                self.buffer = Buffer::Whole(Bytes::new());
                Ok(Some(Event::End))
            }
            [] | [b'\r' | b'-'] => Ok(None),
            _ => Err(self.malformed("a boundary that goes on")),
        }
    }

    fn headers(&mut self) -> Result<Option<Event>, MultipartError> {
        let bytes = self.buffer.bytes();
        let found = memchr::memmem::find(&bytes[self.searched..], b"\r\n\r\n");
        let end = found.map(|at| self.searched + at + 4);
        if end.unwrap_or(bytes.len()) > self.limits.header_bytes_max {
            return Err(MultipartError::HeaderTooLong { part: self.part, max: self.limits.header_bytes_max });
        }
        let Some(end) = end else {
            self.searched = bytes.len().saturating_sub(3);
            return Ok(None);
        };
        let start = headers::parse(&bytes[2..end]).map_err(|what| self.malformed(what))?;
        self.buffer.skip(end);
        self.searched = 0;
        self.state = State::Content;
        Ok(Some(Event::PartStart(start)))
    }

    fn content(&mut self) -> Option<Event> {
        let bytes = self.buffer.bytes();
        let delimiter = self.delimiter.needle();
        match self.delimiter.find(bytes) {
            Some(0) => {
                let length = delimiter.len();
                self.buffer.skip(length);
                self.state = State::AfterBoundary;
                Some(Event::PartEnd)
            }
            Some(at) => Some(Event::Data(self.buffer.take(at))),
            None => {
                // Only the last bytes can be the beginning of a delimiter, and only from a CR on.
                let from = bytes.len().saturating_sub(delimiter.len() - 1);
                let held = memchr::memchr_iter(b'\r', &bytes[from..])
                    .map(|at| from + at)
                    .find(|&at| delimiter.starts_with(&bytes[at..]));
                let ready = held.unwrap_or(bytes.len());
                (ready > 0).then(|| Event::Data(self.buffer.take(ready)))
            }
        }
    }

    fn malformed(&self, what: &'static str) -> MultipartError {
        MultipartError::Malformed { part: self.part, what }
    }
}
