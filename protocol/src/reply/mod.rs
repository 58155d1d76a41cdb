//! React's encoded arguments, client → server: the *reply*.
//!
//! A reply is JSON whose tagged strings stand for what JSON lacks, alone or as the parts of a form. [`decode_text`],
//! [`decode_parts`] and [`decode_arguments`] turn one into an inert [`Value`], [`Incoming`] does while it arrives;
//! [`encode`] is the client's side, for tests and tools. Decoding takes time linear in the body, recurses nowhere, and
//! reads each part at most once.

mod commit;
mod containers;
mod decoder;
mod encode;
mod error;
mod ids;
mod incoming;
mod index;
pub(crate) mod json;
mod keys;
mod limits;
mod model;
mod promises;
mod resolve;
mod slots;
mod streams;
mod string;
mod tag;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use bytestring::ByteString;

use crate::{Value, js::JsString, multipart::Part};
use decoder::Decoder;
pub use encode::{EncodeError, Encoded, encode};
pub use error::{Excerpt, Position, ReplyError, ReplyErrorKind};
pub use incoming::Incoming;
pub use limits::Limits;

/// The encoded arguments of a call as they came.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// A body of any content type but multipart.
    Text(Bytes),
    /// The parts of a multipart body.
    Parts(&'a [Part]),
}

/// What is known about the id of a server reference that a client sends back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It names an action.
    Known,
    /// It names nothing, and the value is undefined.
    Absent,
    /// It is refused.
    Unknown,
}

/// Decides about the server references in a reply. A function from id to [`Resolution`] is one.
pub trait Resolver {
    /// What is known about this id.
    fn resolve(&self, id: &JsString) -> Resolution;
}

impl<F: Fn(&JsString) -> Resolution> Resolver for F {
    fn resolve(&self, id: &JsString) -> Resolution {
        self(id)
    }
}

/// Decodes a body that is one text.
///
/// # Errors
///
/// [`ReplyError`] if it is not React's encoding or exceeds a limit.
pub fn decode_text(body: Bytes, limits: &Limits, resolver: &dyn Resolver) -> Result<Value, ReplyError> {
    let text = text(body)?;
    let mut decoder = Decoder::new(0, 1, limits);
    decoder.set_root(text);
    decoder.decode(resolver)
}

/// Decodes the parts whose names begin with the prefix, which is empty for a call and `$ACTION_<n>:` for a form.
///
/// # Errors
///
/// [`ReplyError`] if they are not React's encoding or exceed a limit.
pub fn decode_parts(
    parts: &[Part],
    prefix: &str,
    limits: &Limits,
    resolver: &dyn Resolver,
) -> Result<Value, ReplyError> {
    decode_root(parts, prefix, 0, limits, resolver)
}

/// Decodes the arguments of a call: the root must be an array, not too long.
///
/// # Errors
///
/// [`ReplyError`] if the body is not React's encoding, exceeds a limit, or does not encode arguments.
pub fn decode_arguments(
    body: Body<'_>,
    limits: &Limits,
    resolver: &dyn Resolver,
) -> Result<Value, ReplyError> {
    let value = match body {
        Body::Text(text) => decode_text(text, limits, resolver)?,
        Body::Parts(parts) => decode_parts(parts, "", limits, resolver)?,
    };
    check_arguments(value, limits)
}

/// Whether a decoded root is the arguments of a call: an array, not too long.
///
/// # Errors
///
/// [`ReplyError`] if it is not.
pub fn check_arguments(value: Value, limits: &Limits) -> Result<Value, ReplyError> {
    let Some(arguments) = value.as_array() else {
        return Err(ReplyErrorKind::NotArguments { found: value.kind() }.into());
    };
    let (count, max) = (arguments.len(), limits.arguments_max);
    if count > max {
        return Err(ReplyErrorKind::TooManyArguments { count, max }.into());
    }
    Ok(value)
}

/// As [`decode_text`] or [`decode_parts`], with the number of elementary steps it took: for tests and tools that
/// check that this number is linear in the body.
pub fn decode_counted(
    body: Body<'_>,
    limits: &Limits,
    resolver: &dyn Resolver,
) -> (Result<Value, ReplyError>, u64) {
    let parts = match &body {
        Body::Text(_) => 1,
        Body::Parts(parts) => parts.len(),
    };
    let mut decoder = Decoder::new(0, parts, limits);
    let added = match body {
        Body::Text(body) => text(body).map(|text| decoder.set_root(text)),
        Body::Parts(parts) => decoder.add_parts(parts, ""),
    };
    let root = added.and_then(|()| decoder.decode(resolver));
    (root, decoder.budget.steps())
}

/// As [`decode_parts`], from another part than 0.
pub(crate) fn decode_root(
    parts: &[Part],
    prefix: &str,
    root: u64,
    limits: &Limits,
    resolver: &dyn Resolver,
) -> Result<Value, ReplyError> {
    let mut decoder = Decoder::new(root, parts.len(), limits);
    decoder.add_parts(parts, prefix)?;
    decoder.decode(resolver)
}

/// The id in the text that describes a server reference, and the part that its bound arguments are promised in.
pub(crate) fn describe(
    text: ByteString,
    limits: &Limits,
) -> Result<(Option<JsString>, Option<u64>), ReplyError> {
    let nothing_within = |_: &JsString| Resolution::Unknown;
    let mut decoder = Decoder::new(0, 1, limits);
    decoder.set_root(text);
    decoder.describe(&nothing_within)
}

fn text(body: Bytes) -> Result<ByteString, ReplyError> {
    ByteString::try_from(body).map_err(|_| ReplyErrorKind::NotText.into())
}
