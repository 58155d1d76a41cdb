//! However long a run is, what is remembered of it is bounded.

use super::super::{
    calls::CALLS_KEPT_MAX, keys::ACCOUNTS_MAX, replays::NUMBERS_KEPT_MAX, scene::*, staleness::*,
};
use crate::observation::{End, Subject};

/// Goal: memory does not grow with the run. Method: a million calls of many accounts, looked at now and then.
#[test]
fn a_million_calls_leave_bounded_tables() {
    const CALLS: u64 = 1_000_000;
    let mut scene = Scene::keyed(1);
    let mut lines = String::new();
    for number in 0..CALLS {
        scene.account = format!("a{}", number % (ACCOUNTS_MAX as u64 + 5000)).into();
        let sent = scene.sends(scene.call(number));
        let account = &scene.account;
        let words = format!("c{number} 7 1 ledger_keyed {account} {number}");
        lines.extend(["start ", &words, "\nend ", &words, "\n"]);
        // To make the value of each is what would take time.
        let end = if number % 16 == 0 { scene.ran(number, 7) } else { End::HungUp };
        scene.ends(sent, end);
        if number % 10_000 == 0 {
            scene.writes(&std::mem::take(&mut lines));
            scene.look();
            let (known, kept, pages) = scene.oracles.runs.calls.sizes();
            let (accounts, order) = scene.oracles.runs.keys.sizes();
            assert!(known <= CALLS_KEPT_MAX && kept <= CALLS_KEPT_MAX, "{known} {kept}");
            assert!(accounts <= ACCOUNTS_MAX && order <= ACCOUNTS_MAX, "{accounts} {order}");
            assert!(pages as u64 <= CALLS / 4096 + 1, "{pages}");
            assert_eq!(scene.oracles.runs.waiting(), 0);
        }
    }
    scene.writes(&lines);
    // One of the first, of which two bits are left.
    scene.account = "a1".into();
    scene.start(1, 8);
    let oracles = scene.finish();
    let violations: Vec<_> = oracles.iter().map(|oracle| oracle.violations).collect();
    assert_eq!(violations, [1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(oracles[0].checked, CALLS + 1);
    assert!(oracles[2].undecided["an account was forgotten, as there are too many"] > 0);
}

#[test]
fn what_was_forgotten_is_not_taken_for_right() {
    let mut scene = Scene::new();
    scene.calls(0, refusal(503, "not-run"));
    scene.has_key = true;
    scene.runs(1, 7);
    scene.look();
    scene.has_key = false;
    for number in 2..CALLS_KEPT_MAX as u64 + 10 {
        scene.calls(number, refusal(503, "not-run"));
    }
    scene.start(0, 7);
    scene.has_key = true;
    scene.calls(1, replayed(scene.ran(1, 7)));
    let truth = scene.finish().swap_remove(1);
    assert_eq!(truth.violations, 1);
    assert_eq!(truth.undecided["the run of an answer was forgotten"], 1);

    // Without a look at the ledger, answers that are done wait for it up to a bound.
    let mut scene = Scene::new();
    for number in 0..CALLS_KEPT_MAX as u64 + 10 {
        scene.calls(number, scene.ran(number, 7));
        scene.run(number, 7);
    }
    assert_eq!(scene.passes(), ["truth: the ledger was not looked at for too long"]);
}

#[test]
fn a_replay_after_its_first_answer_was_forgotten_is_counted() {
    let mut scene = Scene::new();
    for number in 0..2 * NUMBERS_KEPT_MAX as u64 {
        scene.asks(Subject::Form { number }, refusal(503, "not-run"));
        let (known, kept) = scene.oracles.forms.sizes();
        assert!(known <= NUMBERS_KEPT_MAX && kept <= NUMBERS_KEPT_MAX);
    }
    scene.asks(Subject::Form { number: 3 }, refusal(503, "not-run"));
    assert_eq!(scene.passes(), ["forms: the first answer was forgotten"]);
}

#[test]
fn heights_tags_and_pages_are_bounded() {
    let mut scene = Scene::new();
    let slow = scene.sends(page("/tagged/1"));
    for count in 1..=HEIGHTS_MAX + 100 {
        scene.bumps("t", i64::try_from(count).unwrap());
    }
    for number in 0..TAGS_MAX + 10 {
        scene.bumps(&format!("tag{number}"), 1);
        scene.asks(page("/tagged/1"), shows(&format!("{{\"tag{number}\":1}}")));
    }
    let [tags, heights, places, pages] = scene.oracles.staleness.sizes();
    assert!(tags <= TAGS_MAX && places <= HEIGHTS_MAX && pages <= ETAGS_MAX);
    assert!(heights <= HEIGHTS_MAX + TAGS_MAX);
    scene.ends(slow, shows("{\"t\":1}"));
    let expected = [
        "staleness: a page has a tag too many to be remembered",
        "staleness: a page took too long to be judged",
        "staleness: nobody knows how high a counter is",
    ];
    assert_eq!(scene.passes(), expected);
}
