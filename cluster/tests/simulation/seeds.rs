//! What every simulation does with its seeds: many that have to pass, and a few for each mutant.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use callboard_cluster::mutant::Mutant;

/// What was counted.
pub(crate) trait Seen: Default + Debug + Send {
    fn add(&mut self, other: &Self);

    /// How much of what a run is measured in.
    fn size(&self) -> u64;
}

/// Seed after seed, until enough happened.
pub(crate) struct Sweep {
    what: &'static str,
    first: u64,
    enough: u64,
    /// One seed, to look into it.
    is_single: bool,
    told_every: u64,
}

/// More broken seeds than this are not looked for.
const FAILURES_MAX: usize = 3;

impl Sweep {
    /// Of so many calls or reads, unless the variable says otherwise; `cargo xtask simulate` sets it, and `SIMULATE_SEED`.
    pub(crate) fn new(what: &'static str, variable: &str, enough: u64, told_every: u64) -> Self {
        let (seed, size) = (number("SIMULATE_SEED"), number(variable));
        Self {
            what,
            first: seed.unwrap_or(0),
            enough: size.unwrap_or(enough),
            is_single: seed.is_some() && size.is_none(),
            told_every,
        }
    }

    /// Runs them on all processors; a run gives what it counted, and what it broke. Gives what all of them counted, if they
    /// are so many that everything has to have happened.
    pub(crate) fn run<S: Seen>(
        &self,
        many: u64,
        run: impl Fn(u64) -> (S, Option<String>) + Sync,
    ) -> Option<S> {
        let next = AtomicU64::new(self.first);
        let total = Mutex::new((S::default(), Vec::new()));
        let began = Instant::now();
        let rate = |size: u64| size as f64 / began.elapsed().as_secs_f64();
        let work = || {
            loop {
                {
                    let total = total.lock().expect("nobody panics with it");
                    let enough = if self.is_single { 1 } else { self.enough };
                    if total.0.size() >= enough || total.1.len() >= FAILURES_MAX {
                        return;
                    }
                }
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let (counted, broken) = run(seed);
                let mut total = total.lock().expect("nobody panics with it");
                total.0.add(&counted);
                total.1.extend(broken);
                let seeds = seed - self.first + 1;
                if seeds.is_multiple_of(self.told_every) {
                    let (what, size, failures) = (self.what, total.0.size(), total.1.len());
                    println!("{seeds} seeds, {size} {what}, {:.0} {what}/s, {failures} broken", rate(size));
                }
            }
        };
        on_threads(if self.is_single { 1 } else { processors() }, work);
        let (seen, failures) = total.into_inner().expect("nobody panicked with it");
        let seeds = next.load(Ordering::Relaxed) - self.first;
        let (what, broken) = (self.what, failures.len());
        println!("{seeds} seeds, {broken} broken, {:.0} {what}/s: {seen:#?}", rate(seen.size()));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        (!self.is_single && seeds > many).then_some(seen)
    }
}

/// How many seeds a directed plan may need to catch its mutant.
const SEEDS_MAX: u64 = 20;

/// Runs the directed plan of each mutant until something catches it, and up to there without the mutant. `caught_by` says
/// what broke; a core that stops itself counts, too. `broken` says what broke with all rules in place.
pub(crate) fn hunt(
    mutants: &[Mutant],
    caught_by: impl Fn(Mutant, u64) -> Option<String> + Sync,
    broken: impl Fn(Mutant, u64) -> Option<String> + Sync,
) {
    let only = std::env::var("MUTANT").ok();
    let mutants = mutants.iter().filter(|mutant| only.as_deref().is_none_or(|id| id == mutant.id()));
    let (mutants, wrong) = (Mutex::new(mutants), Mutex::new(Vec::new()));
    on_threads(processors(), || {
        while let Some(mutant) = { mutants.lock().expect("nobody panics with it").next() } {
            let caught = |seed| {
                let outcome = catch_unwind(AssertUnwindSafe(|| caught_by(*mutant, seed)));
                outcome.unwrap_or_else(|_| Some("assertion".to_owned())).map(|by| (seed, by))
            };
            let (last, verdict) = match (0..SEEDS_MAX).find_map(caught) {
                Some((seed, by)) => (seed, Ok(format!("{by} in seed {seed}"))),
                None => (SEEDS_MAX - 1, Err(format!("{} is not caught", mutant.id()))),
            };
            let told = verdict.as_deref().unwrap_or("MISSED");
            println!("{:4} {told:24} {}", mutant.id(), mutant.about());
            let broken = (0..=last).find_map(|seed| broken(*mutant, seed));
            let broken = broken.map(|broken| format!("the plan of {}: {broken}", mutant.id()));
            wrong.lock().expect("nobody panics with it").extend(verdict.err().into_iter().chain(broken));
        }
    });
    let wrong = wrong.into_inner().expect("nobody panicked with it");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn on_threads(threads: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(&work);
        }
    });
}
