//! A cluster in one thread: nodes with clocks of their own that keep renders, the log that they share, an application's
//! data, and connections that break. Everything that happens is an event at an instant; the seed decides everything.

mod actions;
mod faults;
mod network;
mod nodes;
mod reads;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    sync::{Arc, LazyLock},
    time::Duration,
};

use callboard_cluster::{
    cache::{
        Connection, FlightTable, RequestId, Settings, Stamp, Versions,
        core::Core,
        memory::{Limits, Store},
        store::{Answer, Command, Push},
    },
    clock::Instant,
    mutant::Mutants,
    store::Failure,
};
use callboard_protocol::{
    identity::ProcessId,
    revalidation::{LogPosition, Tag},
};
use rand::{RngExt as _, SeedableRng, rngs::SmallRng};

use crate::{
    checker::{Checker, Counters, Shown, Written},
    plan::{Fault, Plan},
    schedule::Scheduled,
};
use reads::Reader;

pub(crate) const MS: u64 = 1000;
/// How long a lease lasts.
pub(crate) const LEASE: u64 = 20 * MS;
pub(crate) const TAGS: usize = 12;
pub(crate) const PAGES: usize = 12;

static NAMES: LazyLock<[Tag; TAGS]> =
    LazyLock::new(|| std::array::from_fn(|number| Tag::named(&format!("tag {number}"))));

pub(crate) fn tag(number: usize) -> Tag {
    NAMES[number]
}

pub(crate) fn tag_number(tag: Tag) -> usize {
    NAMES.iter().position(|name| *name == tag).expect("there is no other")
}

/// The lease is a fiftieth of the default; limits are so low that they are reached.
fn settings() -> Settings {
    Settings {
        lease: Duration::from_micros(LEASE),
        renew: Duration::from_micros(LEASE / 4),
        // Two clocks may differ by this much.
        margin: Duration::from_micros(LEASE * 3 / 100),
        command_timeout: Duration::from_micros(LEASE / 2),
        retry: Duration::from_micros(LEASE / 20),
        gap_repair: Duration::from_micros(400),
        entry_marks_max: 6,
        early_entries_max: 8,
        expiring_max: 8,
        tag_cells: 1 << 10,
        ..Settings::default()
    }
}

const LIMITS: Limits = Limits { log_entries_max: 64, answer_entries_max: 12 };

#[derive(Debug)]
enum Event {
    Reads,
    Acts,
    /// The application's data is written.
    Commits {
        action: u64,
    },
    ConnectArrives {
        node: usize,
        life: u64,
        connection: Connection,
        number: u64,
    },
    /// A command reaches the store.
    Arrives {
        asker: Asker,
        run: u64,
        command: Box<Command>,
    },
    /// Something reaches a node.
    Node {
        node: usize,
        life: u64,
        what: NodeEvent,
    },
    Fault(usize),
    Follows(Box<Fault>),
    Resume {
        node: usize,
    },
    Boot {
        node: usize,
        life: u64,
    },
    StoreUp,
    Snapshot,
}

#[derive(Debug)]
enum NodeEvent {
    Timer,
    Connected {
        connection: Connection,
        number: u64,
    },
    Disconnected {
        connection: Connection,
        number: u64,
    },
    Answered {
        number: u64,
        request: RequestId,
        answer: Box<Result<Answer, Failure>>,
    },
    Pushed {
        number: u64,
        push: Box<Push>,
    },
    /// An action ended; its marks are published.
    Settles {
        action: u64,
    },
    /// A render reads the first or the second of its tags, or ends.
    Renders {
        page: usize,
        step: u8,
    },
    /// A request was held up after it arrived.
    HeldUp(Box<Reader>),
    /// It has nothing to do any more.
    Leaves,
    /// Somebody waited long enough for a token.
    GivesUp,
}

/// Who asked, and on which connection.
#[derive(Clone, Copy, Debug)]
struct Asker {
    node: usize,
    life: u64,
    number: u64,
    request: RequestId,
}

/// A connection as the network sees it.
#[derive(Clone, Debug, Default)]
struct Link {
    /// Grows with each attempt: what belongs to an earlier one is not heard.
    number: u64,
    open: bool,
    /// When the last message of each direction arrives: they do not overtake each other.
    last_up: u64,
    last_down: u64,
    /// Nothing arrives any more, and nobody knows.
    dead: bool,
}

/// A render that runs.
#[derive(Clone, Debug, Default)]
struct Rendering {
    birth: LogPosition,
    shown: Shown,
}

/// A render that is kept.
struct Kept {
    stamp: Stamp,
    shown: Shown,
}

/// How far a node is with its leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Not,
    Asked,
    Left,
}

struct Node {
    core: Core,
    versions: Arc<Versions>,
    process: ProcessId,
    declared: Vec<usize>,
    /// Grows with each restart: what was meant for an earlier one is lost.
    life: u64,
    alive: bool,
    leaving: Leaving,
    clock_offset: u64,
    paused: bool,
    /// Until when nothing passes, to the store and from it.
    cut_up: u64,
    cut_down: u64,
    /// How much longer everything takes, and until when.
    slow: (u64, u64),
    slow_until: u64,
    deaf_until: u64,
    /// What came while it was paused.
    backlog: VecDeque<NodeEvent>,
    links: [Link; 2],
    timer_at: Option<u64>,
    kept: [Option<Kept>; PAGES],
    renders: [Rendering; PAGES],
    flights: FlightTable<usize, Option<Box<Reader>>>,
    /// Who waits until a token is applied here.
    waiting: Vec<Reader>,
    /// Actions that were not answered yet.
    actions: u32,
    hits: u64,
}

pub(crate) struct World {
    pub(crate) now: u64,
    random: SmallRng,
    number: u64,
    events: BinaryHeap<Reverse<Scheduled<Event>>>,
    nodes: Vec<Node>,
    store: Store,
    /// How often the store was started.
    store_run: u64,
    store_up: bool,
    snapshots: VecDeque<(u64, Store)>,
    /// What the store comes back as.
    comes_back_as: Option<Store>,
    processes: u128,
    settings: Arc<Settings>,
    plan: Plan,
    mutants: Mutants,
    pub(crate) checker: Checker,
    /// The application's data: how often each tag was written.
    data: Counters,
    actions: BTreeMap<u64, (usize, u64, Written)>,
    last_action: u64,
    is_looking: bool,
}

impl World {
    pub(crate) fn new(seed: u64, plan: Plan, mutants: Mutants) -> Self {
        let slowest = plan.rates.iter().copied().fold(1.0, f64::min);
        let mut world = Self {
            now: 0,
            random: SmallRng::seed_from_u64(seed ^ 0x00ca_c4e5),
            number: 0,
            events: BinaryHeap::new(),
            nodes: Vec::new(),
            store: Store::new(mutants).limited(LIMITS),
            store_run: 0,
            store_up: true,
            snapshots: VecDeque::new(),
            comes_back_as: None,
            processes: 0,
            settings: Arc::new(Settings { outbox_marks_max: plan.outbox_marks_max, ..settings() }),
            plan,
            mutants,
            checker: Checker::new(slowest),
            data: Counters::default(),
            actions: BTreeMap::new(),
            last_action: 0,
            is_looking: false,
        };
        for node in 0..world.plan.rates.len() {
            let fresh = world.fresh_node(node);
            world.nodes.push(fresh);
            let at = world.random.random_range(0..5 * MS);
            world.schedule(at, Event::Boot { node, life: 0 });
        }
        for index in 0..world.plan.faults.len() {
            let (at, fault) = world.plan.faults[index].clone();
            if let Fault::Restart { lost_us, .. } = fault
                && lost_us > 0
            {
                world.schedule(at.saturating_sub(lost_us), Event::Snapshot);
            }
            world.schedule(at, Event::Fault(index));
        }
        world.schedule(0, Event::Reads);
        world.schedule(crate::plan::START, Event::Acts);
        world
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse(Scheduled { at: at.max(self.now), number: self.number, event }));
    }

    /// Schedules something for a node as it is in this life.
    fn later(&mut self, node: usize, after: u64, what: NodeEvent) {
        let life = self.nodes[node].life;
        self.schedule(self.now + after, Event::Node { node, life, what });
    }

    fn clock(&self, node: usize) -> Instant {
        let passed = self.now as f64 * self.plan.rates[node];
        Instant::from_micros(self.nodes[node].clock_offset + passed as u64)
    }

    /// When a node's clock shows this.
    fn when(&self, node: usize, instant: Instant) -> u64 {
        let passed = instant.as_micros().saturating_sub(self.nodes[node].clock_offset);
        (passed as f64 / self.plan.rates[node]).ceil() as u64
    }

    /// Runs until an instant.
    pub(crate) fn run_until(&mut self, until: u64) {
        while let Some(Reverse(next)) = self.events.peek()
            && next.at <= until
        {
            let Reverse(scheduled) = self.events.pop().expect("just seen");
            self.now = scheduled.at;
            self.handle(scheduled.event);
        }
        self.now = until;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Reads => {
                self.reads();
                // Once nothing changes there is little to be seen.
                let is_quiet = self.now > self.plan.ends_at + 2 * LEASE && !self.is_looking;
                let rarely = if is_quiet { 10 } else { 1 };
                let gap = self.random.random_range(0..=2 * self.plan.mix.reads_gap_us) * rarely;
                self.schedule(self.now + gap, Event::Reads);
            }
            Event::Acts => {
                if self.now < self.plan.ends_at {
                    self.act();
                    let gap = self.random.random_range(0..=2 * self.plan.mix.actions_gap_us);
                    self.schedule(self.now + gap, Event::Acts);
                }
            }
            Event::Commits { action } => self.commits(action),
            Event::ConnectArrives { node, life, connection, number } => {
                self.connect_arrives(node, life, connection, number);
            }
            Event::Arrives { asker, run, command } => self.command_arrives(asker, run, &command),
            Event::Node { node, life, what } => {
                let state = &mut self.nodes[node];
                if state.life == life && state.alive {
                    if state.paused {
                        state.backlog.push_back(what);
                    } else {
                        self.node_event(node, what);
                    }
                }
            }
            Event::Fault(index) => {
                let fault = self.plan.faults[index].1.clone();
                self.fault(&fault);
            }
            Event::Follows(fault) => self.fault(&fault),
            Event::Resume { node } => self.resume(node),
            Event::Boot { node, life } => {
                // Several faults may have asked for it.
                if self.nodes[node].life == life {
                    self.boot(node);
                }
            }
            Event::StoreUp => self.store_up(),
            Event::Snapshot => {
                self.snapshots.push_back((self.now, self.store.clone()));
                if self.snapshots.len() > 4 {
                    self.snapshots.pop_front();
                }
            }
        }
    }

    /// Faults are over: everything that was written is seen everywhere, everybody has a lease, and nothing is under way.
    pub(crate) fn look(&mut self) {
        self.checker.settled();
        for node in 0..self.nodes.len() {
            self.nodes[node].hits = 0;
        }
        self.plan.mix.reading.clear();
        self.is_looking = true;
        // The last rare one is over.
        self.run_until(self.now + 20 * self.plan.mix.reads_gap_us);
        self.run_until(self.now + LEASE);
        for node in 0..self.nodes.len() {
            let state = &self.nodes[node];
            let is_leased = state.versions.is_leased(self.clock(node));
            let (alive, hits, waiting) = (state.alive, state.hits, state.actions);
            if !alive || !is_leased || waiting > 0 || hits == 0 {
                let what = format!(
                    "node {node}: alive {alive}, leased {is_leased}, {waiting} actions wait, {hits} hits"
                );
                self.checker.broken("liveness", what);
            }
        }
    }
}
