//! A whole form at once.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::{Content, Event, Limits, MultipartError, Parser, Part, PartStart};

/// Gathers parts while the body arrives.
#[derive(Debug)]
pub struct Collector {
    parser: Parser,
    parts: Vec<Part>,
    open: Option<PartStart>,
    content: Pieces,
}

/// The content of a part: one slice as long as that is enough.
#[derive(Debug, Default)]
struct Pieces {
    first: Bytes,
    joined: BytesMut,
}

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() && self.joined.is_empty() {
            self.first = piece;
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&piece);
    }

    fn take(&mut self) -> Bytes {
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
        let content = match start.file_name {
            Some(name) => {
                let octets = || ByteString::from_static("application/octet-stream");
                let media_type = start.content_type.unwrap_or_else(octets);
                Content::File { name, media_type, content: bytes.into() }
            }
            None => Content::Text(ByteString::try_from(bytes).map_err(|_| MultipartError::NotText {
                part: self.parser.part(),
                name: start.name.chars().take(16).collect(),
            })?),
        };
        self.parts.push(Part { name: start.name, content });
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
