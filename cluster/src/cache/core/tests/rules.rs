//! Each rule of the core: the story that breaks without it, and does not with it.

use super::*;
use crate::mutant::Mutant;

/// `breaks` tells the story and says whether a promise was broken.
fn assert_rule(mutant: Mutant, breaks: impl Fn(Mutants) -> bool) {
    assert!(!breaks(Mutants::NONE), "{}: broken although the rule holds", mutant.id());
    #[cfg(feature = "mutants")]
    assert!(breaks(Mutants::only(mutant)), "{}: not broken without the rule", mutant.id());
}

#[test]
fn strict_waits_for_a_node_that_did_not_hear_of_it() {
    let story = |mutants| {
        let mut lab = Lab::settled(2, mutants);
        lab.nodes[1].is_deaf = true;
        lab.publish(0, "a", Wait::Strict);
        lab.breaks_within(2000)
    };
    assert_rule(Mutant::AnswerAtOnce, story);
    assert_rule(Mutant::NoLease, story);
}

#[test]
fn what_is_missing_is_not_skipped() {
    assert_rule(Mutant::GapBlind, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        lab.nodes[1].is_deaf = true;
        lab.publish(0, "a", Wait::Strict);
        lab.nodes[1].is_deaf = false;
        lab.publish(0, "b", Wait::Strict);
        lab.breaks_within(10)
    });
}

#[test]
fn what_is_not_applied_is_not_acknowledged() {
    assert_rule(Mutant::EarlyAcknowledged, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        lab.nodes[1].is_deaf = true;
        lab.publish(0, "a", Wait::Strict);
        lab.nodes[1].is_deaf = false;
        lab.publish(0, "b", Wait::Strict);
        lab.breaks_within(2)
    });
}

/// Who waits for what stands before an entry waits for its publisher, too.
#[test]
fn who_publishes_has_only_what_it_applied() {
    assert_rule(Mutant::PublisherHasAll, |mutants| {
        let mut lab = Lab::settled(3, mutants);
        (lab.nodes[1].is_held, lab.nodes[1].is_deaf) = (true, true);
        lab.publish(0, "a", Wait::Strict);
        lab.publish(1, "b", Wait::Strict);
        lab.breaks_within(10)
    });
}

/// Goal: an acknowledgement does not confirm the epoch. Method: a publisher sleeps through its wait; meanwhile an epoch
/// began in which another node keeps its renders, and was lost with its memory. When it wakes, there is something to
/// acknowledge in the epoch that came back.
#[test]
fn an_acknowledgement_does_not_say_that_the_epoch_goes_on() {
    let mut lab = Lab::settled(3, Mutants::NONE);
    lab.nodes[1].is_deaf = true;
    lab.publish(0, "a", Wait::Strict);
    lab.nodes[0].is_asleep = true;
    lab.publish(2, "b", Wait::Strict);
    let there = lab.store.clone();
    lab.restart_as(&there);
    lab.after(1100);
    assert_eq!(lab.nodes[1].epochs, [false, true]);
    lab.restart_as(&there);
    let before = lab.store.clone();
    lab.release(0);
    assert_ne!(format!("{before:?}"), format!("{:?}", lab.store), "it acknowledged nothing");
    assert!(!lab.breaks_within(100));
}

#[test]
fn a_lease_counts_once_what_came_with_it_is_applied() {
    assert_rule(Mutant::LeaseBeforeEntries, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        lab.nodes[1].is_deaf = true;
        lab.publish(0, "a", Wait::Strict);
        lab.breaks_within(3000)
    });
}

#[test]
fn a_lease_counts_from_before_it_was_asked_for() {
    assert_rule(Mutant::LeaseFromReply, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        (lab.nodes[1].is_held, lab.nodes[1].is_deaf) = (true, true);
        // It asks for a lease, which is granted.
        lab.after(250);
        lab.publish(0, "a", Wait::Strict);
        lab.after(400);
        lab.nodes[1].is_cut = true;
        lab.release(1);
        lab.breaks_within(1500)
    });
}

#[test]
fn the_wait_is_longer_than_a_lease() {
    assert_rule(Mutant::NoMargin, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        lab.feed(1, Input::CatchUp(LogPosition::from_u64(u64::MAX)));
        lab.run();
        lab.isolate(1, true);
        lab.publish(0, "a", Wait::Strict);
        lab.breaks_within(1500)
    });
}

/// A node that still holds a lease of the epoch before is registered with nobody.
#[test]
fn a_new_epoch_waits_for_the_leases_of_the_one_before() {
    assert_rule(Mutant::NoGrace, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        lab.isolate(1, true);
        let earlier = lab.store.clone();
        lab.restart_as(&earlier);
        lab.after(300);
        lab.publish(0, "a", Wait::Strict);
        lab.breaks_within(2000)
    });
}

/// Goal: the end of the grace is confirmed by the store. Method: a node carries its lease of the first epoch into the
/// third, past the second, in which the publisher is and stays.
#[test]
fn a_lease_that_skips_an_epoch_is_waited_for() {
    assert_rule(Mutant::GraceUnconfirmed, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        lab.feed(1, Input::CatchUp(LogPosition::from_u64(u64::MAX)));
        lab.run();
        lab.isolate(1, true);
        let earlier = lab.store.clone();
        lab.restart_as(&earlier);
        // The publisher finds the second epoch, is alone in it, and is cut off.
        lab.feed(0, Input::CatchUp(LogPosition::from_u64(u64::MAX)));
        lab.run();
        let births = lab.publish(0, "a", Wait::Strict);
        assert!(!lab.is_answered(0, births));
        lab.isolate(0, true);
        lab.restart_as(&earlier);
        // Its lease still holds when the other node finds the third.
        lab.after(300);
        lab.isolate(1, false);
        lab.after(500);
        assert_eq!(lab.nodes[1].epochs, [false, true]);
        lab.breaks_within(2000)
    });
}

/// Goal: after the wait the epoch is confirmed. Method: what was published is lost, and a node carries its renders into
/// the next epoch while the publisher hears nothing.
#[test]
fn what_was_waited_out_counts_only_if_its_epoch_goes_on() {
    assert_rule(Mutant::NoConfirm, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        let earlier = lab.store.clone();
        lab.nodes[1].is_deaf = true;
        lab.publish(0, "a", Wait::Strict);
        lab.isolate(0, true);
        lab.restart_as(&earlier);
        lab.after(800);
        assert_eq!(lab.nodes[1].epochs, [false, true]);
        lab.breaks_within(2000)
    });
}

#[test]
fn renders_are_kept_in_a_new_epoch_only_while_the_lease_holds() {
    assert_rule(Mutant::KeptAfterLease, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        let earlier = lab.store.clone();
        lab.isolate(1, true);
        let id = lab.publish(0, "a", Wait::Strict);
        lab.after(1500);
        assert!(lab.is_answered(0, id));
        lab.restart_as(&earlier);
        lab.after(300);
        lab.isolate(1, false);
        lab.breaks_within(500)
    });
}

#[test]
fn session_waits_for_the_log() {
    assert_rule(Mutant::SessionAtOnce, |mutants| {
        let mut lab = Lab::settled(1, mutants);
        lab.isolate(0, true);
        let id = lab.publish(0, "a", Wait::Session);
        let is_early = lab.is_answered(0, id);
        lab.isolate(0, false);
        assert!(is_early || lab.is_answered(0, id));
        is_early
    });
}

#[test]
fn what_an_epoch_lost_is_published_again() {
    assert_rule(Mutant::EpochForgets, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        let earlier = lab.store.clone();
        lab.nodes[1].is_deaf = true;
        lab.publish(0, "a", Wait::Strict);
        lab.restart_as(&earlier);
        lab.after(300);
        assert_eq!(lab.nodes[1].epochs, [false, true]);
        lab.breaks_within(2000)
    });
}

/// What the publisher of a session or of an eventual one was answered long ago reaches every node all the same.
#[test]
fn what_an_epoch_lost_is_published_again_although_it_was_answered() {
    for wait in [Wait::Session, Wait::Eventual] {
        assert_rule(Mutant::AnsweredForgotten, |mutants| {
            let mut lab = Lab::settled(2, mutants);
            let (earlier, birth) = (lab.store.clone(), lab.nodes[1].core.versions().applied());
            lab.nodes[1].is_deaf = true;
            let id = lab.publish(0, "a", wait);
            assert!(lab.is_answered(0, id));
            lab.restart_as(&earlier);
            lab.after(300);
            assert_eq!(lab.nodes[1].epochs, [false, true]);
            lab.after(2000);
            lab.serves(1, birth, Tag::named("a"))
        });
    }
}

/// Whoever holds the position would be served what is older.
#[test]
fn a_position_that_was_lost_with_its_epoch_is_not_applied() {
    assert_rule(Mutant::LostCountsAsApplied, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        let earlier = lab.store.clone();
        lab.nodes[1].is_deaf = true;
        let id = lab.publish(0, "a", Wait::Session);
        let token = lab.position(0, id).expect("it stands in the log");
        lab.restart_as(&earlier);
        lab.after(300);
        assert_eq!(lab.nodes[1].epochs, [false, true]);
        lab.has_applied(1, token)
    });
}

#[test]
fn what_a_dead_node_declared_is_stale() {
    assert_rule(Mutant::DeclaredForgotten, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        let birth = lab.nodes[0].core.versions().applied();
        lab.nodes[1].is_asleep = true;
        lab.after(4500);
        assert_eq!(lab.nodes[0].core.counters().reaped, 1);
        lab.serves(0, birth, Tag::named("declared by 1"))
    });
}

#[test]
fn a_node_is_forgotten_only_when_its_lease_has_ended() {
    assert_rule(Mutant::ReapedAlive, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        lab.feed(1, Input::CatchUp(LogPosition::from_u64(u64::MAX)));
        lab.run();
        lab.isolate(1, true);
        lab.after(950);
        lab.publish(0, "a", Wait::Strict);
        lab.breaks_within(40)
    });
}

#[test]
fn a_log_that_was_trimmed_makes_everything_stale() {
    assert_rule(Mutant::TrimmedIsComplete, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        lab.isolate(1, true);
        lab.publish(0, "a", Wait::Strict);
        lab.after(1500);
        lab.store.trim(0);
        lab.isolate(1, false);
        lab.breaks_within(500)
    });
}

#[test]
fn an_entry_that_cannot_be_read_makes_everything_stale() {
    assert_rule(Mutant::UnknownSkipped, |mutants| {
        let mut lab = Lab::settled(1, mutants);
        let birth = lab.nodes[0].core.versions().applied();
        let position = LogPosition::from_u64(birth.as_u64() + 1);
        let entry = crate::cache::store::Entry { position, marks: None };
        lab.feed(0, Input::Pushed(crate::cache::store::Push::Entry(entry)));
        assert_eq!(lab.arrive(0).applied, position);
        lab.serves(0, birth, Tag::named("any"))
    });
}

#[test]
fn a_node_that_leaves_serves_nothing_that_is_kept() {
    assert_rule(Mutant::LeaseOutlivesLeave, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        lab.feed(1, Input::Leave);
        lab.run();
        assert!(lab.nodes[1].has_left);
        lab.publish(0, "a", Wait::Strict);
        lab.breaks_within(500)
    });
}

#[test]
fn the_watermark_of_another_epoch_says_nothing() {
    assert_rule(Mutant::WatermarkOfAnyEpoch, |mutants| {
        let mut lab = Lab::settled(2, mutants);
        let before = lab.arrive(0).applied.epoch();
        let earlier = lab.store.clone();
        lab.restart_as(&earlier);
        lab.after(1500);
        lab.isolate(1, true);
        lab.publish(0, "a", Wait::Strict);
        let watermark = LogPosition::new(before, 9).expect("it is small");
        lab.feed(0, Input::Pushed(crate::cache::store::Push::Watermark(watermark)));
        lab.breaks_within(1500)
    });
}
