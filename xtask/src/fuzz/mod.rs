//! The fuzz targets of `protocol/fuzz`, run for real: libFuzzer, one core, lowest priority.
//!
//! `./test` runs the same targets without any of this, with the corpus in the tree and seeded changes to it.

mod tally;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use clap::ArgMatches;

use crate::repository;
pub(crate) use tally::{documented, total};

/// Longest input, in bytes: long enough for every format, short enough for many executions.
const INPUT_BYTES_MAX: u32 = 512;
/// A single input that takes longer is a finding.
const INPUT_SECONDS_MAX: u32 = 5;
const MEMORY_MB_MAX: u32 = 1024;

/// How long, and what.
pub(crate) struct Options {
    minutes: u32,
    targets: Vec<String>,
    keep: bool,
}

impl Options {
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        Self {
            minutes: *arguments.get_one("minutes").expect("has a default"),
            targets: arguments.get_many("target").unwrap_or_default().cloned().collect(),
            keep: arguments.get_flag("keep"),
        }
    }
}

/// Runs the targets one after the other, each for its share of the time.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let known = targets()?;
    let chosen = if options.targets.is_empty() { known.clone() } else { options.targets.clone() };
    if let Some(unknown) = chosen.iter().find(|name| !known.contains(name)) {
        bail!("there is no target {unknown}; there are {}", known.join(", "));
    }
    install()?;
    succeed(cargo().args(["fuzz", "build", "--sanitizer", "none"]))?;
    let corpus = folder().join("target/corpus");
    succeed(cargo().args(["run", "--quiet", "--example", "corpus", "--", "seed"]).arg(&corpus))?;

    let seconds = u64::from(options.minutes) * 60 / chosen.len() as u64;
    let mut findings = Vec::new();
    for name in &chosen {
        let Run { executions, finding } = fuzz(name, &corpus, seconds)?;
        println!("{name}: {executions} executions{}", if finding { ", and a finding" } else { "" });
        tally::add(name, executions)?;
        findings.extend(finding.then(|| name.clone()));
    }
    println!("{} executions in all runs that are on record", total()?);
    if options.keep {
        keep(&chosen, &corpus)?;
    }
    if !findings.is_empty() {
        bail!("see {}/ for what breaks a claim of: {}", artifacts().display(), findings.join(", "));
    }
    Ok(())
}

struct Run {
    executions: u64,
    finding: bool,
}

fn fuzz(name: &str, corpus: &Path, seconds: u64) -> anyhow::Result<Run> {
    std::fs::create_dir_all(artifacts())?;
    let output = binary(name)?
        .arg(corpus.join(name))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB_MAX}"))
        .arg(format!("-artifact_prefix={}/{name}-", artifacts().display()))
        .arg("-print_final_stats=1")
        .stderr(Stdio::piped())
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    let finding = !output.status.success();
    if finding {
        eprintln!("{log}");
    }
    Ok(Run {
        executions: executions(&log).with_context(|| format!("{name} did not say how often it ran"))?,
        finding,
    })
}

/// What libFuzzer says at its end.
fn executions(log: &str) -> Option<u64> {
    let line = log.lines().rev().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line?.trim().parse().ok()
}

/// Writes the smallest inputs that reach everything reached into the tree.
fn keep(targets: &[String], corpus: &Path) -> anyhow::Result<()> {
    let smallest = folder().join("target/smallest");
    if smallest.exists() {
        std::fs::remove_dir_all(&smallest)?;
    }
    for name in targets {
        let to = smallest.join(name);
        std::fs::create_dir_all(&to)?;
        let mut merge = binary(name)?;
        succeed(merge.arg("-merge=1").arg(&to).arg(corpus.join(name)).stderr(Stdio::null()))?;
    }
    succeed(cargo().args(["run", "--quiet", "--example", "corpus", "--", "keep"]).arg(&smallest))
}

/// A target as it was built, to be run when nobody else needs the processor.
fn binary(name: &str) -> anyhow::Result<Command> {
    let version = Command::new("rustc").arg("-vV").output()?;
    let version = String::from_utf8(version.stdout)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let file = folder().join("target").join(host).join("release").join(name);
    if !file.is_file() {
        bail!("{} is missing", file.display());
    }
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(file);
    Ok(command)
}

/// The targets, by the names of their files.
fn targets() -> anyhow::Result<Vec<String>> {
    let files = std::fs::read_dir(folder().join("fuzz_targets"))?;
    let names =
        files.map(|file| Ok(file?.path().file_stem().unwrap_or_default().to_string_lossy().into_owned()));
    let mut names = names.collect::<anyhow::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn install() -> anyhow::Result<()> {
    let installed =
        cargo().args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if installed.success() {
        return Ok(());
    }
    println!("installing cargo-fuzz");
    succeed(cargo().args(["install", "--locked", "cargo-fuzz"]))
}

fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    // Where the targets are is known only if nobody else says.
    cargo.current_dir(folder()).env("CARGO_TARGET_DIR", folder().join("target"));
    cargo
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if status.success() { Ok(()) } else { bail!("{command:?} failed") }
}

fn folder() -> PathBuf {
    repository::root().join("protocol/fuzz")
}

fn artifacts() -> PathBuf {
    folder().join("artifacts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_from_what_the_fuzzer_says_last() {
        let log = "#7 DONE\nstat::number_of_executed_units: 12345\nstat::average_exec_per_sec:     99\n";
        assert_eq!(executions(log), Some(12345));
        assert_eq!(executions("killed"), None);
    }
}
