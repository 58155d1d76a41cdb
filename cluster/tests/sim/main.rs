//! Seeded simulation of calls between nodes: the core that runs in production, on a store and a network that fail.
//!
//! A failing seed prints the command that runs it again.

mod attacks;
mod checker;
mod directed;
mod lab;
mod plan;
#[path = "../simulation/schedule.rs"]
mod schedule;
#[path = "../simulation/seeds.rs"]
mod seeds;
mod world;

use callboard_cluster::{
    core::SessionState,
    mutant::{Mutant, Mutants},
};

use crate::{
    checker::{Checker, Seen},
    plan::{Call, Kind, Plan, Weather, plan},
    seeds::{Sweep, hunt},
    world::{MS, World},
};

/// Runs a plan to its end, waits until everything settled, asks every node once more, and looks at the ledger.
fn run(seed: u64, plan: Plan, mutants: Mutants) -> Checker {
    let ends_at = plan.ends_at;
    let mut world = World::new(seed, plan, mutants);
    world.run_until(ends_at);
    world.settle_until(ends_at + 8000 * MS);
    probe(seed, &mut world);
    world.run_until(world.now + 100 * MS);
    world.settle_until(world.now + 2000 * MS);
    look(&mut world);
    world.checker.finish(world.now);
    world.checker
}

/// Faults are over: every node takes calls again, with and without keys.
fn probe(seed: u64, world: &mut World) {
    for node in 0..world.nodes.len() {
        if !world.alive(node) {
            continue;
        }
        if world.nodes[node].state != SessionState::Serving {
            let state = world.nodes[node].state;
            world.checker.left_behind(format!("node {node} is {state:?} although nothing is wrong"));
            continue;
        }
        for key in [None, Some("key 1".to_owned())] {
            let action = plan::action(if key.is_some() { "transfer" } else { "echo" });
            let slot = key.as_ref().map_or_else(
                || callboard_cluster::Slot::of_action(&action),
                |key| callboard_cluster::Slot::of_key(&action, key),
            );
            let number = (1_u128 << 60) + (node as u128) * 2 + u128::from(key.is_some());
            let id = callboard_protocol::action::CallId::from_u128(u128::from(seed) << 64 | number);
            world.plan.kinds.insert(id, Kind::default());
            let call = Call {
                id,
                at: world.now,
                node: Some(node),
                action,
                slot,
                key,
                idempotency: None,
                kind: Kind::default(),
                timeout_us: 1500 * MS,
                runs_us: 500..2 * MS,
                gone_after_us: None,
            };
            world.checker.must_be_done(id);
            world.call(node, &call);
        }
    }
}

/// Nothing is left behind.
fn look(world: &mut World) {
    let mut left = Vec::new();
    if let Some(view) = world.store().view() {
        if !view.orphans.is_empty() {
            left.push(format!("orphans are left: {:?}", view.orphans));
        }
        if !view.open {
            left.push("the store was never opened".to_owned());
        }
        let alive = (0..world.nodes.len()).filter(|node| world.alive(*node)).count();
        if view.members.len() != alive {
            left.push(format!("{} members, and {alive} nodes", view.members.len()));
        }
    }
    for (boot, requests, _) in world.store().backlog() {
        if requests > 0 {
            left.push(format!("{requests} requests are left in the inbox of {boot}"));
        }
    }
    for node in 0..world.nodes.len() {
        if world.alive(node) && !world.nodes[node].core.is_idle() {
            left.push(format!(
                "node {node} still has something to do: {}",
                world.nodes[node].core.leftovers()
            ));
        }
        let violations = world.nodes[node].core.counters().violations;
        world.checker.broken_within(violations);
    }
    for what in left {
        world.checker.left_behind(what);
    }
}

/// What a seed broke, if it did, and the command that breaks it again.
fn broken(seed: u64, checker: &Checker) -> Option<String> {
    use std::fmt::Write as _;
    if checker.violations.is_empty() {
        return None;
    }
    let mut text = format!("seed {seed} ({:?}):\n", Weather::of(seed));
    for violation in checker.violations.iter().take(10) {
        let what: String = violation.what.chars().take(3000).collect();
        writeln!(text, "  {}: {what}", violation.invariant.id()).expect("text grows");
    }
    writeln!(text, "run it again: cargo xtask simulate calls --seed {seed}").expect("text grows");
    Some(text)
}

/// Goal: nobody is lied to, whatever breaks. Method: seeds in turn have each kind of weather; every promise is
/// checked against a ledger of all that happened, and what is to break has to have broken.
#[test]
fn no_promise_is_broken() {
    let sweep = Sweep::new("calls", "SIMULATE_CALLS", 1_030_000, 2000);
    let seen: Option<Seen> = sweep.run(200, |seed| {
        let checker = run(seed, plan(seed), Mutants::NONE);
        let broken = broken(seed, &checker);
        (checker.seen, broken)
    });
    if let Some(seen) = seen {
        seen.everything_happened();
    }
}

/// Goal: a seed that failed fails again. Method: run the worst weather twice and compare everything that was counted.
#[test]
fn a_seed_decides_everything() {
    for seed in [11, 23, 35] {
        let seen = |_| run(seed, plan(seed), Mutants::NONE).seen;
        let [first, second] = [0, 1].map(seen);
        assert_eq!(first, second, "seed {seed}");
    }
}

/// Goal: the tests notice when a rule is left out. Method: each mutant runs its directed plan until a promise is
/// broken or the core stops itself; the same plans break nothing with all rules in place.
#[test]
fn every_mutant_is_caught_by_its_directed_plan() {
    let run_with = |mutant, seed, mutants| run(seed, directed::directed(mutant, seed), mutants);
    hunt(
        Mutant::CALLS,
        |mutant, seed| {
            let checker = run_with(mutant, seed, Mutants::only(mutant));
            checker.violations.first().map(|first| first.invariant.id().to_owned())
        },
        |mutant, seed| broken(seed, &run_with(mutant, seed, Mutants::NONE)),
    );
}
