//! At most once, and truthful: what ran, by the ledger, against what was answered.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::Deserialize;

use super::{
    calls::{CALLS_KEPT_MAX, Call, Calls, Moment, RequestEnd},
    keys::Keys,
    ledger::{Ledger, Line, Run},
    marks::Mark,
    shape::Given,
    takeover::Takeover,
    verdict::Verdicts,
};
use crate::{
    observation::{Answer, End, LedgerCall, LedgerClass, Observation},
    results::Outcome,
    target::Kind,
};

/// Answers that wait for the next look at the ledger.
pub(super) const WAITING_MAX: usize = CALLS_KEPT_MAX;

/// What may be wrong if nothing is written down at all.
const SILENT: &str = " (no line has come to the ledger: is it the file that LEDGER names for the nodes?)";

/// The calls of a run that write themselves down.
pub(super) struct Runs {
    pub(super) calls: Calls,
    pub(super) keys: Keys,
    pub(super) takeover: Takeover,
    ledger: Option<Ledger>,
    kind: Kind,
    /// Answers that say that a call ran, whose lines are read at the next look.
    waiting: VecDeque<Waiting>,
}

/// An answer that says that a call ran.
struct Waiting {
    number: u64,
    returned: Option<Returned>,
}

/// What the action returned.
#[derive(Debug, Deserialize)]
struct Returned {
    account: String,
    number: serde_json::Value,
    pid: u32,
    token: Option<serde_json::Value>,
}

impl Runs {
    pub(super) fn new(ledger: Option<Ledger>, kind: Kind) -> Self {
        let (calls, keys, takeover) = (Calls::default(), Keys::default(), Takeover::default());
        Self { calls, keys, takeover, ledger, kind, waiting: VecDeque::new() }
    }

    /// A request has ended.
    pub(super) fn ended(
        &mut self,
        call: &LedgerCall,
        request: usize,
        (observation, ended, given): (&Observation, Moment, &Given),
        verdicts: &mut Verdicts,
    ) {
        let answer = match &observation.end {
            End::Answered(answer) => Some(answer),
            _ => None,
        };
        let outcome = observation.end.outcome();
        let named = answer.and_then(|answer| answer.header("callboard-call-id")).map(Into::into);
        let end = RequestEnd { ended, target: observation.target, outcome, call: named };
        self.calls.ended(call.number, request, end);
        match outcome {
            Outcome::Done => self.done(call, answer, (given, ended), verdicts),
            Outcome::Failed => {
                let what =
                    || format!("call {} was answered failed, and its action does not fail", call.number);
                verdicts.truth.broken(what, || self.calls.history(call.number));
            }
            Outcome::Unknown => verdicts.truth.undecided("answered unknown"),
            Outcome::HungUp => verdicts.truth.undecided("the client hung up"),
            // The first of these is judged below, the others for all calls.
            Outcome::NotRun | Outcome::Broken | Outcome::TimedOut | Outcome::Malformed => {}
        }
        self.denied(call.number, verdicts);
        Keys::request_ended(call.number, outcome, &mut self.calls, &mut verdicts.order);
    }

    fn done(
        &mut self,
        call: &LedgerCall,
        answer: Option<&Answer>,
        (given, ended): (&Given, Moment),
        verdicts: &mut Verdicts,
    ) {
        let truth = &mut verdicts.truth;
        let replayed = answer.and_then(|answer| answer.header("callboard-replayed"));
        let is_kept = replayed != Some("body-not-kept");
        let returned = match given {
            Given::Value(row) if is_kept => serde_json::from_slice::<Returned>(row).ok(),
            // Another promise is broken.
            Given::Unreadable if is_kept => {
                truth.undecided("the answer could not be read");
                return;
            }
            _ => None,
        };
        // What is replayed ran before.
        if let (Some(returned), LedgerClass::Keyed, None) = (&returned, call.class, replayed) {
            self.takeover.ran(&call.account, returned.pid, ended.at);
        }
        let told = match &returned {
            None if is_kept => Err("and says nothing of its run".to_owned()),
            Some(returned) => returned.is_of(call),
            None => Ok(()),
        };
        if let Err(what) = told {
            let what = || format!("call {} was answered done, {what}", call.number);
            truth.broken(what, || self.calls.history(call.number));
        } else if self.ledger.is_none() {
            truth.undecided("there is no ledger");
        } else {
            if self.waiting.len() == WAITING_MAX {
                self.waiting.pop_front();
                truth.undecided("the ledger was not looked at for too long");
            }
            self.waiting.push_back(Waiting { number: call.number, returned });
        }
    }

    /// Reads what came to the ledger, and judges the answers that came before.
    pub(super) fn look(&mut self, verdicts: &mut Verdicts) -> anyhow::Result<()> {
        let Some(mut ledger) = self.ledger.take() else { return Ok(()) };
        let read = ledger.read(|number, line| self.line(number, &line, verdicts));
        let is_silent = ledger.is_silent();
        self.ledger = Some(ledger);
        read?;
        for waiting in std::mem::take(&mut self.waiting) {
            match self.calls.get(waiting.number) {
                Some(call) if call.has_forgotten_runs => {
                    verdicts.truth.undecided("the run of an answer was forgotten");
                }
                Some(call) => {
                    if let Err(what) = ran(call, &waiting) {
                        let hint = if is_silent { SILENT } else { "" };
                        let what = || format!("call {} was answered done, {what}{hint}", waiting.number);
                        verdicts.truth.broken(what, || self.calls.history(waiting.number));
                    }
                }
                None => verdicts.truth.undecided("a call was forgotten before the ledger was looked at"),
            }
        }
        Ok(())
    }

    fn line(&mut self, number: u64, line: &Line, verdicts: &mut Verdicts) {
        match line {
            Line::Start(run) => self.started(number, run, verdicts),
            Line::End(run) => {
                self.calls.run_ended(number, run);
                self.keys.run_ended(run);
            }
            Line::Killed(process) => self.keys.killed(*process),
        }
    }

    fn started(&mut self, line: u64, run: &Run, verdicts: &mut Verdicts) {
        verdicts.once.judged();
        let number = run.number;
        let before = self.calls.started(line, run);
        let this = || format!("ledger line {line}: start of {run}");
        match before {
            Mark::Unasked => {
                verdicts.once.broken(|| format!("call {number} started, and nobody called"), || vec![this()]);
            }
            Mark::Started => self.again(run, verdicts, this),
            Mark::MustNotStart => match self.calls.get(number) {
                Some(_) => self.denied(number, verdicts),
                None => {
                    let what = || format!("call {number} was answered not-run, and ran");
                    verdicts.truth.broken(what, || vec![self.calls.history(number).concat(), this()]);
                }
            },
            Mark::Forgotten => verdicts.once.undecided("a call was forgotten before it started"),
            Mark::MayStart => self.denied(number, verdicts),
        }
        if run.class == LedgerClass::Keyed {
            match self.kind {
                Kind::Callboard => self.keys.started(line, run, &mut self.calls, &mut verdicts.order),
                Kind::Next => verdicts.order.undecided("the target promises no order"),
            }
        }
    }

    /// A call started that had started before.
    fn again(&self, run: &Run, verdicts: &mut Verdicts, this: impl FnOnce() -> String) {
        let number = run.number;
        let has_key = self.calls.get(number).is_some_and(|call| call.has_idempotency_key);
        if run.class == LedgerClass::Idempotent {
            verdicts.once.undecided("an idempotent action ran again, as it may if its first run was lost");
        } else if has_key && self.kind == Kind::Next {
            verdicts.once.undecided("the target knows no idempotency keys");
        } else {
            let what = || {
                let key = if has_key { ", with one idempotency key" } else { "" };
                format!("call {number} started twice{key}")
            };
            verdicts.once.broken(what, || {
                let mut history = self.calls.history(number);
                if self.calls.get(number).is_none() {
                    history.push(this());
                }
                history
            });
        }
    }

    /// Whether somebody was told that a call would not run which did: of several requests with one idempotency key, all.
    fn denied(&mut self, number: u64, verdicts: &mut Verdicts) {
        let Some(call) = self.calls.get_mut(number) else { return };
        let denied = |run: &Run| {
            call.requests.iter().filter_map(|request| request.end.as_ref()).any(|end| {
                end.outcome == Outcome::NotRun && end.call.as_ref().is_some_and(|named| *named == run.call)
            })
        };
        let is_wrong =
            call.is_denied() && !call.runs.is_empty() || call.runs.iter().any(|ran| denied(&ran.run));
        if is_wrong && !call.is_denial_told {
            call.is_denial_told = true;
            let what = || format!("call {number} was answered not-run, and ran");
            verdicts.truth.broken(what, || self.calls.history(number));
        }
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl Returned {
    fn is_of(&self, call: &LedgerCall) -> Result<(), String> {
        if whole(&self.number) == Some(call.number) && *self.account == *call.account {
            return Ok(());
        }
        Err(format!("with the value of call {} of {}", self.number, self.account))
    }
}

/// A start and an end are written down, and are those of which the answer tells.
fn ran(call: &Call, Waiting { returned, .. }: &Waiting) -> Result<(), String> {
    if call.runs.is_empty() {
        return Err("and never started".to_owned());
    }
    let ended: Vec<_> = call.runs.iter().filter(|ran| ran.ended.is_some()).map(|ran| &ran.run).collect();
    if ended.is_empty() {
        return Err("and did not end".to_owned());
    }
    let Some(returned) = returned else { return Ok(()) };
    let token = returned.token.as_ref().and_then(whole);
    if ended.iter().any(|run| (run.process, run.token) == (returned.pid, token)) {
        return Ok(());
    }
    let token = token.map_or_else(|| "without a token".to_owned(), |token| format!("under token {token}"));
    Err(format!("as one that ran in process {} {token}, and did not", returned.pid))
}

/// A whole number, which is a text in rows where JavaScript's numbers are not exact.
fn whole(value: &serde_json::Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.strip_prefix("$n")?.parse().ok())
}

/// The value of an answer, if it is one row.
pub(super) fn count(row: &Bytes) -> Option<i64> {
    let value: serde_json::Value = serde_json::from_slice(row).ok()?;
    value.as_i64().or_else(|| value.as_str()?.strip_prefix("$n")?.parse().ok())
}
