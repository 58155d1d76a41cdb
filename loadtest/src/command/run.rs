//! `run`: loads targets as a scenario says.

use std::path::PathBuf;

use clap::{ArgMatches, Command};
use tokio::runtime::{Builder, LocalOptions};

use super::{
    EXIT_CODES, OrWrongUse as _, drive,
    options::{
        FIRST, LoadOptions, TargetOptions, file, flag, load_arguments, side_arguments, trust_arguments, typed,
    },
    which::{scenario, scenario_argument},
};
use crate::{
    capacity::{Slo, slo, slo_argument},
    engine::{Pace, Plan, Run},
    operation::Operations,
    oracle::{self, Oracles},
    report::{Files, Print, Told, close},
    results::Results,
    scenario::Scenario,
    view::{self, Mode},
};

/// Most violations of one promise that are shown with their history.
pub(super) const EXAMPLES_MAX: usize = 5;

pub(super) fn command() -> Command {
    Command::new("run")
        .about("Loads servers as a scenario says, and checks that they keep their promises meanwhile")
        .override_usage("callboard-loadtest run <SCENARIO> --target <URL>... [OPTIONS]")
        .after_help(EXIT_CODES)
        .arg(scenario_argument())
        .args(side_arguments(&FIRST))
        .args(trust_arguments())
        .args(load_arguments())
        .arg(flag(
            "saturate",
            "Asks as fast as answers come, on all connections: says how much is carried, and not how long \
             anybody waits",
        ))
        .arg(slo_argument())
        .arg(file("ledger", "The file that the ledger actions of the application append to"))
        .args(Files::arguments())
        .args(Print::arguments())
}

/// What was asked for.
struct Options {
    scenario: Scenario,
    targets: TargetOptions,
    load: LoadOptions,
    pace: Pace,
    ledger: Option<PathBuf>,
    slo: Option<Slo>,
    is_quiet: bool,
}

impl Options {
    fn of(arguments: &ArgMatches) -> anyhow::Result<Self> {
        let load = LoadOptions::of(arguments);
        let mut scenario = scenario(arguments)?;
        load.apply(&mut scenario);
        Ok(Self {
            scenario,
            targets: TargetOptions::of(arguments, &FIRST)?,
            load,
            pace: if arguments.get_flag("saturate") { Pace::Saturating } else { Pace::Open },
            ledger: arguments.get_one::<PathBuf>("ledger").cloned(),
            slo: slo(arguments)?,
            is_quiet: arguments.get_flag("quiet"),
        })
    }
}

/// Runs `run`.
///
/// # Errors
///
/// Wrong use, targets that are not there, and reports that cannot be written.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<Told> {
    let options = Options::of(arguments).or_wrong_use()?;
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let results = runtime.block_on(load(options))?;
    close(&results, &Files::of(arguments), Print::of(arguments))
}

async fn load(options: Options) -> anyhow::Result<Results> {
    let Options { scenario, targets, load, pace, ledger, slo, is_quiet } = options;
    let progress = |line: &str| {
        if !is_quiet {
            view::note(line);
        }
    };
    let (targets, catalogue) = targets.open(&scenario.load, progress).await?;
    let operations = Operations::new(&scenario, &catalogue, load.seed).or_wrong_use()?;
    let settings = oracle::Settings { ledger, examples_max: EXAMPLES_MAX, kind: targets.kind() };
    let run = Run::new(Plan {
        scenario,
        targets,
        operations,
        oracles: Oracles::new(settings),
        seed: load.seed,
        command: typed(load.seed),
        pace,
        in_flight_max: load.in_flight_max,
    });
    let mut results = drive(run, Mode::fitting(is_quiet)).await?;
    results.objectives = slo.map(|slo| slo.judge(&results)).unwrap_or_default();
    Ok(results)
}
