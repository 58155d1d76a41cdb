//! `capacity`: looks for the highest rate that holds.

use clap::{ArgMatches, Command};
use tokio::runtime::{Builder, LocalOptions};

use super::{
    EXIT_CODES, OrWrongUse as _, drive,
    options::{
        FIRST, LoadOptions, TargetOptions, flag, load_arguments, side_arguments, trust_arguments, typed,
    },
    run::EXAMPLES_MAX,
    which::{scenario, scenario_argument},
};
use crate::{
    capacity::{self, Measures, Search, Slo},
    engine::{Pace, Plan, Run},
    operation::Operations,
    oracle::{self, Oracles},
    report::{Told, Verdict},
    results::Results,
    scenario::{Rate, Scenario},
    target::{Catalogue, Targets},
    view::{self, Mode},
};

pub(super) fn command() -> Command {
    Command::new("capacity")
        .about("Looks for the highest rate at which objectives hold, whatever rate the scenario says; exits with 1 if they hold at none")
        .override_usage("callboard-loadtest capacity <SCENARIO> --target <URL>... --slo <BOUNDS> [OPTIONS]")
        .after_help(EXIT_CODES)
        .arg(scenario_argument())
        .args(capacity::arguments())
        .args(side_arguments(&FIRST))
        .args(trust_arguments())
        // What is looked for is no option.
        .args(load_arguments().into_iter().filter(|argument| argument.get_id() != "rate"))
        .arg(flag("quiet", "Prints the result alone").short('q'))
}

/// Runs `capacity`.
///
/// # Errors
///
/// Wrong use, targets that are not there, and promises that were broken.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<Told> {
    let (slo, search) = capacity::options(arguments).or_wrong_use()?;
    let load = LoadOptions::of(arguments);
    let mut scenario = scenario(arguments).or_wrong_use()?;
    load.apply(&mut scenario);
    let targets = TargetOptions::of(arguments, &FIRST).or_wrong_use()?;
    let is_quiet = arguments.get_flag("quiet");
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(look(&slo, &search, scenario, &targets, load, is_quiet))
}

async fn look(
    slo: &Slo,
    search: &Search,
    scenario: Scenario,
    targets: &TargetOptions,
    load: LoadOptions,
    is_quiet: bool,
) -> anyhow::Result<Told> {
    let (targets, catalogue) = targets.open(&scenario.load, view::note).await?;
    let mut measuring = Measuring { scenario, targets, catalogue, load, is_quiet, trials: 0 };
    let found = search.run(slo, &mut measuring).await?;
    Ok(Told { text: found.text(), written: Vec::new(), problems: Vec::new(), passes: found.passes() })
}

/// Runs the scenario at any rate, against the same targets.
struct Measuring {
    scenario: Scenario,
    targets: Targets,
    catalogue: Catalogue,
    load: LoadOptions,
    is_quiet: bool,
    trials: u64,
}

impl Measures for Measuring {
    async fn measure(&mut self, rate: f64) -> anyhow::Result<Results> {
        let mut scenario = self.scenario.clone();
        scenario.load.rate = Rate::Constant(rate);
        // Each trial asks for other things, and the same in every search with this seed.
        let seed = self.load.seed.wrapping_add(self.trials);
        self.trials += 1;
        let operations = Operations::new(&scenario, &self.catalogue, seed).or_wrong_use()?;
        let settings =
            oracle::Settings { ledger: None, examples_max: EXAMPLES_MAX, kind: self.targets.kind() };
        let run = Run::new(Plan {
            scenario,
            targets: self.targets.clone(),
            operations,
            oracles: Oracles::new(settings),
            seed,
            command: typed(self.load.seed),
            pace: Pace::Open,
            in_flight_max: self.load.in_flight_max,
        });
        let results = drive(run, Mode::Quiet).await?;
        if !self.is_quiet {
            let (achieved, p99_us) = (results.total.rate_achieved, results.total.latency.p99_us);
            view::note(&format!("{rate:.1} per second: {achieved:.1} achieved, p99 {p99_us} us"));
        }
        let broken = results.oracles.iter().any(|oracle| oracle.violations > 0);
        anyhow::ensure!(!broken, "at {rate:.1} per second: {}", Verdict::of(&results).sentence);
        Ok(results)
    }
}
