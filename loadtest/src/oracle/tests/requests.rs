//! Requests that are one call: idempotency keys, and forms that are sent twice.

use super::super::scene::*;
use crate::{
    observation::{End, Subject},
    target::Kind,
};

fn keyed() -> Scene {
    let mut scene = Scene::new();
    scene.has_key = true;
    scene
}

#[test]
fn replays_are_the_same_except_that_they_say_so() {
    let mut scene = keyed();
    scene.runs(1, 7);
    scene.calls(1, with(replayed(scene.ran(1, 7)), "date", "later"));
    scene.calls(1, refusal(503, "not-run"));
    let short = answer(
        200,
        &[
            ("callboard-outcome", "done"),
            ("content-type", "text/x-component"),
            ("callboard-replayed", "body-not-kept"),
        ],
        "0:{\"a\":\"$@1\"}\n1:\"$undefined\"\n",
    );
    scene.calls(1, short);
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn a_replay_that_differs_is_found() {
    for header in ["set-cookie", "x-action-redirect"] {
        let mut scene = keyed();
        scene.runs(1, 7);
        scene.calls(1, with(replayed(scene.ran(1, 7)), header, "a=b"));
        let replays = scene.finish().swap_remove(3);
        assert_eq!((replays.violations, replays.checked), (1, 2));
        assert!(replays.examples[0].what.ends_with(&format!("differ in the header {header}")));
        assert_eq!(replays.examples[0].history.len(), 2);
    }
    let mut scene = keyed();
    scene.runs(1, 7);
    let End::Answered(mut other) = replayed(scene.ran(1, 7)) else { unreachable!() };
    other.status = 404;
    scene.calls(1, End::Answered(other));
    scene.finds("replays");
    let mut scene = keyed();
    scene.runs(1, 7);
    let End::Answered(mut other) = replayed(scene.ran(1, 7)) else { unreachable!() };
    other.body = [b"2:1\n", &other.body[..]].concat().into();
    scene.calls(1, End::Answered(other));
    scene.finds("replays");
}

#[test]
fn two_firsts_of_one_idempotency_key_are_found() {
    let mut scene = keyed();
    scene.runs(1, 7);
    scene.calls(1, scene.ran(1, 7));
    scene.finds("replays");
}

#[test]
fn a_target_that_knows_no_idempotency_keys_runs_each_request() {
    let mut scene = Scene::of(Kind::Next, true);
    scene.has_key = true;
    scene.runs(1, 7);
    scene.runs(1, 8);
    assert_eq!(scene.passes(), ["at-most-once: the target knows no idempotency keys"]);
}

fn form_page(nonce: &str, said: &str) -> End {
    let body = format!(
        "<p>{said}</p><form><input type=\"hidden\" name=\"$CALLBOARD_NONCE\" value=\"{nonce}\"></form>"
    );
    answer(200, &[("callboard-outcome", "done"), ("content-type", "text/html; charset=utf-8")], body)
}

fn redirect(to: &str) -> End {
    answer(303, &[("callboard-outcome", "done"), ("location", to)], "")
}

#[test]
fn a_form_that_is_sent_twice_is_answered_twice_with_the_same() {
    let form = || Subject::Form { number: 1 };
    for (first, second) in [
        (form_page("1", "hello"), replayed(form_page("2", "hello"))),
        (redirect("/"), replayed(redirect("/"))),
        (form_page("1", "hello"), with(redirect("/form"), "callboard-replayed", "body-not-kept")),
    ] {
        let mut scene = Scene::new();
        scene.asks(form(), first);
        scene.asks(form(), second);
        assert_eq!(scene.passes(), [""; 0]);
    }
}

#[test]
fn a_form_that_ran_twice_is_found() {
    let form = || Subject::Form { number: 1 };
    for (first, second) in [
        (form_page("1", "hello"), form_page("2", "hello")),
        (form_page("1", "hello"), replayed(form_page("2", "bye"))),
        (redirect("/"), replayed(redirect("/elsewhere"))),
    ] {
        let mut scene = Scene::new();
        scene.asks(form(), first);
        scene.asks(form(), second);
        scene.finds("forms");
    }
    let mut scene = Scene::new();
    scene.asks(form(), redirect("/"));
    scene.asks(Subject::Form { number: 2 }, redirect("/"));
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn what_a_form_came_to_without_an_answer_is_counted() {
    let form = || Subject::Form { number: 1 };
    let mut scene = Scene::new();
    scene.asks(form(), End::HungUp);
    scene.asks(form(), refusal(504, "unknown"));
    assert_eq!(scene.passes(), ["forms: answered unknown", "forms: the client hung up"]);
    let mut scene = Scene::of(Kind::Next, false);
    scene.asks(form(), redirect("/"));
    assert_eq!(scene.passes(), ["forms: the target promises nothing about forms"]);
}
