//! Watching the leases of others: a lease that stands still for too long ends its session.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use callboard_protocol::identity::Boot;

use super::{
    Core,
    io::{Connection, Purpose},
};
use crate::{
    clock::Instant,
    mutant::Mutant,
    store::{Command, Orphan},
};

#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: HashMap<Boot, Seen>,
    /// Sessions whose lease is gone, which is for ever.
    to_evict: BTreeSet<Boot>,
    asked: BTreeSet<Boot>,
    /// What was read too early: mutants only.
    pub(crate) early: BTreeMap<Boot, Orphan>,
}

/// What this node saw of a lease.
#[derive(Debug)]
struct Seen {
    counter: u64,
    since: Instant,
    last: Instant,
}

impl Watch {
    /// For how long a lease has stood still; `None` of one that was never seen.
    pub(crate) fn unmoved(&self, boot: Boot, now: Instant) -> Option<Duration> {
        self.seen.get(&boot).map(|seen| now.since(seen.since))
    }
}

impl Core {
    /// The counters of some leases.
    pub(crate) fn leases_seen(&mut self, boots: &[Boot], counters: &[Option<u64>]) {
        let now = self.io.now;
        for (boot, counter) in boots.iter().zip(counters) {
            let Some(counter) = *counter else {
                self.evict(*boot);
                continue;
            };
            let fresh = Seen { counter, since: now, last: now };
            let seen = self.watch.seen.entry(*boot).or_insert(fresh);
            if seen.counter != counter || now.since(seen.last) > self.io.settings.poll_gap {
                (seen.counter, seen.since) = (counter, now);
            }
            seen.last = now;
            let patience = if self.io.has(Mutant::ImpatientObserver) {
                self.io.settings.fence / 3
            } else {
                self.io.settings.fence
            };
            let unmoved = now.since(seen.since);
            if self.io.has(Mutant::OrphanReadEarly)
                && unmoved >= self.io.settings.fence / 3
                && !self.watch.early.contains_key(boot)
                && self.io.can_ask(Connection::Commands)
            {
                self.watch.early.insert(*boot, Orphan::default());
                self.read_orphan(*boot, usize::MAX);
            }
            if unmoved >= patience {
                self.fence(*boot, counter);
            }
        }
    }

    fn fence(&mut self, boot: Boot, counter: u64) {
        if !self.io.can_ask(Connection::Commands) || self.watch.asked.contains(&boot) {
            return;
        }
        if self.io.has(Mutant::EvictFirst) {
            return self.evict(boot);
        }
        self.watch.asked.insert(boot);
        self.io.ask(Connection::Commands, Command::Fence { boot, counter }, Purpose::Fence(boot));
    }

    /// What became of a fence.
    pub(crate) fn fenced(&mut self, boot: Boot, done: bool) {
        self.watch.asked.remove(&boot);
        if done {
            self.io.counters.fenced += 1;
            self.evict(boot);
        }
    }

    /// A session is gone: the view has to say so.
    pub(crate) fn evict(&mut self, boot: Boot) {
        let member = self.views.current.as_ref().is_some_and(|view| view.members.contains_key(&boot));
        if member || self.session.is_refused() {
            self.watch.to_evict.insert(boot);
        }
    }

    pub(crate) fn evict_some(&mut self) {
        while self.io.can_ask(Connection::Commands) {
            let Some(boot) = self.watch.to_evict.pop_first() else { return };
            self.io.ask(Connection::Commands, Command::Evict { boot }, Purpose::Evict);
        }
    }

    pub(crate) fn watch_on_view(&mut self) {
        if let Some(view) = &self.views.current {
            self.watch.seen.retain(|boot, _| view.members.contains_key(boot));
            self.watch.to_evict.retain(|boot| view.members.contains_key(boot));
        }
    }

    /// A new session looks at everything afresh.
    pub(crate) fn watch_afresh(&mut self) {
        self.watch = Watch::default();
    }
}
