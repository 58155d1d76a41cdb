//! The end of a call: its revalidations first, then its idempotency record, then its answer, and at last its entry of
//! the inbox is forgotten; each step is certain before the next.

use callboard_protocol::{envelope::Answer, identity::Boot, revalidation::LogPosition};

use super::{
    Core, Ended, Publication, RunId,
    invariants::Invariant,
    io::{Connection, Purpose},
    kept,
    owner::{From, Outcome, Stage},
    publications::For,
};
use crate::{
    mutant::Mutant,
    store::{Command, EntryId},
};

impl Core {
    /// The answer to a call of this entry is in its caller's inbox, or nobody can take it.
    pub(crate) fn entry_answered(&mut self, boot: Boot, entry: EntryId) {
        if self.session.boot() != Some(boot) {
            return;
        }
        let Some(left) = self.owner.entries.get_mut(&entry) else { return };
        *left -= 1;
        if *left == 0 {
            self.owner.entries.remove(&entry);
            self.owner.to_settle.insert(entry);
        }
    }

    /// A run ended. Its revalidations come first, then its idempotency record, then its answer.
    pub(crate) fn run_ended(&mut self, id: RunId, ended: Ended) {
        let Some(run) = self.owner.runs.get_mut(&id) else { return };
        if run.stage != Stage::Running {
            return self.io.counters.violated(Invariant::Call1, "a call ended that did not run");
        }
        if self.owner.lined.remove(&id).is_some() {
            self.owner.busy_changed = true;
        }
        match ended {
            Ended::NotStarted(answer) => {
                run.stage = Stage::Queued;
                let started_key = run.route.idempotency.map(|idempotency| idempotency.key);
                if let Some(key) = started_key {
                    self.known.forget(key);
                }
                self.end_unstarted(id, answer);
            }
            Ended::Ran { failed, outcome, kept, revalidates, rest } => {
                let answer = if failed { Answer::Failed } else { Answer::Done };
                run.ended = Some(Outcome { answer, outcome, kept, position: None, rest });
                run.stage = Stage::Publishing;
                let route = run.route.clone();
                self.leave_line(id, &route);
                if !rest {
                    self.stop_arguments(route.call, route.attempt);
                }
                if self.io.has(Mutant::ReplyFirst) {
                    if revalidates {
                        self.publish(Publication::Of(id), For::Nobody);
                    }
                    self.published(id, None);
                } else if revalidates {
                    self.publish(Publication::Of(id), For::Run(id));
                } else {
                    self.published(id, None);
                }
            }
        }
    }

    /// A run's revalidations are in the log.
    pub(crate) fn published(&mut self, id: RunId, position: Option<LogPosition>) {
        let Some(run) = self.owner.runs.get_mut(&id) else { return };
        let Some(outcome) = &mut run.ended else { return };
        outcome.position = position;
        if let Some(idempotency) = run.route.idempotency {
            run.stage = Stage::Finishing;
            // What is kept says where the revalidations stand, too.
            let kept = kept::written(position, outcome.kept.as_ref().unwrap_or(&outcome.outcome));
            outcome.kept = Some(kept.clone());
            let call = run.route.call;
            self.known.done(idempotency, call, kept, &self.io.settings);
            self.owner.finishing.insert(id);
        } else {
            self.finished(id);
        }
    }

    /// The outcome is kept for its idempotency key.
    pub(crate) fn finished(&mut self, id: RunId) {
        let Some(run) = self.owner.runs.get_mut(&id) else { return };
        run.stage = Stage::Replying;
        let (route, from) = (run.route.clone(), run.from);
        let Some(outcome) = run.ended.clone() else { return };
        if outcome.rest && from != From::Here {
            self.begin_outcome(route.call, route.attempt, route.caller);
        }
        self.reply(&route, from, &outcome, Some(id));
    }

    /// Giving back an idempotency key failed; it is given back again.
    pub(crate) fn abandon_failed(&mut self, command: Command) {
        self.owner.abandoned.push(command);
    }

    /// Writing down an outcome failed; it is written again.
    pub(crate) fn finish_failed(&mut self, id: RunId) {
        self.owner.finishing.insert(id);
    }

    /// Writes what is to be written: outcomes of idempotency keys, and entries that are done with.
    pub(crate) fn write_down(&mut self) {
        while self.io.can_ask(Connection::Commands) {
            let Some(id) = self.owner.finishing.pop_first() else { break };
            let Some(run) = self.owner.runs.get(&id) else { continue };
            let (Some(idempotency), Some(outcome)) = (run.route.idempotency, &run.ended) else { continue };
            let command = Command::IdempotencyFinish {
                idempotency,
                call: run.route.call,
                outcome: outcome.kept.clone().unwrap_or_default(),
                retention_ms: u64::from(idempotency.retention_s) * 1000,
            };
            self.io.ask(Connection::Commands, command, Purpose::Finish(id));
        }
        if !self.io.can_ask(Connection::Commands) {
            return;
        }
        for command in std::mem::take(&mut self.owner.abandoned) {
            let again = Box::new(command.clone());
            self.io.ask(Connection::Commands, command, Purpose::Abandon(again));
        }
        let Some(boot) = self.session.boot() else { return };
        if self.settles_now() {
            self.owner.settling = std::mem::take(&mut self.owner.to_settle);
            let entries: Vec<_> = self.owner.settling.iter().copied().collect();
            let command = Command::Settle { boot, entries: entries.clone() };
            self.io.ask(Connection::Commands, command, Purpose::Settle(boot, entries));
        }
    }

    /// Whether entries that are done with are forgotten now: many at once, as nobody waits for it, or a little later.
    fn settles_now(&mut self) -> bool {
        /// So many that they do not wait for more. Small against the frames that an inbox holds.
        const TOGETHER: usize = 32;
        if self.owner.to_settle.is_empty() || !self.owner.settling.is_empty() {
            return false;
        }
        let at = *self.owner.settle_at.get_or_insert(self.io.now + self.io.settings.settle_after);
        let now = self.io.now >= at || self.owner.to_settle.len() >= TOGETHER || self.session.is_draining();
        if now {
            self.owner.settle_at = None;
        } else {
            self.io.wake_at(at);
        }
        now
    }

    /// The store forgot these entries, or nothing is known of it.
    pub(crate) fn settled(&mut self, boot: Boot, entries: Vec<EntryId>, done: bool) {
        if self.session.boot() != Some(boot) {
            return;
        }
        for entry in entries {
            self.owner.settling.remove(&entry);
            if !done {
                self.owner.to_settle.insert(entry);
            }
        }
    }
}
