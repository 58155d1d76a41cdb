//! What a node costs beside a bare server that does the same work on the same machine in the same minute.
//!
//! On a small machine the generator is part of the load, so the first figure is the server's CPU time per answered
//! call, and throughput comes second. Both are medians of the ratios of interleaved rounds: what the machine does
//! meanwhile hits both sides.

mod cache;
mod cluster;
mod collector;
mod contest;
mod figures;
mod line;
mod loadtest;
pub(crate) mod nodes;
mod report;
pub(crate) mod server;
mod statistics;
pub(crate) mod store;
mod wire;
mod wrk;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::ArgMatches;

use crate::build::{self, Profile};
pub(crate) use cache::{Options as CacheOptions, cache};
pub(crate) use cluster::{Options as ClusterOptions, cluster};
use collector::Collector;
use contest::{Contest, Target};
pub(crate) use loadtest::{Options as LoadtestOptions, loadtest};
use server::Server;
pub(crate) use wire::{Options as DecodeOptions, decode};

/// Size of the cached page, and of what the bare server gives for it.
pub(crate) const PAGE_BYTES: usize = 8192;

/// The arguments of the echoed call, as React's client encodes them.
const ECHO_BODY: &str = r#"["hello",{"n":1,"items":[1,2,3]}]"#;

/// How long and how often to measure.
pub(crate) struct Options {
    rounds: u32,
    seconds: u32,
    workload: Option<PathBuf>,
    write: bool,
}

impl Options {
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        let number = |name: &str| *arguments.get_one::<u32>(name).expect("has a default");
        Self {
            rounds: number("rounds"),
            seconds: number("seconds"),
            workload: arguments.get_one::<PathBuf>("workload").cloned(),
            write: arguments.get_flag("write"),
        }
    }
}

/// A node and a bare server, in turn.
pub(crate) fn node(options: &Options) -> anyhow::Result<()> {
    wrk::version()?;
    let state = tempfile::tempdir()?;
    let workload = workload(options.workload.as_ref())?;
    let node = Server::start("node", server::node(&workload).arg("--state-dir").arg(state.path()))?;
    let collector = Collector::start()?;
    let other_state = tempfile::tempdir()?;
    let mut traced = server::node(&workload);
    traced.arg("--state-dir").arg(other_state.path()).args(["--otlp-endpoint", &collector.url()]);
    let traced = Server::start("traced node", &mut traced)?;
    let bare = bare()?;
    let echo_on = |node| -> anyhow::Result<_> {
        let echo = reference(node, "echo")?;
        let target = Target::post(node, "/", ECHO_BODY).header("content-type", "text/plain;charset=UTF-8");
        Ok(target.header("accept", "text/x-component").header("next-action", &echo))
    };
    let contests = [
        Contest {
            name: "echo action, beside a bare actix-web JSON echo",
            node: echo_on(&node)?,
            bare: Target::post(&bare, "/", ECHO_BODY).header("content-type", "application/json"),
            cpu_now: 1.6,
            cpu_bar: 1.25,
            throughput_bar: Some(0.80),
        },
        Contest {
            name: "cached page of 8192 bytes, beside a bare handler that returns them",
            node: Target::get(&node, &format!("/page/{PAGE_BYTES}")),
            bare: Target::get(&bare, "/page"),
            cpu_now: 1.2,
            cpu_bar: 1.05,
            throughput_bar: None,
        },
        Contest {
            name: "echo action of which one in a hundred is traced, beside one that sends no spans",
            node: echo_on(&traced)?,
            bare: echo_on(&node)?,
            cpu_now: 1.03,
            cpu_bar: 1.03,
            throughput_bar: Some(0.97),
        },
    ];
    for contest in &contests {
        contest.check()?;
    }
    let results = contest::run(&contests, options.rounds, options.seconds)?;
    anyhow::ensure!(collector.got_any(), "the collector was sent no spans: such a figure says nothing");
    let instructions = contest::instructions(&contests, options.seconds)?;
    let report = report::markdown(options, &contests, &results, &instructions)?;
    println!("\n{report}");
    if options.write {
        report::keep(report::Runs::Node, &report)?;
    }
    Ok(())
}

/// This binary of the workload, or one that is built now.
fn workload(file: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    match file {
        Some(file) => Ok(file.clone()),
        None => build::program("workload", Profile::Release, &[]),
    }
}

/// The bare server.
fn bare() -> anyhow::Result<Server> {
    Server::start("bare", std::process::Command::new(std::env::current_exe()?).arg("bare"))
}

/// The reference of an action, from the node's admin port.
pub(crate) fn reference(node: &Server, name: &str) -> anyhow::Result<String> {
    let admin = node.admin.as_deref().context("the node named no admin port")?;
    let answer = server::request(admin, "GET", "/actions", &[], "")?;
    let manifest: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let actions = manifest["actions"].as_array().context("the manifest lists no actions")?;
    let action = actions.iter().find(|action| action["name"] == name);
    let action = action.with_context(|| format!("the workload has no action {name}"))?;
    Ok(action["reference"].as_str().context("a reference is a text")?.to_owned())
}
