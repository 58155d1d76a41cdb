//! Programs that end with this one, whatever ends this one.

use std::{
    convert::Infallible,
    os::unix::process::{CommandExt as _, parent_id},
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::{Arg, ArgMatches, value_parser};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

/// How often somebody looks whether a process has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A running program; killed when dropped, and by the kernel when this process ends otherwise.
pub struct Process {
    child: Child,
    name: String,
}

/// The command that runs a program on a leash. Its process group is its own, so that Ctrl-C in a terminal reaches only
/// this process, which then stops everything in the right order.
#[must_use]
pub fn leashed(program: &Path) -> Command {
    // This very program, even if another one was built in its place.
    let mut command = Command::new("/proc/self/exe");
    command.arg("leashed").arg(std::process::id().to_string()).arg(program).process_group(0);
    command
}

/// The hidden subcommand that [`leashed`] runs.
#[must_use]
pub fn leash_command() -> clap::Command {
    clap::Command::new("leashed")
        .about("Becomes another program, which ends when its parent does")
        .hide(true)
        .arg(Arg::new("parent").required(true).value_parser(value_parser!(u32)))
        .arg(
            Arg::new("command")
                .required(true)
                .num_args(1..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_parser(value_parser!(std::ffi::OsString)),
        )
}

/// Becomes the program. The kernel remembers whom to end with when a process becomes another program.
///
/// # Errors
///
/// That the parent has ended, or that there is no such program.
pub fn leash(arguments: &ArgMatches) -> anyhow::Result<Infallible> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before that.
    if arguments.get_one::<u32>("parent") != Some(&parent_id()) {
        bail!("the parent has ended");
    }
    let mut words = arguments.get_many::<std::ffi::OsString>("command").into_iter().flatten();
    let program = words.next().context("there is no program to become")?;
    let error = Command::new(program).args(words).exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}

impl Process {
    /// Starts it. Whoever starts it has to be the main thread: the leash is held by a thread, and that one lasts.
    ///
    /// # Errors
    ///
    /// That there is no such program.
    pub fn start(name: String, command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, name })
    }

    /// The number that the kernel knows it by.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it is called here.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its standard output, if that is piped, for the first who asks.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard error, if that is piped, for the first who asks.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// What it ended with, if it has.
    ///
    /// # Errors
    ///
    /// That the kernel does not say.
    pub fn status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends a signal, unless it has ended.
    ///
    /// # Errors
    ///
    /// That it may not be signalled.
    pub fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        if self.status()?.is_none() {
            let id = Pid::from_raw(self.id().cast_signed()).context("a process has a number")?;
            kill_process(id, signal).with_context(|| format!("cannot signal {}", self.name))?;
        }
        Ok(())
    }

    /// Waits for its end, which is near.
    ///
    /// # Errors
    ///
    /// That it goes on for longer than that.
    pub async fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.status()? {
                return Ok(status);
            }
            if started.elapsed() > within {
                bail!("{} does not end", self.name);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Kills it and waits until it is dead.
    ///
    /// # Errors
    ///
    /// That it may not be signalled, or does not die.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)?;
        self.ended(Duration::from_secs(10)).await?;
        Ok(())
    }

    /// Asks it to end, and kills it if it takes longer than that. Whether it ended by itself, and well.
    ///
    /// # Errors
    ///
    /// That it may not be signalled, or does not die.
    pub async fn stop(&mut self, within: Duration) -> anyhow::Result<bool> {
        self.signal(Signal::TERM)?;
        match self.ended(within).await {
            Ok(status) => Ok(status.success()),
            Err(_) => self.kill().await.map(|()| false),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
