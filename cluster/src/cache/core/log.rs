//! This node's copy of the log: what is applied, and what came too early to be.

use std::collections::BTreeSet;

use callboard_protocol::revalidation::LogPosition;

use super::{Core, Invariant};
use crate::{
    cache::store::{Entry, Following, Staleness},
    clock::Instant,
    mutant::Mutant,
};

#[derive(Debug, Default)]
pub(super) struct Log {
    applied: LogPosition,
    /// Places of entries whose tags are raised, and before which one is missing.
    early: BTreeSet<LogPosition>,
    /// Since when one is missing.
    gap_since: Option<Instant>,
}

impl Log {
    pub(super) fn applied(&self) -> LogPosition {
        self.applied
    }

    pub(super) fn gap_since(&self) -> Option<Instant> {
        self.gap_since
    }

    /// The log was read: what is still missing counts from now.
    pub(super) fn gap_read(&mut self, now: Instant) {
        self.gap_since = (!self.early.is_empty()).then_some(now);
    }

    /// The last place of which something is known.
    pub(super) fn last(&self) -> LogPosition {
        self.early.last().map_or(self.applied, |last| self.applied.max(*last))
    }

    fn next(&self) -> LogPosition {
        next(self.applied)
    }
}

/// The place after this one.
pub(super) fn next(position: LogPosition) -> LogPosition {
    LogPosition::from_u64(position.as_u64() + 1)
}

impl Core {
    /// An entry was pushed.
    pub(super) fn pushed(&mut self, entry: &Entry) {
        self.take_entry(entry);
        if self.io.has(Mutant::GapBlind) && Some(entry.position.epoch()) == self.epochs.current() {
            self.log.early.clear();
            self.log.applied = self.log.applied.max(entry.position);
            self.versions.set_applied(self.log.applied);
        }
    }

    /// Applies an entry if it is the next, and everything that waited for it. One that is early raises its tags at once,
    /// which kills at worst more than it has to, and is not applied.
    pub(super) fn take_entry(&mut self, entry: &Entry) {
        let position = entry.position;
        if !self.see(position) || position <= self.log.applied || self.log.early.contains(&position) {
            return;
        }
        self.raise(entry);
        if position == self.log.next() {
            self.advance(position);
            self.drain_early();
        } else {
            // One too many is read again.
            if self.log.early.len() < self.io.settings.early_entries_max {
                self.log.early.insert(position);
            }
            self.log.gap_since.get_or_insert(self.io.now);
        }
        self.count_leases();
    }

    /// Takes what the store says of the log after what was applied, up to `tail`.
    pub(super) fn follow(&mut self, following: &Following, tail: LogPosition) {
        self.see(tail);
        match following {
            Following::Entries(entries) => entries.iter().for_each(|entry| self.take_entry(entry)),
            Following::Trimmed if tail > self.log.applied => {
                if self.io.has(Mutant::TrimmedIsComplete) {
                    self.set_applied(tail);
                } else {
                    self.io.counters.flushes += 1;
                    self.begin_at(tail);
                }
                self.log.early = self.log.early.split_off(&self.log.next());
                self.drain_early();
                self.count_leases();
            }
            Following::Trimmed => {}
        }
    }

    /// Nothing is known of what stands before: whatever was born before is dead.
    pub(super) fn begin_at(&mut self, tail: LogPosition) {
        self.versions.raise_floor(tail);
        self.expiring.forget_until(tail);
        self.set_applied(tail);
    }

    /// Keeps what is kept in a new log. What was not applied of the one before is lost.
    pub(super) fn carry_over(&mut self, start: LogPosition) {
        self.versions.lose(self.log.applied, start);
        self.set_applied(start);
    }

    fn advance(&mut self, position: LogPosition) {
        if position != self.log.next() {
            let applied = self.log.applied;
            self.io.counters.violated(Invariant::Log1, &format!("{position} follows {applied}"));
        }
        self.io.counters.applied += 1;
        self.log.applied = position;
        self.versions.set_applied(position);
    }

    /// Jumps; early entries of an epoch before are of no use any more.
    fn set_applied(&mut self, position: LogPosition) {
        if position < self.log.applied {
            let applied = self.log.applied;
            return self.io.counters.violated(Invariant::Log2, &format!("{position} after {applied}"));
        }
        if position.epoch() != self.log.applied.epoch() {
            self.log.early.clear();
            self.log.gap_since = None;
        }
        self.log.applied = position;
        self.versions.set_applied(position);
    }

    fn drain_early(&mut self) {
        while self.log.early.first() == Some(&self.log.next()) {
            let Some(position) = self.log.early.pop_first() else { break };
            self.advance(position);
        }
        if self.log.early.is_empty() {
            self.log.gap_since = None;
        }
    }

    /// Raises what an entry makes stale.
    fn raise(&mut self, entry: &Entry) {
        let position = entry.position;
        let Some(marks) = &entry.marks else {
            if !self.io.has(Mutant::UnknownSkipped) {
                self.io.counters.flushes += 1;
                self.versions.raise_floor(position);
            }
            return;
        };
        for mark in marks.iter() {
            match mark.staleness {
                Staleness::Hard => self.versions.raise_hard(mark.tag, position),
                Staleness::Soft { expire_s } => {
                    self.versions.raise_soft(mark.tag, position);
                    let Some(after_s) = expire_s else { continue };
                    if !self.expiring.add(self.io.now, after_s, mark.tag, position) {
                        self.versions.raise_hard(mark.tag, position);
                    }
                }
            }
        }
    }

    /// Soft marks whose time has come are hard.
    pub(super) fn expire(&mut self) {
        for (tag, position) in self.expiring.take_due(self.io.now) {
            self.versions.raise_hard(tag, position);
        }
    }
}
