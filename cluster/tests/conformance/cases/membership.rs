//! Inboxes, leases, the view.

use std::collections::{BTreeMap, BTreeSet};

use callboard_cluster::{
    Slot,
    store::{Answer, Command, Profile, Stream},
};
use callboard_protocol::identity::{Incarnation, ViewVersion};

use super::on_each;
use crate::world::{World, all_of_orphan, boot, profile};

on_each!(
    an_inbox_is_opened_once_and_again,
    an_inbox_that_was_fenced_is_not_opened_again,
    an_inbox_that_was_left_is_not_opened_again,
    a_view_before_the_first_join_is_none,
    a_member_is_in_the_view_with_all_that_it_said,
    joining_again_changes_nothing,
    joining_without_a_lease_is_fenced,
    joining_with_another_incarnation_is_stale_and_changes_nothing,
    joining_with_other_keys_is_refused_with_their_ids,
    a_renewal_counts_and_says_what_is_claimed,
    a_renewal_without_a_lease_is_fenced,
    leases_are_read_in_the_order_asked,
    an_acknowledgement_replaces_an_older_one_only,
    draining_raises_the_version_once,
    leaving_needs_an_empty_inbox,
    opening_needs_the_incarnation_and_raises_the_version_once,
);

async fn an_inbox_is_opened_once_and_again(world: &World) {
    assert!(world.open_inbox(boot(1)).await);
    world.perform(Command::Renew { boot: boot(1) }).await;
    world.send(boot(1), Stream::Requests, 1, "a").await;
    assert!(world.open_inbox(boot(1)).await);

    // Nothing of it began afresh.
    let leases = world.perform(Command::Leases { boots: vec![boot(1)] }).await;
    assert_eq!(leases, Answer::Leases(vec![Some(2)]));
    assert_eq!(world.read(boot(1), 9).await.len(), 1);
}

async fn an_inbox_that_was_fenced_is_not_opened_again(world: &World) {
    world.join(boot(1)).await;
    assert!(world.fence(boot(1), 1).await);
    assert!(!world.open_inbox(boot(1)).await);
    world.perform(Command::Evict { boot: boot(1) }).await;
    assert!(!world.open_inbox(boot(1)).await);
    world.perform(Command::OrphanDone { boot: boot(1), requests: vec![], replies: vec![] }).await;
    assert!(world.view().await.orphans.is_empty());
    assert!(!world.open_inbox(boot(1)).await);
}

async fn an_inbox_that_was_left_is_not_opened_again(world: &World) {
    world.join(boot(1)).await;
    assert_eq!(world.perform(Command::Leave { boot: boot(1) }).await, Answer::Left(true));
    assert!(!world.open_inbox(boot(1)).await);
}

async fn a_view_before_the_first_join_is_none(world: &World) {
    assert_eq!(world.perform(Command::View).await, Answer::View(None));
    assert_eq!(world.perform(Command::Evict { boot: boot(1) }).await, Answer::View(None));
    assert_eq!(world.perform(Command::Drain { boot: boot(1) }).await, Answer::View(None));
    let incarnation = world.incarnation();
    assert_eq!(world.perform(Command::Open { incarnation }).await, Answer::View(None));
    assert_eq!(world.perform(all_of_orphan(boot(1))).await, Answer::Orphan(None));
    let acknowledged = Command::AckView {
        boot: boot(1),
        version: ViewVersion::from_u64(1),
        busy: BTreeSet::new(),
        number: 1,
    };
    assert_eq!(world.perform(acknowledged).await, Answer::Done);
    assert_eq!(world.perform(Command::View).await, Answer::View(None));
}

async fn a_member_is_in_the_view_with_all_that_it_said(world: &World) {
    let first = world.join(boot(1)).await;
    let view = world.join(boot(2)).await;

    assert!(view.version > first.version);
    assert_eq!(view.incarnation, world.incarnation());
    assert_eq!((view.open, view.opened), (false, ViewVersion::default()));
    assert_eq!(view.members.len(), 2);
    assert_eq!(view.members[&boot(1)], first.members[&boot(1)]);
    let member = &view.members[&boot(2)];
    assert_eq!((&member.profile, member.draining, member.acked), (&profile(), false, view.version));
    assert_eq!(member.busy, BTreeSet::from([Slot::from_index(5)]));
    assert_eq!(world.view().await, view);
}

async fn joining_again_changes_nothing(world: &World) {
    let view = world.join(boot(1)).await;
    assert_eq!(world.join(boot(1)).await, view);
}

async fn joining_without_a_lease_is_fenced(world: &World) {
    assert_eq!(world.perform(world.joining(boot(1))).await, Answer::Fenced);
    assert_eq!(world.perform(Command::View).await, Answer::View(None));
}

async fn joining_with_another_incarnation_is_stale_and_changes_nothing(world: &World) {
    world.open_inbox(boot(1)).await;
    let incarnation = Incarnation::named("another");
    let join = Command::Join { boot: boot(1), profile: profile(), incarnation, busy: BTreeSet::new() };
    assert_eq!(world.perform(join).await, Answer::Stale);
    assert_eq!(world.perform(Command::View).await, Answer::View(None));
}

async fn joining_with_other_keys_is_refused_with_their_ids(world: &World) {
    let view = world.join(boot(1)).await;
    assert!(world.open_inbox(boot(2)).await);
    let join = |keys: &[(u8, u64)]| Command::Join {
        boot: boot(2),
        profile: Profile { keys: keys.iter().copied().collect::<BTreeMap<_, _>>(), ..profile() },
        incarnation: world.incarnation(),
        busy: BTreeSet::new(),
    };
    let refused = world.perform(join(&[(1, 0xb), (7, 1), (10, 1)])).await;
    assert_eq!(refused, Answer::KeysDisagree(vec![1, 7]));
    assert_eq!(world.view().await, view);

    // Keys that only one of the two has are no disagreement.
    assert!(matches!(world.perform(join(&[(1, 0xa), (10, 1)])).await, Answer::Joined { .. }));
}

async fn a_renewal_counts_and_says_what_is_claimed(world: &World) {
    world.join(boot(1)).await;
    world.send(boot(1), Stream::Requests, 1, "a").await;
    world.send(boot(1), Stream::Requests, 2, "b").await;
    let renew = async || match world.perform(Command::Renew { boot: boot(1) }).await {
        Answer::Renewed(renewal) => renewal,
        other => panic!("{other:?}"),
    };
    let first = renew().await;
    assert_eq!((first.counter, first.claimed, first.incarnation), (2, 0, world.incarnation()));
    assert_eq!(world.read(boot(1), 1).await.len(), 1);
    let second = renew().await;
    assert_eq!((second.counter, second.claimed), (3, 1));
    assert!(second.time >= first.time);
}

async fn a_renewal_without_a_lease_is_fenced(world: &World) {
    assert_eq!(world.perform(Command::Renew { boot: boot(1) }).await, Answer::Fenced);
    world.join(boot(1)).await;
    world.fence(boot(1), 1).await;
    assert_eq!(world.perform(Command::Renew { boot: boot(1) }).await, Answer::Fenced);
}

async fn leases_are_read_in_the_order_asked(world: &World) {
    world.open_inbox(boot(1)).await;
    world.open_inbox(boot(2)).await;
    world.perform(Command::Renew { boot: boot(2) }).await;
    let leases = world.perform(Command::Leases { boots: vec![boot(2), boot(9), boot(1)] }).await;
    assert_eq!(leases, Answer::Leases(vec![Some(2), None, Some(1)]));
    assert_eq!(world.perform(Command::Leases { boots: vec![] }).await, Answer::Leases(vec![]));
}

async fn an_acknowledgement_replaces_an_older_one_only(world: &World) {
    let version = world.join(boot(1)).await.version;
    let slots = |slots: &[u16]| slots.iter().copied().map(Slot::from_index).collect::<BTreeSet<_>>();
    let acknowledge = |number, version: ViewVersion, busy: &[u16]| Command::AckView {
        boot: boot(1),
        version,
        busy: slots(busy),
        number,
    };
    let later = ViewVersion::from_u64(version.as_u64() + 1);

    world.perform(acknowledge(1, version, &[])).await;
    assert_eq!(world.view().await.members[&boot(1)].busy, slots(&[]));
    world.perform(acknowledge(3, later, &[0, 1023])).await;
    world.perform(acknowledge(2, version, &[7])).await;
    let member = world.view().await.members[&boot(1)].clone();
    assert_eq!((member.acked, member.busy), (later, slots(&[0, 1023])));

    let stranger = Command::AckView { boot: boot(2), version, busy: slots(&[]), number: 1 };
    assert_eq!(world.perform(stranger).await, Answer::Done);
    assert_eq!(world.view().await.members.len(), 1);
}

async fn draining_raises_the_version_once(world: &World) {
    let before = world.join(boot(1)).await;
    let Answer::View(Some(view)) = world.perform(Command::Drain { boot: boot(1) }).await else { panic!() };
    assert!(view.version > before.version && view.members[&boot(1)].draining);
    assert_eq!(world.perform(Command::Drain { boot: boot(1) }).await, Answer::View(Some(view.clone())));
    assert_eq!(world.perform(Command::Drain { boot: boot(2) }).await, Answer::View(Some(view)));
}

async fn leaving_needs_an_empty_inbox(world: &World) {
    world.join(boot(1)).await;
    let before = world.join(boot(2)).await;
    world.send(boot(1), Stream::Requests, 1, "a").await;
    world.send(boot(1), Stream::Replies, 1, "r").await;
    let leave = Command::Leave { boot: boot(1) };
    assert_eq!(world.perform(leave.clone()).await, Answer::Left(false));
    let read = world.read(boot(1), 9).await;
    assert_eq!(world.perform(leave.clone()).await, Answer::Left(false));
    world.perform(Command::Settle { boot: boot(1), entries: vec![read[0].0] }).await;
    assert_eq!(world.perform(leave.clone()).await, Answer::Left(true));

    let view = world.view().await;
    assert!(view.version > before.version && view.orphans.is_empty());
    assert_eq!(view.members.keys().collect::<Vec<_>>(), [&boot(2)]);
    assert_eq!(world.perform(Command::Renew { boot: boot(1) }).await, Answer::Fenced);
    assert_eq!(world.perform(all_of_orphan(boot(1))).await, Answer::Orphan(None));
    // And again, and by one that never was.
    assert_eq!(world.perform(leave).await, Answer::Left(true));
    assert_eq!(world.perform(Command::Leave { boot: boot(9) }).await, Answer::Left(true));
    assert_eq!(world.view().await, view);
}

async fn opening_needs_the_incarnation_and_raises_the_version_once(world: &World) {
    let before = world.join(boot(1)).await;
    let stale = world.perform(Command::Open { incarnation: Incarnation::named("another") }).await;
    assert_eq!(stale, Answer::View(Some(before.clone())));

    let open = Command::Open { incarnation: world.incarnation() };
    let Answer::View(Some(view)) = world.perform(open.clone()).await else { panic!() };
    assert!(view.open && view.version > before.version);
    assert_eq!(view.opened, view.version);
    assert_eq!(world.perform(open).await, Answer::View(Some(view)));
}
