//! Pages against counters.

use super::super::scene::*;
use crate::observation::End;

#[test]
fn a_page_shows_at_least_what_was_answered_before_it_was_asked_for() {
    for (count, is_stale) in [(3, false), (2, true), (4, false)] {
        let mut scene = Scene::new();
        scene.bumps("t", 2);
        let late = scene.sends(page("/tagged/1"));
        scene.bumps("t", 3);
        // One that was asked for before need not show what came then.
        scene.ends(late, shows("{\"t\":2}"));
        let unknown = scene.sends(bump("t"));
        scene.ends(unknown, refusal(504, "unknown"));
        scene.asks(page("/tagged/1"), shows(&format!("{{\"other\":0,\"t\":{count}}}")));
        if is_stale {
            scene.finds("staleness");
        } else {
            assert_eq!(scene.passes(), ["truth: answered unknown"].map(str::to_owned)[1..], "{count}");
        }
    }
}

#[test]
fn a_stale_page_is_found_with_the_action_that_it_does_not_show() {
    let mut scene = Scene::new();
    scene.bumps("t", 1);
    scene.bumps("t", 2);
    scene.asks(page("/tagged/1"), shows("{\"t\":1}"));
    let staleness = scene.finish().swap_remove(4);
    let violation = &staleness.examples[0];
    assert_eq!(violation.what, "a page shows t as 1, although it was 2 before");
    assert_eq!(
        violation.history,
        [
            "0.003000 s to 0.004000 s: bump of t to target 1: 200, done",
            "0.005000 s to 0.006000 s: page /tagged/1 to target 1: 200",
        ]
    );
}

#[test]
fn the_page_of_one_tag_shows_its_counter_in_a_paragraph() {
    let paragraph = |count: i64| {
        let body =
            format!("<!doctype html><title>tag</title><p id=\"count\">{count}</p><p id=\"render\">3</p>");
        answer(200, &[("content-type", "text/html; charset=utf-8")], body)
    };
    let mut scene = Scene::new();
    scene.bumps("t", 5);
    scene.asks(page("/tag/t?x=1"), paragraph(5));
    scene.asks(page("/tag/u"), paragraph(0));
    scene.asks(page("/tag/t"), paragraph(4));
    scene.finds("staleness");
}

#[test]
fn a_count_that_nobody_wrote_is_found() {
    // It was at most 4 before, and two have begun.
    for (count, expected) in [(6, 0), (7, 1)] {
        let mut scene = Scene::new();
        scene.bumps("t", 5);
        let _under_way = scene.sends(bump("t"));
        scene.asks(page("/tagged/1"), shows(&format!("{{\"t\":{count}}}")));
        assert_eq!(scene.found().len(), expected, "{count}");
    }
}

#[test]
fn a_counter_that_goes_back_is_found() {
    let mut scene = Scene::new();
    scene.bumps("t", 5);
    scene.bumps("t", 5);
    scene.finds("staleness");
}

#[test]
fn writes_at_once_may_be_answered_in_any_order() {
    let mut scene = Scene::new();
    let first = scene.sends(bump("t"));
    let second = scene.sends(bump("t"));
    scene.ends(second, value("2"));
    scene.ends(first, value("1"));
    scene.asks(page("/tagged/1"), shows("{\"t\":2}"));
    assert_eq!(scene.passes(), [""; 0]);
}

#[test]
fn a_page_that_was_not_modified_shows_what_it_showed() {
    let not_modified = |end: End| {
        let End::Answered(answered) = end else { unreachable!() };
        answer(304, &[("etag", answered.header("etag").unwrap())], "")
    };
    let mut scene = Scene::new();
    scene.bumps("t", 1);
    scene.asks(page("/tagged/1"), shows("{\"t\":1}"));
    scene.asks(page("/tagged/1"), not_modified(shows("{\"t\":1}")));
    scene.asks(page("/tagged/2"), not_modified(shows("{\"t\":1}")));
    scene.bumps("t", 2);
    let staleness = {
        scene.asks(page("/tagged/1"), not_modified(shows("{\"t\":1}")));
        scene.finish().swap_remove(4)
    };
    assert_eq!(staleness.violations, 1);
    let undecided: Vec<_> = staleness.undecided.keys().collect();
    assert_eq!(undecided, ["a page was answered 304, and what it showed was forgotten"]);
}

#[test]
fn pages_without_an_answer_are_counted() {
    let mut scene = Scene::new();
    scene.asks(page("/tagged/1"), answer(503, &[("content-type", "text/html")], ""));
    scene.asks(page("/tagged/1"), answer(404, &[("content-type", "text/html")], ""));
    scene.asks(page("/tagged/1"), End::TimedOut);
    let expected = [
        "staleness: a page showed nothing",
        "staleness: a page was answered with an error",
        "staleness: a page was not answered",
    ];
    assert_eq!(scene.passes(), expected);
}
