//! What a run is reported as: figures, the machine they are of, and what they are held against.

use std::{fmt::Write as _, path::Path, process::Command};

use anyhow::Context as _;

use super::{
    Options,
    contest::{Contest, Round},
    statistics::{Ratio, median_of},
    wrk,
};
use crate::repository;

const FILE: &str = "docs/benchmarks.md";

/// The benchmarks whose runs the page keeps.
#[derive(Clone, Copy)]
pub(crate) enum Runs {
    /// `cargo xtask bench node`
    Node,
    /// `cargo xtask bench decode`
    Decode,
    /// `cargo xtask bench cluster`
    Cluster,
    /// `cargo xtask bench cache`
    Cache,
    /// `cargo xtask bench loadtest`
    Loadtest,
}

impl Runs {
    /// The newest run stands right behind this line.
    fn marker(self) -> &'static str {
        match self {
            Self::Node => "<!-- runs of cargo xtask bench node, newest first -->\n",
            Self::Decode => "<!-- the last run of cargo xtask bench decode -->\n",
            Self::Cluster => "<!-- runs of cargo xtask bench cluster, newest first -->\n",
            Self::Cache => "<!-- runs of cargo xtask bench cache, newest first -->\n",
            Self::Loadtest => "<!-- runs of cargo xtask bench loadtest, newest first -->\n",
        }
    }
}

/// The whole run.
pub(crate) fn markdown(
    options: &Options,
    contests: &[Contest<'_>],
    results: &[Vec<Round>],
    instructions: &[Option<(f64, f64)>],
) -> anyhow::Result<String> {
    let mut text = heading()?;
    method(&mut text, options)?;
    for ((contest, rounds), instructions) in contests.iter().zip(results).zip(instructions) {
        contest_section(&mut text, contest, rounds, *instructions)?;
    }
    Ok(text)
}

/// Date and commit.
pub(crate) fn heading() -> anyhow::Result<String> {
    Ok(format!("## {}, commit {}\n\n", output("date", &["-u", "+%F"])?, commit()?))
}

/// Says so where the figures are of a workload that somebody else built, or of a generator that is not optimised.
pub(super) fn disclaim(text: &mut String, workload: Option<&Path>) -> anyhow::Result<()> {
    if workload.is_some() || cfg!(debug_assertions) {
        writeln!(
            text,
            "\n**A workload of unknown profile, or an unoptimised xtask: these figures say nothing.**"
        )?;
    }
    Ok(())
}

fn method(text: &mut String, options: &Options) -> anyhow::Result<()> {
    writeln!(text, "Machine: {}. {}; {}; actix-web {}.", machine()?, compiler()?, wrk::version()?, actix()?)?;
    writeln!(
        text,
        "Method: {} rounds of {} s for each contestant in turn, wrk with one thread and 32 connections; default \
         settings; profile release with mimalloc on both sides. Ratios are node over bare, per round.",
        options.rounds, options.seconds
    )?;
    disclaim(text, options.workload.as_deref())
}

fn contest_section(
    text: &mut String,
    contest: &Contest<'_>,
    rounds: &[Round],
    instructions: Option<(f64, f64)>,
) -> anyhow::Result<()> {
    let cpu = Ratio::of(rounds.iter().map(Round::cpu_ratio));
    let throughput = Ratio::of(rounds.iter().map(Round::throughput_ratio));
    let median = |of: fn(&Round) -> f64| median_of(rounds.iter().map(of));
    writeln!(text, "\n### {}\n", contest.name)?;
    writeln!(text, "| | node | bare | ratio (median) | spread of the ratio |\n|---|---|---|---|---|")?;
    writeln!(
        text,
        "| server CPU per call | {:.2} us | {:.2} us | {:.3} | {} |",
        median(|round| round.node.cpu_us_per_call),
        median(|round| round.bare.cpu_us_per_call),
        cpu.median,
        spread(&cpu),
    )?;
    match instructions {
        Some((node, bare)) => writeln!(
            text,
            "| instructions per call, user space | {node:.0} | {bare:.0} | {:.3} | one run |",
            node / bare
        )?,
        None => writeln!(text, "| instructions per call | | | | `perf` cannot count them on this machine |")?,
    }
    writeln!(
        text,
        "| calls per second | {:.0} | {:.0} | {:.3} | {} |",
        median(|round| round.node.calls_per_second),
        median(|round| round.bare.calls_per_second),
        throughput.median,
        spread(&throughput),
    )?;
    writeln!(
        text,
        "| latency p50, p99 (closed loop) | {:.0}, {:.0} us | {:.0}, {:.0} us | | |",
        median(|round| round.node.driven.p50_us),
        median(|round| round.node.driven.p99_us),
        median(|round| round.bare.driven.p50_us),
        median(|round| round.bare.driven.p99_us),
    )?;
    writeln!(text, "\nCPU per call is {}.", held(&cpu, contest.cpu_now, contest.cpu_bar))?;
    if let Some(bar) = contest.throughput_bar {
        let verdict = if let Some(doubt) = throughput.doubt() {
            doubt
        } else if throughput.median >= bar {
            "reached"
        } else {
            "not reached"
        };
        writeln!(text, "Throughput of at least {bar:.2} x bare: {verdict}.")?;
    }
    Ok(())
}

fn spread(ratio: &Ratio) -> String {
    let doubt = ratio.doubt().map_or_else(String::new, |doubt| format!(", {doubt}"));
    format!("{:.1} %{doubt}", ratio.spread * 100.0)
}

/// A run in doubt passes nothing.
fn held(ratio: &Ratio, now: f64, bar: f64) -> String {
    let verdict = |limit: f64| match ratio.doubt() {
        Some(doubt) => doubt,
        None if ratio.median <= limit => "within",
        None => "above",
    };
    format!(
        "{:.3} x bare; today's figure {now:.2} x: {}; the product's bar {bar:.2} x: {}",
        ratio.median,
        verdict(now),
        verdict(bar)
    )
}

/// The processor, and how much of it there is.
pub(crate) fn machine() -> anyhow::Result<String> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism()?;
    let kernel = output("uname", &["-sr"])?;
    Ok(format!("{}, {cores} cores, {kernel}", model.trim_matches([' ', '\t', ':'])))
}

pub(crate) fn compiler() -> anyhow::Result<String> {
    output("rustc", &["-V"])
}

/// The version that is linked into both sides.
fn actix() -> anyhow::Result<String> {
    let lock = std::fs::read_to_string(repository::root().join("Cargo.lock"))?;
    let version =
        lock.split_once("name = \"actix-web\"\nversion = \"").and_then(|(_, rest)| rest.split('"').next());
    Ok(version.context("Cargo.lock names no actix-web")?.to_owned())
}

fn commit() -> anyhow::Result<String> {
    let changed = !output("git", &["status", "--porcelain"])?.is_empty();
    Ok(output("git", &["rev-parse", "--short", "HEAD"])? + if changed { " with changes" } else { "" })
}

fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).current_dir(repository::root()).output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Adds a run to the page of benchmarks. Of those whose tables are long, only the last is kept.
pub(crate) fn keep(runs: Runs, report: &str) -> anyhow::Result<()> {
    let path = repository::root().join(FILE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {FILE}"))?;
    let marker = runs.marker();
    let (before, after) =
        page.split_once(marker).with_context(|| format!("{FILE} has no line {marker:?}"))?;
    let after = match runs {
        Runs::Node | Runs::Cluster | Runs::Cache | Runs::Loadtest => after,
        Runs::Decode => "",
    };
    std::fs::write(&path, format!("{before}{marker}\n{report}{after}"))?;
    println!("added to {FILE}");
    Ok(())
}
