//! The calls that this node runs: claimed from its inbox or submitted here, until their answers are given.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use callboard_protocol::{
    action::CallId,
    envelope::{Answer, Envelope, Reply, Route, Verdict},
    identity::{Boot, FencingToken, Incarnation, RedisMillis, ViewVersion},
    revalidation::LogPosition,
};

use super::{
    Core, Ended, Output, Publication, RunId, Start, Submission, Timer,
    caller::Line,
    invariants::Invariant,
    io::{Connection, Purpose},
    post::Ack,
    publications::For,
};
use crate::{
    Slot,
    clock::Instant,
    mutant::Mutant,
    placement,
    store::{self, Command, EntryId, Record},
};

/// All runs that are not over.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    last_run: u64,
    runs: HashMap<RunId, Run>,
    by_call: HashMap<(CallId, u32), RunId>,
    /// Calls that wait for no other, in order of arrival.
    queue: VecDeque<RunId>,
    lines: HashMap<Line, VecDeque<RunId>>,
    /// Lines whose first call may be able to start.
    ready: BTreeSet<Line>,
    /// Lines whose first call waits for the view or for another member.
    blocked: BTreeSet<Line>,
    /// Calls with idempotency keys, which ask again at their time.
    asking: BTreeSet<(Instant, RunId)>,
    /// Calls that were cancelled before they came, oldest first.
    cancelled: VecDeque<(CallId, u32)>,
    /// Entries of the current inbox, with how many of their calls are unanswered.
    pub(crate) entries: BTreeMap<EntryId, usize>,
    /// Entries all of whose calls are answered.
    pub(crate) to_settle: BTreeSet<EntryId>,
    pub(crate) settling: BTreeSet<EntryId>,
    /// Runs whose outcome is to be kept for their idempotency key.
    finishing: BTreeSet<RunId>,
    /// Idempotency keys whose begun run did not start.
    abandoned: Vec<Command>,
}

/// A call on this node.
#[derive(Debug)]
struct Run {
    route: Route,
    context: Bytes,
    arguments: Bytes,
    from: From,
    stage: Stage,
    deadline: Instant,
    token: Option<FencingToken>,
    /// Whether a begin of its idempotency key was asked: its record may be there.
    begun: bool,
    ended: Option<Outcome>,
}

/// Where a call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// From a client of this node.
    Here,
    /// From this entry of this session's inbox.
    Inbox(Boot, EntryId),
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Queued,
    /// Asks whether its idempotency key is free.
    Begins,
    /// Its idempotency key is taken by a call that still runs.
    Attached,
    Running,
    Publishing,
    Finishing,
    Replying,
}

/// What came of a run.
#[derive(Clone, Debug)]
struct Outcome {
    answer: Answer,
    outcome: Bytes,
    position: Option<LogPosition>,
    rest: bool,
}

/// How many cancels of calls that have not come yet are remembered.
const CANCELLED_MAX: usize = 4096;

impl Owner {
    /// Whether nothing runs, waits or is to be answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.to_settle.is_empty() && self.settling.is_empty()
    }

    /// How many calls are taken in and not ended.
    pub(crate) fn taken_in(&self) -> usize {
        self.runs.len()
    }

    /// Whether this entry of the current inbox is known, or is being forgotten.
    pub(crate) fn knows(&self, entry: EntryId) -> bool {
        self.entries.contains_key(&entry) || self.to_settle.contains(&entry) || self.settling.contains(&entry)
    }

    pub(crate) fn known_entries(&self) -> usize {
        self.entries.len() + self.to_settle.len() + self.settling.len()
    }

    fn line_of(route: &Route) -> Option<Line> {
        route.key.clone().map(|key| (route.action, key))
    }
}

impl Core {
    /// A call of this node's own client is to run here.
    pub(crate) fn take_own(&mut self, submission: Submission, attempt: u32) {
        let route = Route {
            call: submission.call,
            attempt,
            caller: self.me,
            action: submission.action,
            build: self.profile.build,
            slot: submission.slot.index() as u16,
            key: submission.key,
            idempotency: submission.idempotency,
            idempotent: submission.idempotent,
            deadline: RedisMillis::default(),
            view: ViewVersion::default(),
            revalidates: submission.revalidates,
            arguments_follow: submission.arguments_follow,
        };
        let envelope = Envelope { route, context: submission.context, arguments: submission.arguments };
        self.take_call(envelope, From::Here, submission.deadline);
    }

    /// A call came out of the inbox.
    pub(crate) fn take_request(&mut self, envelope: Envelope, boot: Boot, entry: EntryId) {
        let left = envelope.route.deadline.as_u64().saturating_sub(self.clock.at_most(self.io.now).as_u64());
        let deadline = self.io.now + std::time::Duration::from_millis(left);
        if let Some(at) = self.owner.cancelled.iter().position(|cancelled| {
            *cancelled == (envelope.route.call, envelope.route.attempt)
        }) {
            self.owner.cancelled.remove(at);
            if !self.io.has(Mutant::CancelStarts) {
                return self.turn_away(&envelope.route, Answer::Expired, From::Inbox(boot, entry));
            }
        }
        self.take_call(envelope, From::Inbox(boot, entry), deadline);
    }

    fn take_call(&mut self, envelope: Envelope, from: From, deadline: Instant) {
        let Envelope { route, context, arguments } = envelope;
        let line = Owner::line_of(&route);
        if self.session.is_draining() {
            return self.turn_away(&route, Answer::Moved, from);
        }
        if let Some(line) = &line {
            if !self.owns_line(line, route.slot) {
                // By a view as new as the sender's, it belongs elsewhere; by an older one, nobody here can say.
                let newer = self.views.current.as_ref().is_none_or(|view| view.version < route.view);
                if !newer || from == From::Here {
                    return self.turn_away(&route, Answer::Moved, from);
                }
                self.session.want_view();
            }
            let waiting = self.owner.lines.get(line).map_or(0, VecDeque::len);
            if waiting >= self.io.settings.key_queue_max {
                return self.turn_away(&route, Answer::Busy, from);
            }
        }
        self.owner.last_run += 1;
        let id = RunId(self.owner.last_run);
        match line {
            None => self.owner.queue.push_back(id),
            Some(line) => {
                self.owner.lines.entry(line.clone()).or_default().push_back(id);
                self.owner.ready.insert(line);
            }
        }
        self.owner.by_call.insert((route.call, route.attempt), id);
        self.io.set_timer(deadline, Timer::Run(id));
        let run = Run {
            route,
            context,
            arguments,
            from,
            stage: Stage::Queued,
            deadline,
            token: None,
            begun: false,
            ended: None,
        };
        self.owner.runs.insert(id, run);
    }

    /// Says that a call which has not started never will.
    fn turn_away(&mut self, route: &Route, answer: Answer, from: From) {
        if answer == Answer::Moved {
            self.io.counters.moved += 1;
        }
        self.reply(route, from, &Outcome { answer, outcome: Bytes::new(), position: None, rest: false }, None);
    }

    /// Answers a call of the inbox that is not even looked at.
    pub(crate) fn refuse_request(&mut self, route: &Route, answer: Answer, boot: Boot, entry: EntryId) {
        self.turn_away(route, answer, From::Inbox(boot, entry));
    }

    /// What waited for a renewal may start now.
    pub(crate) fn lines_may_start(&mut self) {
        let blocked = std::mem::take(&mut self.owner.blocked);
        self.owner.ready.extend(blocked);
    }

    /// Gives an answer to whoever waits for it.
    fn reply(&mut self, route: &Route, from: From, outcome: &Outcome, run: Option<RunId>) {
        let view = self.views.current.as_ref();
        let verdict = Verdict {
            call: route.call,
            attempt: route.attempt,
            caller: route.caller,
            answer: outcome.answer,
            view: view.map_or(ViewVersion::default(), |view| view.version),
            incarnation: view.map_or(Incarnation::named(""), |view| view.incarnation.clone()),
            position: outcome.position,
            rest: outcome.rest,
        };
        let reply = Reply { verdict, outcome: outcome.outcome.clone() };
        match from {
            From::Here => {
                self.replied(reply, run);
                if let Some(run) = run {
                    self.run_over(run);
                }
            }
            From::Inbox(boot, entry) => {
                let now = self.clock.at_most(self.io.now).as_u64();
                let left = std::time::Duration::from_millis(route.deadline.as_u64().saturating_sub(now));
                let until = self.io.now + left + self.io.settings.reply_keep;
                self.post_reply(reply, until, Ack::Entry(boot, entry, run));
                if self.io.has(Mutant::SettleFirst) {
                    self.entry_answered(boot, entry);
                }
            }
        }
    }

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

    /// A run is over; whoever waits behind it may start.
    pub(crate) fn run_over(&mut self, id: RunId) {
        let Some(run) = self.owner.runs.remove(&id) else { return };
        self.io.clear_timer(run.deadline, Timer::Run(id));
        self.owner.by_call.remove(&(run.route.call, run.route.attempt));
        self.leave_line(id, &run.route);
    }

    fn leave_line(&mut self, id: RunId, route: &Route) {
        match Owner::line_of(route) {
            None => {
                // One that was started has left it before.
                if let Some(at) = self.owner.queue.iter().position(|queued| *queued == id) {
                    self.owner.queue.remove(at);
                }
            }
            Some(key) => {
                let Some(line) = self.owner.lines.get_mut(&key) else { return };
                line.retain(|queued| *queued != id);
                if line.is_empty() {
                    self.owner.lines.remove(&key);
                    self.owner.ready.remove(&key);
                    self.owner.blocked.remove(&key);
                } else {
                    self.owner.ready.insert(key);
                }
            }
        }
    }

    /// Ends a call that has not started with an answer that says so.
    fn end_unstarted(&mut self, id: RunId, answer: Answer) {
        let Some(run) = self.owner.runs.get(&id) else { return };
        let (route, from) = (run.route.clone(), run.from);
        if run.begun
            && let (Some(idempotency), Some(boot)) = (route.idempotency, self.session.boot())
        {
            let (call, attempt) = (route.call, route.attempt);
            self.owner.abandoned.push(Command::IdempotencyAbandon { idempotency, boot, call, attempt });
        }
        self.run_over(id);
        self.turn_away(&route, answer, from);
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
            if !self.may_start() {
                self.owner.blocked.insert(line);
            } else if !self.may_start_line(&line, &id) {
                self.owner.blocked.insert(line);
            } else {
                self.try_start(id);
            }
        }
        self.ask_idempotency();
    }

    /// The first call of a line may start if this node owns the slot and nobody else can still run a call of it.
    fn may_start_line(&mut self, line: &Line, id: &RunId) -> bool {
        let run = &self.owner.runs[id];
        let slot = Slot::from_index(run.route.slot);
        match self.line_token(slot, line) {
            None => false,
            Some(token) => {
                self.owner.runs.get_mut(id).expect("just there").token = Some(token);
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

    fn start(&mut self, id: RunId) {
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
            not_after: if self.io.mutants.has(Mutant::NoDeadlineCheck) { hold } else { hold.min(run.deadline) },
            deadline: run.deadline,
            local: run.from == From::Here,
            context: std::mem::take(&mut run.context),
            arguments: std::mem::take(&mut run.arguments),
            arguments_follow: run.route.arguments_follow,
        };
        let (call, attempt, caller) = (start.call, start.attempt, run.route.caller);
        if start.arguments_follow && !start.local {
            self.expect_arguments(call, attempt, caller);
        }
        self.io.put(Output::Start(Box::new(start)));
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
    pub(crate) fn begun(&mut self, id: RunId, verdict: store::Verdict) {
        let Some(run) = self.owner.runs.get_mut(&id) else { return };
        if !matches!(run.stage, Stage::Begins | Stage::Attached) {
            return;
        }
        let idempotency = run.route.idempotency.expect("only such calls ask");
        match verdict {
            store::Verdict::Run => {
                // Time has passed since the call was allowed to start.
                let line = Owner::line_of(&run.route);
                let late = match run.from {
                    From::Here => self.io.now >= run.deadline,
                    From::Inbox(..) => self.clock.at_most(self.io.now) >= run.route.deadline,
                };
                if late && !self.io.has(Mutant::NoDeadlineCheck) {
                    self.end_unstarted(id, Answer::Expired);
                } else if self.may_start() && line.is_none_or(|line| self.may_start_line(&line, &id)) {
                    let run = &self.owner.runs[&id];
                    let (call, attempt) = (run.route.call, run.route.attempt);
                    self.known.running(idempotency, call, attempt, &self.io.settings);
                    self.start(id);
                } else {
                    self.end_unstarted(id, Answer::Moved);
                }
            }
            store::Verdict::Conflict => {
                run.begun = false;
                self.end_unstarted(id, Answer::Conflict);
            }
            store::Verdict::Taken(record) => match record {
                Record::Running { boot, call, attempt } => {
                    run.stage = Stage::Attached;
                    run.begun = false;
                    self.owner.asking.insert((self.io.now + self.io.settings.idempotency_poll, id));
                    if self.io.can_ask(Connection::Commands) {
                        let resolve = Command::IdempotencyResolve { idempotency, boot, call, attempt };
                        self.io.ask(Connection::Commands, resolve, Purpose::Resolve);
                    }
                }
                Record::Done { outcome, .. } => self.end_with(id, Answer::Replayed, outcome),
                Record::Unknown { .. } => self.end_with(id, Answer::Unknown, Bytes::new()),
            },
        }
    }

    /// Nothing is known of the question; it is asked again.
    pub(crate) fn begin_failed(&mut self, id: RunId) {
        if self.owner.runs.contains_key(&id) {
            self.owner.asking.insert((self.io.now, id));
        }
    }

    /// Ends a call with what is known of its twin.
    fn end_with(&mut self, id: RunId, answer: Answer, outcome: Bytes) {
        let Some(run) = self.owner.runs.get_mut(&id) else { return };
        run.stage = Stage::Replying;
        let (route, from) = (run.route.clone(), run.from);
        self.leave_line(id, &route);
        let outcome = Outcome { answer, outcome, position: None, rest: false };
        self.reply(&route, from, &outcome, Some(id));
    }

    /// A run ended. Its revalidations come first, then its idempotency record, then its answer.
    pub(crate) fn run_ended(&mut self, id: RunId, ended: Ended) {
        let Some(run) = self.owner.runs.get_mut(&id) else { return };
        if run.stage != Stage::Running {
            return self.io.counters.violated(Invariant::Call1, "a call ended that did not run");
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
            Ended::Ran { failed, outcome, revalidates, rest } => {
                let answer = if failed { Answer::Failed } else { Answer::Done };
                run.ended = Some(Outcome { answer, outcome, position: None, rest });
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
            let (call, kept) = (run.route.call, outcome.outcome.clone());
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
                outcome: outcome.outcome.clone(),
                retention_ms: self.io.settings.idempotency_retention.as_millis() as u64,
            };
            self.io.ask(Connection::Commands, command, Purpose::Finish(id));
        }
        if !self.io.can_ask(Connection::Commands) {
            return;
        }
        for command in std::mem::take(&mut self.owner.abandoned) {
            self.io.ask(Connection::Commands, command, Purpose::Abandon);
        }
        let Some(boot) = self.session.boot() else { return };
        if !self.owner.to_settle.is_empty() && self.owner.settling.is_empty() {
            self.owner.settling = std::mem::take(&mut self.owner.to_settle);
            let entries: Vec<_> = self.owner.settling.iter().copied().collect();
            let command = Command::Settle { boot, entries: entries.clone() };
            self.io.ask(Connection::Commands, command, Purpose::Settle(boot, entries));
        }
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

    /// A call's deadline passed: if it has not started, it never will.
    pub(crate) fn run_overdue(&mut self, id: RunId) {
        let Some(run) = self.owner.runs.get(&id) else { return };
        let waits = matches!(run.stage, Stage::Queued | Stage::Begins | Stage::Attached);
        match run.stage {
            Stage::Running => self.io.put(Output::CancelRun(id)),
            _ if waits && !self.io.has(Mutant::NoDeadlineCheck) => self.end_unstarted(id, Answer::Expired),
            _ => {}
        }
    }

    /// Takes a client's own call out of the queue; whether that was possible.
    pub(crate) fn withdraw(&mut self, call: CallId) -> bool {
        let id = self.owner.runs.iter().find(|(_, run)| run.route.call == call && run.from == From::Here);
        let Some((id, run)) = id else { return false };
        let (id, waits) = (*id, matches!(run.stage, Stage::Queued | Stage::Begins | Stage::Attached));
        if waits {
            self.run_over(id);
        }
        waits
    }

    /// Nobody waits for an attempt any more.
    pub(crate) fn cancel_run(&mut self, call: CallId, attempt: u32) {
        match self.owner.by_call.get(&(call, attempt)).copied() {
            None => {
                if self.owner.cancelled.len() >= CANCELLED_MAX {
                    self.owner.cancelled.pop_front();
                }
                self.owner.cancelled.push_back((call, attempt));
            }
            Some(id) => match self.owner.runs[&id].stage {
                Stage::Queued | Stage::Begins | Stage::Attached => {
                    if !self.io.has(Mutant::CancelStarts) {
                        self.end_unstarted(id, Answer::Expired);
                    }
                }
                Stage::Running => self.io.put(Output::CancelRun(id)),
                _ => {}
            },
        }
    }

    /// The session ended: nothing that was claimed and not started starts any more. What runs, runs on.
    pub(crate) fn owner_on_session_end(&mut self) {
        self.turn_away_waiting();
        self.owner.entries.clear();
        self.owner.to_settle.clear();
        self.owner.settling.clear();
        let running: Vec<RunId> = self
            .owner
            .runs
            .iter()
            .filter(|(_, run)| run.stage == Stage::Running && run.route.key.is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in running {
            self.io.put(Output::CancelRun(id));
        }
    }

    /// Says of everything that has not started that it never will, here.
    pub(crate) fn turn_away_waiting(&mut self) {
        let mut waiting: Vec<RunId> = self
            .owner
            .runs
            .iter()
            .filter(|(_, run)| matches!(run.stage, Stage::Queued | Stage::Begins | Stage::Attached))
            .map(|(id, _)| *id)
            .collect();
        waiting.sort_unstable();
        for id in waiting {
            if self.io.has(Mutant::MovedButKept) && self.owner.runs[&id].from != From::Here {
                let (route, from) = (self.owner.runs[&id].route.clone(), self.owner.runs[&id].from);
                self.turn_away(&route, Answer::Moved, from);
            } else {
                self.end_unstarted(id, Answer::Moved);
            }
        }
    }

    /// There is a new view: lines that are no longer ours move, and those that waited for it may start.
    pub(crate) fn owner_on_view(&mut self) {
        let lines: Vec<(Line, u16)> = self
            .owner
            .lines
            .iter()
            .filter_map(|(line, runs)| Some((line.clone(), self.owner.runs[runs.front()?].route.slot)))
            .collect();
        for (line, slot) in lines {
            if self.owns_line(&line, slot) {
                continue;
            }
            let runs: Vec<RunId> = self.owner.lines[&line].iter().copied().collect();
            for id in runs {
                if self.owner.runs[&id].stage == Stage::Queued {
                    self.end_unstarted(id, Answer::Moved);
                }
            }
        }
        let blocked = std::mem::take(&mut self.owner.blocked);
        self.owner.ready.extend(blocked);
    }

    fn owns_line(&self, line: &Line, slot: u16) -> bool {
        let view = self.views.current.as_ref();
        let owner = view.and_then(|view| placement::line_owner(view, Slot::from_index(slot), &line.0));
        owner.is_some() && owner == self.session.boot()
    }

    /// Slots of which calls run here although somebody else owns them.
    pub(crate) fn busy_slots(&self) -> BTreeSet<Slot> {
        if self.io.has(Mutant::BusyHidden) {
            return BTreeSet::new();
        }
        let running = self.owner.runs.values().filter(|run| run.stage == Stage::Running);
        running
            .filter_map(|run| {
                let line = Owner::line_of(&run.route)?;
                (!self.owns_line(&line, run.route.slot)).then(|| Slot::from_index(run.route.slot))
            })
            .collect()
    }
}
