//! For each mutant a plan that it cannot survive, and that the unbroken core passes.

use callboard_cluster::{cache::Connection, mutant::Mutant};
use rand::{RngExt as _, SeedableRng, rngs::SmallRng};

use crate::{
    plan::{Fault, Mix, On, Plan, START, Trigger},
    world::{LEASE, MS},
};

/// The plan of a mutant for a seed.
pub(crate) fn directed(mutant: Mutant, seed: u64) -> Plan {
    let random = &mut SmallRng::seed_from_u64(seed ^ 0x5eed);
    match mutant {
        Mutant::NoLease => cut_off(seed, random),
        Mutant::AnswerAtOnce | Mutant::EarlyAcknowledged | Mutant::GapBlind => hard_of_hearing(seed, random),
        Mutant::LeaseBeforeEntries => renewed_while_deaf(seed, random),
        Mutant::BirthAtEnd | Mutant::JoinUnchecked => long_renders(seed),
        Mutant::FencedJoins => long_renders_cut_off(seed, random),
        Mutant::SoftRevives => calm(seed, Mix { soft: 0.6, ..busy() }),
        Mutant::SessionAtOnce => calm(seed, Mix { strict: 0, session: 80, with_token: 0.7, ..busy() }),
        Mutant::AnyMemory => rolled_back(seed, random),
        Mutant::EpochForgets => restarted_while_deaf(seed, random),
        Mutant::AnsweredForgotten => last_words_of_an_epoch(seed, random),
        Mutant::WatermarkOfAnyEpoch => late_watermarks(seed, random),
        Mutant::LostCountsAsApplied => tokens_of_a_lost_epoch(seed, random),
        Mutant::NoGrace => old_lease_in_a_new_epoch(seed, random),
        Mutant::NoConfirm => epoch_that_the_publisher_misses(seed, random),
        Mutant::GraceUnconfirmed => two_epochs_that_somebody_misses(seed, random),
        Mutant::LeaseFromReply => late_grants(seed, random),
        Mutant::NoMargin => slow_reader_fast_writer(seed, random),
        Mutant::KeptAfterLease => lease_ends_before_the_epoch(seed, random),
        Mutant::ReapedAtOnce => death_at_the_end_of_an_epoch(seed),
        Mutant::DeclaredForgotten => deaths(seed, random),
        Mutant::TrimmedIsComplete => trims(seed, random),
        Mutant::LeaseOutlivesLeave => leavers(seed, random),
        Mutant::LeavesBehind => hasty_leavers(seed, random),
        Mutant::UnknownSkipped => Plan { unreadable: true, ..calm(seed, busy()) },
        Mutant::GrantsRecounted => sleepers(seed, random),
        Mutant::ReapedAlive => renewed_and_cut_off(seed, random),
        Mutant::FloorAhead => everything_dead_out_of_turn(seed, random),
        Mutant::PublisherHasAll => publishers_that_hear_nothing(seed, random),
        calls => unreachable!("{} is of another simulation", calls.id()),
    }
}

/// Many actions, and a page lives long enough to be read.
fn busy() -> Mix {
    Mix { actions_gap_us: 400, renders_us: 100..2 * MS, ..Mix::default() }
}

/// Node 0 hears nothing of what is pushed for longer than a lease, and goes on renewing.
fn renewed_while_deaf(seed: u64, random: &mut SmallRng) -> Plan {
    rounds(calm(seed, one_reads()), random, |plan, random, at| {
        plan.fault(at, deaf(0, random.random_range(2 * LEASE..4 * LEASE)));
    })
}

/// Node 0 is read from, and the others act.
fn one_reads() -> Mix {
    Mix { reading: vec![0], acting: vec![1, 2], soft: 0.0, strict: 90, session: 5, ..busy() }
}

fn calm(seed: u64, mix: Mix) -> Plan {
    Plan::calm(seed, 4, 600 * MS, mix)
}

/// Something happens again and again, with time to recover.
fn rounds(
    mut plan: Plan,
    random: &mut SmallRng,
    mut round: impl FnMut(&mut Plan, &mut SmallRng, u64),
) -> Plan {
    plan.ends_at = START + 1600 * MS;
    let mut at = START + 2 * LEASE;
    while at + 6 * LEASE < plan.ends_at {
        round(&mut plan, random, at);
        at += 8 * LEASE + random.random_range(0..LEASE);
    }
    plan
}

fn cut_both(node: usize, for_us: u64) -> Fault {
    Fault::Cut { node, up: true, down: true, for_us }
}

fn deaf(node: usize, for_us: u64) -> Fault {
    Fault::Deaf { node, for_us }
}

/// Nodes are cut off for longer than a lease.
fn cut_off(seed: u64, random: &mut SmallRng) -> Plan {
    rounds(calm(seed, busy()), random, |plan, random, at| {
        plan.fault(at, cut_both(0, random.random_range(LEASE..4 * LEASE)));
    })
}

/// Half of what is pushed is lost, and some nodes hear nothing.
fn hard_of_hearing(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { actions_gap_us: 150, ..busy() };
    let plan = Plan { push_loss: 0.4, ..calm(seed, mix) };
    rounds(plan, random, |plan, random, at| {
        let node = random.random_range(0..4);
        plan.fault(at, Fault::Deaf { node, for_us: random.random_range(LEASE..4 * LEASE) });
    })
}

fn long_renders(seed: u64) -> Plan {
    calm(seed, Mix { renders_us: MS..20 * MS, ..busy() })
}

fn long_renders_cut_off(seed: u64, random: &mut SmallRng) -> Plan {
    rounds(long_renders(seed), random, |plan, random, at| {
        plan.fault(at, cut_both(0, random.random_range(2 * LEASE..4 * LEASE)));
    })
}

/// The store comes back at once, without its last entries. Only node 0 had read those, and when it is back there are as
/// many others in their places.
fn rolled_back(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { actions_gap_us: 150, acting: vec![1, 2], ..busy() };
    rounds(calm(seed, mix), random, |plan, random, at| {
        for node in 1..4 {
            plan.fault(at - 2 * MS, Fault::Cut { node, up: false, down: true, for_us: 2 * MS + 100 });
            plan.fault(at - 2 * MS, deaf(node, 2 * MS + 100));
        }
        plan.fault(at, Fault::Restart { lost_us: 1990, down_us: 0 });
        plan.fault(at, cut_both(0, random.random_range(8 * MS..30 * MS)));
    })
}

/// Node 0 hears nothing of what is published, and then it stands in an epoch that is over.
fn restarted_while_deaf(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { reading: vec![0, 3], acting: vec![1, 2], strict: 40, session: 30, ..busy() };
    rounds(calm(seed, mix), random, |plan, random, at| {
        let away = random.random_range(4 * MS..12 * MS);
        plan.fault(at, deaf(0, away));
        plan.fault(at, cut_both(0, away));
        let restart = at + random.random_range(MS..4 * MS);
        plan.fault(restart, Fault::Restart { lost_us: 0, down_us: random.random_range(100..2 * MS) });
    })
}

/// The same once, and nothing that is written later covers what node 0 missed.
fn last_words_of_an_epoch(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { acting: vec![1, 2], strict: 20, session: 40, soft: 0.0, with_token: 0.0, ..busy() };
    let mut plan = calm(seed, mix);
    let at = START + 2 * LEASE;
    for fault in [deaf(0, 8 * MS), cut_both(0, 8 * MS)] {
        plan.fault(at, fault);
    }
    let restart = at + random.random_range(2 * MS..4 * MS);
    plan.fault(restart, Fault::Restart { lost_us: 0, down_us: random.random_range(100..2 * MS) });
    plan.ends_at = restart;
    plan
}

/// The store forgets everything while what it pushed is on its way.
fn late_watermarks(seed: u64, random: &mut SmallRng) -> Plan {
    let plan = Plan { slow: 0.1, push_loss: 0.3, ..calm(seed, Mix { strict: 100, ..busy() }) };
    rounds(plan, random, |plan, _, at| plan.fault(at, Fault::Flush))
}

/// Node 0 hears nothing before it is in a new epoch, and clients come to it that have seen what it has not.
fn tokens_of_a_lost_epoch(seed: u64, random: &mut SmallRng) -> Plan {
    let mut plan = restarted_while_deaf(seed, random);
    plan.mix = Mix { with_token: 0.9, reading: Vec::new(), session: 90, strict: 0, soft: 0.0, ..plan.mix };
    plan
}

/// While a node hears nothing, the others have much to publish. Then the epoch ends, and in the next one they say that
/// everything is stale, which node 0 hears of out of turn.
fn everything_dead_out_of_turn(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { with_token: 0.5, strict: 50, session: 45, ..one_reads() };
    let plan = rounds(calm(seed, mix), random, |plan, random, at| {
        plan.fault(at, cut_both(3, LEASE));
        let restart = at + random.random_range(6 * MS..12 * MS);
        plan.fault(restart, Fault::Restart { lost_us: 0, down_us: random.random_range(100..MS) });
    });
    Plan { outbox_marks_max: 4, push_loss: 0.4, ..plan }
}

/// Node 0 is cut off with a lease, and meanwhile the others are in a new epoch.
fn old_lease_in_a_new_epoch(seed: u64, random: &mut SmallRng) -> Plan {
    rounds(calm(seed, one_reads()), random, |plan, random, at| {
        let restart = Fault::Restart { lost_us: 0, down_us: random.random_range(0..500) };
        plan.triggers.push(Trigger {
            after: at,
            on: On::Renew { node: 0 },
            then: vec![(200, cut_both(0, 3 * LEASE)), (400, restart)],
        });
    })
}

/// A publisher waits for a node that was cut off, is cut off itself, and does not see that the epoch is over.
fn epoch_that_the_publisher_misses(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { acting: vec![1], actions_gap_us: 700, ..one_reads() };
    rounds(calm(seed, mix), random, |plan, random, at| {
        let restart = Fault::Restart { lost_us: 0, down_us: random.random_range(0..500) };
        let away = random.random_range(3 * MS..6 * MS);
        plan.triggers.push(Trigger {
            after: at,
            on: On::Renew { node: 0 },
            then: vec![
                (200, cut_both(0, away)),
                (200, deaf(0, away)),
                (random.random_range(1200..2500), cut_both(1, LEASE + 14 * MS)),
                (2700, restart),
            ],
        });
    })
}

/// Node 0 misses the beginning of an epoch, and carries its lease over into the one after it. A publisher that is cut off
/// does not see that its epoch is over.
fn two_epochs_that_somebody_misses(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { acting: vec![1], ..one_reads() };
    rounds(calm(seed, mix), random, |plan, random, at| {
        let restart = Fault::Restart { lost_us: 0, down_us: 0 };
        let away = random.random_range(6 * MS..10 * MS);
        plan.triggers.push(Trigger {
            after: at,
            on: On::Renew { node: 0 },
            then: vec![
                (200, cut_both(0, away)),
                (200, deaf(0, away)),
                (400, restart.clone()),
                (random.random_range(2800..3800), cut_both(1, LEASE + 14 * MS)),
                (4500, restart),
            ],
        });
    })
}

/// Grants take long to arrive, and after one of them nothing does.
fn late_grants(seed: u64, random: &mut SmallRng) -> Plan {
    rounds(calm(seed, one_reads()), random, |plan, random, at| {
        let slow =
            Fault::Slow { node: 0, up_us: 0, down_us: random.random_range(5 * MS..9 * MS), for_us: LEASE };
        plan.fault(at, slow);
        plan.triggers.push(Trigger {
            after: at + MS,
            on: On::Renew { node: 0 },
            then: vec![(100, cut_both(0, 3 * LEASE))],
        });
    })
}

/// A reader whose clock is slow, a writer whose clock is fast, and nothing in between.
fn slow_reader_fast_writer(seed: u64, random: &mut SmallRng) -> Plan {
    let mix =
        Mix { acting: vec![1], actions_gap_us: 150, reads_gap_us: 30, renders_us: 50..400, ..one_reads() };
    let plan = calm(seed, mix).drift(0, -1.0).drift(1, 1.0);
    rounds(plan, random, |plan, _, at| {
        let then = vec![(150, cut_both(0, 3 * LEASE))];
        plan.triggers.push(Trigger { after: at, on: On::Renew { node: 0 }, then });
    })
}

/// Node 0 sleeps while things are published and answered; its lease ends, and then the epoch.
fn lease_ends_before_the_epoch(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { actions_gap_us: 3 * MS, renders_us: 5 * MS..20 * MS, ..one_reads() };
    rounds(calm(seed, mix), random, |plan, random, at| {
        plan.fault(at, deaf(0, LEASE + 12 * MS));
        plan.fault(at, Fault::Pause { node: 0, for_us: LEASE + 12 * MS });
        let restart = at + LEASE + random.random_range(4 * MS..10 * MS);
        plan.fault(restart, Fault::Restart { lost_us: 0, down_us: 0 });
    })
}

/// Processes die while their actions run, and what they leave is not covered by what is written later.
fn deaths(seed: u64, _: &mut SmallRng) -> Plan {
    let mut plan = calm(seed, Mix { settles_us: 10..20 * MS, declared: true, ..busy() });
    plan.ends_at = START + 4 * LEASE;
    let last = plan.ends_at - 10;
    for node in 1..4 {
        plan.fault(last, Fault::Kill { node, down_us: LEASE });
    }
    plan
}

/// A process dies, and the epoch is over as soon as what it declared is published. Node 0 misses that, and keeps what it
/// has.
fn death_at_the_end_of_an_epoch(seed: u64) -> Plan {
    let mix = Mix { settles_us: 10..20 * MS, declared: true, with_token: 0.0, soft: 0.0, ..busy() };
    let mut plan = calm(seed, mix);
    plan.ends_at = START + 2 * LEASE;
    for node in 2..4 {
        plan.fault(plan.ends_at - 10, Fault::Kill { node, down_us: LEASE });
    }
    plan.fault(plan.ends_at, deaf(0, 8 * LEASE));
    for _ in 0..2 {
        let restart = Fault::Restart { lost_us: 0, down_us: 0 };
        let then = vec![(0, cut_both(0, 6 * MS)), (300, restart)];
        plan.triggers.push(Trigger { after: plan.ends_at, on: On::Reap, then });
    }
    plan
}

/// Nodes hear nothing for a while, and what they missed is gone.
fn trims(seed: u64, random: &mut SmallRng) -> Plan {
    rounds(calm(seed, Mix { actions_gap_us: 200, ..busy() }), random, |plan, random, at| {
        let node = random.random_range(0..4);
        for connection in [Connection::Pushes, Connection::Commands] {
            plan.fault(at, Fault::Dead { node, connection });
        }
        plan.fault(at, cut_both(node, random.random_range(4 * MS..3 * LEASE)));
        for more in 0..20 {
            plan.fault(at + more * 3 * MS, Fault::Trim { keep: random.random_range(0..=1) });
        }
    })
}

/// Nodes leave in order and go on being asked.
fn leavers(seed: u64, random: &mut SmallRng) -> Plan {
    rounds(calm(seed, Mix { acting: vec![2, 3], ..busy() }), random, |plan, random, at| {
        plan.fault(at, Fault::Leave { node: random.random_range(0..2), down_us: 3 * LEASE });
    })
}

/// Nodes leave while actions run on them.
fn hasty_leavers(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix { acting: vec![0, 1], actions_gap_us: 250, ..busy() };
    let plan = Plan { hasty: true, ..calm(seed, mix) };
    rounds(plan, random, |plan, random, at| {
        plan.fault(at, Fault::Leave { node: random.random_range(0..2), down_us: 3 * LEASE });
    })
}

/// Node 0 sleeps, soon after it began, until it is forgotten; it comes back while node 3 does not see it.
fn sleepers(seed: u64, random: &mut SmallRng) -> Plan {
    rounds(calm(seed, one_reads()), random, |plan, random, at| {
        plan.fault(at, Fault::Kill { node: 0, down_us: 100 });
        let sleeps = at + random.random_range(2 * MS..12 * MS);
        let wakes = sleeps + 3 * LEASE + random.random_range(5 * MS..10 * MS);
        plan.fault(sleeps, Fault::Pause { node: 0, for_us: wakes - sleeps });
        plan.fault(wakes - LEASE, cut_both(3, LEASE + random.random_range(4 * MS..16 * MS)));
        plan.fault(wakes + 2 * MS, deaf(0, 3 * LEASE));
    })
}

/// A node is cut off right after it renewed its lease.
fn renewed_and_cut_off(seed: u64, random: &mut SmallRng) -> Plan {
    rounds(calm(seed, one_reads()), random, |plan, random, at| {
        let then = vec![(150, cut_both(0, random.random_range(2 * LEASE..4 * LEASE)))];
        plan.triggers.push(Trigger { after: at, on: On::Renew { node: 0 }, then });
    })
}

/// Node 0 hears neither what others publish nor what is answered, and publishes.
fn publishers_that_hear_nothing(seed: u64, random: &mut SmallRng) -> Plan {
    let mix = Mix {
        reading: vec![0],
        acting: vec![0, 1],
        actions_gap_us: 200,
        soft: 0.0,
        strict: 100,
        session: 0,
        ..busy()
    };
    rounds(calm(seed, mix), random, |plan, random, at| {
        let for_us = random.random_range(4 * MS..LEASE / 2);
        plan.fault(at, deaf(0, for_us));
        plan.fault(at, Fault::Cut { node: 0, up: false, down: true, for_us });
    })
}
