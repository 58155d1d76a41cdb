//! The body of a kept page, compressed once.
//!
//! Only pages that are everybody's are kept, so none that is compressed holds a secret beside what its client chose
//! (CRIME, BREACH). One that each response fills with a nonce of its own is not compressed.

use std::{
    io::Write as _,
    sync::{
        OnceLock,
        atomic::{AtomicU8, Ordering},
    },
};

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use super::etag::Etag;

/// Smallest body that is compressed: below it the headers are most of a response.
pub(super) const BODY_BYTES_MIN: usize = 1024;

/// A body with its own `etag`.
#[derive(Debug)]
pub(crate) struct Compressed {
    pub(crate) body: Bytes,
    pub(crate) etag: HeaderValue,
}

/// The most that is kept of a body of so many bytes, which has to be counted before it is there. Pages become a fifth; one
/// that does not become half is not worth the room.
pub(super) fn bytes_max(body_bytes: usize) -> usize {
    body_bytes / 2
}

/// The compressed body, once somebody wants it. Boxed, as many pages are wanted once.
#[derive(Debug, Default)]
pub(super) struct Gzip(OnceLock<Option<Box<Compressed>>>);

impl Gzip {
    /// Whether there is, or may be, one.
    pub(super) fn is_possible(&self) -> bool {
        self.0.get().is_none_or(Option::is_some)
    }

    /// It, if it is there.
    pub(super) fn made(&self) -> Option<&Compressed> {
        self.0.get().and_then(Option::as_deref)
    }

    /// Compresses a body with this `etag`.
    pub(super) fn make(&self, body: &[u8], etag: Etag) {
        self.0.get_or_init(|| {
            let bytes_max = bytes_max(body.len());
            let mut encoder = GzEncoder::new(Vec::with_capacity(bytes_max), Compression::new(6));
            encoder.write_all(body).ok()?;
            let bytes = encoder.finish().ok()?;
            let made = Compressed { body: bytes.into_boxed_slice().into(), etag: etag.compressed() };
            Some(Box::new(made)).filter(|made| made.body.len() <= bytes_max)
        });
    }
}

/// How many asked for a body compressed, up to about the second.
#[derive(Debug, Default)]
pub(super) struct Asks(AtomicU8);

impl Asks {
    /// Whether whoever asks is to compress it: the second does. The first is the one whom it was rendered for, and a page
    /// that nobody else wants is not worth it.
    pub(super) fn is_second(&self) -> bool {
        self.0.load(Ordering::Relaxed) < 2 && self.0.fetch_add(1, Ordering::Relaxed) == 1
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_body_is_compressed_once_and_comes_back() {
        let text = "<li>entry</li>".repeat(1000);
        let gzip = Gzip::default();
        assert!(gzip.is_possible() && gzip.made().is_none());
        gzip.make(text.as_bytes(), Etag::of(1));
        let made = gzip.made().expect("it was made");
        assert!(made.body.len() < bytes_max(text.len()));
        assert_eq!(made.etag, "\"00000000000000000000000000000001-gzip\"");
        let mut read = String::new();
        flate2::read::GzDecoder::new(&*made.body).read_to_string(&mut read).expect("gzip");
        assert_eq!(read, text);
    }

    #[test]
    fn the_second_who_asks_has_it_made() {
        let asks = Asks::default();
        assert_eq!([asks.is_second(), asks.is_second(), asks.is_second()], [false, true, false]);
    }

    #[test]
    fn what_does_not_become_half_is_not_kept_compressed() {
        use rand::RngExt as _;
        let random: String =
            rand::rng().sample_iter(rand::distr::Alphanumeric).take(5000).map(char::from).collect();
        let gzip = Gzip::default();
        gzip.make(random.as_bytes(), Etag::of(1));
        assert!(gzip.made().is_none() && !gzip.is_possible());
    }
}
