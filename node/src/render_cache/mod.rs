//! Rendered pages and parts of them, served to everybody until one of their tags is revalidated or their time is over.
//!
//! An entry's *birth* is the position that was applied before its render read anything. It is fresh as long as none
//! of its tags was revalidated since; nothing is ever removed by an invalidation, so nothing can be missed. Which
//! request may use whose render is decided by [`FlightTable`].

mod body;
mod entry;
mod etag;
mod fragment;
mod groups;
mod gzip;
mod key;
mod shown;
#[cfg(test)]
mod tests;
mod texts;
mod weight;

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

use callboard_cluster::cache::FlightTable;
use callboard_protocol::revalidation::Tag;
use quick_cache::{DefaultHashBuilder, sync::Cache};
use tokio::sync::oneshot;

pub(crate) use body::Representation;
pub(crate) use entry::{Entry, Lifetime, Rendered, Verdict};
pub(crate) use etag::Etag;
pub(crate) use fragment::Fragment;
pub(crate) use groups::GROUPS_MAX;
pub(crate) use key::{PageKey, PageKeyRef};
pub(crate) use shown::Shown;

use key::Place;
use weight::ByBytes;

use crate::output::PageError;

/// What a render came to.
#[derive(Clone, Debug)]
pub(crate) enum Flown {
    /// A page that anybody may get.
    Page(Arc<Entry>),
    /// No page, for anybody.
    Failed(Arc<PageError>),
    /// It read something of the one who asked; everybody renders for himself.
    Private,
    /// There was no place to render it in.
    Crowded,
}

/// Renders under way, and who waits for them.
pub(crate) type Flights = FlightTable<PageKey, oneshot::Sender<Flown>>;

/// Entries and the renders under way.
pub(crate) struct RenderCache {
    entries: Cache<Place, Kept, ByBytes>,
    hasher: DefaultHashBuilder,
    flights: Mutex<Flights>,
    renders: AtomicU64,
}

#[derive(Clone)]
enum Kept {
    Page(Arc<Entry>),
    Fragment(Arc<Fragment>),
}

impl RenderCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        // A page of some KiB is typical; the estimate sizes the table and limits nothing.
        let entries_expected = (bytes_max / 8192).max(16);
        Self {
            entries: Cache::with_weighter(entries_expected, bytes_max as u64, ByBytes),
            hasher: DefaultHashBuilder::default(),
            flights: Mutex::default(),
            renders: AtomicU64::new(0),
        }
    }

    /// The page under this key, in whatever state.
    pub(crate) fn page(&self, key: PageKeyRef<'_>) -> Option<Arc<Entry>> {
        match self.entries.get(&Place::of_page(&self.hasher, key))? {
            Kept::Page(entry) => Some(entry).filter(|entry| entry.is_of(key)),
            Kept::Fragment(_) => None,
        }
    }

    /// The fragment under this key, in whatever state.
    pub(crate) fn fragment(&self, key: &str) -> Option<Arc<Fragment>> {
        match self.entries.get(&Place::of_fragment(&self.hasher, key))? {
            Kept::Fragment(fragment) => Some(fragment).filter(|fragment| *fragment.key == *key),
            Kept::Page(_) => None,
        }
    }

    /// Keeps a render. One that is stale by now does no harm: every lookup asks again.
    pub(crate) fn keep(&self, entry: Arc<Entry>) {
        self.entries.insert(Place::of_page(&self.hasher, entry.key()), Kept::Page(entry));
    }

    /// Keeps a part of a page.
    pub(crate) fn keep_fragment(&self, fragment: Fragment) {
        let place = Place::of_fragment(&self.hasher, &fragment.key);
        self.entries.insert(place, Kept::Fragment(Arc::new(fragment)));
    }

    /// Keeps a page no longer: it is not everybody's any more.
    pub(crate) fn forget(&self, key: PageKeyRef<'_>) {
        self.entries.remove(&Place::of_page(&self.hasher, key));
    }

    /// Up to so many of the pages at a path, however it is escaped and whatever their query, of a host or of all. May look
    /// at everything that is kept.
    pub(crate) fn pages_at(&self, path: &str, host: Option<&str>, max: usize) -> Vec<Arc<Entry>> {
        let tag = Tag::path(path);
        let is_there =
            |key: PageKeyRef<'_>| host.is_none_or(|host| key.host == host) && Tag::path(key.path) == tag;
        let of_path = |(_, kept)| match kept {
            Kept::Page(entry) => Some(entry).filter(|entry| is_there(entry.key())),
            Kept::Fragment(_) => None,
        };
        self.entries.iter().filter_map(of_path).take(max).collect()
    }

    /// How many pages and fragments are kept.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What they take of memory.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.weight()
    }

    /// The renders under way.
    pub(crate) fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().expect("nothing panics while it holds the table")
    }

    /// Names a render.
    pub(crate) fn next_render_id(&self) -> u64 {
        self.renders.fetch_add(1, Ordering::Relaxed) + 1
    }
}
