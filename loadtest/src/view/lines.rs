//! A line each second, where there is no screen: logs of CI servers, pipes.

use std::{fmt::Write as _, time::Duration};

use tokio::sync::watch;

use super::{Phase, Snapshot, note};
use crate::report::{count, micros, printable, rate};

/// How much of a run lies between two lines.
const BETWEEN: Duration = Duration::from_secs(1);

/// Writes lines until the run has ended.
pub(crate) fn show(mut snapshots: watch::Receiver<Snapshot>) {
    let mut shown = None;
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        return note("the progress cannot be shown");
    };
    runtime.block_on(async {
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            if is_due(shown, &snapshot) {
                note(&line(&snapshot));
                shown = Some((snapshot.elapsed, snapshot.phase, snapshot.marks.len()));
            }
            if snapshots.changed().await.is_err() {
                return;
            }
        }
    });
}

/// When something happened, or a second is over.
fn is_due(shown: Option<(Duration, Phase, usize)>, snapshot: &Snapshot) -> bool {
    match shown {
        // Before the run began there is nothing to say.
        None => snapshot.elapsed > Duration::ZERO,
        Some((elapsed, phase, marks)) => {
            snapshot.elapsed >= elapsed + BETWEEN || snapshot.phase != phase || snapshot.marks.len() > marks
        }
    }
}

/// A moment, in a line.
#[must_use]
pub(crate) fn line(snapshot: &Snapshot) -> String {
    let mut line = format!(
        "{:>5.0}/{:.0} s {:<8}  asked {}  achieved {}  in flight {}  p50 {}  p99 {}  max {}",
        snapshot.elapsed.as_secs_f64(),
        snapshot.total.as_secs_f64(),
        snapshot.phase.word(),
        rate(snapshot.rate_asked),
        rate(snapshot.rate_achieved),
        count(snapshot.in_flight),
        micros(snapshot.p50_us),
        micros(snapshot.p99_us),
        micros(snapshot.max_us),
    );
    for (outcome, many) in &snapshot.outcomes {
        append(&mut line, format_args!("  {} {}", outcome.word(), count(*many)));
    }
    if snapshot.violations > 0 {
        append(&mut line, format_args!("  VIOLATIONS {}", count(snapshot.violations)));
    }
    if let Some((at, what)) = snapshot.marks.last()
        && snapshot.elapsed.saturating_sub(*at) < BETWEEN * 5
    {
        append(&mut line, format_args!("  [{what} at {:.1} s]", at.as_secs_f64()));
    }
    printable(&line)
}

fn append(line: &mut String, part: std::fmt::Arguments<'_>) {
    line.write_fmt(part).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::{super::snapshot::example, *};

    #[test]
    fn a_line_says_it_all() {
        let mut snapshot = example();
        assert_eq!(
            line(&snapshot),
            "   31/65 s load      asked 1,000/s  achieved 987/s  in flight 31  p50 1.12 ms  p99 8.94 ms  max 41.2 ms  \
             done 30,690  not-run 132  unknown 48"
        );
        snapshot.violations = 2;
        snapshot.elapsed = Duration::from_secs(26);
        assert!(line(&snapshot).ends_with("VIOLATIONS 2  [kill node-2 at 25.2 s]"), "{}", line(&snapshot));
    }

    #[test]
    fn lines_are_a_second_apart_unless_something_happens() {
        let snapshot = example();
        let shown = |before_ms| {
            let elapsed = snapshot.elapsed.checked_sub(Duration::from_millis(before_ms)).unwrap();
            Some((elapsed, snapshot.phase, snapshot.marks.len()))
        };
        assert!(!is_due(None, &Snapshot::default()));
        assert!(is_due(None, &snapshot));
        assert!(!is_due(shown(999), &snapshot));
        assert!(is_due(shown(1_000), &snapshot));
        assert!(is_due(Some((snapshot.elapsed, Phase::WarmUp, 2)), &snapshot));
        assert!(is_due(Some((snapshot.elapsed, snapshot.phase, 1)), &snapshot));
    }
}
