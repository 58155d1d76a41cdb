//! What a string that begins with `$` stands for.

use bytestring::ByteString;

use crate::{
    js::JsString,
    value::{ArrayKind, Slot, StreamKind},
};

/// What a string of a model stands for.
#[derive(Debug)]
pub(super) enum Tag {
    /// A value that is complete in itself.
    Scalar(Slot),
    /// A date, in this notation.
    Date(JsString),
    /// A big integer, in this notation.
    BigInt(JsString),
    /// A value made from another part, or the value of another part.
    Reference(Made, Reference),
    /// A value that only the client can hold.
    Temporary,
}

/// What is made from the part that a reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Nothing: the value itself.
    Plain,
    Map,
    Set,
    Iterator,
    ServerReference,
    Promise,
    FormData,
    Blob,
    Bytes(ArrayKind),
    Stream(StreamKind),
}

/// A reference: a part, and a path of own keys from its value.
#[derive(Debug)]
pub(super) struct Reference {
    /// The part's id; `None` if it is no number that could name a part.
    pub(super) id: Option<u64>,
    pub(super) path: Path,
    /// The whole text, for messages.
    pub(super) text: JsString,
}

/// The segments of a path that were not walked yet.
#[derive(Debug)]
pub(super) enum Path {
    /// Separated by colons.
    Text(ByteString),
    /// Keys with lone surrogates, the last first: cut apart at once, as the cutting copies.
    Units(Vec<JsString>),
    Ended,
}

impl Path {
    /// The next key.
    pub(super) fn next(&mut self) -> Option<JsString> {
        match self {
            Self::Ended => None,
            Self::Units(keys) => keys.pop(),
            Self::Text(text) => {
                let (key, rest) = match memchr::memchr(b':', text.as_bytes()) {
                    Some(at) => (text.slice_ref(&text[..at]), Self::Text(text.slice_ref(&text[at + 1..]))),
                    None => (std::mem::take(text), Self::Ended),
                };
                *self = rest;
                Some(key.into())
            }
        }
    }
}

/// Reads a string of a model. Old clients write `$F` for a server reference, which is a part's id else.
pub(super) fn classify(string: JsString, old_clients: bool) -> Tag {
    let Some(tag) = tag(&string) else { return Tag::Scalar(Slot::String(string)) };
    match tag {
        b'$' => Tag::Scalar(Slot::String(string.slice_from(1))),
        b'u' => Tag::Scalar(Slot::Undefined),
        b'N' => Tag::Scalar(Slot::Number(f64::NAN)),
        b'I' => Tag::Scalar(Slot::Number(f64::INFINITY)),
        b'-' => Tag::Scalar(Slot::Number(if string == "$-0" { -0.0 } else { f64::NEG_INFINITY })),
        b'D' => Tag::Date(string.slice_from(2)),
        b'n' => Tag::BigInt(string.slice_from(2)),
        b'T' => Tag::Temporary,
        b'F' if old_clients => Tag::Reference(Made::ServerReference, reference(string, 2)),
        other => {
            let made = made(other);
            Tag::Reference(made, reference(string, if made == Made::Plain { 1 } else { 2 }))
        }
    }
}

/// The character after the dollar of a string that begins with one; 0 for none and for those that are no tag.
fn tag(string: &JsString) -> Option<u8> {
    if let Some(text) = string.as_str() {
        let rest = text.as_bytes().strip_prefix(b"$")?;
        return Some(rest.first().copied().filter(u8::is_ascii).unwrap_or(0));
    }
    let mut units = string.units();
    let is_tagged = units.next() == Some(u16::from(b'$'));
    is_tagged.then(|| units.next().and_then(|unit| u8::try_from(unit).ok()).unwrap_or(0))
}

fn made(tag: u8) -> Made {
    match tag {
        // Most references are to a part and have no tag.
        b'0'..=b'9' => Made::Plain,
        b'Q' => Made::Map,
        b'W' => Made::Set,
        b'i' => Made::Iterator,
        b'h' => Made::ServerReference,
        b'@' => Made::Promise,
        b'K' => Made::FormData,
        b'B' => Made::Blob,
        other => {
            let tag = char::from(other);
            let bytes = ArrayKind::from_tag(tag).map(Made::Bytes);
            bytes.or_else(|| StreamKind::from_tag(tag).map(Made::Stream)).unwrap_or(Made::Plain)
        }
    }
}

/// Splits off the part's id: the leading hex digits of the first segment.
fn reference(text: JsString, tag_length: usize) -> Reference {
    let Some(all) = text.as_str() else { return reference_of_units(text, tag_length) };
    let rest = &all[tag_length..];
    let (first, path) = match rest.split_once(':') {
        Some((first, path)) => (first, Path::Text(text.slice_from(all.len() - path.len()).into_text())),
        None => (rest, Path::Ended),
    };
    let id = id(first.chars());
    Reference { id, path, text }
}

#[cold]
fn reference_of_units(text: JsString, tag_length: usize) -> Reference {
    let units: Vec<u16> = text.units().skip(tag_length).collect();
    let mut segments = units.split(|unit| *unit == u16::from(b':'));
    let first = segments.next().unwrap_or_default();
    let id = id(first.iter().map(|&unit| char::from_u32(u32::from(unit)).unwrap_or('\0')));
    let path = Path::Units(segments.rev().map(JsString::from_units).collect());
    Reference { id, path, text }
}

fn id(chars: impl Iterator<Item = char>) -> Option<u64> {
    let mut id = None;
    for digit in chars.map_while(|char| char.to_digit(16)) {
        id = Some(id.unwrap_or(0_u64).checked_mul(16)?.checked_add(u64::from(digit))?);
    }
    id
}
