//! Logs: on standard error, for people or for programs.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::IsTerminal as _,
    panic::PanicHookInfo,
    sync::Arc,
};

use anyhow::Context as _;
use tracing::{Dispatch, Level, enabled, error, field::display};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::FilterExt as _,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    registry,
    util::SubscriberInitExt as _,
};

use super::{
    application::ApplicationSpans,
    repeats::{EVERY, LeaveOut, Repeats},
};
use crate::settings::{LogFormat, Settings};

/// Logging that was started. When it is dropped, what was left out is told.
#[must_use]
pub(crate) struct Logs(Arc<Repeats>);

/// Starts logging, and what hears of the application's spans if a node of this process may send them. A second call in one
/// process changes nothing.
///
/// # Errors
///
/// If the filter is none.
pub(crate) fn start(settings: &Settings, may_send_spans: bool) -> anyhow::Result<Logs> {
    let repeats = Arc::new(Repeats::default());
    let started = dispatch(settings, may_send_spans, &repeats, std::io::stderr)?.try_init();
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
/// for a process that is a node and nothing else. Where the log takes none, they are told as of any other program: a process
/// that ends by one does not do so without a word.
pub(crate) fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        if !enabled!(Level::ERROR) {
            return before(panic);
        }
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| display(backtrace));
        let place = panic.location().map(display);
        // Of no span: what panicked may be a value that was being written into one, which nobody can read until that is over.
        error!(parent: None, place, error = panic.payload_as_str(), backtrace, "panicked");
    }));
}

fn dispatch<W>(
    settings: &Settings,
    may_send_spans: bool,
    repeats: &Arc<Repeats>,
    writer: W,
) -> anyhow::Result<Dispatch>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&settings.log)
        .map_err(|error| anyhow::anyhow!("setting log: {:?} is not a filter: {error}", settings.log))?;
    let filter = filter.and(LeaveOut(Arc::clone(repeats)));
    let heard = registry().with(may_send_spans.then(ApplicationSpans::layer));
    // The filter is of the logs alone.
    let logs = fmt::layer().with_writer(writer);
    Ok(match settings.log_format {
        LogFormat::Pretty => {
            let logs = logs.with_ansi(std::io::stderr().is_terminal());
            heard.with(logs.with_filter(filter)).into()
        }
        LogFormat::Json => heard.with(logs.json().with_filter(filter)).into(),
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Seek as _},
        sync::Arc,
    };

    use tracing::{Span, dispatcher::with_default, info_span, warn};

    use super::*;
    use crate::settings::Sources;

    /// What is logged where spans are opened, and whether they are there.
    fn logged(log: &str, log_format: &str, may_send_spans: bool) -> (Vec<String>, bool) {
        let texts = [("log", log), ("log_format", log_format)];
        let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let settings = Sources::of_test(texts).expect("settings");
        let written = Arc::new(tempfile::tempfile().expect("a file"));
        let dispatch =
            dispatch(&settings, may_send_spans, &Arc::default(), Arc::clone(&written)).expect("a filter");
        let is_there = with_default(&dispatch, || {
            let span = info_span!("look_up", rows = 1);
            span.in_scope(|| info_span!("query").in_scope(|| warn!("it is slow")));
            span.record("rows", 2);
            !Span::is_disabled(&span)
        });
        let (mut written, mut text) = (&*written, String::new());
        written.rewind().and_then(|()| written.read_to_string(&mut text)).expect("text");
        (text.lines().map(str::to_owned).collect(), is_there)
    }

    #[test]
    fn spans_that_are_sent_make_no_log_lines_and_no_filter_hides_them() {
        for format in ["pretty", "json"] {
            let (lines, is_there) = logged("off", format, true);
            assert!(is_there && lines.is_empty(), "{lines:?}");
            let (lines, is_there) = logged("warn", format, true);
            assert!(is_there && lines.len() == 1 && !lines[0].contains("look_up"), "{lines:?}");
            let (lines, _) = logged("info", format, true);
            assert!(lines.len() == 1 && lines[0].contains("look_up"), "{lines:?}");
        }
    }

    #[test]
    fn where_no_spans_are_sent_there_are_those_of_the_log_alone() {
        assert_eq!(logged("off", "pretty", false), (Vec::new(), false));
        let (lines, is_there) = logged("info", "pretty", false);
        assert!(is_there && lines.len() == 1 && lines[0].contains("query"), "{lines:?}");
    }
}
