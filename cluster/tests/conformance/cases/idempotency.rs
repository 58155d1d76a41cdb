//! One run of a key.

use bytes::Bytes;
use callboard_cluster::store::{Answer, Command, Record, Verdict};

use super::on_each;
use crate::world::{World, boot, call, idempotency};

on_each!(
    the_first_call_runs_and_may_ask_again,
    a_later_attempt_takes_over_and_an_earlier_one_does_not,
    another_call_waits_for_the_outcome,
    another_body_is_a_conflict,
    an_outcome_is_replayed,
    an_outcome_of_another_call_is_not_kept,
    an_outcome_is_kept_though_the_record_was_lost,
    an_outcome_is_forgotten_after_its_retention,
    a_run_that_did_not_start_is_forgotten,
    a_run_whose_session_is_gone_is_unknown,
    an_unknown_outcome_is_run_again_if_that_is_no_harm,
    what_is_put_back_loses_against_done,
    what_is_put_back_loses_against_another_call,
);

const RETENTION_MS: u64 = 60_000;

/// Body 1.
fn begin(number: u128, attempt: u32) -> Command {
    begin_with(1, number, attempt, false)
}

fn begin_with(digest: u128, number: u128, attempt: u32, again: bool) -> Command {
    Command::IdempotencyBegin {
        idempotency: idempotency(digest),
        boot: boot(1),
        call: call(number),
        attempt,
        again,
    }
}

fn finish(number: u128, outcome: &'static str) -> Command {
    let outcome = Bytes::from_static(outcome.as_bytes());
    Command::IdempotencyFinish {
        idempotency: idempotency(1),
        call: call(number),
        outcome,
        retention_ms: RETENTION_MS,
    }
}

fn running(number: u128, attempt: u32) -> Record {
    Record::Running { boot: boot(1), call: call(number), attempt }
}

fn done(number: u128, outcome: &'static str) -> Record {
    Record::Done { call: call(number), outcome: Bytes::from_static(outcome.as_bytes()) }
}

fn unknown(number: u128) -> Record {
    Record::Unknown { boot: boot(1), call: call(number) }
}

async fn verdict(world: &World, command: Command) -> Verdict {
    let answer = world.perform(command).await;
    let Answer::Idempotency(verdict) = answer else { panic!("{answer:?}") };
    verdict
}

/// What is there, as a call of another name finds it.
async fn there(world: &World) -> Option<Record> {
    match verdict(world, begin(0xfff, 0)).await {
        Verdict::Taken(record) => Some(record),
        Verdict::Run => None,
        Verdict::Conflict => panic!("another body"),
    }
}

async fn restore(world: &World, record: Record) {
    let restore =
        Command::IdempotencyRestore { idempotency: idempotency(1), record, retention_ms: RETENTION_MS };
    assert_eq!(world.perform(restore).await, Answer::Done);
}

async fn the_first_call_runs_and_may_ask_again(world: &World) {
    assert_eq!(verdict(world, begin(1, 0)).await, Verdict::Run);
    assert_eq!(verdict(world, begin(1, 0)).await, Verdict::Run);
    // Even with another body: it is the same call.
    assert_eq!(verdict(world, begin_with(2, 1, 0, false)).await, Verdict::Run);
}

async fn a_later_attempt_takes_over_and_an_earlier_one_does_not(world: &World) {
    assert_eq!(verdict(world, begin(1, 1)).await, Verdict::Run);
    assert_eq!(verdict(world, begin(1, 2)).await, Verdict::Run);
    assert_eq!(verdict(world, begin(1, 1)).await, Verdict::Taken(running(1, 2)));
    assert_eq!(verdict(world, begin(1, 10)).await, Verdict::Run);
    assert_eq!(verdict(world, begin(1, 9)).await, Verdict::Taken(running(1, 10)));
}

async fn another_call_waits_for_the_outcome(world: &World) {
    verdict(world, begin(1, 0)).await;
    assert_eq!(verdict(world, begin(2, 0)).await, Verdict::Taken(running(1, 0)));
    assert_eq!(verdict(world, begin_with(1, 2, 7, true)).await, Verdict::Taken(running(1, 0)));
}

async fn another_body_is_a_conflict(world: &World) {
    verdict(world, begin(1, 0)).await;
    assert_eq!(verdict(world, begin_with(2, 2, 0, false)).await, Verdict::Conflict);
    world.perform(finish(1, "out")).await;
    assert_eq!(verdict(world, begin_with(2, 2, 0, true)).await, Verdict::Conflict);
    assert_eq!(there(world).await, Some(done(1, "out")));
}

async fn an_outcome_is_replayed(world: &World) {
    verdict(world, begin(1, 0)).await;
    assert_eq!(world.perform(finish(1, "out")).await, Answer::Done);
    assert_eq!(world.perform(finish(1, "out")).await, Answer::Done);
    assert_eq!(verdict(world, begin(2, 0)).await, Verdict::Taken(done(1, "out")));
    // Also to a later attempt at the same call.
    assert_eq!(verdict(world, begin(1, 1)).await, Verdict::Taken(done(1, "out")));
}

async fn an_outcome_of_another_call_is_not_kept(world: &World) {
    verdict(world, begin(1, 0)).await;
    world.perform(finish(2, "other")).await;
    assert_eq!(there(world).await, Some(running(1, 0)));
}

async fn an_outcome_is_kept_though_the_record_was_lost(world: &World) {
    world.perform(finish(1, "out")).await;
    assert_eq!(there(world).await, Some(done(1, "out")));
}

async fn an_outcome_is_forgotten_after_its_retention(world: &World) {
    let kept = |retention_ms| Command::IdempotencyFinish {
        idempotency: idempotency(1),
        call: call(1),
        outcome: Bytes::new(),
        retention_ms,
    };
    world.perform(kept(u64::MAX)).await;
    assert_eq!(there(world).await, Some(done(1, "")));
    world.perform(kept(0)).await;
    assert_eq!(there(world).await, None);
}

async fn a_run_that_did_not_start_is_forgotten(world: &World) {
    let abandon = |number, attempt| Command::IdempotencyAbandon {
        idempotency: idempotency(1),
        boot: boot(1),
        call: call(number),
        attempt,
    };
    verdict(world, begin(1, 1)).await;
    for other in [abandon(1, 0), abandon(2, 1)] {
        world.perform(other).await;
        assert_eq!(there(world).await, Some(running(1, 1)));
    }
    assert_eq!(world.perform(abandon(1, 1)).await, Answer::Done);
    assert_eq!(verdict(world, begin(2, 0)).await, Verdict::Run);
    // An outcome is not abandoned.
    world.perform(finish(2, "out")).await;
    world.perform(abandon(2, 0)).await;
    assert_eq!(there(world).await, Some(done(2, "out")));
}

async fn a_run_whose_session_is_gone_is_unknown(world: &World) {
    let resolve = |number, attempt| Command::IdempotencyResolve {
        idempotency: idempotency(1),
        boot: boot(1),
        call: call(number),
        attempt,
    };
    assert_eq!(world.perform(resolve(1, 0)).await, Answer::Done);
    world.join(boot(1)).await;
    verdict(world, begin(1, 0)).await;
    world.perform(resolve(1, 0)).await;
    assert_eq!(there(world).await, Some(running(1, 0)));
    world.lose(boot(1)).await;
    world.perform(resolve(2, 0)).await;
    world.perform(resolve(1, 1)).await;
    assert_eq!(there(world).await, Some(running(1, 0)));
    world.perform(resolve(1, 0)).await;
    assert_eq!(there(world).await, Some(unknown(1)));
    // Its outcome comes after all.
    world.perform(finish(1, "late")).await;
    assert_eq!(there(world).await, Some(done(1, "late")));
}

async fn an_unknown_outcome_is_run_again_if_that_is_no_harm(world: &World) {
    restore(world, unknown(1)).await;
    assert_eq!(verdict(world, begin(2, 0)).await, Verdict::Taken(unknown(1)));
    assert_eq!(verdict(world, begin(1, 5)).await, Verdict::Taken(unknown(1)));
    assert_eq!(verdict(world, begin_with(2, 2, 0, true)).await, Verdict::Conflict);
    assert_eq!(verdict(world, begin_with(1, 2, 0, true)).await, Verdict::Run);
    assert_eq!(there(world).await, Some(running(2, 0)));
}

async fn what_is_put_back_loses_against_done(world: &World) {
    restore(world, running(1, 0)).await;
    assert_eq!(there(world).await, Some(running(1, 0)));
    restore(world, unknown(1)).await;
    assert_eq!(there(world).await, Some(running(1, 0)));
    restore(world, running(1, 3)).await;
    assert_eq!(there(world).await, Some(running(1, 3)));
    restore(world, done(2, "out")).await;
    assert_eq!(there(world).await, Some(done(2, "out")));
    for record in [done(3, "other"), running(2, 0), unknown(2)] {
        restore(world, record).await;
        assert_eq!(there(world).await, Some(done(2, "out")));
    }
}

async fn what_is_put_back_loses_against_another_call(world: &World) {
    verdict(world, begin(1, 0)).await;
    restore(world, running(2, 0)).await;
    assert_eq!(there(world).await, Some(running(1, 0)));
    restore(world, unknown(2)).await;
    assert_eq!(there(world).await, Some(running(1, 0)));
}
