//! A kept render, and whether it may be served.
//!
//! Hundreds of thousands are kept, most of them of a few KiB, so an entry is made to be small: its texts are one piece of
//! memory, what follows from something else is not kept beside it, and what few pages have is no part of the others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use callboard_cluster::{
    cache::{Arrived, Freshness, Stamp, Versions},
    clock::Instant,
};
use callboard_protocol::revalidation::{LogPosition, Tag};

use super::{
    body::Payload,
    groups,
    gzip::{Asks, Gzip},
    key::PageKeyRef,
    texts::Lengths,
};
use crate::page_body::PageBody;

/// Until when a render is served, by time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub(crate) fresh_until: Instant,
    /// Until when it is served while a new one is made.
    pub(crate) stale_until: Instant,
    /// Until when it is served in place of one that fails.
    pub(crate) error_until: Instant,
}

const NEVER: Instant = Instant::from_micros(u64::MAX);

impl Lifetime {
    /// Of a render that is fresh until an instant, or for ever.
    pub(crate) fn until(
        fresh_until: Option<Instant>,
        stale_while_revalidate: Option<Duration>,
        stale_if_error: Option<Duration>,
    ) -> Self {
        let fresh_until = fresh_until.unwrap_or(NEVER);
        let after = |more: Option<Duration>| fresh_until + more.unwrap_or_default();
        Self { fresh_until, stale_until: after(stale_while_revalidate), error_until: after(stale_if_error) }
    }

    /// The same, but over at an instant, whatever was allowed to be stale.
    pub(crate) fn ending(self, ends: Option<Instant>) -> Self {
        let by = |until: Instant| until.min(ends.unwrap_or(NEVER));
        Self {
            fresh_until: by(self.fresh_until),
            stale_until: by(self.stale_until),
            error_until: by(self.error_until),
        }
    }
}

/// What may be done with a kept render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Serve it.
    Fresh,
    /// Serve it while a new one is made.
    Stale,
    /// Its time is over; nothing of it was revalidated.
    Expired,
    /// Something of it was revalidated: serve it to nobody.
    Dead,
}

/// A page that was rendered once and is served often.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What the page itself read, at one birth.
    pub(super) own: Stamp,
    pub(crate) lifetime: Lifetime,
    /// When it was kept.
    pub(crate) made: Instant,
    /// The number of its render.
    pub(crate) render: u64,
    /// Of its HTML.
    pub(super) hash: u128,
    /// Its key, its groups and its HTML.
    pub(super) texts: Box<[u8]>,
    pub(super) lengths: Lengths,
    pub(super) uncommon: Option<Box<Uncommon>>,
    pub(super) gzip: Gzip,
    pub(super) asks: Asks,
    is_refreshed: AtomicBool,
}

/// What few pages have.
#[derive(Debug, Default)]
pub(super) struct Uncommon {
    /// The fragments in it that were kept before it, each at its own birth.
    pub(super) fragments: Box<[Arc<Stamp>]>,
    /// Where the holes of its HTML begin.
    pub(super) holes: Box<[usize]>,
    pub(super) payload: Option<Box<Payload>>,
}

/// What an entry is made of.
pub(crate) struct Rendered<'a> {
    pub(crate) key: PageKeyRef<'a>,
    pub(crate) html: PageBody,
    pub(crate) payload: Option<PageBody>,
    pub(crate) birth: LogPosition,
    pub(crate) tags: Vec<Tag>,
    pub(crate) fragments: Vec<Arc<Stamp>>,
    pub(crate) lifetime: Lifetime,
    pub(crate) made: Instant,
    pub(crate) render: u64,
    pub(crate) tag_names: Vec<String>,
}

impl Entry {
    pub(crate) fn new(rendered: Rendered<'_>) -> Self {
        let Rendered { key, html, payload, birth, tags, fragments, lifetime, made, render, tag_names } =
            rendered;
        let (html, holes) = html.into_parts();
        let (texts, lengths) = Lengths::join(key, &groups::header(&tag_names), &html);
        let payload = payload.map(|payload| Box::new(Payload::new(payload)));
        let is_common = fragments.is_empty() && holes.is_empty() && payload.is_none();
        let uncommon = Uncommon { fragments: fragments.into(), holes, payload };
        Self {
            // Copied: a list that grew keeps the spare room behind it, even where it is said to shrink.
            own: Stamp::new(birth, tags.as_slice()),
            lifetime,
            made,
            render,
            hash: xxhash_rust::xxh3::xxh3_128(&html),
            texts,
            lengths,
            uncommon: (!is_common).then(|| Box::new(uncommon)),
            gzip: Gzip::default(),
            asks: Asks::default(),
            is_refreshed: AtomicBool::new(false),
        }
    }

    /// What it is kept under.
    pub(crate) fn key(&self) -> PageKeyRef<'_> {
        self.lengths.key(&self.texts)
    }

    /// Whether it is kept under this.
    pub(super) fn is_of(&self, key: PageKeyRef<'_>) -> bool {
        self.lengths.is_of(&self.texts, key)
    }

    /// What became of the oldest part of it: of what the page itself read, and of the fragments that were kept before it.
    ///
    /// Judged apart: under the oldest birth of all, whatever the page's own tags were revalidated by since then would kill
    /// it at once, for as long as an old fragment is kept.
    pub(crate) fn freshness(&self, arrived: Arrived, versions: &Versions) -> Freshness {
        let mut freshness = self.own.freshness(arrived, versions);
        for fragment in self.fragments() {
            freshness = match (freshness, fragment.freshness(arrived, versions)) {
                (Freshness::Dead, _) | (_, Freshness::Dead) => return Freshness::Dead,
                (Freshness::Stale, _) | (_, Freshness::Stale) => Freshness::Stale,
                (Freshness::Fresh, Freshness::Fresh) => Freshness::Fresh,
            };
        }
        freshness
    }

    pub(crate) fn birth(&self) -> LogPosition {
        self.own.birth()
    }

    /// Every part: when it began, and what it carries.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Stamp> {
        std::iter::once(&self.own).chain(self.fragments().iter().map(|fragment| &**fragment))
    }

    fn fragments(&self) -> &[Arc<Stamp>] {
        self.uncommon.as_ref().map_or(&[], |uncommon| &uncommon.fragments)
    }

    pub(super) fn payload(&self) -> Option<&Payload> {
        self.uncommon.as_ref()?.payload.as_deref()
    }

    pub(super) fn holes(&self) -> &[usize] {
        self.uncommon.as_ref().map_or(&[], |uncommon| &uncommon.holes)
    }

    /// What may be done with it for a request that arrived with a lease. `now` is read after it arrived.
    pub(crate) fn verdict(&self, arrived: Arrived, versions: &Versions, now: Instant) -> Verdict {
        match self.freshness(arrived, versions) {
            Freshness::Dead => Verdict::Dead,
            Freshness::Fresh if now < self.lifetime.fresh_until => Verdict::Fresh,
            _ if now < self.lifetime.stale_until => Verdict::Stale,
            _ => Verdict::Expired,
        }
    }

    /// Whether whoever asks is to make the new one: one at a time does.
    pub(crate) fn begin_refresh(&self) -> bool {
        !self.is_refreshed.load(Ordering::Relaxed) && !self.is_refreshed.swap(true, Ordering::Relaxed)
    }

    /// The new one was made or failed; if it failed, the next that asks tries again.
    pub(crate) fn end_refresh(&self) {
        self.is_refreshed.store(false, Ordering::Relaxed);
    }
}
