//! What kept pages cost, and what it costs that none of them is old.
//!
//! Three nodes share a Redis, and a fourth is alone. Beside them stand a bare server and nginx, which give the same bytes.
//! Everything that another minute could make faster or slower is measured in each round.

mod applying;
mod filling;
mod hits;
mod nginx;
mod report;
mod revalidating;
mod storm;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ArgMatches;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    bare,
    nodes::Nodes,
    report as page,
    server::{self, Server},
    store::Redis,
    workload, wrk,
};
use hits::{Contestants, Hits};
use revalidating::{Added, Course};
use storm::Storm;

/// How long and how often to measure.
pub(crate) struct Options {
    rounds: u32,
    seconds: u32,
    entries: u32,
    requests: u32,
    invalidations: u32,
    workload: Option<PathBuf>,
    write: bool,
}

impl Options {
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        let number = |name: &str| *arguments.get_one::<u32>(name).expect("has a default");
        Self {
            rounds: number("rounds"),
            seconds: number("seconds"),
            entries: number("entries"),
            requests: number("requests"),
            invalidations: number("invalidations"),
            workload: arguments.get_one::<PathBuf>("workload").cloned(),
            write: arguments.get_flag("write"),
        }
    }
}

/// What each round measures.
struct Round {
    added: Added,
    hits: Hits,
    /// Revalidations that one core applies in a second.
    applied_per_second: f64,
}

/// All of it.
pub(crate) fn cache(options: &Options) -> anyhow::Result<()> {
    wrk::version()?;
    nginx::version()?;
    // Servers that are started from here on may have as many.
    allow_open_files(u64::from(options.requests) + 1000)?;
    let workload = workload(options.workload.as_ref())?;
    let redis = Redis::start()?;
    let nodes = Nodes::start(workload.clone(), &redis)?;
    let (quiet, loud) = (revalidating::call(&nodes, &[])?, revalidating::call(&nodes, &["bench-added"])?);
    let owner = nodes.server(nodes.owner_of(&quiet)?);
    let rounds = rounds(options, &workload, &Course::new(&redis, owner, &quiet, &loud), owner)?;
    let storms = storms(options, &nodes, owner)?;
    let overhead = filling::overhead(&workload, options.entries)?;
    let report = report::markdown(options, &redis.version()?, &rounds, &storms, overhead)?;
    println!("\n{report}");
    if options.write {
        page::keep(page::Runs::Cache, &report)?;
    }
    storms.iter().try_for_each(Storm::check)
}

/// The rounds, after a warm-up.
fn rounds(
    options: &Options,
    workload: &Path,
    course: &Course<'_>,
    clustered: &Server,
) -> anyhow::Result<Vec<Round>> {
    let state = tempfile::tempdir()?;
    let alone = Server::start("node", server::node(workload).arg("--state-dir").arg(state.path()))?;
    let (bare, nginx) = (bare()?, nginx::start()?);
    let contestants = Contestants::new(&bare, nginx.server(), &alone, clustered);
    contestants.check()?;
    course.added()?;
    contestants.hits(1)?;
    let round = |number| -> anyhow::Result<Round> {
        let round = Round {
            added: course.added()?,
            hits: contestants.hits(options.seconds)?,
            applied_per_second: applying::per_second(options.invalidations)?,
        };
        println!("round {number}: {}; {}; {:.0} applied", round.added, round.hits, round.applied_per_second);
        Ok(round)
    };
    (1..=options.rounds).map(round).collect()
}

/// A storm for each round; they take no time to speak of, and nothing of them depends on it.
fn storms(options: &Options, nodes: &Nodes<'_>, at: &Server) -> anyhow::Result<Vec<Storm>> {
    let revalidate = revalidating::call(nodes, &[storm::TAG])?;
    storm::run(at, &revalidate, options.rounds, options.requests)
}

/// Raises the limit of this process on open files, as far as is allowed.
fn allow_open_files(wanted: u64) -> anyhow::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if maximum.is_some_and(|maximum| maximum < wanted) {
        bail!("{wanted} files have to be open at a time, and {maximum:?} are allowed (ulimit -n)");
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).context("the limit on open files")
}
