//! The body of a kept page, compressed once.
//!
//! Only pages that are everybody's are kept, so none that is compressed holds a secret beside what its client chose
//! (CRIME, BREACH). One that each response fills with a nonce of its own is not compressed.

use std::{
    io::Write as _,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use crate::page_body::PageBody;

/// Smallest body that is compressed: below it the headers are most of a response.
const BODY_BYTES_MIN: usize = 1024;

/// A body with its own `etag`.
#[derive(Debug)]
pub(crate) struct Compressed {
    pub(crate) body: Bytes,
    pub(crate) etag: HeaderValue,
}

/// A body that may be compressed.
#[derive(Debug)]
pub(super) struct Gzip {
    /// Hash of the body; `None` where it is not compressed.
    hash: Option<u128>,
    /// The most that is kept of it. Counted from the beginning.
    bytes_max: usize,
    /// How many asked for it, up to about the second.
    asks: AtomicU32,
    made: OnceLock<Option<Compressed>>,
}

impl Gzip {
    pub(super) fn of(body: &PageBody, hash: Option<u128>) -> Self {
        let bytes = body.whole().map_or(0, Bytes::len);
        let hash = hash.filter(|_| bytes >= BODY_BYTES_MIN);
        // Pages become a fifth; one that does not become half is not worth the room.
        let bytes_max = if hash.is_some() { bytes / 2 } else { 0 };
        Self { hash, bytes_max, asks: AtomicU32::new(0), made: OnceLock::new() }
    }

    /// Whether there is, or may be, a compressed one.
    pub(super) fn is_possible(&self) -> bool {
        self.hash.is_some() && self.made.get().is_none_or(Option::is_some)
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The compressed one, if it is there.
    pub(super) fn made(&self) -> Option<&Compressed> {
        self.made.get().and_then(Option::as_ref)
    }

    /// Whether whoever asks is to compress it: the second does. The first is the one whom it was rendered for, and a page
    /// that nobody else wants is not worth it.
    pub(super) fn begin(&self) -> bool {
        self.hash.is_some()
            && self.asks.load(Ordering::Relaxed) < 2
            && self.asks.fetch_add(1, Ordering::Relaxed) == 1
    }

    /// Compresses it. Takes a millisecond for each 100 KiB or so: not for a thread that answers.
    pub(super) fn make(&self, body: &PageBody) {
        self.made.get_or_init(|| {
            let hash = self.hash?;
            let mut encoder = GzEncoder::new(Vec::with_capacity(self.bytes_max), Compression::new(6));
            encoder.write_all(body.whole()?).ok()?;
            let bytes = encoder.finish().ok()?;
            let etag = HeaderValue::from_str(&format!("\"{hash:032x}-gzip\"")).ok()?;
            let body = bytes.into_boxed_slice().into();
            Some(Compressed { body, etag }).filter(|made| made.body.len() <= self.bytes_max)
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn of(body: &str) -> (PageBody, Gzip) {
        let body = PageBody::new(Bytes::copy_from_slice(body.as_bytes()));
        let gzip = Gzip::of(&body, body.whole().map(|_| 1));
        (body, gzip)
    }

    #[test]
    fn a_body_is_compressed_once_and_comes_back() {
        let text = "<li>entry</li>".repeat(1000);
        let (body, gzip) = of(&text);
        assert!(gzip.is_possible() && gzip.made().is_none());
        assert_eq!([gzip.begin(), gzip.begin(), gzip.begin()], [false, true, false]);
        gzip.make(&body);
        let made = gzip.made().expect("it was made");
        assert!(made.body.len() < gzip.bytes_max());
        assert_eq!(made.etag, "\"00000000000000000000000000000001-gzip\"");
        let mut read = String::new();
        flate2::read::GzDecoder::new(&*made.body).read_to_string(&mut read).expect("gzip");
        assert_eq!(read, text);
    }

    #[test]
    fn what_is_small_or_another_in_each_response_is_not_compressed() {
        let filled = format!("{}{}", "x".repeat(5000), crate::page_body::hole());
        for text in [&"x".repeat(1023), &filled] {
            let (_, gzip) = of(text);
            assert!(!gzip.begin() && !gzip.begin() && !gzip.is_possible());
            assert_eq!(gzip.bytes_max(), 0);
        }
    }

    #[test]
    fn what_does_not_become_half_is_not_kept_compressed() {
        use rand::RngExt as _;
        let random: String =
            rand::rng().sample_iter(rand::distr::Alphanumeric).take(5000).map(char::from).collect();
        let (body, gzip) = of(&random);
        gzip.make(&body);
        assert!(gzip.made().is_none() && !gzip.is_possible());
    }
}
