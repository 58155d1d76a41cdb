//! Seeded simulation of the render cache: the core that runs in production, on a log and a network that fail, beside an
//! application whose data changes.
//!
//! A failing seed prints the command that runs it again.

mod checker;
mod directed;
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

use callboard_cluster::mutant::{Mutant, Mutants};

use crate::{
    checker::{Checker, SETTLES, Seen, Violation},
    plan::{Plan, plan},
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

/// What was broken, and the command that breaks it again.
fn describe(seed: u64, violations: &[Violation], again: &str) -> String {
    use std::fmt::Write as _;
    let mut text = format!("seed {seed}, {} broken promises:\n", violations.len());
    for violation in violations.iter().take(5) {
        writeln!(text, "  {}: {}", violation.promise, violation.what).expect("text grows");
    }
    writeln!(text, "run it again: {again}").expect("text grows");
    text
}

/// A number from the environment; `cargo xtask simulate` sets them.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

/// More broken seeds than this are not looked for.
const FAILURES_MAX: usize = 3;

/// Goal: nobody is shown anything older than what he was promised, whatever breaks. Method: seeds in turn decide who
/// acts and reads and what breaks; every read is held against what the application had written when it began, and what is
/// to break has to have broken.
#[test]
fn no_promise_is_broken() {
    let first = number("SIMULATE_SEED", 0);
    let reads = number("SIMULATE_READS", 10_000_000);
    let alone = std::env::var_os("SIMULATE_SEED").is_some() && std::env::var_os("SIMULATE_READS").is_none();
    let next = AtomicU64::new(first);
    let total = Mutex::new((Seen::default(), Vec::new()));
    let began = Instant::now();
    let work = || {
        loop {
            {
                let total = total.lock().expect("nobody panics with it");
                let enough = if alone { total.0.reads > 0 } else { total.0.reads >= reads };
                if enough || total.1.len() >= FAILURES_MAX {
                    return;
                }
            }
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let checker = run(seed, plan(seed), Mutants::NONE);
            let mut total = total.lock().expect("nobody panics with it");
            total.0.add(&checker.seen);
            if !checker.violations.is_empty() {
                let again = format!("cargo xtask simulate cache --seed {seed}");
                total.1.push(describe(seed, &checker.violations, &again));
            }
            if (seed - first) % 200 == 199 {
                let (reads, failures) = (total.0.reads, total.1.len());
                let rate = reads as f64 / began.elapsed().as_secs_f64();
                println!("{} seeds, {reads} reads, {rate:.0} reads/s, {failures} broken", seed - first + 1);
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
    let rate = seen.reads as f64 / began.elapsed().as_secs_f64();
    println!("{seeds} seeds, {} broken, {rate:.0} reads/s: {seen:#?}", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    if !alone && seeds > 40 {
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

/// How many seeds a directed plan may need to catch its mutant.
const SEEDS_MAX: u64 = 20;

/// Goal: the tests notice when a rule is left out. Method: each mutant runs its directed plan until a promise is broken
/// or the core stops itself; the same plans break nothing with all rules in place.
#[test]
fn every_mutant_is_caught_by_its_directed_plan() {
    let only = std::env::var("MUTANT").ok();
    let mutants = Mutant::CACHE.iter().filter(|mutant| only.as_deref().is_none_or(|id| id == mutant.id()));
    let mutants = Mutex::new(mutants);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(mutant) = { mutants.lock().expect("nobody panics with it").next() } {
                    let wrongs = hunt(*mutant);
                    wrong.lock().expect("nobody panics with it").extend(wrongs);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("nobody panicked with it");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs the plan of a mutant with it and without, and says what is wrong.
fn hunt(mutant: Mutant) -> Vec<String> {
    let mut wrong = Vec::new();
    let caught = (0..SEEDS_MAX).find_map(|seed| caught_by(mutant, seed).map(|by| (seed, by)));
    let verdict = match &caught {
        Some((seed, by)) => format!("{by} in seed {seed}"),
        None => "MISSED".to_owned(),
    };
    println!("{:4} {verdict:24} {}", mutant.id(), mutant.about());
    if caught.is_none() {
        wrong.push(format!("{} is not caught", mutant.id()));
    }
    for seed in 0..=caught.map_or(SEEDS_MAX - 1, |(seed, _)| seed) {
        let checker = run(seed, directed::directed(mutant, seed), Mutants::NONE);
        if !checker.violations.is_empty() {
            let again = format!("MUTANT={} ./test simulate", mutant.id());
            wrong.push(format!(
                "the plan of {}: {}",
                mutant.id(),
                describe(seed, &checker.violations, &again)
            ));
            break;
        }
    }
    wrong
}

fn caught_by(mutant: Mutant, seed: u64) -> Option<String> {
    let outcome =
        catch_unwind(AssertUnwindSafe(|| run(seed, directed::directed(mutant, seed), Mutants::only(mutant))));
    match outcome {
        Ok(checker) => checker.violations.first().map(|first| first.promise.to_owned()),
        Err(_) => Some("assertion".to_owned()),
    }
}
