//! Logs: on standard error, for people or for programs.

use std::io::IsTerminal as _;

use tracing_subscriber::{
    EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, registry, util::SubscriberInitExt as _,
};

use super::application::ApplicationSpans;
use crate::settings::{LogFormat, Settings};

/// Starts logging, and where spans are sent, what hears of those of the application. A second call in one process changes
/// nothing.
///
/// # Errors
///
/// If the filter is none.
pub(crate) fn start(settings: &Settings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log)
        .map_err(|error| anyhow::anyhow!("setting log: {:?} is not a filter: {error}", settings.log))?;
    let heard = registry().with(settings.otlp_endpoint.is_some().then(ApplicationSpans::layer));
    // The filter is of the logs alone.
    let logs = fmt::layer().with_writer(std::io::stderr);
    let started = match settings.log_format {
        LogFormat::Pretty => {
            let logs = logs.with_ansi(std::io::stderr().is_terminal());
            heard.with(logs.with_filter(filter)).try_init()
        }
        LogFormat::Json => heard.with(logs.json().with_filter(filter)).try_init(),
    };
    // Tests start several nodes in one process; the first one's logging serves them all.
    drop(started);
    Ok(())
}
