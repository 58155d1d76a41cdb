//! Logs: on standard error, for people or for programs.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::IsTerminal as _,
    panic::PanicHookInfo,
    sync::Arc,
};

use anyhow::Context as _;
use tracing::{error, field::display};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::repeats::{EVERY, LeaveOut, Repeats};
use crate::settings::{LogFormat, Settings};

/// Logging that was started. When it is dropped, what was left out is told.
#[must_use]
pub(crate) struct Logs(Arc<Repeats>);

/// Starts logging. A second call in one process changes nothing.
///
/// # Errors
///
/// If the filter is none.
pub(crate) fn start(settings: &Settings) -> anyhow::Result<Logs> {
    let filter = EnvFilter::try_new(&settings.log)
        .map_err(|error| anyhow::anyhow!("setting log: {:?} is not a filter: {error}", settings.log))?;
    let repeats = Arc::new(Repeats::default());
    let leave_out = LeaveOut(Arc::clone(&repeats));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.log_format {
        LogFormat::Pretty => {
            logs.with_ansi(std::io::stderr().is_terminal()).finish().with(leave_out).try_init()
        }
        LogFormat::Json => logs.json().finish().with(leave_out).try_init(),
    };
    // Tests start several nodes in one process; the first one's logging serves them all.
    if started.is_ok() {
        let repeats = Arc::clone(&repeats);
        let telling = move || {
            loop {
                std::thread::sleep(EVERY);
                repeats.tell();
            }
        };
        // A thread, as it has to tell also when whatever else runs is stuck. It ends with the process.
        std::thread::Builder::new().name("logs".into()).spawn(telling).context("no thread for logs")?;
    }
    Ok(Logs(repeats))
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.0.tell();
    }
}

/// From here on, panics are lines of the log like all others: in its format, and left out where they repeat themselves. Only
/// for a process that is a node and nothing else.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| display(backtrace));
        let place = panic.location().map(display);
        error!(place, error = panic.payload_as_str(), backtrace, "panicked");
    }));
}
