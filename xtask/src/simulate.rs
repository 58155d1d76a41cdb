//! Long simulations: the same code as in `./test`, optimised, over more seeds.

use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::{Arg, ArgMatches, parser::ValueSource, value_parser};

use crate::repository;

/// A simulation, and what is counted in it.
pub(crate) struct Simulation {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) about: &'static str,
    /// What is counted.
    pub(crate) counts: &'static str,
    test: &'static str,
    variable: &'static str,
}

pub(crate) const CALLS: Simulation = Simulation {
    name: "calls",
    about: "Calls between nodes, on a store and a network that fail",
    counts: "calls",
    test: "sim",
    variable: "SIMULATE_CALLS",
};

pub(crate) const CACHE: Simulation = Simulation {
    name: "cache",
    about: "Reads of the render cache while actions revalidate, on a log and a network that fail",
    counts: "reads",
    test: "cache_sim",
    variable: "SIMULATE_READS",
};

/// A number of things, maybe as `1e8`.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let number: f64 = text.parse().map_err(|_| format!("expected a number such as 1e8, found {text:?}"))?;
    if (1.0..=1e15).contains(&number) && number.fract() == 0.0 {
        Ok(number as u64)
    } else {
        Err(format!("expected a whole number from 1 to 1e15, found {text:?}"))
    }
}

impl Simulation {
    /// Its command.
    pub(crate) fn command(&self) -> clap::Command {
        clap::Command::new(self.name).about(self.about).args([
            Arg::new(self.counts)
                .long(self.counts)
                .value_parser(count)
                .default_value("1e6")
                .help(format!("How many {} to simulate, such as 1e8", self.counts)),
            Arg::new("seed")
                .long("seed")
                .value_parser(value_parser!(u64))
                .help("The first seed; alone, it is the only one"),
        ])
    }

    /// Simulates, and tells on standard output how far it is.
    pub(crate) fn run(&self, arguments: &ArgMatches) -> anyhow::Result<()> {
        let seed: Option<u64> = arguments.get_one("seed").copied();
        let asked = arguments.value_source(self.counts) == Some(ValueSource::CommandLine);
        let number: Option<u64> = arguments.get_one(self.counts).copied();
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
            self.test,
            "no_promise_is_broken",
            "--",
            "--nocapture",
        ]);
        if let Some(number) = number.filter(|_| asked || seed.is_none()) {
            command.env(self.variable, number.to_string());
        }
        if let Some(seed) = seed {
            command.env("SIMULATE_SEED", seed.to_string());
        }
        let status = command.status().context("cannot run cargo")?;
        ensure!(status.success(), "a promise was broken; the seeds are above");
        Ok(())
    }
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
