//! The port to the place that all nodes of a cluster share: commands as data, each atomic, each safe to repeat.
//!
//! Adapters are the memory [`Store`](crate::memory::Store), on which simulations run, and Redis; one conformance suite holds
//! both to the same answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use callboard_protocol::{
    action::CallId,
    envelope::Idempotency,
    identity::{Boot, Incarnation, ProcessId, RedisMillis, ViewVersion},
};

use crate::Slot;

/// Something asked of the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Create inbox and lease of a session that will join. [`Answer::Opened`].
    OpenInbox {
        /// The session.
        boot: Boot,
    },
    /// Become a member, as long as the store is of the incarnation that the connection learned. Where the view is of
    /// another one, every member of it becomes an orphan first. [`Answer::Joined`] or why not.
    Join {
        /// The session.
        boot: Boot,
        /// What others know of it.
        profile: Profile,
        /// What the connection learned.
        incarnation: Incarnation,
        /// Slots of which calls of an earlier session still run.
        busy: BTreeSet<Slot>,
    },
    /// Go on being a member. [`Answer::Renewed`] or [`Answer::Fenced`].
    Renew {
        /// The session.
        boot: Boot,
    },
    /// Read the renewal counters of these sessions. [`Answer::Leases`], in the same order.
    Leases {
        /// Whose.
        boots: Vec<Boot>,
    },
    /// Read who is a member. [`Answer::View`].
    View,
    /// Append a frame to a stream of a session, once. [`Answer::Sent`].
    Send {
        /// Whose stream.
        to: Boot,
        /// Which of its two.
        stream: Stream,
        /// Who sends.
        sender: ProcessId,
        /// The frame's number among those that this sender appended to the stream.
        number: u64,
        /// The frame.
        frame: Bytes,
    },
    /// Claim new request frames, waiting for the first. [`Answer::Frames`], or [`Answer::Gone`] once the inbox is.
    ReadRequests {
        /// Whose inbox.
        boot: Boot,
        /// How many at most.
        frames_max: usize,
    },
    /// Read again what was claimed and not settled, after an entry. [`Answer::Frames`] or [`Answer::Gone`].
    ReadClaimed {
        /// Whose inbox.
        boot: Boot,
        /// After which entry.
        after: EntryId,
        /// How many at most.
        frames_max: usize,
    },
    /// Read reply frames after an entry, waiting for the first. [`Answer::Frames`] or [`Answer::Gone`].
    ReadReplies {
        /// Whose inbox.
        boot: Boot,
        /// After which entry.
        after: EntryId,
        /// How many at most.
        frames_max: usize,
    },
    /// Forget claimed request entries whose calls are all answered. [`Answer::Done`].
    Settle {
        /// Whose inbox.
        boot: Boot,
        /// Which entries.
        entries: Vec<EntryId>,
    },
    /// Forget reply entries up to this one. [`Answer::Done`].
    TrimReplies {
        /// Whose inbox.
        boot: Boot,
        /// The last one to forget.
        through: EntryId,
    },
    /// End a session whose lease still has this counter: its streams are renamed and so frozen.
    /// [`Answer::Fencing`].
    Fence {
        /// Whose.
        boot: Boot,
        /// The counter that did not move.
        counter: u64,
    },
    /// Make a member whose lease is gone an orphan. [`Answer::View`].
    Evict {
        /// Which.
        boot: Boot,
    },
    /// Read what a fenced session left, a piece of it. [`Answer::Orphan`].
    Orphan {
        /// Whose.
        boot: Boot,
        /// Requests after this entry, oldest first.
        requests_after: EntryId,
        /// Replies after this entry, oldest first.
        replies_after: EntryId,
        /// How many frames of each of its streams at most.
        frames_max: usize,
    },
    /// Forget entries of an orphan that were answered, and the orphan once nothing is left of it. [`Answer::Done`].
    OrphanDone {
        /// Whose.
        boot: Boot,
        /// Request entries.
        requests: Vec<EntryId>,
        /// Reply entries.
        replies: Vec<EntryId>,
    },
    /// Say up to which version this member applies the view, and which slots it does not own but still runs calls
    /// of. [`Answer::Done`].
    AckView {
        /// Who says so.
        boot: Boot,
        /// The version.
        version: ViewVersion,
        /// The slots.
        busy: BTreeSet<Slot>,
        /// Grows with each thing this session says: an older one that comes later counts for nothing.
        number: u64,
    },
    /// Own nothing any more. [`Answer::View`].
    Drain {
        /// Who.
        boot: Boot,
    },
    /// Stop being a member, if nothing is left in the inbox. [`Answer::Left`].
    Leave {
        /// Who.
        boot: Boot,
    },
    /// Let keyed calls run, if the store is still of this incarnation. [`Answer::View`].
    Open {
        /// The incarnation.
        incarnation: Incarnation,
    },
    /// Begin the one run of an idempotency key. [`Answer::Idempotency`].
    IdempotencyBegin {
        /// Key and digest of the body.
        idempotency: Idempotency,
        /// Who would run it.
        boot: Boot,
        /// Which call.
        call: CallId,
        /// Which attempt at it. There is a later one only when the earlier ones certainly do not start any more.
        attempt: u32,
        /// Run it although an earlier run's outcome is unknown: its action is declared idempotent.
        again: bool,
    },
    /// Keep the outcome of a run. [`Answer::Done`].
    IdempotencyFinish {
        /// Key and digest of the body.
        idempotency: Idempotency,
        /// Which call.
        call: CallId,
        /// What came of it.
        outcome: Bytes,
        /// How long it is kept, in milliseconds.
        retention_ms: u64,
    },
    /// Forget a begun run that certainly did not start. [`Answer::Done`].
    IdempotencyAbandon {
        /// Key and digest of the body.
        idempotency: Idempotency,
        /// Who began it.
        boot: Boot,
        /// Which call.
        call: CallId,
        /// Which attempt at it.
        attempt: u32,
    },
    /// If a run is still under way by the record and its session is gone: its outcome is unknown.
    /// [`Answer::Done`].
    IdempotencyResolve {
        /// Key and digest of the body.
        idempotency: Idempotency,
        /// Who ran it.
        boot: Boot,
        /// Which call.
        call: CallId,
        /// Which attempt at it.
        attempt: u32,
    },
    /// Put back what a node knows of a key, after the store may have lost it. [`Answer::Done`].
    IdempotencyRestore {
        /// Key and digest of the body.
        idempotency: Idempotency,
        /// What it knows.
        record: Record,
        /// How long it is kept, in milliseconds.
        retention_ms: u64,
    },
}

impl Command {
    /// As it is counted.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::OpenInbox { .. } => "open-inbox",
            Self::Join { .. } => "join",
            Self::Renew { .. } => "renew",
            Self::Leases { .. } => "leases",
            Self::View => "view",
            Self::Send { .. } => "send",
            Self::ReadRequests { .. } => "read-requests",
            Self::ReadClaimed { .. } => "read-claimed",
            Self::ReadReplies { .. } => "read-replies",
            Self::Settle { .. } => "settle",
            Self::TrimReplies { .. } => "trim-replies",
            Self::Fence { .. } => "fence",
            Self::Evict { .. } => "evict",
            Self::Orphan { .. } => "orphan",
            Self::OrphanDone { .. } => "orphan-done",
            Self::AckView { .. } => "ack-view",
            Self::Drain { .. } => "drain",
            Self::Leave { .. } => "leave",
            Self::Open { .. } => "open",
            Self::IdempotencyBegin { .. } => "idempotency-begin",
            Self::IdempotencyFinish { .. } => "idempotency-finish",
            Self::IdempotencyAbandon { .. } => "idempotency-abandon",
            Self::IdempotencyResolve { .. } => "idempotency-resolve",
            Self::IdempotencyRestore { .. } => "idempotency-restore",
        }
    }

    /// Whether it is answered only when there is something to tell.
    #[must_use]
    pub fn waits(&self) -> bool {
        matches!(self, Self::ReadRequests { .. } | Self::ReadReplies { .. })
    }
}

/// What the store says to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is done, now or before.
    Done,
    /// Whether the inbox is there.
    Opened(bool),
    /// It is a member.
    Joined {
        /// The view, with the new member.
        view: View,
        /// The store's clock.
        time: RedisMillis,
    },
    /// The store is of another incarnation than the connection learned.
    Stale,
    /// These key ids have other keys at a member.
    KeysDisagree(Vec<u8>),
    /// The session's lease is gone.
    Fenced,
    /// It goes on.
    Renewed(Renewal),
    /// Counter of each lease, `None` where it is gone.
    Leases(Vec<Option<u64>>),
    /// Who is a member; `None` where nobody ever joined.
    View(Option<View>),
    /// What became of a frame.
    Sent(Sent),
    /// Frames, oldest first.
    Frames(Vec<(EntryId, Bytes)>),
    /// The stream is not there.
    Gone,
    /// Whether this command ended the session.
    Fencing(bool),
    /// What an orphan left; `None` where nothing is left.
    Orphan(Option<Orphan>),
    /// Whether it is no member any more.
    Left(bool),
    /// What to do with a call that has an idempotency key.
    Idempotency(Verdict),
}

/// What a renewal says.
#[derive(Clone, Debug, PartialEq)]
pub struct Renewal {
    /// The lease's counter.
    pub counter: u64,
    /// The store's incarnation.
    pub incarnation: Incarnation,
    /// The store's clock.
    pub time: RedisMillis,
    /// How many entries are claimed and not settled.
    pub claimed: usize,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Appended.
    Now,
    /// Appended before.
    Before,
    /// Appended before the session was fenced.
    Kept,
    /// The session is gone, and the frame was never appended.
    Gone,
    /// Not appended, and its number is not used up: the inbox is full.
    Full,
}

/// Why a command has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was certainly not executed, and will not be. The store's own words say why.
    Refused(String),
    /// It may have been executed, or will be.
    Silent,
}

/// Which stream of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Calls. Read only while there is room for them.
    Requests,
    /// Everything else. Always read.
    Replies,
}

/// Where an entry stands in its stream: `<milliseconds>-<number>`, growing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// Milliseconds on the store's clock, or as many as the entry before.
    pub ms: u64,
    /// Which of that millisecond.
    pub number: u64,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.number)
    }
}

/// What a member says of itself when it joins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The build whose actions it runs.
    pub build: u128,
    /// Hashes of the names of its actions that have a key or are serial: these are owned by one member of all that
    /// have them, whatever their builds.
    pub lined: BTreeSet<u64>,
    /// Its signing keys: id and fingerprint.
    pub keys: BTreeMap<u8, u64>,
}

/// Who is a member, of which session, since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Grows with each change of membership.
    pub version: ViewVersion,
    /// The store's memory that it is of.
    pub incarnation: Incarnation,
    /// Whether keyed calls may run.
    pub open: bool,
    /// The version at which they were first allowed to.
    pub opened: ViewVersion,
    /// The members.
    pub members: BTreeMap<Boot, Member>,
    /// Sessions that are gone and left something.
    pub orphans: BTreeSet<Boot>,
}

/// One session in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it said of itself.
    pub profile: Profile,
    /// Whether it takes no more calls.
    pub draining: bool,
    /// Up to which version it applies the view.
    pub acked: ViewVersion,
    /// Slots that it does not own but still runs calls of.
    pub busy: BTreeSet<Slot>,
}

/// What a fenced session left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphan {
    /// Request frames that it may have started.
    pub claimed: Vec<(EntryId, Bytes)>,
    /// Request frames that it cannot have started.
    pub undelivered: Vec<(EntryId, Bytes)>,
    /// Reply frames, read or not.
    pub replies: Vec<(EntryId, Bytes)>,
}

/// What is known of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// It runs.
    Running {
        /// Who runs it.
        boot: Boot,
        /// Which call.
        call: CallId,
        /// Which attempt at it.
        attempt: u32,
    },
    /// It ran.
    Done {
        /// Which call.
        call: CallId,
        /// What came of it.
        outcome: Bytes,
    },
    /// It may have run.
    Unknown {
        /// Who ran it.
        boot: Boot,
        /// Which call.
        call: CallId,
    },
}

impl Record {
    /// Which call has the key.
    #[must_use]
    pub fn call(&self) -> CallId {
        match self {
            Self::Running { call, .. } | Self::Done { call, .. } | Self::Unknown { call, .. } => *call,
        }
    }
}

/// How long a record of a run stays if nobody ends it, in milliseconds: a day, the default retention of outcomes.
pub(crate) const RUNNING_MS: u64 = 24 * 60 * 60 * 1000;

/// What to do with a call that has an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Run it.
    Run,
    /// The key came with another body.
    Conflict,
    /// Another call has the key.
    Taken(Record),
}
