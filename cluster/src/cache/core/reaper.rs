//! Readers that died: whoever was granted no lease for so long holds none, and is waited for no more.

use std::collections::BTreeMap;

use callboard_protocol::identity::ProcessId;

use super::{Core, Purpose};
use crate::{
    cache::store::{Answer, Command},
    clock::Instant,
    mutant::Mutant,
    store::Failure,
};

#[derive(Debug, Default)]
pub(super) struct Reaper {
    next_look: Instant,
    is_looking: bool,
    is_reaping: bool,
    /// The number of the last lease of each, and since when this node knows.
    readers: BTreeMap<ProcessId, (u64, Instant)>,
}

impl Reaper {
    pub(super) fn enter(&mut self, now: Instant) {
        *self = Self { next_look: now, ..Self::default() };
    }
}

impl Core {
    /// Looks at the readers from time to time, and forgets those that are dead.
    pub(super) fn reap(&mut self) {
        let Some(epoch) = self.epochs.current().filter(|_| self.may_reap() && self.may_ask()) else { return };
        let now = self.io.now;
        if !self.reaper.is_looking && self.reaper.next_look <= now {
            self.reaper.is_looking = true;
            self.reaper.next_look = now + self.io.settings.lease;
            self.io.ask(Command::Registered { epoch }, Purpose::Registered);
        }
        let dead = self.reaper.readers.iter().find(|(_, (_, since))| self.dies_at(*since) <= now);
        if let Some((&process, &(grants, _))) = dead.filter(|_| !self.reaper.is_reaping) {
            self.reaper.is_reaping = true;
            self.io.ask(Command::Reap { epoch, process, grants }, Purpose::Reap(process));
        }
    }

    /// When the readers are to be looked at.
    pub(super) fn reaper_timers(&self) -> [Option<Instant>; 2] {
        if !self.may_reap() {
            return [None; 2];
        }
        let look = (!self.reaper.is_looking).then_some(self.reaper.next_look);
        let since = self.reaper.readers.values().map(|(_, since)| *since).min();
        [look, since.filter(|_| !self.reaper.is_reaping).map(|since| self.dies_at(since))]
    }

    fn may_reap(&self) -> bool {
        self.io.settings.shared && !self.leases.is_ended()
    }

    /// When a reader that was granted nothing since certainly has no lease.
    fn dies_at(&self, since: Instant) -> Instant {
        if self.io.has(Mutant::ReapedAlive) {
            return since + self.io.settings.lease / 4;
        }
        since + self.io.lease_outwaited() * 2
    }

    pub(super) fn registered(&mut self, answer: Result<Answer, Failure>) {
        self.reaper.is_looking = false;
        let Ok(Answer::Registered(readers)) = answer else { return };
        let (known, now) = (std::mem::take(&mut self.reaper.readers), self.io.now);
        let since = |process: &ProcessId, grants: u64| match known.get(process) {
            Some((before, since)) if *before == grants => *since,
            _ => now,
        };
        let others = readers.into_iter().filter(|(process, _)| *process != self.me);
        self.reaper.readers =
            others.map(|(process, grants)| (process, (grants, since(&process, grants)))).collect();
    }

    pub(super) fn reaped(&mut self, process: ProcessId, answer: &Result<Answer, Failure>) {
        self.reaper.is_reaping = false;
        if let Ok(Answer::Reaped(was_forgotten)) = answer {
            self.reaper.readers.remove(&process);
            if *was_forgotten {
                self.io.counters.reaped += 1;
                // The others are all that is waited for now.
                self.look();
            }
        }
    }
}
