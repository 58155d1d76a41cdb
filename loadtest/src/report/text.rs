//! The report that closes every run on a terminal. ASCII, but for what names hold.

use super::{
    figures::{self, count, micros, share},
    verdict::Verdict,
};
use crate::results::{Fault, Operation, Outcome, Results};

/// Cells in columns: the first to the left, the others to the right.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these heads.
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()] }
    }

    /// Adds a row. It has as many cells as there are heads.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell)).collect());
    }

    /// Its lines, without blanks at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows[0].len();
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// Names come from files and servers: what would steer a terminal is shown instead.
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    let steers = |character: char| character.is_control() && character != '\n';
    if !text.contains(steers) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|character| {
            let shown = if steers(character) {
                character.escape_default().to_string()
            } else {
                character.to_string()
            };
            shown.chars().collect::<Vec<_>>()
        })
        .collect()
}

/// The whole report.
#[must_use]
pub(crate) fn text(results: &Results) -> String {
    let verdict = Verdict::of(results);
    let mut lines = vec![
        format!("{} for {}, {}", results.scenario, figures::seconds(results.duration_s), results.began),
        format!("again: {}", results.command),
        String::new(),
    ];
    lines.extend(operations(results).lines());
    lines.push(String::new());
    if !results.total.error_codes.is_empty() {
        lines.extend(error_codes(results).lines());
        lines.push(String::new());
    }
    if results.targets.len() > 1 {
        lines.extend(targets(results).lines());
        lines.push(String::new());
    }
    if !results.faults.is_empty() {
        lines.extend(faults(&results.faults).lines());
        lines.push(String::new());
    }
    if !results.oracles.is_empty() {
        lines.extend(oracles(results).lines());
        lines.push(String::new());
    }
    if results.oracles.iter().any(|oracle| !oracle.undecided.is_empty()) {
        lines.extend(undecided(results).lines());
        lines.push(String::new());
    }
    lines.extend(histories(results));
    lines.push(verdict.sentence);
    lines.extend(verdict.reasons.iter().map(|(grade, reason)| format!("  {:<8}  {reason}", grade.word())));
    lines.iter().map(|line| printable(line) + "\n").collect()
}

fn operations(results: &Results) -> Table {
    let mut table = Table::new(&[
        "operation",
        "requests",
        "asked",
        "achieved",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "errors",
    ]);
    let mut row = |operation: &Operation, errors: f64| {
        let latency = &operation.latency;
        let latencies =
            [latency.p50_us, latency.p90_us, latency.p99_us, latency.p999_us, latency.max_us].map(micros);
        let mut cells = vec![
            operation.name.clone(),
            count(operation.requests),
            figures::rate(operation.rate_asked),
            figures::rate(operation.rate_achieved),
        ];
        cells.extend(latencies);
        cells.push(share(errors));
        table.row(cells);
    };
    for operation in &results.operations {
        row(operation, operation.errors_share());
    }
    row(&results.total, results.errors_share());
    table
}

/// Which answers said that something went wrong, and what.
fn error_codes(results: &Results) -> Table {
    let mut table = Table::new(&["answered with an error", "code", "answers"]);
    for operation in &results.operations {
        for (code, answers) in &operation.error_codes {
            table.row([operation.name.clone(), code.clone(), count(*answers)]);
        }
    }
    table
}

fn targets(results: &Results) -> Table {
    let mut table = Table::new(&["target", "kind", "requests", "share"]);
    let all: u64 = results.targets.iter().map(|target| target.requests).sum();
    for target in &results.targets {
        let of_all = target.requests as f64 / (all as f64).max(1.0);
        table.row([target.name.clone(), target.kind.clone(), count(target.requests), share(of_all)]);
    }
    table
}

fn faults(faults: &[Fault]) -> Table {
    let heads = [
        "fault",
        "victim",
        "from",
        "to",
        "known",
        "taken over",
        "last harm",
        "recovered",
        "in flight",
        "unknown",
        "landed",
    ];
    let mut table = Table::new(&heads);
    for fault in faults {
        let after = |time: Option<f64>| time.map_or("-".to_owned(), figures::seconds);
        table.row([
            fault.fault.clone(),
            fault.victim.clone(),
            figures::seconds(fault.at_s),
            figures::seconds(fault.until_s),
            after(fault.detection_s),
            after(fault.takeover_s),
            after(fault.harm_s),
            after(fault.recovery_s),
            count(fault.in_flight),
            count(fault.outcomes.get(&Outcome::Unknown).copied().unwrap_or(0)),
            if fault.missed.is_empty() {
                "yes".to_owned()
            } else {
                format!("NO: {}", fault.missed.join(", "))
            },
        ]);
    }
    table
}

fn oracles(results: &Results) -> Table {
    let mut table = Table::new(&["promise", "checked", "undecided", "violations"]);
    for oracle in &results.oracles {
        let undecided = oracle.undecided.values().sum();
        table.row([oracle.name.clone(), count(oracle.checked), count(undecided), count(oracle.violations)]);
    }
    table
}

/// Why what is not judged was not.
fn undecided(results: &Results) -> Table {
    let mut table = Table::new(&["undecided because", "times"]);
    for oracle in &results.oracles {
        for (why, times) in &oracle.undecided {
            table.row([format!("{}: {why}", oracle.name), count(*times)]);
        }
    }
    table
}

fn histories(results: &Results) -> Vec<String> {
    let mut lines = Vec::new();
    for violation in results.oracles.iter().flat_map(|oracle| &oracle.examples) {
        lines.push(format!("{}: {}", violation.oracle, violation.what));
        lines.extend(violation.history.iter().map(|step| format!("  {step}")));
        lines.push(String::new());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn the_closing_report_is_the_golden_one() {
        sample::golden("report.txt", &text(&sample::results()));
    }

    #[test]
    fn nothing_in_a_report_steers_the_terminal() {
        let mut results = sample::results();
        results.scenario = "\u{1b}[2Jgone".to_owned();
        results.operations[0].name = "a\u{7}b".to_owned();
        let text = text(&results);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
        assert!(text.contains("\\u{1b}[2Jgone"), "{text}");
    }
}
