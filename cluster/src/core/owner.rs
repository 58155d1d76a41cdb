//! The calls that this node runs: claimed from its inbox or submitted here, until their answers are given.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use callboard_protocol::{
    action::CallId,
    envelope::{Answer, Envelope, Reply, Route, Verdict},
    identity::{Boot, FencingToken, RedisMillis, ViewVersion},
    revalidation::LogPosition,
};

use super::{Core, Output, RunId, Submission, Timer, caller::Line, post::Ack};
use crate::{
    Slot,
    clock::Instant,
    mutant::Mutant,
    placement,
    store::{Command, EntryId},
};

/// All runs that are not over.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    pub(super) last_run: u64,
    pub(super) runs: BTreeMap<RunId, Run>,
    /// How many of them came from other nodes.
    remote: usize,
    pub(super) by_call: HashMap<(CallId, u32), RunId>,
    /// Calls that wait for no other, in order of arrival.
    pub(super) queue: VecDeque<RunId>,
    pub(super) lines: BTreeMap<Line, VecDeque<RunId>>,
    /// Lines whose first call may be able to start.
    pub(super) ready: BTreeSet<Line>,
    /// Lines whose first call waits for the view or for another member.
    pub(super) blocked: BTreeSet<Line>,
    /// Calls with idempotency keys, which ask again at their time.
    pub(super) asking: BTreeSet<(Instant, RunId)>,
    /// Calls that wait for another with their idempotency key, by key. The first of each asks for all of them.
    pub(super) twins: BTreeMap<u128, BTreeSet<RunId>>,
    /// Calls that were cancelled before they came, oldest first.
    pub(super) cancelled: VecDeque<(CallId, u32)>,
    /// Entries of the current inbox, with how many of their calls are unanswered.
    pub(crate) entries: BTreeMap<EntryId, usize>,
    /// Entries all of whose calls are answered.
    pub(crate) to_settle: BTreeSet<EntryId>,
    pub(crate) settling: BTreeSet<EntryId>,
    /// When those that are done with are forgotten at latest.
    pub(super) settle_at: Option<Instant>,
    /// Calls of lines that run now.
    pub(super) lined: BTreeMap<RunId, (Line, u16)>,
    /// Whether it may have changed which slots are busy.
    pub(super) busy_changed: bool,
    /// Runs whose outcome is to be kept for their idempotency key.
    pub(super) finishing: BTreeSet<RunId>,
    /// Idempotency keys whose begun run did not start.
    pub(super) abandoned: Vec<Command>,
}

/// A call on this node.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) route: Route,
    pub(super) context: Bytes,
    pub(super) arguments: Bytes,
    pub(super) from: From,
    pub(super) stage: Stage,
    pub(super) deadline: Instant,
    /// When it came.
    pub(super) came: Instant,
    pub(super) token: Option<FencingToken>,
    /// Whether a begin of its idempotency key was asked: its record may be there.
    pub(super) begun: bool,
    pub(super) ended: Option<Outcome>,
}

/// Where a call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// From a client of this node.
    Here,
    /// From this entry of this session's inbox.
    Inbox(Boot, EntryId),
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
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

impl Stage {
    /// Whether it has not started.
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::Queued | Self::Begins | Self::Attached)
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) answer: Answer,
    pub(super) outcome: Bytes,
    /// What is kept for its idempotency key, if that is something else.
    pub(super) kept: Option<Bytes>,
    pub(super) position: Option<LogPosition>,
    pub(super) rest: bool,
}

/// How many cancels of calls that have not come yet are remembered.
const CANCELLED_MAX: usize = 4096;

impl Owner {
    /// Whether nothing runs, waits or is to be answered.
    pub(crate) fn runs_nothing(&self) -> bool {
        self.runs.is_empty()
    }

    /// The same, and nothing of it is left in the inbox.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs_nothing() && self.to_settle.is_empty() && self.settling.is_empty()
    }

    /// How many calls of other nodes are taken in and not ended.
    pub(crate) fn taken_in(&self) -> usize {
        self.remote
    }

    /// Whether this entry of the current inbox is known, or is being forgotten.
    pub(crate) fn knows(&self, entry: EntryId) -> bool {
        self.entries.contains_key(&entry) || self.to_settle.contains(&entry) || self.settling.contains(&entry)
    }

    pub(crate) fn known_entries(&self) -> usize {
        self.entries.len() + self.to_settle.len() + self.settling.len()
    }

    pub(super) fn line_of(route: &Route) -> Option<Line> {
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
        if let Some(at) = self
            .owner
            .cancelled
            .iter()
            .position(|cancelled| *cancelled == (envelope.route.call, envelope.route.attempt))
        {
            self.owner.cancelled.remove(at);
            if !self.io.has(Mutant::CancelStarts) {
                return self.turn_away(&envelope.route, Answer::Expired, From::Inbox(boot, entry));
            }
        }
        self.take_call(envelope, From::Inbox(boot, entry), deadline);
    }

    pub(super) fn take_call(&mut self, envelope: Envelope, from: From, deadline: Instant) {
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
            came: self.io.now,
            token: None,
            begun: false,
            ended: None,
        };
        self.owner.remote += usize::from(run.from != From::Here);
        self.owner.runs.insert(id, run);
    }

    /// Says that a call which has not started never will.
    pub(super) fn turn_away(&mut self, route: &Route, answer: Answer, from: From) {
        if answer == Answer::Moved {
            self.io.counters.moved += 1;
        }
        self.reply(
            route,
            from,
            &Outcome { answer, outcome: Bytes::new(), kept: None, position: None, rest: false },
            None,
        );
    }

    /// Answers a call of the inbox that is not even looked at.
    pub(crate) fn refuse_request(&mut self, route: &Route, answer: Answer, boot: Boot, entry: EntryId) {
        self.turn_away(route, answer, From::Inbox(boot, entry));
    }

    /// Gives an answer to whoever waits for it.
    pub(super) fn reply(&mut self, route: &Route, from: From, outcome: &Outcome, run: Option<RunId>) {
        let said = self.verdict(route, outcome.answer);
        let verdict = Verdict { position: outcome.position, rest: outcome.rest, ..said };
        let reply = Reply { verdict, outcome: outcome.outcome.clone() };
        match from {
            From::Here => {
                self.replied(reply, run);
                if let Some(run) = run {
                    self.run_over(run);
                }
            }
            From::Inbox(boot, entry) => {
                self.post_reply(reply, Ack::Entry(boot, entry, run));
                if self.io.has(Mutant::SettleFirst) {
                    self.entry_answered(boot, entry);
                }
            }
        }
    }

    /// A run is over; whoever waits behind it may start.
    pub(crate) fn run_over(&mut self, id: RunId) {
        let Some(run) = self.owner.runs.remove(&id) else { return };
        self.owner.remote -= usize::from(run.from != From::Here);
        self.io.clear_timer(run.deadline, Timer::Run(id));
        self.owner.by_call.remove(&(run.route.call, run.route.attempt));
        self.detach(id, &run.route);
        self.leave_line(id, &run.route);
    }

    pub(super) fn leave_line(&mut self, id: RunId, route: &Route) {
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
    pub(super) fn end_unstarted(&mut self, id: RunId, answer: Answer) {
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

    /// A call's deadline passed: if it has not started, it never will.
    pub(crate) fn run_overdue(&mut self, id: RunId) {
        let Some(run) = self.owner.runs.get(&id) else { return };
        let waits = run.stage.waits();
        match run.stage {
            Stage::Running => self.io.put(Output::CancelRun(id)),
            // To whoever sent both, this call and the one that it waits for are one, and that one runs.
            Stage::Attached if !self.io.has(Mutant::NoDeadlineCheck) => {
                self.end_unstarted(id, Answer::Unknown);
            }
            _ if waits && !self.io.has(Mutant::NoDeadlineCheck) => self.end_unstarted(id, Answer::Expired),
            _ => {}
        }
    }

    /// Takes a client's own call out of the queue; whether that was possible.
    pub(crate) fn withdraw(&mut self, call: CallId, attempt: u32) -> bool {
        let Some(id) = self.owner.by_call.get(&(call, attempt)).copied() else { return false };
        let waits = self.owner.runs[&id].stage.waits();
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
                // A browser drops the first of two submissions, and the second waits for the same run.
                Stage::Running if self.owner.runs[&id].route.idempotency.is_some() => {}
                Stage::Running => self.io.put(Output::CancelRun(id)),
                stage if stage.waits() && !self.io.has(Mutant::CancelStarts) => {
                    self.end_unstarted(id, Answer::Expired);
                }
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
        self.owner.settle_at = None;
        let running: Vec<RunId> = self.owner.lined.keys().copied().collect();
        for id in running {
            self.io.put(Output::CancelRun(id));
        }
    }

    /// Says of everything that has not started that it never will, here.
    pub(crate) fn turn_away_waiting(&mut self) {
        let waiting: Vec<RunId> =
            self.owner.runs.iter().filter(|(_, run)| run.stage.waits()).map(|(id, _)| *id).collect();
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
        self.owner.busy_changed = true;
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

    pub(super) fn owns_line(&self, line: &Line, slot: u16) -> bool {
        let view = self.views.current.as_ref();
        let owner = view.and_then(|view| placement::line_owner(view, Slot::from_index(slot), &line.0));
        owner.is_some() && owner == self.session.boot()
    }

    /// Slots of which calls run here although somebody else owns them.
    pub(crate) fn busy_slots(&self) -> BTreeSet<Slot> {
        if self.io.has(Mutant::BusyHidden) {
            return BTreeSet::new();
        }
        let others = self.owner.lined.values().filter(|(line, slot)| !self.owns_line(line, *slot));
        others.map(|(_, slot)| Slot::from_index(*slot)).collect()
    }
}
