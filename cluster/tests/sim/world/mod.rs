//! A cluster in one thread: nodes with clocks of their own, a store that may lose its memory, and connections that
//! break. Everything that happens is an event at an instant; the seed decides everything.

mod faults;
mod network;
mod nodes;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use callboard_cluster::{
    clock::Instant,
    core::{
        Connection, Core, Input, Publication, PublicationId, RequestId, RunId, SessionState, Settings, Start,
    },
    memory::Store,
    mutant::Mutants,
    store::{Answer, Command, Failure},
};
use callboard_protocol::{
    action::CallId,
    envelope::{Direction, TransferId},
    identity::{Incarnation, ProcessId, RedisMillis},
};
use rand::{RngExt as _, SeedableRng, rngs::SmallRng};

use crate::{
    checker::Checker,
    plan::{Call, Fault, Kind, Plan, Restart},
    schedule::Scheduled,
};

pub(crate) const MS: u64 = 1000;

/// Times at a quarter of the defaults: the ratios are what is checked.
pub(crate) fn settings() -> Settings {
    let quarter = |settings: std::time::Duration| settings / 4;
    let default = Settings::default();
    Settings {
        renew: quarter(default.renew),
        hold: quarter(default.hold),
        fence: quarter(default.fence),
        poll_gap: quarter(default.poll_gap),
        command_timeout: quarter(default.command_timeout),
        block: quarter(default.block),
        // The longest that an old primary goes on serving stands beside it in `plan`.
        failover_hold: quarter(default.failover_hold) + std::time::Duration::from_millis(400),
        retry: quarter(default.retry),
        reply_keep: quarter(default.reply_keep),
        transfer_gone: quarter(default.transfer_gone),
        idempotency_poll: quarter(default.idempotency_poll),
        ..default
    }
}

#[derive(Debug)]
enum Event {
    /// A connection attempt reaches the store.
    ConnectArrives {
        node: usize,
        life: u64,
        connection: Connection,
        epoch: u64,
    },
    /// A command reaches its server.
    Arrives {
        asker: Asker,
        server: usize,
        command: Box<Command>,
    },
    /// A read has waited long enough.
    ReadEnds {
        server: usize,
        waiter: u64,
    },
    /// Something reaches a node.
    Node {
        node: usize,
        life: u64,
        what: NodeEvent,
    },
    /// A client calls.
    Client(usize),
    /// A client goes away.
    ClientGone {
        node: usize,
        life: u64,
        call: CallId,
    },
    Fault(usize),
    Follows(Box<Fault>),
    /// A connection may be made again.
    Unbar {
        node: usize,
    },
    /// A node is as fast as before.
    Fast {
        node: usize,
    },
    Resume {
        node: usize,
    },
    Heal {
        node: usize,
    },
    Boot {
        node: usize,
        life: u64,
    },
    ServerUp {
        server: usize,
        restart: Restart,
    },
    OldServerDies {
        server: usize,
    },
    Snapshot,
}

#[derive(Debug)]
enum NodeEvent {
    Timer,
    /// Inputs that waited for each other are taken.
    Together,
    Connected {
        connection: Connection,
        epoch: u64,
        incarnation: Incarnation,
    },
    Refused {
        connection: Connection,
        epoch: u64,
    },
    Answered {
        connection: Connection,
        epoch: u64,
        request: RequestId,
        answer: Result<Answer, Failure>,
    },
    Starts(Box<Start>),
    Ends(RunId),
    Published(PublicationId, Publication),
    /// The application that writes a transfer has its next chunk.
    Writes(TransferId),
    /// The application that reads a transfer is done with a chunk.
    Reads(TransferId),
}

/// A connection as the network sees it.
#[derive(Clone, Debug, Default)]
struct Link {
    epoch: u64,
    open: bool,
    server: usize,
    /// Which memory the server had when the connection was made.
    memory: Option<Incarnation>,
    /// When the last message of each direction arrives: they do not overtake each other.
    last_up: u64,
    last_down: u64,
    /// Nothing arrives any more in either direction, although nobody knows.
    dead: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a misfortune of its own")]
pub(crate) struct Node {
    pub(crate) core: Core,
    pub(crate) process: ProcessId,
    /// Grows with each restart: what was meant for an earlier one is lost.
    life: u64,
    alive: bool,
    clock_offset: u64,
    clock_rate: f64,
    paused: bool,
    cut: bool,
    /// How much longer everything takes to the store and back.
    slow: (u64, u64),
    /// A connection that cannot be made.
    barred: Option<Connection>,
    /// It connects to the old master as long as that one lives.
    stale: bool,
    /// What came while it was paused.
    backlog: VecDeque<NodeEvent>,
    links: [Link; 3],
    timer_at: Option<u64>,
    /// Inputs that wait to be taken together.
    held: Vec<Input>,
    runs: HashMap<RunId, Running>,
    pub(crate) state: SessionState,
    drains: bool,
    writers: HashMap<TransferId, Writing>,
    readers: HashMap<TransferId, u64>,
}

#[derive(Debug)]
struct Running {
    call: CallId,
    kind: Kind,
}

/// An application that writes a transfer.
#[derive(Debug)]
struct Writing {
    room: u64,
    written: u64,
    total: u64,
    breaks: bool,
}

/// Who asked, and on which connection.
#[derive(Clone, Copy, Debug)]
struct Asker {
    node: usize,
    life: u64,
    connection: Connection,
    epoch: u64,
    request: RequestId,
}

/// A read that finds nothing yet.
struct Waiter {
    asker: Asker,
    command: Command,
}

struct Server {
    store: Store,
    up: bool,
    /// It was deposed.
    old: bool,
    waiters: BTreeMap<u64, Waiter>,
}

pub(crate) struct World {
    pub(crate) now: u64,
    random: SmallRng,
    number: u64,
    events: BinaryHeap<Reverse<Scheduled<Box<Event>>>>,
    pub(crate) nodes: Vec<Node>,
    servers: Vec<Server>,
    master: usize,
    snapshots: VecDeque<(u64, Store)>,
    incarnations: u64,
    processes: u128,
    settings: Arc<Settings>,
    pub(crate) plan: Plan,
    mutants: Mutants,
    pub(crate) checker: Checker,
    waiters: u64,
    calls: HashMap<CallId, Call>,
    log_position: u64,
    redis_skew_ms: u64,
}

const NAMESPACE: &str = "simulation";

impl World {
    pub(crate) fn new(seed: u64, plan: Plan, mutants: Mutants) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let settings = Arc::new(Settings { permits_max: plan.permits_max, ..settings() });
        let store = Store::new(Incarnation::named("i1"), plan.inbox_frames_max, mutants);
        let redis_skew_ms = if random.random_bool(0.2) { 86_400_000 } else { 1_000_000 };
        let mut world = Self {
            now: 0,
            random,
            number: 0,
            events: BinaryHeap::new(),
            nodes: Vec::new(),
            servers: vec![Server { store, up: true, old: false, waiters: BTreeMap::new() }],
            master: 0,
            snapshots: VecDeque::new(),
            incarnations: 1,
            processes: 0,
            settings,
            plan,
            mutants,
            checker: Checker::default(),
            waiters: 0,
            calls: HashMap::new(),
            log_position: 0,
            redis_skew_ms,
        };
        for node in 0..world.plan.nodes {
            let core = world.fresh_core();
            world.nodes.push(core);
            let at = world.random.random_range(0..20 * MS);
            world.schedule(at, Event::Boot { node, life: 0 });
        }
        for index in 0..world.plan.calls.len() {
            world.schedule(world.plan.calls[index].at, Event::Client(index));
        }
        for index in 0..world.plan.faults.len() {
            world.schedule(world.plan.faults[index].at, Event::Fault(index));
        }
        world.schedule(0, Event::Snapshot);
        world
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse(Scheduled {
            at: at.max(self.now),
            number: self.number,
            event: Box::new(event),
        }));
    }

    pub(crate) fn clock(&self, node: usize) -> Instant {
        let node = &self.nodes[node];
        Instant::from_micros(node.clock_offset + (self.now as f64 * node.clock_rate) as u64)
    }

    fn redis_time(&self) -> RedisMillis {
        RedisMillis::from_u64(self.now / MS + self.redis_skew_ms)
    }

    /// Runs until nothing is left to do of calls and everybody is a member again, or until an instant.
    pub(crate) fn settle_until(&mut self, until: u64) {
        while self.now < until && !self.is_settled() {
            self.run_until((self.now + 100 * MS).min(until));
        }
    }

    fn is_settled(&self) -> bool {
        let orphans = self.store().view().is_none_or(|view| !view.orphans.is_empty() || !view.open);
        let nodes = (0..self.nodes.len()).all(|node| {
            let state = &self.nodes[node];
            state.alive
                && !state.drains
                && !state.paused
                && !state.cut
                && state.state == SessionState::Serving
                && state.core.is_idle()
        });
        !orphans && nodes && self.store().view().is_some_and(|view| view.members.len() == self.nodes.len())
    }

    /// Runs until an instant.
    pub(crate) fn run_until(&mut self, until: u64) {
        while let Some(Reverse(next)) = self.events.peek()
            && next.at <= until
        {
            let Reverse(scheduled) = self.events.pop().expect("just seen");
            self.now = scheduled.at;
            self.handle(*scheduled.event);
        }
        self.now = until;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Boot { node, life } => {
                // Several faults may have asked for it.
                if self.nodes[node].life == life {
                    self.boot(node);
                }
            }
            Event::ConnectArrives { node, life, connection, epoch } => {
                self.connect_arrives(node, life, connection, epoch);
            }
            Event::Arrives { asker, server, command } => self.command_arrives(asker, server, *command),
            Event::ReadEnds { server, waiter } => {
                if let Some(waiter) = self.servers[server].waiters.remove(&waiter) {
                    self.answer(waiter.asker, Ok(Answer::Frames(Vec::new())));
                }
            }
            Event::Node { node, life, what } => {
                if self.nodes[node].life == life && self.nodes[node].alive {
                    if self.nodes[node].paused {
                        self.nodes[node].backlog.push_back(what);
                    } else {
                        self.node_event(node, what);
                    }
                }
            }
            Event::Client(index) => self.client_calls(index),
            Event::ClientGone { node, life, call } => {
                if self.nodes[node].life == life && self.nodes[node].alive && !self.nodes[node].paused {
                    self.checker.client_gone(call);
                    self.step(node, Input::Cancel(call));
                }
            }
            Event::Fault(index) => {
                let fault = self.plan.faults[index].fault.clone();
                self.fault(fault);
            }
            Event::Follows(fault) => self.fault(*fault),
            Event::Unbar { node } => self.nodes[node].barred = None,
            Event::Fast { node } => self.nodes[node].slow = (0, 0),
            Event::Resume { node } => {
                self.nodes[node].paused = false;
                let backlog = std::mem::take(&mut self.nodes[node].backlog);
                for what in backlog {
                    if self.nodes[node].alive && !self.nodes[node].paused {
                        self.node_event(node, what);
                    }
                }
            }
            Event::Heal { node } => self.nodes[node].cut = false,
            Event::ServerUp { server, restart } => self.server_up(server, restart),
            Event::OldServerDies { server } => self.server_down(server),
            Event::Snapshot => {
                if self.servers[self.master].up {
                    let copy = self.servers[self.master].store.clone();
                    self.snapshots.push_back((self.now, copy));
                    if self.snapshots.len() > 12 {
                        self.snapshots.pop_front();
                    }
                }
                if self.plan.loses_writes && self.now < self.plan.ends_at {
                    self.schedule(self.now + 50 * MS, Event::Snapshot);
                }
            }
        }
    }

    /// The store that counts.
    pub(crate) fn store(&self) -> &Store {
        &self.servers[self.master].store
    }

    pub(crate) fn alive(&self, node: usize) -> bool {
        self.nodes[node].alive && !self.nodes[node].drains
    }
}

/// What a call's arguments and outcome are: its own name, so that none can be taken for another's.
pub(crate) fn outcome_of(call: CallId) -> Bytes {
    Bytes::copy_from_slice(&call.as_u128().to_le_bytes())
}

/// What stands in a chunk of a transfer.
pub(crate) fn chunk_of(transfer: TransferId, number: u64) -> Bytes {
    let direction = u8::from(transfer.direction == Direction::Outcome);
    Bytes::from(format!("{:x}.{}.{direction}.{number}", transfer.call.as_u128(), transfer.attempt))
}
