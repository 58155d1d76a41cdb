//! What goes into the core and what comes out: data, performed by actors or by a simulation.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use callboard_protocol::{
    ActionId,
    action::CallId,
    envelope::{Answer as CallAnswer, FrameError, Idempotency, TransferEnd, TransferId},
    identity::{Boot, FencingToken, Incarnation},
    revalidation::LogPosition,
};

use super::{Settings, invariants::Counters, state::SessionState};
use crate::{
    Slot,
    clock::Instant,
    mutant::{Mutant, Mutants},
    store::{Answer, Command, EntryId, Failure, Stream},
};

/// Something happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time passed.
    Tick,
    /// A connection is there; the store it leads to has this incarnation.
    Connected(Connection, Incarnation),
    /// A connection is gone, or was never made.
    Disconnected(Connection),
    /// What came of a command.
    Answered(RequestId, Result<Answer, Failure>),
    /// A client calls.
    Submit(Box<Submission>),
    /// A client went away.
    Cancel(CallId),
    /// A call really began that was started by [`Output::Start`]: from here on its arguments may come.
    Began(RunId),
    /// A call ended that was started by [`Output::Start`].
    Ended(RunId, Ended),
    /// Revalidations asked for by [`Output::Publish`] are in the log, if there were any.
    Published(PublicationId, Option<LogPosition>),
    /// Take no more calls, and leave.
    Drain,
    /// The writer of a transfer goes on. Chunks are at most as large as the setting.
    Write(TransferId, Bytes, Option<TransferEnd>),
    /// The reader of a transfer is done with this many more chunks.
    Taken(TransferId, u64),
    /// The reader of a transfer wants no more.
    Stop(TransferId),
}

/// Do this.
#[derive(Clone, Debug)]
pub enum Output {
    /// Make a connection, to a master only, and say which incarnation it leads to.
    Connect(Connection),
    /// Close a connection. Nothing of it is awaited any more; commands in flight may still be executed.
    Disconnect(Connection),
    /// Ask the store.
    Perform(RequestId, Connection, Command),
    /// Start a call, at once.
    Start(Box<Start>),
    /// Tell a running call that nobody waits for it.
    CancelRun(RunId),
    /// Answer a client.
    Answer(Box<Answered>),
    /// Append revalidations to the log; repeat until it is certain.
    Publish(PublicationId, Publication),
    /// A chunk came for the reader of a transfer.
    Deliver(TransferId, Bytes, Option<TransferEnd>),
    /// The writer of a transfer may write this many more chunks.
    Room(TransferId, u64),
    /// The reader of a transfer wants no more, or is gone.
    Stopped(TransferId),
    /// A frame was no frame of this cluster; it was dropped.
    BadFrame(FrameError),
    /// The session changed.
    Session(SessionState),
    /// The node cannot be a member of this cluster.
    Refused(Refusal),
}

/// Which connection to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Connection {
    /// For everything that answers at once.
    Commands,
    /// For reading calls.
    Requests,
    /// For reading everything else.
    Replies,
}

impl Connection {
    pub(crate) const ALL: [Self; 3] = [Self::Commands, Self::Requests, Self::Replies];
}

/// Names a command that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names a run of a call on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// Names revalidations on their way to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicationId(pub u64);

/// A client's call.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Its name.
    pub call: CallId,
    /// What is called.
    pub action: ActionId,
    /// The bucket.
    pub slot: Slot,
    /// The line it waits in, empty for `serial`; `None` where it waits for no other.
    pub key: Option<String>,
    /// The client's word that calls are one.
    pub idempotency: Option<Idempotency>,
    /// Whether running it twice is the same as once.
    pub idempotent: bool,
    /// When its client is told that its time is over.
    pub deadline: Instant,
    /// Tags that are stale after every run of it.
    pub revalidates: Vec<String>,
    /// For the action; opaque.
    pub context: Bytes,
    /// The encoded arguments, or how they begin; opaque.
    pub arguments: Bytes,
    /// Whether more arguments follow, by [`Input::Write`].
    pub arguments_follow: bool,
}

/// A call that is to be started.
#[derive(Clone, Debug)]
pub struct Start {
    /// This run.
    pub run: RunId,
    /// Which call.
    pub call: CallId,
    /// Which attempt.
    pub attempt: u32,
    /// What is called.
    pub action: ActionId,
    /// Its line.
    pub key: Option<String>,
    /// Of a keyed call.
    pub token: Option<FencingToken>,
    /// Not to be started at or after this instant.
    pub not_after: Instant,
    /// When its client is told that its time is over.
    pub deadline: Instant,
    /// When it came to this node: from then on it waited for its turn.
    pub came: Instant,
    /// Whether it was submitted here: then whoever submitted it has context and arguments.
    pub local: bool,
    /// For the action.
    pub context: Bytes,
    /// The encoded arguments.
    pub arguments: Bytes,
    /// Whether more arguments follow.
    pub arguments_follow: bool,
    /// Set if what it ends in is kept for its idempotency key: for how many seconds.
    pub retention_s: Option<u32>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It ran.
    Ran {
        /// Whether its outcome is the action's own error.
        failed: bool,
        /// What the front end answers with; opaque.
        outcome: Bytes,
        /// What is kept of it for its idempotency key, if that is something else.
        kept: Option<Bytes>,
        /// Whether it revalidates something, so that it has to be published.
        revalidates: bool,
        /// Whether more of the outcome follows, by [`Input::Write`].
        rest: bool,
    },
    /// It did not start, and never will: no room for it, or it was too late.
    NotStarted(CallAnswer),
}

/// What a client is answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Which call.
    pub call: CallId,
    /// What is known of it.
    pub answer: CallAnswer,
    /// Which attempt that is of.
    pub attempt: u32,
    /// The run, if it ran here: whoever ran it has the outcome.
    pub run: Option<RunId>,
    /// The outcome of a call that ran elsewhere, or of one that was replayed.
    pub outcome: Bytes,
    /// Where its revalidations stand.
    pub position: Option<LogPosition>,
    /// The transfer that brings more of the outcome.
    pub rest: Option<TransferId>,
}

/// What is to be published.
#[derive(Clone, Debug, PartialEq)]
pub enum Publication {
    /// What this run asked for.
    Of(RunId),
    /// What an action declared, because a run of it may have been lost.
    Declared(Vec<String>),
}

/// Why a node cannot be a member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would sign with other keys than the members.
    #[error(
        "the keys with ids {ids:?} differ from those of the other nodes: give every node the same CALLBOARD_KEYS"
    )]
    KeysDisagree {
        /// The ids.
        ids: Vec<u8>,
    },
}

/// What a command was asked for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    OpenInbox(Boot),
    Join(Boot),
    Restore(Boot),
    Renew(Boot),
    Leases(Vec<Boot>),
    View,
    AckView,
    Drain,
    Leave,
    Open,
    Send(Boot, Stream),
    ReadRequests(Boot),
    ReadClaimed(Boot),
    ReadReplies(Boot),
    Settle(Boot, Vec<EntryId>),
    Trim,
    Fence(Boot),
    Evict,
    Orphan(Boot),
    OrphanDone(Boot),
    Begin(RunId),
    Resolve,
    Abandon(Box<Command>),
    Finish(RunId),
}

/// A command that was asked and not answered.
#[derive(Debug)]
struct Asked {
    connection: Connection,
    purpose: Purpose,
    at: Instant,
    until: Instant,
}

/// The core's side of its inputs and outputs.
#[derive(Debug)]
pub(crate) struct Io {
    pub(crate) now: Instant,
    pub(crate) settings: Arc<Settings>,
    pub(crate) mutants: Mutants,
    pub(crate) counters: Counters,
    outputs: Vec<Output>,
    requests: u64,
    asked: BTreeMap<RequestId, Asked>,
    /// When each of them has gone without an answer for too long.
    patience: BTreeSet<(Instant, RequestId)>,
    links: [Link; 3],
    timers: BTreeSet<(Instant, Timer)>,
    /// Nothing is asked before this instant: the store refused something.
    paused_until: Instant,
}

/// How a connection stands.
#[derive(Clone, Debug, Default, PartialEq)]
enum Link {
    /// Not wanted.
    #[default]
    Closed,
    /// Asked for.
    Opening,
    /// To be asked for at this instant.
    Waiting(Instant),
    /// There, to a store of this incarnation.
    Open(Incarnation),
}

/// What to look at when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Something level-triggered; the step itself looks.
    Look,
    Renew,
    Call(CallId),
    Run(RunId),
}

impl Io {
    pub(crate) fn new(settings: Arc<Settings>, mutants: Mutants) -> Self {
        Self {
            now: Instant::default(),
            settings,
            mutants,
            counters: Counters::default(),
            outputs: Vec::new(),
            requests: 0,
            asked: BTreeMap::new(),
            patience: BTreeSet::new(),
            links: Default::default(),
            timers: BTreeSet::new(),
            paused_until: Instant::default(),
        }
    }

    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        self.mutants.has(mutant)
    }

    pub(crate) fn put(&mut self, output: Output) {
        self.outputs.push(output);
    }

    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Whether commands may be asked now.
    pub(crate) fn can_ask(&self, connection: Connection) -> bool {
        self.now >= self.paused_until && matches!(self.links[connection as usize], Link::Open(_))
    }

    /// The incarnation that a connection leads to, if it is there.
    pub(crate) fn incarnation(&self, connection: Connection) -> Option<&Incarnation> {
        match &self.links[connection as usize] {
            Link::Open(incarnation) => Some(incarnation),
            _ => None,
        }
    }

    /// Asks the store. Only where [`Self::can_ask`] says so.
    pub(crate) fn ask(&mut self, connection: Connection, command: Command, purpose: Purpose) {
        self.requests += 1;
        let request = RequestId(self.requests);
        let patience = match connection {
            Connection::Commands => self.settings.command_timeout,
            _ => self.settings.command_timeout + self.settings.block,
        };
        let until = self.now + patience;
        self.asked.insert(request, Asked { connection, purpose, at: self.now, until });
        self.patience.insert((until, request));
        self.put(Output::Perform(request, connection, command));
    }

    /// What a command was asked for and when, if its answer is still awaited.
    pub(crate) fn answered(&mut self, request: RequestId) -> Option<(Purpose, Instant)> {
        let asked = self.asked.remove(&request)?;
        self.patience.remove(&(asked.until, request));
        Some((asked.purpose, asked.at))
    }

    /// A connection that has gone without an answer for too long.
    pub(crate) fn overdue(&self) -> Option<Connection> {
        let (_, request) = self.patience.first().filter(|(until, _)| *until <= self.now)?;
        Some(self.asked[request].connection)
    }

    /// Pauses everything after a refusal.
    pub(crate) fn pause(&mut self) {
        self.paused_until = self.now + self.settings.retry;
        self.wake_at(self.paused_until);
    }

    /// Wants a connection.
    pub(crate) fn connect(&mut self, connection: Connection) {
        let link = &mut self.links[connection as usize];
        match link {
            Link::Closed => {
                *link = Link::Opening;
                self.put(Output::Connect(connection));
            }
            Link::Waiting(at) if *at <= self.now => {
                *link = Link::Opening;
                self.put(Output::Connect(connection));
            }
            _ => {}
        }
    }

    /// A connection was made; whether it is still wanted. One that was given up meanwhile is asked for again.
    pub(crate) fn connected(&mut self, connection: Connection, incarnation: Incarnation) -> bool {
        let link = &mut self.links[connection as usize];
        let wanted = *link == Link::Opening;
        if wanted {
            *link = Link::Open(incarnation);
        }
        wanted
    }

    /// Closes a connection and gives back what was asked on it; it is made again after a pause if it is wanted.
    pub(crate) fn disconnect(&mut self, connection: Connection) -> Vec<(Purpose, Instant)> {
        if matches!(self.links[connection as usize], Link::Open(_) | Link::Opening) {
            self.put(Output::Disconnect(connection));
        }
        self.lost(connection)
    }

    /// Closes a connection for good.
    pub(crate) fn close(&mut self, connection: Connection) {
        self.disconnect(connection);
        self.links[connection as usize] = Link::Closed;
    }

    /// A connection is gone; gives back what was asked on it.
    pub(crate) fn lost(&mut self, connection: Connection) -> Vec<(Purpose, Instant)> {
        let again = self.now + self.settings.retry;
        self.links[connection as usize] = Link::Waiting(again);
        self.wake_at(again);
        let lost: Vec<_> = self
            .asked
            .iter()
            .filter(|(_, asked)| asked.connection == connection)
            .map(|(request, _)| *request)
            .collect();
        lost.into_iter().filter_map(|request| self.answered(request)).collect()
    }

    /// Looks at everything again at an instant; one that has passed was looked at.
    pub(crate) fn wake_at(&mut self, at: Instant) {
        if at <= self.now {
            return;
        }
        self.timers.insert((at, Timer::Look));
    }

    pub(crate) fn wake_after(&mut self, after: Duration) {
        self.wake_at(self.now + after);
    }

    pub(crate) fn set_timer(&mut self, at: Instant, timer: Timer) {
        self.timers.insert((at, timer));
    }

    pub(crate) fn clear_timer(&mut self, at: Instant, timer: Timer) {
        self.timers.remove(&(at, timer));
    }

    /// The next timer whose time has come.
    pub(crate) fn due(&mut self) -> Option<Timer> {
        let first = *self.timers.first().filter(|(at, _)| *at <= self.now)?;
        self.timers.remove(&first);
        Some(first.1)
    }

    /// When the core wants to be woken.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let patience = self.patience.first().map(|(at, _)| *at);
        timer.into_iter().chain(patience).min()
    }
}
