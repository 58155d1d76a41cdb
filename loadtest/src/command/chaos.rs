//! `chaos`: loads a cluster of its own, and breaks it meanwhile.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, LocalOptions},
    task::spawn_local,
};

use super::{
    EXIT_CODES, OrWrongUse as _, drive,
    options::{LoadOptions, duration, load_arguments, typed},
    run::EXAMPLES_MAX,
    which::{scenario, scenario_argument},
};
use crate::{
    capacity::{Slo, slo, slo_argument},
    chaos::{self, Appointment, Fault, Fleet, Settings, carry_out, fill_in_recovery, time_needed, timetable},
    client::Trust,
    engine::{Pace, Plan, Run, raise_descriptors},
    operation::Operations,
    oracle::{self, Oracles},
    report::{Files, Print, Told, Verdict, close},
    results::Results,
    scenario::Scenario,
    target::{Admin, Catalogue, Kind, Source, Targets},
    view::{self, Mode},
};

/// Most nodes: more than a machine has cores many times over.
const NODES_MAX: i64 = 64;

pub(super) fn command() -> Command {
    let faults = Fault::ALL.map(|fault| format!("  {:<14} {}", fault.name(), fault.about())).join("\n");
    Command::new("chaos")
        .about("Starts a Redis and nodes of an application, loads them, breaks them, and checks that they keep their promises")
        .after_help(format!(
            "Faults:\n{faults}\n\nThe nodes share a database and a ledger in their folder, unless DATABASE_URL and LEDGER say \
             otherwise.\n\n{EXIT_CODES}"
        ))
        .override_usage("callboard-loadtest chaos <SCENARIO> [OPTIONS]")
        .arg(scenario_argument())
        .arg(
            Arg::new("nodes")
                .long("nodes")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=NODES_MAX))
                .default_value("3")
                .help("How many nodes there are"),
        )
        .arg(
            Arg::new("faults")
                .long("faults")
                .value_name("FAULT,...")
                .value_delimiter(',')
                .value_parser(|text: &str| text.parse::<Fault>())
                .default_values(Fault::ALL.map(Fault::name))
                .help("What is done to them, each equally often, in an order that the seed decides"),
        )
        .arg(
            Arg::new("binary")
                .long("binary")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("The application [default: the `workload` beside this program]"),
        )
        .args([
            time("each", "15s", "From one fault to the next"),
            time("outage", "5s", "How long a node is paused or cut off; at least its call_fence and two renewals, 4.6s"),
        ])
        .args([
            pairs("node-setting", "A setting of the nodes, such as call-timeout=5s"),
            pairs("env", "What stands in the environment of the nodes"),
        ])
        .arg(
            Arg::new("folder")
                .long("folder")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("Where logs and state of the nodes go [default: a temporary one, kept if something is wrong]"),
        )
        // The rate is that of the whole cluster, as for targets that others started.
        .args(load_arguments())
        .arg(slo_argument())
        .args(Files::arguments())
        .args(Print::arguments())
}

fn time(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("TIME").value_parser(duration).default_value(default).help(help)
}

fn pairs(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("NAME=VALUE").action(ArgAction::Append).value_parser(pair).help(help)
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it is NAME=VALUE".to_owned()),
    }
}

/// What was asked for.
struct Options {
    scenario: Scenario,
    load: LoadOptions,
    settings: Settings,
    appointments: Vec<Appointment>,
    folder: Option<PathBuf>,
    slo: Option<Slo>,
    is_quiet: bool,
}

impl Options {
    fn of(arguments: &ArgMatches) -> anyhow::Result<Self> {
        let load = LoadOptions::of(arguments);
        let mut scenario = scenario(arguments)?;
        let time = |name: &str| *arguments.get_one::<Duration>(name).expect("it has a default");
        let pairs = |name: &str| arguments.get_many::<(String, String)>(name).into_iter().flatten().cloned();
        let environment = pairs("env").map(|(name, value)| (name, OsString::from(value)));
        let settings = Settings {
            nodes: *arguments.get_one::<u32>("nodes").expect("it has a default") as usize,
            binary: arguments.get_one("binary").cloned().map_or_else(workload, Ok)?,
            faults: arguments.get_many("faults").expect("it has a default").copied().collect(),
            outage: time("outage"),
            each: time("each"),
            node_settings: pairs("node-setting").collect(),
            environment: environment.collect(),
        };
        settings.check_outage()?;
        // A scenario knows nothing of faults: it goes on for as long as they take, unless somebody says how long.
        let needed = time_needed(settings.faults.len(), settings.each);
        scenario.load.duration = scenario.load.duration.max(needed);
        load.apply(&mut scenario);
        let (warm_up, duration) = (scenario.load.warm_up, scenario.load.duration);
        let appointments = timetable(&settings.faults, warm_up, duration, settings.each, load.seed)?;
        Ok(Self {
            scenario,
            load,
            settings,
            appointments,
            folder: arguments.get_one("folder").cloned(),
            slo: slo(arguments)?,
            is_quiet: arguments.get_flag("quiet"),
        })
    }
}

/// The application that is built with this program.
fn workload() -> anyhow::Result<PathBuf> {
    let program =
        std::env::current_exe().context("cannot tell where this program is")?.with_file_name("workload");
    ensure!(
        program.exists(),
        "there is no {}: build it with `cargo build --release -p workload`, or name an application with --binary",
        program.display()
    );
    Ok(program)
}

/// Runs `chaos`.
///
/// # Errors
///
/// Wrong use, and a cluster that does not start.
pub(super) fn run(arguments: &ArgMatches) -> anyhow::Result<Told> {
    let options = Options::of(arguments).or_wrong_use()?;
    let folder = Folder::new(options.folder.as_deref())?;
    let is_quiet = options.is_quiet;
    // Nodes are leashed to the main thread, which is this one.
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let broken = runtime.block_on(break_it(options, folder.path()));
    let is_well =
        broken.as_ref().is_ok_and(|results| Verdict::of(results).passes() && results.partial.is_none());
    let kept = folder.keep_unless(is_well);
    let told = broken.and_then(|results| close(&results, &Files::of(arguments), Print::of(arguments)));
    if let Some(kept) = kept.filter(|_| !is_quiet || told.is_err()) {
        view::note(&format!("logs and state of the nodes are in {}", kept.display()));
    }
    told
}

async fn break_it(options: Options, folder: &Path) -> anyhow::Result<Results> {
    let Options { scenario, load, settings, appointments, slo, is_quiet, .. } = options;
    raise_descriptors(scenario.load.connections_max as u64 * settings.nodes as u64)?;
    let targets = Targets::new(&scenario.load, Kind::Callboard, Trust::System);
    let ledger = Some(chaos::ledger(folder));
    let oracles =
        Oracles::new(oracle::Settings { ledger, examples_max: EXAMPLES_MAX, kind: Kind::Callboard });
    let progress = |line: String| {
        if !is_quiet {
            view::note(&line);
        }
    };
    let fleet = Fleet::start(settings.recipe(folder)?, settings.nodes, targets.clone(), progress).await?;
    // Only with the keys of the nodes are references theirs.
    let catalogue = Catalogue::read(&Source::Admin(Admin::open(fleet.admin()?)), &Trust::System).await?;
    let operations = Operations::new(&scenario, &catalogue, load.seed).or_wrong_use()?;
    let run = Run::new(Plan {
        scenario,
        targets,
        operations,
        oracles,
        seed: load.seed,
        command: typed(load.seed),
        pace: Pace::Open,
        in_flight_max: load.in_flight_max,
    });
    let handle = run.handle();
    let breaking = spawn_local(async move {
        let carried = carry_out(fleet, &handle, &settings, &appointments).await;
        if let Err(error) = &carried.failed {
            handle.stop(format!("{error:#}"));
        }
        carried
    });
    let mut results = drive(run, Mode::fitting(is_quiet)).await?;
    let mut carried = breaking.await.context("whoever breaks the cluster panicked")?;
    results.faults = carried.faults;
    fill_in_recovery(&mut results);
    results.objectives = slo.map(|slo| slo.judge(&results)).unwrap_or_default();
    if results.partial.is_none() {
        progress("stopping the nodes".to_owned());
        carried.fleet.stop().await?;
    }
    carried.failed.map(|()| results)
}

/// Where everything of the cluster is.
enum Folder {
    Named(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn new(named: Option<&Path>) -> anyhow::Result<Self> {
        let Some(folder) = named else {
            return Ok(Self::Temporary(tempfile::Builder::new().prefix("callboard-chaos-").tempdir()?));
        };
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // Programs that run elsewhere are told of it.
        Ok(Self::Named(folder.canonicalize()?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Named(folder) => folder,
            Self::Temporary(folder) => folder.path(),
        }
    }

    /// Where it still is.
    fn keep_unless(self, is_well: bool) -> Option<PathBuf> {
        match self {
            Self::Named(folder) => Some(folder),
            Self::Temporary(folder) if is_well => {
                drop(folder);
                None
            }
            Self::Temporary(folder) => Some(folder.keep()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_lasts_as_long_as_its_faults_take() {
        let binary = ["--binary", "/bin/true"];
        let of = |more: &[&str]| {
            let words = ["chaos", "echo"].iter().chain(&binary).chain(more);
            Options::of(&command().get_matches_from(words))
        };
        let options = of(&["--faults", "kill,pause"]).unwrap();
        assert_eq!(options.appointments.len() % 2, 0);
        assert!(options.scenario.load.duration >= Duration::from_secs(35));
        let refused =
            of(&["--faults", "kill,pause", "--duration", "20s"]).err().map(|error| error.to_string());
        assert!(refused.is_some_and(|error| error.contains("--duration")));
    }

    /// Goal: nobody waits for a run that cannot pass.
    #[test]
    fn an_outage_that_leads_to_nothing_is_refused_with_what_is_needed() {
        let of = |more: &[&str]| {
            let words = ["chaos", "echo", "--binary", "/bin/true"].iter().chain(more);
            Options::of(&command().get_matches_from(words)).map(drop).map_err(|error| error.to_string())
        };
        let refused = of(&["--faults", "kill,pause", "--outage", "4500ms"]).unwrap_err();
        assert!(refused.contains("too short for pause") && refused.contains("4.6s or more"), "{refused}");
        assert_eq!(of(&["--faults", "partition", "--outage", "4600ms"]), Ok(()));
        // It is about nothing else.
        assert_eq!(of(&["--faults", "kill,redis-flush", "--outage", "1s"]), Ok(()));
        let brief = ["--faults", "pause", "--node-setting", "call-fence=1500ms"];
        let brief = [&brief[..], &["--node-setting", "call-renew=400ms", "--outage", "2300ms"]].concat();
        assert_eq!(of(&brief), Ok(()));
    }

    #[test]
    fn what_is_wrong_with_an_option_is_said() {
        for (words, expected) in [
            (["--faults", "kil"], "there is no such fault"),
            (["--node-setting", "lease"], "NAME=VALUE"),
            (["--nodes", "0"], "1..=64"),
        ] {
            let words = ["chaos", "echo"].iter().chain(&words);
            let error = command().try_get_matches_from(words).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
