//! Seeded simulation of the render cache: the core that runs in production, on a log and a network that fail, beside an
//! application whose data changes.
//!
//! A failing seed prints the command that runs it again.

mod checker;
mod directed;
mod plan;
#[path = "../simulation/schedule.rs"]
mod schedule;
#[path = "../simulation/seeds.rs"]
mod seeds;
mod world;

use callboard_cluster::mutant::{Mutant, Mutants};

use crate::{
    checker::{Checker, SETTLES, Seen},
    plan::{Plan, plan},
    seeds::{Sweep, hunt},
    world::{MS, World},
};

/// Runs a plan until a promise is broken, or to its end; then waits until everything settled, and looks once more.
fn run(seed: u64, plan: Plan, mutants: Mutants) -> Checker {
    let ends_at = plan.ends_at + SETTLES;
    let mut world = World::new(seed, plan, mutants);
    while world.now < ends_at && world.checker.violations.is_empty() {
        world.run_until(ends_at.min(world.now + 50 * MS));
    }
    if world.checker.violations.is_empty() {
        world.look();
    }
    world.checker
}

/// What a seed broke, if it did, and the command that breaks it again.
fn broken(seed: u64, checker: &Checker, again: &str) -> Option<String> {
    use std::fmt::Write as _;
    let violations = &checker.violations;
    if violations.is_empty() {
        return None;
    }
    let mut text = format!("seed {seed}, {} broken promises:\n", violations.len());
    for violation in violations.iter().take(5) {
        writeln!(text, "  {}: {}", violation.promise, violation.what).expect("text grows");
    }
    writeln!(text, "run it again: {again}").expect("text grows");
    Some(text)
}

/// Goal: nobody is shown anything older than what he was promised, whatever breaks. Method: seeds in turn decide who
/// acts and reads and what breaks; every read is held against what the application had written when it began, and what is
/// to break has to have broken.
#[test]
fn no_promise_is_broken() {
    let sweep = Sweep::new("reads", "SIMULATE_READS", 10_000_000, 200);
    let seen: Option<Seen> = sweep.run(40, |seed| {
        let checker = run(seed, plan(seed), Mutants::NONE);
        let broken = broken(seed, &checker, &format!("cargo xtask simulate cache --seed {seed}"));
        (checker.seen, broken)
    });
    if let Some(seen) = seen {
        seen.everything_happened();
    }
}

/// Goal: a seed that failed fails again. Method: run some twice and compare everything that was counted.
#[test]
fn a_seed_decides_everything() {
    for seed in [1, 2, 3] {
        let seen = |_| run(seed, plan(seed), Mutants::NONE).seen;
        let [first, second] = [0, 1].map(seen);
        assert_eq!(first, second, "seed {seed}");
    }
}

/// Goal: the tests notice when a rule is left out. Method: each mutant runs its directed plan until a promise is broken
/// or the core stops itself; the same plans break nothing with all rules in place.
#[test]
fn every_mutant_is_caught_by_its_directed_plan() {
    let run_with = |mutant, seed, mutants| run(seed, directed::directed(mutant, seed), mutants);
    hunt(
        Mutant::CACHE,
        |mutant, seed| {
            let checker = run_with(mutant, seed, Mutants::only(mutant));
            checker.violations.first().map(|first| first.promise.to_owned())
        },
        |mutant, seed| {
            let again = format!("MUTANT={} ./test simulate", mutant.id());
            broken(seed, &run_with(mutant, seed, Mutants::NONE), &again)
        },
    );
}
