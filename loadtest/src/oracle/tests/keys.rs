//! One at a time, in order.

use super::super::scene::*;
use crate::{observation::LedgerClass, target::Kind};

#[test]
fn runs_one_after_the_other_with_growing_tokens_are_right() {
    let mut scene = Scene::keyed(10);
    for (number, token) in [(1, 10), (2, 10), (3, 12)] {
        scene.token = Some(token);
        scene.runs(number, 7);
    }
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn overlapping_runs_are_found_unless_the_token_is_higher() {
    let overlaps = |token| {
        let mut scene = Scene::keyed(10);
        scene.calls(1, refusal(504, "unknown"));
        scene.calls(2, refusal(504, "unknown"));
        scene.start(1, 7);
        scene.token = Some(token);
        scene.start(2, 8);
        scene
    };
    overlaps(10).finds("order");
    let undecided = overlaps(11).passes();
    assert!(
        undecided.contains(&"order: a run began under a higher token before another one ended".to_owned())
    );
}

#[test]
fn runs_of_several_accounts_and_of_no_key_may_overlap() {
    let mut scene = Scene::keyed(10);
    let first = scene.sends(scene.call(1));
    scene.start(1, 7);
    scene.account = "b".into();
    scene.runs(2, 7);
    scene.account = "a".into();
    scene.end(1, 7);
    scene.ends(first, scene.ran(1, 7));
    (scene.class, scene.token) = (LedgerClass::Plain, None);
    let third = scene.sends(scene.call(3));
    scene.start(3, 7);
    scene.runs(4, 7);
    scene.end(3, 7);
    scene.ends(third, scene.ran(3, 7));
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn what_a_dead_process_ran_does_not_run_any_more() {
    for is_told in [false, true] {
        let mut scene = Scene::keyed(10);
        scene.calls(1, refusal(504, "unknown"));
        scene.start(1, 7);
        if is_told {
            scene.oracles.killed(7);
        } else {
            scene.writes("killed 7\n");
        }
        scene.runs(2, 8);
        assert_eq!(scene.passes(), ["truth: answered unknown"]);
    }
}

#[test]
fn a_token_that_goes_back_is_found_if_anybody_was_told() {
    let goes_back = |before_the_answer: bool, outcome: &str| {
        let mut scene = Scene::keyed(12);
        scene.runs(1, 8);
        scene.token = Some(10);
        let sent = scene.sends(scene.call(2));
        scene.run(2, 7);
        if before_the_answer {
            scene.look();
        }
        let end = if outcome == "done" { scene.ran(2, 7) } else { refusal(504, outcome) };
        scene.ends(sent, end);
        scene
    };
    for before_the_answer in [true, false] {
        let mut undecided = vec!["order: a token went back, and nobody was told of its call"];
        undecided.insert(0, "truth: answered unknown");
        assert_eq!(goes_back(before_the_answer, "unknown").passes(), undecided);
        let order = goes_back(before_the_answer, "done").finish().swap_remove(2);
        assert_eq!((order.name.as_str(), order.violations), ("order", 1));
        assert!(order.examples[0].history.iter().any(|line| line.contains("token 12")), "{order:?}");
    }
    goes_back(true, "done").finds("order");
    goes_back(false, "done").finds("order");
}

#[test]
fn a_keyed_call_has_a_token() {
    let mut scene = Scene::keyed(10);
    scene.token = None;
    scene.runs(1, 7);
    scene.finds("order");
}

#[test]
fn a_reordered_key_is_found() {
    let mut scene = Scene::keyed(10);
    scene.calls(1, scene.ran(1, 7));
    scene.calls(2, scene.ran(2, 7));
    scene.run(2, 7);
    scene.run(1, 7);
    let oracles = scene.finish();
    let order = &oracles[2];
    assert_eq!(oracles.iter().map(|oracle| oracle.violations).sum::<u64>(), 1);
    assert_eq!(order.examples[0].what, "call 2 of a was sent after call 1 was done, and ran before it");
    assert_eq!(order.examples[0].history.len(), 4, "two requests and two runs");
}

#[test]
fn calls_that_were_under_way_at_once_may_run_in_any_order() {
    let mut scene = Scene::keyed(10);
    let first = scene.sends(scene.call(1));
    let second = scene.sends(scene.call(2));
    scene.run(2, 7);
    scene.run(1, 7);
    scene.ends(second, scene.ran(2, 7));
    scene.ends(first, scene.ran(1, 7));
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn a_target_that_knows_no_keys_promises_no_order() {
    let mut scene = Scene::of(Kind::Next, true);
    scene.class = LedgerClass::Keyed;
    scene.runs(1, 7);
    assert_eq!(scene.passes(), ["order: the target promises no order"]);
}
