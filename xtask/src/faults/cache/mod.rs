//! Pages that nodes keep, while something fails: clients read and write all the while, and afterwards a checker compares
//! what pages showed with what was written before.
//!
//! Reading order: [`fault`] says what is done to a cluster, [`inject`] does it to the [`world`], [`clients`] read and
//! write; [`history`] is what they saw, and [`checker`] judges it.

mod checker;
mod clients;
mod fault;
mod history;
mod inject;
mod tally;
mod world;

use std::{path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::{ArgMatches, Command};
use tokio::time::{Instant, sleep};

use super::{
    options::{count, faults, number, setup, with_common},
    trial::{self, Setup, Verdict},
};
use checker::{GOES_ON, STRICT, Violation, check};
use fault::Fault;
use history::Write;
use world::World;

/// What to try on a cluster that keeps pages, and how.
pub(crate) struct Options {
    faults: Vec<Fault>,
    setup: Setup,
    reads_per_second: u32,
    writes_per_second: u32,
    lease: Duration,
}

impl Options {
    /// # Errors
    ///
    /// A fault or a mutant that there is not.
    pub(crate) fn of(arguments: &ArgMatches) -> anyhow::Result<Self> {
        Ok(Self {
            faults: faults(arguments, Fault::ALL, Fault::name)?,
            setup: setup(arguments)?,
            reads_per_second: count(arguments, "reads-per-second"),
            writes_per_second: count(arguments, "writes-per-second"),
            lease: Duration::from_millis(count(arguments, "lease-ms").into()),
        })
    }
}

/// The command line of it.
pub(super) fn command() -> Command {
    let faults = Fault::ALL.iter().map(|fault| format!("\n  {:<14} {}", fault.name(), fault.about()));
    let command = Command::new("cache")
        .about(
            "The same while clients read pages that nodes keep, and a checker looks for one that is too old",
        )
        .arg(number("reads-per-second", "600", 1..=100_000, "Reads that come in a second, answered or not"))
        .arg(number("writes-per-second", "20", 1..=10_000, "Writes that come in a second, likewise"))
        .arg(number("lease-ms", "400", 100..=10_000, "How long nodes may trust a lease"));
    with_common(
        command,
        &faults.collect::<String>(),
        "Leaves out a rule, such as C2; right only if the checker sees it",
    )
}

/// Tries every fault of the plan.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    trial::run(&options.setup, STRICT, async |program, folder, verdict| {
        drive(options, program, folder, verdict).await
    })
}

async fn drive(
    options: &Options,
    program: PathBuf,
    folder: PathBuf,
    verdict: &mut Verdict<Violation>,
) -> anyhow::Result<()> {
    eprintln!("starting redis-server and {} nodes …", options.setup.nodes);
    let mut world = World::start(options, program, folder).await?;
    let missing = world.recover().await;
    ensure!(missing.is_empty(), "before any fault: {}", missing.join("; "));
    println!("{}", tally::head());
    // What was written before a phase has to be seen in it.
    let mut writes = Vec::new();
    for fault in &options.faults {
        phase(options, &mut world, *fault, &mut writes, verdict).await?;
        if verdict.is_enough() {
            break;
        }
    }
    world.fleet.stop().await
}

/// Tries one fault, for a while, and checks what was read meanwhile.
async fn phase(
    options: &Options,
    world: &mut World,
    fault: Fault,
    writes: &mut Vec<Write>,
    verdict: &mut Verdict<Violation>,
) -> anyhow::Result<()> {
    world.tally = tally::Tally::default();
    let started = Instant::now();
    world.clients.start(options.reads_per_second, options.writes_per_second);
    sleep(world.lease).await;
    loop {
        world.inject(fault).await?;
        if started.elapsed() >= options.setup.seconds {
            break;
        }
    }
    world.clients.stop();
    world.clients.quiet().await;
    world.fleet.check_alive()?;
    let missing = world.recover().await.into_iter();
    let missing = missing.map(|what| format!("after {}, {what}", fault.name()));

    let seen = world.clients.take();
    let mut tally = std::mem::take(&mut world.tally);
    tally.count(&seen.reads, &seen.writes);
    tally.refused = seen.refused.len() as u64;
    tally.broken = seen.broken;
    std::fs::write(world.folder.join(format!("undone-{}", fault.name())), seen.undone.join("\n"))?;
    writes.extend(seen.writes);
    let mut found = check(writes, &seen.reads, &std::mem::take(&mut world.lapses));
    found.extend(missing.map(|what| Violation { promise: GOES_ON, what }));
    println!("{}", tally::row(fault.name(), &tally, found.len()));

    let missed = fault.missed(&tally, options.setup.nodes).into_iter();
    verdict.complaints.extend(missed.map(|what| format!("{} did not land: {what}", fault.name())));
    if let Some(first) = seen.refused.first() {
        let refused = tally.refused;
        verdict.complaints.push(format!("{}: {refused} reads were refused: {first}", fault.name()));
    }
    if let (true, Some(first)) = (fault.is_harmless(), seen.undone.first()) {
        let undone = seen.undone.len();
        verdict.complaints.push(format!("{}: {undone} writes were not done: {first}", fault.name()));
    }
    verdict.violations.extend(found);
    Ok(())
}
