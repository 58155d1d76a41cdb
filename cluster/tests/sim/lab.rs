//! A few cores on stores without a network in between, step by step: for what has to happen in one exact order.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use callboard_cluster::{
    Slot,
    clock::Instant,
    core::{Answered, Connection, Core, Ended, Input, Output, RequestId, RunId, Settings, Start, Submission},
    memory::Store,
    mutant::Mutants,
    placement,
    store::{Answer, Command, Profile},
};
use callboard_protocol::{
    ActionId,
    action::CallId,
    envelope::{Answer as CallAnswer, Namespace, TransferEnd, TransferId},
    identity::{Incarnation, ProcessId, RedisMillis},
};

use crate::{plan::action, world::settings};

/// A command on its way, and until when a read waits.
struct Asked {
    request: RequestId,
    connection: Connection,
    command: Command,
    until_ms: u64,
}

pub(crate) struct Node {
    pub(crate) core: Core,
    /// Which store it connects to.
    pub(crate) store: usize,
    /// It does nothing, and what it asked for waits.
    pub(crate) paused: bool,
    /// Commands that are not executed, as if they were lost or late.
    pub(crate) loses: fn(&Command) -> bool,
    /// Those that were not.
    pub(crate) lost: Vec<Command>,
    asked: VecDeque<Asked>,
    reads: Vec<Asked>,
    /// How many commands it asked that have to do with idempotency keys.
    pub(crate) key_commands: usize,
    inputs: VecDeque<Input>,
    pub(crate) starts: Vec<Start>,
    pub(crate) answers: Vec<Answered>,
    pub(crate) delivered: Vec<(TransferId, Bytes, Option<TransferEnd>)>,
    /// Transfers that it may begin to write, or go on with.
    pub(crate) rooms: Vec<TransferId>,
    pub(crate) bad_frames: usize,
}

pub(crate) struct Lab {
    pub(crate) now_ms: u64,
    pub(crate) stores: Vec<Store>,
    pub(crate) nodes: Vec<Node>,
    calls: u128,
}

/// Actions whose calls have keys.
pub(crate) fn lined() -> ActionId {
    action("transfer")
}

impl Lab {
    /// Nodes that are members, of a store that keyed calls may use.
    pub(crate) fn new(nodes: usize, stores: usize) -> Self {
        let mut lab = Self::of(&vec![(0, 1); nodes], stores);
        lab.run(2_000);
        lab
    }

    /// For each node the store it connects to, and the fingerprint of its key. They have not begun yet.
    pub(crate) fn of(nodes: &[(usize, u64)], stores: usize) -> Self {
        let store = |number: usize| Store::new(Incarnation::named(&format!("i{number}")), 256, Mutants::NONE);
        let settings = Arc::new(settings());
        let node = |(number, (store, key)): (usize, &(usize, u64))| {
            Node::new(number as u128 + 1, *store, *key, &settings)
        };
        let nodes = nodes.iter().enumerate().map(node).collect();
        Self { now_ms: 1_000, stores: (0..stores).map(store).collect(), nodes, calls: 0 }
    }

    pub(crate) fn step(&mut self, node: usize, input: Input) {
        let at = Instant::from_micros(self.now_ms * 1_000);
        let state = &mut self.nodes[node];
        for output in state.core.step(at, input) {
            state.output(output, self.now_ms);
        }
    }

    /// Lets time pass; whatever can go on, goes on at each millisecond.
    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now_ms += 1;
            for node in 0..self.nodes.len() {
                if !self.nodes[node].paused {
                    self.step(node, Input::Tick);
                }
            }
            while self.go_on() {}
        }
    }

    fn go_on(&mut self) -> bool {
        let mut moved = false;
        for node in 0..self.nodes.len() {
            self.execute(node);
            if self.nodes[node].paused {
                continue;
            }
            while let Some(input) = self.nodes[node].inputs.pop_front() {
                moved = true;
                let input = match input {
                    Input::Connected(connection, _) => {
                        let store = &self.stores[self.nodes[node].store];
                        Input::Connected(connection, store.incarnation().clone())
                    }
                    other => other,
                };
                self.step(node, input);
            }
        }
        moved
    }

    /// The store does what it was asked, also for a node that sleeps.
    fn execute(&mut self, node: usize) {
        let time = RedisMillis::from_u64(1_000_000 + self.now_ms);
        let Node { store, loses, lost, asked, reads, inputs, .. } = &mut self.nodes[node];
        let store = &mut self.stores[*store];
        for asked in asked.drain(..).collect::<Vec<_>>() {
            if loses(&asked.command) {
                lost.push(asked.command);
            } else {
                reads.push(asked);
            }
        }
        reads.retain(|asked| {
            let answer = store.execute(time, &asked.command);
            let over = (self.now_ms >= asked.until_ms).then(|| Answer::Frames(Vec::new()));
            let Some(answer) = answer.or(over) else { return true };
            inputs.push_back(Input::Answered(asked.request, Ok(answer)));
            false
        });
    }

    /// Executes a command that came late, from a connection that is gone.
    pub(crate) fn comes_late(&mut self, node: usize, command: &Command) {
        let time = RedisMillis::from_u64(1_000_000 + self.now_ms);
        self.stores[self.nodes[node].store].execute(time, command);
    }

    /// A node's connection breaks; nothing more is answered on it.
    pub(crate) fn disconnect(&mut self, node: usize, connection: Connection) {
        self.nodes[node].drop_connection(connection);
        self.step(node, Input::Disconnected(connection));
    }

    /// A node is led to another store from now on.
    pub(crate) fn lead(&mut self, node: usize, store: usize) {
        self.nodes[node].store = store;
        for connection in [Connection::Commands, Connection::Requests, Connection::Replies] {
            self.disconnect(node, connection);
        }
    }

    /// A call that waits for no other and whose first choice is this node.
    pub(crate) fn call_of(&mut self, owner: usize) -> Submission {
        let view = self.nodes[owner].core.view().expect("a member has a view").clone();
        let boot = self.nodes[owner].core.boot().expect("a member has a session");
        let mut actions = (0..).map(|number| action(&format!("action {number}")));
        let action = actions
            .find(|action| placement::candidates(&view, Slot::of_action(action), 1)[0] == boot)
            .expect("there is one");
        self.submission(action, Slot::of_action(&action), None)
    }

    /// A call with a key of which this node owns the line.
    pub(crate) fn keyed_call_of(&mut self, owner: usize, prefix: &str) -> Submission {
        let view = self.nodes[owner].core.view().expect("a member has a view").clone();
        let boot = self.nodes[owner].core.boot();
        let key = (0..100_000)
            .map(|number| format!("{prefix}{number}"))
            .find(|key| placement::line_owner(&view, Slot::of_key(&lined(), key), &lined()) == boot);
        let key = key.expect("there is one");
        self.submission(lined(), Slot::of_key(&lined(), &key), Some(key))
    }

    fn submission(&mut self, action: ActionId, slot: Slot, key: Option<String>) -> Submission {
        self.calls += 1;
        Submission {
            call: CallId::from_u128(self.calls),
            action,
            slot,
            key,
            idempotency: None,
            idempotent: false,
            deadline: Instant::from_micros(self.now_ms * 1_000) + Duration::from_secs(5),
            revalidates: Vec::new(),
            context: Bytes::new(),
            arguments: Bytes::new(),
            arguments_follow: false,
        }
    }

    pub(crate) fn submit(&mut self, node: usize, submission: &Submission) -> CallId {
        self.step(node, Input::Submit(Box::new(submission.clone())));
        submission.call
    }

    /// The last run of a call on a node, if it started there.
    pub(crate) fn run_of(&self, node: usize, call: CallId) -> Option<RunId> {
        self.nodes[node].starts.iter().rev().find(|start| start.call == call).map(|start| start.run)
    }

    pub(crate) fn end(&mut self, node: usize, call: CallId, rest: bool) {
        let run = self.run_of(node, call).expect("it started");
        let ended = Ended::Ran {
            failed: false,
            outcome: Bytes::from_static(b"outcome"),
            kept: None,
            revalidates: false,
            rest,
        };
        self.step(node, Input::Ended(run, ended));
    }

    /// What a client was answered.
    pub(crate) fn answer_of(&self, node: usize, call: CallId) -> Option<&Answered> {
        self.nodes[node].answers.iter().find(|answered| answered.call == call)
    }

    pub(crate) fn said(&self, node: usize, call: CallId) -> Option<CallAnswer> {
        self.answer_of(node, call).map(|answered| answered.answer)
    }
}

impl Node {
    fn new(process: u128, store: usize, key: u64, settings: &Arc<Settings>) -> Self {
        let lined = [placement::lined_action(&lined())].into();
        let profile = Profile { build: 1, lined, keys: [(0, key)].into() };
        let process = ProcessId::from_u128(process);
        let namespace = Namespace::named("simulation");
        Self {
            core: Core::new(process, namespace, profile, Arc::clone(settings), Mutants::NONE),
            store,
            paused: false,
            loses: |_| false,
            lost: Vec::new(),
            asked: VecDeque::new(),
            reads: Vec::new(),
            key_commands: 0,
            inputs: VecDeque::new(),
            starts: Vec::new(),
            answers: Vec::new(),
            delivered: Vec::new(),
            rooms: Vec::new(),
            bad_frames: 0,
        }
    }

    fn output(&mut self, output: Output, now_ms: u64) {
        match output {
            // The incarnation is that of the store it leads to when it is there.
            Output::Connect(connection) => {
                self.inputs.push_back(Input::Connected(connection, Incarnation::named("")));
            }
            Output::Disconnect(connection) => self.drop_connection(connection),
            Output::Perform(request, connection, command) => {
                let reads = matches!(command, Command::ReadRequests { .. } | Command::ReadReplies { .. });
                self.key_commands += usize::from(matches!(
                    command,
                    Command::IdempotencyBegin { .. } | Command::IdempotencyResolve { .. }
                ));
                let until_ms = now_ms + if reads { 400 } else { 0 };
                self.asked.push_back(Asked { request, connection, command, until_ms });
            }
            Output::Start(start) => self.starts.push(*start),
            Output::Answer(answered) => self.answers.push(*answered),
            Output::Publish(publication, _) => self.inputs.push_back(Input::Published(publication, None)),
            Output::Deliver(transfer, bytes, end) => self.delivered.push((transfer, bytes, end)),
            Output::BadFrame(_) => self.bad_frames += 1,
            Output::Room(transfer, _) => self.rooms.push(transfer),
            Output::CancelRun(_) | Output::Stopped(_) | Output::Session(_) | Output::Refused(_) => {}
        }
    }

    fn drop_connection(&mut self, connection: Connection) {
        self.asked.retain(|asked| asked.connection != connection);
        self.reads.retain(|asked| asked.connection != connection);
        self.inputs.retain(|input| !matches!(input, Input::Connected(one, _) if *one == connection));
    }
}
