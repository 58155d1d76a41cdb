//! Rendered pages, served to everybody until one of their tags is revalidated or their time is over.
//!
//! An entry's *birth* is the position that was applied before its render read anything. It is fresh as long as none
//! of its tags was revalidated since; nothing is ever removed by an invalidation, so nothing can be missed. Which
//! request may use whose render is decided by [`FlightTable`].

use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_web::http::header::HeaderValue;
use callboard_cluster::{FlightTable, Versions};
use callboard_protocol::revalidation::{LogPosition, Tag};
use quick_cache::{Equivalent, Weighter, sync::Cache};
use tokio::sync::oneshot;

use crate::{clock, output::PageError, page_body::PageBody};

/// What a render is kept under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageKey {
    host: Box<str>,
    path: Box<str>,
    query: Box<str>,
}

/// [`PageKey`] as a request holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageKeyRef<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
}

impl PageKeyRef<'_> {
    pub(crate) fn to_key(self) -> PageKey {
        PageKey { host: self.host.into(), path: self.path.into(), query: self.query.into() }
    }
}

impl PageKey {
    fn as_ref(&self) -> PageKeyRef<'_> {
        PageKeyRef { host: &self.host, path: &self.path, query: &self.query }
    }
}

impl Hash for PageKeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.host, self.path, self.query).hash(state);
    }
}

impl Hash for PageKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<PageKey> for PageKeyRef<'_> {
    fn equivalent(&self, key: &PageKey) -> bool {
        *self.host == *key.host && *self.path == *key.path && *self.query == *key.query
    }
}

/// A page that was rendered once and is served often.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) body: PageBody,
    /// `None` where each response is another.
    pub(crate) etag: Option<HeaderValue>,
    birth: LogPosition,
    /// The position at which it was last found fresh: up to there, one comparison is all a hit costs.
    checked: AtomicU64,
    tags: Box<[Tag]>,
    /// Since boot.
    expires: Option<Duration>,
}

impl Entry {
    pub(crate) fn new(body: PageBody, birth: LogPosition, tags: Vec<Tag>, ttl: Option<Duration>) -> Self {
        let etag = body.whole().map(|bytes| {
            let etag = format!("\"{:032x}\"", xxhash_rust::xxh3::xxh3_128(bytes));
            HeaderValue::from_str(&etag).expect("hex digits in quotes are a header value")
        });
        Self {
            body,
            etag,
            birth,
            checked: AtomicU64::new(birth.as_u64()),
            tags: tags.into(),
            expires: ttl.map(|ttl| clock::since_boot() + ttl),
        }
    }

    fn is_fresh(&self, versions: &Versions) -> bool {
        if self.expires.is_some_and(|expires| clock::since_boot() >= expires) {
            return false;
        }
        // The position is read before the tags: whoever sees it also sees what it revalidated.
        let applied = versions.applied();
        if self.checked.load(Ordering::Relaxed) >= applied.as_u64() {
            return true;
        }
        if versions.newest_of(&self.tags) > self.birth {
            return false;
        }
        self.checked.fetch_max(applied.as_u64(), Ordering::Relaxed);
        true
    }
}

/// What a render came to.
#[derive(Clone, Debug)]
pub(crate) enum Flown {
    /// A page that anybody may get.
    Page(Arc<Entry>),
    /// No page, for anybody.
    Failed(Arc<PageError>),
    /// It read something of the one who asked; everybody renders for himself.
    Private,
}

/// Entries and the renders under way.
pub(crate) struct RenderCache {
    entries: Cache<PageKey, Arc<Entry>, ByBytes>,
    flights: Mutex<FlightTable<PageKey, oneshot::Sender<Flown>>>,
    renders: AtomicU64,
}

/// Weighs an entry by the memory it takes.
#[derive(Clone)]
struct ByBytes;

/// Bookkeeping of one entry besides its body and key: the entry, its place in the cache's table, the tags' box.
const ENTRY_BYTES: usize = 256;

impl Weighter<PageKey, Arc<Entry>> for ByBytes {
    fn weight(&self, key: &PageKey, entry: &Arc<Entry>) -> u64 {
        let key_bytes = key.host.len() + key.path.len() + key.query.len();
        (ENTRY_BYTES + key_bytes + entry.body.memory_bytes() + entry.tags.len() * size_of::<Tag>()) as u64
    }
}

impl RenderCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        // A page of some KiB is typical; the estimate sizes the table and limits nothing.
        let entries_expected = (bytes_max / 8192).max(16);
        Self {
            entries: Cache::with_weighter(entries_expected, bytes_max as u64, ByBytes),
            flights: Mutex::default(),
            renders: AtomicU64::new(0),
        }
    }

    /// The entry under this key, if it is fresh.
    pub(crate) fn fresh(&self, key: &PageKeyRef<'_>, versions: &Versions) -> Option<Arc<Entry>> {
        self.entries.get(key).filter(|entry| entry.is_fresh(versions))
    }

    /// Keeps a render. One that is stale by now does no harm: every lookup asks again.
    pub(crate) fn keep(&self, key: PageKey, entry: Arc<Entry>) {
        self.entries.insert(key, entry);
    }

    /// The renders under way.
    pub(crate) fn flights(&self) -> std::sync::MutexGuard<'_, FlightTable<PageKey, oneshot::Sender<Flown>>> {
        self.flights.lock().expect("nothing panics while it holds the table")
    }

    /// Names a render.
    pub(crate) fn next_render_id(&self) -> u64 {
        self.renders.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const KEY: PageKeyRef<'static> = PageKeyRef { host: "h", path: "/", query: "" };

    fn entry(birth: u64, tag: &str, ttl: Option<Duration>) -> Arc<Entry> {
        let tags = vec![Tag::named(tag)];
        Arc::new(Entry::new(
            PageBody::new(Bytes::from_static(b"page")),
            LogPosition::from_u64(birth),
            tags,
            ttl,
        ))
    }

    #[test]
    fn an_entry_is_served_until_one_of_its_tags_is_revalidated() {
        let (cache, versions) = (RenderCache::new(1 << 20), Versions::default());
        cache.keep(KEY.to_key(), entry(0, "book", None));
        assert!(cache.fresh(&KEY, &versions).is_some());

        versions.apply(LogPosition::from_u64(1), [Tag::named("other")]);
        assert!(cache.fresh(&KEY, &versions).is_some());

        versions.apply(LogPosition::from_u64(2), [Tag::named("book")]);
        assert!(cache.fresh(&KEY, &versions).is_none());
    }

    #[test]
    fn a_render_that_began_before_a_revalidation_is_never_served_after_it() {
        let (cache, versions) = (RenderCache::new(1 << 20), Versions::default());
        versions.apply(LogPosition::from_u64(5), [Tag::named("book")]);
        cache.keep(KEY.to_key(), entry(4, "book", None));
        assert!(cache.fresh(&KEY, &versions).is_none());
    }

    #[test]
    fn an_entry_ends_with_its_time_to_live() {
        let (cache, versions) = (RenderCache::new(1 << 20), Versions::default());
        cache.keep(KEY.to_key(), entry(0, "book", Some(Duration::ZERO)));
        assert!(cache.fresh(&KEY, &versions).is_none());
        cache.keep(KEY.to_key(), entry(0, "book", Some(Duration::from_hours(1))));
        assert!(cache.fresh(&KEY, &versions).is_some());
    }

    #[test]
    fn memory_is_bounded_by_bytes() {
        let (cache, versions) = (RenderCache::new(100 * 1024), Versions::default());
        let body = PageBody::new(Bytes::from(vec![0; 1024]));
        let key = |path: &'static str| PageKeyRef { host: "h", path, query: "" };
        for number in 0..1000 {
            let path: &'static str = Box::leak(format!("/{number}").into());
            let page = Entry::new(body.clone(), LogPosition::default(), Vec::new(), None);
            cache.keep(key(path).to_key(), Arc::new(page));
        }
        assert!(cache.entries.weight() <= 100 * 1024);
        assert!(cache.fresh(&key("/999"), &versions).is_some() || cache.entries.len() > 10);
    }

    #[test]
    fn a_page_that_is_another_in_each_response_has_no_etag() {
        let entry =
            |body: String| Entry::new(PageBody::new(body.into()), LogPosition::default(), Vec::new(), None);
        assert!(entry("page".into()).etag.is_some());
        assert!(entry(format!("page {}", crate::page_body::hole())).etag.is_none());
    }

    #[test]
    fn keys_differ_by_host_path_and_query() {
        let (cache, versions) = (RenderCache::new(1 << 20), Versions::default());
        cache.keep(KEY.to_key(), entry(0, "book", None));
        for other in [
            PageKeyRef { host: "other", ..KEY },
            PageKeyRef { path: "/other", ..KEY },
            PageKeyRef { query: "a=1", ..KEY },
        ] {
            assert!(cache.fresh(&other, &versions).is_none());
        }
    }
}
