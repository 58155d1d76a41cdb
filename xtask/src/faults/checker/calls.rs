//! At most once, truthful, complete.

use std::collections::HashMap;

use callboard_cluster::core::Invariant;

use super::{Evidence, Violation, broken};
use crate::faults::{
    history::{Answer, End, Outcome, Request},
    ledger::{Action, Line, Run},
};

pub(super) fn check(evidence: &Evidence, found: &mut Vec<Violation>) {
    at_most_once(evidence, found);
    for request in evidence.requests {
        match &request.end {
            End::Answered(answer) => truthful(evidence, request, answer, found),
            End::Silence => {
                let what = format!("call {} was never answered by {}", request.number, request.asked);
                broken(found, Invariant::Call3, request.number, what);
            }
            End::Broken(why) if !evidence.killed.contains(&request.asked) => {
                let what = format!(
                    "call {} was not answered by {}, which lives: {why}",
                    request.number, request.asked
                );
                broken(found, Invariant::Call3, request.number, what);
            }
            End::HungUp | End::Broken(_) => {}
        }
    }
}

/// CALL-1. What several requests with one idempotency key may start is the rule of another file.
fn at_most_once(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut first: HashMap<&str, &Run> = HashMap::new();
    for run in evidence.lines.iter().filter_map(started) {
        let number = run.number;
        let asked = evidence.asked(number);
        if asked.is_empty() {
            let what = format!("call {number} started in {}, and nobody called", run.pid);
            broken(found, Invariant::Call1, number, what);
        }
        if run.action == Action::Idempotent {
            continue;
        }
        if let Some(before) = first.insert(&run.call, run) {
            let what =
                format!("call {number} ({}) started in {} and again in {}", run.call, before.pid, run.pid);
            broken(found, Invariant::Call1, number, what);
        } else if asked.len() == 1 && evidence.starts(number)[0].1.call != run.call {
            let what = format!("call {number} started twice, under two call IDs, the second in {}", run.pid);
            broken(found, Invariant::Call1, number, what);
        }
    }
}

fn started(line: &Line) -> Option<&Run> {
    match line {
        Line::Start(run) => Some(run),
        _ => None,
    }
}

/// CALL-2, and what an answer has to say at all.
fn truthful(evidence: &Evidence, request: &Request, answer: &Answer, found: &mut Vec<Violation>) {
    let number = request.number;
    match answer.outcome {
        Outcome::Unknown => {}
        Outcome::NotRun => not_run(evidence, request, answer, found),
        Outcome::Done => {
            if let Err(what) = done(evidence, request, answer) {
                broken(found, Invariant::Call2, number, format!("call {number} was answered done, {what}"));
            }
        }
        Outcome::Failed => {
            let what = format!("call {number} was answered failed, and its action does not fail");
            broken(found, Invariant::Call2, number, what);
        }
        Outcome::Missing => {
            let what = format!("call {number} was answered {} without an outcome", answer.http.status);
            broken(found, Invariant::Call3, number, what);
        }
    }
}

fn not_run(evidence: &Evidence, request: &Request, answer: &Answer, found: &mut Vec<Violation>) {
    let starts = evidence.starts(request.number);
    let named = starts.iter().find(|(_, run)| Some(&run.call) == answer.call.as_ref());
    // Of several requests with one idempotency key, another one may have started the call.
    let nobody = evidence.asked(request.number).iter().all(|other| other.outcome() == Some(Outcome::NotRun));
    if let Some((_, run)) = named.or_else(|| starts.first().filter(|_| nobody)) {
        let number = request.number;
        let what = format!("call {number} was answered not-run by {}, and ran in {}", request.asked, run.pid);
        broken(found, Invariant::Call2, number, what);
    }
}

/// Start and end are written down, and are those of which the answer tells.
fn done(evidence: &Evidence, request: &Request, answer: &Answer) -> Result<(), String> {
    let starts = evidence.starts(request.number);
    let ends = evidence.ends(request.number);
    if starts.is_empty() || ends.is_empty() {
        return Err(format!("and started {} times and ended {} times", starts.len(), ends.len()));
    }
    // How often an idempotency key runs is the rule of another file.
    let once = request.action != Action::Idempotent && !request.has_idempotency_key;
    if once && (starts.len(), ends.len()) != (1, 1) {
        return Err(format!("and started {} times and ended {} times", starts.len(), ends.len()));
    }
    let Some(returned) = &answer.returned else {
        // A replay may come without its body, and says so.
        let kept = answer.http.header("callboard-replayed") != Some("body-not-kept");
        return if kept { Err("and says nothing of its run".to_owned()) } else { Ok(()) };
    };
    let fits = |run: &Run| {
        (run.pid, run.token, run.number, run.account.as_str())
            == (returned.pid, returned.token, returned.number, returned.account.as_str())
    };
    if (request.number, request.account.as_str()) != (returned.number, returned.account.as_str()) {
        return Err(format!("with the value of call {} for {}", returned.number, returned.account));
    }
    let ran = starts.iter().any(|(_, start)| fits(start) && ends.iter().any(|end| end == start));
    if ran { Ok(()) } else { Err(format!("by {} with another token or process than it ran", returned.pid)) }
}

#[cfg(test)]
mod tests {
    use super::{super::scene::*, *};

    #[test]
    fn calls_that_ran_once_and_were_answered_so_are_right() {
        let mut scene = Scene::default();
        for number in 0..3 {
            scene.ask(number).done(7);
            scene.run(number, 7);
        }
        scene.ask(3).answers(Outcome::NotRun);
        scene.ask(4).answers(Outcome::Unknown);
        scene.ask(5).answers(Outcome::Unknown);
        scene.start(5, 7);
        scene.ask(6).ends(End::HungUp);
        scene.run(6, 8);
        assert_eq!(scene.found(), []);
    }

    #[test]
    fn a_second_start_is_found_under_the_same_call_id_and_under_another() {
        let mut scene = Scene::default();
        scene.ask(1).answers(Outcome::Unknown);
        scene.start(1, 7);
        scene.start(1, 8);
        assert_eq!(scene.found(), [Invariant::Call1]);

        let mut scene = Scene::default();
        scene.ask(1).answers(Outcome::Unknown);
        scene.start(1, 7);
        scene.call("other").start(1, 8);
        assert_eq!(scene.found(), [Invariant::Call1]);
    }

    #[test]
    fn an_idempotent_action_may_start_again() {
        let mut scene = Scene::default();
        scene.action(Action::Idempotent).ask(1).done(8);
        scene.start(1, 7);
        scene.killed(7);
        scene.run(1, 8);
        assert_eq!(scene.found(), []);
    }

    #[test]
    fn a_start_that_nobody_asked_for_is_found() {
        let mut scene = Scene::default();
        scene.start(1, 7);
        assert_eq!(scene.found(), [Invariant::Call1]);
    }

    #[test]
    fn what_was_answered_not_run_has_no_start() {
        let mut scene = Scene::default();
        scene.ask(1).answers(Outcome::NotRun);
        scene.start(1, 7);
        assert_eq!(scene.found(), [Invariant::Call2]);
    }

    #[test]
    fn what_was_answered_done_has_a_start_and_an_end_of_the_process_that_it_names() {
        let mut scene = Scene::default();
        scene.ask(1).done(7);
        scene.start(1, 7);
        assert_eq!(scene.found(), [Invariant::Call2]);

        let mut scene = Scene::default();
        scene.ask(1).done(7);
        scene.run(1, 8);
        assert_eq!(scene.found(), [Invariant::Call2]);

        let mut scene = Scene::default();
        scene.ask(1).answers(Outcome::Done);
        scene.run(1, 8);
        assert_eq!(scene.found(), [Invariant::Call2], "the answer says nothing of its run");
    }

    #[test]
    fn an_answer_that_says_failed_or_nothing_is_found() {
        let mut scene = Scene::default();
        scene.ask(1).answers(Outcome::Failed);
        scene.ask(2).answers(Outcome::Missing);
        assert_eq!(scene.found(), [Invariant::Call2, Invariant::Call3]);
    }

    #[test]
    fn only_a_process_that_was_killed_may_leave_a_request_without_an_answer() {
        let mut scene = Scene::default();
        scene.ask(1).ends(End::Silence);
        scene.ask(2).ends(End::Broken("reset".into()));
        assert_eq!(scene.found(), [Invariant::Call3, Invariant::Call3]);

        let mut scene = Scene::default();
        scene.ask(1).ends(End::Broken("reset".into()));
        scene.killed(scene.asked);
        assert_eq!(scene.found(), []);
    }
}
