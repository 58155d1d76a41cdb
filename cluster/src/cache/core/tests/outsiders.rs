//! What comes from where nothing should come from, or at a time at which nothing should come.

use callboard_protocol::revalidation::Epoch;

use super::*;
use crate::cache::store::{Entry, Push};

/// An entry of an epoch that its store never began.
fn strange(epoch: Epoch, sequence: u64) -> Input {
    let position = LogPosition::new(epoch, sequence).expect("it is small");
    Input::Pushed(Push::Entry(Entry { position, marks: None }))
}

fn epoch(lab: &Lab, node: usize) -> Epoch {
    lab.arrive(node).applied.epoch()
}

#[test]
fn a_push_of_another_log_raises_no_epoch() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    let before = epoch(&lab, 0);
    lab.feed(0, strange(Epoch::MAX, 1));
    lab.run();
    lab.after(300);
    assert_eq!((epoch(&lab, 0), lab.nodes[0].epochs.len()), (before, 1));
    let id = lab.publish(0, "a", Wait::Strict);
    assert!(lab.is_answered(0, id));

    lab.store.flush();
    lab.after(300);
    assert_eq!(epoch(&lab, 0).as_u64(), before.as_u64() + 1, "the last number is not what it heard of");
}

/// How often a node asks for the epoch in a second in which something comes every millisecond.
fn opens_in_a_second(lab: &mut Lab, mut disturb: impl FnMut(&mut Lab, u64)) -> usize {
    let before = lab.nodes[0].opens;
    for ms in 0..1000 {
        disturb(lab, ms);
        lab.run();
        lab.after(1);
    }
    lab.nodes[0].opens - before
}

#[test]
fn a_flood_of_pushes_of_another_log_leaves_time_for_the_own() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    let later = epoch(&lab, 0).as_u64() + 1;
    let opens = opens_in_a_second(&mut lab, |lab, ms| {
        lab.feed(0, strange(Epoch::new(later + ms).expect("it is small"), 1));
    });
    assert!(opens <= 4, "{opens} times");
    assert!(lab.arrive(0).leased);
    let id = lab.publish(0, "a", Wait::Strict);
    assert!(lab.is_answered(0, id));
}

#[test]
fn epochs_that_end_at_once_are_not_begun_as_fast_as_the_store_answers() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    let opens = opens_in_a_second(&mut lab, |lab, _| {
        lab.store.flush();
        lab.feed(0, Input::CatchUp(LogPosition::from_u64(u64::MAX)));
    });
    assert!((10..=21).contains(&opens), "{opens} times");
    lab.after(300);
    assert!(lab.arrive(0).leased);
}

/// It is not registered any more when its last publication comes.
#[test]
fn what_is_published_while_a_node_leaves_is_published_first() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    lab.nodes[1].is_held = true;
    lab.feed(1, Input::Leave);
    lab.run();
    assert!(!lab.nodes[1].has_left);
    let id = lab.publish(1, "a", Wait::Strict);
    lab.release(1);
    lab.after(1100);
    assert!(lab.is_answered(1, id) && lab.nodes[1].has_left);
    assert_eq!(lab.arrive(0).applied.sequence(), 1);
}

/// The timer of a machine that sleeps stands still, and the clock goes on.
#[test]
fn a_soft_mark_is_looked_for_by_the_clock_and_not_by_one_long_timer() {
    let settings = Settings { shared: false, ..Settings::default() };
    let mut lab = Lab::with(1, Mutants::NONE, &settings);
    let soft = Mark { tag: Tag::named("a"), staleness: Staleness::Soft { expire_s: Some(3600) } };
    lab.publish_marks(0, &[soft], Wait::Session);
    let next = lab.nodes[0].core.next_timer().expect("something is to come");
    assert!(next <= lab.now + settings.lease, "{:?}", next.since(lab.now));
}
