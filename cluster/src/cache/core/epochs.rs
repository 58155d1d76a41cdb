//! Which epoch this node is in, and what it keeps when another begins.
//!
//! A log that lost something is over. The next epoch's is empty, and what this node did not apply of the one before is
//! lost to it. It keeps its renders all the same if its lease still holds when it learns of the new epoch: whatever was
//! answered before that, it had applied. Whatever was not is published again by those who published it. Positions that
//! were given out and not waited for are remembered as lost, so that nobody who holds one is served from what is kept.

use std::time::Duration;

use callboard_protocol::revalidation::{Epoch, LogPosition};

use super::{Core, Purpose};
use crate::{
    cache::{
        io::Output,
        store::{Answer, Command},
    },
    clock::Instant,
    mutant::Mutant,
    store::Failure,
};

/// Sequences of an epoch that are left when the next is begun: others append while this node notices.
const SEQUENCES_LEFT: u64 = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Epochs {
    phase: Phase,
    current: Option<Epoch>,
    /// The newest that the store named. One that was only heard of is none: anybody may push.
    known: Epoch,
    /// The newest position that was seen.
    seen: LogPosition,
    /// When this node saw the current one first.
    opened_at: Instant,
    /// A command that was begun at this instant was executed in the current one.
    confirmed: Instant,
    /// The store called the current one over.
    was_superseded: bool,
    /// The store is asked again from this instant on: epochs that end at once are not begun at its pace.
    next_open: Instant,
    /// Until then an epoch that is only heard of is no reason to ask: a renewal finds it, too.
    deaf_until: Instant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Which epoch the store is in is to be asked.
    #[default]
    ToOpen,
    Opening,
    Open,
    /// This node is registered no more.
    Left,
}

impl Epochs {
    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn has_left(&self) -> bool {
        self.phase == Phase::Left
    }

    pub(super) fn set_left(&mut self) {
        self.phase = Phase::Left;
    }

    pub(super) fn current(&self) -> Option<Epoch> {
        self.current
    }

    pub(super) fn opened_at(&self) -> Instant {
        self.opened_at
    }

    /// Up to when the current epoch certainly was not over: a command that was begun then was executed in it.
    pub(super) fn confirmed(&self) -> Instant {
        self.confirmed
    }

    pub(super) fn confirm(&mut self, asked: Instant) {
        self.confirmed = self.confirmed.max(asked);
    }

    /// The store is to be asked again which epoch it is in.
    pub(super) fn reopen(&mut self) {
        self.phase = Phase::ToOpen;
    }

    /// The store says that the epoch is over.
    pub(super) fn superseded(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::ToOpen;
        }
        self.was_superseded = true;
    }

    /// Takes note of a position of the log; whether it is of the current epoch. One of a later epoch is a reason to ask
    /// the store, and no more.
    pub(super) fn see(&mut self, now: Instant, pause: Duration, position: LogPosition) -> bool {
        let epoch = position.epoch();
        if Some(epoch) == self.current {
            self.seen = self.seen.max(position);
            if position.sequence() >= LogPosition::SEQUENCE_MAX - SEQUENCES_LEFT {
                self.end(epoch);
            }
            return true;
        }
        if epoch > self.known && self.phase == Phase::Open && now >= self.deaf_until {
            self.phase = Phase::ToOpen;
            self.deaf_until = now + pause;
        }
        false
    }

    /// The store shall begin another.
    fn end(&mut self, epoch: Epoch) {
        if let Some(next) = Epoch::new(epoch.as_u64() + 1).filter(|next| *next > self.known) {
            self.known = next;
            self.superseded();
        }
    }
}

impl Core {
    /// Asks which epoch the store is in.
    pub(super) fn open(&mut self) {
        if self.epochs.phase == Phase::ToOpen && self.io.can_ask() && self.io.now >= self.epochs.next_open {
            self.epochs.phase = Phase::Opening;
            self.epochs.next_open = self.io.now + self.io.settings.retry;
            let Epochs { known, seen, .. } = self.epochs;
            self.io.ask(Command::Open { known, seen }, Purpose::Open);
        }
    }

    /// Takes note of a position of the log; whether it is of the current epoch.
    pub(super) fn see(&mut self, position: LogPosition) -> bool {
        self.epochs.see(self.io.now, self.io.settings.renew, position)
    }

    /// When the store is to be asked which epoch it is in.
    pub(super) fn open_timer(&self) -> Option<Instant> {
        (self.epochs.phase == Phase::ToOpen && self.io.can_ask()).then_some(self.epochs.next_open)
    }

    pub(super) fn opened(&mut self, asked: Instant, answer: &Result<Answer, Failure>) {
        self.epochs.phase = Phase::ToOpen;
        let &Ok(Answer::Opened { epoch, tail }) = answer else {
            self.leaving.give_up();
            return self.io.pause();
        };
        if epoch < self.epochs.known || tail.epoch() != epoch {
            // It is behind what was seen of it, perhaps only since it was asked.
            return self.io.pause();
        }
        if self.epochs.current != Some(epoch) {
            return self.enter(epoch, tail);
        }
        if tail < self.log.applied() {
            // It lost part of its log, and has to say so.
            self.epochs.end(epoch);
            return self.io.pause();
        }
        self.epochs.phase = Phase::Open;
        self.epochs.confirm(asked);
        self.see(tail);
        if std::mem::take(&mut self.epochs.was_superseded) {
            self.io.pause();
        }
        self.look();
    }

    /// Begins with an epoch that is new to this node.
    fn enter(&mut self, epoch: Epoch, tail: LogPosition) {
        let holds = self.io.now < self.leases.until() || self.io.has(Mutant::KeptAfterLease);
        let is_first = self.epochs.current.is_none();
        let carries_over = holds && !is_first && self.io.settings.shared;
        // Whatever comes of it, it was of the epoch before.
        self.io.forget_asked();
        self.epochs = Epochs {
            phase: Phase::Open,
            current: Some(epoch),
            known: self.epochs.known.max(epoch),
            seen: tail,
            opened_at: self.io.now,
            next_open: self.epochs.next_open,
            deaf_until: self.epochs.deaf_until,
            ..Epochs::default()
        };
        if carries_over {
            self.io.counters.carried_over += 1;
            self.carry_over(epoch.start());
        } else {
            self.io.counters.flushes += u64::from(!is_first);
            self.begin_at(tail);
        }
        self.leases.enter(epoch);
        self.outbox_enter(epoch);
        self.reaper.enter(self.io.now);
        self.leaving.enter();
        if !self.io.settings.shared {
            self.grant_for_ever();
        }
        self.look();
        self.io.put(Output::Epoch { carried_over: carries_over });
    }
}
