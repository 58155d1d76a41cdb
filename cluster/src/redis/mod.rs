//! The store in Redis: each command is one script or one plain command, atomic and safe to repeat.
//!
//! *Objective*: what the memory [`Store`](crate::memory::Store) does, held to the same answers by one conformance suite.
//!
//! *Non-objective*: no connection comes back by itself and no command is sent twice. Who asks decides what to do about
//! a [`Failure`](crate::store::Failure), and a [`Connection`] that [`closed`](Connection::closed) is opened anew.

mod answers;
mod build_keys;
mod cache;
mod connection;
mod failures;
mod findings;
mod keys;
mod link;
mod resolve;
mod scripts;
mod store;
mod url;

use std::time::Duration;

pub use self::{
    build_keys::BuildKeys,
    cache::{CacheConnection, CacheStore, Pushes},
    connection::Connection,
    failures::OpenError,
    findings::Findings,
    keys::{BadNamespace, Keys, Namespace},
    scripts::ACL_COMMANDS,
    url::{BadUrl, Url},
};

/// Where the store is, and its limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where Redis is.
    pub url: Url,
    /// What distinguishes this cluster from others on the same Redis: it stands in every key.
    pub namespace: Namespace,
    /// Which of several independent copies of the protocol. There is one so far, 0.
    pub lane: u16,
    /// Most frames of calls that an inbox holds; beyond, senders are told that it is full. Default 256.
    pub inbox_frames_max: usize,
    /// How long keys outlive the last renewal of their session, so that what a dead cluster left goes away. Longer than
    /// the longest deadline and `reply_keep` together. Default 1 h.
    pub keys_ttl: Duration,
    /// How long a read waits for something to come. Default 1.6 s.
    pub block: Duration,
    /// How long it may take to find Redis, connect, and learn which it is. Default 2 s.
    pub open_timeout: Duration,
    /// Most entries of the log of revalidations, about; of more the oldest are gone, and whoever has not read them keeps no
    /// render. Default 100,000.
    pub cache_log_entries_max: usize,
    /// Most entries of it that one answer holds. Default 1,024.
    pub cache_read_entries_max: usize,
    /// How many replicas must have a revalidation or a lease before it counts, and how long that may take. Needed where a
    /// replica may be promoted; off by default.
    pub cache_replicas_wait: Option<(u32, Duration)>,
}

impl Settings {
    /// The defaults, for a store.
    #[must_use]
    pub fn new(url: Url, namespace: Namespace) -> Self {
        Self {
            url,
            namespace,
            lane: 0,
            inbox_frames_max: 256,
            keys_ttl: Duration::from_hours(1),
            block: Duration::from_millis(1600),
            open_timeout: Duration::from_secs(2),
            cache_log_entries_max: 100_000,
            cache_read_entries_max: 1024,
            cache_replicas_wait: None,
        }
    }
}
