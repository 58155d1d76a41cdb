//! Whether `docker compose up` does what it says: its files one by one, and then the whole of it on a Docker engine.
//!
//! Image registries are not asked. What Debian has packages of is brought up in images that are made of these, and the
//! rest is named and left out.

mod engine;
mod files;
mod stack;
mod stand_in;
mod visitor;
pub(crate) mod yaml;

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::{
    build::{self, Profile},
    cluster::{block_on, stop_signal},
};
use engine::Engine;
use stack::Stack;

/// The file that all of this is about.
pub(crate) const FILE: &str = "docker-compose.yml";

/// How to check.
pub(crate) struct Options {
    /// The application that is put into the image.
    program: Option<PathBuf>,
    /// Nothing is started.
    files_alone: bool,
}

impl Options {
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        Self {
            program: arguments.get_one::<PathBuf>("program").cloned(),
            files_alone: arguments.get_flag("files"),
        }
    }
}

/// The command line of it.
pub(crate) fn command() -> Command {
    Command::new("compose-check")
        .about("Checks docker-compose.yml and what it mounts, and brings it up where a Docker engine can run")
        .arg(
            Arg::new("program")
                .long("program")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("This binary of the guestbook; without it, one is built with the profile release"),
        )
        .arg(Arg::new("files").long("files").action(ArgAction::SetTrue).help("The files alone"))
}

/// Checks the files, then the stack if there can be one.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    files::check()?;
    if options.files_alone {
        return Ok(());
    }
    block_on(async {
        let mut engine = match Engine::find().await? {
            Ok(engine) => engine,
            Err(why) => {
                println!("skipped: {why}");
                return Ok(());
            }
        };
        let tried = tokio::select! {
            biased;
            // A command that runs ends by the same Ctrl-C.
            signal = stop_signal() => signal.and_then(|()| anyhow::bail!("stopped")),
            tried = bring_up(&engine, options) => tried,
        };
        tried.and(engine.stop().await)
    })
}

/// Makes the images, brings the stack up, uses it, and takes it down.
async fn bring_up(engine: &Engine, options: &Options) -> anyhow::Result<()> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build::program("guestbook", Profile::Release, &[])?,
    };
    println!("making images of Debian's packages …");
    let _images = stand_in::make(engine, &program)?;
    let stack = Stack::new(engine)?;
    for (service, image) in stack.left_out() {
        println!(
            "left out {service}: Debian has no packages for {image}; what it mounts was looked at above"
        );
    }
    let services = Stack::services().join(", ");
    println!("starting {services} …");
    stack.up().await?;
    println!("ok       every health check of {services}");
    print!("{}", stack.doctor()?);
    println!("ok       doctor, in the container of a node");
    let entry = visitor::sign(stack.balancer()).await?;
    println!("ok       the book was signed through the load balancer");
    for (name, address) in stack.nodes() {
        visitor::sees(address, &entry).await?;
        println!("ok       the entry is in the book of {name}");
    }
    println!("ok       Prometheus reads {}", stack.scraped().await?.join(", "));
    Ok(())
}
