//! The network between nodes and store: what is sent takes its time, in order on each connection, and may be lost with
//! it.

use std::sync::Arc;

use callboard_cluster::{
    cache::{
        Connection, RequestId,
        store::{Answer, Command, Entry, Following, Push},
    },
    store::Failure,
};
use rand::RngExt as _;

use super::{Asker, Event, LEASE, Link, MS, NodeEvent, World};
use crate::plan::On;

impl World {
    pub(super) fn latency(&mut self) -> u64 {
        let slow = self.plan.slow > 0.0 && self.random.random_bool(self.plan.slow);
        self.random.random_range(60..140) + if slow { self.random.random_range(0..5 * MS) } else { 0 }
    }

    /// When something that is sent now arrives, as the node's cut and its slowness have it.
    fn arrival(&mut self, node: usize, up: bool) -> u64 {
        let latency = self.latency();
        let state = &self.nodes[node];
        let (more_up, more_down) = if self.now < state.slow_until { state.slow } else { (0, 0) };
        let (more, cut) = if up { (more_up, state.cut_up) } else { (more_down, state.cut_down) };
        self.now.max(cut) + latency + more
    }

    pub(super) fn connect(&mut self, node: usize, connection: Connection) {
        let life = self.nodes[node].life;
        let arrives = self.arrival(node, true);
        let link = &mut self.nodes[node].links[connection as usize];
        let number = link.number + 1;
        *link = Link { number, ..Link::default() };
        if arrives > self.now + LEASE / 2 {
            // It takes too long.
            let what = NodeEvent::Disconnected { connection, number };
            return self.schedule(self.now + LEASE / 2, Event::Node { node, life, what });
        }
        self.schedule(arrives, Event::ConnectArrives { node, life, connection, number });
    }

    pub(super) fn connect_arrives(&mut self, node: usize, life: u64, connection: Connection, number: u64) {
        let back = self.arrival(node, false);
        if self.nodes[node].life != life || self.nodes[node].links[connection as usize].number != number {
            return;
        }
        let what = if self.store_up && back < self.now + LEASE / 2 {
            let link = &mut self.nodes[node].links[connection as usize];
            *link = Link { number, open: true, last_up: self.now, last_down: back, dead: false };
            NodeEvent::Connected { connection, number }
        } else {
            NodeEvent::Disconnected { connection, number }
        };
        self.schedule(back.min(self.now + LEASE / 2), Event::Node { node, life, what });
    }

    /// A connection breaks, and both ends are told: of what is on its way, a part arrives and the rest does not.
    pub(super) fn reset(&mut self, node: usize, connection: Connection) {
        let at = self.arrival(node, false);
        let link = &mut self.nodes[node].links[connection as usize];
        if !link.open {
            return;
        }
        (link.open, link.dead) = (false, true);
        let what = NodeEvent::Disconnected { connection, number: link.number };
        let life = self.nodes[node].life;
        self.schedule(at, Event::Node { node, life, what });
    }

    /// The node closes a connection.
    pub(super) fn close(&mut self, node: usize, connection: Connection) {
        let link = &mut self.nodes[node].links[connection as usize];
        *link = Link { number: link.number + 1, ..Link::default() };
    }

    pub(super) fn perform(&mut self, node: usize, request: RequestId, command: Command) {
        let arrives = self.arrival(node, true);
        let state = &mut self.nodes[node];
        let link = &mut state.links[Connection::Commands as usize];
        if !link.open || link.dead {
            return;
        }
        let arrives = arrives.max(link.last_up + 1);
        link.last_up = arrives;
        let asker = Asker { node, life: state.life, number: link.number, request };
        let run = self.store_run;
        self.schedule(arrives, Event::Arrives { asker, run, command: Box::new(command) });
    }

    pub(super) fn command_arrives(&mut self, asker: Asker, run: u64, command: &Command) {
        let Asker { node, life, number, .. } = asker;
        if !self.store_up || run != self.store_run {
            return;
        }
        let link = &self.nodes[node].links[Connection::Commands as usize];
        let is_current = self.nodes[node].life == life && link.number == number && !link.dead;
        if !is_current {
            // What a dead process or a closed connection had sent may still come in.
            if self.random.random_bool(0.3) {
                return;
            }
            self.checker.count("commands in doubt");
        }
        let answer = self.store.execute(command);
        self.executed(node, command, &answer);
        self.push_all();
        self.answer(asker, Ok(answer));
    }

    /// Tells the checker, and lets follow what is to follow.
    fn executed(&mut self, node: usize, command: &Command, answer: &Answer) {
        let on = match (command, answer) {
            (_, Answer::Superseded) => return self.checker.count("superseded"),
            (_, Answer::Opened { epoch, .. }) => return self.checker.opened(*epoch),
            (Command::Renew { process, .. }, Answer::Renewed { following, .. }) => {
                if *following == Following::Trimmed {
                    self.checker.count("trimmed");
                }
                self.checker.registered(*process);
                On::Renew { node }
            }
            (Command::Publish { .. }, _) => On::Publish { node },
            (Command::Reap { process, .. }, Answer::Reaped(true)) => {
                self.checker.count("reaped");
                self.checker.unregistered(*process);
                On::Reap
            }
            (Command::Leave { process, .. }, _) => return self.checker.unregistered(*process),
            _ => return,
        };
        self.trigger(on);
    }

    /// What the store pushes reaches everybody who listens, or not.
    pub(super) fn push_all(&mut self) {
        for push in self.store.take_pushes() {
            if let Push::Entry(entry) = &push {
                if entry.marks.is_none() {
                    self.checker.count("everything stale");
                }
                self.checker.appended(self.now, entry, &self.data);
            }
            for node in 0..self.nodes.len() {
                self.push(node, &push);
            }
        }
    }

    fn push(&mut self, node: usize, push: &Push) {
        let link = &self.nodes[node].links[Connection::Pushes as usize];
        if !link.open || link.dead {
            return;
        }
        let is_lost = self.plan.push_loss > 0.0 && self.random.random_bool(self.plan.push_loss);
        if is_lost || self.now < self.nodes[node].deaf_until {
            self.checker.count("pushes lost");
            return;
        }
        let arrives = self.arrival(node, false);
        let push = match push {
            Push::Entry(entry) => Push::Entry(self.as_read_by(node, entry)),
            watermark @ Push::Watermark(_) => watermark.clone(),
        };
        let state = &mut self.nodes[node];
        let link = &mut state.links[Connection::Pushes as usize];
        let arrives = arrives.max(link.last_down + 1);
        link.last_down = arrives;
        let (life, number) = (state.life, link.number);
        let what = NodeEvent::Pushed { number, push: Box::new(push) };
        self.schedule(arrives, Event::Node { node, life, what });
    }

    /// A node of an older version cannot read every entry.
    fn as_read_by(&self, node: usize, entry: &Entry) -> Entry {
        let is_unreadable = self.plan.unreadable && node == 0 && entry.position.sequence().is_multiple_of(8);
        let marks = if is_unreadable { None } else { entry.marks.as_ref().map(Arc::clone) };
        Entry { position: entry.position, marks }
    }

    fn answer(&mut self, asker: Asker, mut answer: Result<Answer, Failure>) {
        let Asker { node, life, number, request } = asker;
        let arrives = self.arrival(node, false);
        if let Ok(Answer::Renewed { following, .. } | Answer::Published { following, .. }) = &mut answer
            && let Following::Entries(entries) = following
        {
            for entry in entries {
                *entry = self.as_read_by(node, entry);
            }
        }
        let state = &mut self.nodes[node];
        let link = &mut state.links[Connection::Commands as usize];
        if state.life != life || link.number != number || !link.open || link.dead {
            return;
        }
        let arrives = arrives.max(link.last_down + 1);
        link.last_down = arrives;
        let what = NodeEvent::Answered { number, request, answer: Box::new(answer) };
        self.schedule(arrives, Event::Node { node, life, what });
    }
}
