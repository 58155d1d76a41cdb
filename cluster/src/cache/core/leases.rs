//! Until when this node may trust what it applied, and what it tells the others of how far that is.
//!
//! A renewal registers, grants and reads in one step. It is also how holes are repaired and how an epoch is confirmed.

use std::mem;

use callboard_protocol::revalidation::{Epoch, LogPosition};

use super::{Core, Invariant, Purpose, log::next};
use crate::{
    cache::store::{Answer, Command},
    clock::Instant,
    mutant::Mutant,
    store::Failure,
};

#[derive(Debug, Default)]
pub(super) struct Leases {
    until: Instant,
    /// Others are told that this node reads no more.
    has_ended: bool,
    /// Since when a renewal is on its way.
    renewing: Option<Instant>,
    next: Instant,
    /// The log is to be read then.
    look_at: Option<Instant>,
    /// A reader waits for this position; since when.
    wanted: Option<(LogPosition, Instant)>,
    /// A grant that counts once the position is applied: from when.
    granted: Option<(Instant, LogPosition)>,
    /// Whether this node was granted a lease in this epoch.
    registered: bool,
    /// What the store knows to be applied here.
    acknowledged: LogPosition,
    acknowledging: bool,
}

impl Leases {
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    pub(super) fn is_ended(&self) -> bool {
        self.has_ended
    }

    pub(super) fn enter(&mut self, epoch: Epoch) {
        let Self { until, has_ended, .. } = *self;
        *self = Self { until, has_ended, acknowledged: epoch.start(), ..Self::default() };
    }
}

impl Core {
    /// The log is to be read now.
    pub(super) fn look(&mut self) {
        self.leases.look_at = Some(self.io.now);
    }

    /// A reader holds a position that is not applied here.
    pub(super) fn catch_up(&mut self, position: LogPosition) {
        if self.io.settings.shared && position > self.log.applied() {
            let wanted = self.leases.wanted.map_or(position, |(wanted, _)| wanted.max(position));
            self.leases.wanted = Some((wanted, self.io.now));
            self.look();
        }
    }

    /// Asks for a lease if it is time, or if the log is to be read.
    pub(super) fn renew(&mut self) {
        let is_wanted = self.renewal_timers().into_iter().flatten().any(|at| at <= self.io.now);
        let Some(epoch) = self.epochs.current().filter(|_| is_wanted && self.may_ask()) else { return };
        let now = self.io.now;
        if self.log.gap_since().is_some_and(|since| since + self.io.settings.gap_repair <= now) {
            self.io.counters.gaps += 1;
        }
        self.leases.renewing = Some(now);
        self.leases.next = now + self.io.settings.renew;
        self.leases.look_at = None;
        let after = self.log.applied();
        let declared = self.declared.clone();
        self.io.ask(Command::Renew { process: self.me, epoch, after, declared }, Purpose::Renew(after));
    }

    /// When a renewal is to be asked for, and why: none while one is on its way.
    pub(super) fn renewal_timers(&self) -> [Option<Instant>; 4] {
        if self.leases.renewing.is_some() || self.leases.has_ended {
            return [None; 4];
        }
        let regular = self.io.settings.shared.then_some(self.leases.next);
        let gap = self.log.gap_since().map(|since| since + self.io.settings.gap_repair);
        [regular, self.leases.look_at, gap, self.confirmation_wanted()]
    }

    pub(super) fn renewed(&mut self, asked: Instant, after: LogPosition, answer: Result<Answer, Failure>) {
        self.leases.renewing = None;
        let Ok(Answer::Renewed { tail, following, watermark }) = answer else { return self.look() };
        if Some(tail.epoch()) != self.epochs.current() || tail < after {
            // It lost part of its log.
            return self.epochs.superseded();
        }
        self.replicated(asked);
        let before = self.log.applied();
        self.leases.registered = true;
        self.leases.acknowledged = self.leases.acknowledged.max(after);
        self.everywhere(watermark);
        let from = if self.io.has(Mutant::LeaseFromReply) { self.io.now } else { asked };
        // One that waits for its position is the older, and its position comes first.
        self.leases.granted.get_or_insert((from, tail));
        if !self.io.has(Mutant::LeaseBeforeEntries) {
            self.follow(&following, tail);
            self.read_on(asked, tail, before);
        }
        self.count_leases();
        self.leases.granted.get_or_insert((from, tail));
        self.count_leases();
        self.log.gap_read(self.io.now);
    }

    /// Reads on where an answer did not hold all that was wanted.
    fn read_on(&mut self, asked: Instant, tail: LogPosition, before: LogPosition) {
        let applied = self.log.applied();
        if applied < tail {
            // An answer that brings nothing is not asked for again at once.
            let pause =
                if applied > before { std::time::Duration::ZERO } else { self.io.settings.gap_repair };
            self.leases.look_at = Some(self.io.now + pause);
        }
        match self.leases.wanted {
            Some((position, since)) if position > applied && since > asked => self.look(),
            // It was asked for after somebody wanted it, and there is no such position.
            _ => self.leases.wanted = None,
        }
    }

    /// A grant counts once everything is applied that stood in the log then.
    pub(super) fn count_leases(&mut self) {
        let Some((from, tail)) = self.leases.granted else { return };
        let skips_check = self.io.has(Mutant::LeaseBeforeEntries);
        if self.log.applied() < tail && !skips_check {
            return;
        }
        self.leases.granted = None;
        let until = from + self.io.settings.lease;
        if self.leases.has_ended || !self.io.settings.shared || until <= self.leases.until.max(self.io.now) {
            return;
        }
        if self.log.applied() < tail && !skips_check {
            self.io.counters.violated(Invariant::Lease1, "a lease counts too early");
        }
        self.io.counters.leases += 1;
        self.io.counters.lapses +=
            u64::from(self.leases.until != Instant::default() && self.leases.until <= self.io.now);
        self.leases.until = until;
        self.versions.set_lease(until);
    }

    /// Nobody else appends to the log.
    pub(super) fn grant_for_ever(&mut self) {
        if !self.leases.has_ended {
            self.leases.until = Instant::from_micros(u64::MAX);
            self.versions.set_lease(self.leases.until);
        }
    }

    /// This node serves nothing that is kept any more: others will not wait for it.
    pub(super) fn end_lease(&mut self) {
        self.leases.has_ended = true;
        if !self.io.has(Mutant::LeaseOutlivesLeave) {
            self.leases.until = Instant::default();
            self.versions.set_lease(self.leases.until);
        }
    }

    /// Others wait for it again.
    pub(super) fn resume_lease(&mut self) {
        if mem::take(&mut self.leases.has_ended) {
            self.look();
        }
    }

    /// Tells the others how far this node is. One at a time: the next says more.
    pub(super) fn acknowledge(&mut self) {
        let is_early = self.io.has(Mutant::EarlyAcknowledged);
        let applied = if is_early { self.log.last() } else { self.log.applied() };
        let Leases { registered, acknowledging, acknowledged, has_ended, .. } = self.leases;
        // What is being published says it, too.
        let is_said = self.outbox.may_stand_at(applied);
        let is_wanted = registered && !acknowledging && !has_ended && !is_said;
        let is_due = self.io.settings.shared && is_wanted && applied > acknowledged;
        let Some(epoch) = self.epochs.current().filter(|_| is_due && self.may_ask()) else { return };
        self.leases.acknowledging = true;
        self.io.ask(Command::Acknowledge { process: self.me, epoch, applied }, Purpose::Acknowledge(applied));
    }

    /// An entry of this node was put into the log by a command that said how far this node was: with the entry, if nothing
    /// was missing before it. Nobody else waits for this node to have that one.
    pub(super) fn acknowledged_with_entry(&mut self, after: LogPosition, position: LogPosition) {
        let known = if position == next(after) { position } else { after };
        self.leases.acknowledged = self.leases.acknowledged.max(known);
    }

    pub(super) fn acknowledged(&mut self, position: LogPosition, answer: &Result<Answer, Failure>) {
        self.leases.acknowledging = false;
        if let Ok(Answer::Acknowledged { watermark }) = answer {
            self.leases.acknowledged = self.leases.acknowledged.max(position);
            self.everywhere(*watermark);
        }
    }
}
