//! A whole form at once.

use bytes::{Bytes, BytesMut};

use super::{Event, Limits, MultipartError, Parser, Part, PartStart};

/// Gathers parts while the body arrives.
#[derive(Debug)]
pub struct Collector {
    parser: Parser,
    parts: Vec<Part>,
    open: Option<PartStart>,
    content: Pieces,
}

/// The content of a part while it arrives: one slice as long as that is enough.
#[derive(Debug, Default)]
pub struct Pieces {
    first: Bytes,
    joined: BytesMut,
}

impl Pieces {
    /// Adds what came next.
    pub fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() && self.joined.is_empty() {
            self.first = piece;
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&piece);
    }

    /// Takes what came, and leaves nothing.
    pub fn take(&mut self) -> Bytes {
        if self.joined.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.joined).freeze()
        }
    }
}

impl Collector {
    /// A collector for a body with this boundary.
    ///
    /// # Errors
    ///
    /// [`MultipartError::Boundary`] if it is not 1 to 70 bytes long.
    pub fn new(boundary: &str, limits: Limits) -> Result<Self, MultipartError> {
        let parser = Parser::new(boundary, limits)?;
        Ok(Self { parser, parts: Vec::new(), open: None, content: Pieces::default() })
    }

    /// Takes the next chunk of the body.
    ///
    /// # Errors
    ///
    /// [`MultipartError`]; the collector is of no use after it.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), MultipartError> {
        self.parser.push(chunk);
        while let Some(event) = self.parser.next_event()? {
            match event {
                Event::PartStart(start) => self.open = Some(start),
                Event::Data(piece) => self.content.push(piece),
                Event::PartEnd => self.close()?,
                Event::End => break,
            }
        }
        Ok(())
    }

    /// The parts, after the last chunk.
    ///
    /// # Errors
    ///
    /// [`MultipartError::Truncated`] if the body ended early.
    pub fn finish(self) -> Result<Vec<Part>, MultipartError> {
        self.parser.finish()?;
        Ok(self.parts)
    }

    fn close(&mut self) -> Result<(), MultipartError> {
        let bytes = self.content.take();
        let Some(start) = self.open.take() else { return Ok(()) };
        let part = if start.file_name.is_some() {
            start.into_file(bytes.into())
        } else {
            start.into_text(bytes, self.parser.part())?
        };
        self.parts.push(part);
        Ok(())
    }
}

/// The parts of a whole body.
///
/// # Errors
///
/// [`MultipartError`] if the body is not a form with this boundary, or ends early.
pub fn collect(body: Bytes, boundary: &str, limits: Limits) -> Result<Vec<Part>, MultipartError> {
    let mut collector = Collector::new(boundary, limits)?;
    collector.push(body)?;
    collector.finish()
}
