//! Arguments as React's client sends them.

use bytes::Bytes;
use callboard_protocol::{
    Value,
    multipart::{Part, media_type, render},
    reply::{EncodeError, Encoded, encode},
};
use hyper::header::HeaderValue;

/// What a browser says of a text that `fetch` sends.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=UTF-8");

/// A body with its type.
#[derive(Clone, Debug)]
pub(super) struct Encoding {
    pub(super) content_type: HeaderValue,
    pub(super) bytes: Bytes,
}

impl Encoding {
    /// Of a call's arguments: one text, unless a part of them needs a form.
    ///
    /// # Errors
    ///
    /// If a client would refuse to send them.
    pub(super) fn of(arguments: &Value, is_multipart: bool, boundary: &str) -> Result<Self, EncodeError> {
        Ok(match encode(arguments)? {
            Encoded::Text(text) if is_multipart => Self::form(&[Part::text("0", text)], boundary),
            Encoded::Text(text) => Self { content_type: TEXT, bytes: text.into() },
            Encoded::Form(parts) => Self::form(&parts, boundary),
        })
    }

    /// Of the parts of a form.
    pub(super) fn form(parts: &[Part], boundary: &str) -> Self {
        let content_type =
            HeaderValue::try_from(media_type(boundary)).expect("a boundary is letters and digits");
        Self { content_type, bytes: render(parts, boundary).into() }
    }
}
