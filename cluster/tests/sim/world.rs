//! A cluster in one thread: nodes with clocks of their own, a store that may lose its memory, and connections that
//! break. Everything that happens is an event at an instant; the seed decides everything.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use callboard_cluster::{
    clock::Instant,
    core::{
        Answered, Connection, Core, Ended, Input, Output, Publication, PublicationId, RequestId, RunId,
        SessionState, Settings, Start, Submission,
    },
    memory::Store,
    mutant::Mutants,
    store::{Answer, Command, Failure, Profile, Sent, Stream},
};
use callboard_protocol::{
    action::CallId,
    envelope::{Answer as CallAnswer, Direction, Namespace, TransferEnd, TransferId},
    identity::{Incarnation, ProcessId, RedisMillis},
    revalidation::LogPosition,
};
use rand::{RngExt as _, SeedableRng, rngs::SmallRng};

use crate::{
    checker::Checker,
    plan::{Call, Fault, Kind, On, Plan, Restart},
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
    ConnectArrives { node: usize, life: u64, connection: Connection, epoch: u64 },
    /// A command reaches its server.
    Arrives { node: usize, life: u64, connection: Connection, epoch: u64, server: usize, request: RequestId, command: Box<Command> },
    /// A read has waited long enough.
    ReadEnds { server: usize, waiter: u64 },
    /// Something reaches a node.
    Node { node: usize, life: u64, what: NodeEvent },
    /// A client calls.
    Client(usize),
    /// A client goes away.
    ClientGone { node: usize, life: u64, call: CallId },
    Fault(usize),
    Follows(Box<Fault>),
    /// A connection may be made again.
    Unbar { node: usize },
    /// A node is as fast as before.
    Fast { node: usize },
    Resume { node: usize },
    Heal { node: usize },
    Boot { node: usize, life: u64 },
    ServerUp { server: usize, restart: Restart },
    OldServerDies { server: usize },
    Snapshot,
}

#[derive(Debug)]
enum NodeEvent {
    Timer,
    Connected { connection: Connection, epoch: u64, incarnation: Incarnation },
    Refused { connection: Connection, epoch: u64 },
    Answered { connection: Connection, epoch: u64, request: RequestId, answer: Result<Answer, Failure> },
    Starts(Box<Start>),
    Ends(RunId),
    Published(PublicationId, Publication),
    /// The application that writes a transfer has its next chunk.
    Writes(TransferId),
    /// The application that reads a transfer is done with a chunk.
    Reads(TransferId),
}

struct Scheduled {
    at: u64,
    number: u64,
    event: Box<Event>,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// A connection as the network sees it.
#[derive(Clone, Debug, Default)]
struct Link {
    epoch: u64,
    open: bool,
    server: usize,
    /// When the last message of each direction arrives: they do not overtake each other.
    last_up: u64,
    last_down: u64,
    /// Nothing arrives any more in either direction, although nobody knows.
    dead: bool,
}

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

struct Waiter {
    node: usize,
    life: u64,
    connection: Connection,
    epoch: u64,
    request: RequestId,
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
    events: BinaryHeap<Reverse<Scheduled>>,
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
    trace: bool,
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
            trace: std::env::var_os("SIMULATE_TRACE").is_some(),
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

    fn fresh_core(&mut self) -> Node {
        self.processes += 1;
        let process = ProcessId::from_u128(self.processes << 64 | u128::from(self.random.random::<u64>()));
        let profile = Profile {
            build: 1,
            lined: self.plan.lined.iter().map(callboard_cluster::placement::lined_action).collect(),
            ..Profile::default()
        };
        let core =
            Core::new(process, Namespace::named(NAMESPACE), profile, Arc::clone(&self.settings), self.mutants);
        Node {
            core,
            process,
            life: 0,
            alive: false,
            clock_offset: self.random.random_range(0..1_000_000_000),
            clock_rate: self.random.random_range(0.99..1.01),
            paused: false,
            cut: false,
            slow: (0, 0),
            barred: None,
            stale: false,
            backlog: VecDeque::new(),
            links: Default::default(),
            timer_at: None,
            runs: HashMap::new(),
            state: SessionState::Away,
            drains: false,
            writers: HashMap::new(),
            readers: HashMap::new(),
        }
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse(Scheduled { at: at.max(self.now), number: self.number, event: Box::new(event) }));
    }

    fn latency(&mut self) -> u64 {
        let slow = self.random.random_bool(0.02);
        self.random.random_range(60..400) + if slow { self.random.random_range(0..5 * MS) } else { 0 }
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
            state.alive && !state.drains && state.state == SessionState::Serving && state.core.is_idle()
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
            Event::Arrives { node, life, connection, epoch, server, request, command } => {
                self.command_arrives(node, life, connection, epoch, server, request, *command);
            }
            Event::ReadEnds { server, waiter } => {
                if let Some(waiter) = self.servers[server].waiters.remove(&waiter) {
                    self.answer(
                        waiter.node,
                        waiter.life,
                        waiter.connection,
                        waiter.epoch,
                        waiter.request,
                        Ok(Answer::Frames(Vec::new())),
                    );
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

    fn boot(&mut self, node: usize) {
        if self.nodes[node].state != SessionState::Left {
            self.kill(node);
        }
        let life = self.nodes[node].life + 1;
        let mut fresh = self.fresh_core();
        fresh.life = life;
        fresh.alive = true;
        fresh.cut = self.nodes[node].cut;
        fresh.slow = self.nodes[node].slow;
        fresh.stale = self.nodes[node].stale;
        for (link, old) in fresh.links.iter_mut().zip(&self.nodes[node].links) {
            link.epoch = old.epoch;
        }
        self.checker.process_started(fresh.process);
        self.nodes[node] = fresh;
        self.step(node, Input::Tick);
    }

    fn kill(&mut self, node: usize) {
        if !self.nodes[node].alive {
            return;
        }
        self.nodes[node].alive = false;
        self.nodes[node].paused = false;
        self.nodes[node].backlog.clear();
        self.nodes[node].state = SessionState::Away;
        let process = self.nodes[node].process;
        self.checker.process_died(process, self.now);
        for link in 0..3 {
            self.nodes[node].links[link].open = false;
        }
        let servers = self.servers.len();
        for server in 0..servers {
            self.servers[server].waiters.retain(|_, waiter| waiter.node != node);
        }
    }

    // --- Connections ---------------------------------------------------------------------------------------------------

    fn connect(&mut self, node: usize, connection: Connection) {
        let arrives = self.now + self.latency();
        let link = &mut self.nodes[node].links[connection as usize];
        link.epoch += 1;
        link.open = false;
        link.dead = false;
        let (epoch, life) = (link.epoch, self.nodes[node].life);
        self.schedule(arrives, Event::ConnectArrives { node, life, connection, epoch });
    }

    fn connect_arrives(&mut self, node: usize, life: u64, connection: Connection, epoch: u64) {
        if self.nodes[node].life != life || self.nodes[node].links[connection as usize].epoch != epoch {
            return;
        }
        let old = self.nodes[node].stale.then(|| self.servers.iter().rposition(|server| server.old && server.up));
        let server = old.flatten().unwrap_or(self.master);
        let back = self.now + self.latency();
        let barred = self.nodes[node].barred == Some(connection);
        let possible = self.servers[server].up && !self.nodes[node].cut && !barred;
        let what = if possible {
            let link = &mut self.nodes[node].links[connection as usize];
            *link = Link { epoch, open: true, server, last_up: self.now, last_down: back, dead: false };
            let incarnation = self.servers[server].store.incarnation().clone();
            NodeEvent::Connected { connection, epoch, incarnation }
        } else {
            NodeEvent::Refused { connection, epoch }
        };
        self.schedule(back, Event::Node { node, life, what });
    }

    /// The network breaks a connection: of what is on its way, a part arrives and the rest does not.
    fn reset(&mut self, node: usize, connection: Connection) {
        let link = &mut self.nodes[node].links[connection as usize];
        if !link.open {
            return;
        }
        link.open = false;
        link.dead = self.random.random_bool(0.5);
        let epoch = link.epoch;
        let life = self.nodes[node].life;
        let at = self.now + self.latency();
        self.schedule(at, Event::Node { node, life, what: NodeEvent::Refused { connection, epoch } });
    }

    fn perform(&mut self, node: usize, request: RequestId, connection: Connection, command: Command) {
        let latency = self.latency() + self.nodes[node].slow.0;
        let cut = self.nodes[node].cut;
        let link = &mut self.nodes[node].links[connection as usize];
        if !link.open || link.dead {
            return;
        }
        if cut {
            // Nothing arrives while the node is cut off; the connection is as good as dead.
            link.dead = true;
            return;
        }
        let arrives = (self.now + latency).max(link.last_up + 1);
        link.last_up = arrives;
        let (epoch, server, life) = (link.epoch, link.server, self.nodes[node].life);
        let command = Box::new(command);
        self.schedule(arrives, Event::Arrives { node, life, connection, epoch, server, request, command });
    }

    #[expect(clippy::too_many_arguments, reason = "an event's fields")]
    fn command_arrives(
        &mut self,
        node: usize,
        life: u64,
        connection: Connection,
        epoch: u64,
        server: usize,
        request: RequestId,
        command: Command,
    ) {
        if !self.servers[server].up {
            return;
        }
        let link = &self.nodes[node].links[connection as usize];
        let current = self.nodes[node].life == life && link.epoch == epoch;
        if current && link.dead {
            return;
        }
        // What a dead process or a closed connection had sent may still come in; its reads find nobody.
        let reads = matches!(command, Command::ReadRequests { .. } | Command::ReadReplies { .. });
        if !current && reads && self.random.random_bool(0.8) {
            return;
        }
        if let Some(refusal) = self.refuses() {
            return self.answer(node, life, connection, epoch, request, Err(Failure::Refused(refusal)));
        }
        let time = self.redis_time();
        if self.trace && matches!(command, Command::Leave { .. } | Command::Drain { .. } | Command::Orphan { .. } | Command::OrphanDone { .. } | Command::Evict { .. } | Command::Fence { .. } | Command::Join { .. }) {
            println!("{:9} node {node} server {server} {command:?}", self.now);
        }
        let before = self.checker.before(&self.servers[server].store, &command);
        let answer = self.servers[server].store.execute(time, &command);
        if self.trace && let Some(Answer::Orphan(Some(orphan))) = &answer {
            println!("   claimed {:?} undelivered {:?} replies {:?}", orphan.claimed.iter().map(|e| e.0).collect::<Vec<_>>(), orphan.undelivered.iter().map(|e|e.0).collect::<Vec<_>>(), orphan.replies.len());
        }
        match answer {
            Some(answer) => {
                let store = &self.servers[server].store;
                self.checker.executed(self.now, store, &command, &answer, before);
                self.wake_readers(server, &command);
                self.trigger(node, &command, &answer);
                self.answer(node, life, connection, epoch, request, Ok(answer));
            }
            None => {
                self.waiters += 1;
                let waiter = self.waiters;
                self.servers[server]
                    .waiters
                    .insert(waiter, Waiter { node, life, connection, epoch, request, command });
                let block = self.settings.block.as_micros() as u64;
                self.schedule(self.now + block, Event::ReadEnds { server, waiter });
            }
        }
    }

    /// Lets follow what is to follow a command of a node.
    fn trigger(&mut self, node: usize, command: &Command, answer: &Answer) {
        let on = match (command, answer) {
            (Command::Fence { .. }, Answer::Fencing(true) | Answer::Orphan(_)) => On::Fence,
            (Command::Renew { .. }, Answer::Renewed(_)) => On::Renew { node },
            (Command::Send { to, stream: Stream::Requests, .. }, Answer::Sent(Sent::Now)) => {
                let to = self.nodes.iter().position(|node| node.process == to.process);
                let Some(to) = to else { return };
                On::Send { node, to }
            }
            _ => return,
        };
        let Some(at) = self.plan.triggers.iter().position(|one| one.on == on && one.after <= self.now) else {
            return;
        };
        let trigger = self.plan.triggers.remove(at);
        if on == On::Fence {
            self.checker.fault(&Fault::Kill { node, down_us: 0 });
            self.kill(node);
            let life = self.nodes[node].life;
            self.schedule(self.now + 2000 * MS, Event::Boot { node, life });
        }
        for (after, fault) in trigger.then {
            if after == 0 {
                self.fault(fault);
            } else {
                self.schedule(self.now + after, Event::Follows(Box::new(fault)));
            }
        }
    }

    fn refuses(&mut self) -> Option<String> {
        let refusing = self.plan.refusals.iter().any(|(from, until)| (*from..*until).contains(&self.now));
        (refusing && self.random.random_bool(0.7)).then(|| "OOM command not allowed".to_owned())
    }

    fn wake_readers(&mut self, server: usize, command: &Command) {
        let boot = match command {
            Command::Send { to, .. } => *to,
            Command::Fence { boot, .. } | Command::Leave { boot } | Command::Orphan { boot } => *boot,
            _ => return,
        };
        let waiting: Vec<u64> = self.servers[server]
            .waiters
            .iter()
            .filter(|(_, waiter)| match &waiter.command {
                Command::ReadRequests { boot: reader, .. } => *reader == boot,
                // A plain read is not woken by a rename.
                Command::ReadReplies { boot: reader, .. } => {
                    *reader == boot && matches!(command, Command::Send { .. })
                }
                _ => false,
            })
            .map(|(id, _)| *id)
            .collect();
        let time = self.redis_time();
        for id in waiting {
            let command = self.servers[server].waiters[&id].command.clone();
            if let Some(answer) = self.servers[server].store.execute(time, &command) {
                let waiter = self.servers[server].waiters.remove(&id).expect("just seen");
                self.answer(waiter.node, waiter.life, waiter.connection, waiter.epoch, waiter.request, Ok(answer));
            }
        }
    }

    fn answer(
        &mut self,
        node: usize,
        life: u64,
        connection: Connection,
        epoch: u64,
        request: RequestId,
        answer: Result<Answer, Failure>,
    ) {
        let latency = self.latency() + self.nodes[node].slow.1;
        let node_state = &mut self.nodes[node];
        let cut = node_state.cut;
        let link = &mut node_state.links[connection as usize];
        if node_state.life != life || link.epoch != epoch || !link.open || link.dead {
            return;
        }
        if cut {
            link.dead = true;
            return;
        }
        let arrives = (self.now + latency).max(link.last_down + 1);
        link.last_down = arrives;
        self.schedule(
            arrives,
            Event::Node { node, life, what: NodeEvent::Answered { connection, epoch, request, answer } },
        );
    }

    // --- Nodes -----------------------------------------------------------------------------------------------------------

    fn node_event(&mut self, node: usize, what: NodeEvent) {
        match what {
            NodeEvent::Timer => {
                self.nodes[node].timer_at = None;
                self.step(node, Input::Tick);
            }
            NodeEvent::Connected { connection, epoch, incarnation } => {
                if self.nodes[node].links[connection as usize].epoch == epoch {
                    self.step(node, Input::Connected(connection, incarnation));
                }
            }
            NodeEvent::Refused { connection, epoch } => {
                if self.nodes[node].links[connection as usize].epoch == epoch {
                    self.nodes[node].links[connection as usize].open = false;
                    self.step(node, Input::Disconnected(connection));
                }
            }
            NodeEvent::Answered { connection, epoch, request, answer } => {
                if self.nodes[node].links[connection as usize].epoch == epoch {
                    let process = self.nodes[node].process;
                    self.checker.heard(process, &answer);
                    self.step(node, Input::Answered(request, answer));
                }
            }
            NodeEvent::Starts(start) => self.starts(node, *start),
            NodeEvent::Ends(run) => self.run_ends(node, run),
            NodeEvent::Published(publication, what) => {
                let process = self.nodes[node].process;
                let runs: Option<CallId> = match &what {
                    Publication::Of(run) => self.checker.call_of(process, *run),
                    Publication::Declared(_) => None,
                };
                self.log_position += 1;
                self.checker.published(runs, &what);
                self.step(node, Input::Published(publication, Some(LogPosition::from_u64(self.log_position))));
            }
            NodeEvent::Writes(transfer) => self.writes(node, transfer),
            NodeEvent::Reads(transfer) => {
                if let Some(unread) = self.nodes[node].readers.get_mut(&transfer)
                    && *unread > 0
                {
                    *unread -= 1;
                    self.step(node, Input::Taken(transfer, 1));
                }
            }
        }
    }

    fn later(&mut self, node: usize, after: u64, what: NodeEvent) {
        let life = self.nodes[node].life;
        self.schedule(self.now + after, Event::Node { node, life, what });
    }

    fn step(&mut self, node: usize, input: Input) {
        let now = self.clock(node);
        let outputs = self.nodes[node].core.step(now, input);
        for output in outputs {
            self.output(node, output);
        }
        self.set_timer(node);
    }

    fn set_timer(&mut self, node: usize) {
        let Some(at) = self.nodes[node].core.next_timer() else { return };
        let state = &self.nodes[node];
        let wait = at.since(self.clock(node)).as_micros() as f64 / state.clock_rate;
        let at = self.now + wait as u64 + 2;
        if state.timer_at.is_none_or(|set| at < set) {
            self.nodes[node].timer_at = Some(at);
            let life = self.nodes[node].life;
            self.schedule(at, Event::Node { node, life, what: NodeEvent::Timer });
        }
    }

    fn output(&mut self, node: usize, output: Output) {
        match output {
            Output::Connect(connection) => self.connect(node, connection),
            Output::Disconnect(connection) => {
                let link = &mut self.nodes[node].links[connection as usize];
                link.open = false;
                // Whatever was sent may still be executed: `command_arrives` sees another epoch then.
                link.epoch += 1;
            }
            Output::Perform(request, connection, command) => self.perform(node, request, connection, command),
            Output::Start(start) => {
                let process = self.nodes[node].process;
                self.checker.start_decided(process, start.call, start.attempt);
                // From the decision to the action's first line some time passes.
                let wait = if self.random.random_bool(0.1) { self.random.random_range(0..2 * MS) } else { 0 };
                if wait == 0 {
                    self.starts(node, *start);
                } else {
                    self.later(node, wait, NodeEvent::Starts(start));
                }
            }
            Output::CancelRun(_) => {}
            Output::Answer(answered) => self.answered(node, *answered),
            Output::Publish(publication, what) => {
                let wait = self.random.random_range(100..2 * MS);
                self.later(node, wait, NodeEvent::Published(publication, what));
            }
            Output::Deliver(transfer, bytes, end) => {
                self.checker.delivered(self.nodes[node].process, transfer, &bytes, end);
                if end.is_some() {
                    self.nodes[node].readers.remove(&transfer);
                } else {
                    *self.nodes[node].readers.entry(transfer).or_insert(0) += 1;
                    let wait = self.random.random_range(0..3 * MS);
                    self.later(node, wait, NodeEvent::Reads(transfer));
                }
            }
            Output::Room(transfer, chunks) => {
                let total = self.plan.chunks_of(transfer);
                let breaks = self.plan.breaks(transfer);
                let writing = self.nodes[node]
                    .writers
                    .entry(transfer)
                    .or_insert(Writing { room: 0, written: 0, total, breaks });
                writing.room += chunks;
                let wait = self.random.random_range(0..2 * MS);
                self.later(node, wait, NodeEvent::Writes(transfer));
            }
            Output::Stopped(transfer) => {
                self.nodes[node].writers.remove(&transfer);
                self.checker.writer_over(transfer);
            }
            Output::BadFrame(error) => panic!("a frame was no frame: {error}"),
            Output::Session(state) => {
                self.nodes[node].state = state;
                if state == SessionState::Left {
                    let process = self.nodes[node].process;
                    self.checker.left(process);
                }
            }
            Output::Refused(refusal) => panic!("{refusal}"),
        }
    }

    fn starts(&mut self, node: usize, start: Start) {
        let process = self.nodes[node].process;
        if self.clock(node) >= start.not_after {
            let answer =
                if self.clock(node) >= start.deadline { CallAnswer::Expired } else { CallAnswer::Moved };
            return self.step(node, Input::Ended(start.run, Ended::NotStarted(answer)));
        }
        let Some(call) = self.calls.get(&start.call).cloned() else { panic!("a call that nobody made") };
        let boot = self.nodes[node].core.boot();
        self.checker.started(self.now, process, boot, &start, &call);
        self.nodes[node].runs.insert(start.run, Running { call: start.call, kind: call.kind.clone() });
        let duration = self.random.random_range(call.runs_us.clone());
        self.later(node, duration, NodeEvent::Ends(start.run));
    }

    fn run_ends(&mut self, node: usize, run: RunId) {
        let Some(running) = self.nodes[node].runs.remove(&run) else { return };
        let process = self.nodes[node].process;
        let failed = running.kind.fails;
        let outcome = outcome_of(running.call);
        self.checker.run_ended(self.now, process, run);
        let rest = running.kind.chunks_out > 0;
        let ended = Ended::Ran { failed, outcome, revalidates: running.kind.revalidates, rest };
        self.step(node, Input::Ended(run, ended));
    }

    fn writes(&mut self, node: usize, transfer: TransferId) {
        let Some(writing) = self.nodes[node].writers.get_mut(&transfer) else { return };
        if writing.room == 0 || writing.written == writing.total {
            return;
        }
        writing.room -= 1;
        let number = writing.written;
        writing.written += 1;
        let last = writing.written == writing.total;
        let end = last.then_some(if writing.breaks { TransferEnd::Broken } else { TransferEnd::Complete });
        let more = writing.room > 0 && !last;
        if last {
            self.nodes[node].writers.remove(&transfer);
        }
        self.checker.written(transfer, number, end);
        self.step(node, Input::Write(transfer, chunk_of(transfer, number), end));
        if more {
            let wait = self.random.random_range(0..4 * MS);
            self.later(node, wait, NodeEvent::Writes(transfer));
        }
    }

    fn answered(&mut self, node: usize, answered: Answered) {
        let process = self.nodes[node].process;
        let at = self.clock(node);
        self.checker.answered(self.now, at, process, &answered);
    }

    // --- Clients ---------------------------------------------------------------------------------------------------------

    fn client_calls(&mut self, index: usize) {
        let call = self.plan.calls[index].clone();
        let alive: Vec<usize> = (0..self.nodes.len())
            .filter(|node| {
                let node = &self.nodes[*node];
                node.alive && !node.paused && !node.drains
            })
            .collect();
        if alive.is_empty() {
            return;
        }
        let node = match call.node {
            Some(node) if alive.contains(&node) => node,
            Some(_) => return,
            None => alive[self.random.random_range(0..alive.len())],
        };
        self.call(node, call);
    }

    pub(crate) fn call(&mut self, node: usize, call: Call) {
        let deadline = self.clock(node) + std::time::Duration::from_micros(call.timeout_us);
        let submission = Submission {
            call: call.id,
            action: call.action,
            slot: call.slot,
            key: call.key.clone(),
            idempotency: call.idempotency,
            idempotent: call.kind.idempotent,
            deadline,
            revalidates: if call.kind.revalidates { vec![call.tag()] } else { Vec::new() },
            context: Bytes::new(),
            arguments: outcome_of(call.id),
            arguments_follow: call.kind.chunks_in > 0,
        };
        self.calls.insert(call.id, call.clone());
        let process = self.nodes[node].process;
        self.checker.submitted(self.now, process, deadline, &call);
        if let Some(after) = call.gone_after_us {
            let life = self.nodes[node].life;
            self.schedule(self.now + after, Event::ClientGone { node, life, call: call.id });
        }
        self.step(node, Input::Submit(Box::new(submission)));
    }

    // --- Faults ----------------------------------------------------------------------------------------------------------

    fn fault(&mut self, fault: Fault) {
        self.checker.fault(&fault);
        match fault {
            Fault::Kill { node, down_us } => {
                self.kill(node);
                let life = self.nodes[node].life;
                self.schedule(self.now + down_us, Event::Boot { node, life });
            }
            Fault::Pause { node, for_us } => {
                if self.nodes[node].alive && !self.nodes[node].paused {
                    self.nodes[node].paused = true;
                    self.checker.paused(self.nodes[node].process, for_us);
                    self.schedule(self.now + for_us, Event::Resume { node });
                }
            }
            Fault::Cut { node, for_us } => {
                if !self.nodes[node].cut {
                    self.nodes[node].cut = true;
                    self.schedule(self.now + for_us, Event::Heal { node });
                }
            }
            Fault::Reset { node, connection } => self.reset(node, connection),
            Fault::Drain { node, down_us } => {
                if self.nodes[node].alive && !self.nodes[node].paused {
                    self.nodes[node].drains = true;
                    self.step(node, Input::Drain);
                    // As long as its drain timeout; by then it left, or is killed.
                    let life = self.nodes[node].life;
                self.schedule(self.now + down_us, Event::Boot { node, life });
                    let process = self.nodes[node].process;
                    self.checker.drains(process);
                }
            }
            Fault::Redis { restart, down_us } => {
                if self.servers[self.master].up {
                    self.server_down(self.master);
                    self.schedule(self.now + down_us, Event::ServerUp { server: self.master, restart });
                }
            }
            Fault::Dead { node, connection } => self.nodes[node].links[connection as usize].dead = true,
            Fault::Bar { node, connection, for_us } => {
                self.reset(node, connection);
                self.nodes[node].links[connection as usize].dead = true;
                self.nodes[node].barred = Some(connection);
                self.schedule(self.now + for_us, Event::Unbar { node });
            }
            Fault::Slow { node, up_us, down_us, for_us } => {
                self.nodes[node].slow = (up_us, down_us);
                self.schedule(self.now + for_us, Event::Fast { node });
            }
            Fault::Failover { back_us, old_lives_us, stale } => {
                if !self.servers[self.master].up {
                    return;
                }
                let old = self.master;
                self.servers[old].old = true;
                for node in &stale {
                    self.nodes[*node].stale = true;
                }
                let store = self.snapshot_before(back_us);
                self.servers.push(Server { store, up: true, old: false, waiters: BTreeMap::new() });
                self.master = self.servers.len() - 1;
                self.snapshots.clear();
                self.checker.lost_memory(self.now, back_us > 0);
                self.schedule(self.now + old_lives_us, Event::OldServerDies { server: old });
                // Some nodes notice at once, others when the old one dies.
                for node in 0..self.nodes.len() {
                    if !stale.contains(&node) && self.random.random_bool(0.5) {
                        for connection in [Connection::Commands, Connection::Requests, Connection::Replies] {
                            self.reset(node, connection);
                        }
                    }
                }
            }
        }
    }

    fn snapshot_before(&mut self, back_us: u64) -> Store {
        self.incarnations += 1;
        let incarnation = Incarnation::named(&format!("i{}", self.incarnations));
        let at = self.now.saturating_sub(back_us);
        let snapshot = self.snapshots.iter().rev().find(|(taken, _)| *taken <= at);
        let store = match snapshot {
            Some((_, store)) if back_us > 0 => store,
            _ => &self.servers[self.master].store,
        };
        store.reborn(incarnation)
    }

    fn server_down(&mut self, server: usize) {
        self.servers[server].up = false;
        self.servers[server].waiters.clear();
        for node in 0..self.nodes.len() {
            for connection in [Connection::Commands, Connection::Requests, Connection::Replies] {
                if self.nodes[node].links[connection as usize].server == server {
                    self.reset(node, connection);
                    self.nodes[node].links[connection as usize].dead = true;
                }
            }
        }
    }

    fn server_up(&mut self, server: usize, restart: Restart) {
        self.incarnations += 1;
        let incarnation = Incarnation::named(&format!("i{}", self.incarnations));
        self.servers[server].store = match restart {
            Restart::WithData => self.servers[server].store.reborn(incarnation),
            Restart::MinusLast { back_us } => {
                let at = self.now.saturating_sub(back_us);
                let snapshot = self.snapshots.iter().rev().find(|(taken, _)| *taken <= at);
                snapshot.map_or_else(
                    || Store::new(incarnation.clone(), self.plan.inbox_frames_max, self.mutants),
                    |(_, store)| store.reborn(incarnation.clone()),
                )
            }
            Restart::Empty => Store::new(incarnation, self.plan.inbox_frames_max, self.mutants),
        };
        self.servers[server].up = true;
        self.snapshots.clear();
        self.checker.lost_memory(self.now, restart != Restart::WithData);
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
