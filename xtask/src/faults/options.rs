//! The command line of fault runs.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use callboard_cluster::mutant::Mutant;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::fault::Fault;
use crate::build::Profile;

/// What to try, and how.
pub(crate) struct Options {
    pub(super) faults: Vec<Fault>,
    pub(super) seconds: Duration,
    pub(super) seed: u64,
    pub(super) nodes: usize,
    pub(super) calls_per_second: u32,
    pub(super) renew: Duration,
    pub(super) workload: Option<PathBuf>,
    pub(super) profile: Profile,
    pub(super) mutant: Option<Mutant>,
    pub(super) lying: bool,
}

impl Options {
    /// # Errors
    ///
    /// A fault or a mutant that there is not.
    pub(crate) fn of(arguments: &ArgMatches) -> anyhow::Result<Self> {
        let number = |name: &str| *arguments.get_one::<u32>(name).expect("it has a default");
        let names = arguments.get_many::<String>("fault").into_iter().flatten();
        let mut faults = names.map(|name| fault(name)).collect::<anyhow::Result<Vec<_>>>()?;
        if faults.is_empty() {
            faults = Fault::ALL.to_vec();
        }
        let mutant = arguments.get_one::<String>("mutant").map(|name| mutant(name)).transpose()?;
        let seed = arguments.get_one("seed").copied();
        Ok(Self {
            faults,
            seconds: Duration::from_secs(number("seconds").into()),
            seed: seed.unwrap_or_else(|| rand::random::<u32>().into()),
            nodes: number("nodes") as usize,
            calls_per_second: number("calls-per-second"),
            renew: Duration::from_millis(number("renew-ms").into()),
            workload: arguments.get_one::<PathBuf>("workload").cloned(),
            profile: if arguments.get_flag("debug") { Profile::Debug } else { Profile::Release },
            mutant,
            lying: arguments.get_flag("lying"),
        })
    }

    /// Whether a run is right only if the checker finds something.
    pub(super) fn expects_violation(&self) -> bool {
        self.lying || self.mutant.is_some()
    }
}

fn fault(name: &str) -> anyhow::Result<Fault> {
    let known = Fault::ALL.into_iter().find(|fault| fault.name() == name);
    known.with_context(|| format!("there is no fault {name:?}; --help lists them"))
}

fn mutant(name: &str) -> anyhow::Result<Mutant> {
    let known = Mutant::ALL.iter().find(|mutant| mutant.id() == name).copied();
    known.with_context(|| format!("there is no mutant {name:?}; docs/CONSISTENCY.md lists them"))
}

/// The command line of it.
pub(crate) fn command() -> Command {
    let number = |name: &'static str, default: &'static str, range: std::ops::RangeInclusive<i64>, help| {
        Arg::new(name)
            .long(name)
            .value_parser(value_parser!(u32).range(range))
            .default_value(default)
            .help(help)
    };
    let faults = Fault::ALL.map(|fault| format!("\n  {:<14} {}", fault.name(), fault.about())).concat();
    Command::new("faults")
        .about("Real nodes that are killed, stopped and cut off, while clients call and a checker compares")
        .after_help(format!("Faults:{faults}"))
        .arg(number("seconds", "8", 1..=86_400, "Seconds for each fault; it is repeated for so long"))
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_parser(value_parser!(u64))
                .help("What is called and who is hit; when things happen is up to the machine"),
        )
        .arg(number("nodes", "3", 1..=5, "How many nodes; one alone routes nothing"))
        .arg(number("calls-per-second", "100", 1..=10_000, "Calls that come in a second, answered or not"))
        .arg(number(
            "renew-ms",
            "200",
            50..=10_000,
            "How often nodes renew their leases; all other times follow",
        ))
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
        .arg(
            Arg::new("mutant")
                .long("mutant")
                .value_name("NAME")
                .help("Leaves out a rule, such as M9; right only if the checker sees it"),
        )
        .arg(
            Arg::new("lying")
                .long("lying")
                .action(ArgAction::SetTrue)
                .help("Puts a liar in front of a node; right only if the checker sees it"),
        )
}
