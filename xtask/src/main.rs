//! Chores of this repository: benchmarks, generated documentation, and the tidy tests.
//!
//! *Objective*: what `./test` and people run by hand, written once and in Rust.
//!
//! *Non-objective*: nothing here is part of the product, and nothing of the product depends on it.

mod bare;
mod bench;
mod build;
mod cluster;
mod compose;
mod docs;
mod faults;
mod fuzz;
mod monitoring;
mod repository;
mod simulate;
#[cfg(test)]
mod tidy;

use std::{path::PathBuf, process::ExitCode};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// What the workload uses, so that the bare server differs from a node in the node alone.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(&command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match matches.subcommand() {
        Some(("bench", arguments)) => match arguments.subcommand() {
            Some(("node", arguments)) => bench::node(&bench::Options::of(arguments)),
            Some(("cluster", arguments)) => bench::cluster(&bench::ClusterOptions::of(arguments)),
            Some(("cache", arguments)) => bench::cache(&bench::CacheOptions::of(arguments)),
            Some(("loadtest", arguments)) => bench::loadtest(&bench::LoadtestOptions::of(arguments)),
            Some(("decode", arguments)) => bench::decode(&bench::DecodeOptions::of(arguments)),
            _ => unreachable!("clap asks for a benchmark"),
        },
        Some(("fuzz", arguments)) => fuzz::run(&fuzz::Options::of(arguments)),
        Some(("simulate", arguments)) => match arguments.subcommand() {
            Some(("calls", arguments)) => simulate::CALLS.run(arguments),
            Some(("cache", arguments)) => simulate::CACHE.run(arguments),
            _ => unreachable!("clap asks for a simulation"),
        },
        Some(("cluster", arguments)) => cluster::run(&cluster::Options::of(arguments)),
        Some(("faults", arguments)) => match arguments.subcommand() {
            Some(("cache", arguments)) => faults::cache::run(&faults::cache::Options::of(arguments)?),
            _ => faults::run(&faults::Options::of(arguments)?),
        },
        Some(("compose-check", arguments)) => compose::run(&compose::Options::of(arguments)),
        Some(("leashed", arguments)) => cluster::process::leash(arguments).map(|never| match never {}),
        Some(("monitoring", arguments)) => {
            let given = |name| arguments.get_one::<PathBuf>(name);
            monitoring::run(given("workload").cloned(), given("pictures").map(PathBuf::as_path))
        }
        Some(("docs", arguments)) => docs::run(arguments.get_flag("check")),
        Some(("bare", _)) => bare::serve(),
        _ => unreachable!("clap asks for a command"),
    }
}

fn monitoring_command() -> Command {
    Command::new("monitoring")
        .about(
            "Checks monitoring/: rules and alerts by promtool, and every query by a real Prometheus that scrapes three \
             nodes under load",
        )
        .arg(
            Arg::new("workload")
                .long("workload")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("This binary of the workload; without it, one is built with the profile release"),
        )
        .arg(
            Arg::new("pictures")
                .long("pictures")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help(
                    "Writes pictures of the status page and of two dashboards into this folder, such as \
                     docs/images; needs Chromium and some minutes more",
                ),
        )
}

fn command() -> Command {
    let decode = Command::new("decode")
        .about("Decoder and encoder beside React's own under Node.js, over the golden vectors")
        .arg(number("rounds", "7", "Rounds; each measures every vector on both sides"))
        .arg(number(
            "milliseconds",
            "5",
            "Milliseconds that a vector is measured for on each side in a round",
        ))
        .arg(number("warm-up", "40", "Milliseconds that a vector is run for before anything counts"))
        .arg(write());
    let node = Command::new("node")
        .about("A node beside a bare actix-web server that does the same work, in interleaved rounds")
        .arg(number("rounds", "9", "Rounds; each measures every contestant once"))
        .arg(number("seconds", "3", "Seconds that a contestant is driven in a round"))
        .arg(workload())
        .arg(write());
    let fuzz = Command::new("fuzz")
        .about("Fuzzes what reads bytes from outside, with libFuzzer on one core")
        .arg(number("minutes", "16", "Minutes in all, shared by the targets"))
        .arg(
            Arg::new("keep")
                .long("keep")
                .action(ArgAction::SetTrue)
                .help("Writes the smallest inputs that reach everything into the corpus of the tree"),
        )
        .arg(Arg::new("target").value_name("TARGET").num_args(..).help("These targets; without any, all"));
    Command::new("xtask")
        .about("Chores of this repository")
        .subcommand_required(true)
        .subcommand(Command::new("bench").about("Benchmarks").subcommand_required(true).subcommands([
            node,
            decode,
            cluster_command(),
            cache_command(),
            loadtest_command(),
        ]))
        .subcommand(fuzz)
        .subcommand(simulate_command())
        .subcommand(cluster::command())
        .subcommand(faults::command())
        .subcommand(compose::command())
        .subcommand(cluster::process::leash_command())
        .subcommand(monitoring_command())
        .subcommand(
            Command::new("docs").about("Writes the generated parts of docs/").arg(
                Arg::new("check")
                    .long("check")
                    .action(ArgAction::SetTrue)
                    .help("Writes nothing; fails if something is missing or old"),
            ),
        )
        .subcommand(Command::new("bare").about("The bare server of the benchmarks").hide(true))
}

fn number(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_parser(value_parser!(u32).range(1..)).default_value(default).help(help)
}

fn write() -> Arg {
    Arg::new("write").long("write").action(ArgAction::SetTrue).help("Adds the result to docs/benchmarks.md")
}

fn workload() -> Arg {
    Arg::new("workload")
        .long("workload")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("This binary of the workload; without it, one is built with the profile release")
}

fn cluster_command() -> Command {
    Command::new("cluster")
        .about(
            "Three nodes and a Redis: calls that one passes on to another, and what happens when that dies",
        )
        .arg(number("rounds", "7", "Rounds; each measures calls that are passed on and calls that stay"))
        .arg(number("seconds", "3", "Seconds that a node is driven in a round, with either kind"))
        .arg(number("connections", "1024", "Connections that drive it"))
        .arg(
            Arg::new("kills")
                .long("kills")
                .value_parser(value_parser!(u32))
                .default_value("5")
                .help("How often the node that runs the calls is killed"),
        )
        .arg(workload())
        .arg(write())
}

fn cache_command() -> Command {
    Command::new("cache")
        .about("Kept pages: what they cost beside a bare server and nginx, and what a revalidation costs")
        .arg(number("rounds", "7", "Rounds; each measures everything but memory once"))
        .arg(number("seconds", "3", "Seconds that each server is driven in a round"))
        .arg(number("invalidations", "1000000", "Revalidations that are applied in a round"))
        .arg(number("requests", "10000", "Requests at a time for a page that was just revalidated"))
        .arg(number("entries", "1000000", "Pages that are kept to see what memory they take"))
        .arg(workload())
        .arg(write())
}

fn loadtest_command() -> Command {
    Command::new("loadtest")
        .about("Our load generator beside wrk: calls per second, and how late it begins them at half of that")
        .arg(number("rounds", "7", "Rounds; each measures both generators"))
        .arg(number("seconds", "3", "Seconds that each drives the node in a round"))
        .arg(number("connections", "32", "Connections that each drives it on"))
        .arg(workload())
        .arg(
            Arg::new("loadtest")
                .long("loadtest")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("This binary of callboard-loadtest; without it, one is built with the profile release"),
        )
        .arg(write())
}

fn simulate_command() -> Command {
    Command::new("simulate")
        .about("Seeded simulations, longer than those of ./test")
        .subcommand_required(true)
        .subcommands([simulate::CALLS.command(), simulate::CACHE.command()])
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
