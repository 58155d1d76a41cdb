//! The calls of this node's clients, each until it is answered.
//!
//! Only the caller sends a call. Everybody else only answers it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use callboard_protocol::{
    ActionId,
    action::CallId,
    envelope::{Answer, Envelope, Frame, Message, Reply, Route, Verdict},
    identity::{Boot, Incarnation, ViewVersion},
};

use super::{
    Answered, Core, Output, Submission, Timer,
    courier::{Courier, Settled},
    io::{Connection, Purpose},
};
use crate::{
    clock::Instant,
    mutant::Mutant,
    store::{Command, Failure, Sent, Stream},
};

/// Calls of one key wait in one line.
pub(crate) type Line = (ActionId, String);

/// All calls that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    pub(super) calls: HashMap<CallId, Waiting>,
    pub(super) accepted: u64,
    /// Calls that wait for no other and are to be placed, in order of acceptance.
    pub(super) unplaced: BTreeMap<u64, CallId>,
    pub(super) lines: HashMap<Line, CallerLine>,
    /// Lines in which something changed.
    pub(super) changed: BTreeSet<Line>,
    pub(super) courier: Courier<CallId>,
    /// Sessions of which a frame says that they are gone, until the view says so, too.
    pub(super) gone: BTreeSet<Boot>,
    /// How many members share the calls of an action, and until when that many.
    pub(super) spread: HashMap<ActionId, (usize, Instant)>,
}

#[derive(Debug, Default)]
pub(super) struct CallerLine {
    pub(super) calls: BTreeMap<u64, CallId>,
    /// The latest call of this line that was done.
    pub(super) done: u64,
}

/// A call that is not answered yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) submission: Submission,
    pub(super) accepted: u64,
    pub(super) attempt: u32,
    pub(super) place: Place,
    /// Whether an earlier attempt may have started, or another call with its idempotency key.
    pub(super) maybe_started: bool,
    /// Where it was too busy.
    pub(super) tried: HashSet<Boot>,
    /// What it waits for before it is placed again.
    pub(super) not_before: Option<(Incarnation, ViewVersion)>,
}

/// Where the current attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Here: no copy exists.
    Here,
    /// In line for a frame to this session: no copy exists.
    Lined(Boot),
    /// In a frame of which nothing is known: a copy may exist.
    Sending(Boot),
    /// In the inbox of this session: a copy exists.
    Sent(Boot),
    /// In this node's own queue.
    Own,
}

impl Place {
    pub(super) fn boot(self, own: Option<Boot>) -> Option<Boot> {
        match self {
            Self::Here => None,
            Self::Lined(boot) | Self::Sending(boot) | Self::Sent(boot) => Some(boot),
            Self::Own => own,
        }
    }
}

/// How long an action that was too busy stays spread over one member more.
pub(super) const SPREAD: std::time::Duration = std::time::Duration::from_secs(10);

impl Caller {
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether a client still waits for this call.
    pub(crate) fn waits_for(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    /// Whether this attempt may be at its owner, and more of its arguments are to follow.
    pub(crate) fn sends_arguments_of(&self, call: CallId, attempt: u32) -> bool {
        self.calls.get(&call).is_some_and(|waiting| {
            waiting.attempt == attempt
                && waiting.submission.arguments_follow
                && matches!(waiting.place, Place::Sending(_) | Place::Sent(_))
        })
    }

    pub(super) fn line_of(submission: &Submission) -> Option<Line> {
        submission.key.clone().map(|key| (submission.action, key))
    }

    /// Marks a call to be placed.
    pub(super) fn unplace(&mut self, call: CallId) {
        let Some(waiting) = self.calls.get(&call) else { return };
        match Self::line_of(&waiting.submission) {
            Some(line) => {
                self.changed.insert(line);
            }
            None => {
                self.unplaced.insert(waiting.accepted, call);
            }
        }
    }

    /// Everything that waits here may have a place now.
    pub(crate) fn reconsider(&mut self) {
        self.changed.extend(self.lines.keys().cloned());
    }
}

impl Core {
    /// A client calls.
    pub(crate) fn submit(&mut self, submission: Submission) {
        let call = submission.call;
        if self.io.now >= submission.deadline {
            return self.tell(call, Answer::Expired);
        }
        if !self.may_take_calls() {
            return self.tell(call, Answer::Busy);
        }
        self.caller.accepted += 1;
        let accepted = self.caller.accepted;
        self.io.set_timer(submission.deadline, Timer::Call(call));
        if let Some(line) = Caller::line_of(&submission) {
            self.caller.lines.entry(line).or_default().calls.insert(accepted, call);
        }
        let waiting = Waiting {
            submission,
            accepted,
            attempt: 1,
            place: Place::Here,
            maybe_started: false,
            tried: HashSet::new(),
            not_before: None,
        };
        self.caller.calls.insert(call, waiting);
        self.caller.unplace(call);
    }

    pub(super) fn tell(&mut self, call: CallId, answer: Answer) {
        self.io.put(Output::Answer(Box::new(Answered {
            call,
            answer,
            attempt: 1,
            run: None,
            outcome: Bytes::new(),
            position: None,
            rest: None,
        })));
    }

    /// A client went away: nobody waits for its call any more.
    pub(crate) fn cancel(&mut self, call: CallId) {
        let Some(waiting) = self.caller.calls.get(&call) else { return self.cancel_answered(call) };
        let attempt = waiting.attempt;
        match waiting.place {
            Place::Here | Place::Lined(_) => self.answer(call, Answer::Expired, None),
            Place::Own => self.cancel_run(call, attempt),
            Place::Sending(boot) | Place::Sent(boot) => {
                self.send_cancel(boot.process, call, attempt);
                if self.io.has(Mutant::CancelIsNotRun) {
                    self.answer(call, Answer::Expired, None);
                }
            }
        }
    }

    /// The deadline of a call passed, or its grace.
    pub(crate) fn call_overdue(&mut self, call: CallId) {
        let Some(waiting) = self.caller.calls.get(&call) else { return };
        let latest = waiting.submission.deadline + self.io.settings.answer_grace;
        let (place, attempt) = (waiting.place, waiting.attempt);
        let expired = match place {
            Place::Here | Place::Lined(_) => true,
            _ => self.io.has(Mutant::ExpiredAfterSend),
        };
        if expired {
            self.answer(call, Answer::Expired, None);
        } else if self.io.now >= latest {
            // One that waits in our own queue is known not to have started, and leaves it.
            let answer = match place {
                Place::Own if self.withdraw(call, attempt) => Answer::Expired,
                _ => Answer::Unknown,
            };
            self.answer(call, answer, None);
        } else {
            self.io.set_timer(latest, Timer::Call(call));
        }
    }

    /// Somebody says what became of an attempt.
    pub(crate) fn replied(&mut self, reply: Reply, run: Option<super::RunId>) {
        let Reply { verdict, outcome } = reply;
        let call = verdict.call;
        let Some(waiting) = self.caller.calls.get_mut(&call) else {
            return self.late_reply(&verdict);
        };
        let current = verdict.attempt == waiting.attempt || self.io.has(Mutant::AnyAttempt);
        match verdict.answer {
            Answer::Done | Answer::Failed | Answer::Replayed => {
                let answered = Some((verdict.clone(), outcome, run));
                self.answer(call, verdict.answer, answered);
            }
            _ if !current => {}
            Answer::Moved => self.moved(call, &verdict),
            // A stream of arguments can be read once.
            Answer::Unknown
                if waiting.submission.idempotent
                    && !waiting.submission.arguments_follow
                    && self.io.now < waiting.submission.deadline =>
            {
                waiting.maybe_started = true;
                self.again(call, Some(&verdict));
            }
            Answer::Busy if self.try_elsewhere(call, Some(&verdict)) => {}
            answer => self.answer(call, answer, None),
        }
    }

    /// The attempt was not run, and somebody else has to.
    pub(super) fn moved(&mut self, call: CallId, verdict: &Verdict) {
        let waiting = self.caller.calls.get_mut(&call).expect("asked for one that is there");
        // Where it was it may have waited for an earlier one with its idempotency key, which ran or runs.
        waiting.maybe_started |= waiting.submission.idempotency.is_some();
        let last = waiting.attempt >= self.io.settings.attempts_max;
        if last || self.io.now >= waiting.submission.deadline {
            self.answer(call, Answer::Moved, None);
        } else {
            self.again(call, Some(verdict));
        }
    }

    /// Another attempt, once the view is as new as that of whoever turned the last one away.
    pub(super) fn again(&mut self, call: CallId, verdict: Option<&Verdict>) {
        self.io.counters.resent += 1;
        let waiting = self.caller.calls.get_mut(&call).expect("asked for one that is there");
        waiting.attempt += 1;
        waiting.place = Place::Here;
        waiting.not_before = verdict.map(|verdict| (verdict.incarnation.clone(), verdict.view));
        let newer = verdict.is_some_and(|verdict| {
            let current = self.views.current.as_ref();
            current.is_none_or(|view| view.incarnation == verdict.incarnation && view.version < verdict.view)
        });
        if newer {
            self.session.want_view();
        }
        self.caller.unplace(call);
    }

    /// Answers a client and forgets its call.
    pub(super) fn answer(
        &mut self,
        call: CallId,
        answer: Answer,
        with: Option<(Verdict, Bytes, Option<super::RunId>)>,
    ) {
        let Some(waiting) = self.caller.calls.remove(&call) else { return };
        let answer = if answer.is_not_run() && waiting.maybe_started && !self.io.has(Mutant::NotRunAfterMaybe)
        {
            Answer::Unknown
        } else {
            answer
        };
        self.io.clear_timer(waiting.submission.deadline, Timer::Call(call));
        self.caller.unplaced.remove(&waiting.accepted);
        if let Some(key) = Caller::line_of(&waiting.submission) {
            let line = self.caller.lines.get_mut(&key).expect("a line is there for each of its calls");
            line.calls.remove(&waiting.accepted);
            if matches!(answer, Answer::Done) {
                line.done = line.done.max(waiting.accepted);
            }
            if line.calls.is_empty() {
                self.caller.lines.remove(&key);
                self.caller.changed.remove(&key);
            } else {
                self.caller.changed.insert(key);
            }
        }
        let rest = with.as_ref().is_some_and(|(verdict, ..)| verdict.rest);
        let attempt = with.as_ref().map_or(waiting.attempt, |(verdict, ..)| verdict.attempt);
        let answerer = with.as_ref().filter(|(.., run)| run.is_none()).map(|(verdict, ..)| verdict.answerer);
        let rest = self.answered_transfers(call, attempt, answerer, rest);
        let (position, outcome, run) = with
            .map_or((None, Bytes::new(), None), |(verdict, outcome, run)| (verdict.position, outcome, run));
        self.io.put(Output::Answer(Box::new(Answered {
            call,
            answer,
            attempt,
            run,
            outcome,
            position,
            rest,
        })));
    }

    /// Sends what can be sent.
    pub(crate) fn send_calls(&mut self) {
        while self.io.can_ask(Connection::Commands) {
            let Some(incarnation) = self.io.incarnation(Connection::Commands).cloned() else { return };
            let new_frames = self.may_send();
            let (me, namespace) = (self.me, self.namespace);
            let (calls, settings) = (&mut self.caller.calls, &self.io.settings);
            let view = self.views.current.as_ref().map_or(ViewVersion::default(), |view| view.version);
            let (clock, now, build) = (self.clock, self.io.now, self.profile.build);
            let frame = self.caller.courier.next(&incarnation, |to, number, waiting| {
                if !new_frames {
                    return None;
                }
                let (mut items, mut messages, mut bytes) = (Vec::new(), Vec::new(), 0);
                while items.len() < settings.frame_calls_max && bytes < settings.frame_bytes_max {
                    let Some(call) = waiting.pop_front() else { break };
                    let Some(entry) = calls.get_mut(&call).filter(|entry| entry.place == Place::Lined(to))
                    else {
                        continue;
                    };
                    entry.place = Place::Sending(to);
                    let left = entry.submission.deadline.since(now);
                    let deadline = clock.at_least(now).as_u64().saturating_add(left.as_millis() as u64);
                    let message = Message::Request(envelope(me, build, entry, deadline, view));
                    bytes += message.payload_bytes();
                    items.push(call);
                    messages.push(message);
                }
                if items.is_empty() {
                    return None;
                }
                let frame = Frame { sender: me, number, incarnation: incarnation.clone(), messages };
                Some((frame.encode(namespace), items))
            });
            let Some(frame) = frame else { return };
            self.io.counters.messages += frame.messages as u64;
            let command = Command::Send {
                to: frame.to,
                stream: Stream::Requests,
                sender: me,
                number: frame.number,
                frame: frame.bytes,
            };
            self.io.ask(Connection::Commands, command, Purpose::Send(frame.to, Stream::Requests));
        }
    }

    /// What became of a frame of calls.
    pub(crate) fn calls_sent(&mut self, to: Boot, result: &Result<Sent, Failure>) {
        if *result == Err(Failure::Silent) && self.io.has(Mutant::RerouteOnSilence) {
            for call in self.caller.courier.abandon(to) {
                self.back_here(call, to);
                if let Some(waiting) = self.caller.calls.get_mut(&call) {
                    waiting.tried.insert(to);
                }
            }
            return;
        }
        match self.caller.courier.settled(to, result) {
            Settled::Again => {}
            Settled::Wait => self.io.pause(),
            Settled::Appended(calls) => {
                for call in calls {
                    let waiting = self.caller.calls.get_mut(&call);
                    let sending = waiting.filter(|waiting| waiting.place == Place::Sending(to));
                    let Some(waiting) = sending else { continue };
                    waiting.place = Place::Sent(to);
                }
            }
            Settled::Full(calls) => {
                for call in calls {
                    let sending =
                        self.caller.calls.get(&call).filter(|call| call.place == Place::Sending(to));
                    if sending.is_some() && !self.try_elsewhere(call, None) {
                        self.answer(call, Answer::Busy, None);
                    }
                }
            }
            Settled::Gone(calls) => {
                self.caller.gone.insert(to);
                self.evict(to);
                for call in calls {
                    self.back_here(call, to);
                }
            }
            Settled::Refused(calls) => {
                for call in calls {
                    let waiting = self.caller.calls.get_mut(&call);
                    if let Some(waiting) = waiting.filter(|waiting| waiting.place == Place::Sending(to)) {
                        waiting.place = Place::Lined(to);
                    }
                }
            }
        }
    }

    /// No copy of the attempt exists, so it may be placed again.
    pub(super) fn back_here(&mut self, call: CallId, from: Boot) {
        let Some(waiting) = self.caller.calls.get_mut(&call) else { return };
        if matches!(waiting.place, Place::Sending(boot) | Place::Lined(boot) if boot == from) {
            waiting.place = Place::Here;
            self.caller.unplace(call);
        }
    }

    /// There is a new view: what waited for one may have a place now.
    pub(crate) fn caller_on_view(&mut self) {
        let Some(view) = self.views.current.clone() else { return };
        self.caller.gone.retain(|boot| view.members.contains_key(boot));
        let back = self.caller.courier.forget(|boot| view.members.contains_key(&boot));
        for call in back {
            let place = self.caller.calls.get(&call).map(|waiting| waiting.place);
            if let Some(Place::Lined(boot)) = place {
                self.back_here(call, boot);
            }
        }
        let now = self.io.now;
        self.caller.spread.retain(|_, (_, until)| *until > now);
        self.caller.reconsider();
    }

    /// The store lost its memory. What is in flight stays where it is: a copy may exist, and only its owner may
    /// speak for it.
    pub(crate) fn caller_on_loss(&mut self) {
        let (mut waiting, in_flight) = self.caller.courier.reset();
        if self.io.has(Mutant::ResendAfterLoss) {
            for call in &in_flight {
                let entry = self.caller.calls.get_mut(call);
                if let Some(entry) = entry
                    && let Place::Sending(boot) = entry.place
                {
                    entry.place = Place::Lined(boot);
                }
            }
            waiting.extend(in_flight);
        }
        for call in waiting {
            let place = self.caller.calls.get(&call).map(|waiting| waiting.place);
            if let Some(Place::Lined(boot)) = place {
                self.back_here(call, boot);
            }
        }
        self.caller.gone.clear();
    }
}

fn envelope(
    me: callboard_protocol::identity::ProcessId,
    build: u128,
    waiting: &Waiting,
    deadline_ms: u64,
    view: ViewVersion,
) -> Envelope {
    let submission = &waiting.submission;
    let route = Route {
        call: submission.call,
        attempt: waiting.attempt,
        caller: me,
        action: submission.action,
        build,
        slot: submission.slot.index() as u16,
        key: submission.key.clone(),
        idempotency: submission.idempotency,
        idempotent: submission.idempotent,
        deadline: callboard_protocol::identity::RedisMillis::from_u64(deadline_ms),
        view,
        revalidates: submission.revalidates.clone(),
        arguments_follow: submission.arguments_follow,
    };
    Envelope { route, context: submission.context.clone(), arguments: submission.arguments.clone() }
}
