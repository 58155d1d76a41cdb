//! What tells one body of a page from another.

use actix_web::http::header::HeaderValue;

/// Hex digits of a hash, and the quotes.
const CHARACTERS: usize = 34;

/// The `etag` of a body as it is. It follows from the body's hash, so it is written where it is needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Etag([u8; CHARACTERS]);

impl Etag {
    pub(super) fn of(hash: u128) -> Self {
        let mut text = [b'"'; CHARACTERS];
        faster_hex::hex_encode(&hash.to_be_bytes(), &mut text[1..CHARACTERS - 1]).expect("there is room");
        Self(text)
    }

    /// The text of the header.
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("quotes and hex digits")
    }

    pub(crate) fn to_header(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).expect("quotes and hex digits are a header value")
    }

    /// That of the same body, compressed.
    pub(super) fn compressed(&self) -> HeaderValue {
        let hash = self.as_str().trim_matches('"');
        HeaderValue::from_str(&format!("\"{hash}-gzip\"")).expect("hex digits in quotes are a header value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_the_hash_in_quotes() {
        let etag = Etag::of(0x0123_4567_89AB_CDEF_0000_0000_0000_00FE);
        assert_eq!(etag.as_str(), "\"0123456789abcdef00000000000000fe\"");
        assert_eq!(etag.to_header(), etag.as_str());
        assert_eq!(etag.compressed(), "\"0123456789abcdef00000000000000fe-gzip\"");
    }
}
