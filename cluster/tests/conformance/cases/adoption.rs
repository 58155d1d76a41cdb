//! What a start of Redis changes.

use std::collections::BTreeSet;

use callboard_cluster::store::{Answer, Command, Record, Sent, Stream, Verdict};
use callboard_protocol::identity::ViewVersion;

use super::on_each;
use crate::world::{World, all_of_orphan, boot, call, idempotency, profile, texts};

on_each!(
    members_of_another_incarnation_are_orphans,
    a_session_lives_on_until_somebody_joins,
    what_was_learned_before_is_stale,
    records_survive,
);

async fn members_of_another_incarnation_are_orphans(world: &World) {
    world.join(boot(1)).await;
    world.join(boot(2)).await;
    world.send(boot(1), Stream::Requests, 1, "claimed").await;
    world.send(boot(1), Stream::Requests, 2, "undelivered").await;
    world.read(boot(1), 1).await;
    world.lose(boot(2)).await;
    world.perform(Command::Open { incarnation: world.incarnation() }).await;
    let before = world.view().await;
    assert!(before.open);

    world.restart().await;
    assert_ne!(world.incarnation(), before.incarnation);
    let view = world.join(boot(3)).await;

    assert_eq!(view.incarnation, world.incarnation());
    assert!(!view.open && view.version > before.version);
    assert_eq!(view.opened, before.opened);
    assert_eq!(view.members.keys().collect::<Vec<_>>(), [&boot(3)]);
    assert_eq!(view.orphans, BTreeSet::from([boot(1), boot(2)]));
    assert_eq!(world.perform(Command::Renew { boot: boot(1) }).await, Answer::Fenced);
    assert_eq!(world.send(boot(1), Stream::Requests, 2, "undelivered").await, Sent::Kept);
    let Answer::Orphan(Some(left)) = world.perform(all_of_orphan(boot(1))).await else { panic!() };
    assert_eq!(texts(&left.claimed), ["claimed"]);
    assert_eq!(texts(&left.undelivered), ["undelivered"]);
}

async fn a_session_lives_on_until_somebody_joins(world: &World) {
    let before = world.join(boot(1)).await;
    world.restart().await;
    let Answer::Renewed(renewal) = world.perform(Command::Renew { boot: boot(1) }).await else { panic!() };
    assert_eq!(renewal.incarnation, world.incarnation());
    // It sees by the view, too, that it is of the past.
    assert_eq!(world.view().await.incarnation, before.incarnation);
    let opened = world.perform(Command::Open { incarnation: before.incarnation.clone() }).await;
    assert_eq!(opened, Answer::View(Some(before.clone())));
    let opened = world.perform(Command::Open { incarnation: world.incarnation() }).await;
    assert_eq!(opened, Answer::View(Some(before)));
}

async fn what_was_learned_before_is_stale(world: &World) {
    let incarnation = world.incarnation();
    world.restart().await;
    world.open_inbox(boot(1)).await;
    let join = Command::Join { boot: boot(1), profile: profile(), incarnation, busy: BTreeSet::new() };
    assert_eq!(world.perform(join).await, Answer::Stale);
    assert!(world.join(boot(1)).await.version > ViewVersion::default());
}

async fn records_survive(world: &World) {
    let begin = |number| Command::IdempotencyBegin {
        idempotency: idempotency(1),
        boot: boot(1),
        call: call(number),
        attempt: 0,
        again: false,
    };
    world.perform(begin(1)).await;
    world.restart().await;
    let running = Record::Running { boot: boot(1), call: call(1), attempt: 0 };
    assert_eq!(world.perform(begin(2)).await, Answer::Idempotency(Verdict::Taken(running)));
}
