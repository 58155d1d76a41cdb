//! A cluster to play with: Redis, and nodes that share everything, until Ctrl-C.

use std::time::Duration;

use anyhow::Context as _;
pub(crate) use callboard_loadtest::machine::{block_on, http, node, process, redis_server, stop_signal};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::build::{self, Profile};
use node::{Log, Node, Recipe};
use redis_server::{Memory, Redis};

/// How long nodes may take to stop: as long as they give their calls, and a little.
const STOP_MAX: Duration = Duration::from_secs(32);

/// What to start.
pub(crate) struct Options {
    nodes: usize,
    application: &'static str,
    profile: Profile,
}

impl Options {
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        Self {
            nodes: *arguments.get_one::<u16>("nodes").expect("it has a default") as usize,
            application: if arguments.get_flag("workload") { "workload" } else { "guestbook" },
            profile: if arguments.get_flag("debug") { Profile::Debug } else { Profile::Release },
        }
    }
}

/// The command line of it.
pub(crate) fn command() -> Command {
    Command::new("cluster")
        .about("A Redis and some nodes of one cluster, until Ctrl-C")
        .arg(
            Arg::new("nodes")
                .long("nodes")
                .value_parser(value_parser!(u16).range(1..=64))
                .default_value("3")
                .help("How many nodes"),
        )
        .arg(
            Arg::new("workload")
                .long("workload")
                .action(ArgAction::SetTrue)
                .help("The actions that tests call, instead of the guestbook"),
        )
        .arg(Arg::new("debug").long("debug").action(ArgAction::SetTrue).help("Builds for debugging"))
}

/// What runs, in the order in which it was started.
#[derive(Default)]
struct Cluster {
    redis: Option<Redis>,
    nodes: Vec<Node>,
}

/// Starts a cluster, and stops it when told to.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    eprintln!("building {} …", options.application);
    let program = build::program(options.application, options.profile, &[])?;
    let folder = tempfile::Builder::new().prefix("callboard-cluster-").tempdir()?;
    let mut recipe = Recipe::new(program, folder.path(), options.application, Log::Here)?;
    // One file for all nodes, so that they serve one book.
    let database = format!("sqlite://{}?mode=rwc", folder.path().join("shared.sqlite").display());
    recipe.environment.push(("DATABASE_URL".to_owned(), database.into()));
    recipe.environment.push(("LEDGER".to_owned(), folder.path().join("ledger").into()));
    block_on(async {
        let mut cluster = Cluster::default();
        let ended = tokio::select! {
            ended = cluster.serve(&recipe, options.nodes) => ended,
            signal = stop_signal() => signal,
        };
        eprintln!("stopping …");
        ended.and(cluster.stop().await)
    })
}

impl Cluster {
    /// Starts everything, says where it is, and watches it.
    async fn serve(&mut self, recipe: &Recipe, nodes: usize) -> anyhow::Result<()> {
        eprintln!("starting redis-server …");
        let redis = Redis::start(&recipe.folder.join("redis"), Memory::Lost).await?;
        let port = redis.port();
        self.redis = Some(redis);
        for number in 1..=nodes {
            eprintln!("starting node {number} …");
            self.nodes.push(Node::start(recipe, number, port).await?);
        }
        for node in &mut self.nodes {
            node.ready().await?;
        }
        println!("redis   redis://127.0.0.1:{port}");
        for node in &self.nodes {
            let Node { process, address, admin, .. } = node;
            println!("{}  http://{address}  admin http://{admin}  pid {}", process.name(), process.id());
        }
        eprintln!("Ctrl-C stops them");
        self.watch().await
    }

    /// Whoever plays may kill a node, to see the others go on.
    async fn watch(&mut self) -> anyhow::Result<()> {
        loop {
            let mut left = Vec::new();
            for mut node in std::mem::take(&mut self.nodes) {
                match node.process.status()? {
                    Some(status) => println!("{} ended: {status}", node.process.name()),
                    None => left.push(node),
                }
            }
            self.nodes = left;
            anyhow::ensure!(!self.nodes.is_empty(), "no node is left");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Stops the nodes, and what they need last.
    async fn stop(&mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            node.process.signal(rustix::process::Signal::TERM)?;
        }
        for node in &mut self.nodes {
            node.process.stop(STOP_MAX).await.context("a node does not stop")?;
        }
        match &mut self.redis {
            Some(redis) => redis.stop().await,
            None => Ok(()),
        }
    }
}
