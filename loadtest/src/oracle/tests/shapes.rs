//! Answers that are none.

use super::super::scene::*;
use crate::{
    observation::{End, Subject},
    target::Kind,
};

#[test]
fn answers_of_every_outcome_are_right() {
    let mut scene = Scene::new();
    scene.asks(Subject::Call, value("{\"x\":[1,2,\"$D2020-01-01T00:00:00.000Z\"]}"));
    scene.asks(Subject::Call, rows("0:{\"a\":\"$@1\"}\n1:\"$2\"\n2:T3,a\nb"));
    for status in [400, 401, 403, 404, 405, 409, 413, 422, 500, 503] {
        scene.asks(Subject::Call, refusal(status, "not-run"));
    }
    scene.asks(Subject::Call, refusal(504, "unknown"));
    let failed = [("callboard-outcome", "failed"), ("content-type", "text/x-component")];
    scene.asks(Subject::Call, answer(500, &failed, "0:{\"a\":\"$@1\"}\n1:E{\"digest\":\"7\"}\n"));
    scene.asks(Subject::Plain, answer(200, &[], "anything"));
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn a_torn_row_is_found() {
    for body in [
        "",
        "0:{\"a\":\"$@1\"}\n",
        "0:{\"a\":\"$@1\"}\n1:[1",
        "0:{\"a\":\"$@1\"}\n1:[1\n",
        "0:{\"a\":\"$@1\"}\n1:\"$2\"\n2:T5,abc",
        "0:{\"a\":\"$@1\"}\n1:1\n2",
        "0:{\"b\":1}\n1:1\n",
        "0:{\"a\":\"$@1\"}\n1:1\n2:[1\n",
        "0:{\"a\":\"$@1\"}\n1:Txyz,\n",
    ] {
        let mut scene = Scene::new();
        scene.asks(Subject::Call, rows(body));
        scene.finds("well-formed");
    }
}

#[test]
fn a_torn_row_of_a_call_that_ran_is_no_lie() {
    let mut scene = Scene::new();
    let sent = scene.sends(scene.call(1));
    scene.run(1, 7);
    scene.ends(sent, rows("0:{\"a\":\"$@1\"}\n1:{\"account\":\"a\",\"num"));
    scene.finds("well-formed");
}

#[test]
fn the_same_answer_again_is_judged_again() {
    let mut scene = Scene::new();
    for body in ["0:{\"a\":\"$@1\"}\n1:1\n", "0:{\"a\":\"$@1\"}\n1:1\n", "0:{\"a\":\"$@1\"}\n1:"] {
        scene.asks(Subject::Call, rows(body));
    }
    scene.finds("well-formed");
}

#[test]
fn a_status_or_type_that_does_not_fit_is_found() {
    for end in [
        with(value("1"), "content-type", "text/html"),
        refusal(200, "not-run"),
        refusal(200, "unknown"),
        refusal(200, "failed"),
        answer(302, &[("callboard-outcome", "done"), ("content-type", "text/x-component")], "0:{\"a\":1}\n"),
    ] {
        let mut scene = Scene::new();
        scene.asks(Subject::Call, end);
        scene.finds("well-formed");
    }
    let mut scene = Scene::new();
    scene.asks(Subject::Form { number: 1 }, answer(303, &[("callboard-outcome", "done")], ""));
    scene.finds("well-formed");
    let mut scene = Scene::of(Kind::Next, false);
    scene.asks(Subject::Call, answer(500, &[("content-type", "text/html")], "no"));
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn a_page_is_a_page() {
    for (end, is_right) in [
        (shows("{}"), true),
        (answer(303, &[("location", "/")], ""), true),
        (answer(404, &[], ""), true),
        (answer(500, &[], ""), false),
        (answer(201, &[], ""), false),
        (answer(200, &[("content-type", "text/html")], "<p>nothing"), false),
        (with(shows("{}"), "content-type", "text/plain"), false),
    ] {
        let mut scene = Scene::new();
        scene.asks(page("/tagged/1"), end.clone());
        let expected = if is_right { vec![] } else { vec![("well-formed".to_owned(), 1)] };
        assert_eq!(scene.found(), expected, "{end:?}");
    }
}

#[test]
fn a_hostile_body_that_is_executed_is_found() {
    for end in [
        value("1"),
        answer(200, &[], ""),
        refusal(500, "unknown"),
        refusal(500, "failed"),
        with(refusal(401, "done"), "content-type", "text/html"),
    ] {
        let mut scene = Scene::new();
        scene.asks(Subject::Hostile, end.clone());
        scene.finds("well-formed");
    }
    let mut scene = Scene::new();
    scene.asks(Subject::Hostile, refusal(400, "not-run"));
    scene.asks(Subject::Hostile, answer(413, &[], ""));
    scene.asks(Subject::Hostile, refusal(503, "not-run"));
    scene.asks(Subject::Hostile, End::Broken("reset".to_owned()));
    let expected =
        ["well-formed: a hostile request found no room", "well-formed: a hostile request was not answered"];
    assert_eq!(scene.passes(), expected);
}
