//! What happens in a run: who reads and acts how often, and what breaks, decided by the seed.

use std::ops::Range;

use callboard_cluster::cache::Connection;
use rand::{RngExt as _, SeedableRng, rngs::SmallRng};

use crate::world::{LEASE, MS};

/// Something that breaks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// A process dies, and another takes its place.
    Kill { node: usize, down_us: u64 },
    /// The same in order.
    Leave { node: usize, down_us: u64 },
    /// A node does nothing, its clock goes on, and then all that it missed comes at once.
    Pause { node: usize, for_us: u64 },
    /// What is on its way waits, in one direction or both.
    Cut { node: usize, up: bool, down: bool, for_us: u64 },
    /// Everything takes longer.
    Slow { node: usize, up_us: u64, down_us: u64, for_us: u64 },
    /// Nothing that is pushed arrives.
    Deaf { node: usize, for_us: u64 },
    /// A connection breaks, and both ends are told.
    Reset { node: usize, connection: Connection },
    /// A connection breaks, and nobody is told.
    Dead { node: usize, connection: Connection },
    /// The store is started again, without what it was told last.
    Restart { lost_us: u64, down_us: u64 },
    /// The store forgets everything, and nobody is told.
    Flush,
    /// The store forgets all entries but the last.
    Trim { keep: usize },
}

impl Fault {
    /// What it is called where faults are counted.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill",
            Self::Leave { .. } => "leave",
            Self::Pause { .. } => "pause",
            Self::Cut { up: true, down: true, .. } => "cut both ways",
            Self::Cut { .. } => "cut one way",
            Self::Slow { .. } => "slow",
            Self::Deaf { .. } => "deaf",
            Self::Reset { connection: Connection::Commands, .. } => "reset of commands",
            Self::Reset { connection: Connection::Pushes, .. } => "reset of pushes",
            Self::Dead { .. } => "dead connection",
            Self::Restart { lost_us: 0, .. } => "restart of the store",
            Self::Restart { .. } => "restart with loss",
            Self::Flush => "flush",
            Self::Trim { .. } => "trim",
        }
    }

    /// All names, for whoever asserts that each happened.
    pub(crate) const NAMES: [&'static str; 14] = [
        "kill",
        "leave",
        "pause",
        "cut both ways",
        "cut one way",
        "slow",
        "deaf",
        "reset of commands",
        "reset of pushes",
        "dead connection",
        "restart of the store",
        "restart with loss",
        "flush",
        "trim",
    ];
}

/// Once, at the earliest at an instant: when the store executes a command of a node, faults follow.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    pub(crate) after: u64,
    pub(crate) on: On,
    /// What follows, and how long after.
    pub(crate) then: Vec<(u64, Fault)>,
}

/// A command that is executed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum On {
    Renew { node: usize },
    Publish { node: usize },
    Reap,
}

/// Who reads and acts, how often, and in which way.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    /// Mean pause between bursts of reads.
    pub(crate) reads_gap_us: u64,
    /// Most reads of a burst.
    pub(crate) burst_max: u32,
    /// Mean pause between actions.
    pub(crate) actions_gap_us: u64,
    /// How many of a hundred actions wait in each way; the others wait for nothing.
    pub(crate) strict: u32,
    pub(crate) session: u32,
    /// How many actions mark softly.
    pub(crate) soft: f64,
    /// How many reads and actions are those of a client with a token.
    pub(crate) with_token: f64,
    pub(crate) renders_us: Range<u64>,
    /// How long after it wrote an action ends.
    pub(crate) settles_us: Range<u64>,
    /// How often a request is held up between its arrival and its look into the cache.
    pub(crate) held_up: f64,
    /// Whether actions mark what their node declared.
    pub(crate) declared: bool,
    /// Nodes that actions run on; all where none is named.
    pub(crate) acting: Vec<usize>,
    /// Nodes that are read from; all where none is named.
    pub(crate) reading: Vec<usize>,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            reads_gap_us: 60,
            burst_max: 8,
            actions_gap_us: 800,
            strict: 60,
            session: 20,
            soft: 0.15,
            with_token: 0.2,
            renders_us: 100..3 * MS,
            settles_us: 10..300,
            held_up: 0.02,
            declared: false,
            acting: Vec::new(),
            reading: Vec::new(),
        }
    }
}

/// Everything that is decided before a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How fast each node's clock goes.
    pub(crate) rates: Vec<f64>,
    pub(crate) mix: Mix,
    pub(crate) faults: Vec<(u64, Fault)>,
    pub(crate) triggers: Vec<Trigger>,
    /// How much of what is pushed is lost.
    pub(crate) push_loss: f64,
    /// How often a message takes much longer than others.
    pub(crate) slow: f64,
    /// Node 0 is of a version that cannot read every eighth entry.
    pub(crate) unreadable: bool,
    /// Most marks that a node remembers while they cannot be published.
    pub(crate) outbox_marks_max: usize,
    /// Nodes leave while actions run on them.
    pub(crate) hasty: bool,
    /// When faults and actions end.
    pub(crate) ends_at: u64,
}

/// Most that a clock gains or loses: with the margin of the settings two of them are just covered.
const DRIFT: f64 = 0.014;

/// When everybody has a lease.
pub(crate) const START: u64 = 40 * MS;

impl Plan {
    /// Clocks of all rates, and nothing breaks.
    pub(crate) fn calm(seed: u64, nodes: usize, for_us: u64, mix: Mix) -> Self {
        let mut random = SmallRng::seed_from_u64(seed ^ 0x9e37_79b9);
        let rate = |_| 1.0 + random.random_range(-DRIFT..DRIFT);
        Self {
            rates: (0..nodes).map(rate).collect(),
            mix,
            faults: Vec::new(),
            triggers: Vec::new(),
            push_loss: 0.0,
            slow: 0.01,
            unreadable: false,
            outbox_marks_max: 1 << 16,
            hasty: false,
            ends_at: START + for_us,
        }
    }

    pub(crate) fn fault(&mut self, at: u64, fault: Fault) {
        self.faults.push((at, fault));
    }

    /// The slowest and the fastest clock that are allowed.
    pub(crate) fn drift(mut self, node: usize, sign: f64) -> Self {
        self.rates[node] = 1.0 + sign * DRIFT;
        self
    }
}

/// The plan of a seed.
pub(crate) fn plan(seed: u64) -> Plan {
    let mut random = SmallRng::seed_from_u64(seed);
    let mix = Mix {
        actions_gap_us: [400, 800, 2000][random.random_range(0..3)],
        reads_gap_us: [40, 60, 120][random.random_range(0..3)],
        renders_us: 100..[1, 3, 8][random.random_range(0..3)] * MS,
        ..Mix::default()
    };
    let nodes = random.random_range(4..=6);
    let mut plan = Plan::calm(seed, nodes, 2000 * MS, mix);
    plan.push_loss = random.random_range(-0.1_f64..0.5).max(0.0);
    plan.slow = [0.0, 0.01, 0.05][random.random_range(0..3)];
    plan.unreadable = random.random_bool(0.1);
    plan.outbox_marks_max = [16, 1 << 16][random.random_range(0..2)];
    plan.hasty = random.random_bool(0.5);
    let gap = [10..40 * MS, 10 * MS..70 * MS, 40 * MS..200 * MS][random.random_range(0..3)].clone();
    let mut at = START;
    loop {
        at += random.random_range(gap.clone());
        let fault = any_fault(&mut random, nodes);
        if at + longest(&fault) >= plan.ends_at {
            break;
        }
        plan.fault(at, fault);
    }
    plan
}

fn longest(fault: &Fault) -> u64 {
    match fault {
        Fault::Kill { down_us, .. } | Fault::Leave { down_us, .. } | Fault::Restart { down_us, .. } => {
            *down_us
        }
        Fault::Pause { for_us, .. }
        | Fault::Cut { for_us, .. }
        | Fault::Deaf { for_us, .. }
        | Fault::Slow { for_us, .. } => *for_us,
        Fault::Reset { .. } | Fault::Dead { .. } | Fault::Flush | Fault::Trim { .. } => 0,
    }
}

fn any_fault(random: &mut SmallRng, nodes: usize) -> Fault {
    let node = random.random_range(0..nodes);
    let for_us = random.random_range(LEASE / 2..4 * LEASE);
    let connection = [Connection::Commands, Connection::Pushes][random.random_range(0..2)];
    match random.random_range(0..24) {
        0..4 => Fault::Pause { node, for_us },
        4..7 => {
            let (up, down) = [(true, true), (true, false), (false, true)][random.random_range(0..3)];
            Fault::Cut { node, up, down, for_us }
        }
        7 => Fault::Slow {
            node,
            up_us: random.random_range(0..5 * MS),
            down_us: random.random_range(0..5 * MS),
            for_us,
        },
        8 | 9 => Fault::Deaf { node, for_us },
        10 | 11 => Fault::Kill { node, down_us: random.random_range(0..3 * LEASE) },
        12 => Fault::Leave { node, down_us: random.random_range(LEASE / 2..3 * LEASE) },
        13 | 14 => Fault::Reset { node, connection },
        15 => Fault::Dead { node, connection },
        16..20 => {
            let lost_us = if random.random_bool(0.4) { 0 } else { random.random_range(1..2 * LEASE) };
            let down_us = if random.random_bool(0.6) {
                random.random_range(0..LEASE / 2)
            } else {
                random.random_range(LEASE / 2..2 * LEASE)
            };
            Fault::Restart { lost_us, down_us }
        }
        20 => Fault::Flush,
        _ => Fault::Trim { keep: random.random_range(0..=3) },
    }
}
