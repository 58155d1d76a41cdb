//! Requests with one idempotency key are one call.
//!
//! Nothing here forgives that the store lost its memory: no fault takes a node away at the same moment, and those that
//! live put back what they know.

use callboard_cluster::core::Invariant;

use super::{Evidence, Violation, broken};
use crate::faults::history::{Answer, Outcome};

/// Headers in which a replay may differ: they are of the answer, and not of the outcome.
const OF_THE_ANSWER: &[&str] = &["callboard-replayed", "connection", "date"];

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut numbers: Vec<_> = evidence
        .requests
        .iter()
        .filter(|request| request.has_idempotency_key)
        .map(|request| request.number)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        let starts = evidence.starts(number);
        if starts.len() > 1 {
            let places: Vec<_> = starts.iter().map(|(_, run)| run.pid).collect();
            let what =
                format!("the call of idempotency key {number} started {} times, in {places:?}", starts.len());
            broken(found, Invariant::Idem1, number, what);
        }
        replays(evidence, number, found);
    }
}

/// IDEM-2.
fn replays(evidence: &Evidence, number: u64, found: &mut Vec<Violation>) {
    let answers = evidence.asked(number).iter().filter_map(|request| request.answer());
    let done: Vec<_> = answers.filter(|answer| answer.outcome == Outcome::Done).collect();
    let firsts = done.iter().filter(|answer| !answer.replayed).count();
    if firsts > 1 {
        let what = format!("{firsts} answers of idempotency key {number} say that they are no replay");
        broken(found, Invariant::Idem2, number, what);
    }
    // The client of the first answer may be gone; then the replays have to be the same.
    let Some(first) = done.iter().find(|answer| !answer.replayed).or_else(|| done.first()) else { return };
    if done.iter().any(|answer| outcome(answer) != outcome(first)) {
        let what = format!("a replay of idempotency key {number} is not what was answered first");
        broken(found, Invariant::Idem2, number, what);
    }
}

/// What has to be the same in every answer.
fn outcome(answer: &Answer) -> (u16, Vec<&(String, String)>, &[u8]) {
    let headers = answer.http.headers.iter();
    let mut headers: Vec<_> = headers.filter(|(name, _)| !OF_THE_ANSWER.contains(&name.as_str())).collect();
    headers.sort();
    (answer.http.status, headers, &answer.http.body)
}

#[cfg(test)]
mod tests {
    use super::{super::scene::*, *};

    fn keyed() -> Scene {
        let mut scene = Scene::default();
        scene.idempotency_key();
        scene
    }

    #[test]
    fn the_second_request_is_answered_with_the_outcome_of_the_first() {
        let mut scene = keyed();
        scene.ask(1).done(7);
        scene.ask(1).replays(7);
        scene.ask(1).answers(Outcome::NotRun);
        scene.run(1, 7);
        assert_eq!(scene.found(), []);
    }

    #[test]
    fn a_second_start_is_found() {
        let mut scene = keyed();
        scene.ask(1).answers(Outcome::Unknown);
        scene.ask(1).answers(Outcome::Unknown);
        scene.start(1, 7);
        scene.call("other").start(1, 8);
        assert_eq!(scene.found(), [Invariant::Idem1]);
    }

    #[test]
    fn two_requests_that_both_ran_are_found() {
        let mut scene = keyed();
        scene.ask(1).done(7);
        scene.ask(1).done(7);
        scene.run(1, 7);
        assert_eq!(scene.found(), [Invariant::Idem2]);
    }

    #[test]
    fn a_replay_is_the_same_to_the_byte_except_that_it_says_so() {
        let mut scene = keyed();
        scene.ask(1).done(7);
        scene.ask(1).replays(7).header("date", "later");
        scene.run(1, 7);
        assert_eq!(scene.found(), []);
        scene.ask(1).replays(7).header("set-cookie", "a=b");
        assert_eq!(scene.found(), [Invariant::Idem2]);
    }

    #[test]
    fn of_requests_that_were_all_answered_not_run_none_ran() {
        let mut scene = keyed();
        scene.ask(1).answers(Outcome::NotRun);
        scene.ask(1).answers(Outcome::NotRun);
        scene.start(1, 7);
        assert!(scene.found().iter().all(|invariant| *invariant == Invariant::Call2));
        assert!(!scene.found().is_empty());
    }
}
