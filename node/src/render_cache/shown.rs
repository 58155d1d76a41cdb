//! What a response has of a kept page.

use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use callboard_protocol::KeyRing;

use super::{body::Representation, entry::Entry, etag::Etag, gzip::Compressed};
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
    representation: Representation,
}

impl Shown {
    /// Whether the payload is wanted is asked where there is one, and there alone.
    pub(crate) fn new(entry: Arc<Entry>, wants_payload: impl FnOnce() -> bool) -> Self {
        let is_payload = entry.has_payload() && wants_payload();
        let representation = if is_payload { Representation::Payload } else { Representation::Html };
        let texts = Bytes::from_owner(Held(Arc::clone(&entry)));
        Self { entry, texts, representation }
    }

    pub(crate) fn representation(&self) -> Representation {
        self.representation
    }

    /// The header `cache-groups`.
    pub(crate) fn groups(&self) -> Option<HeaderValue> {
        let groups = self.texts.slice(self.entry.lengths.groups());
        if groups.is_empty() {
            return None;
        }
        HeaderValue::from_maybe_shared(groups).ok()
    }

    /// `None` where each response is another.
    pub(crate) fn etag(&self) -> Option<Etag> {
        self.entry.body(self.representation).etag()
    }

    /// The compressed body, if there is one. The second who asks has it made.
    pub(crate) fn gzip(&self) -> Option<&Compressed> {
        self.entry.gzip(self.representation)
    }

    /// Whether the response depends on what the client can decompress.
    pub(crate) fn varies(&self) -> bool {
        self.entry.body(self.representation).varies()
    }

    /// The body as it is, or as this response has it.
    pub(crate) fn body(&self, keys: &KeyRing) -> Bytes {
        let bytes = match (self.representation, self.entry.payload()) {
            (Representation::Payload, Some(payload)) => payload.bytes.clone(),
            _ => self.texts.slice(self.entry.lengths.body()..),
        };
        page_body::filled(bytes, self.entry.body(self.representation).holes, keys)
    }
}
