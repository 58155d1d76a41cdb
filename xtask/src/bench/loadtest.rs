//! What our load generator costs: beside wrk, which does nothing but send and count, on the same server in the same minute.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use clap::ArgMatches;

use super::{
    ECHO_BODY,
    contest::Target,
    reference, report,
    server::{self, Server},
    statistics::{Ratio, median_of},
    wrk,
};
use crate::build::{self, Profile};

/// Share of wrk's requests per second that is to be reached, generator and server sharing the machine.
const RATIO_BAR: f64 = 0.6;

/// How late the one request of a hundred may be sent at half of the highest rate.
const LATE_BAR_US: f64 = 1000.0;

/// The call that wrk makes, for ours.
const SCENARIO: &str = r#"about = "The call of the benchmarks."

[load]
rate = 1000
spacing = "even"
warm_up = "500ms"
duration = "3s"
connections = 32

[[operation]]
action = "echo"
arguments = ["hello", { n = 1, items = [1, 2, 3] }]
"#;

/// How long and how often to measure.
pub(crate) struct Options {
    rounds: u32,
    seconds: u32,
    connections: u32,
    workload: Option<PathBuf>,
    loadtest: Option<PathBuf>,
    write: bool,
}

impl Options {
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        let number = |name: &str| *arguments.get_one::<u32>(name).expect("has a default");
        Self {
            rounds: number("rounds"),
            seconds: number("seconds"),
            connections: number("connections"),
            workload: arguments.get_one::<PathBuf>("workload").cloned(),
            loadtest: arguments.get_one::<PathBuf>("loadtest").cloned(),
            write: arguments.get_flag("write"),
        }
    }
}

/// What our generator measured.
struct Ours {
    calls_per_second: f64,
    late_p99_us: f64,
    cpu_share: f64,
}

/// A round: both as fast as they can, and ours at half of that.
struct Round {
    wrk: f64,
    ours: Ours,
    half: Ours,
}

/// Both generators, in turn.
pub(crate) fn loadtest(options: &Options) -> anyhow::Result<()> {
    wrk::version()?;
    let generator = match &options.loadtest {
        Some(file) => file.clone(),
        None => build::program("callboard-loadtest", Profile::Release, &[])?,
    };
    let folder = tempfile::tempdir()?;
    let scenario = folder.path().join("echo.toml");
    std::fs::write(&scenario, SCENARIO)?;
    let workload = super::workload(options.workload.as_ref())?;
    let node = Server::start("node", server::node(&workload).arg("--state-dir").arg(folder.path()))?;
    let echo = reference(&node, "echo")?;
    let target = Target::post(&node, "/", ECHO_BODY)
        .header("content-type", "text/plain;charset=UTF-8")
        .header("accept", "text/x-component")
        .header("next-action", &echo)
        .connections(options.connections);
    target.answer()?;
    wrk::drive(&target, 1)?;
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        let driven = wrk::drive(&target, options.seconds)?;
        let drive = |pace: &[&str]| ours(&generator, &scenario, &node, options, pace);
        let fastest = drive(&["--saturate"])?;
        let half = drive(&["--rate", &format!("{:.0}", fastest.calls_per_second / 2.0)])?;
        let round = Round { wrk: driven.answers / driven.seconds, ours: fastest, half };
        println!(
            "round {number}: {:.0} / {:.0} calls per second = {:.3}; at half of it 99 % began within {:.0} us, with {:.0} % \
             of a core",
            round.ours.calls_per_second,
            round.wrk,
            round.ours.calls_per_second / round.wrk,
            round.half.late_p99_us,
            round.half.cpu_share * 100.0,
        );
        rounds.push(round);
    }
    let text = markdown(options, &rounds)?;
    println!("\n{text}");
    if options.write {
        report::keep(report::Runs::Loadtest, &text)?;
    }
    Ok(())
}

/// Drives the node with our generator.
fn ours(
    generator: &Path,
    scenario: &Path,
    node: &Server,
    options: &Options,
    pace: &[&str],
) -> anyhow::Result<Ours> {
    let admin = node.admin.as_deref().context("the node named no admin port")?;
    let output = Command::new(generator)
        .arg("run")
        .arg(scenario)
        .args(["--target", &format!("http://{}", node.address), "--admin", &format!("http://{admin}")])
        .args(["--duration", &format!("{}s", options.seconds)])
        .args(["--connections-max", &options.connections.to_string()])
        .args(["--json", "--quiet"])
        .args(pace)
        .output()?;
    let results: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no results: {}", String::from_utf8_lossy(&output.stderr)))?;
    let total = &results["total"];
    if total["outcomes"]["done"] != total["requests"] {
        bail!("not all calls were done: {}; such a figure says nothing", total["outcomes"]);
    }
    let number = |value: &serde_json::Value| value.as_f64().context("the results lack a number");
    Ok(Ours {
        calls_per_second: number(&total["rate_achieved"])?,
        late_p99_us: number(&results["generator"]["lag"]["p99_us"])?,
        cpu_share: number(&results["generator"]["cpu_share"])?,
    })
}

fn markdown(options: &Options, rounds: &[Round]) -> anyhow::Result<String> {
    let mut text = report::heading()?;
    writeln!(text, "Machine: {}. {}; {}.", report::machine()?, report::compiler()?, wrk::version()?)?;
    writeln!(
        text,
        "Method: {} rounds; in each, wrk and callboard-loadtest in turn make the same call on {} connections for {} s as \
         fast as answers come, each from one thread, and callboard-loadtest then makes half as many per second by the \
         clock. Generator and server share the machine.\n",
        options.rounds, options.connections, options.seconds
    )?;
    let ratio = Ratio::of(rounds.iter().map(|round| round.ours.calls_per_second / round.wrk));
    let median = |of: fn(&Round) -> f64| median_of(rounds.iter().map(of));
    let late_us = median(|round| round.half.late_p99_us);
    let verdict = |holds: bool| match (ratio.doubt(), holds) {
        (Some(doubt), _) => doubt,
        (None, true) => "reached",
        (None, false) => "not reached",
    };
    writeln!(text, "| figure | median | bar | |\n|---|---|---|---|")?;
    writeln!(text, "| wrk, calls per second | {:.0} | | |", median(|round| round.wrk))?;
    let fastest = median(|round| round.ours.calls_per_second);
    writeln!(text, "| callboard-loadtest, calls per second | {fastest:.0} | | |")?;
    writeln!(
        text,
        "| ratio (rounds spread by {:.1} %) | {:.3} | {RATIO_BAR} | {} |",
        ratio.spread * 100.0,
        ratio.median,
        verdict(ratio.median >= RATIO_BAR)
    )?;
    writeln!(
        text,
        "| at half of it, how late 1 % of the calls began or more, us | {late_us:.0} | {LATE_BAR_US:.0} | {} |",
        if late_us <= LATE_BAR_US { "reached" } else { "not reached" }
    )?;
    let share = median(|round| round.half.cpu_share);
    writeln!(text, "| at half of it, share of a core | {share:.2} | | |")?;
    Ok(text)
}
