//! What a node does in good times and in bad, step by step.

use super::*;
use crate::{
    cache::store::{Answer, Following, Push},
    store::Failure,
};

const FAR: LogPosition = LogPosition::from_u64(u64::MAX);

#[test]
fn a_first_lease_comes_with_the_first_answers() {
    let lab = Lab::new(1, Mutants::NONE);
    let arrived = lab.arrive(0);
    assert!(arrived.leased);
    assert_eq!(arrived.applied.sequence(), 0);
    assert_eq!(lab.nodes[0].epochs, [false]);
    assert_eq!(lab.nodes[0].core.counters().leases, 1);
}

#[test]
fn nobody_has_a_lease_before_the_store_was_asked() {
    let core = Core::new(process(0), Arc::default(), Arc::default(), Mutants::NONE);
    assert!(!core.versions().arrive(Instant::from_micros(1)).leased);
}

#[test]
fn a_lease_goes_on_for_as_long_as_the_store_answers() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    for _ in 0..30 {
        lab.after(100);
        assert!(lab.arrive(0).leased && lab.arrive(1).leased);
    }
    lab.isolate(1, true);
    lab.after(1000);
    assert!(!lab.arrive(1).leased && lab.arrive(0).leased);
    lab.isolate(1, false);
    lab.after(100);
    assert!(lab.arrive(1).leased);
    assert_eq!(lab.nodes[1].core.counters().lapses, 1);
}

#[test]
fn strict_is_answered_at_once_when_all_have_applied_it() {
    let mut lab = Lab::settled(3, Mutants::NONE);
    let id = lab.publish(0, "a", Wait::Strict);
    let position = lab.position(0, id).expect("it is answered");
    assert!((0..3).all(|node| lab.arrive(node).applied == position));
    assert!(!lab.is_broken());
    assert_eq!(lab.nodes[0].core.counters().confirmed_fast, 1);
}

/// The publication says how far its node is, whether its answer comes first or what is pushed.
#[test]
fn whoever_publishes_acknowledges_nothing_besides() {
    for is_pushed_first in [true, false] {
        let mut lab = Lab::settled(2, Mutants::NONE);
        lab.nodes[0].is_held = true;
        lab.feed(0, Input::Publish(PublicationId(1), [hard("a")].into(), Wait::Strict));
        lab.run_node(0);
        let answer = lab.nodes[0].held.pop_front().expect("it was executed");
        let push = Input::Pushed(lab.store.take_pushes().remove(0));
        let mut inputs = [push.clone(), answer];
        if !is_pushed_first {
            inputs.reverse();
        }
        for input in inputs {
            lab.feed(0, input);
            assert_eq!(lab.nodes[0].performed, []);
        }
        lab.feed(1, push);
        assert_eq!(lab.nodes[1].performed.len(), 1);
        lab.run();
        assert!(lab.is_answered(0, PublicationId(1)));
    }
}

#[test]
fn strict_is_answered_after_a_lease_when_a_node_is_dead_and_at_once_when_it_is_forgotten() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    lab.nodes[1].is_asleep = true;
    let id = lab.publish(0, "a", Wait::Strict);
    lab.after(1000);
    assert!(!lab.is_answered(0, id));
    lab.after(2);
    assert!(lab.is_answered(0, id));
    assert_eq!(lab.nodes[0].core.counters().confirmed_slowly, 1);

    lab.after(4000);
    let id = lab.publish(0, "a", Wait::Strict);
    assert!(lab.is_answered(0, id));
    lab.release(1);
    lab.after(300);
    assert!(lab.arrive(1).leased && !lab.is_broken());
}

#[test]
fn a_node_that_is_alone_waits_for_nobody_once_older_leases_are_gone() {
    let mut lab = Lab::new(1, Mutants::NONE);
    let early = lab.publish(0, "a", Wait::Strict);
    assert!(!lab.is_answered(0, early));
    lab.after(1002);
    assert!(lab.is_answered(0, early));
    let late = lab.publish(0, "a", Wait::Strict);
    assert!(lab.is_answered(0, late));
}

#[test]
fn session_is_answered_by_the_log_and_eventual_by_nobody() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    lab.nodes[1].is_deaf = true;
    let session = lab.publish(0, "a", Wait::Session);
    assert_eq!(lab.position(0, session), Some(lab.arrive(0).applied));
    lab.isolate(0, true);
    let eventual = lab.publish(0, "b", Wait::Eventual);
    assert_eq!(lab.position(0, eventual), None);
    let nothing = lab.publish_marks(0, &[], Wait::Strict);
    assert_eq!(lab.position(0, nothing), None);

    let birth = lab.arrive(1).applied;
    lab.isolate(0, false);
    lab.after(1500);
    assert!(!lab.serves(1, birth, Tag::named("b")));
}

#[test]
fn what_waits_goes_out_together_and_no_entry_is_too_large() {
    let settings = Settings { entry_marks_max: 4, ..Settings::default() };
    let mut lab = Lab::with(1, Mutants::NONE, &settings);
    lab.after(1300);
    lab.isolate(0, true);
    let ids = ["a", "b", "c"].map(|name| lab.publish(0, name, Wait::Strict));
    let tags: Vec<_> = (0..9).map(|number| hard(&number.to_string())).collect();
    let large = lab.publish_marks(0, &tags, Wait::Session);
    let (birth, before) = (lab.arrive(0).applied, lab.nodes[0].core.counters().published);
    lab.isolate(0, false);
    assert!(ids.iter().chain([&large]).all(|id| lab.is_answered(0, *id)));
    // One alone, as it was on its way; two; four, four and one of the large.
    assert_eq!(lab.nodes[0].core.counters().published - before, 5);
    assert!(tags.iter().all(|mark| !lab.serves(0, birth, mark.tag)));
    assert_eq!(lab.nodes[0].core.outbox_marks(), 0);
}

/// What was pushed after the hole is stale at once, and the position stands still until the hole is read.
#[test]
fn a_hole_is_read_from_the_log() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    let birth = lab.arrive(1).applied;
    lab.nodes[1].is_deaf = true;
    lab.publish(0, "a", Wait::Session);
    lab.nodes[1].is_deaf = false;
    lab.publish(0, "b", Wait::Session);
    assert_eq!(lab.arrive(1).applied, birth);
    assert!(!lab.serves(1, birth, Tag::named("b")) && lab.serves(1, birth, Tag::named("a")));
    lab.after(2);
    assert_eq!(lab.arrive(1).applied, lab.arrive(0).applied);
    assert!(!lab.serves(1, birth, Tag::named("a")));
    assert_eq!(lab.nodes[1].core.counters().gaps, 1);
}

#[test]
fn pushes_in_any_order_are_applied_in_order() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    let start = lab.arrive(0).applied.as_u64();
    let push = |lab: &mut Lab, after: u64| {
        let position = LogPosition::from_u64(start + after);
        let marks = Some(Arc::from([hard("a")]));
        lab.feed(0, Input::Pushed(Push::Entry(crate::cache::store::Entry { position, marks })));
        lab.arrive(0).applied.as_u64() - start
    };
    assert_eq!([3, 2, 2, 1, 5, 1, 4].map(|after| push(&mut lab, after)), [0, 0, 0, 3, 3, 3, 5]);
    assert_eq!(lab.nodes[0].core.counters().applied, 5);
}

#[test]
fn a_reader_that_wants_more_makes_the_node_read_once() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    lab.nodes[1].is_deaf = true;
    let id = lab.publish(0, "a", Wait::Session);
    let token = lab.position(0, id).expect("it stands in the log");
    assert!(!lab.has_applied(1, token));
    lab.feed(1, Input::CatchUp(token));
    lab.run();
    assert!(lab.has_applied(1, token));

    // One that is forged costs one command, not one after another.
    let before = lab.nodes[1].core.counters().leases;
    lab.now = lab.now + Duration::from_micros(1);
    lab.feed(1, Input::CatchUp(FAR));
    lab.run();
    assert_eq!(lab.nodes[1].core.counters().leases, before + 1);
}

/// A lease counts only with the last of several answers, and then from when the first was asked for or later.
#[test]
fn a_long_log_is_read_in_several_answers() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    let limits = crate::cache::memory::Limits { answer_entries_max: 2, ..Default::default() };
    lab.store = lab.store.clone().limited(limits);
    lab.isolate(1, true);
    for _ in 0..7 {
        lab.publish(0, "a", Wait::Session);
    }
    lab.after(1500);
    lab.isolate(1, false);
    lab.after(60);
    assert_eq!(lab.arrive(1), Arrived { applied: lab.arrive(0).applied, leased: true });
}

#[test]
fn renders_survive_a_store_that_restarts_while_the_lease_holds() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    let births = [0, 1].map(|node| lab.arrive(node).applied);
    let earlier = lab.store.clone();
    lab.restart_as(&earlier);
    lab.after(300);
    for (node, birth) in births.into_iter().enumerate() {
        assert_eq!(lab.nodes[node].epochs, [false, true]);
        assert!(lab.arrive(node).applied > birth);
        assert!(lab.serves(node, birth, Tag::named("a")));
    }
}

#[test]
fn renders_do_not_survive_a_store_that_restarts_later() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    let birth = lab.arrive(0).applied;
    lab.isolate(0, true);
    let earlier = lab.store.clone();
    lab.restart_as(&earlier);
    lab.after(1100);
    lab.isolate(0, false);
    lab.after(100);
    assert_eq!(lab.nodes[0].epochs, [false, false]);
    assert!(lab.arrive(0).leased && !lab.serves(0, birth, Tag::named("a")));
}

#[test]
fn a_soft_mark_is_hard_when_its_time_has_come() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    let (birth, tag) = (lab.arrive(0).applied, Tag::named("a"));
    let soft = |expire_s| [Mark { tag, staleness: Staleness::Soft { expire_s } }];
    lab.publish_marks(0, &soft(None), Wait::Session);
    lab.publish_marks(0, &soft(Some(5)), Wait::Session);
    let freshness = |lab: &Lab| lab.nodes[0].core.versions().freshness(birth, &[tag]);
    lab.after(4900);
    assert_eq!(freshness(&lab), Freshness::Stale);
    lab.after(200);
    assert_eq!(freshness(&lab), Freshness::Dead);
}

#[test]
fn a_soft_mark_without_room_is_hard_at_once() {
    let settings = Settings { expiring_max: 0, ..Settings::default() };
    let mut lab = Lab::with(1, Mutants::NONE, &settings);
    let (birth, tag) = (lab.arrive(0).applied, Tag::named("a"));
    let soft = Mark { tag, staleness: Staleness::Soft { expire_s: Some(5) } };
    lab.publish_marks(0, &[soft], Wait::Session);
    assert_eq!(lab.nodes[0].core.versions().freshness(birth, &[tag]), Freshness::Dead);
}

#[test]
fn who_leaves_publishes_first_and_is_waited_for_no_more() {
    let mut lab = Lab::settled(2, Mutants::NONE);
    lab.isolate(1, true);
    let id = lab.publish(1, "a", Wait::Strict);
    lab.feed(1, Input::Leave);
    assert!(!lab.nodes[1].has_left);
    lab.isolate(1, false);
    assert!(lab.is_answered(1, id) && lab.nodes[1].has_left);
    assert!(!lab.arrive(1).leased);
    lab.after(5000);
    let counters = lab.nodes[0].core.counters();
    assert_eq!((counters.reaped, lab.arrive(0).applied.sequence()), (0, 1), "nothing it declared is stale");
}

#[test]
fn who_leaves_without_a_store_waits_for_nobody() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    lab.isolate(0, true);
    lab.feed(0, Input::Disconnected(Connection::Commands));
    lab.feed(0, Input::Leave);
    assert!(lab.nodes[0].has_left && !lab.arrive(0).leased);
    assert_eq!(lab.nodes[0].core.next_timer(), None);
}

/// A command in doubt closes its connection; what it published is published again.
#[test]
fn a_publication_in_doubt_is_made_again() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    lab.nodes[0].is_held = true;
    let id = lab.publish(0, "a", Wait::Session);
    lab.after(499);
    assert!(!lab.is_answered(0, id));
    lab.nodes[0].is_held = false;
    lab.after(60);
    assert!(lab.is_answered(0, id));
    // The first was executed, too; its answer is of a connection that is closed.
    assert_eq!(lab.arrive(0).applied.sequence(), 2);
    lab.release(0);
    assert_eq!(lab.nodes[0].published.len(), 1);
}

#[test]
fn a_refusal_is_asked_again_after_a_pause() {
    let mut core = Core::new(process(0), Arc::default(), Arc::default(), Mutants::NONE);
    let now = Instant::from_micros(1);
    core.step(now, Input::Tick);
    let outputs = core.step(now, Input::Connected(Connection::Commands));
    let [Output::Perform(request, Command::Open { .. })] = outputs[..] else { panic!("{outputs:?}") };
    let refused = Input::Answered(request, Err(Failure::Refused("BUSY".into())));
    assert_eq!(core.step(now, refused), []);
    let again = core.next_timer().expect("it asks again");
    assert_eq!(again, now + Settings::default().retry);
    assert!(matches!(core.step(again, Input::Tick)[..], [Output::Perform(_, Command::Open { .. })]));
}

/// The store that answers is behind: it is asked until it is not.
#[test]
fn an_epoch_before_a_known_one_is_not_entered() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    let before = lab.arrive(0);
    lab.isolate(0, true);
    lab.feed(0, Input::Disconnected(Connection::Commands));
    lab.after(60);
    lab.nodes[0].connecting.clear();
    lab.feed(0, Input::Connected(Connection::Commands));
    let (request, _) = lab.nodes[0].performed.pop_front().expect("it opens");
    let tail = LogPosition::default();
    lab.feed(0, Input::Answered(request, Ok(Answer::Opened { epoch: tail.epoch(), tail })));
    assert_eq!(lab.arrive(0).applied, before.applied);
    lab.isolate(0, false);
    lab.after(100);
    assert!(lab.arrive(0).leased);
    assert_eq!(lab.nodes[0].epochs, [false]);
}

#[test]
fn an_epoch_that_is_nearly_full_is_ended() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    let epoch = lab.arrive(0).applied.epoch();
    let last = LogPosition::new(epoch, LogPosition::SEQUENCE_MAX - 7).expect("there is one");
    let push = Push::Entry(crate::cache::store::Entry { position: last, marks: None });
    lab.feed(0, Input::Pushed(push));
    lab.run();
    assert!(lab.arrive(0).applied.epoch() > epoch);
}

/// A node that is alone with its store holds a lease for ever, and asks for none.
#[test]
fn a_store_that_nobody_shares_needs_no_leases() {
    let settings = Settings { shared: false, ..Settings::default() };
    let mut lab = Lab::with(1, Mutants::NONE, &settings);
    let id = lab.publish(0, "a", Wait::Strict);
    assert!(lab.is_answered(0, id));
    lab.isolate(0, true);
    lab.after(1_000_000);
    assert!(lab.arrive(0).leased);
    assert_eq!(lab.nodes[0].core.next_timer(), None);
    lab.isolate(0, false);
    lab.feed(0, Input::Leave);
    assert!(lab.nodes[0].has_left);
}

/// Nothing is asked twice at a time, and a node with nothing to do sleeps until its next renewal or look.
#[test]
fn a_quiet_node_asks_for_leases_and_looks_for_the_dead() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    let mut asked = 0;
    lab.nodes[0].is_cut = true;
    for _ in 0..16 {
        let next = lab.nodes[0].core.next_timer().expect("it goes on");
        assert!(next > lab.now);
        lab.now = next;
        lab.feed(0, Input::Tick);
        asked += lab.nodes[0].performed.len();
        lab.nodes[0].is_cut = false;
        lab.run();
        lab.nodes[0].is_cut = true;
    }
    assert!((16..=24).contains(&asked), "{asked}");
}

/// Entries that a store gives although it says that nothing follows, or the other way round, grant nothing.
#[test]
fn a_lease_is_not_granted_by_an_answer_that_holds_too_little() {
    let mut lab = Lab::settled(1, Mutants::NONE);
    lab.nodes[0].is_cut = true;
    lab.after(250);
    let renewals = lab.nodes[0].performed.drain(..);
    let renewal = renewals.into_iter().find(|(_, command)| matches!(command, Command::Renew { .. }));
    let (request, _) = renewal.expect("it is time to renew");
    let applied = lab.arrive(0).applied;
    let tail = LogPosition::from_u64(applied.as_u64() + 3);
    let following = Following::Entries(Vec::new());
    let before = lab.nodes[0].core.counters().leases;
    lab.feed(0, Input::Answered(request, Ok(Answer::Renewed { tail, following, watermark: applied })));
    assert_eq!(lab.nodes[0].core.counters().leases, before);
    assert_eq!(lab.arrive(0).applied, applied);
}
