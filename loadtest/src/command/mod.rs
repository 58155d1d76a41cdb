//! The command line.

mod beside;
mod capacity;
mod chaos;
mod options;
mod run;
mod scenarios;
mod which;

use std::{process::ExitCode, time::Duration};

use clap::Command;
use tokio::task::spawn_local;

use crate::{
    engine::{Handle, Run},
    machine, report,
    results::Results,
    view::{self, EndEarly, Mode, View},
};

/// What a script may rely on; docs/LOADTEST.md says the same.
const EXIT_CODES: &str = "\
Exit codes:
  0    the run passes, also if it is doubtful or a part of one
  1    a promise was broken, an objective (--slo) was missed, a fault did not land, `capacity` found no rate, `compare`
       found something worse; or there was no run: no target, a node that did not start, a ledger that cannot be read
  2    wrong use: an option, a scenario, a target that may not be loaded; a file that cannot be read or written
  130  a second Ctrl-C";

/// Ends with one of [`EXIT_CODES`].
#[must_use]
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    match matches.subcommand() {
        Some(("run", arguments)) => tell(run::run(arguments)),
        Some(("capacity", arguments)) => tell(capacity::run(arguments)),
        Some(("beside", arguments)) => tell(beside::run(arguments)),
        Some(("chaos", arguments)) => tell(chaos::run(arguments)),
        Some(("scenario", arguments)) => view::tell(scenarios::run(arguments)),
        Some(("report", arguments)) => view::tell(report::run_report(arguments)),
        Some(("compare", arguments)) => view::tell(report::run_compare(arguments)),
        Some(("leashed", arguments)) => {
            let Err(error) = machine::process::leash(arguments);
            view::note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
        _ => unreachable!("clap asks for a command"),
    }
}

fn command() -> Command {
    Command::new("callboard-loadtest")
        .about("Loads a cluster of server actions, breaks it, and checks that it kept its word")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(EXIT_CODES)
        .subcommand(run::command())
        .subcommand(capacity::command())
        .subcommand(beside::command())
        .subcommand(chaos::command())
        .subcommand(scenarios::command())
        .subcommand(report::report_command())
        .subcommand(report::compare_command())
        .subcommand(machine::process::leash_command())
}

/// Says what a run came to. One that failed is no wrong use.
fn tell(told: anyhow::Result<report::Told>) -> ExitCode {
    match told {
        Err(error) if !error.is::<WrongUse>() => {
            view::note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
        told => view::tell(told),
    }
}

/// What whoever typed the command can put right.
#[derive(Debug)]
pub(crate) struct WrongUse(anyhow::Error);

impl std::fmt::Display for WrongUse {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:#}", self.0)
    }
}

impl std::error::Error for WrongUse {}

/// Says of an error that it is wrong use.
pub(crate) trait OrWrongUse<T> {
    /// # Errors
    ///
    /// The same.
    fn or_wrong_use(self) -> anyhow::Result<T>;
}

impl<T> OrWrongUse<T> for anyhow::Result<T> {
    fn or_wrong_use(self) -> anyhow::Result<T> {
        self.map_err(|error| WrongUse(error).into())
    }
}

/// Drives a run while it is shown, until it is over or somebody has had enough of it.
pub(crate) async fn drive(run: Run, mode: Mode) -> anyhow::Result<Results> {
    let end = EndEarly::default();
    let view = View::begin(mode, run.snapshots(), end.clone())?;
    let stopping = spawn_local(stop_when_asked(run.handle(), end));
    let results = run.drive().await;
    stopping.abort();
    view.end();
    results
}

/// How often it is looked whether the screen was asked to end.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A first Ctrl-C, or the key on the screen, ends the load and gives a partial result; a Ctrl-C after it ends the process
/// at once. Never ends by itself.
async fn stop_when_asked(run: Handle, end: EndEarly) {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = asked(&end) => {}
    }
    run.stop(format!("stopped by hand after {:.1} s", run.now().as_secs_f64()));
    if tokio::signal::ctrl_c().await.is_ok() {
        // What a shell expects of a process that ends of it.
        std::process::exit(130);
    }
}

async fn asked(end: &EndEarly) {
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    while !end.is_asked() {
        interval.tick().await;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
