//! A kept part of pages.

use std::sync::Arc;

use callboard_cluster::{
    cache::{Arrived, Freshness, Stamp, Versions},
    clock::Instant,
};

/// A part of pages that is kept for itself.
#[derive(Debug)]
pub(crate) struct Fragment {
    /// What it is kept under.
    pub(crate) key: Box<str>,
    pub(crate) html: Box<str>,
    pub(crate) own: Arc<Stamp>,
    /// The fragments in it that were kept before it.
    pub(crate) fragments: Box<[Arc<Stamp>]>,
    pub(crate) tag_names: Box<[String]>,
    pub(crate) expires: Option<Instant>,
    pub(crate) ends: Option<Instant>,
}

impl Fragment {
    /// Whether a render that goes on now may use it.
    pub(crate) fn is_fresh(&self, arrived: Arrived, versions: &Versions, now: Instant) -> bool {
        arrived.leased
            && [self.expires, self.ends].into_iter().flatten().all(|end| now < end)
            && self.stamps().all(|stamp| stamp.freshness(arrived, versions) == Freshness::Fresh)
    }

    /// Its own and those of the fragments in it.
    pub(crate) fn stamps(&self) -> impl Iterator<Item = &Arc<Stamp>> {
        std::iter::once(&self.own).chain(&self.fragments)
    }
}
