//! What a response has of a kept page.

use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use callboard_protocol::KeyRing;

use super::{
    entry::Entry,
    etag::Etag,
    gzip::{self, Compressed},
};
use crate::page_body;

/// The texts of an entry, held by a response: nothing of them is copied, and the entry itself keeps no count of them.
struct Held(Arc<Entry>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0.texts
    }
}

/// A kept page, for one response.
pub(crate) struct Shown {
    entry: Arc<Entry>,
    texts: Bytes,
}

impl Shown {
    pub(crate) fn new(entry: Arc<Entry>) -> Self {
        let texts = Bytes::from_owner(Held(Arc::clone(&entry)));
        Self { entry, texts }
    }

    /// The header `cache-groups`.
    pub(crate) fn groups(&self) -> Option<HeaderValue> {
        let groups = self.texts.slice(self.entry.lengths.groups());
        if groups.is_empty() {
            return None;
        }
        HeaderValue::from_maybe_shared(groups).ok()
    }

    /// The body as it is, or as this response has it.
    pub(crate) fn body(&self, keys: &KeyRing) -> Bytes {
        let body = self.texts.slice(self.entry.lengths.body()..);
        page_body::filled(body, self.entry.holes(), keys)
    }
}

impl Entry {
    /// `None` where each response is another.
    pub(crate) fn etag(&self) -> Option<Etag> {
        self.holes().is_empty().then(|| Etag::of(self.hash))
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.texts[self.lengths.body()..]
    }

    /// The compressed body, if there is one. The second who asks has it made, on a thread where that holds nobody up.
    pub(crate) fn gzip(self: &Arc<Self>) -> Option<&Compressed> {
        if self.is_compressible() && self.asks.is_second() {
            let entry = Arc::clone(self);
            tokio::task::spawn_blocking(move || entry.compress());
        }
        self.gzip.made()
    }

    /// Compresses the body. Takes a millisecond for each 100 KiB or so: not for a thread that answers.
    pub(super) fn compress(&self) {
        if let Some(etag) = self.etag() {
            self.gzip.make(self.body(), etag);
        }
    }

    /// Whether a response depends on what the client can decompress.
    pub(crate) fn varies(&self) -> bool {
        self.is_compressible() && self.gzip.is_possible()
    }

    pub(super) fn is_compressible(&self) -> bool {
        self.holes().is_empty() && self.body().len() >= gzip::BODY_BYTES_MIN
    }
}
