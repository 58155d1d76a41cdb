//! At most once, and truthful.

use super::super::scene::*;
use crate::{
    observation::{End, LedgerClass, Subject, TargetId},
    target::Kind,
};

#[test]
fn calls_that_ran_once_and_were_answered_so_are_right() {
    let mut scene = Scene::new();
    for number in 0..3 {
        scene.runs(number, 7);
    }
    scene.look();
    scene.calls(3, refusal(503, "not-run"));
    scene.runs(4, 8);
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn what_nobody_was_told_is_counted_whether_it_ran_or_not() {
    let mut scene = Scene::new();
    scene.calls(1, refusal(504, "unknown"));
    scene.calls(2, refusal(504, "unknown"));
    scene.run(2, 7);
    scene.calls(3, End::HungUp);
    scene.start(3, 7);
    assert_eq!(scene.passes(), ["truth: answered unknown", "truth: the client hung up"]);
}

#[test]
fn a_duplicate_start_is_found_with_both_its_lines() {
    let mut scene = Scene::new();
    scene.runs(1, 7);
    scene.look();
    scene.start(1, 8);
    let once = scene.finish().remove(0);
    assert_eq!((once.name.as_str(), once.violations, once.checked), ("at-most-once", 1, 2));
    let violation = &once.examples[0];
    assert_eq!(violation.what, "call 1 started twice");
    assert_eq!(
        violation.history,
        [
            "0.001000 s to 0.002000 s: call 1 of a to target 1: answered done",
            "ledger line 1: start of call 1 of a as c-1-7 in process 7, no token, ended in line 2",
            "ledger line 3: start of call 1 of a as c-1-8 in process 8, no token, no end",
        ]
    );
}

#[test]
fn a_duplicate_start_of_a_call_that_is_unknown_is_found() {
    let mut scene = Scene::new();
    scene.calls(1, refusal(504, "unknown"));
    scene.run(1, 7);
    scene.run(1, 8);
    scene.finds("at-most-once");
}

#[test]
fn a_start_that_nobody_asked_for_is_found() {
    let mut scene = Scene::new();
    scene.runs(1, 7);
    scene.run(2, 7);
    scene.finds("at-most-once");
}

#[test]
fn an_idempotent_action_may_run_again_and_that_is_counted() {
    let mut scene = Scene::new();
    scene.class = LedgerClass::Idempotent;
    scene.runs(1, 7);
    scene.run(1, 8);
    let undecided = scene.passes();
    assert_eq!(
        undecided,
        ["at-most-once: an idempotent action ran again, as it may if its first run was lost"]
    );
}

#[test]
fn two_starts_of_one_idempotency_key_are_found() {
    let mut scene = Scene::new();
    scene.has_key = true;
    scene.runs(1, 7);
    scene.calls(1, replayed(scene.ran(1, 7)));
    scene.start(1, 8);
    scene.finds("at-most-once");
}

#[test]
fn a_done_without_a_run_is_found() {
    let mut scene = Scene::new();
    scene.calls(1, scene.ran(1, 7));
    scene.finds("truth");

    let mut scene = Scene::new();
    let sent = scene.sends(scene.call(1));
    scene.start(1, 7);
    scene.ends(sent, scene.ran(1, 7));
    scene.finds("truth");

    // A replay without its value says as much.
    let mut scene = Scene::new();
    let sent = scene.sends(scene.call(1));
    scene.start(1, 7);
    scene.ends(sent, with(value("null"), "callboard-replayed", "body-not-kept"));
    scene.finds("truth");
}

#[test]
fn a_done_by_somebody_else_than_who_ran_it_is_found() {
    for (process, token) in [(8, None), (7, Some(5))] {
        let mut scene = Scene::new();
        let sent = scene.sends(scene.call(1));
        scene.run(1, 7);
        scene.token = token;
        scene.ends(sent, scene.ran(1, process));
        scene.finds("truth");
    }
}

#[test]
fn a_done_with_another_calls_value_is_found() {
    for (number, account) in [(2, "a"), (1, "b")] {
        let mut scene = Scene::new();
        let sent = scene.sends(scene.call(1));
        scene.run(1, 7);
        scene.account = account.into();
        scene.ends(sent, scene.ran(number, 7));
        scene.finds("truth");
    }
    let mut scene = Scene::new();
    let sent = scene.sends(scene.call(1));
    scene.run(1, 7);
    scene.ends(sent, value("true"));
    scene.finds("truth");
}

#[test]
fn a_token_beyond_what_numbers_hold_is_a_text_in_the_answer() {
    let mut scene = Scene::keyed(1 << 60);
    let sent = scene.sends(scene.call(1));
    scene.run(1, 7);
    let token = 1_u64 << 60;
    scene.ends(sent, value(&format!("{{\"account\":\"a\",\"number\":1,\"pid\":7,\"token\":\"$n{token}\"}}")));
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn a_false_not_run_is_found_whenever_the_run_comes() {
    // It ran before the answer, after it, and long after it.
    let mut scene = Scene::new();
    let sent = scene.sends(scene.call(1));
    scene.run(1, 7);
    scene.look();
    scene.ends(sent, refusal(503, "not-run"));
    scene.finds("truth");

    let mut scene = Scene::new();
    scene.calls(1, refusal(503, "not-run"));
    scene.look();
    scene.run(1, 7);
    scene.finds("truth");
}

#[test]
fn of_requests_with_one_key_another_one_may_have_run() {
    let mut scene = Scene::new();
    scene.has_key = true;
    let first = scene.sends(scene.call(1));
    scene.calls(1, refusal(503, "not-run"));
    scene.run(1, 7);
    scene.look();
    scene.ends(first, scene.ran(1, 7));
    assert_eq!(scene.passes(), [""; 0]);

    let mut scene = Scene::new();
    scene.has_key = true;
    let first = scene.sends(scene.call(1));
    scene.calls(1, refusal(503, "not-run"));
    scene.run(1, 7);
    scene.look();
    scene.ends(first, refusal(503, "not-run"));
    scene.finds("truth");

    // The answer names the run.
    let mut scene = Scene::new();
    scene.has_key = true;
    let first = scene.sends(scene.call(1));
    scene.calls(1, with(refusal(503, "not-run"), "callboard-call-id", "c-1-7"));
    scene.run(1, 7);
    scene.ends(first, refusal(504, "unknown"));
    scene.finds("truth");
}

#[test]
fn a_failure_of_an_action_that_does_not_fail_is_found() {
    let mut scene = Scene::new();
    let sent = scene.sends(scene.call(1));
    scene.run(1, 7);
    let body = "0:{\"a\":\"$@1\",\"b\":\"x\"}\n1:E{\"digest\":\"7\"}\n";
    let headers = [("callboard-outcome", "failed"), ("content-type", "text/x-component")];
    scene.ends(sent, answer(500, &headers, body));
    scene.finds("truth");
}

#[test]
fn an_answer_without_an_outcome_is_found_unless_the_target_says_none() {
    let plain = || answer(200, &[("content-type", "text/x-component")], "0:{\"a\":\"$@1\"}\n1:1\n");
    for subject in [Subject::Call, bump("t"), Subject::Form { number: 1 }] {
        let mut scene = Scene::new();
        let is_form = matches!(subject, Subject::Form { .. });
        let end = if is_form { answer(303, &[("location", "/")], "") } else { plain() };
        scene.asks(subject, end);
        scene.finds("truth");
    }
    let mut scene = Scene::new();
    scene.asks(Subject::Call, with(plain(), "callboard-outcome", "perhaps"));
    scene.finds("truth");
    let mut scene = Scene::of(Kind::Next, true);
    scene.asks(Subject::Call, plain());
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn a_lost_call_is_found_unless_its_target_was_silenced() {
    for end in [End::TimedOut, End::Broken("reset".to_owned())] {
        let mut scene = Scene::new();
        scene.calls(1, end.clone());
        scene.finds("truth");

        let mut scene = Scene::new();
        let sent = scene.sends(scene.call(1));
        scene.oracles.silenced(TargetId(1), std::time::Duration::from_millis(1));
        scene.ends(sent, end.clone());
        let undecided = ["truth: not answered by a target that was broken on purpose"];
        assert_eq!(scene.passes(), undecided);

        let mut scene = Scene::new();
        scene.oracles.silenced(TargetId(1), std::time::Duration::ZERO);
        scene.oracles.answers_again(TargetId(1), std::time::Duration::ZERO);
        scene.calls(1, end.clone());
        scene.finds("truth");

        let mut scene = Scene::new();
        let sent = scene.sends(scene.call(1));
        scene.oracles.killed(7);
        scene.ends(sent, end);
        // Which target that was, somebody else has to say.
        scene.finds("truth");
    }
}

#[test]
fn without_a_ledger_only_the_answers_are_judged() {
    let mut scene = Scene::of(Kind::Callboard, false);
    scene.calls(1, scene.ran(1, 7));
    assert_eq!(scene.passes(), ["truth: there is no ledger"]);
    let mut scene = Scene::of(Kind::Callboard, false);
    scene.calls(1, scene.ran(2, 7));
    scene.finds("truth");
}

#[test]
fn a_ledger_that_cannot_be_read_is_told_also_when_a_process_is_killed() {
    let mut scene = Scene::new();
    scene.writes("what is this\n");
    scene.oracles.killed(7);
    let error = scene.oracles.look(std::time::Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("what is this"), "{error}");
}
