//! What each command promises, one case a test, on each kind of log.

use std::sync::Arc;

use callboard_cluster::cache::store::{Answer, Command, Entry, Following, Mark, Push, Staleness};
use callboard_protocol::revalidation::{Epoch, LogPosition, Tag};

use super::world::{ANSWER_ENTRIES_MAX, World, at, declared, entry, hard, process, publish, renew};
use crate::{permissions, server::Server};

fn run(case: impl AsyncFnOnce(&World), world: impl Future<Output = World>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { case(&world.await).await });
}

/// A test of each case on each kind of log; the last as a user that may do what docs/OPERATIONS.md lists, and nothing else.
macro_rules! on_each {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $case() { super::run(super::$case, async { super::World::memory() }); })*
        }
        mod redis {
            $(#[test] fn $case() {
                super::run(super::$case, super::World::redis(super::Server::durable(), ""));
            })*
        }
        mod redis_as_user {
            $(#[test] fn $case() {
                let (server, user) = (super::permissions::server(), super::permissions::USER);
                super::run(super::$case, super::World::redis(server, user));
            })*
        }
    };
}

on_each!(
    an_epoch_is_begun_once_and_found_again,
    an_epoch_is_after_all_that_are_known,
    a_log_that_ends_before_what_was_seen_is_of_another_epoch,
    a_new_epoch_has_nobody_and_nothing_but_what_is_declared,
    another_memory_is_another_epoch,
    a_memory_that_was_lost_is_another_epoch,
    a_memory_that_was_lost_twice_at_once_is_a_third_epoch,
    whatever_names_an_epoch_that_is_over_is_superseded,
    whoever_is_ahead_of_the_log_is_superseded,
    a_lease_comes_with_what_follows_and_registers,
    a_lease_raises_what_was_acknowledged_and_never_lowers_it,
    an_answer_holds_as_many_entries_as_fit_without_a_gap,
    what_was_trimmed_is_said_to_be_gone,
    whoever_publishes_reads_up_to_its_own_entry,
    only_others_are_others,
    whoever_publishes_has_its_entry_and_what_it_says_it_applied,
    what_was_applied_is_told_to_whatever_memory,
    an_entry_is_pushed_to_all,
    the_watermark_is_where_the_last_reader_is,
    who_is_not_registered_acknowledges_nothing,
    who_is_registered_is_told_with_the_number_given_last,
    a_reader_is_reaped_only_if_it_was_granted_no_lease_since,
    what_a_reaped_reader_declared_is_stale_from_then_on,
    a_process_that_declared_nothing_is_reaped_without_an_entry,
    what_is_declared_is_that_of_the_first_registration,
    who_leaves_in_order_is_not_waited_for_and_leaves_nothing,
    marks_come_back_as_they_were,
);

fn entries(following: Following) -> Vec<Entry> {
    let Following::Entries(entries) = following else { panic!("{following:?}") };
    entries
}

async fn an_epoch_is_begun_once_and_found_again(world: &World) {
    let (epoch, tail) = world.open_knowing(Epoch::default(), LogPosition::default()).await;
    assert_eq!(tail, epoch.start());
    assert_eq!(world.open_knowing(epoch, tail).await, (epoch, tail));
    let (position, ..) = world.publish(1, tail).await;
    assert_eq!(position, at(epoch, 1));
    assert_eq!(world.open_knowing(epoch, tail).await, (epoch, position));
    assert_eq!(world.open_knowing(epoch, position).await, (epoch, position));
}

async fn an_epoch_is_after_all_that_are_known(world: &World) {
    let epoch = world.open().await;
    let known = Epoch::new(epoch.as_u64() + 5).unwrap();
    let (later, tail) = world.open_knowing(known, epoch.start()).await;
    assert!(later > known);
    assert_eq!(tail, later.start());
    // A position is in an epoch, too.
    let seen = Epoch::new(later.as_u64() + 5).unwrap();
    assert!(world.open_knowing(Epoch::default(), at(seen, 1)).await.0 > seen);
}

async fn a_log_that_ends_before_what_was_seen_is_of_another_epoch(world: &World) {
    let epoch = world.open().await;
    world.publish(1, epoch.start()).await;
    assert_eq!(world.open_knowing(epoch, at(epoch, 1)).await.0, epoch);
    assert!(world.open_knowing(epoch, at(epoch, 2)).await.0 > epoch);
}

async fn a_new_epoch_has_nobody_and_nothing_but_what_is_declared(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    world.publish(1, epoch.start()).await;
    let (next, tail) = world.open_knowing(epoch, at(epoch, 9)).await;
    assert_eq!(tail, next.start());
    assert_eq!(world.registered(next).await, [(process(1), 0)]);
    // It is waited for by nobody, and reads a log that begins anew.
    let (_, following, watermark) = world.renew(2, tail).await;
    assert_eq!((entries(following), watermark), (vec![], tail));
    assert_eq!(world.publish(2, tail).await.0, at(next, 1));
    assert!(world.reap(next, 1, 0).await);
    let (_, following, _) = world.renew(2, at(next, 1)).await;
    assert_eq!(entries(following)[0].marks.as_deref().unwrap()[0].tag, declared(1));
}

async fn another_memory_is_another_epoch(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    let (position, ..) = world.publish(1, epoch.start()).await;
    world.restart().await;
    assert_eq!(world.perform(renew(1, position)).await, Answer::Superseded);
    let (next, tail) = world.open_knowing(epoch, position).await;
    assert!(next > epoch);
    assert_eq!(tail, next.start());
    assert_eq!(world.registered(next).await, [(process(1), 0)]);
    // Once is enough.
    assert_eq!(world.open_knowing(next, tail).await, (next, tail));
}

async fn a_memory_that_was_lost_is_another_epoch(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    world.forget();
    assert_eq!(world.perform(renew(1, epoch.start())).await, Answer::Superseded);
    let next = world.open().await;
    assert!(next > epoch);
    assert_eq!(world.registered(next).await, []);
}

async fn a_memory_that_was_lost_twice_at_once_is_a_third_epoch(world: &World) {
    let first = world.open().await;
    world.forget();
    let second = world.open().await;
    world.forget();
    let third = world.open().await;
    assert!(first < second && second < third);
    assert_eq!(world.perform(renew(1, first.start())).await, Answer::Superseded);
    assert_eq!(world.perform(renew(1, second.start())).await, Answer::Superseded);
}

async fn whatever_names_an_epoch_that_is_over_is_superseded(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    let (next, _) = world.open_knowing(Epoch::new(epoch.as_u64() + 1).unwrap(), epoch.start()).await;
    let process = process(1);
    world.pushes().await;
    for command in [
        renew(1, epoch.start()),
        publish(1, epoch.start()),
        Command::Acknowledge { process, epoch, applied: epoch.start() },
        Command::Registered { epoch },
        Command::Reap { epoch, process, grants: 0 },
        Command::Leave { epoch, process },
    ] {
        assert_eq!(world.perform(command.clone()).await, Answer::Superseded, "{command:?}");
    }
    assert_eq!(world.pushes().await, []);
    assert_eq!(world.registered(next).await, [(process, 0)]);
}

async fn whoever_is_ahead_of_the_log_is_superseded(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    assert_eq!(world.perform(renew(2, at(epoch, 1))).await, Answer::Superseded);
    assert_eq!(world.perform(publish(2, at(epoch, 1))).await, Answer::Superseded);
    assert_eq!(world.registered(epoch).await, [(process(1), 1)]);
    assert_eq!(world.open_knowing(epoch, epoch.start()).await, (epoch, epoch.start()));
}

async fn a_lease_comes_with_what_follows_and_registers(world: &World) {
    let epoch = world.open().await;
    let (tail, following, watermark) = world.renew(1, epoch.start()).await;
    assert_eq!((tail, entries(following), watermark), (epoch.start(), vec![], epoch.start()));
    for _ in 0..2 {
        world.publish(2, epoch.start()).await;
    }
    let (tail, following, watermark) = world.renew(1, epoch.start()).await;
    assert_eq!((tail, watermark), (at(epoch, 2), epoch.start()));
    assert_eq!(entries(following), [entry(2, at(epoch, 1)), entry(2, at(epoch, 2))]);
    assert_eq!(entries(world.renew(1, at(epoch, 1)).await.1), [entry(2, at(epoch, 2))]);
    assert_eq!(entries(world.renew(1, at(epoch, 2)).await.1), []);
    assert_eq!(world.registered(epoch).await, [(process(1), 4)]);
}

async fn a_lease_raises_what_was_acknowledged_and_never_lowers_it(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    for _ in 0..2 {
        world.publish(2, epoch.start()).await;
    }
    world.pushes().await;
    assert_eq!(world.renew(1, at(epoch, 1)).await.2, at(epoch, 1));
    assert_eq!(world.pushes().await, [Push::Watermark(at(epoch, 1))]);
    assert_eq!(world.renew(1, epoch.start()).await.2, at(epoch, 1));
    assert_eq!(world.pushes().await, []);
}

async fn an_answer_holds_as_many_entries_as_fit_without_a_gap(world: &World) {
    let epoch = world.open().await;
    for _ in 0..ANSWER_ENTRIES_MAX + 2 {
        world.publish(1, epoch.start()).await;
    }
    let (tail, following, _) = world.renew(1, epoch.start()).await;
    assert_eq!(tail, at(epoch, ANSWER_ENTRIES_MAX as u64 + 2));
    let expected: Vec<_> =
        (1..=ANSWER_ENTRIES_MAX as u64).map(|sequence| entry(1, at(epoch, sequence))).collect();
    assert_eq!(entries(following), expected);
    let (_, following, _) = world.publish(1, at(epoch, 1)).await;
    assert_eq!(entries(following)[0], entry(1, at(epoch, 2)));
}

async fn what_was_trimmed_is_said_to_be_gone(world: &World) {
    let epoch = world.open().await;
    for _ in 0..3 {
        world.publish(1, epoch.start()).await;
    }
    world.trim(1);
    assert_eq!(world.renew(1, at(epoch, 1)).await.1, Following::Trimmed);
    assert_eq!(entries(world.renew(1, at(epoch, 2)).await.1), [entry(1, at(epoch, 3))]);
    assert_eq!(entries(world.renew(1, at(epoch, 3)).await.1), []);
    assert_eq!(world.publish(1, at(epoch, 1)).await.1, Following::Trimmed);
    // A trimmed log is no other log.
    assert_eq!(world.open_knowing(epoch, at(epoch, 3)).await, (epoch, at(epoch, 4)));
}

async fn whoever_publishes_reads_up_to_its_own_entry(world: &World) {
    let epoch = world.open().await;
    let (position, following, _) = world.publish(1, epoch.start()).await;
    assert_eq!((position, entries(following)), (at(epoch, 1), vec![entry(1, at(epoch, 1))]));
    let (position, following, _) = world.publish(2, epoch.start()).await;
    assert_eq!(position, at(epoch, 2));
    assert_eq!(entries(following), [entry(1, at(epoch, 1)), entry(2, at(epoch, 2))]);
}

async fn only_others_are_others(world: &World) {
    let epoch = world.open().await;
    assert!(!world.publish(1, epoch.start()).await.2);
    world.renew(1, epoch.start()).await;
    assert!(!world.publish(1, epoch.start()).await.2);
    assert!(world.publish(2, epoch.start()).await.2);
    world.renew(2, epoch.start()).await;
    assert!(world.publish(1, epoch.start()).await.2);
    world.leave(epoch, 2).await;
    assert!(!world.publish(1, epoch.start()).await.2);
}

async fn whoever_publishes_has_its_entry_and_what_it_says_it_applied(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    world.renew(2, epoch.start()).await;
    world.publish(1, epoch.start()).await;
    assert_eq!(world.acknowledge(2, at(epoch, 1)).await, at(epoch, 1));
    // What it had not applied before its entry, it may not have yet.
    world.publish(3, epoch.start()).await;
    world.publish(1, at(epoch, 1)).await;
    assert_eq!(world.acknowledge(2, at(epoch, 3)).await, at(epoch, 1));
    world.pushes().await;
    world.publish(1, at(epoch, 2)).await;
    assert_eq!(world.pushes().await[1..], [Push::Watermark(at(epoch, 2))]);
    world.leave(epoch, 2).await;
    world.pushes().await;
    // Whoever is alone has it at once.
    world.publish(1, at(epoch, 4)).await;
    assert_eq!(world.pushes().await[1..], [Push::Watermark(at(epoch, 5))]);
}

async fn what_was_applied_is_told_to_whatever_memory(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    world.renew(2, epoch.start()).await;
    let (position, ..) = world.publish(1, epoch.start()).await;
    world.restart().await;
    let acknowledge = |applied| Command::Acknowledge { process: process(2), epoch, applied };
    assert_eq!(world.perform(acknowledge(at(epoch, 2))).await, Answer::Superseded);
    assert_eq!(world.acknowledge(2, position).await, position);
    assert_eq!(world.perform(renew(2, position)).await, Answer::Superseded);
    world.open_knowing(epoch, position).await;
    assert_eq!(world.perform(acknowledge(position)).await, Answer::Superseded);
}

async fn an_entry_is_pushed_to_all(world: &World) {
    let epoch = world.open().await;
    world.pushes().await;
    world.publish(1, epoch.start()).await;
    world.publish(2, epoch.start()).await;
    let pushed = [entry(1, at(epoch, 1)), entry(2, at(epoch, 2))].map(Push::Entry);
    assert_eq!(world.pushes().await, pushed);
}

async fn the_watermark_is_where_the_last_reader_is(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    world.renew(2, epoch.start()).await;
    for _ in 0..3 {
        world.publish(1, epoch.start()).await;
    }
    world.pushes().await;
    assert_eq!(world.acknowledge(1, at(epoch, 3)).await, epoch.start());
    assert_eq!(world.pushes().await, []);
    assert_eq!(world.acknowledge(2, at(epoch, 2)).await, at(epoch, 2));
    assert_eq!(world.acknowledge(2, at(epoch, 1)).await, at(epoch, 2));
    assert_eq!(world.pushes().await, [Push::Watermark(at(epoch, 2))]);
    // Whoever comes later may be further back.
    assert_eq!(world.renew(3, at(epoch, 1)).await.2, at(epoch, 1));
    assert_eq!(world.pushes().await, []);
}

async fn who_is_not_registered_acknowledges_nothing(world: &World) {
    let epoch = world.open().await;
    world.publish(1, epoch.start()).await;
    // Nobody is waited for.
    assert_eq!(world.acknowledge(1, epoch.start()).await, at(epoch, 1));
    assert_eq!(world.registered(epoch).await, []);
    world.renew(2, epoch.start()).await;
    assert_eq!(world.acknowledge(1, at(epoch, 1)).await, epoch.start());
    assert_eq!(world.registered(epoch).await, [(process(2), 1)]);
}

async fn who_is_registered_is_told_with_the_number_given_last(world: &World) {
    let epoch = world.open().await;
    assert_eq!(world.registered(epoch).await, []);
    for _ in 0..3 {
        world.renew(u128::MAX, epoch.start()).await;
    }
    world.renew(1, epoch.start()).await;
    assert_eq!(world.registered(epoch).await, [(process(1), 4), (process(u128::MAX), 3)]);
    let (next, _) = world.open_knowing(epoch, at(epoch, 9)).await;
    world.renew(1, next.start()).await;
    assert_eq!(world.registered(next).await, [(process(1), 1), (process(u128::MAX), 0)]);
}

async fn a_reader_is_reaped_only_if_it_was_granted_no_lease_since(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    world.renew(1, epoch.start()).await;
    for grants in [0, 1, 3] {
        assert!(!world.reap(epoch, 1, grants).await, "{grants}");
    }
    assert!(!world.reap(epoch, 2, 0).await);
    assert_eq!(world.registered(epoch).await, [(process(1), 2)]);
    assert!(world.reap(epoch, 1, 2).await);
    // What it declared stays, under a new number, until everybody who follows has it.
    assert_eq!(world.registered(epoch).await, [(process(1), 3)]);
    assert!(!world.reap(epoch, 1, 2).await);
    assert!(!world.reap(epoch, 1, 0).await);
    // It may come back, and has none of the numbers that anybody remembers.
    world.renew(1, at(epoch, 1)).await;
    assert_eq!(world.registered(epoch).await, [(process(1), 4)]);
    for (number, pushes) in [(4, 1), (5, 0)] {
        world.pushes().await;
        assert!(world.reap(epoch, 1, number).await);
        let appended = world.pushes().await.into_iter().filter(|push| matches!(push, Push::Entry(_)));
        assert_eq!(appended.count(), pushes);
    }
    assert_eq!(world.registered(epoch).await, []);
    assert!(!world.reap(epoch, 1, 5).await);
}

async fn what_a_reaped_reader_declared_is_stale_from_then_on(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    world.renew(2, epoch.start()).await;
    world.publish(2, epoch.start()).await;
    world.acknowledge(2, at(epoch, 1)).await;
    world.pushes().await;
    assert!(world.reap(epoch, 1, 1).await);
    let appended = Entry {
        position: at(epoch, 2),
        marks: Some(Arc::new([Mark { tag: declared(1), staleness: Staleness::Hard }])),
    };
    // And the others are waited for, without it.
    let pushes = [Push::Entry(appended.clone()), Push::Watermark(at(epoch, 1))];
    assert_eq!(world.pushes().await, pushes);
    assert_eq!(entries(world.renew(2, at(epoch, 1)).await.1), [appended]);
}

async fn a_process_that_declared_nothing_is_reaped_without_an_entry(world: &World) {
    let epoch = world.open().await;
    let (process, after) = (process(1), epoch.start());
    world.perform(Command::Renew { process, epoch, after, declared: Arc::new([]) }).await;
    world.pushes().await;
    assert!(world.reap(epoch, 1, 1).await);
    assert_eq!(world.pushes().await, []);
    assert_eq!(world.registered(epoch).await, []);
}

async fn what_is_declared_is_that_of_the_first_registration(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    let (process, after) = (process(1), epoch.start());
    let another = Command::Renew { process, epoch, after, declared: Arc::new([Tag::named("another")]) };
    world.perform(another).await;
    assert!(world.reap(epoch, 1, 2).await);
    let (_, following, _) = world.publish(2, epoch.start()).await;
    assert_eq!(entries(following)[0].marks.as_deref().unwrap()[0].tag, declared(1));
}

async fn who_leaves_in_order_is_not_waited_for_and_leaves_nothing(world: &World) {
    let epoch = world.open().await;
    world.renew(1, epoch.start()).await;
    world.renew(2, epoch.start()).await;
    world.publish(2, epoch.start()).await;
    world.acknowledge(2, at(epoch, 1)).await;
    world.pushes().await;
    world.leave(epoch, 1).await;
    assert_eq!(world.pushes().await, [Push::Watermark(at(epoch, 1))]);
    assert_eq!(world.registered(epoch).await, [(process(2), 2)]);
    // Again does no harm, and nobody has to be there.
    world.leave(epoch, 1).await;
    world.leave(epoch, 2).await;
    assert_eq!(world.pushes().await, []);
    assert_eq!(world.registered(epoch).await, []);
}

async fn marks_come_back_as_they_were(world: &World) {
    let epoch = world.open().await;
    world.pushes().await;
    let soft = |expire_s| Mark { tag: Tag::named("soft"), staleness: Staleness::Soft { expire_s } };
    let all = [hard("hard"), soft(None), soft(Some(0)), soft(Some(300)), soft(Some(u32::MAX))];
    let many: Arc<[Mark]> = (0..4096).map(|number| hard(&number.to_string())).collect();
    for (marks, sequence) in [(Arc::from(all), 1), (many, 2), (Arc::from([]), 3)] {
        let after = at(epoch, sequence - 1);
        let publish = Command::Publish { process: process(1), epoch, after, marks: Some(Arc::clone(&marks)) };
        let answer = world.perform(publish).await;
        let Answer::Published { position, following, .. } = answer else { panic!("{answer:?}") };
        let entry = Entry { position, marks: Some(marks) };
        assert_eq!(entries(following), std::slice::from_ref(&entry));
        assert_eq!(world.pushes().await, [Push::Entry(entry)]);
    }
}
