//! The core's side of its inputs and outputs: connections, and commands that wait for their answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
    time::Duration,
};

use callboard_protocol::{identity::ProcessId, revalidation::LogPosition};

use super::{
    super::{
        Settings,
        io::{Connection, Output, RequestId},
        store::Command,
    },
    Counters,
};
use crate::{
    clock::Instant,
    mutant::{Mutant, Mutants},
};

/// What a command was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Open,
    /// Up to where everything was applied.
    Renew(LogPosition),
    Publish,
    Acknowledge(LogPosition),
    Registered,
    Reap(ProcessId),
    Leave,
}

#[derive(Debug)]
struct Asked {
    purpose: Purpose,
    at: Instant,
    until: Instant,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Link {
    /// Not wanted.
    #[default]
    Closed,
    /// Asked for.
    Opening,
    /// To be asked for at this instant.
    Waiting(Instant),
    /// There.
    Open,
}

#[derive(Debug)]
pub(super) struct Io {
    pub(super) now: Instant,
    pub(super) settings: Arc<Settings>,
    pub(super) mutants: Mutants,
    pub(super) counters: Counters,
    outputs: Vec<Output>,
    requests: u64,
    asked: BTreeMap<RequestId, Asked>,
    /// When each of them has gone without an answer for too long.
    patience: BTreeSet<(Instant, RequestId)>,
    links: [Link; 2],
    /// Nothing is asked before this instant: the store refused something.
    paused_until: Instant,
}

impl Io {
    pub(super) fn new(settings: Arc<Settings>, mutants: Mutants) -> Self {
        Self {
            now: Instant::default(),
            settings,
            mutants,
            counters: Counters::default(),
            outputs: Vec::new(),
            requests: 0,
            asked: BTreeMap::new(),
            patience: BTreeSet::new(),
            links: [Link::default(); 2],
            paused_until: Instant::default(),
        }
    }

    pub(super) fn has(&self, mutant: Mutant) -> bool {
        self.mutants.has(mutant)
    }

    /// How long after something stands in the log no lease is left that was granted before, on whatever clock.
    pub(super) fn lease_outwaited(&self) -> Duration {
        let Settings { lease, margin, .. } = *self.settings;
        if self.has(Mutant::NoMargin) { lease * 9 / 10 } else { lease + margin }
    }

    pub(super) fn put(&mut self, output: Output) {
        self.outputs.push(output);
    }

    pub(super) fn take_outputs(&mut self) -> Vec<Output> {
        mem::take(&mut self.outputs)
    }

    /// Whether the connection for commands is there.
    pub(super) fn is_connected(&self) -> bool {
        self.links[Connection::Commands as usize] == Link::Open
    }

    /// Whether commands may be asked now.
    pub(super) fn can_ask(&self) -> bool {
        self.now >= self.paused_until && self.is_connected()
    }

    /// Asks the store. Only where [`Self::can_ask`] says so.
    pub(super) fn ask(&mut self, command: Command, purpose: Purpose) {
        self.requests += 1;
        let request = RequestId(self.requests);
        let until = self.now + self.settings.command_timeout;
        self.asked.insert(request, Asked { purpose, at: self.now, until });
        self.patience.insert((until, request));
        self.put(Output::Perform(request, command));
    }

    /// What a command was asked for and when, if its answer is still awaited.
    pub(super) fn answered(&mut self, request: RequestId) -> Option<(Purpose, Instant)> {
        let asked = self.asked.remove(&request)?;
        self.patience.remove(&(asked.until, request));
        Some((asked.purpose, asked.at))
    }

    /// Awaits nothing of what was asked.
    pub(super) fn forget_asked(&mut self) {
        self.asked.clear();
        self.patience.clear();
    }

    /// Whether a command has gone without an answer for too long.
    pub(super) fn is_overdue(&self) -> bool {
        self.patience.first().is_some_and(|(until, _)| *until <= self.now)
    }

    /// Pauses everything after a refusal.
    pub(super) fn pause(&mut self) {
        self.paused_until = self.now + self.settings.retry;
    }

    /// Wants a connection.
    pub(super) fn connect(&mut self, connection: Connection) {
        let link = &mut self.links[connection as usize];
        if *link == Link::Closed || matches!(link, Link::Waiting(at) if *at <= self.now) {
            *link = Link::Opening;
            self.put(Output::Connect(connection));
        }
    }

    /// A connection was made; whether it is still wanted.
    pub(super) fn connected(&mut self, connection: Connection) -> bool {
        let link = &mut self.links[connection as usize];
        let is_wanted = *link == Link::Opening;
        if is_wanted {
            *link = Link::Open;
        }
        is_wanted
    }

    /// Closes a connection; it is made again after a pause if it is wanted.
    pub(super) fn disconnect(&mut self, connection: Connection) -> Vec<(Purpose, Instant)> {
        if matches!(self.links[connection as usize], Link::Open | Link::Opening) {
            self.put(Output::Disconnect(connection));
        }
        self.lost(connection)
    }

    /// Closes a connection for good.
    pub(super) fn close(&mut self, connection: Connection) {
        self.disconnect(connection);
        self.links[connection as usize] = Link::Closed;
    }

    /// A connection is gone; gives back what was asked on it.
    pub(super) fn lost(&mut self, connection: Connection) -> Vec<(Purpose, Instant)> {
        self.links[connection as usize] = Link::Waiting(self.now + self.settings.retry);
        if connection == Connection::Pushes {
            return Vec::new();
        }
        self.patience.clear();
        mem::take(&mut self.asked).into_values().map(|asked| (asked.purpose, asked.at)).collect()
    }

    /// When connections and commands are to be looked at.
    pub(super) fn timers(&self) -> impl Iterator<Item = Instant> {
        let waiting = self.links.iter().filter_map(|link| match link {
            Link::Waiting(at) => Some(*at),
            _ => None,
        });
        let patience = self.patience.first().map(|(until, _)| *until);
        waiting.chain(patience).chain([self.paused_until])
    }
}
