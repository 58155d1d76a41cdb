//! What is kept of publications while they cannot be made, or while too few replicas take them.

use super::*;
use crate::cache::store::Answer;

#[test]
fn who_waits_for_nothing_never_waits() {
    let settings = Settings { outbox_marks_max: 2, ..Settings::default() };
    let mut lab = Lab::with(1, Mutants::NONE, &settings);
    lab.isolate(0, true);
    let ids = ["a", "b", "c", "d"].map(|name| lab.publish(0, name, Wait::Eventual));
    assert!(ids.iter().all(|id| lab.is_answered(0, *id)));
}

#[test]
fn what_is_published_again_and_again_is_kept_once() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    lab.isolate(0, true);
    for _ in 0..1000 {
        lab.publish(0, "a", Wait::Strict);
    }
    // One is on its way.
    assert_eq!(lab.nodes[0].core.outbox_marks(), 2);
}

#[test]
fn of_more_than_fits_is_said_that_everything_is_stale() {
    let settings = Settings { outbox_marks_max: 10, ..Settings::default() };
    let mut lab = Lab::with(2, Mutants::NONE, &settings);
    lab.after(1300);
    let births: Vec<_> = (0..2).map(|node| lab.arrive(node).applied).collect();
    lab.isolate(0, true);
    let ids: Vec<_> = (0..100)
        .map(|number| {
            let id = lab.publish(0, &number.to_string(), Wait::Strict);
            assert!(lab.nodes[0].core.outbox_marks() <= 11);
            id
        })
        .collect();
    assert_eq!(lab.nodes[0].core.counters().overflows, 1);

    lab.isolate(0, false);
    lab.after(1100);
    assert!(ids.iter().all(|id| lab.is_answered(0, *id)) && !lab.is_broken());
    for (node, birth) in births.into_iter().enumerate() {
        assert!(!lab.serves(node, birth, Tag::named("99")));
        assert!(!lab.serves(node, birth, Tag::named("another")), "nobody remembers which they were");
    }
    assert_eq!(lab.nodes[0].core.outbox_marks(), 0);
}

#[test]
fn who_has_waited_long_enough_is_forgotten_and_what_it_published_is_not() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    let birth = lab.arrive(1).applied;
    lab.isolate(0, true);
    let (gone, stays) = (lab.publish(0, "a", Wait::Strict), lab.publish(0, "b", Wait::Strict));
    lab.feed(0, Input::Forget(gone));
    lab.isolate(0, false);
    lab.after(1500);
    assert!(lab.is_answered(0, stays) && !lab.is_answered(0, gone));
    assert!(!lab.serves(1, birth, Tag::named("a")));
}

#[test]
fn what_is_published_when_a_node_has_left_is_refused() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    lab.feed(0, Input::Leave);
    lab.run();
    assert!(lab.nodes[0].has_left);
    let id = lab.publish_marks(0, &[hard("a")], Wait::Strict);
    assert_eq!(lab.nodes[0].refused, [id]);
}

/// Answers that replicas did not confirm, as long as they are away.
fn without_replicas(lab: &mut Lab, ms: u64) {
    for _ in 0..ms {
        while let Some((request, command)) = lab.nodes[0].performed.pop_front() {
            let answer = match lab.store.execute(&command) {
                Answer::Published { position, .. } => Answer::Unreplicated { appended: Some(position) },
                Answer::Renewed { .. } => Answer::Unreplicated { appended: None },
                other => other,
            };
            lab.feed(0, Input::Answered(request, Ok(answer)));
        }
        lab.after(1);
    }
}

#[test]
fn what_too_few_replicas_have_is_not_appended_again_and_counts_once_they_have_it() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    lab.nodes[0].is_cut = true;
    let strict = lab.publish(0, "a", Wait::Strict);
    let session = lab.publish(0, "b", Wait::Session);
    without_replicas(&mut lab, 3000);
    assert!(!lab.is_answered(0, strict) && !lab.is_answered(0, session));
    assert_eq!(lab.arrive(0).applied.sequence(), 1, "one entry, and the other waits");
    assert_eq!(lab.nodes[0].placed, []);

    lab.nodes[0].is_cut = false;
    lab.after(1500);
    assert!(lab.is_answered(0, strict) && lab.is_answered(0, session));
    assert_eq!(lab.arrive(0).applied.sequence(), 2);
    assert_eq!(lab.nodes[0].placed, [strict, session]);
}

#[test]
fn that_it_stands_in_the_log_is_told_before_every_node_has_it() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    lab.isolate(1, true);
    let eventual = lab.publish(0, "a", Wait::Eventual);
    let strict = lab.publish(0, "b", Wait::Strict);
    assert!(lab.is_answered(0, eventual) && !lab.is_answered(0, strict));
    assert_eq!(lab.nodes[0].placed, [strict], "for the other nobody waits");
    lab.after(3000);
    assert!(lab.is_answered(0, strict));
    assert_eq!(lab.nodes[0].placed, [strict]);
}
