//! One at a time, in order, with tokens that never go back.

use std::collections::HashMap;

use callboard_cluster::core::Invariant;

use super::{Evidence, Violation, broken};
use crate::faults::{
    history::Outcome,
    ledger::{Action, Line, Run},
};

/// What is known of an account at a place in the ledger.
#[derive(Default)]
struct Account<'a> {
    /// Runs that have not ended.
    open: Vec<&'a Run>,
    /// The highest token that any run had.
    highest: Option<u64>,
}

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut accounts: HashMap<&str, Account> = HashMap::new();
    for line in evidence.lines {
        match line {
            Line::Start(run) if run.action == Action::Keyed => {
                start(evidence, accounts.entry(&run.account).or_default(), run, found);
            }
            Line::End(run) if run.action == Action::Keyed => {
                let account = accounts.entry(&run.account).or_default();
                account.open.retain(|open| (&open.call, open.pid) != (&run.call, run.pid));
            }
            Line::Killed(pid) => {
                for account in accounts.values_mut() {
                    account.open.retain(|open| open.pid != *pid);
                }
            }
            _ => {}
        }
    }
    in_order(evidence, found);
}

/// KEY-1 and KEY-3.
fn start<'a>(evidence: &Evidence, account: &mut Account<'a>, run: &'a Run, found: &mut Vec<Violation>) {
    let (number, name) = (run.number, &run.account);
    if run.token.is_none() {
        let what = format!("call {number} of {name} started in {} without a token", run.pid);
        broken(found, Invariant::Key3, number, what);
    }
    if run.token < account.highest {
        // A process that stopped between its last look at the clock and the start. Nobody may have been told that it
        // ran, or did not; and its token says that it is late.
        let told = evidence
            .asked(number)
            .iter()
            .find_map(|request| request.outcome().filter(|outcome| *outcome != Outcome::Unknown));
        if let Some(outcome) = told {
            let what = format!(
                "stale start: call {number} of {name} started in {} with token {:?} after {:?}, and was answered {outcome:?}",
                run.pid, run.token, account.highest
            );
            broken(found, Invariant::Key3, number, what);
        }
    } else {
        for open in account.open.iter().filter(|open| run.token <= open.token) {
            let what = format!(
                "call {number} of {name} started in {} with token {:?} while call {} ran in {} with token {:?}",
                run.pid, run.token, open.number, open.pid, open.token
            );
            broken(found, Invariant::Key1, number, what);
        }
    }
    account.highest = account.highest.max(run.token);
    account.open.push(run);
}

/// KEY-2: what a client sent after it had the answer of the one before. Of requests with an idempotency key, another one
/// may have started the call.
fn in_order(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut last: HashMap<(usize, u32, &str), (u64, u64, usize)> = HashMap::new();
    let mut requests: Vec<_> = evidence.requests.iter().collect();
    requests.sort_by_key(|request| request.sent);
    for request in requests {
        let counts = request.action == Action::Keyed && !request.has_idempotency_key;
        if !counts || request.outcome() != Some(Outcome::Done) {
            continue;
        }
        let Some((place, _)) = evidence.starts(request.number).first() else { continue };
        let line = (request.client, request.asked, request.account.as_str());
        let this = (request.number, request.ended, *place);
        if let Some((before, ended, earlier)) = last.insert(line, this)
            && ended < request.sent
            && earlier > *place
        {
            let number = request.number;
            let what = format!(
                "client {} sent call {number} of {} after call {before} was done, and it ran before",
                request.client, request.account
            );
            broken(found, Invariant::Key2, number, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::scene::*, *};

    fn keyed() -> Scene {
        let mut scene = Scene::default();
        scene.action(Action::Keyed);
        scene
    }

    #[test]
    fn runs_one_after_the_other_with_growing_tokens_are_right() {
        let mut scene = keyed();
        for (number, token) in [(1, 10), (2, 10), (3, 12)] {
            scene.token(token).ask(number).done(7);
            scene.run(number, 7);
        }
        assert_eq!(scene.found(), []);
    }

    #[test]
    fn an_overlap_needs_a_higher_token() {
        let mut scene = keyed();
        scene.token(10).ask(1).answers(Outcome::Unknown);
        scene.ask(2).answers(Outcome::Unknown);
        scene.start(1, 7);
        scene.start(2, 8);
        assert_eq!(scene.found(), [Invariant::Key1]);

        let mut scene = keyed();
        scene.ask(1).answers(Outcome::Unknown);
        scene.ask(2).answers(Outcome::Unknown);
        scene.token(10).start(1, 7);
        scene.token(11).start(2, 8);
        assert_eq!(scene.found(), []);
    }

    #[test]
    fn runs_of_several_accounts_may_overlap() {
        let mut scene = keyed();
        scene.token(10).account("a").ask(1).answers(Outcome::Unknown);
        scene.start(1, 7);
        scene.account("b").ask(2).answers(Outcome::Unknown);
        scene.start(2, 7);
        assert_eq!(scene.found(), []);
    }

    #[test]
    fn what_a_dead_process_ran_does_not_run_any_more() {
        let mut scene = keyed();
        scene.token(10).ask(1).answers(Outcome::Unknown);
        scene.start(1, 7);
        scene.killed(7);
        scene.ask(2).done(8);
        scene.run(2, 8);
        assert_eq!(scene.found(), []);
    }

    #[test]
    fn a_stale_start_is_allowed_only_where_nobody_was_told() {
        for (outcome, expected) in
            [(Outcome::Unknown, vec![]), (Outcome::NotRun, vec![Invariant::Call2, Invariant::Key3])]
        {
            let mut scene = keyed();
            scene.token(12).ask(1).done(8);
            scene.run(1, 8);
            scene.token(10).ask(2).answers(outcome);
            scene.start(2, 7);
            assert_eq!(scene.found(), expected);
        }
    }

    #[test]
    fn a_keyed_call_has_a_token() {
        let mut scene = keyed();
        scene.ask(1).done(7);
        scene.run(1, 7);
        assert_eq!(scene.found(), [Invariant::Key3]);
    }

    #[test]
    fn what_a_client_sends_later_runs_later() {
        let mut scene = keyed();
        scene.token(10).ask(1).done(7);
        scene.ask(2).done(7);
        scene.run(2, 7);
        scene.run(1, 7);
        assert_eq!(scene.found(), [Invariant::Key2]);
    }
}
