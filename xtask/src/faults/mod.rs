//! Real nodes, a real Redis, and what fails: clients call all the while, and afterwards a checker compares what they were
//! told with what the actions wrote down.
//!
//! Reading order: [`fault`] says what is done to a cluster, [`inject`] does it to the [`world`], [`load`] calls; [`ledger`]
//! and [`history`] are what is known afterwards, and [`checker`] judges it.

mod checker;
mod fault;
mod history;
mod inject;
mod ledger;
mod liar;
mod load;
mod options;
mod proxy;
mod tally;
mod world;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use callboard_cluster::core::Invariant;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{build, cluster};
use checker::{Violation, check};
use fault::Fault;
pub(crate) use options::{Options, command};
use tally::Tally;
use world::World;

/// How many violations of a promise are told in full.
const TOLD_MAX: usize = 10;

/// What became of a run.
#[derive(Default)]
struct Verdict {
    violations: Vec<Violation>,
    /// Faults that did not do what they were for, and other reasons why a run proves nothing.
    complaints: Vec<String>,
}

/// Tries every fault of the plan.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("callboard-faults-").tempdir()?;
    let program = program(options, folder.path())?;
    eprintln!("seed {}", options.seed);
    let mut verdict = Verdict::default();
    let driven = cluster::block_on(async {
        tokio::select! {
            driven = drive(options, program, folder.path().to_owned(), &mut verdict) => driven.map(|()| true),
            signal = cluster::stop_signal() => signal.map(|()| false),
        }
    });
    verdict.tell();
    match driven {
        Ok(true) => report(options, &verdict, folder),
        Ok(false) => bail!("stopped"),
        Err(error) => Err(error.context(format!("ledger and logs are in {}", folder.keep().display()))),
    }
}

/// The workload, where nobody builds another one in its place.
fn program(options: &Options, folder: &Path) -> anyhow::Result<PathBuf> {
    let built = match &options.workload {
        Some(file) => file.clone(),
        None => {
            eprintln!("building workload …");
            let features: &[&str] = if options.mutant.is_some() { &["mutants"] } else { &[] };
            build::program("workload", options.profile, features)?
        }
    };
    let program = folder.join("workload");
    std::fs::copy(&built, &program).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(program)
}

async fn drive(
    options: &Options,
    program: PathBuf,
    folder: PathBuf,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    eprintln!("starting redis-server and {} nodes …", options.nodes);
    let mut world = World::start(options, program, folder).await?;
    let missing = world.recover().await?;
    ensure!(missing.is_empty(), "before any fault: {}", missing.join("; "));
    println!("{}", tally::head());
    for fault in &options.faults {
        phase(options, &mut world, *fault, verdict).await?;
        if options.expects_violation() && verdict.saw_it(options) {
            break;
        }
    }
    world.stop().await?;
    // Now everything has ended, also what started late.
    let late = check(&world.load.requests(), &world.lines()?);
    let late =
        late.into_iter().filter(|violation| !verdict.violations.contains(violation)).collect::<Vec<_>>();
    verdict.violations.extend(late);
    Ok(())
}

/// Tries one fault, for a while, and checks everything so far.
async fn phase(
    options: &Options,
    world: &mut World,
    fault: Fault,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let (first, lines) = (world.load.requests().len(), world.lines()?.len());
    let (before, stalls) = (world.sessions().await?, world.stalls());
    world.seen = Tally::default();
    let started = Instant::now();
    world.load.start(options.calls_per_second);
    sleep(world.times.renew * 2).await;
    loop {
        world.inject(fault).await?;
        if started.elapsed() >= options.seconds {
            break;
        }
        // So that some calls see nothing of it.
        sleep(world.times.renew * 2).await;
    }
    world.load.stop();
    world.settle().await?;
    let mut tally = std::mem::take(&mut world.seen);
    tally.count(world.load.requests().iter().skip(first));
    tally.count_moves(world.lines()?.iter().skip(lines));

    let mut found = Vec::new();
    for what in world.recover().await? {
        let what = format!("after {}, {what}", fault.name());
        found.push(Violation { invariant: Invariant::Live1, number: world.load.next_number(), what });
    }
    let after = world.sessions().await?;
    tally.sessions_ended = before.iter().filter(|session| !after.contains(session)).count() as u64;
    found.extend(check(&world.load.requests(), &world.lines()?));
    found.retain(|violation| !verdict.violations.contains(violation));
    println!("{}", tally::row(fault.name(), &tally, found.len()));

    let missed = fault.missed(&tally, options.nodes).into_iter();
    verdict.complaints.extend(missed.map(|what| format!("{} did not land: {what}", fault.name())));
    let others = tally.failed + tally.not_run + tally.unknown;
    if fault.is_harmless() && others > 0 {
        let what = format!("{}: {others} calls were not done, although nothing failed", fault.name());
        match world.stalls() - stalls {
            0 => verdict.complaints.push(what),
            stalls => println!("{what} but this machine, which held nodes up {stalls} times"),
        }
    }
    verdict.violations.extend(found);
    Ok(())
}

impl Verdict {
    /// Whether what was broken on purpose was noticed. A liar breaks one promise.
    fn saw_it(&self, options: &Options) -> bool {
        let lie = options.lying.then_some(Invariant::Call2);
        self.violations.iter().any(|violation| lie.is_none_or(|lie| violation.invariant == lie))
    }

    fn tell(&self) {
        for invariant in Invariant::ALL {
            let broken = self.violations.iter().filter(|violation| violation.invariant == invariant);
            let broken: Vec<_> = broken.collect();
            for violation in broken.iter().take(TOLD_MAX) {
                println!("{}: {}", invariant.id(), violation.what);
            }
            if broken.len() > TOLD_MAX {
                println!("{}: and {} more", invariant.id(), broken.len() - TOLD_MAX);
            }
        }
        for complaint in &self.complaints {
            println!("{complaint}");
        }
    }
}

/// Whether it is as it should be; what shows that it is not is kept.
fn report(options: &Options, verdict: &Verdict, folder: TempDir) -> anyhow::Result<()> {
    let Verdict { violations, complaints } = verdict;
    if options.expects_violation() {
        ensure!(verdict.saw_it(options), "the checker saw nothing, although it should have");
        println!("the checker saw it");
        return Ok(());
    }
    if violations.is_empty() && complaints.is_empty() {
        return Ok(());
    }
    let folder = folder.keep();
    bail!(
        "{} violations, {} other complaints (seed {}); ledger and logs are in {}",
        violations.len(),
        complaints.len(),
        options.seed,
        folder.display()
    )
}
