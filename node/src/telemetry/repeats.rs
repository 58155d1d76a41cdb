//! Lines of the log that repeat themselves: what may happen with every request is said a few times a minute, and then
//! counted.
//!
//! All lines of ours go through it, told apart by where in the source they are said, so that none can be forgotten. What an
//! application logs is its own affair, and whoever asks for `debug` or `trace` wants all of it.

use std::{
    collections::HashMap,
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    callsite::Identifier,
    error,
    field::{Field, Visit},
    info,
    level_filters::LevelFilter,
    warn,
};
use tracing_subscriber::layer::{Context, Filter};

/// After this long the counting begins anew, and what was left out is told.
pub(super) const EVERY: Duration = Duration::from_mins(1);

/// Lines of a kind that are about different requests: enough calls and traces to look at to see what they have in common.
const REQUEST_LINES_MAX: u64 = 10;

/// Lines of any other kind: the second and third say whether it goes on and how fast.
const LINES_MAX: u64 = 3;

/// Kinds that are told apart by more than their place in the source. With all of them, and ten lines each, a log grows by 43
/// lines a second, whatever clients do.
const KINDS_MAX: usize = 256;

/// Fields that make two lines from one place in the source different: names that the application or this program gave, and
/// nothing that a client sends.
const NAMES: [&str; 8] = ["action", "check", "code", "link", "name", "page", "place", "what"];

/// Where what is left out is told, which is never left out itself.
const TOLD: &str = "callboard::left_out";

/// What was said since the counting began.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<Kind, Said>>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    place: Identifier,
    names: String,
}

#[derive(Debug)]
struct Said {
    level: Level,
    line: String,
    lines: u64,
    lines_max: u64,
}

impl Repeats {
    /// Whether this is to be said; counts it.
    fn admit(&self, event: &Event<'_>) -> bool {
        let about = event.metadata();
        // Read before anything is locked: formatting is code of others, and may panic.
        let Read { line, names } = Read::of(event);
        let of_request = ["call", "trace"].iter().any(|name| about.fields().field(*name).is_some());
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kind = Kind { place: about.callsite(), names };
        if kinds.len() >= KINDS_MAX && !kinds.contains_key(&kind) {
            kind.names.clear();
        }
        let said = kinds.entry(kind).or_insert_with(|| Said {
            level: *about.level(),
            line,
            lines: 0,
            lines_max: if of_request { REQUEST_LINES_MAX } else { LINES_MAX },
        });
        said.lines += 1;
        said.lines <= said.lines_max
    }

    /// Tells how many lines of which kinds were left out, and begins anew.
    pub(super) fn tell(&self) {
        let kinds = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (Kind { names, .. }, Said { level, line, lines, lines_max }) in kinds {
            let repeated = lines.saturating_sub(lines_max);
            if repeated == 0 {
                continue;
            }
            match level {
                Level::ERROR => error!(target: TOLD, repeated, line, names, "lines were left out"),
                Level::WARN => warn!(target: TOLD, repeated, line, names, "lines were left out"),
                _ => info!(target: TOLD, repeated, line, names, "lines were left out"),
            }
        }
    }
}

/// Whether it is ours to leave out.
fn is_counted(about: &Metadata<'_>) -> bool {
    let target = about.target();
    let is_ours = target.split("::").next().is_some_and(|name| {
        name.strip_prefix("callboard").is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    });
    is_ours && target != TOLD && *about.level() <= Level::INFO
}

/// Leaves lines out.
#[derive(Debug)]
pub(super) struct LeaveOut(pub(super) Arc<Repeats>);

/// Of the layer that writes, and asked after the filter of what is wanted at all: nothing else is to be counted.
impl<S: Subscriber> Filter<S> for LeaveOut {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        !is_counted(event.metadata()) || self.0.admit(event)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }
}

/// What tells a line apart.
#[derive(Default)]
struct Read {
    line: String,
    names: String,
}

impl Read {
    fn of(event: &Event<'_>) -> Self {
        let mut read = Self::default();
        event.record(&mut read);
        read
    }
}

impl Visit for Read {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = if field.name() == "message" {
            write!(self.line, "{value:?}")
        } else if NAMES.contains(&field.name()) {
            let space = if self.names.is_empty() { "" } else { " " };
            write!(self.names, "{space}{}={value:?}", field.name())
        } else {
            Ok(())
        };
        // A text takes whatever is written; a value that cannot write itself is no name.
        let _ = written;
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing_subscriber::{
        EnvFilter, Layer as _,
        filter::FilterExt as _,
        fmt::{self, MakeWriter},
        layer::SubscriberExt as _,
        registry,
    };

    use super::*;

    /// A log in memory.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    impl Log {
        fn lines(&self) -> Vec<String> {
            let bytes = std::mem::take(&mut *self.0.lock().unwrap());
            String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
        }
    }

    /// Runs with a log of its own.
    fn logged(test: impl FnOnce(&Repeats, &Log)) {
        let (repeats, log) = (Arc::new(Repeats::default()), Log::default());
        let lines = fmt::layer().with_ansi(false).without_time().with_writer(log.clone());
        let filter = EnvFilter::new("trace,callboard::unwanted=off").and(LeaveOut(Arc::clone(&repeats)));
        let lines = registry().with(lines.with_filter(filter));
        tracing::subscriber::with_default(lines, || test(&repeats, &log));
    }

    #[test]
    fn what_repeats_itself_is_said_a_few_times_and_then_counted() {
        logged(|repeats, log| {
            for number in 0..1000 {
                warn!(number, "a connection is lost");
            }
            assert_eq!(log.lines().len() as u64, LINES_MAX);
            repeats.tell();
            assert_eq!(
                log.lines(),
                [
                    " WARN callboard::left_out: lines were left out repeated=997 line=\"a connection is lost\" names=\"\""
                ]
            );
            repeats.tell();
            assert_eq!(log.lines(), Vec::<String>::new(), "it is told once");
        });
    }

    #[test]
    fn lines_of_calls_are_told_apart_by_action_and_code() {
        logged(|repeats, log| {
            for trace in 0..100 {
                for action in ["add", "echo"] {
                    warn!(trace, action, code = %"action-failed", "action failed");
                }
            }
            assert_eq!(log.lines().len() as u64, 2 * REQUEST_LINES_MAX);
            repeats.tell();
            let mut told = log.lines();
            told.sort();
            for (line, action) in told.iter().zip(["add", "echo"]) {
                let names = format!(
                    "repeated=90 line=\"action failed\" names=\"action={action} code=action-failed\""
                );
                assert!(line.ends_with(&names), "{line}");
            }
            assert_eq!(told.len(), 2);
        });
    }

    #[test]
    fn the_counting_begins_anew() {
        logged(|repeats, log| {
            let said = || error!(place = "src/main.rs:1", "panicked");
            (0..10).for_each(|_| said());
            repeats.tell();
            assert_eq!(log.lines().len() as u64, LINES_MAX + 1);
            said();
            assert_eq!(
                log.lines(),
                ["ERROR callboard::telemetry::repeats::tests: panicked place=\"src/main.rs:1\""]
            );
        });
    }

    #[test]
    fn however_many_names_there_are_memory_and_log_are_bounded() {
        logged(|repeats, log| {
            for number in 0..10_000 {
                for _ in 0..2 {
                    warn!(trace = 1, action = format!("action_{number}"), "action failed");
                }
            }
            assert_eq!(repeats.0.lock().unwrap().len(), KINDS_MAX + 1);
            assert_eq!(log.lines().len() as u64, 2 * KINDS_MAX as u64 + REQUEST_LINES_MAX);
            repeats.tell();
            let left_out = 2 * (10_000 - KINDS_MAX as u64) - REQUEST_LINES_MAX;
            let told = log.lines();
            assert!(told.len() == 1 && told[0].contains(&format!("repeated={left_out} ")), "{told:?}");
        });
    }

    #[test]
    fn what_is_not_logged_at_all_is_not_counted() {
        logged(|repeats, log| {
            for _ in 0..100 {
                warn!(target: "callboard::unwanted", "said to nobody");
            }
            repeats.tell();
            assert_eq!(log.lines(), Vec::<String>::new());
        });
    }

    #[test]
    fn what_an_application_logs_and_what_was_asked_for_is_not_left_out() {
        logged(|_, log| {
            for _ in 0..100 {
                warn!(target: "guestbook::book", "it is full");
                warn!(target: "callboards", "not ours either");
                tracing::debug!("asked for");
            }
            assert_eq!(log.lines().len(), 300);
            for _ in 0..100 {
                warn!(target: "callboard_cluster::redis", "ours");
            }
            assert_eq!(log.lines().len() as u64, LINES_MAX);
        });
    }
}
