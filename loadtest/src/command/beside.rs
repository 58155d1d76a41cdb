//! `beside`: two kinds of servers, asked the same in turn.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Arg, ArgMatches, Command, value_parser};
use tokio::runtime::{Builder, LocalOptions};

use super::{
    EXIT_CODES, OrWrongUse as _, drive,
    options::{
        FIRST, LoadOptions, OTHER, TargetOptions, load_arguments, side_arguments, trust_arguments, typed,
    },
    run::EXAMPLES_MAX,
    which::{scenario, scenario_argument},
};
use crate::{
    engine::{Pace, Plan, Run},
    operation::Operations,
    oracle::{self, Oracles},
    report::{Beside, Print, Told, write},
    results::Results,
    scenario::Scenario,
    target::{Catalogue, Targets},
    view::{self, Mode},
};

pub(super) fn command() -> Command {
    Command::new("beside")
        .about(
            "Asks two kinds of servers the same, round by round in turn, and prints the ratios between them",
        )
        .override_usage("callboard-loadtest beside <SCENARIO> --target <URL>... --other <URL>... [OPTIONS]")
        .after_help(EXIT_CODES)
        .arg(scenario_argument())
        .args(side_arguments(&FIRST))
        .args(side_arguments(&OTHER))
        .args(trust_arguments())
        .args(load_arguments())
        .arg(
            Arg::new("rounds")
                .long("rounds")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .default_value("3")
                .help("Rounds; in each, both are asked for as long as the scenario lasts"),
        )
        .arg(
            Arg::new("keep")
                .long("keep")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("Keeps the results of every run there, as JSON"),
        )
        .args(Print::arguments())
}

/// Runs `beside`.
///
/// # Errors
///
/// Wrong use, targets that are not there, and results that cannot be kept.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<Told> {
    let load = LoadOptions::of(arguments);
    let mut scenario = scenario(arguments).or_wrong_use()?;
    load.apply(&mut scenario);
    let sides = [&FIRST, &OTHER].map(|side| TargetOptions::of(arguments, side).or_wrong_use());
    let [first, other] = sides;
    let rounds = *arguments.get_one::<u32>("rounds").expect("it has a default");
    let keep = arguments.get_one::<PathBuf>("keep").map(PathBuf::as_path);
    let print = Print::of(arguments);
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let (beside, written) = runtime.block_on(async {
        let sides = [Side::open(&first?, &scenario).await?, Side::open(&other?, &scenario).await?];
        in_turn(&sides, &scenario, &load, rounds, keep, print == Print::Text).await
    })?;
    let text = match print {
        Print::Text => beside.text(),
        Print::Json => beside.json()?,
        Print::Nothing => String::new(),
    };
    Ok(Told { text, written, problems: Vec::new(), passes: beside.passes() })
}

/// Servers of one kind.
struct Side {
    name: String,
    targets: Targets,
    catalogue: Catalogue,
}

impl Side {
    async fn open(options: &TargetOptions, scenario: &Scenario) -> anyhow::Result<Self> {
        let (targets, catalogue) = options.open(&scenario.load, view::note).await?;
        let authority = targets.places().first().map(crate::target::Place::authority).unwrap_or_default();
        Ok(Self { name: format!("{} {authority}", targets.kind().name()), targets, catalogue })
    }

    async fn run(&self, scenario: &Scenario, load: &LoadOptions, round: u32) -> anyhow::Result<Results> {
        // Both are asked the same in a round, and other things in the next.
        let seed = load.seed.wrapping_add(u64::from(round));
        let operations = Operations::new(scenario, &self.catalogue, seed).or_wrong_use()?;
        let settings =
            oracle::Settings { ledger: None, examples_max: EXAMPLES_MAX, kind: self.targets.kind() };
        let plan = Plan {
            scenario: scenario.clone(),
            targets: self.targets.clone(),
            operations,
            oracles: Oracles::new(settings),
            seed,
            command: typed(load.seed),
            pace: Pace::Open,
            in_flight_max: load.in_flight_max,
        };
        drive(Run::new(plan), Mode::Quiet).await
    }
}

async fn in_turn(
    sides: &[Side; 2],
    scenario: &Scenario,
    load: &LoadOptions,
    rounds: u32,
    keep: Option<&Path>,
    is_told: bool,
) -> anyhow::Result<(Beside, Vec<PathBuf>)> {
    if let Some(folder) = keep {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut beside = Beside::new([0, 1].map(|side| sides[side].name.clone()));
    let mut written = Vec::new();
    for round in 1..=rounds {
        let mut both = Vec::new();
        for (side, file) in sides.iter().zip(["first", "other"]) {
            let results = side.run(scenario, load, round).await?;
            if is_told {
                let (p99_us, achieved) = (results.total.latency.p99_us, results.total.rate_achieved);
                view::note(&format!(
                    "round {round} of {rounds}, {}: {achieved:.1} per second, p99 {p99_us} us",
                    side.name
                ));
            }
            if let Some(folder) = keep {
                let file = folder.join(format!("round-{round}-{file}.json"));
                write(&file, &results)?;
                written.push(file);
            }
            if let Some(why) = &results.partial {
                beside.stopped(why);
                return Ok((beside, written));
            }
            both.push(results);
        }
        beside.add(&both[0], &both[1])?;
    }
    Ok((beside, written))
}
