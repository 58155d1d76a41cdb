//! Calls that write themselves down: who asked, what was answered, what ran.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use super::{
    ledger::Run,
    marks::{Mark, Marks},
    verdict::{span, target},
};
use crate::{
    observation::{LedgerCall, TargetId},
    results::Outcome,
};

/// Calls without a request under way that are remembered whole, for histories and for lines that come late: some seconds of
/// the highest rates, at about 500 bytes each. Two bits are remembered of the others.
pub(super) const CALLS_KEPT_MAX: usize = 65_536;

/// Runs of one call that are remembered: what shows that there was more than one.
const RUNS_KEPT_MAX: usize = 4;

/// When something happened: its time, and its place among everything that happens to clients, which is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: Duration,
    pub(super) place: u64,
}

/// A call.
pub(super) struct Call {
    pub(super) account: Arc<str>,
    pub(super) has_idempotency_key: bool,
    pub(super) requests: Vec<Request>,
    in_flight: usize,
    pub(super) runs: Vec<Ran>,
    /// There were more runs, or there may have been before it was forgotten.
    pub(super) has_forgotten_runs: bool,
    /// What was known of it when it was asked for again after it had been forgotten.
    before: Mark,
    /// It was said already that somebody was told it would not run.
    pub(super) is_denial_told: bool,
    /// The history of a start with a token that was too old, which is wrong if anybody is told what became of it.
    pub(super) late: Option<Vec<String>>,
}

/// A request for it.
pub(super) struct Request {
    pub(super) sent: Moment,
    pub(super) end: Option<RequestEnd>,
}

/// What became of a request.
pub(super) struct RequestEnd {
    pub(super) ended: Moment,
    pub(super) target: TargetId,
    pub(super) outcome: Outcome,
    /// The call ID that the answer names.
    pub(super) call: Option<Box<str>>,
}

/// A run, by the ledger.
#[derive(Clone)]
pub(super) struct Ran {
    pub(super) line: u64,
    pub(super) run: Run,
    /// The line of its end.
    pub(super) ended: Option<u64>,
}

/// The calls that are remembered.
#[derive(Default)]
pub(super) struct Calls {
    known: HashMap<u64, Call>,
    /// Calls without a request under way, the one that has been so for longest first.
    kept: VecDeque<u64>,
    marks: Marks,
}

impl Calls {
    /// A request is sent. Which one of its call it is.
    pub(super) fn sending(&mut self, call: &LedgerCall, sent: Moment) -> usize {
        let before = self.marks.get(call.number);
        let known = self.known.entry(call.number).or_insert_with(|| Call {
            account: Arc::clone(&call.account),
            has_idempotency_key: call.has_idempotency_key,
            requests: Vec::new(),
            in_flight: 0,
            runs: Vec::new(),
            has_forgotten_runs: matches!(before, Mark::Started | Mark::Forgotten),
            before,
            is_denial_told: false,
            late: None,
        });
        known.in_flight += 1;
        known.requests.push(Request { sent, end: None });
        known.requests.len() - 1
    }

    /// It has ended.
    pub(super) fn ended(&mut self, number: u64, request: usize, end: RequestEnd) {
        let Some(call) = self.known.get_mut(&number) else { return };
        let Some(request) = call.requests.get_mut(request) else { return };
        request.end = Some(end);
        call.in_flight = call.in_flight.saturating_sub(1);
        if call.in_flight == 0 {
            self.marks.set(number, call.mark());
            self.kept.push_back(number);
        }
        while self.kept.len() > CALLS_KEPT_MAX {
            let oldest = self.kept.pop_front();
            // One that was asked for again is put in again when that has ended.
            let is_idle = |oldest: &u64| self.known.get(oldest).is_some_and(|call| call.in_flight == 0);
            if let Some(oldest) = oldest.filter(is_idle) {
                self.known.remove(&oldest);
            }
        }
    }

    /// A run began. What was known of its call before.
    pub(super) fn started(&mut self, line: u64, run: &Run) -> Mark {
        let before = match self.known.get_mut(&run.number) {
            Some(call) => {
                let before = call.mark();
                if call.runs.len() < RUNS_KEPT_MAX {
                    call.runs.push(Ran { line, run: run.clone(), ended: None });
                } else {
                    call.has_forgotten_runs = true;
                }
                before
            }
            None => self.marks.get(run.number),
        };
        if before != Mark::Forgotten {
            self.marks.set(run.number, Mark::Started);
        }
        before
    }

    /// It ended.
    pub(super) fn run_ended(&mut self, line: u64, run: &Run) {
        let runs = self.known.get_mut(&run.number).map(|call| call.runs.iter_mut()).into_iter().flatten();
        if let Some(ran) = runs.rev().find(|ran| ran.run == *run && ran.ended.is_none()) {
            ran.ended = Some(line);
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<&Call> {
        self.known.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Call> {
        self.known.get_mut(&number)
    }

    /// All that is known of a call: its requests, and then its runs.
    pub(super) fn history(&self, number: u64) -> Vec<String> {
        let Some(call) = self.known.get(&number) else {
            return vec![format!("call {number}: its requests ended too long ago to be told of")];
        };
        let requests = call.requests.iter().map(|request| {
            let ended = request.end.as_ref().map(|end| end.ended.at);
            let to = request.end.as_ref().map_or_else(|| "under way".to_owned(), ToString::to_string);
            format!("{}: call {number} of {} {to}", span(request.sent.at, ended), call.account)
        });
        requests.chain(call.runs.iter().map(ToString::to_string)).collect()
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.known.len(), self.kept.len(), self.marks.pages())
    }
}

impl Call {
    /// What is known of it in two bits, or that somebody who called waits for an answer.
    fn mark(&self) -> Mark {
        let denied =
            |request: &Request| request.end.as_ref().is_some_and(|end| end.outcome == Outcome::NotRun);
        match self.before {
            _ if !self.runs.is_empty() => Mark::Started,
            Mark::Started => Mark::Started,
            Mark::Unasked | Mark::MustNotStart if self.requests.iter().all(denied) => Mark::MustNotStart,
            _ => Mark::MayStart,
        }
    }

    /// Everybody who called was told that it did not run, and nobody waits.
    pub(super) fn is_denied(&self) -> bool {
        let denied = |end: &RequestEnd| end.outcome == Outcome::NotRun;
        let only_these = matches!(self.before, Mark::Unasked | Mark::MustNotStart);
        only_these && self.requests.iter().all(|request| request.end.as_ref().is_some_and(denied))
    }

    /// The first request, if there is only this one and no other can have started the call.
    pub(super) fn only_request(&self) -> Option<&Request> {
        let [request] = &self.requests[..] else { return None };
        (!self.has_idempotency_key && self.before == Mark::Unasked).then_some(request)
    }
}

impl fmt::Display for RequestEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Done => "answered done",
            Outcome::Failed => "answered failed",
            Outcome::NotRun => "answered not-run",
            Outcome::Unknown => "answered unknown",
            Outcome::HungUp => "hung up",
            Outcome::Broken => "broken",
            Outcome::TimedOut => "not answered",
            Outcome::Malformed => "answered with what is no outcome",
        };
        write!(f, "to {}: {outcome}", target(self.target))?;
        self.call.as_ref().map_or(Ok(()), |call| write!(f, ", as {call}"))
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.ended.map_or_else(|| "no end".to_owned(), |line| format!("ended in line {line}"));
        write!(f, "ledger line {}: start of {}, {ended}", self.line, self.run)
    }
}
