//! Fencing, evicting, and what is left.

use callboard_cluster::store::{Answer, Command, Orphan, Stream};

use super::on_each;
use crate::world::{World, all_of_orphan, boot, ids, texts};

on_each!(
    a_fence_needs_the_counter,
    a_member_with_a_lease_is_not_evicted,
    an_evicted_member_is_an_orphan,
    what_was_claimed_is_told_from_what_was_not_delivered,
    who_is_no_orphan_left_nothing,
    an_orphan_stays_until_everything_of_it_is_answered,
    an_orphan_without_entries_is_forgotten_at_once,
    a_fenced_inbox_is_frozen,
    an_orphan_is_read_in_pieces,
);

async fn left(world: &World, boot: callboard_protocol::identity::Boot) -> Orphan {
    let answer = world.perform(all_of_orphan(boot)).await;
    let Answer::Orphan(Some(left)) = answer else { panic!("{answer:?}") };
    left
}

async fn a_fence_needs_the_counter(world: &World) {
    world.join(boot(1)).await;
    world.perform(Command::Renew { boot: boot(1) }).await;
    assert!(!world.fence(boot(1), 1).await);
    assert!(!world.fence(boot(1), 3).await);
    assert!(!world.fence(boot(9), 1).await);
    assert!(world.fence(boot(1), 2).await);
    assert!(!world.fence(boot(1), 2).await);
    // It is a member until it is evicted.
    assert!(world.view().await.members.contains_key(&boot(1)));
}

async fn a_member_with_a_lease_is_not_evicted(world: &World) {
    let view = world.join(boot(1)).await;
    assert_eq!(world.perform(Command::Evict { boot: boot(1) }).await, Answer::View(Some(view)));
}

async fn an_evicted_member_is_an_orphan(world: &World) {
    world.join(boot(1)).await;
    let before = world.join(boot(2)).await;
    world.fence(boot(1), 1).await;
    let Answer::View(Some(view)) = world.perform(Command::Evict { boot: boot(1) }).await else { panic!() };
    assert!(view.version > before.version);
    assert_eq!(view.members.keys().collect::<Vec<_>>(), [&boot(2)]);
    assert_eq!(view.orphans.iter().collect::<Vec<_>>(), [&boot(1)]);
    assert_eq!(world.perform(Command::Evict { boot: boot(1) }).await, Answer::View(Some(view.clone())));
    assert_eq!(world.perform(Command::Evict { boot: boot(9) }).await, Answer::View(Some(view)));
}

async fn what_was_claimed_is_told_from_what_was_not_delivered(world: &World) {
    world.join(boot(1)).await;
    for (number, frame) in [(1, "settled"), (2, "claimed"), (3, "undelivered")] {
        world.send(boot(1), Stream::Requests, number, frame).await;
    }
    world.send(boot(1), Stream::Replies, 1, "reply").await;
    let read = world.read(boot(1), 2).await;
    world.perform(Command::Settle { boot: boot(1), entries: vec![read[0].0] }).await;
    world.lose(boot(1)).await;

    let left_first = left(world, boot(1)).await;
    assert_eq!(texts(&left_first.claimed), ["claimed"]);
    assert_eq!(texts(&left_first.undelivered), ["undelivered"]);
    assert_eq!(texts(&left_first.replies), ["reply"]);
    // Whoever reads it again reads the same.
    assert_eq!(left(world, boot(1)).await, left_first);
}

async fn who_is_no_orphan_left_nothing(world: &World) {
    world.join(boot(1)).await;
    assert_eq!(world.perform(all_of_orphan(boot(1))).await, Answer::Orphan(None));
    // Fenced, but not evicted.
    world.fence(boot(1), 1).await;
    assert_eq!(world.perform(all_of_orphan(boot(1))).await, Answer::Orphan(None));
}

async fn an_orphan_stays_until_everything_of_it_is_answered(world: &World) {
    world.join(boot(1)).await;
    for (number, frame) in [(1, "a"), (2, "b")] {
        world.send(boot(1), Stream::Requests, number, frame).await;
    }
    world.send(boot(1), Stream::Replies, 1, "r").await;
    world.read(boot(1), 1).await;
    world.lose(boot(1)).await;
    let all = left(world, boot(1)).await;
    let done = async |requests, replies| {
        world.perform(Command::OrphanDone { boot: boot(1), requests, replies }).await;
        world.view().await.orphans.contains(&boot(1))
    };

    assert!(done(ids(&all.claimed), vec![]).await);
    let rest = left(world, boot(1)).await;
    assert_eq!(rest, Orphan { claimed: vec![], ..all.clone() });
    assert!(done(vec![], ids(&all.replies)).await);
    let version = world.view().await.version;
    assert!(!done(ids(&all.undelivered), vec![]).await);
    assert_eq!(world.view().await.version, version);
    assert_eq!(world.perform(all_of_orphan(boot(1))).await, Answer::Orphan(None));
    assert!(!done(ids(&all.undelivered), ids(&all.replies)).await);
}

async fn an_orphan_without_entries_is_forgotten_at_once(world: &World) {
    world.join(boot(1)).await;
    world.lose(boot(1)).await;
    assert_eq!(left(world, boot(1)).await, Orphan::default());
    world.perform(Command::OrphanDone { boot: boot(1), requests: vec![], replies: vec![] }).await;
    assert!(world.view().await.orphans.is_empty());
}

async fn a_fenced_inbox_is_frozen(world: &World) {
    world.join(boot(1)).await;
    world.send(boot(1), Stream::Requests, 1, "a").await;
    let read = world.read(boot(1), 1).await;
    world.lose(boot(1)).await;
    // Its owner comes late.
    world.perform(Command::Settle { boot: boot(1), entries: ids(&read) }).await;
    assert_eq!(world.perform(Command::ReadRequests { boot: boot(1), frames_max: 1 }).await, Answer::Gone);
    assert_eq!(world.perform(Command::Leave { boot: boot(1) }).await, Answer::Left(true));
    assert_eq!(texts(&left(world, boot(1)).await.claimed), ["a"]);
}

async fn an_orphan_is_read_in_pieces(world: &World) {
    world.join(boot(1)).await;
    world.join(boot(2)).await;
    for (number, frame) in [(1, "first"), (2, "second"), (3, "third")] {
        world.send(boot(1), Stream::Requests, number, frame).await;
    }
    world.send(boot(1), Stream::Replies, 1, "reply").await;
    let read = world.read(boot(1), 2).await;
    world.perform(Command::Settle { boot: boot(1), entries: vec![ids(&read)[0]] }).await;
    world.fence(boot(1), 1).await;
    world.perform(Command::Evict { boot: boot(1) }).await;
    let whole = left(world, boot(1)).await;
    assert_eq!((whole.claimed.len(), whole.undelivered.len(), whole.replies.len()), (1, 1, 1));

    let mut pieces = Orphan::default();
    let (mut requests_after, mut replies_after) = Default::default();
    for _ in 0..3 {
        let piece = Command::Orphan { boot: boot(1), requests_after, replies_after, frames_max: 1 };
        let Answer::Orphan(Some(piece)) = world.perform(piece).await else { panic!() };
        assert!(piece.claimed.len() + piece.undelivered.len() <= 1 && piece.replies.len() <= 1);
        requests_after = piece
            .claimed
            .iter()
            .chain(&piece.undelivered)
            .map(|(entry, _)| *entry)
            .max()
            .unwrap_or(requests_after);
        replies_after = piece.replies.iter().map(|(entry, _)| *entry).max().unwrap_or(replies_after);
        pieces.claimed.extend(piece.claimed);
        pieces.undelivered.extend(piece.undelivered);
        pieces.replies.extend(piece.replies);
    }
    assert_eq!(pieces, whole);
}
