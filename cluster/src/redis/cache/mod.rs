//! The log of revalidations in Redis.
//!
//! *Objective*: what [`cache::memory::Store`](crate::cache::memory::Store) does, held to the same answers by one
//! conformance suite, and pushes to all that listen.
//!
//! *Non-objective*: whether a lease holds. Nothing here has a clock besides that of Redis, which numbers epochs.

mod answers;
mod commands;
mod connection;
mod payload;
mod pushes;

use std::sync::Arc;

use callboard_protocol::revalidation::Epoch;
use tokio::sync::watch;

pub use self::{connection::CacheConnection, pushes::Pushes};
use super::{Settings, keys::CacheKeys, link::Link};

/// The log, as one process knows it: where it is, and which epoch the process is in. One for all connections of a process,
/// also for those that follow when one breaks.
#[derive(Clone, Debug)]
pub struct CacheStore {
    settings: Arc<Settings>,
    entered: Arc<watch::Sender<Option<Entered>>>,
}

/// An epoch that was found or begun. Its number says which of two is the later one; that it is this one and no other is
/// said by the time at which it began: where Redis lost its memory twice within seconds, two have the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entered {
    epoch: Epoch,
    /// Microseconds of Redis' clock, in digits.
    began: Box<str>,
}

impl CacheStore {
    /// The log of a cluster.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings, entered: Arc::new(watch::Sender::new(None)) }
    }

    fn entered(&self) -> Option<Entered> {
        self.entered.borrow().clone()
    }

    /// Whatever comes late leaves a later epoch in its place.
    fn enter(&self, entered: Entered) {
        self.entered.send_if_modified(|there| {
            let is_later = there.as_ref().is_none_or(|there| there.epoch <= entered.epoch);
            if is_later {
                *there = Some(entered);
            }
            is_later
        });
    }
}

type CacheLink = Link<CacheKeys>;
