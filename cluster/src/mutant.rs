//! Rules of the protocol, broken one at a time: the tests must notice each.
//!
//! Only with the feature `mutants` can one be chosen; without it every question is answered `false` at compile time.

macro_rules! mutants {
    ($($(#[doc = $list_doc:literal])* $list:ident { $($name:ident = $number:literal: $doc:literal,)* })*) => {
        /// A rule that is left out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Mutant {
            $($(#[doc = $doc] $name,)*)*
        }

        impl Mutant {
            $($(#[doc = $list_doc])* pub const $list: &[Self] = &[$(Self::$name,)*];)*

            /// Every mutant.
            pub fn all() -> impl Iterator<Item = Self> {
                [$(Self::$list),*].into_iter().flatten().copied()
            }

            /// Its name in the documents, such as `M1`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $($(Self::$name => $number,)*)* }
            }

            /// What it does.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $($(Self::$name => $doc,)*)* }
            }
        }
    };
}

mutants! {
/// Rules of calls between nodes.
CALLS {
    FenceHandsOver = "M1": "the fence gives its lists to the fencer and deletes them",
    EvictFirst = "M2": "a member is evicted before it is fenced",
    FenceAnyCounter = "M3": "the fence does not compare the counter",
    ImpatientObserver = "M4": "observers wait a third of the time",
    HoldTooLong = "M5": "a session holds longer than the fence waits",
    HoldFromReply = "M6": "the hold is measured from the renewal's reply",
    NoHoldCheck = "M7": "nobody asks whether the session still holds before a call starts",
    OrphanReadEarly = "M8": "an orphan is answered from what was read before the fence",
    ClaimedMoved = "M9": "claimed entries of an orphan are answered as not run",
    CursorDropped = "M10": "the fence drops the cursors of the senders",
    RerouteOnSilence = "M11": "a frame without an answer is sent to another session",
    NoCursor = "M12": "frames are appended without a cursor",
    AnyIncarnation = "M13": "the incarnation of frames is not compared",
    ResendAfterLoss = "M14": "a frame in doubt is sent again after the incarnation changed",
    AnyAttempt = "M15": "the attempt of replies is not compared",
    NotRunAfterMaybe = "M16": "not-run is said of a call of which an attempt may have started",
    ExpiredAfterSend = "M17": "the caller says that a call which it sent has expired",
    MovedButKept = "M18": "the queue is answered as moved, and kept",
    ClaimedNeverReread = "M19": "claimed entries are never read again",
    GapsIgnored = "M20": "gaps in the numbers of frames are ignored",
    NoDeadlineCheck = "M21": "nobody asks for the deadline before a call starts",
    SettleFirst = "M22": "entries are forgotten before their answers are appended",
    ReplyFirst = "M23": "the answer goes out before the revalidations are published",
    LeaveFull = "M24": "a member leaves although its inbox is not empty",
    NoWaitForAcks = "M25": "a new owner of a slot waits for nobody",
    BusyHidden = "M26": "nobody says which slots it still runs calls of",
    NoHoldAfterLoss = "M27": "keyed calls run at once after the store lost its memory",
    CountingVersion = "M28": "the version of the view grows by one, whatever the clock says",
    TokenNotRaised = "M29": "tokens are not raised when the store is opened again",
    KeyAtTwoBoots = "M30": "calls of a key are sent to two sessions at once",
    OvertakenRuns = "M31": "a call that moved runs although a later one of its key was done",
    BeginOverwrites = "M32": "the begin of a run overwrites the record that is there",
    DeadRunnerForgotten = "M33": "the record of a run whose session is gone is deleted",
    ChunksNotResent = "M34": "chunks are not sent again when the reader has a new session",
    ChunksUnordered = "M35": "chunks are taken in whatever order they come",
    BrokenIsComplete = "M36": "a transfer that broke off counts as complete",
    NoCredit = "M37": "the writer of a transfer waits for no credit",
    WriterLossUnseen = "M38": "nobody notices that the writer of a transfer is gone",
    CancelIsNotRun = "M39": "a call that was cancelled after it was sent is answered as not run",
    CancelStarts = "M40": "a cancelled call that waits is started all the same",
    MemoryUnchecked = "M41": "nobody asks whether the store still has the memory that a connection learned of",
}
/// Rules of the log of revalidations and of the render cache.
CACHE {
    NoLease = "C1": "kept renders are served without a lease, and strict waits for the log alone",
    AnswerAtOnce = "C2": "strict waits for the log alone",
    BirthAtEnd = "C3": "the birth of a render is read when it ends",
    GapBlind = "C4": "whatever is pushed is applied, whether something is missing before it or not",
    LeaseBeforeEntries = "C5": "a lease counts although what came with it is not applied",
    JoinUnchecked = "C6": "a request joins a running render whatever was revalidated since its birth",
    FencedJoins = "C7": "a request without a lease joins a render that ran before it arrived",
    AnyMemory = "C8": "the epoch goes on although the store is of another memory",
    NoGrace = "C9": "the watermark of a new epoch counts while leases of the one before may hold",
    NoConfirm = "C10": "after the wait nobody asks whether the epoch is the same",
    LeaseFromReply = "C11": "a lease is measured from the renewal's reply",
    NoMargin = "C12": "the wait is shorter than a lease",
    KeptAfterLease = "C13": "renders are kept in a new epoch although the lease had ended",
    SoftRevives = "C14": "a soft mark revives what a hard one killed",
    SessionAtOnce = "C15": "session does not wait for the log",
    EpochForgets = "C16": "what stood in the epoch before is not published again",
    DeclaredForgotten = "C17": "what a dead node declared is not published",
    TrimmedIsComplete = "C18": "a log that was trimmed is taken as complete",
    GraceUnconfirmed = "C19": "the grace of an epoch ends by the clock, and nobody asks whether the epoch is the same",
    AnsweredForgotten = "C20": "what was answered before all had applied it is not published again in a new epoch",
    LostCountsAsApplied = "C21": "a position that was lost with its epoch counts as applied",
    LeaseOutlivesLeave = "C22": "a node that leaves goes on with its lease",
    UnknownSkipped = "C23": "an entry that cannot be read makes nothing stale",
    EarlyAcknowledged = "C24": "what is not applied yet is acknowledged",
    ReapedAlive = "C25": "a node is forgotten while its lease may hold",
    WatermarkOfAnyEpoch = "C26": "the watermark of another epoch counts",
    GrantsRecounted = "C27": "leases are counted anew for a reader that was forgotten and comes back",
    ReapedAtOnce = "C28": "what a dead node declared is forgotten as soon as it stands in the log",
    PublisherHasAll = "C29": "whoever publishes counts as having applied what stands before its entry",
    LeavesBehind = "C30": "what is published while a node leaves is lost",
    FloorAhead = "C31": "everything counts as dead before that is applied",
}
}

/// Which rules are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mutants {
    #[cfg(feature = "mutants")]
    chosen: Option<Mutant>,
}

impl Mutants {
    /// All rules hold.
    pub const NONE: Self = Self {
        #[cfg(feature = "mutants")]
        chosen: None,
    };

    /// One rule is left out.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub const fn only(mutant: Mutant) -> Self {
        Self { chosen: Some(mutant) }
    }

    /// Whether this rule is left out.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn has(self, mutant: Mutant) -> bool {
        self.chosen == Some(mutant)
    }

    /// Whether this rule is left out.
    #[cfg(not(feature = "mutants"))]
    #[must_use]
    pub const fn has(self, _mutant: Mutant) -> bool {
        false
    }
}
