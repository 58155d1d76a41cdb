//! The start of a call: what is asked immediately before, and of whom.

use bytes::Bytes;
use callboard_protocol::{
    action::CallId,
    envelope::{Answer, Idempotency, Route},
    identity::Boot,
};

use super::{
    Core, Output, RunId, Start,
    caller::Line,
    io::{Connection, Purpose},
    kept,
    owner::{From, Outcome, Owner, Stage},
};
use crate::{
    Slot,
    mutant::Mutant,
    store::{Command, Record, Verdict},
};

impl Core {
    /// What waited for a renewal may start now.
    pub(crate) fn lines_may_start(&mut self) {
        let blocked = std::mem::take(&mut self.owner.blocked);
        self.owner.ready.extend(blocked);
    }

    /// Starts every call that may start now.
    pub(crate) fn start_calls(&mut self) {
        while self.may_start() {
            let Some(id) = self.owner.queue.pop_front() else { break };
            self.try_start(id);
        }
        while let Some(line) = self.owner.ready.pop_first() {
            let first = self.owner.lines.get(&line).and_then(|line| line.front()).copied();
            let Some(id) = first else { continue };
            if self.owner.runs[&id].stage != Stage::Queued {
                continue;
            }
            if self.may_start() && self.may_start_line(&line, id) {
                self.try_start(id);
            } else {
                self.owner.blocked.insert(line);
            }
        }
        self.ask_idempotency();
    }

    /// The first call of a line may start if this node owns the slot and nobody else can still run a call of it.
    fn may_start_line(&mut self, line: &Line, id: RunId) -> bool {
        let run = &self.owner.runs[&id];
        let slot = Slot::from_index(run.route.slot);
        match self.line_token(slot, line) {
            None => false,
            Some(token) => {
                self.owner.runs.get_mut(&id).expect("just there").token = Some(token);
                true
            }
        }
    }

    fn try_start(&mut self, id: RunId) {
        let now = self.io.now;
        let Some(run) = self.owner.runs.get_mut(&id) else { return };
        let late = match run.from {
            From::Here => now >= run.deadline,
            From::Inbox(..) => self.clock.at_most(now) >= run.route.deadline,
        };
        if late && !self.io.has(Mutant::NoDeadlineCheck) {
            return self.end_unstarted(id, Answer::Expired);
        }
        if run.route.idempotency.is_some() {
            run.stage = Stage::Begins;
            self.owner.asking.insert((now, id));
            return;
        }
        self.start(id);
    }

    pub(super) fn start(&mut self, id: RunId) {
        let hold = self.session.hold_until();
        let hold = if self.io.has(Mutant::NoHoldCheck) { hold + self.io.settings.fence * 10 } else { hold };
        let run = self.owner.runs.get_mut(&id).expect("started is what is there");
        run.stage = Stage::Running;
        let start = Start {
            run: id,
            call: run.route.call,
            attempt: run.route.attempt,
            action: run.route.action,
            key: run.route.key.clone(),
            token: run.token,
            not_after: if self.io.mutants.has(Mutant::NoDeadlineCheck) {
                hold
            } else {
                hold.min(run.deadline)
            },
            deadline: run.deadline,
            came: run.came,
            local: run.from == From::Here,
            context: std::mem::take(&mut run.context),
            arguments: std::mem::take(&mut run.arguments),
            arguments_follow: run.route.arguments_follow,
            retention_s: run.route.idempotency.map(|idempotency| idempotency.retention_s),
        };
        if let Some(line) = Owner::line_of(&run.route) {
            self.owner.lined.insert(id, (line, run.route.slot));
            self.owner.busy_changed = true;
        }
        self.io.put(Output::Start(Box::new(start)));
    }

    /// A call really began; it is not to be asked for its arguments before, as they can be read once.
    pub(crate) fn run_began(&mut self, id: RunId) {
        let Some(run) = self.owner.runs.get(&id) else { return };
        if run.route.arguments_follow && run.from != From::Here {
            let (call, attempt, caller) = (run.route.call, run.route.attempt, run.route.caller);
            self.expect_arguments(call, attempt, caller);
        }
    }

    /// Asks for the idempotency keys of calls that want to start, or to know what became of their twin.
    fn ask_idempotency(&mut self) {
        let Some(boot) = self.session.boot() else { return };
        let open = self.views.current.as_ref().is_some_and(|view| view.open);
        while open && self.io.can_ask(Connection::Commands) {
            let Some((at, id)) = self.owner.asking.first().copied() else { return };
            if at > self.io.now {
                self.io.wake_at(at);
                return;
            }
            self.owner.asking.pop_first();
            let Some(run) = self.owner.runs.get_mut(&id) else { continue };
            let route = &run.route;
            let Some(idempotency) = route.idempotency else { continue };
            run.begun = true;
            let command = Command::IdempotencyBegin {
                idempotency,
                boot,
                call: route.call,
                attempt: route.attempt,
                again: route.idempotent,
            };
            self.io.ask(Connection::Commands, command, Purpose::Begin(id));
        }
    }

    /// What is known of a call's idempotency key.
    pub(crate) fn begun(&mut self, id: RunId, verdict: Verdict) {
        let Some(run) = self.owner.runs.get_mut(&id) else { return };
        if !matches!(run.stage, Stage::Begins | Stage::Attached) {
            return;
        }
        let idempotency = run.route.idempotency.expect("only such calls ask");
        match verdict {
            Verdict::Run => {
                // Time has passed since the call was allowed to start.
                let line = Owner::line_of(&run.route);
                let late = match run.from {
                    From::Here => self.io.now >= run.deadline,
                    From::Inbox(..) => self.clock.at_most(self.io.now) >= run.route.deadline,
                };
                if late && !self.io.has(Mutant::NoDeadlineCheck) {
                    self.end_unstarted(id, Answer::Expired);
                } else if self.may_start() && line.is_none_or(|line| self.may_start_line(&line, id)) {
                    let run = &self.owner.runs[&id];
                    let (call, attempt) = (run.route.call, run.route.attempt);
                    self.known.running(idempotency, call, attempt, &self.io.settings);
                    let route = self.owner.runs[&id].route.clone();
                    self.detach(id, &route);
                    self.start(id);
                } else {
                    self.end_unstarted(id, Answer::Moved);
                }
            }
            Verdict::Conflict => {
                run.begun = false;
                self.end_unstarted(id, Answer::Conflict);
            }
            Verdict::Taken(Record::Running { boot, call, attempt }) => {
                run.begun = false;
                self.attach(id, idempotency, boot, call, attempt);
            }
            Verdict::Taken(Record::Done { outcome, .. }) => {
                let (position, outcome) = kept::read(&outcome);
                let kept = Outcome { answer: Answer::Replayed, outcome, kept: None, position, rest: false };
                self.end_twins(id, idempotency, &kept);
            }
            Verdict::Taken(Record::Unknown { .. }) => {
                let unknown = Outcome {
                    answer: Answer::Unknown,
                    outcome: Bytes::new(),
                    kept: None,
                    position: None,
                    rest: false,
                };
                self.end_twins(id, idempotency, &unknown);
            }
        }
    }

    /// A call waits for the outcome of another with its idempotency key.
    fn attach(&mut self, id: RunId, idempotency: Idempotency, boot: Boot, call: CallId, attempt: u32) {
        let Some(run) = self.owner.runs.get_mut(&id) else { return };
        run.stage = Stage::Attached;
        let twins = self.owner.twins.entry(idempotency.key).or_default();
        twins.insert(id);
        if twins.first() != Some(&id) {
            return;
        }
        self.owner.asking.insert((self.io.now + self.io.settings.idempotency_poll, id));
        let ours = self.session.boot() == Some(boot);
        if ours && !self.owner.by_call.contains_key(&(call, attempt)) {
            // Nothing of it is here any more: what gave its key back was lost.
            let abandon = Command::IdempotencyAbandon { idempotency, boot, call, attempt };
            self.owner.abandoned.push(abandon);
        } else if !ours && self.io.can_ask(Connection::Commands) {
            let resolve = Command::IdempotencyResolve { idempotency, boot, call, attempt };
            self.io.ask(Connection::Commands, resolve, Purpose::Resolve);
        }
    }

    /// A call waits for no other any more; if it asked for all that do, the next one asks.
    pub(super) fn detach(&mut self, id: RunId, route: &Route) {
        let Some(Idempotency { key, .. }) = route.idempotency else { return };
        let Some(twins) = self.owner.twins.get_mut(&key) else { return };
        let asked = twins.first() == Some(&id);
        twins.remove(&id);
        match twins.first() {
            None => {
                self.owner.twins.remove(&key);
            }
            Some(next) if asked => {
                self.owner.asking.insert((self.io.now + self.io.settings.idempotency_poll, *next));
            }
            Some(_) => {}
        }
    }

    /// Ends a call, and all that waited with it, with what is known of their twin.
    fn end_twins(&mut self, id: RunId, idempotency: Idempotency, outcome: &Outcome) {
        let twins = self.owner.twins.remove(&idempotency.key).unwrap_or_default();
        for twin in twins.into_iter().filter(|twin| *twin != id) {
            self.end_with(twin, outcome);
        }
        self.end_with(id, outcome);
    }

    /// Nothing is known of the question; it is asked again.
    pub(crate) fn begin_failed(&mut self, id: RunId) {
        if self.owner.runs.contains_key(&id) {
            self.owner.asking.insert((self.io.now, id));
        }
    }

    /// Ends a call with what is known of its twin.
    pub(super) fn end_with(&mut self, id: RunId, outcome: &Outcome) {
        let Some(run) = self.owner.runs.get_mut(&id) else { return };
        run.stage = Stage::Replying;
        let (route, from) = (run.route.clone(), run.from);
        self.leave_line(id, &route);
        self.reply(&route, from, outcome, Some(id));
    }
}
