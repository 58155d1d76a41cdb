//! Long simulations: the same code as in `./test`, optimised, over more seeds.

use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::{ArgMatches, parser::ValueSource};

use crate::repository;

/// What to simulate.
pub(crate) struct Options {
    calls: Option<u64>,
    seed: Option<u64>,
}

impl Options {
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        let seed = arguments.get_one("seed").copied();
        let asked = arguments.value_source("calls") == Some(ValueSource::CommandLine);
        let calls = (asked || seed.is_none()).then(|| *arguments.get_one("calls").expect("it has a default"));
        Self { calls, seed }
    }
}

/// A number of things, maybe as `1e8`.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let number: f64 = text.parse().map_err(|_| format!("expected a number such as 1e8, found {text:?}"))?;
    if (1.0..=1e15).contains(&number) && number.fract() == 0.0 {
        Ok(number as u64)
    } else {
        Err(format!("expected a whole number from 1 to 1e15, found {text:?}"))
    }
}

/// Simulates calls between nodes, and tells on standard output how far it is.
pub(crate) fn calls(options: &Options) -> anyhow::Result<()> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(repository::root()).args([
        "test",
        "--release",
        "--locked",
        "-p",
        "callboard-cluster",
        "--features",
        "mutants",
        "--test",
        "sim",
        "no_promise_is_broken",
        "--",
        "--nocapture",
    ]);
    if let Some(calls) = options.calls {
        command.env("SIMULATE_CALLS", calls.to_string());
    }
    if let Some(seed) = options.seed {
        command.env("SIMULATE_SEED", seed.to_string());
    }
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "a promise was broken; the seeds are above");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_are_whole_numbers() {
        assert_eq!(count("1e8"), Ok(100_000_000));
        assert_eq!(count("2500"), Ok(2500));
        for wrong in ["", "0", "-1", "1.5", "1e99", "many"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }
}
