//! Logs: on standard error, for people or for programs.

use std::io::IsTerminal as _;

use tracing::Dispatch;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    registry,
    util::SubscriberInitExt as _,
};

use super::application::ApplicationSpans;
use crate::settings::{LogFormat, Settings};

/// Starts logging, and what hears of the application's spans if a node of this process may send them. A second call in one
/// process changes nothing.
///
/// # Errors
///
/// If the filter is none.
pub(crate) fn start(settings: &Settings, may_send_spans: bool) -> anyhow::Result<()> {
    let started = dispatch(settings, may_send_spans, std::io::stderr)?.try_init();
    // Tests start several nodes in one process; the first one's logging serves them all.
    drop(started);
    Ok(())
}

fn dispatch<W>(settings: &Settings, may_send_spans: bool, writer: W) -> anyhow::Result<Dispatch>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&settings.log)
        .map_err(|error| anyhow::anyhow!("setting log: {:?} is not a filter: {error}", settings.log))?;
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
        let dispatch = dispatch(&settings, may_send_spans, Arc::clone(&written)).expect("a filter");
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
