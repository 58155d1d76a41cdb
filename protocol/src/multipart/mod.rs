//! `multipart/form-data` as browsers write it, without IO: chunks go in, parts come out.
//!
//! Names and file names are escaped as the HTML standard says (`%22`, `%0D`, `%0A`), which is neither the quoting
//! of RFC 2822 nor percent-encoding. A part is a file exactly if it has a file name.

mod collect;
mod headers;
mod parser;
mod render;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use bytestring::ByteString;

use crate::{ErrorCode, value::BlobContent};
pub use collect::{Collector, Pieces, collect};
pub use headers::boundary;
pub use parser::{Event, Parser, PartStart};
pub use render::{media_type, pieces, render};

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, un-escaped.
    pub name: ByteString,
    /// What it holds.
    pub content: Content,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text.
    Text(ByteString),
    /// A file.
    File {
        /// The file name as the client sent it: untrusted text, never a path.
        name: ByteString,
        /// The media type as the client sent it.
        media_type: ByteString,
        /// The content; a large one may not be in memory.
        content: BlobContent,
    },
}

/// How much a form may ask of the parser. Bytes in all are limited where the body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most parts of a form; one more refuses it.
    ///
    /// Default `16_384`: about what fits into the default body limit of 1 MiB as the smallest parts a browser
    /// writes. Since 0.1.0.
    pub parts_max: usize,
    /// Longest header block of one part, in bytes; a longer one refuses the form.
    ///
    /// Default `16_384`: names and file names of a page's own fields take some hundred bytes. Since 0.1.0.
    pub header_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { parts_max: 16_384, header_bytes_max: 16_384 }
    }
}

/// Why a body is not a form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// The content type names no usable boundary.
    #[error("the content type has no boundary of 1 to 70 characters")]
    Boundary,
    /// The framing is broken.
    #[error("multipart body, part {part}: {what}")]
    Malformed {
        /// Which part, counted from 1; 0 is what comes before the first.
        part: usize,
        /// What was wrong.
        what: &'static str,
    },
    /// The body ended before its last boundary.
    #[error("multipart body ended within part {part}")]
    Truncated {
        /// Which part, counted from 1.
        part: usize,
    },
    /// A text field is not UTF-8.
    #[error("multipart body, part {part}: the field {name:?} is not UTF-8")]
    NotText {
        /// Which part, counted from 1.
        part: usize,
        /// Its name, cut.
        name: String,
    },
    /// More parts than allowed.
    #[error("more than {max} multipart parts")]
    TooManyParts {
        /// How many are allowed.
        max: usize,
    },
    /// The headers of a part are too long.
    #[error("multipart body, part {part}: more than {max} bytes of headers")]
    HeaderTooLong {
        /// Which part, counted from 1.
        part: usize,
        /// How many bytes are allowed.
        max: usize,
    },
}

impl MultipartError {
    /// The row of the error table.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Boundary => ErrorCode::ContentType,
            Self::Malformed { .. } | Self::NotText { .. } => ErrorCode::MalformedMultipart,
            Self::Truncated { .. } => ErrorCode::BodyIncomplete,
            Self::TooManyParts { .. } | Self::HeaderTooLong { .. } => ErrorCode::ReplyLimit,
        }
    }
}

impl PartStart {
    /// The whole part, if it is a text field.
    ///
    /// # Errors
    ///
    /// [`MultipartError::NotText`] if the content is not UTF-8; `part` is its number, for the message.
    pub fn into_text(self, content: Bytes, part: usize) -> Result<Part, MultipartError> {
        match ByteString::try_from(content) {
            Ok(text) => Ok(Part { name: self.name, content: Content::Text(text) }),
            Err(_) => Err(MultipartError::NotText { part, name: self.name.chars().take(16).collect() }),
        }
    }

    /// The whole part, if it is a file.
    #[must_use]
    pub fn into_file(self, content: BlobContent) -> Part {
        let octets = || ByteString::from_static("application/octet-stream");
        let (name, media_type) =
            (self.file_name.unwrap_or_default(), self.content_type.unwrap_or_else(octets));
        Part { name: self.name, content: Content::File { name, media_type, content } }
    }
}

impl Part {
    /// A text field.
    #[must_use]
    pub fn text(name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        Self { name: name.into(), content: Content::Text(value.into()) }
    }

    /// A file field.
    #[must_use]
    pub fn file(
        name: impl Into<ByteString>,
        file_name: impl Into<ByteString>,
        media_type: impl Into<ByteString>,
        bytes: impl Into<Bytes>,
    ) -> Self {
        let (file_name, media_type) = (file_name.into(), media_type.into());
        Self {
            name: name.into(),
            content: Content::File {
                name: file_name,
                media_type,
                content: BlobContent::Memory(bytes.into()),
            },
        }
    }

    /// The text, if this is a text field.
    #[must_use]
    pub fn as_text(&self) -> Option<&ByteString> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::File { .. } => None,
        }
    }
}
