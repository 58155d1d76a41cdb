//! The command line of fault runs.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use anyhow::Context as _;
use callboard_cluster::mutant::Mutant;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{cache, fault::Fault, trial::Setup};
use crate::build::Profile;

/// What to try on a cluster that does calls, and how.
pub(crate) struct Options {
    pub(super) faults: Vec<Fault>,
    pub(super) setup: Setup,
    pub(super) calls_per_second: u32,
    pub(super) renew: Duration,
}

impl Options {
    /// # Errors
    ///
    /// A fault or a mutant that there is not.
    pub(crate) fn of(arguments: &ArgMatches) -> anyhow::Result<Self> {
        Ok(Self {
            faults: faults(arguments, &Fault::ALL, Fault::name)?,
            setup: setup(arguments)?,
            calls_per_second: count(arguments, "calls-per-second"),
            renew: Duration::from_millis(count(arguments, "renew-ms").into()),
        })
    }
}

/// The value of a number that has a default.
pub(super) fn count(arguments: &ArgMatches, name: &str) -> u32 {
    *arguments.get_one::<u32>(name).expect("it has a default")
}

/// The faults that were named, or all.
pub(super) fn faults<F: Copy>(
    arguments: &ArgMatches,
    all: &[F],
    name: impl Fn(F) -> &'static str,
) -> anyhow::Result<Vec<F>> {
    let named = arguments.get_many::<String>("fault").into_iter().flatten();
    let named = named.map(|text| {
        let known = all.iter().find(|fault| name(**fault) == text).copied();
        known.with_context(|| format!("there is no fault {text:?}; --help lists them"))
    });
    let named = named.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(if named.is_empty() { all.to_vec() } else { named })
}

/// What runs of every kind are made with.
pub(super) fn setup(arguments: &ArgMatches) -> anyhow::Result<Setup> {
    let mutant = arguments.get_one::<String>("mutant").map(|name| mutant(name)).transpose()?;
    let seed = arguments.get_one("seed").copied();
    Ok(Setup {
        seconds: Duration::from_secs(count(arguments, "seconds").into()),
        seed: seed.unwrap_or_else(|| rand::random::<u32>().into()),
        nodes: count(arguments, "nodes") as usize,
        workload: arguments.get_one::<PathBuf>("workload").cloned(),
        profile: if arguments.get_flag("debug") { Profile::Debug } else { Profile::Release },
        mutant,
        lying: arguments.get_flag("lying"),
    })
}

fn mutant(name: &str) -> anyhow::Result<Mutant> {
    let known = Mutant::all().find(|mutant| mutant.id() == name);
    known.with_context(|| format!("there is no mutant {name:?}; docs/CONSISTENCY.md lists them"))
}

/// A number with a default.
pub(super) fn number(
    name: &'static str,
    default: &'static str,
    range: RangeInclusive<i64>,
    help: &'static str,
) -> Arg {
    Arg::new(name).long(name).value_parser(value_parser!(u32).range(range)).default_value(default).help(help)
}

/// The options that runs of every kind have.
pub(super) fn with_common(command: Command, faults: &str, mutant: &'static str) -> Command {
    command
        .after_help(format!("Faults:{faults}"))
        .arg(number("seconds", "8", 1..=86_400, "Seconds for each fault; it is repeated for so long"))
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_parser(value_parser!(u64))
                .help("What is asked and who is hit; when things happen is up to the machine"),
        )
        .arg(number("nodes", "3", 1..=5, "How many nodes; one alone shares nothing"))
        .arg(
            Arg::new("fault")
                .long("fault")
                .value_name("NAME")
                .action(ArgAction::Append)
                .help("This one; again for more; without any, all"),
        )
        .arg(
            Arg::new("workload")
                .long("workload")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("This binary of the workload; without it, one is built"),
        )
        .arg(
            Arg::new("debug")
                .long("debug")
                .action(ArgAction::SetTrue)
                .help("Builds it for debugging, with assertions"),
        )
        .arg(Arg::new("mutant").long("mutant").value_name("NAME").help(mutant))
        .arg(
            Arg::new("lying")
                .long("lying")
                .action(ArgAction::SetTrue)
                .help("Puts a liar in front of a node; right only if the checker sees it"),
        )
}

/// The command line of it.
pub(crate) fn command() -> Command {
    let faults = Fault::ALL.map(|fault| format!("\n  {:<14} {}", fault.name(), fault.about())).concat();
    let command = Command::new("faults")
        .about("Real nodes that are killed, stopped and cut off, while clients call and a checker compares")
        .args_conflicts_with_subcommands(true)
        .subcommand(cache::command())
        .arg(number("calls-per-second", "100", 1..=10_000, "Calls that come in a second, answered or not"))
        .arg(number(
            "renew-ms",
            "200",
            50..=10_000,
            "How often nodes renew their leases; all other times follow",
        ));
    with_common(command, &faults, "Leaves out a rule, such as M9; right only if the checker sees it")
}
