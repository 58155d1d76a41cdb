//! A kept render, and whether it may be served.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::http::header::HeaderValue;
use callboard_cluster::{
    cache::{Arrived, Freshness, Stamp, Versions},
    clock::Instant,
};
use callboard_protocol::revalidation::{LogPosition, Tag};

use super::{groups, gzip::Gzip};
use crate::page_body::PageBody;

/// What a render is made of, as far as its age goes: what the page itself read, at one birth, and the fragments that were
/// kept before it, each at its own.
///
/// Judged apart: under the oldest birth of all, whatever the page's own tags were revalidated by since then would kill
/// it at once, for as long as an old fragment is kept.
#[derive(Debug)]
pub(crate) struct Age {
    own: Stamp,
    fragments: Box<[Arc<Stamp>]>,
}

impl Age {
    pub(crate) fn new(birth: LogPosition, tags: Vec<Tag>, fragments: Vec<Arc<Stamp>>) -> Self {
        Self { own: Stamp::new(birth, tags), fragments: fragments.into() }
    }

    /// What became of the oldest part of it.
    pub(crate) fn freshness(&self, arrived: Arrived, versions: &Versions) -> Freshness {
        let mut freshness = self.own.freshness(arrived, versions);
        for fragment in &self.fragments {
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
        std::iter::once(&self.own).chain(self.fragments.iter().map(|fragment| &**fragment))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self.own.tags()) + size_of_val(&*self.fragments)
    }
}

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
    pub(crate) age: Age,
    pub(crate) lifetime: Lifetime,
    /// When it was kept.
    pub(crate) made: Instant,
    pub(crate) body: PageBody,
    /// `None` where each response is another.
    pub(crate) etag: Option<HeaderValue>,
    /// The number of its render.
    pub(crate) render: HeaderValue,
    /// The header `cache-groups`.
    pub(crate) groups: Option<HeaderValue>,
    pub(super) gzip: Gzip,
    is_refreshed: AtomicBool,
}

/// What an entry is made of.
pub(crate) struct Rendered {
    pub(crate) body: PageBody,
    pub(crate) age: Age,
    pub(crate) lifetime: Lifetime,
    pub(crate) made: Instant,
    pub(crate) render: u64,
    pub(crate) tag_names: Vec<String>,
}

impl Entry {
    pub(crate) fn new(rendered: Rendered) -> Self {
        let Rendered { body, age, lifetime, made, render, tag_names } = rendered;
        let hash = body.whole().map(|bytes| xxhash_rust::xxh3::xxh3_128(bytes));
        let etag = hash.map(|hash| {
            HeaderValue::from_str(&format!("\"{hash:032x}\""))
                .expect("hex digits in quotes are a header value")
        });
        let gzip = Gzip::of(&body, hash);
        let groups = groups::header(&tag_names);
        let (render, is_refreshed) = (HeaderValue::from(render), AtomicBool::new(false));
        Self { age, lifetime, made, body, etag, render, groups, gzip, is_refreshed }
    }

    /// What may be done with it for a request that arrived with a lease. `now` is read after it arrived.
    pub(crate) fn verdict(&self, arrived: Arrived, versions: &Versions, now: Instant) -> Verdict {
        match self.age.freshness(arrived, versions) {
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

    /// What it takes while it is kept. Never changes, as the cache counts it when it comes and when it goes.
    pub(super) fn memory_bytes(&self) -> usize {
        let groups = self.groups.as_ref().map_or(0, HeaderValue::len);
        self.body.memory_bytes() + self.gzip.bytes_max() + self.age.memory_bytes() + groups
    }
}

/// A part of pages that is kept for itself.
#[derive(Debug)]
pub(crate) struct Fragment {
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

    pub(super) fn memory_bytes(&self) -> usize {
        let names: usize = self.tag_names.iter().map(|name| name.len() + size_of::<String>()).sum();
        let stamps = size_of_val(&*self.fragments) + size_of_val(self.own.tags());
        self.html.len() + names + stamps
    }
}
