//! What must always hold, by the names that the documents use.

/// A rule of the protocol. Simulation, assertions and metrics know it by this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invariant {
    /// An attempt starts at most once; a call too, unless declared idempotent.
    Call1,
    /// A call that was answered as not run has not started and never will.
    Call2,
    /// A caller that lives answers each call exactly once, by its deadline and a grace.
    Call3,
    /// Every entry of a fenced inbox gets a decision.
    Call4,
    /// No attempt starts after its deadline, as far as two clocks can tell.
    Call5,
    /// Frames are appended exactly once, in order, per sender and stream.
    Frame1,
    /// Frames of one sender are processed in the order of their numbers.
    Frame2,
    /// When a fence succeeds, the holder starts nothing any more.
    Fence1,
    /// A session is fenced at most once and never comes back.
    Fence2,
    /// Two readers of an orphan say the same.
    Orph1,
    /// No two sessions run calls of a key in overlap, except after a fence, and then with a higher token.
    Key1,
    /// Calls of one caller for one key that are all answered as done ran in the order of acceptance.
    Key2,
    /// Tokens of a key never go back.
    Key3,
    /// One start per idempotency key.
    Idem1,
    /// A replay returns the outcome of a finished run of its key.
    Idem2,
    /// What was answered as done has its revalidations in the log; an orphan's unknown, too.
    Rev1,
    /// An entry is forgotten only once its answers are appended, or nobody can take them.
    Ack1,
    /// Nothing that was written under another incarnation is sent, started or called not run.
    Inc1,
    /// After faults end, new calls succeed and nothing is left behind.
    Live1,
    /// A reader gets a prefix of what its writer wrote, each byte once and in order.
    Xfer1,
    /// A transfer counts as complete only if all of it came; one that broke off says so.
    Xfer2,
    /// Never more chunks of a transfer are under way than its credit.
    Xfer3,
    /// Every transfer ends at both ends.
    Xfer4,
    /// A cancelled call is dropped before it starts or told while it runs, and never called not run for that.
    Cancel1,
}

impl Invariant {
    /// Every invariant.
    pub const ALL: [Self; 24] = [
        Self::Call1,
        Self::Call2,
        Self::Call3,
        Self::Call4,
        Self::Call5,
        Self::Frame1,
        Self::Frame2,
        Self::Fence1,
        Self::Fence2,
        Self::Orph1,
        Self::Key1,
        Self::Key2,
        Self::Key3,
        Self::Idem1,
        Self::Idem2,
        Self::Rev1,
        Self::Ack1,
        Self::Inc1,
        Self::Live1,
        Self::Xfer1,
        Self::Xfer2,
        Self::Xfer3,
        Self::Xfer4,
        Self::Cancel1,
    ];

    /// Its name in the documents.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Call1 => "CALL-1",
            Self::Call2 => "CALL-2",
            Self::Call3 => "CALL-3",
            Self::Call4 => "CALL-4",
            Self::Call5 => "CALL-5",
            Self::Frame1 => "FRAME-1",
            Self::Frame2 => "FRAME-2",
            Self::Fence1 => "FENCE-1",
            Self::Fence2 => "FENCE-2",
            Self::Orph1 => "ORPH-1",
            Self::Key1 => "KEY-1",
            Self::Key2 => "KEY-2",
            Self::Key3 => "KEY-3",
            Self::Idem1 => "IDEM-1",
            Self::Idem2 => "IDEM-2",
            Self::Rev1 => "REV-1",
            Self::Ack1 => "ACK-1",
            Self::Inc1 => "INC-1",
            Self::Live1 => "LIVE-1",
            Self::Xfer1 => "XFER-1",
            Self::Xfer2 => "XFER-2",
            Self::Xfer3 => "XFER-3",
            Self::Xfer4 => "XFER-4",
            Self::Cancel1 => "CANCEL-1",
        }
    }
}

/// What a node counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sessions this node fenced.
    pub fenced: u64,
    /// Sessions of this node that ended although nobody asked for it.
    pub sessions_lost: u64,
    /// Calls that were answered as moved, by this node as their owner or as the reader of an orphan.
    pub moved: u64,
    /// Calls that were answered as unknown for a node that died.
    pub unknown: u64,
    /// Calls that were sent again by this node.
    pub resent: u64,
    /// Calls and answers in the frames that it sent.
    pub messages: u64,
    /// Frames that were no frames of this cluster, by reason in the log.
    pub bad_frames: u64,
    /// Invariants that did not hold, as seen from within one node: a mistake of ours.
    pub violations: u64,
}

impl Counters {
    /// Counts a broken invariant; a debug build stops.
    pub(crate) fn violated(&mut self, invariant: Invariant, what: &str) {
        self.violations += 1;
        debug_assert!(false, "{} does not hold: {what}", invariant.id());
    }
}
