//! Real nodes, a real Redis, and what fails: clients call all the while, and afterwards a checker compares what they were
//! told with what the actions wrote down.
//!
//! Reading order: [`trial`] is a run, on a [`fleet`]; [`fault`] says what is done to a cluster, [`inject`] does it to the
//! [`world`], [`load`] calls; [`ledger`] and [`history`] are what is known afterwards, and [`checker`] judges it. The same
//! for pages, and what they show, is in [`cache`].

pub(crate) mod cache;
mod checker;
mod fault;
mod fleet;
mod history;
mod inject;
mod ledger;
mod liar;
mod load;
mod options;
mod tally;
mod targets;
mod trial;
mod world;

use std::path::PathBuf;

use anyhow::ensure;
use callboard_cluster::core::Invariant;
use tokio::time::{Instant, sleep};

use checker::{Violation, check};
use fault::Fault;
pub(crate) use options::{Options, command};
use tally::Tally;
use trial::{Broken, Verdict};
use world::World;

/// Tries every fault of the plan on a cluster that does calls.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    trial::run(&options.setup, Invariant::Call2.id(), async |program, folder, verdict| {
        drive(options, program, folder, verdict).await
    })
}

impl Broken for Violation {
    fn promise(&self) -> &'static str {
        self.invariant.id()
    }

    fn what(&self) -> &str {
        &self.what
    }
}

async fn drive(
    options: &Options,
    program: PathBuf,
    folder: PathBuf,
    verdict: &mut Verdict<Violation>,
) -> anyhow::Result<()> {
    eprintln!("starting redis-server and {} nodes …", options.setup.nodes);
    let mut world = World::start(options, program, folder).await?;
    let missing = world.recover().await?;
    ensure!(missing.is_empty(), "before any fault: {}", missing.join("; "));
    println!("{}", tally::head());
    for fault in &options.faults {
        phase(options, &mut world, *fault, verdict).await?;
        if verdict.is_enough() {
            break;
        }
    }
    world.fleet.stop().await?;
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
    verdict: &mut Verdict<Violation>,
) -> anyhow::Result<()> {
    let (first, lines) = (world.load.requests().len(), world.lines()?.len());
    let (before, stalls) = (world.sessions().await?, world.fleet.stalls());
    world.seen = Tally::default();
    let started = Instant::now();
    world.load.start(options.calls_per_second);
    sleep(world.times.renew * 2).await;
    loop {
        world.inject(fault).await?;
        if started.elapsed() >= options.setup.seconds {
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

    let missed = fault.missed(&tally, options.setup.nodes).into_iter();
    verdict.complaints.extend(missed.map(|what| format!("{} did not land: {what}", fault.name())));
    let others = tally.failed + tally.not_run + tally.unknown;
    if fault.is_harmless() && others > 0 {
        let what = format!("{}: {others} calls were not done, although nothing failed", fault.name());
        match world.fleet.stalls() - stalls {
            0 => verdict.complaints.push(what),
            stalls => println!("{what} but this machine, which held nodes up {stalls} times"),
        }
    }
    verdict.violations.extend(found);
    Ok(())
}
