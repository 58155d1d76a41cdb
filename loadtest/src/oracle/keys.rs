//! Calls of one account: one at a time, in order, with tokens that never go back.

use std::collections::{HashMap, VecDeque};

use super::{
    calls::{Calls, Ran, RequestEnd},
    ledger::Run,
    verdict::Verdict,
};
use crate::results::Outcome;

/// Accounts that are remembered, at some 300 bytes each; scenarios have thousands.
pub(super) const ACCOUNTS_MAX: usize = 65_536;

/// Runs of one account that have no end: each is of a process that died, and nobody said so.
const OPEN_MAX: usize = 16;

/// What is known of an account at a place in the ledger.
#[derive(Default)]
struct Account {
    /// Runs that have not ended.
    open: Vec<Ran>,
    /// The first run with the highest token that any had.
    highest: Option<Ran>,
    /// Of the runs so far, that of the request that was sent last: the place of the sending.
    latest: Option<(u64, u64)>,
}

/// The accounts of a run.
#[derive(Default)]
pub(super) struct Keys {
    accounts: HashMap<Box<str>, Account>,
    /// In the order in which they came.
    order: VecDeque<Box<str>>,
}

impl Keys {
    /// A run of an account began.
    pub(super) fn started(&mut self, line: u64, run: &Run, calls: &mut Calls, order: &mut Verdict) {
        order.judged();
        if !self.accounts.contains_key(&run.account) {
            self.remember(&run.account, order);
        }
        let Some(account) = self.accounts.get_mut(&run.account) else { return };
        let ran = Ran { line, run: run.clone(), ended: None };
        if run.token.is_none() {
            let what = || format!("call {} of {} started without a token", run.number, run.account);
            order.broken(what, || calls.history(run.number));
        }
        let highest = account.highest.as_ref().and_then(|highest| highest.run.token);
        if run.token < highest {
            account.late(&ran, calls, order);
        } else {
            account.overlaps(&ran, calls, order);
        }
        account.in_order(run, calls, order);
        if run.token > highest {
            account.highest = Some(ran.clone());
        }
        if account.open.len() == OPEN_MAX {
            account.open.remove(0);
            order.undecided("a run without an end was forgotten");
        }
        account.open.push(ran);
    }

    fn remember(&mut self, name: &str, order: &mut Verdict) {
        self.accounts.insert(name.into(), Account::default());
        self.order.push_back(name.into());
        if self.order.len() > ACCOUNTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.accounts.remove(&oldest);
            order.undecided("an account was forgotten, as there are too many");
        }
    }

    /// It ended.
    pub(super) fn run_ended(&mut self, run: &Run) {
        if let Some(account) = self.accounts.get_mut(&run.account) {
            account.open.retain(|open| (&open.run.call, open.run.process) != (&run.call, run.process));
        }
    }

    /// What ran in this process does not run any more.
    pub(super) fn killed(&mut self, process: u32) {
        for account in self.accounts.values_mut() {
            account.open.retain(|open| open.run.process != process);
        }
    }

    /// A request has ended whose call may have started too late.
    pub(super) fn request_ended(number: u64, outcome: Outcome, calls: &mut Calls, order: &mut Verdict) {
        let is_told = matches!(outcome, Outcome::Done | Outcome::Failed | Outcome::NotRun);
        let Some(call) = calls.get_mut(number).filter(|call| is_told && call.late.is_some()) else { return };
        let late = call.late.take().unwrap_or_default();
        tell_late(number, late, calls, order);
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.accounts.len(), self.order.len())
    }
}

impl Account {
    /// A start with a token below another one is of a process that stopped between its last look at the clock and the start.
    /// Its token says that it is late, and nobody may be told what became of it.
    fn late(&self, ran: &Ran, calls: &mut Calls, order: &mut Verdict) {
        let number = ran.run.number;
        let history = self.highest.iter().chain([ran]).map(ToString::to_string).collect();
        let told =
            |end: &RequestEnd| matches!(end.outcome, Outcome::Done | Outcome::Failed | Outcome::NotRun);
        let Some(call) = calls.get_mut(number) else {
            order.undecided("a call with a token that went back was forgotten");
            return;
        };
        if call.requests.iter().filter_map(|request| request.end.as_ref()).any(told) {
            tell_late(number, history, calls, order);
        } else {
            order.undecided("a token went back, and nobody was told of its call");
            call.late = Some(history);
        }
    }

    /// Runs that have not ended need a lower token: then their process has been given up.
    fn overlaps(&self, ran: &Ran, calls: &Calls, order: &mut Verdict) {
        for open in &self.open {
            if ran.run.token > open.run.token {
                order.undecided("a run began under a higher token before another one ended");
                continue;
            }
            let what = || {
                let Run { number, account, .. } = &ran.run;
                format!("call {number} of {account} started while call {} of it ran", open.run.number)
            };
            order.broken(what, || {
                let mut history = calls.history(open.run.number);
                history.extend(calls.history(ran.run.number));
                history
            });
        }
    }

    /// What was sent after this one was answered may not have run before.
    fn in_order(&mut self, run: &Run, calls: &Calls, order: &mut Verdict) {
        let Some(call) = calls.get(run.number) else {
            order.undecided("a call was forgotten before it ran");
            return;
        };
        // Of several requests with one idempotency key, another one may have started the call.
        let Some(request) = call.only_request() else {
            order.undecided("several requests could have started a call");
            return;
        };
        let answered = request.end.as_ref().filter(|end| end.outcome == Outcome::Done);
        if let (Some(answered), Some((sent, later))) = (answered, self.latest)
            && answered.ended.place < sent
        {
            let what = || {
                format!(
                    "call {later} of {} was sent after call {} was done, and ran before it",
                    run.account, run.number
                )
            };
            order.broken(what, || {
                let mut history = calls.history(run.number);
                history.extend(calls.history(later));
                history
            });
        }
        if self.latest.is_none_or(|(sent, _)| sent < request.sent.place) {
            self.latest = Some((request.sent.place, run.number));
        }
    }
}

fn tell_late(number: u64, late: Vec<String>, calls: &Calls, order: &mut Verdict) {
    let what =
        || format!("call {number} ran under a token that had gone back, and its client was told of it");
    order.broken(what, || {
        let mut history = calls.history(number);
        history.extend(late);
        history
    });
}
