//! Nodes: the core, driven; the actions that it starts; and the clients that call it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use callboard_cluster::{
    core::{Answered, Core, Ended, Input, Output, Publication, RunId, SessionState, Start, Submission},
    placement::lined_action,
    store::Profile,
};
use callboard_protocol::{
    action::CallId,
    envelope::{Answer as CallAnswer, Namespace, TransferEnd, TransferId},
    identity::ProcessId,
    revalidation::LogPosition,
};
use rand::RngExt as _;

use super::{Event, MS, NAMESPACE, Node, NodeEvent, Running, World, Writing, chunk_of, outcome_of};
use crate::{checker, plan::Call};

/// How often an input waits for the next one.
const TOGETHER: f64 = 0.1;

impl World {
    pub(super) fn fresh_core(&mut self) -> Node {
        self.processes += 1;
        let process = ProcessId::from_u128(self.processes << 64 | u128::from(self.random.random::<u64>()));
        let profile = Profile {
            build: 1,
            lined: self.plan.lined.iter().map(lined_action).collect(),
            ..Profile::default()
        };
        let core = Core::new(
            process,
            Namespace::named(NAMESPACE),
            profile,
            Arc::clone(&self.settings),
            self.mutants,
        );
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
            held: Vec::new(),
            runs: HashMap::new(),
            state: SessionState::Away,
            drains: false,
            writers: HashMap::new(),
            readers: HashMap::new(),
        }
    }

    pub(super) fn node_event(&mut self, node: usize, what: NodeEvent) {
        match what {
            NodeEvent::Timer => {
                self.nodes[node].timer_at = None;
                self.step(node, Input::Tick);
            }
            NodeEvent::Together => self.step_held(node),
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
                if checker::has_cancel(&answer) {
                    // What waits to be taken with it may close the connection, and then it is not heard.
                    self.step_held(node);
                }
                if self.nodes[node].links[connection as usize].epoch == epoch {
                    let process = self.nodes[node].process;
                    self.checker.heard(process, &answer);
                    self.step(node, Input::Answered(request, answer));
                }
            }
            NodeEvent::Starts(start) => self.starts(node, &start),
            NodeEvent::Ends(run) => self.run_ends(node, run),
            NodeEvent::Published(publication, what) => {
                let process = self.nodes[node].process;
                let runs: Option<CallId> = match &what {
                    Publication::Of(run) => self.checker.call_of(process, *run),
                    Publication::Declared(_) => None,
                };
                self.log_position += 1;
                self.checker.published(runs, &what);
                self.step(
                    node,
                    Input::Published(publication, Some(LogPosition::from_u64(self.log_position))),
                );
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

    pub(super) fn later(&mut self, node: usize, after: u64, what: NodeEvent) {
        let life = self.nodes[node].life;
        self.schedule(self.now + after, Event::Node { node, life, what });
    }

    /// Feeds the core, now or together with what comes next: a busy node takes what has piled up at once.
    pub(super) fn step(&mut self, node: usize, input: Input) {
        self.nodes[node].held.push(input);
        if self.nodes[node].held.len() == 1 && self.random.random_bool(TOGETHER) {
            let after = self.random.random_range(1..300);
            return self.later(node, after, NodeEvent::Together);
        }
        self.step_held(node);
    }

    fn step_held(&mut self, node: usize) {
        let inputs = std::mem::take(&mut self.nodes[node].held);
        if inputs.is_empty() {
            return;
        }
        let now = self.clock(node);
        let outputs = self.nodes[node].core.step_all(now, inputs);
        for output in outputs {
            self.output(node, output);
        }
        self.set_timer(node);
    }

    pub(super) fn set_timer(&mut self, node: usize) {
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

    pub(super) fn output(&mut self, node: usize, output: Output) {
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
                    self.starts(node, &start);
                } else {
                    self.later(node, wait, NodeEvent::Starts(start));
                }
            }
            Output::CancelRun(_) => {}
            Output::Answer(answered) => self.answered(node, &answered),
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
                let writing = self.nodes[node].writers.entry(transfer).or_insert(Writing {
                    room: 0,
                    written: 0,
                    total,
                    breaks,
                });
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

    pub(super) fn starts(&mut self, node: usize, start: &Start) {
        let process = self.nodes[node].process;
        if self.clock(node) >= start.not_after {
            let answer =
                if self.clock(node) >= start.deadline { CallAnswer::Expired } else { CallAnswer::Moved };
            return self.step(node, Input::Ended(start.run, Ended::NotStarted(answer)));
        }
        let Some(call) = self.calls.get(&start.call).cloned() else { panic!("a call that nobody made") };
        let boot = self.nodes[node].core.boot();
        self.checker.started(self.now, process, boot, start, &call);
        self.nodes[node].runs.insert(start.run, Running { call: start.call, kind: call.kind.clone() });
        let duration = self.random.random_range(call.runs_us.clone());
        self.later(node, duration, NodeEvent::Ends(start.run));
        self.step(node, Input::Began(start.run));
    }

    pub(super) fn run_ends(&mut self, node: usize, run: RunId) {
        let Some(running) = self.nodes[node].runs.remove(&run) else { return };
        let process = self.nodes[node].process;
        let failed = running.kind.fails;
        let outcome = outcome_of(running.call);
        self.checker.run_ended(self.now, process, run);
        let rest = running.kind.chunks_out > 0;
        let ended = Ended::Ran { failed, outcome, kept: None, revalidates: running.kind.revalidates, rest };
        self.step(node, Input::Ended(run, ended));
    }

    pub(super) fn writes(&mut self, node: usize, transfer: TransferId) {
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
        // One that is done stays until it is stopped: room may come for it that was given before.
        self.checker.written(transfer, number, end);
        self.step(node, Input::Write(transfer, chunk_of(transfer, number), end));
        if more {
            let wait = self.random.random_range(0..4 * MS);
            self.later(node, wait, NodeEvent::Writes(transfer));
        }
    }

    pub(super) fn answered(&mut self, node: usize, answered: &Answered) {
        let process = self.nodes[node].process;
        let at = self.clock(node);
        self.checker.answered(self.now, at, process, answered);
    }

    pub(super) fn client_calls(&mut self, index: usize) {
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
        self.call(node, &call);
    }

    pub(crate) fn call(&mut self, node: usize, call: &Call) {
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
        self.checker.submitted(self.now, process, deadline, call);
        if let Some(after) = call.gone_after_us {
            let life = self.nodes[node].life;
            self.schedule(self.now + after, Event::ClientGone { node, life, call: call.id });
        }
        self.step(node, Input::Submit(Box::new(submission)));
    }
}
