//! Rendered pages and parts of them, served to everybody until one of their tags is revalidated or their time is over.
//!
//! An entry's *birth* is the position that was applied before its render read anything. It is fresh as long as none
//! of its tags was revalidated since; nothing is ever removed by an invalidation, so nothing can be missed. Which
//! request may use whose render is decided by [`FlightTable`].

mod entry;
mod groups;
mod gzip;
mod key;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

use callboard_cluster::cache::FlightTable;
use quick_cache::{Weighter, sync::Cache};
use tokio::sync::oneshot;

pub(crate) use entry::{Age, Entry, Fragment, Lifetime, Rendered, Verdict};
pub(crate) use groups::GROUPS_MAX;
pub(crate) use gzip::Compressed;
pub(crate) use key::{PageKey, PageKeyRef};

use key::{Key, KeyRef};

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
}

/// Renders under way, and who waits for them.
pub(crate) type Flights = FlightTable<PageKey, oneshot::Sender<Flown>>;

/// Entries and the renders under way.
pub(crate) struct RenderCache {
    entries: Cache<Key, Kept, ByBytes>,
    flights: Mutex<Flights>,
    renders: AtomicU64,
}

#[derive(Clone)]
enum Kept {
    Page(Arc<Entry>),
    Fragment(Arc<Fragment>),
}

/// Weighs an entry by the memory it takes.
#[derive(Clone)]
struct ByBytes;

/// Bookkeeping of one entry besides its body and key: the entry, its place in the cache's table, the boxes in it.
const ENTRY_BYTES: usize = 448;

impl Weighter<Key, Kept> for ByBytes {
    fn weight(&self, key: &Key, kept: &Kept) -> u64 {
        let key_bytes = match key {
            Key::Page(key) => key.bytes(),
            Key::Fragment(key) => key.len(),
        };
        let bytes = match kept {
            Kept::Page(entry) => entry.memory_bytes(),
            Kept::Fragment(fragment) => fragment.memory_bytes(),
        };
        (ENTRY_BYTES + key_bytes + bytes) as u64
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

    /// The page under this key, in whatever state.
    pub(crate) fn page(&self, key: PageKeyRef<'_>) -> Option<Arc<Entry>> {
        match self.entries.get(&KeyRef::Page(key))? {
            Kept::Page(entry) => Some(entry),
            Kept::Fragment(_) => None,
        }
    }

    /// The fragment under this key, in whatever state.
    pub(crate) fn fragment(&self, key: &str) -> Option<Arc<Fragment>> {
        match self.entries.get(&KeyRef::Fragment(key))? {
            Kept::Fragment(fragment) => Some(fragment),
            Kept::Page(_) => None,
        }
    }

    /// Keeps a render. One that is stale by now does no harm: every lookup asks again.
    pub(crate) fn keep(&self, key: PageKey, entry: Arc<Entry>) {
        self.entries.insert(Key::Page(key), Kept::Page(entry));
    }

    /// Keeps a part of a page.
    pub(crate) fn keep_fragment(&self, key: &str, fragment: Fragment) {
        self.entries.insert(Key::Fragment(key.into()), Kept::Fragment(Arc::new(fragment)));
    }

    /// Keeps a page no longer: it is not everybody's any more.
    pub(crate) fn forget(&self, key: PageKeyRef<'_>) {
        self.entries.remove(&KeyRef::Page(key));
    }

    /// The pages at a path, whatever their host and query. Looks at everything that is kept.
    pub(crate) fn pages_at(&self, path: &str) -> Vec<(PageKey, Arc<Entry>)> {
        let of_path = |(key, kept)| match (key, kept) {
            (Key::Page(key), Kept::Page(entry)) if *key.path == *path => Some((key, entry)),
            _ => None,
        };
        self.entries.iter().filter_map(of_path).collect()
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

impl Entry {
    /// The compressed body, if there is one. The second who asks has it made, on a thread where that holds nobody up.
    pub(crate) fn gzip(self: &Arc<Self>) -> Option<&Compressed> {
        if self.gzip.begin() {
            let entry = Arc::clone(self);
            tokio::task::spawn_blocking(move || entry.gzip.make(&entry.body));
        }
        self.gzip.made()
    }

    /// Whether a response depends on what the client can decompress.
    pub(crate) fn varies(&self) -> bool {
        self.gzip.is_possible()
    }
}
