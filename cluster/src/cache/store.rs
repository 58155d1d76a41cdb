//! The port to the log that all nodes share: commands as data, each atomic.
//!
//! Adapters are the one in memory, on which simulations and nodes that are alone run, and Redis. Whatever names an epoch is
//! executed in that epoch or answered [`Answer::Superseded`]; every command but [`Command::Acknowledge`] first looks whether
//! the store is still of the memory that the epoch began in.

use std::sync::Arc;

pub use callboard_protocol::revalidation::Staleness;
use callboard_protocol::{
    identity::ProcessId,
    revalidation::{Epoch, LogPosition, Revalidation, Tag},
};

/// A tag that is stale from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark {
    /// What every stale render carries.
    pub tag: Tag,
    /// How stale.
    pub staleness: Staleness,
}

impl From<&Revalidation> for Mark {
    fn from(revalidation: &Revalidation) -> Self {
        Self { tag: revalidation.tag(), staleness: revalidation.staleness }
    }
}

/// One place of the log: marks that became visible together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place. Sequences are dense: 1, 2, 3 …
    pub position: LogPosition,
    /// What is stale; `None` for everything, and also if this node cannot read it, as a newer version wrote it.
    pub marks: Option<Arc<[Mark]>>,
}

/// What of the log follows a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Following {
    /// The entries after it, without a gap, as many as fit.
    Entries(Vec<Entry>),
    /// Some of them are gone.
    Trimmed,
}

/// Something asked of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Find the epoch, or begin one: where the store is of another memory than the epoch began in, where it lost part of
    /// the log, or where its epoch is before a known one. A new epoch is after all that are known, its log is empty, and
    /// nobody is registered in it; what is declared stays. [`Answer::Opened`].
    Open {
        /// The newest epoch that was seen.
        known: Epoch,
        /// The newest position that was seen.
        seen: LogPosition,
    },
    /// Grant a lease: register as a reader that applied everything up to `after`, and read what follows. Whoever is
    /// registered is waited for. Also raises what the reader acknowledged. [`Answer::Renewed`].
    Renew {
        /// Who.
        process: ProcessId,
        /// In which epoch.
        epoch: Epoch,
        /// Up to where everything is applied.
        after: LogPosition,
        /// What is stale if it dies; kept from its first registration.
        declared: Arc<[Tag]>,
    },
    /// Append an entry, push it to all, and read what follows `after` up to it. Also raises what the publisher acknowledged,
    /// if it is registered, and pushes the watermark where that raises it: up to `after`, and with the entry where nothing
    /// stands in between, as the publisher alone waits for it to be everywhere, and knows itself what it applied.
    /// [`Answer::Published`].
    Publish {
        /// Who.
        process: ProcessId,
        /// In which epoch.
        epoch: Epoch,
        /// Up to where everything is applied.
        after: LogPosition,
        /// What is stale; `None` for everything.
        marks: Option<Arc<[Mark]>>,
    },
    /// Say that everything up to here is applied, if registered; where that raises the watermark, push it. In whatever
    /// memory the epoch stands: one that came back has entries and all who were registered before them, or neither. So the
    /// answer does not say that the epoch goes on. [`Answer::Acknowledged`].
    Acknowledge {
        /// Who.
        process: ProcessId,
        /// In which epoch.
        epoch: Epoch,
        /// Up to where.
        applied: LogPosition,
    },
    /// Who is registered or declared something, and the number that each was given last in this epoch; 0 for none. One is
    /// given with each lease and with each first reaping. All readers are counted together, so that no number comes back,
    /// whoever was forgotten and registers again. [`Answer::Registered`].
    Registered {
        /// In which epoch.
        epoch: Epoch,
    },
    /// Wait no more for a reader that was given no number since, and append what it declared as hard marks. That stays
    /// declared, under a new number: the entry may be lost with its epoch. Only where it is asked once more in the same
    /// epoch, and where nothing was declared, is the reader forgotten, and nothing is appended. [`Answer::Reaped`].
    Reap {
        /// In which epoch.
        epoch: Epoch,
        /// Who.
        process: ProcessId,
        /// The number that it had been given last.
        grants: u64,
    },
    /// Forget a reader that goes in order; what it declared is not published. [`Answer::Left`].
    Leave {
        /// In which epoch.
        epoch: Epoch,
        /// Who.
        process: ProcessId,
    },
}

impl Command {
    /// As it is counted.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "log-open",
            Self::Renew { .. } => "log-renew",
            Self::Publish { .. } => "log-publish",
            Self::Acknowledge { .. } => "log-acknowledge",
            Self::Registered { .. } => "log-registered",
            Self::Reap { .. } => "log-reap",
            Self::Leave { .. } => "log-leave",
        }
    }
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of [`Command::Open`].
    Opened {
        /// The epoch.
        epoch: Epoch,
        /// The last position of its log; sequence 0 while it is empty.
        tail: LogPosition,
    },
    /// Of [`Command::Renew`].
    Renewed {
        /// The last position of the log when the lease was granted.
        tail: LogPosition,
        /// What follows `after`.
        following: Following,
        /// Up to where every registered reader has applied.
        watermark: LogPosition,
    },
    /// Of [`Command::Publish`].
    Published {
        /// Where it stands.
        position: LogPosition,
        /// What follows `after`, up to and with it.
        following: Following,
        /// Whether somebody else is registered.
        has_others: bool,
    },
    /// Of [`Command::Publish`] and [`Command::Renew`], if too few replicas confirmed in time what they should have. It is
    /// done, and counts only once a later one is answered in the same epoch.
    Unreplicated {
        /// Where an entry was appended.
        appended: Option<LogPosition>,
    },
    /// Of [`Command::Acknowledge`].
    Acknowledged {
        /// Up to where every registered reader has applied.
        watermark: LogPosition,
    },
    /// Of [`Command::Registered`], in no order.
    Registered(Vec<(ProcessId, u64)>),
    /// Of [`Command::Reap`]: whether anything came of it.
    Reaped(bool),
    /// Of [`Command::Leave`].
    Left,
    /// The epoch is over, or the store is of another memory: open again.
    Superseded,
}

/// What the store tells all that listen, at most once and perhaps never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// An entry was appended.
    Entry(Entry),
    /// Every registered reader has applied everything up to here.
    Watermark(LogPosition),
}
