//! What happens in a run: calls and faults, decided by the seed.

use std::{collections::HashMap, ops::Range};

use callboard_cluster::{Slot, core::Connection};
use callboard_protocol::{
    ActionId,
    action::CallId,
    action_id::InfoByte,
    envelope::{Direction, Idempotency, TransferId},
};
use rand::{RngExt as _, SeedableRng, rngs::SmallRng};

use crate::world::MS;

/// One client's call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) at: u64,
    /// Which node it goes to; any that lives where none is named.
    pub(crate) node: Option<usize>,
    pub(crate) action: ActionId,
    pub(crate) slot: Slot,
    pub(crate) key: Option<String>,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) kind: Kind,
    pub(crate) timeout_us: u64,
    pub(crate) runs_us: Range<u64>,
    pub(crate) gone_after_us: Option<u64>,
}

impl Call {
    /// The tag that its action declares.
    pub(crate) fn tag(&self) -> String {
        format!("{:x}", self.id.as_u128())
    }
}

/// What its action does.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an ability of its own")]
pub(crate) struct Kind {
    pub(crate) idempotent: bool,
    pub(crate) fails: bool,
    pub(crate) revalidates: bool,
    pub(crate) chunks_in: u64,
    pub(crate) chunks_out: u64,
    /// Its streams break off instead of ending.
    pub(crate) breaks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Restart {
    WithData,
    MinusLast { back_us: u64 },
    Empty,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    Kill {
        node: usize,
        down_us: u64,
    },
    Pause {
        node: usize,
        for_us: u64,
    },
    Cut {
        node: usize,
        for_us: u64,
    },
    Reset {
        node: usize,
        connection: Connection,
    },
    Drain {
        node: usize,
        down_us: u64,
    },
    Redis {
        restart: Restart,
        down_us: u64,
    },
    /// Redis forgets everything, and goes on; nobody is told.
    Flush,
    /// A replica becomes the master. The old one goes on serving for a while, to whoever is still connected and to
    /// these nodes.
    Failover {
        back_us: u64,
        old_lives_us: u64,
        stale: Vec<usize>,
    },
    /// Nothing arrives any more on one connection, and nobody says so.
    Dead {
        node: usize,
        connection: Connection,
    },
    /// One connection breaks, and cannot be made again for a while.
    Bar {
        node: usize,
        connection: Connection,
        for_us: u64,
    },
    /// Everything takes longer on its way to the store and back.
    Slow {
        node: usize,
        up_us: u64,
        down_us: u64,
        for_us: u64,
    },
}

/// When a node does something, faults follow: once, and at the earliest at an instant.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    pub(crate) after: u64,
    pub(crate) on: On,
    /// What follows, and how long after the command was executed.
    pub(crate) then: Vec<(u64, Fault)>,
}

/// What a node does: its command was executed, and the answer is not on its way yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum On {
    /// It fenced another; that one dies for a while.
    Fence,
    /// It renewed its lease.
    Renew { node: usize },
    /// It sent calls to another node.
    Send { node: usize, to: usize },
}

#[derive(Clone, Debug)]
pub(crate) struct PlannedFault {
    pub(crate) at: u64,
    pub(crate) fault: Fault,
}

/// Everything that is decided before a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) calls: Vec<Call>,
    pub(crate) faults: Vec<PlannedFault>,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) lined: Vec<ActionId>,
    pub(crate) inbox_frames_max: usize,
    /// How many calls a node takes in at once.
    pub(crate) permits_max: usize,
    /// When the store refuses commands.
    pub(crate) refusals: Vec<(u64, u64)>,
    /// Whether the store may come back without its last writes, so that copies of it are kept.
    pub(crate) loses_writes: bool,
    /// When calls and faults end.
    pub(crate) ends_at: u64,
    pub(crate) kinds: HashMap<CallId, Kind>,
}

impl Plan {
    pub(crate) fn fault(&mut self, at: u64, fault: Fault) {
        self.faults.push(PlannedFault { at, fault });
    }

    pub(crate) fn chunks_of(&self, transfer: TransferId) -> u64 {
        let kind = &self.kinds[&transfer.call];
        match transfer.direction {
            Direction::Arguments => kind.chunks_in,
            Direction::Outcome => kind.chunks_out,
        }
    }

    pub(crate) fn breaks(&self, transfer: TransferId) -> bool {
        self.kinds[&transfer.call].breaks
    }

    pub(crate) fn add(&mut self, call: Call) {
        self.kinds.insert(call.id, call.kind.clone());
        self.calls.push(call);
    }
}

pub(crate) fn action(name: &str) -> ActionId {
    ActionId::derive(b"simulation", name, InfoByte::ALL)
}

/// How the calls of a run are mixed.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    pub(crate) calls: u64,
    pub(crate) over_us: u64,
    pub(crate) keyed: f64,
    pub(crate) keys: u32,
    pub(crate) with_idempotency_key: f64,
    pub(crate) idempotent: f64,
    pub(crate) revalidating: f64,
    pub(crate) transferring: f64,
    pub(crate) leaving: f64,
    /// The node that all of them go to.
    pub(crate) node: Option<usize>,
    /// How many names there are for idempotency keys.
    pub(crate) names: u64,
    pub(crate) timeout_us: Range<u64>,
    pub(crate) runs_us: Range<u64>,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            calls: 500,
            over_us: 3000 * MS,
            keyed: 0.35,
            keys: 6,
            with_idempotency_key: 0.1,
            idempotent: 0.1,
            revalidating: 0.2,
            transferring: 0.06,
            leaving: 0.04,
            node: None,
            names: 50,
            timeout_us: 1500 * MS..4000 * MS,
            runs_us: 500..30 * MS,
        }
    }
}

impl Mix {
    pub(crate) fn plan(&self, seed: u64, nodes: usize) -> Plan {
        let mut random = SmallRng::seed_from_u64(seed ^ 0x9e37_79b9);
        let lined = vec![action("transfer"), action("serial")];
        let mut plan = Plan {
            nodes,
            calls: Vec::new(),
            faults: Vec::new(),
            triggers: Vec::new(),
            lined: lined.clone(),
            inbox_frames_max: 256,
            permits_max: 1024,
            refusals: Vec::new(),
            loses_writes: false,
            ends_at: 600 * MS + self.over_us,
            kinds: HashMap::new(),
        };
        for number in 0..self.calls {
            let at = START + random.random_range(0..self.over_us);
            let keyed = random.random_bool(self.keyed);
            let (action, key) = if keyed {
                let key = random.random_range(0..self.keys);
                if key == 0 {
                    (lined[1], Some(String::new()))
                } else {
                    (lined[0], Some(format!("key {key}")))
                }
            } else {
                (action(["echo", "add", "sleep"][random.random_range(0..3)]), None)
            };
            let slot =
                key.as_ref().map_or_else(|| Slot::of_action(&action), |key| Slot::of_key(&action, key));
            let idempotent = random.random_bool(self.idempotent);
            let kind = self.kind(&mut random, idempotent);
            // Calls that are one have one action, one body and one way to run.
            let idempotency = (random.random_bool(self.with_idempotency_key)
                && kind.chunks_in + kind.chunks_out == 0)
                .then(|| {
                    let name = random.random_range(0..self.names);
                    let key = hashed(&format!("{action:?} {key:?} {name}"));
                    let digest = if random.random_bool(0.03) { 2 } else { 1 };
                    Idempotency { key: u128::from(key), digest, retention_s: 86_400 }
                });
            let long = random.random_bool(0.04);
            let runs_us = if long { 100 * MS..700 * MS } else { self.runs_us.clone() };
            let short = random.random_bool(0.05);
            let timeout = if short { 5 * MS..300 * MS } else { self.timeout_us.clone() };
            plan.add(Call {
                id: CallId::from_u128(u128::from(seed) << 64 | u128::from(number + 1)),
                at,
                node: self.node,
                action,
                slot,
                key,
                idempotency,
                kind,
                timeout_us: random.random_range(timeout),
                runs_us,
                gone_after_us: random.random_bool(self.leaving).then(|| random.random_range(0..100 * MS)),
            });
        }
        plan.calls.sort_by_key(|call| call.at);
        plan
    }
}

impl Mix {
    fn kind(&self, random: &mut SmallRng, idempotent: bool) -> Kind {
        let transfers = random.random_bool(self.transferring);
        Kind {
            idempotent,
            fails: random.random_bool(0.05),
            revalidates: random.random_bool(self.revalidating),
            chunks_in: if transfers && random.random_bool(0.4) { random.random_range(1..24) } else { 0 },
            chunks_out: if transfers { random.random_range(0..24) } else { 0 },
            breaks: transfers && random.random_bool(0.2),
        }
    }
}

fn hashed(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// When the first call may come: a new cluster waits before it lets keyed calls run.
pub(crate) const START: u64 = 600 * MS;

/// A row of the table of failures in docs/CONSISTENCY.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weather {
    Calm,
    Kills,
    Pauses,
    Cuts,
    Resets,
    Drains,
    RedisRestarts,
    RedisLosesWrites,
    RedisEmpty,
    RedisFlushed,
    Failover,
    Refusals,
    Everything,
}

impl Weather {
    pub(crate) const ALL: [Self; 13] = [
        Self::Calm,
        Self::Kills,
        Self::Pauses,
        Self::Cuts,
        Self::Resets,
        Self::Drains,
        Self::RedisRestarts,
        Self::RedisLosesWrites,
        Self::RedisEmpty,
        Self::RedisFlushed,
        Self::Failover,
        Self::Refusals,
        Self::Everything,
    ];

    pub(crate) fn of(seed: u64) -> Self {
        Self::ALL[(seed % Self::ALL.len() as u64) as usize]
    }
}

/// The plan of a seed: its calls and its weather.
pub(crate) fn plan(seed: u64) -> Plan {
    weathered(seed, Weather::of(seed), &Mix::default())
}

pub(crate) fn weathered(seed: u64, weather: Weather, mix: &Mix) -> Plan {
    let mut random = SmallRng::seed_from_u64(seed);
    let nodes = random.random_range(3..=5);
    let mut plan = mix.plan(seed, nodes);
    let all = match weather {
        Weather::Everything => {
            vec![
                Weather::Kills,
                Weather::Pauses,
                Weather::Cuts,
                Weather::Resets,
                Weather::Drains,
                [Weather::RedisRestarts, Weather::RedisLosesWrites, Weather::Failover]
                    [random.random_range(0..3)],
            ]
        }
        one => vec![one],
    };
    for weather in all {
        let count = random.random_range(1..=3);
        for _ in 0..count {
            add_fault(&mut plan, &mut random, weather);
        }
    }
    plan
}

fn add_fault(plan: &mut Plan, random: &mut SmallRng, weather: Weather) {
    let at = random.random_range(START..plan.ends_at - 100 * MS);
    let node = random.random_range(0..plan.nodes);
    let moment = |random: &mut SmallRng| random.random_range(30 * MS..1500 * MS);
    let fault = match weather {
        Weather::Calm | Weather::Everything => return,
        Weather::Kills => Fault::Kill { node, down_us: moment(random) },
        Weather::Pauses => Fault::Pause { node, for_us: moment(random) },
        Weather::Cuts => Fault::Cut { node, for_us: moment(random) },
        Weather::Resets => {
            for _ in 0..6 {
                let at = random.random_range(START..plan.ends_at);
                let node = random.random_range(0..plan.nodes);
                let connection = [Connection::Commands, Connection::Requests, Connection::Replies]
                    [random.random_range(0..3)];
                plan.faults.push(PlannedFault { at, fault: Fault::Reset { node, connection } });
            }
            return;
        }
        Weather::Drains => Fault::Drain { node, down_us: random.random_range(1500 * MS..3000 * MS) },
        Weather::RedisRestarts => {
            Fault::Redis { restart: Restart::WithData, down_us: random.random_range(10 * MS..800 * MS) }
        }
        Weather::RedisLosesWrites => {
            plan.loses_writes = true;
            let back_us = random.random_range(50 * MS..500 * MS);
            let down_us = random.random_range(10 * MS..800 * MS);
            Fault::Redis { restart: Restart::MinusLast { back_us }, down_us }
        }
        Weather::RedisEmpty => {
            Fault::Redis { restart: Restart::Empty, down_us: random.random_range(10 * MS..800 * MS) }
        }
        Weather::RedisFlushed => Fault::Flush,
        Weather::Failover => {
            plan.loses_writes = true;
            // As long as a deposed primary may go on: `min-replicas-max-lag` and a second, at a quarter.
            let old_lives_us = random.random_range(0..350 * MS);
            Fault::Failover { back_us: random.random_range(0..300 * MS), old_lives_us, stale: Vec::new() }
        }
        Weather::Refusals => {
            plan.refusals.push((at, at + random.random_range(10 * MS..600 * MS)));
            return;
        }
    };
    plan.faults.push(PlannedFault { at, fault });
}
