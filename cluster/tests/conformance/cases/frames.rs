//! Sending, reading, settling.

use callboard_cluster::store::{Answer, Command, EntryId, Sent, Stream};

use super::on_each;
use crate::world::{INBOX_FRAMES_MAX, World, all_of_orphan, boot, frames, ids, texts};

on_each!(
    a_frame_is_appended_once,
    senders_and_streams_are_numbered_apart,
    a_full_inbox_takes_no_request_and_uses_up_no_number,
    replies_have_no_limit,
    a_frame_to_nobody_is_gone,
    a_frame_from_before_the_fence_is_kept_and_a_later_one_gone,
    a_frame_from_before_leaving_is_kept,
    requests_are_claimed_once_and_in_order,
    a_read_of_a_missing_inbox_is_gone,
    a_read_that_finds_nothing_ends_empty,
    claimed_requests_are_read_again_page_by_page,
    settled_requests_are_forgotten,
    replies_are_read_from_any_entry,
    replies_are_trimmed_up_to_an_entry,
    a_waiting_read_is_woken_by_a_frame,
    a_waiting_read_of_replies_is_woken_by_a_frame,
    a_waiting_read_of_requests_is_woken_by_the_fence,
    a_waiting_read_of_replies_ends_and_then_is_gone_after_the_fence,
    frames_are_any_bytes,
);

async fn a_frame_is_appended_once(world: &World) {
    world.join(boot(1)).await;
    assert_eq!(world.send(boot(1), Stream::Requests, 1, "a").await, Sent::Now);
    assert_eq!(world.send(boot(1), Stream::Requests, 1, "a").await, Sent::Before);
    assert_eq!(world.send(boot(1), Stream::Requests, 2, "b").await, Sent::Now);
    assert_eq!(world.send(boot(1), Stream::Requests, 1, "a").await, Sent::Before);
    assert_eq!(texts(&world.read(boot(1), 9).await), ["a", "b"]);
}

async fn senders_and_streams_are_numbered_apart(world: &World) {
    world.join(boot(1)).await;
    for stream in [Stream::Requests, Stream::Replies] {
        assert_eq!(world.send_as(1, boot(1), stream, 1, "a").await, Sent::Now);
        assert_eq!(world.send_as(2, boot(1), stream, 1, "b").await, Sent::Now);
        assert_eq!(world.send_as(2, boot(1), stream, 1, "b").await, Sent::Before);
    }
}

async fn a_full_inbox_takes_no_request_and_uses_up_no_number(world: &World) {
    world.join(boot(1)).await;
    for number in 1..=INBOX_FRAMES_MAX as u64 {
        assert_eq!(world.send(boot(1), Stream::Requests, number, "a").await, Sent::Now);
    }
    assert_eq!(world.send(boot(1), Stream::Requests, 4, "b").await, Sent::Full);
    // One that was appended is not refused for want of room.
    assert_eq!(world.send(boot(1), Stream::Requests, 3, "a").await, Sent::Before);
    // What is claimed takes room until it is settled.
    let read = world.read(boot(1), 1).await;
    assert_eq!(world.send(boot(1), Stream::Requests, 4, "b").await, Sent::Full);
    world.perform(Command::Settle { boot: boot(1), entries: ids(&read) }).await;
    assert_eq!(world.send(boot(1), Stream::Requests, 4, "b").await, Sent::Now);
}

async fn replies_have_no_limit(world: &World) {
    world.join(boot(1)).await;
    for number in 1..=INBOX_FRAMES_MAX as u64 + 2 {
        assert_eq!(world.send(boot(1), Stream::Replies, number, "a").await, Sent::Now);
    }
}

async fn a_frame_to_nobody_is_gone(world: &World) {
    assert_eq!(world.send(boot(9), Stream::Requests, 1, "a").await, Sent::Gone);
    assert_eq!(world.send(boot(9), Stream::Replies, 1, "a").await, Sent::Gone);
}

async fn a_frame_from_before_the_fence_is_kept_and_a_later_one_gone(world: &World) {
    world.join(boot(1)).await;
    for stream in [Stream::Requests, Stream::Replies] {
        world.send(boot(1), stream, 1, "a").await;
    }
    world.lose(boot(1)).await;
    let check = async || {
        for stream in [Stream::Requests, Stream::Replies] {
            assert_eq!(world.send(boot(1), stream, 1, "a").await, Sent::Kept);
            assert_eq!(world.send(boot(1), stream, 2, "b").await, Sent::Gone);
            assert_eq!(world.send_as(2, boot(1), stream, 1, "c").await, Sent::Gone);
        }
    };
    check().await;

    // Also after nothing else is left of the session.
    let Answer::Orphan(Some(left)) = world.perform(all_of_orphan(boot(1))).await else { panic!() };
    let (requests, replies) = (ids(&left.undelivered), ids(&left.replies));
    world.perform(Command::OrphanDone { boot: boot(1), requests, replies }).await;
    assert!(world.view().await.orphans.is_empty());
    check().await;
}

async fn a_frame_from_before_leaving_is_kept(world: &World) {
    world.join(boot(1)).await;
    world.send(boot(1), Stream::Replies, 1, "a").await;
    assert_eq!(world.perform(Command::Leave { boot: boot(1) }).await, Answer::Left(true));
    assert_eq!(world.send(boot(1), Stream::Replies, 1, "a").await, Sent::Kept);
    assert_eq!(world.send(boot(1), Stream::Requests, 1, "a").await, Sent::Gone);
}

async fn requests_are_claimed_once_and_in_order(world: &World) {
    world.join(boot(1)).await;
    for (number, frame) in [(1, "a"), (2, "b"), (3, "c")] {
        world.send(boot(1), Stream::Requests, number, frame).await;
    }
    let first = world.read(boot(1), 2).await;
    let second = world.read(boot(1), 2).await;
    assert_eq!((texts(&first), texts(&second)), (vec!["a", "b"], vec!["c"]));
    assert!(first[0].0 < first[1].0 && first[1].0 < second[0].0);
}

async fn a_read_of_a_missing_inbox_is_gone(world: &World) {
    let (boot, after) = (boot(9), EntryId::default());
    assert_eq!(world.perform(Command::ReadRequests { boot, frames_max: 1 }).await, Answer::Gone);
    assert_eq!(world.perform(Command::ReadClaimed { boot, after, frames_max: 1 }).await, Answer::Gone);
    assert_eq!(world.perform(Command::ReadReplies { boot, after, frames_max: 1 }).await, Answer::Gone);
    assert_eq!(world.perform(Command::Settle { boot, entries: vec![after] }).await, Answer::Done);
    assert_eq!(world.perform(Command::TrimReplies { boot, through: after }).await, Answer::Done);
}

async fn a_read_that_finds_nothing_ends_empty(world: &World) {
    world.join(boot(1)).await;
    assert!(world.read(boot(1), 1).await.is_empty());
    assert!(world.claimed(boot(1), EntryId::default(), 1).await.is_empty());
    let read = Command::ReadReplies { boot: boot(1), after: EntryId::default(), frames_max: 1 };
    assert!(frames(world.perform(read).await).is_empty());
}

async fn claimed_requests_are_read_again_page_by_page(world: &World) {
    world.join(boot(1)).await;
    for (number, frame) in [(1, "a"), (2, "b"), (3, "c")] {
        world.send(boot(1), Stream::Requests, number, frame).await;
    }
    let read = world.read(boot(1), 2).await;
    assert_eq!(world.claimed(boot(1), EntryId::default(), 9).await, read);
    let page = world.claimed(boot(1), EntryId::default(), 1).await;
    assert_eq!(page, read[..1]);
    assert_eq!(world.claimed(boot(1), page[0].0, 1).await, read[1..]);
    assert!(world.claimed(boot(1), read[1].0, 1).await.is_empty());
    world.perform(Command::Settle { boot: boot(1), entries: vec![read[0].0] }).await;
    assert_eq!(world.claimed(boot(1), EntryId::default(), 1).await, read[1..]);
}

async fn settled_requests_are_forgotten(world: &World) {
    world.join(boot(1)).await;
    world.send(boot(1), Stream::Requests, 1, "a").await;
    world.send(boot(1), Stream::Requests, 2, "b").await;
    let read = world.read(boot(1), 9).await;
    let settle = Command::Settle { boot: boot(1), entries: ids(&read) };
    assert_eq!(world.perform(settle.clone()).await, Answer::Done);
    assert_eq!(world.perform(settle).await, Answer::Done);
    assert!(world.claimed(boot(1), EntryId::default(), 9).await.is_empty());
    assert_eq!(world.perform(Command::Leave { boot: boot(1) }).await, Answer::Left(true));
}

async fn replies_are_read_from_any_entry(world: &World) {
    world.join(boot(1)).await;
    for (number, frame) in [(1, "a"), (2, "b"), (3, "c")] {
        world.send(boot(1), Stream::Replies, number, frame).await;
    }
    let read = async |after, frames_max| {
        frames(world.perform(Command::ReadReplies { boot: boot(1), after, frames_max }).await)
    };
    let all = read(EntryId::default(), 9).await;
    assert_eq!(texts(&all), ["a", "b", "c"]);
    assert_eq!(read(EntryId::default(), 2).await, all[..2]);
    assert_eq!(read(all[0].0, 9).await, all[1..]);
    // Reading is no claim.
    assert_eq!(read(EntryId::default(), 9).await, all);
}

async fn replies_are_trimmed_up_to_an_entry(world: &World) {
    world.join(boot(1)).await;
    for (number, frame) in [(1, "a"), (2, "b"), (3, "c")] {
        world.send(boot(1), Stream::Replies, number, frame).await;
    }
    let read = Command::ReadReplies { boot: boot(1), after: EntryId::default(), frames_max: 9 };
    let all = frames(world.perform(read.clone()).await);
    let trim = Command::TrimReplies { boot: boot(1), through: all[1].0 };
    assert_eq!(world.perform(trim).await, Answer::Done);
    assert_eq!(frames(world.perform(read.clone()).await), all[2..]);
    let end = EntryId { ms: u64::MAX, number: u64::MAX };
    assert_eq!(world.perform(Command::TrimReplies { boot: boot(1), through: end }).await, Answer::Done);
    assert!(frames(world.perform(read).await).is_empty());
    // What was appended stays known.
    assert_eq!(world.send(boot(1), Stream::Replies, 3, "c").await, Sent::Before);
}

async fn a_waiting_read_is_woken_by_a_frame(world: &World) {
    world.join(boot(1)).await;
    let (read, sent) = tokio::join!(world.read(boot(1), 9), world.send(boot(1), Stream::Requests, 1, "a"));
    assert_eq!((texts(&read), sent), (vec!["a"], Sent::Now));
}

async fn a_waiting_read_of_replies_is_woken_by_a_frame(world: &World) {
    world.join(boot(1)).await;
    let read = Command::ReadReplies { boot: boot(1), after: EntryId::default(), frames_max: 9 };
    let (read, sent) = tokio::join!(world.perform(read), world.send(boot(1), Stream::Replies, 1, "a"));
    assert_eq!((texts(&frames(read)), sent), (vec!["a"], Sent::Now));
}

async fn a_waiting_read_of_requests_is_woken_by_the_fence(world: &World) {
    world.join(boot(1)).await;
    let read = Command::ReadRequests { boot: boot(1), frames_max: 9 };
    let (read, fenced) = tokio::join!(world.perform(read), world.fence(boot(1), 1));
    assert_eq!((read, fenced), (Answer::Gone, true));
}

async fn a_waiting_read_of_replies_ends_and_then_is_gone_after_the_fence(world: &World) {
    world.join(boot(1)).await;
    let read = Command::ReadReplies { boot: boot(1), after: EntryId::default(), frames_max: 9 };
    let (first, fenced) = tokio::join!(world.perform(read.clone()), world.fence(boot(1), 1));
    assert!(fenced);
    // A plain read is not woken by a rename.
    assert!(matches!(&first, Answer::Gone | Answer::Frames(_)), "{first:?}");
    assert_eq!(world.perform(read).await, Answer::Gone);
}

async fn frames_are_any_bytes(world: &World) {
    world.join(boot(1)).await;
    let frame = bytes::Bytes::from((0..=255).cycle().take(70_000).collect::<Vec<u8>>());
    let sender = boot(1).process;
    let send =
        Command::Send { to: boot(1), stream: Stream::Requests, sender, number: 1, frame: frame.clone() };
    world.perform(send).await;
    assert_eq!(world.read(boot(1), 1).await[0].1, frame);
}
