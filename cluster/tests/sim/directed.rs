//! For each mutant a plan that it cannot survive, and that the unbroken core passes.

use callboard_cluster::{core::Connection, mutant::Mutant};
use rand::{RngExt as _, SeedableRng, rngs::SmallRng};

use crate::{
    plan::{Fault, Mix, On, Plan, Restart, START, Trigger, Weather, weathered},
    world::MS,
};

/// The plan of a mutant for a seed.
pub(crate) fn directed(mutant: Mutant, seed: u64) -> Plan {
    let random = &mut SmallRng::seed_from_u64(seed ^ 0x5eed);
    match mutant {
        Mutant::FenceHandsOver => fencer_dies(seed, random),
        Mutant::EvictFirst | Mutant::FenceAnyCounter => late_fence(seed, random),
        Mutant::HoldFromReply => paused_after_renewal(seed, random),
        Mutant::ImpatientObserver | Mutant::HoldTooLong | Mutant::NoHoldCheck => cut_off(seed, random),
        Mutant::OrphanReadEarly => cannot_renew(seed, random),
        Mutant::CursorDropped => doubted_frame_and_fence(seed, random),
        Mutant::AnyIncarnation => rolled_back_claims(seed, random),
        Mutant::ResendAfterLoss => doubted_frame_and_loss(seed, random),
        Mutant::LeaveFull => slow_leaver(seed, random),
        Mutant::BusyHidden | Mutant::NoWaitForAcks | Mutant::KeyAtTwoBoots | Mutant::MovedButKept => {
            long_keyed_runs(seed, random)
        }
        Mutant::CountingVersion => churn_and_loss(seed, random),
        Mutant::NoHoldAfterLoss => keyed_losses(seed, random),
        Mutant::TokenNotRaised => join_at_the_old_master(seed, random),
        Mutant::OvertakenRuns => slot_leaves_and_returns(seed, random),
        Mutant::BeginOverwrites | Mutant::DeadRunnerForgotten => twins(seed, random),
        Mutant::MemoryUnchecked => flushed_twins(seed, random),
        Mutant::ChunksNotResent | Mutant::ChunksUnordered | Mutant::BrokenIsComplete | Mutant::NoCredit => {
            transfers(seed, Weather::Pauses)
        }
        Mutant::WriterLossUnseen => transfers(seed, Weather::Kills),
        Mutant::CancelIsNotRun | Mutant::CancelStarts => {
            let mix = Mix { leaving: 0.5, runs_us: 5 * MS..60 * MS, ..Mix::default() };
            weathered(seed, Weather::Calm, &mix)
        }
        Mutant::AnyAttempt | Mutant::NotRunAfterMaybe => {
            let mix = Mix { idempotent: 0.9, runs_us: 20 * MS..200 * MS, ..Mix::default() };
            weathered(seed, if seed.is_multiple_of(2) { Weather::Kills } else { Weather::Everything }, &mix)
        }
        Mutant::RerouteOnSilence | Mutant::NoCursor | Mutant::ClaimedNeverReread | Mutant::GapsIgnored => {
            weathered(seed, Weather::Resets, &Mix { keyed: 0.8, keys: 3, ..Mix::default() })
        }
        Mutant::NoDeadlineCheck => {
            let mix = Mix { timeout_us: 5 * MS..200 * MS, keyed: 0.9, keys: 2, ..Mix::default() };
            weathered(seed, Weather::Pauses, &mix)
        }
        Mutant::ClaimedMoved | Mutant::ExpiredAfterSend => {
            let mix = Mix { timeout_us: 200 * MS..4000 * MS, runs_us: 5 * MS..100 * MS, ..Mix::default() };
            weathered(seed, Weather::Kills, &mix)
        }
        Mutant::SettleFirst | Mutant::ReplyFirst => weathered(seed, Weather::Calm, &Mix::default()),
        cache => unreachable!("{} is of another simulation", cache.id()),
    }
}

fn moment(random: &mut SmallRng) -> u64 {
    START + random.random_range(300 * MS..900 * MS)
}

/// The owner of claimed and of undelivered calls dies, and whoever fences it dies in the moment of the fence.
fn fencer_dies(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { timeout_us: 5500 * MS..6000 * MS, runs_us: 10 * MS..100 * MS, ..Mix::default() };
    let mut plan = mix.plan(seed, 4);
    plan.fault(moment(random), Fault::Kill { node: 0, down_us: 3000 * MS });
    plan.triggers.push(Trigger { after: 0, on: On::Fence, then: Vec::new() });
    plan
}

/// A node is cut off until just before it would be fenced, and commands of the others are long on their way: the
/// fence comes after the renewal.
fn late_fence(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { keyed: 0.6, keys: 4, calls: 900, ..Mix::default() };
    let mut plan = mix.plan(seed, 3);
    for node in 1..3 {
        let slow = Fault::Slow { node, up_us: 120 * MS, down_us: 0, for_us: 4000 * MS };
        plan.fault(START - 100 * MS, slow);
    }
    let mut at = moment(random);
    for _ in 0..2 {
        let length = random.random_range(650 * MS..1000 * MS);
        plan.fault(at, Fault::Cut { node: 0, for_us: length });
        plan.fault(at + length, Fault::Slow { node: 0, up_us: 0, down_us: 100 * MS, for_us: 500 * MS });
        at += length + 600 * MS;
    }
    plan
}

/// A node stops between a renewal and its reply, wakes before it is fenced, and is cut off.
fn paused_after_renewal(seed: u64, random: &mut SmallRng) -> Plan {
    let mut plan = Mix { calls: 900, ..Mix::default() }.plan(seed, 3);
    let pause = random.random_range(560 * MS..720 * MS);
    plan.triggers.push(Trigger {
        after: moment(random),
        on: On::Renew { node: 0 },
        then: vec![
            (0, Fault::Pause { node: 0, for_us: pause }),
            (8 * MS, Fault::Cut { node: 0, for_us: 2000 * MS }),
        ],
    });
    plan
}

/// A node is cut off for longer than the fence waits; its own clients go on calling it.
fn cut_off(seed: u64, random: &mut SmallRng) -> Plan {
    let mut plan = Mix { calls: 900, keyed: 0.6, ..Mix::default() }.plan(seed, 3);
    for node in 0..2 {
        let at = moment(random) + node as u64 * 1200 * MS;
        plan.fault(at, Fault::Cut { node, for_us: 1500 * MS });
    }
    plan
}

/// A node cannot renew, and only shortly before its lease is over it reads and starts what came meanwhile.
fn cannot_renew(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { calls: 1200, keyed: 0.1, with_idempotency_key: 0.0, ..Mix::default() };
    let mut plan = mix.plan(seed, 3);
    let at = moment(random);
    plan.fault(at, Fault::Dead { node: 0, connection: Connection::Requests });
    let bar = Fault::Bar { node: 0, connection: Connection::Commands, for_us: 1400 * MS };
    plan.triggers.push(Trigger { after: at, on: On::Renew { node: 0 }, then: vec![(MS, bar)] });
    plan
}

/// Nobody tells a node that its frame arrived; it comes back when the receiver, which had started the calls, is
/// fenced.
fn doubted_frame_and_fence(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { runs_us: 100 * MS..300 * MS, timeout_us: 3500 * MS..4000 * MS, ..Mix::default() };
    let mut plan = mix.plan(seed, 4);
    for to in 1..4 {
        plan.triggers.push(Trigger {
            after: moment(random),
            on: On::Send { node: 0, to },
            then: vec![
                (0, Fault::Cut { node: 0, for_us: 1900 * MS }),
                (30 * MS, Fault::Kill { node: to, down_us: 2500 * MS }),
            ],
        });
    }
    plan.triggers.truncate(1);
    plan
}

/// The store comes back as it was before a node claimed calls that it has started since.
fn rolled_back_claims(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix {
        runs_us: 300 * MS..600 * MS,
        keyed: 0.05,
        timeout_us: 3500 * MS..4000 * MS,
        with_idempotency_key: 0.0,
        ..Mix::default()
    };
    let mut plan = mix.plan(seed, 3);
    plan.loses_writes = true;
    for node in 0..3 {
        let at = moment(random);
        // It reads again once it notices, after the patience of a blocked read.
        plan.fault(at, Fault::Dead { node, connection: Connection::Requests });
    }
    let at = plan.faults.iter().map(|fault| fault.at).min().unwrap_or(START);
    let back_us = random.random_range(60 * MS..250 * MS);
    plan.fault(at + 640 * MS, Fault::Redis { restart: Restart::MinusLast { back_us }, down_us: 30 * MS });
    plan
}

/// Nobody tells a node that its frame arrived; when it is back, the store is another one.
fn doubted_frame_and_loss(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { runs_us: 300 * MS..600 * MS, timeout_us: 3500 * MS..4000 * MS, ..Mix::default() };
    let mut plan = mix.plan(seed, 3);
    let on = On::Send { node: 0, to: 1 + random.random_range(0..2) };
    plan.triggers.push(Trigger {
        after: moment(random),
        on,
        then: vec![
            (0, Fault::Cut { node: 0, for_us: 40 * MS }),
            (20 * MS, Fault::Redis { restart: Restart::WithData, down_us: 30 * MS }),
        ],
    });
    plan
}

/// Nodes leave that nobody but another node calls, while calls are on their way to them.
fn slow_leaver(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { calls: 450, runs_us: 500..3 * MS, transferring: 0.0, node: Some(1), ..Mix::default() };
    let mut plan = mix.plan(seed, 3);
    // The caller hears late that somebody leaves.
    plan.fault(START - 100 * MS, Fault::Slow { node: 1, up_us: 0, down_us: 140 * MS, for_us: 4000 * MS });
    let mut at = moment(random);
    for node in [0, 2] {
        plan.fault(at - 100 * MS, Fault::Slow { node, up_us: 0, down_us: 60 * MS, for_us: 700 * MS });
        plan.fault(at, Fault::Drain { node, down_us: 650 * MS });
        at += 1000 * MS;
    }
    plan
}

/// Calls of keys run long, and their slots move meanwhile.
fn long_keyed_runs(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix {
        calls: 300,
        keyed: 1.0,
        keys: 24,
        runs_us: 50 * MS..400 * MS,
        transferring: 0.0,
        with_idempotency_key: 0.0,
        ..Mix::default()
    };
    let mut plan = mix.plan(seed, 4);
    plan.fault(40 * MS, Fault::Kill { node: 3, down_us: 1000 * MS + random.random_range(0..300 * MS) });
    plan.fault(START + 1400 * MS, Fault::Drain { node: 1, down_us: 900 * MS });
    plan.fault(START + 1700 * MS, Fault::Pause { node: 2, for_us: random.random_range(650 * MS..1300 * MS) });
    plan
}

/// Members come and go, and then the store is empty.
fn churn_and_loss(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { keyed: 1.0, keys: 12, with_idempotency_key: 0.0, over_us: 5000 * MS, ..Mix::default() };
    let mut plan = mix.plan(seed, 3);
    plan.fault(START + 100 * MS, Fault::Kill { node: 0, down_us: 300 * MS });
    plan.fault(START + 300 * MS, Fault::Drain { node: 1, down_us: 500 * MS });
    let at = START + 1700 * MS + random.random_range(0..300 * MS);
    plan.fault(at, Fault::Redis { restart: Restart::Empty, down_us: 50 * MS });
    plan
}

/// The store loses its memory while old owners may still start calls.
fn keyed_losses(seed: u64, random: &mut SmallRng) -> Plan {
    let mix =
        Mix { keyed: 1.0, keys: 12, runs_us: 5 * MS..100 * MS, with_idempotency_key: 0.0, ..Mix::default() };
    let mut plan = mix.plan(seed, 4);
    plan.loses_writes = true;
    let stale = vec![0, 1];
    plan.fault(moment(random), Fault::Failover { back_us: 0, old_lives_us: 340 * MS, stale });
    plan
}

/// After the new master was adopted, somebody joins at the old one.
fn join_at_the_old_master(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix {
        calls: 1500,
        keyed: 1.0,
        keys: 40,
        runs_us: 500..4 * MS,
        with_idempotency_key: 0.0,
        transferring: 0.0,
        over_us: 6000 * MS,
        ..Mix::default()
    };
    let mut plan = mix.plan(seed, 4);
    plan.loses_writes = true;
    let failover = START + 2400 * MS + random.random_range(0..50 * MS);
    // Both are evicted long before.
    let died = failover - 1500 * MS;
    plan.fault(died, Fault::Kill { node: 0, down_us: 1510 * MS });
    plan.fault(died, Fault::Kill { node: 1, down_us: 1570 * MS });
    plan.fault(failover, Fault::Failover { back_us: 0, old_lives_us: 345 * MS, stale: vec![1, 2, 3] });
    plan
}

/// A slot goes to a node that joins and comes back when it drains; a caller hears of its earlier call, which was
/// moved, only after its later one was done.
fn slot_leaves_and_returns(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix {
        calls: 900,
        keyed: 1.0,
        keys: 10,
        node: Some(0),
        runs_us: 500..3 * MS,
        with_idempotency_key: 0.0,
        transferring: 0.0,
        idempotent: 0.0,
        ..Mix::default()
    };
    let mut plan = mix.plan(seed, 4);
    let at = START + 900 * MS + random.random_range(0..200 * MS);
    plan.fault(30 * MS, Fault::Kill { node: 3, down_us: at - 30 * MS });
    plan.fault(at - 2 * MS, Fault::Dead { node: 0, connection: Connection::Replies });
    plan.fault(at + 260 * MS, Fault::Drain { node: 3, down_us: 2500 * MS });
    plan
}

/// Many calls with few idempotency keys, and their runners die.
fn twins(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix {
        with_idempotency_key: 1.0,
        names: 30,
        idempotent: 0.0,
        transferring: 0.0,
        runs_us: 50 * MS..300 * MS,
        ..Mix::default()
    };
    let mut plan = mix.plan(seed, 3);
    for node in 0..2 {
        let at = moment(random) + node as u64 * 700 * MS;
        plan.fault(at, Fault::Kill { node, down_us: 200 * MS });
    }
    plan
}

/// Redis forgets everything, again and again, while calls that are one are made at several nodes.
fn flushed_twins(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix {
        with_idempotency_key: 1.0,
        names: 60,
        idempotent: 0.0,
        transferring: 0.0,
        runs_us: MS..30 * MS,
        ..Mix::default()
    };
    let mut plan = mix.plan(seed, 3);
    plan.fault(moment(random), Fault::Flush);
    plan
}

fn transfers(seed: u64, weather: Weather) -> Plan {
    let mix = Mix { transferring: 1.0, calls: 250, with_idempotency_key: 0.0, ..Mix::default() };
    weathered(seed, weather, &mix)
}
