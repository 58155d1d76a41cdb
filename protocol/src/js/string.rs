//! JavaScript strings: UTF-16, and so not always Unicode text.

use std::{borrow::Cow, fmt, sync::Arc};

use bytestring::ByteString;

/// A JavaScript string. Nearly always it is text, and then it borrows the request body; a string with a lone
/// surrogate (half of a pair, which UTF-8 cannot hold) keeps its UTF-16 code units.
///
/// Invariant: one string has one representation, so equality and hashing compare contents.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JsString(Inner);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Inner {
    Text(ByteString),
    /// Holds at least one lone surrogate.
    Units(Arc<[u16]>),
}

impl JsString {
    /// The string with these UTF-16 code units.
    #[must_use]
    pub fn from_units(units: &[u16]) -> Self {
        match String::from_utf16(units) {
            Ok(text) => Self(Inner::Text(text.into())),
            Err(_) => Self(Inner::Units(units.into())),
        }
    }

    /// The text, or `None` if the string holds a lone surrogate.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Inner::Text(text) => Some(text),
            Inner::Units(_) => None,
        }
    }

    /// The text with each lone surrogate replaced by U+FFFD, as a browser does when it must send text.
    #[must_use]
    pub fn to_text_lossy(&self) -> Cow<'_, str> {
        match &self.0 {
            Inner::Text(text) => Cow::Borrowed(text),
            Inner::Units(units) => Cow::Owned(String::from_utf16_lossy(units)),
        }
    }

    /// The UTF-16 code units, as JavaScript's `charCodeAt` gives them.
    pub fn units(&self) -> impl Iterator<Item = u16> + '_ {
        let (text, units) = match &self.0 {
            Inner::Text(text) => (&**text, &[][..]),
            Inner::Units(units) => ("", &**units),
        };
        text.encode_utf16().chain(units.iter().copied())
    }

    /// What JavaScript's `length` says: the number of UTF-16 code units.
    #[must_use]
    pub fn len_units(&self) -> usize {
        match &self.0 {
            // Counts that fit into a byte, of a length the compiler knows, become vector code: 17 times as fast.
            Inner::Text(text) => {
                let chunks = text.as_bytes().chunks_exact(96);
                let rest = usize::from(units_of(chunks.remainder()));
                rest + chunks.map(|chunk| usize::from(units_of(chunk))).sum::<usize>()
            }
            Inner::Units(units) => units.len(),
        }
    }

    /// The first bytes of [`Self::to_text_lossy`], cut between characters. The rest is not looked at: where a text is
    /// shown for each of many objects that share it, all of it would cost the square of the body.
    pub(crate) fn beginning(&self, bytes_max: usize) -> Cow<'_, str> {
        match &self.0 {
            Inner::Text(text) => Cow::Borrowed(&text[..text.floor_char_boundary(bytes_max)]),
            Inner::Units(units) => {
                let mut text = String::new();
                for char in char::decode_utf16(units.iter().copied()) {
                    let char = char.unwrap_or(char::REPLACEMENT_CHARACTER);
                    if text.len() + char.len_utf8() > bytes_max {
                        break;
                    }
                    text.push(char);
                }
                Cow::Owned(text)
            }
        }
    }

    /// The string without its first code units, which must be of one byte each in UTF-8.
    pub(crate) fn slice_from(&self, units: usize) -> Self {
        match &self.0 {
            Inner::Text(text) => Self(Inner::Text(text.slice_ref(&text[units..]))),
            Inner::Units(all) => Self::from_units(&all[units..]),
        }
    }

    /// The text, with lone surrogates replaced.
    pub(crate) fn into_text(self) -> ByteString {
        match self.0 {
            Inner::Text(text) => text,
            Inner::Units(units) => String::from_utf16_lossy(&units).into(),
        }
    }

    /// The bytes that this string keeps in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match &self.0 {
            Inner::Text(text) => text.len(),
            Inner::Units(units) => units.len() * 2,
        }
    }
}

impl From<&str> for JsString {
    fn from(text: &str) -> Self {
        Self(Inner::Text(text.into()))
    }
}

impl From<String> for JsString {
    fn from(text: String) -> Self {
        Self(Inner::Text(text.into()))
    }
}

impl From<ByteString> for JsString {
    fn from(text: ByteString) -> Self {
        Self(Inner::Text(text))
    }
}

impl PartialEq<str> for JsString {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for JsString {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(other)
    }
}

impl fmt::Debug for JsString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Text(text) => fmt::Debug::fmt(&**text, f),
            Inner::Units(units) => {
                f.write_str("\"")?;
                for unit in char::decode_utf16(units.iter().copied()) {
                    match unit {
                        Ok(char) => write!(f, "{}", char.escape_debug())?,
                        Err(lone) => write!(f, "\\u{{{:x}}}", lone.unpaired_surrogate())?,
                    }
                }
                f.write_str("\"")
            }
        }
    }
}

/// The UTF-16 code units of at most 127 bytes of UTF-8: each lead byte is one, and one of four bytes is two.
fn units_of(bytes: &[u8]) -> u8 {
    bytes.iter().map(|&byte| u8::from(byte & 0xC0 != 0x80) + u8::from(byte >= 0xF0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_surrogate_is_kept_and_a_pair_is_text() {
        assert_eq!(JsString::from_units(&[0xD83D, 0xDE00]), "😀");
        let lone = JsString::from_units(&[0x61, 0xD800]);
        assert_eq!(lone.as_str(), None);
        assert_eq!(lone.units().collect::<Vec<_>>(), [0x61, 0xD800]);
        assert_eq!(lone.to_text_lossy(), "a\u{FFFD}");
        assert_eq!(format!("{lone:?}"), r#""a\u{d800}""#);
    }

    #[test]
    fn a_beginning_ends_between_characters() {
        for text in [JsString::from("aé😀b"), JsString::from_units(&[0x61, 0xE9, 0xD83D, 0xDE00, 0xDC00])]
        {
            let whole = text.to_text_lossy();
            for bytes_max in 0..12 {
                let beginning = text.beginning(bytes_max);
                assert_eq!(beginning, whole[..whole.floor_char_boundary(bytes_max)], "{bytes_max} bytes");
            }
        }
    }

    #[test]
    fn length_counts_utf16_units() {
        let long = ["a", "é", "€", "😀", "a😀é€"].map(|unit| unit.repeat(300));
        for text in ["", "a", "é", "€", "😀", "a😀é€"].into_iter().chain(long.iter().map(String::as_str))
        {
            assert_eq!(JsString::from(text).len_units(), text.encode_utf16().count(), "{text}");
        }
    }
}
