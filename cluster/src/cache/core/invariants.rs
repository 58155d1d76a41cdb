//! What must always hold, by the names that the documents use, and what a node counts.

/// A rule of the log of revalidations, as far as one node can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invariant {
    /// Entries are applied one after the other, without a gap.
    Log1,
    /// What is applied never goes back.
    Log2,
    /// A lease counts only once everything is applied that stood in the log when it was granted.
    Lease1,
    /// A publication is answered only once what it says is applied here.
    Pub1,
}

impl Invariant {
    /// Every invariant.
    pub const ALL: [Self; 4] = [Self::Log1, Self::Log2, Self::Lease1, Self::Pub1];

    /// Its name in the documents.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Log1 => "LOG-1",
            Self::Log2 => "LOG-2",
            Self::Lease1 => "LEASE-1",
            Self::Pub1 => "PUB-1",
        }
    }
}

/// What a node counts of the log of revalidations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Leases that were granted to it.
    pub leases: u64,
    /// Leases that ended before the next was there.
    pub lapses: u64,
    /// Entries it applied.
    pub applied: u64,
    /// Holes in what was pushed that were there long enough to read the log.
    pub gaps: u64,
    /// Times everything it kept became stale: a new epoch, a log that was trimmed, an entry it could not read.
    pub flushes: u64,
    /// Epochs it entered with what it kept.
    pub carried_over: u64,
    /// Entries it appended.
    pub published: u64,
    /// Publications that it appended again, as their epoch was over before everybody had them.
    pub published_again: u64,
    /// Times more was to be published than is remembered, and everything was made stale instead.
    pub overflows: u64,
    /// Entries of this node that every reader was known to have applied.
    pub confirmed_fast: u64,
    /// Entries of this node for which every lease of before was waited out.
    pub confirmed_slowly: u64,
    /// Readers that this node found dead.
    pub reaped: u64,
    /// Invariants that did not hold, as seen from within one node: a mistake of ours.
    pub violations: u64,
}

impl Counters {
    /// Counts a broken invariant; a debug build stops.
    pub(super) fn violated(&mut self, invariant: Invariant, what: &str) {
        self.violations += 1;
        debug_assert!(false, "{} does not hold: {what}", invariant.id());
    }
}
