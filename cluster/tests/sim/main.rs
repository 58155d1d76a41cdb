//! Seeded simulation of calls between nodes: the core that runs in production, on a store and a network that fail.
//!
//! A failing seed prints the command that runs it again.

mod attacks;
mod checker;
mod directed;
mod lab;
mod plan;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use callboard_cluster::{
    core::SessionState,
    mutant::{Mutant, Mutants},
};

use crate::{
    checker::{Checker, Seen, Violation},
    plan::{Call, Kind, Plan, Weather, plan},
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

fn describe(seed: u64, violations: &[Violation]) -> String {
    use std::fmt::Write as _;
    let mut text = format!("seed {seed} ({:?}):\n", Weather::of(seed));
    for violation in violations.iter().take(10) {
        let what: String = violation.what.chars().take(3000).collect();
        writeln!(text, "  {}: {what}", violation.invariant.id()).expect("text grows");
    }
    writeln!(text, "run it again: cargo xtask simulate calls --seed {seed}").expect("text grows");
    text
}

/// A number from the environment; `cargo xtask simulate` sets them.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

/// More broken seeds than this are not looked for.
const FAILURES_MAX: usize = 3;

/// Goal: nobody is lied to, whatever breaks. Method: seeds in turn have each kind of weather; every promise is
/// checked against a ledger of all that happened, and what is to break has to have broken.
#[test]
fn no_promise_is_broken() {
    let first = number("SIMULATE_SEED", 0);
    let calls = number("SIMULATE_CALLS", 1_000_000);
    let alone = std::env::var_os("SIMULATE_SEED").is_some() && std::env::var_os("SIMULATE_CALLS").is_none();
    let next = AtomicU64::new(first);
    let total = Mutex::new((Seen::default(), Vec::new()));
    let began = Instant::now();
    let work = || {
        loop {
            {
                let total = total.lock().expect("nobody panics with it");
                let enough = if alone { total.0.calls > 0 } else { total.0.calls >= calls };
                if enough || total.1.len() >= FAILURES_MAX {
                    return;
                }
            }
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let checker = run(seed, plan(seed), Mutants::NONE);
            let mut total = total.lock().expect("nobody panics with it");
            total.0.add(&checker.seen);
            if !checker.violations.is_empty() {
                total.1.push(describe(seed, &checker.violations));
            }
            if (seed - first) % 2000 == 1999 {
                let (calls, failures) = (total.0.calls, total.1.len());
                let rate = calls as f64 / began.elapsed().as_secs_f64();
                println!("{} seeds, {calls} calls, {rate:.0} calls/s, {failures} broken", seed - first + 1);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = if alone { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (seen, failures) = total.into_inner().expect("nobody panicked with it");
    let seeds = next.load(Ordering::Relaxed) - first;
    println!("{seeds} seeds, {} broken: {seen:#?}", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    if !alone && seeds > 200 {
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

/// How many seeds a directed plan may need to catch its mutant.
const SEEDS_MAX: u64 = 20;

/// Goal: the tests notice when a rule is left out. Method: each mutant runs its directed plan until a promise is
/// broken or the core stops itself; the same plans break nothing with all rules in place.
#[test]
fn every_mutant_is_caught_by_its_directed_plan() {
    let only = std::env::var("MUTANT").ok();
    let mutants = Mutant::CALLS.iter().copied();
    let mut wrong = Vec::new();
    for mutant in mutants.filter(|mutant| only.as_deref().is_none_or(|id| id == mutant.id())) {
        let caught = (0..SEEDS_MAX).find_map(|seed| caught_by(mutant, seed).map(|by| (seed, by)));
        let verdict = match &caught {
            Some((seed, by)) => format!("{by} in seed {seed}"),
            None => "MISSED".to_owned(),
        };
        println!("{:4} {verdict:20} {}", mutant.id(), mutant.about());
        if caught.is_none() {
            wrong.push(format!("{} is not caught", mutant.id()));
        }
        for seed in 0..=caught.map_or(SEEDS_MAX - 1, |(seed, _)| seed) {
            let checker = run(seed, directed::directed(mutant, seed), Mutants::NONE);
            if !checker.violations.is_empty() {
                wrong.push(format!("the plan of {}: {}", mutant.id(), describe(seed, &checker.violations)));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn caught_by(mutant: Mutant, seed: u64) -> Option<String> {
    let outcome =
        catch_unwind(AssertUnwindSafe(|| run(seed, directed::directed(mutant, seed), Mutants::only(mutant))));
    match outcome {
        Ok(checker) => checker.violations.first().map(|first| first.invariant.id().to_owned()),
        Err(_) => Some("assertion".to_owned()),
    }
}
