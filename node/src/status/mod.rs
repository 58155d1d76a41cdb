//! How a node stands, for a person who looks at its page and for a program that asks for the same as JSON.
//!
//! Everything is of the last second: looking costs the actors nothing.

mod history;
mod page;
mod recent;
mod times;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use callboard_cluster::clock::Instant as CoreInstant;
use callboard_protocol::identity::ViewVersion;
use serde::Serialize;
use tokio::sync::Semaphore;

use self::history::{History, HotAction, LastMinute};
pub(crate) use self::{
    page::{Page, Section},
    recent::{ErrorSeen, PartSeen, Recent, SlowSeen},
    times::Times,
};
use crate::{
    clock,
    metrics::{ClusterSeen, PageResult, Tally, Told, process},
    node::Node,
};

/// Grows when a key goes or means something else; more keys may come without that.
const SCHEMA: &str = "callboard-status/1";

/// Pages that are watched at a time; a further one is answered 503. Each has a new page made every second, and more than a
/// team's screens there will hardly be.
const WATCHERS_MAX: usize = 16;

/// What a node keeps for its status.
#[derive(Debug)]
pub(crate) struct Kept {
    application: &'static str,
    begun: Instant,
    history: Mutex<History>,
    /// One for each page that is watched.
    pub(crate) watchers: Arc<Semaphore>,
}

impl Kept {
    pub(crate) fn new(application: &'static str) -> Self {
        Self {
            application,
            begun: Instant::now(),
            history: Mutex::default(),
            watchers: Arc::new(Semaphore::new(WATCHERS_MAX)),
        }
    }

    /// A second is over.
    pub(crate) fn tick(&self, node: &Node) {
        self.history().tick(node);
        node.metrics.recent.forget(Instant::now());
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a node stands. docs/status.schema.json says what each key is.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    schema: &'static str,
    at_ms: u64,
    node: NodeStatus,
    calls: CallsStatus,
    pages: PagesStatus,
    cache: CacheStatus,
    cluster: ClusterStatus,
    last_minute: LastMinute,
    hottest: Vec<HotAction>,
    errors: Vec<ErrorSeen>,
    slowest: Vec<SlowSeen>,
    settings: Vec<SettingStatus>,
}

#[derive(Debug, Serialize)]
struct NodeStatus {
    application: &'static str,
    build: String,
    /// The name of its session; none as long as it has none.
    member: Option<String>,
    state: &'static str,
    is_clustered: bool,
    draining: bool,
    up_s: u64,
    actions: usize,
    pages: usize,
    cpu_s: f64,
    memory_bytes: Option<u64>,
    open_files: Option<usize>,
    open_files_max: Option<u64>,
}

#[derive(Debug, Serialize)]
struct CallsStatus {
    in_flight: usize,
    waiting: usize,
    oldest_wait_ms: u64,
    /// Since the node started, by outcome.
    outcomes: BTreeMap<&'static str, u64>,
    moved: u64,
    lost: u64,
}

#[derive(Debug, Serialize)]
struct PagesStatus {
    /// Since the node started, by what the cache said.
    results: BTreeMap<&'static str, u64>,
    renders_running: usize,
    renders_waiting: usize,
    coalesced: u64,
}

#[derive(Debug, Serialize)]
struct CacheStatus {
    leased: bool,
    /// Below 0, for how long it has had none.
    lease_left_ms: i64,
    /// Up to where this node applied the log of revalidations.
    position: String,
    entries: usize,
    bytes: u64,
    bytes_max: usize,
    applied: u64,
    published: u64,
    gaps: u64,
    lapses: u64,
    flushes: u64,
}

#[derive(Debug, Serialize)]
struct ClusterStatus {
    view_version: u64,
    /// Whether calls that wait for others may run.
    open: bool,
    hold_left_ms: i64,
    /// Sessions that died and left something that is still looked after.
    orphans: usize,
    fenced: u64,
    slot_moves: u64,
    members: Vec<MemberStatus>,
    /// For each slot the place of its owner among the members.
    slots: Vec<Option<usize>>,
}

#[derive(Debug, Serialize)]
struct MemberStatus {
    member: String,
    build: String,
    this: bool,
    draining: bool,
    slots: usize,
    busy_slots: usize,
    /// The version of the view that it applies.
    view_version: u64,
    /// For how long its lease has stood still.
    lease_unmoved_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct SettingStatus {
    name: &'static str,
    /// As it was written; of a secret, whether there is one.
    value: String,
    is_default: bool,
}

impl Status {
    /// How this node stands, as of the last second.
    pub(crate) fn of(node: &Node) -> Self {
        let told = node.metrics.told();
        let (errors, slowest) = node.metrics.recent.seen();
        let history = node.status.history();
        Self {
            schema: SCHEMA,
            at_ms: clock::unix_ms(),
            node: NodeStatus::of(node, &told),
            calls: CallsStatus::of(node, &told),
            pages: PagesStatus::of(node),
            cache: CacheStatus::of(node, &told),
            cluster: ClusterStatus::of(&told),
            last_minute: history.last_minute(),
            hottest: history.hottest(node),
            errors,
            slowest,
            settings: node
                .settings
                .shown()
                .map(|(setting, value)| SettingStatus {
                    name: setting.name,
                    value: value.to_owned(),
                    is_default: value == setting.default,
                })
                .collect(),
        }
    }
}

impl NodeStatus {
    fn of(node: &Node, told: &Told) -> Self {
        Self {
            application: node.status.application,
            build: node.build.to_string(),
            member: told.membership.seen.me.map(|me| me.to_string()),
            state: told.membership.state.map_or("away", |state| state.name()),
            is_clustered: node.is_clustered(),
            draining: node.is_draining(),
            up_s: node.status.begun.elapsed().as_secs(),
            actions: node.registry.actions().len(),
            pages: node.registry.page_count(),
            cpu_s: process::cpu_seconds(),
            memory_bytes: process::resident_bytes(),
            open_files: process::open_files(),
            open_files_max: process::open_files_max(),
        }
    }
}

impl CallsStatus {
    fn of(node: &Node, told: &Told) -> Self {
        let outcomes = &node.metrics.tally.outcomes;
        let counted = Tally::OUTCOMES.into_iter().zip(outcomes);
        let membership = &told.membership;
        Self {
            in_flight: node.drain.in_flight(),
            waiting: membership.waiting,
            oldest_wait_ms: membership.oldest.map_or(0, |at| clock::core_now().since(at).as_millis() as u64),
            outcomes: counted.map(|(name, count)| (name, count.load(Ordering::Relaxed))).collect(),
            moved: membership.counters.moved,
            lost: membership.counters.unknown,
        }
    }
}

impl PagesStatus {
    fn of(node: &Node) -> Self {
        let tally = &node.metrics.tally;
        let count = |result: PageResult| tally.pages[result as usize].load(Ordering::Relaxed);
        Self {
            results: PageResult::ALL.into_iter().map(|result| (result.name(), count(result))).collect(),
            renders_running: node.renders.running(),
            renders_waiting: node.renders.waiting(),
            coalesced: tally.coalesced.load(Ordering::Relaxed),
        }
    }
}

impl CacheStatus {
    fn of(node: &Node, told: &Told) -> Self {
        let (now, counters) = (clock::core_now(), &told.log.counters);
        Self {
            leased: node.versions.is_leased(now),
            lease_left_ms: millis_left(node.versions.lease_until(), now),
            position: node.versions.applied().to_string(),
            entries: node.cache.len(),
            bytes: node.cache.bytes(),
            bytes_max: node.settings.render_cache_bytes_max,
            applied: counters.applied,
            published: counters.published,
            gaps: counters.gaps,
            lapses: counters.lapses,
            flushes: counters.flushes,
        }
    }
}

impl ClusterStatus {
    fn of(told: &Told) -> Self {
        let membership = &told.membership;
        let seen: &ClusterSeen = &membership.seen;
        let places: BTreeMap<_, _> =
            seen.members.iter().enumerate().map(|(place, member)| (member.boot, place)).collect();
        let slots: Vec<_> = seen.owners.iter().map(|owner| places.get(owner.as_ref()?).copied()).collect();
        let mut owned = vec![0; seen.members.len()];
        for place in slots.iter().flatten() {
            owned[*place] += 1;
        }
        let members = seen.members.iter().zip(owned).map(|(member, slots)| MemberStatus {
            member: member.boot.to_string(),
            build: member.build.to_string(),
            this: seen.me == Some(member.boot),
            draining: member.draining,
            slots,
            busy_slots: member.busy,
            view_version: member.acked.as_u64(),
            lease_unmoved_ms: member.lease_unmoved.map(millis),
        });
        Self {
            view_version: membership.view_version.map_or(0, ViewVersion::as_u64),
            open: seen.open,
            hold_left_ms: membership.hold_until.map_or(0, |until| millis_left(until, clock::core_now())),
            orphans: seen.orphans,
            fenced: membership.counters.fenced,
            slot_moves: membership.slot_moves,
            members: members.collect(),
            slots,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

/// What is told to be left of what never ends: a year.
const ENDLESS_MS: i64 = 365 * 24 * 3_600_000;

/// Below 0 what is over.
fn millis_left(until: CoreInstant, now: CoreInstant) -> i64 {
    let within = |left: Duration| millis(left).min(ENDLESS_MS.unsigned_abs()).cast_signed();
    if until >= now { within(until.since(now)) } else { -within(now.since(until)) }
}
