//! A body of a kept page: its HTML, which every page has, or its payload, which few have.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    entry::Entry,
    etag::Etag,
    gzip::{self, Asks, Compressed, Gzip},
};
use crate::page_body::PageBody;

/// As what a page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Representation {
    /// As a document.
    Html,
    /// As its data.
    Payload,
}

/// One body of a page, with what is kept for it.
#[derive(Clone, Copy)]
pub(super) struct Body<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) hash: u128,
    /// Where its holes begin.
    pub(super) holes: &'a [usize],
    pub(super) gzip: &'a Gzip,
    pub(super) asks: &'a Asks,
}

/// The data of a page, beside its HTML.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    pub(super) hash: u128,
    pub(super) holes: Box<[usize]>,
    pub(super) gzip: Gzip,
    pub(super) asks: Asks,
}

/// Begins the hash of payloads: one that has the bytes of its page's HTML is something else all the same.
const PAYLOAD_SEED: u64 = 1;

impl Payload {
    pub(super) fn new(body: PageBody) -> Self {
        let (bytes, holes) = body.into_parts();
        Self {
            hash: xxhash_rust::xxh3::xxh3_128_with_seed(&bytes, PAYLOAD_SEED),
            // Copied: what it was written into has room to spare.
            bytes: Bytes::copy_from_slice(&bytes),
            holes,
            gzip: Gzip::default(),
            asks: Asks::default(),
        }
    }

    pub(super) fn body(&self) -> Body<'_> {
        let Self { bytes, hash, holes, gzip, asks } = self;
        Body { bytes, hash: *hash, holes, gzip, asks }
    }
}

impl<'a> Body<'a> {
    /// `None` where each response is another.
    pub(super) fn etag(self) -> Option<Etag> {
        self.holes.is_empty().then(|| Etag::of(self.hash))
    }

    /// The body compressed, if it is there.
    pub(super) fn made_gzip(self) -> Option<&'a Compressed> {
        self.gzip.made()
    }

    /// Compresses it. Takes a millisecond for each 100 KiB or so: not for a thread that answers.
    pub(super) fn compress(self) {
        if let Some(etag) = self.etag() {
            self.gzip.make(self.bytes, etag);
        }
    }

    /// Whether a response depends on what the client can decompress.
    pub(super) fn varies(self) -> bool {
        self.is_compressible() && self.gzip.is_possible()
    }

    pub(super) fn is_compressible(self) -> bool {
        self.holes.is_empty() && self.bytes.len() >= gzip::BODY_BYTES_MIN
    }
}

impl Entry {
    /// A body of it; its HTML where it has no payload.
    pub(super) fn body(&self, representation: Representation) -> Body<'_> {
        match (representation, self.payload()) {
            (Representation::Payload, Some(payload)) => payload.body(),
            _ => Body {
                bytes: &self.texts[self.lengths.body()..],
                hash: self.hash,
                holes: self.holes(),
                gzip: &self.gzip,
                asks: &self.asks,
            },
        }
    }

    pub(crate) fn has_payload(&self) -> bool {
        self.payload().is_some()
    }

    /// How large its payload is, if it has one.
    pub(crate) fn payload_bytes(&self) -> Option<usize> {
        self.payload().map(|payload| payload.bytes.len())
    }

    /// A compressed body, if there is one. The second who asks has it made, on a thread where that holds nobody up.
    pub(super) fn gzip(self: &Arc<Self>, representation: Representation) -> Option<&Compressed> {
        let body = self.body(representation);
        if body.is_compressible() && body.asks.is_second() {
            let entry = Arc::clone(self);
            tokio::task::spawn_blocking(move || entry.body(representation).compress());
        }
        body.made_gzip()
    }
}
