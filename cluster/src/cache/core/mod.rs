//! The protocol by which nodes share one log of revalidations: one state machine per node, without clock, sockets or
//! randomness.
//!
//! Whoever drives it feeds [`Input`]s with the time and performs the [`Output`]s. Readers share [`Versions`] with it.

mod epochs;
mod expiring;
mod invariants;
mod io;
mod leases;
mod leaving;
mod log;
mod outbox;
mod parcel;
mod reaper;
#[cfg(all(test, not(callboard_loom)))]
mod tests;

use std::sync::Arc;

use callboard_protocol::identity::ProcessId;

pub use self::invariants::{Counters, Invariant};
use self::io::{Io, Purpose};
use super::{
    Settings, Versions,
    io::{Connection, Declared, Input, Output},
    store::{Answer, Push},
};
use crate::{
    clock::Instant,
    mutant::{Mutant, Mutants},
    store::Failure,
};

/// One node's part in the log.
#[derive(Debug)]
pub struct Core {
    me: ProcessId,
    declared: Declared,
    io: Io,
    versions: Arc<Versions>,
    epochs: epochs::Epochs,
    log: log::Log,
    leases: leases::Leases,
    outbox: outbox::Outbox,
    reaper: reaper::Reaper,
    expiring: expiring::Expiring,
    leaving: leaving::Leaving,
}

impl Core {
    /// A node that knows nothing yet. The first input makes it begin. What is declared is published by others if this
    /// node dies.
    #[must_use]
    pub fn new(me: ProcessId, declared: Declared, settings: Arc<Settings>, mutants: Mutants) -> Self {
        Self {
            me,
            declared: if mutants.has(Mutant::DeclaredForgotten) { Arc::default() } else { declared },
            versions: Arc::new(Versions::new(settings.tag_cells, mutants)),
            expiring: expiring::Expiring::new(settings.expiring_max),
            io: Io::new(settings, mutants),
            epochs: epochs::Epochs::default(),
            log: log::Log::default(),
            leases: leases::Leases::default(),
            outbox: outbox::Outbox::default(),
            reaper: reaper::Reaper::default(),
            leaving: leaving::Leaving::default(),
        }
    }

    /// Takes an input at an instant and gives back what is to be done, in this order.
    ///
    /// The clock is read after the input came and before any of the outputs is begun: a lease counts from the instant of
    /// the step that asked for it, and the wait for others' leases from that of the step that took the answer.
    pub fn step(&mut self, now: Instant, input: Input) -> Vec<Output> {
        self.step_all(now, [input])
    }

    /// Takes what came together, in this order: what it leads to is sent together, too.
    pub fn step_all(&mut self, now: Instant, inputs: impl IntoIterator<Item = Input>) -> Vec<Output> {
        self.io.now = self.io.now.max(now);
        // Before a lease is renewed that may have ended long ago.
        self.expire();
        for input in inputs {
            self.take(input);
        }
        if self.io.is_overdue() {
            self.lose(Connection::Commands, true);
        }
        self.move_on();
        self.io.take_outputs()
    }

    /// When the next [`Input::Tick`] is wanted at latest.
    #[must_use]
    pub fn next_timer(&self) -> Option<Instant> {
        // A timer may stand still while the machine sleeps, and the clock goes on.
        let expiring = self.expiring.first().map(|at| at.min(self.io.now + self.io.settings.lease));
        let timers = self.io.timers().chain(expiring).chain(self.open_timer());
        let asking = self.may_ask().then(|| {
            let leases = self.renewal_timers().into_iter().flatten();
            leases.chain(self.reaper_timers().into_iter().flatten())
        });
        timers.chain(asking.into_iter().flatten()).filter(|at| *at > self.io.now).min()
    }

    /// What readers share with it.
    #[must_use]
    pub fn versions(&self) -> &Arc<Versions> {
        &self.versions
    }

    /// What this node counts.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.io.counters
    }

    /// Marks that are on their way out of this node, or that some readers may not have yet.
    #[must_use]
    pub fn outbox_marks(&self) -> usize {
        self.outbox.marks()
    }

    fn take(&mut self, input: Input) {
        if self.epochs.has_left() {
            if let Input::Publish(id, ..) = input {
                self.io.put(Output::Refused(id));
            }
            return;
        }
        match input {
            Input::Tick => {}
            Input::Connected(connection) => {
                if self.io.connected(connection) && connection == Connection::Pushes {
                    // What was pushed before is lost.
                    self.look();
                }
            }
            Input::Disconnected(connection) => self.lose(connection, false),
            Input::Answered(request, answer) => {
                // One that is not awaited any more belongs to a connection or to an epoch that is over.
                if let Some((purpose, asked)) = self.io.answered(request) {
                    self.answered(purpose, asked, answer);
                }
            }
            Input::Pushed(Push::Entry(entry)) => self.pushed(&entry),
            Input::Pushed(Push::Watermark(position)) => self.everywhere(position),
            Input::Publish(id, marks, wait) => self.publish(id, &marks, wait),
            Input::Forget(id) => self.forget(id),
            Input::CatchUp(position) => self.catch_up(position),
            Input::Leave => self.leaving.begin(),
        }
    }

    /// Whatever can go on, goes on.
    fn move_on(&mut self) {
        if self.epochs.has_left() {
            return;
        }
        self.io.connect(Connection::Commands);
        self.io.connect(Connection::Pushes);
        self.open();
        self.settle();
        self.leave();
        self.send_publications();
        self.renew();
        self.acknowledge();
        self.reap();
    }

    /// Whether commands of the epoch may be asked now.
    fn may_ask(&self) -> bool {
        self.epochs.is_open() && self.io.can_ask()
    }

    /// A connection is gone, or is closed: nothing is known of what was asked on it.
    fn lose(&mut self, connection: Connection, close: bool) {
        if self.epochs.has_left() {
            return;
        }
        let asked = if close { self.io.disconnect(connection) } else { self.io.lost(connection) };
        if connection == Connection::Commands {
            self.epochs.reopen();
        }
        for (purpose, at) in asked {
            self.answered(purpose, at, Err(Failure::Silent));
        }
    }

    fn answered(&mut self, purpose: Purpose, asked: Instant, answer: Result<Answer, Failure>) {
        match &answer {
            Ok(Answer::Superseded) => self.epochs.superseded(),
            // Of what too few replicas have, a store that is promoted may know nothing.
            Ok(Answer::Unreplicated { .. }) | Err(_) => self.io.pause(),
            // One is executed before there is an epoch, the other in whatever memory the epoch stands.
            Ok(Answer::Opened { .. } | Answer::Acknowledged { .. }) => {}
            Ok(_) => self.epochs.confirm(asked),
        }
        match purpose {
            Purpose::Open => self.opened(asked, &answer),
            Purpose::Renew(after) => self.renewed(asked, after, answer),
            Purpose::Publish => self.published(answer),
            Purpose::Acknowledge(position) => self.acknowledged(position, &answer),
            Purpose::Registered => self.registered(answer),
            Purpose::Reap(process) => self.reaped(process, &answer),
            Purpose::Leave => self.left(&answer),
        }
    }
}
