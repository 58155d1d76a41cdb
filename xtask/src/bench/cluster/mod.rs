//! What it costs that a call runs on another node than it came to, and how long nobody runs it when that node dies.
//!
//! Three nodes share a Redis. Calls of one action go to a node that passes them on, and to the one that runs them; what
//! that adds is held against Redis itself. All of it is measured in each round, so that what the machine does meanwhile
//! hits all sides.

mod report;
mod rounds;
mod takeover;

use std::path::PathBuf;

use clap::ArgMatches;

use super::{ECHO_BODY, line::Call, nodes::Nodes, reference, report as page, store::Redis, workload, wrk};
use rounds::Course;

/// How long and how often to measure.
pub(crate) struct Options {
    rounds: u32,
    seconds: u32,
    connections: u32,
    kills: u32,
    workload: Option<PathBuf>,
    write: bool,
}

impl Options {
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        let number = |name: &str| *arguments.get_one::<u32>(name).expect("has a default");
        Self {
            rounds: number("rounds"),
            seconds: number("seconds"),
            connections: number("connections"),
            kills: number("kills"),
            workload: arguments.get_one::<PathBuf>("workload").cloned(),
            write: arguments.get_flag("write"),
        }
    }
}

/// Three nodes and their Redis.
pub(crate) fn cluster(options: &Options) -> anyhow::Result<()> {
    wrk::version()?;
    let redis = Redis::start()?;
    let mut nodes = Nodes::start(workload(options.workload.as_ref())?, &redis)?;
    let echo = Call { reference: reference(nodes.server(0), "echo")?, body: ECHO_BODY.to_owned() };
    let owner = nodes.owner_of(&echo)?;
    let rounds = Course::new(&redis, &nodes, owner, &echo, options.connections).run(options)?;
    let counter = reference(nodes.server(0), "keyed_counter")?;
    let keyed = |key| Call { reference: counter.clone(), body: format!(r#"["bench-{key}",0]"#) };
    let takeovers = takeover::run(&mut nodes, options.kills, &echo, keyed)?;
    let report = report::markdown(options, &redis.version()?, &rounds, &takeovers)?;
    println!("\n{report}");
    if options.write {
        page::keep(page::Runs::Cluster, &report)?;
    }
    Ok(())
}
