//! What is told by the actors each second, and what is counted without an instrument.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use callboard_cluster::{cache, clock::Instant, core, core::SessionState};
use callboard_protocol::identity::{Boot, ViewVersion};
use tokio::time::timeout;

use crate::{
    actors::{Report, ReportLog},
    build_id::BuildId,
    node::Node,
    status::Times,
};

/// How the membership stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct MembershipReport {
    pub(crate) counters: core::Counters,
    pub(crate) state: Option<SessionState>,
    pub(crate) view_version: Option<ViewVersion>,
    pub(crate) seen: Arc<ClusterSeen>,
    pub(crate) slots_owned: usize,
    pub(crate) slot_moves: u64,
    /// Until when it may start calls.
    pub(crate) hold_until: Option<Instant>,
    pub(crate) waiting: usize,
    /// When the one arrived that waits longest.
    pub(crate) oldest: Option<Instant>,
    pub(crate) inputs: u64,
    pub(crate) turns: u64,
    /// The most inputs at once since the last report.
    pub(crate) depth: usize,
}

/// Who is there, as the membership sees it.
#[derive(Debug, Default)]
pub(crate) struct ClusterSeen {
    pub(crate) me: Option<Boot>,
    /// Whether keyed calls may run.
    pub(crate) open: bool,
    pub(crate) members: Vec<MemberSeen>,
    /// Who owns each slot.
    pub(crate) owners: Arc<[Option<Boot>]>,
    /// Sessions that are gone and left something.
    pub(crate) orphans: usize,
}

/// One member.
#[derive(Clone, Debug)]
pub(crate) struct MemberSeen {
    pub(crate) boot: Boot,
    pub(crate) build: BuildId,
    pub(crate) draining: bool,
    /// Up to which version it applies the view.
    pub(crate) acked: ViewVersion,
    /// Slots that it does not own any more and still runs calls of.
    pub(crate) busy: usize,
    /// For how long its lease has stood still, if this node looks at it.
    pub(crate) lease_unmoved: Option<Duration>,
}

/// How the copy of the log stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogReport {
    pub(crate) counters: cache::core::Counters,
}

/// What is counted with every page, frame and span.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Calls, by [`Tally::OUTCOMES`].
    pub(crate) outcomes: [AtomicU64; Self::OUTCOMES.len()],
    pub(crate) call_times: Times,
    pub(crate) revalidation_times: Times,
    pub(crate) pages: [AtomicU64; PageResult::ALL.len()],
    pub(crate) misses: [AtomicU64; Miss::ALL.len()],
    pub(crate) coalesced: AtomicU64,
    pub(crate) sent: Moved,
    pub(crate) received: Moved,
    pub(crate) spans_exported: AtomicU64,
    pub(crate) spans_dropped: AtomicU64,
}

/// Frames that went one way.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    pub(crate) frames: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl Moved {
    pub(crate) fn add(&self, bytes: usize) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// What the cache said to a request for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageResult {
    Hit,
    Stale,
    StaleIfError,
    FencedHit,
    Miss,
    FencedMiss,
    Bypass,
    /// It was answered without a page: a redirect, not found, an error.
    None,
}

impl PageResult {
    pub(crate) const ALL: [Self; 8] = [
        Self::Hit,
        Self::Stale,
        Self::StaleIfError,
        Self::FencedHit,
        Self::Miss,
        Self::FencedMiss,
        Self::Bypass,
        Self::None,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::StaleIfError => "stale-if-error",
            Self::FencedHit => "fenced-hit",
            Self::Miss => "miss",
            Self::FencedMiss => "fenced-miss",
            Self::Bypass => "bypass",
            Self::None => "none",
        }
    }

    /// Whether what was kept was served.
    pub(crate) fn is_kept(self) -> bool {
        matches!(self, Self::Hit | Self::Stale | Self::StaleIfError | Self::FencedHit)
    }
}

/// Why nothing that is kept was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    Dead,
    Expired,
    Absent,
    Fenced,
}

impl Miss {
    pub(crate) const ALL: [Self; 4] = [Self::Dead, Self::Expired, Self::Absent, Self::Fenced];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Expired => "expired",
            Self::Absent => "absent",
            Self::Fenced => "fenced",
        }
    }
}

impl Tally {
    /// What a call can come to.
    pub(crate) const OUTCOMES: [&str; 4] = ["done", "failed", "not-run", "unknown"];

    /// A request for a page was answered.
    pub(crate) fn page(&self, result: PageResult) {
        self.pages[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A request waits for a render that another began.
    pub(crate) fn coalesced(&self) {
        self.coalesced.fetch_add(1, Ordering::Relaxed);
    }

    /// Nothing that is kept could be served to one.
    pub(crate) fn miss(&self, why: Miss) {
        self.misses[why as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// How long an actor may take to tell; one that is busier keeps what it told last.
const PATIENCE: Duration = Duration::from_millis(500);

impl Node {
    /// Asks the actors how they stand.
    pub(crate) async fn refresh_metrics(&self) {
        let (membership, log) = (self.membership.send(Report), self.revalidator.send(ReportLog));
        let (membership, log) = futures_util::join!(timeout(PATIENCE, membership), timeout(PATIENCE, log));
        if let Ok(Ok(report)) = membership {
            self.metrics.tell_membership(report);
        }
        if let Ok(Ok(report)) = log {
            self.metrics.tell_log(report);
        }
    }
}

/// Keeps what is sent to a collector as new as a second, as long as the node lives.
pub(crate) async fn report_each_second(node: Weak<Node>) {
    let mut each = tokio::time::interval(Duration::from_secs(1));
    each.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        each.tick().await;
        let Some(node): Option<Arc<Node>> = node.upgrade() else { return };
        node.refresh_metrics().await;
        node.status.tick(&node);
    }
}
