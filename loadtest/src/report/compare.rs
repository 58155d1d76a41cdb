//! Two runs beside each other: what the second took, in times of the first.

use anyhow::bail;

use super::{figures, text::Table};
use crate::results::{Operation, Results};

/// A share of errors that grew by less than this is no regression: one more of ten thousand is chance.
const ERRORS_GROWTH_MIN: f64 = 0.000_5;

/// Two runs.
pub(crate) struct Comparison<'a> {
    pub(crate) before: &'a Results,
    pub(crate) after: &'a Results,
    /// The total first.
    pub(crate) rows: Vec<Row>,
    /// Operations of one run alone.
    pub(crate) unpaired: Vec<String>,
    pub(crate) threshold: f64,
}

/// An operation of both.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) p50: Change,
    pub(crate) p99: Change,
    /// Per second.
    pub(crate) throughput: Change,
    /// Shares.
    pub(crate) errors: Change,
}

/// A figure, before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) before: f64,
    pub(crate) after: f64,
    /// After in times of before. 1 if both are nothing.
    pub(crate) ratio: f64,
    pub(crate) is_past: bool,
}

impl Change {
    fn rising(before: f64, after: f64, threshold: f64) -> Self {
        let ratio = ratio(before, after);
        Self { before, after, ratio, is_past: ratio > threshold }
    }

    fn falling(before: f64, after: f64, threshold: f64) -> Self {
        let ratio = ratio(before, after);
        Self { before, after, ratio, is_past: ratio < 1.0 / threshold }
    }
}

fn ratio(before: f64, after: f64) -> f64 {
    if before == after { 1.0 } else { after / before }
}

impl<'a> Comparison<'a> {
    /// Of two runs of one scenario, or of any two.
    ///
    /// # Errors
    ///
    /// If they are of different scenarios and that was not asked for.
    pub(crate) fn of(
        before: &'a Results,
        after: &'a Results,
        threshold: f64,
        any_scenario: bool,
    ) -> anyhow::Result<Self> {
        if before.scenario != after.scenario && !any_scenario {
            bail!(
                "the runs are of different scenarios, {:?} and {:?}: ratios between them say little (--anyway shows them)",
                before.scenario,
                after.scenario
            );
        }
        let mut rows = vec![row("total", &before.total, &after.total, threshold)];
        // One whose name stands for the scenario as a whole counts errors as the scenario's operations do.
        rows[0].errors = errors(before.errors_share(), after.errors_share(), threshold);
        let mut unpaired = Vec::new();
        for operation in &before.operations {
            match after.operations.iter().find(|other| other.name == operation.name) {
                Some(other) => rows.push(row(&operation.name, operation, other, threshold)),
                None => unpaired.push(format!("{}: in the first run alone", operation.name)),
            }
        }
        let is_known = |name: &str| before.operations.iter().any(|operation| operation.name == name);
        let added = after.operations.iter().filter(|operation| !is_known(&operation.name));
        unpaired.extend(added.map(|operation| format!("{}: in the second run alone", operation.name)));
        Ok(Self { before, after, rows, unpaired, threshold })
    }

    /// What is worse than the threshold allows, in words.
    #[must_use]
    pub(crate) fn regressions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for row in &self.rows {
            for (figure, change) in row.changes() {
                if change.is_past {
                    found.push(format!("{}: {figure} {}", row.name, figures::ratio(change.ratio)));
                }
            }
        }
        found
    }

    /// The table, for a terminal.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new(&["operation", "figure", "before", "after", "ratio", ""]);
        for row in &self.rows {
            for (figure, change) in row.changes() {
                table.row([
                    row.name.clone(),
                    figure.to_owned(),
                    shown(figure, change.before),
                    shown(figure, change.after),
                    figures::ratio(change.ratio),
                    if change.is_past { "WORSE" } else { "" }.to_owned(),
                ]);
            }
        }
        let mut lines = vec![
            format!("before  {} {}", self.before.scenario, self.before.began),
            format!("after   {} {}", self.after.scenario, self.after.began),
            String::new(),
        ];
        lines.extend(table.lines());
        lines.extend(self.unpaired.iter().cloned());
        for (name, run) in [("before", self.before), ("after", self.after)] {
            lines.extend(run.partial.iter().map(|why| format!("{name} is a part of a run: {why}")));
        }
        lines.push(String::new());
        let regressions = self.regressions();
        let threshold = figures::ratio(self.threshold);
        lines.push(if regressions.is_empty() {
            format!("Nothing is worse than {threshold}.")
        } else {
            format!("Worse than {threshold}: {}.", regressions.join("; "))
        });
        lines.join("\n") + "\n"
    }
}

impl Row {
    /// Its figures, by name.
    pub(crate) fn changes(&self) -> [(&'static str, Change); 4] {
        [("p50", self.p50), ("p99", self.p99), ("throughput", self.throughput), ("errors", self.errors)]
    }
}

/// A figure of this name, with its unit.
#[must_use]
pub(crate) fn shown(figure: &str, value: f64) -> String {
    match figure {
        "throughput" => figures::rate(value),
        "errors" => figures::share(value),
        _ => figures::micros(value as u64),
    }
}

fn row(name: &str, before: &Operation, after: &Operation, threshold: f64) -> Row {
    let latency =
        |before: u64, after: u64| Change::rising(before.max(1) as f64, after.max(1) as f64, threshold);
    Row {
        name: name.to_owned(),
        p50: latency(before.latency.p50_us, after.latency.p50_us),
        p99: latency(before.latency.p99_us, after.latency.p99_us),
        throughput: Change::falling(before.rate_achieved, after.rate_achieved, threshold),
        errors: errors(before.errors_share(), after.errors_share(), threshold),
    }
}

fn errors(before: f64, after: f64, threshold: f64) -> Change {
    let mut change = Change::rising(before, after, threshold);
    change.is_past &= after - before > ERRORS_GROWTH_MIN;
    change
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn a_run_beside_itself_is_no_worse() {
        let run = sample::results();
        let comparison = Comparison::of(&run, &run, 1.0, false).unwrap();
        assert_eq!(comparison.regressions(), Vec::<String>::new());
        assert!(comparison.rows.iter().flat_map(Row::changes).all(|(_, change)| change.ratio == 1.0));
    }

    #[test]
    fn what_is_past_the_threshold_is_named() {
        let (before, after) = (sample::calm(), sample::slower());
        let comparison = Comparison::of(&before, &after, 1.10, false).unwrap();
        let regressions = comparison.regressions();
        assert_eq!(regressions.len(), 10, "p50 and p99 of four operations and of all: {regressions:?}");
        assert!(regressions.iter().any(|told| told == "total: p99 1.50x"), "{regressions:?}");
        assert!(Comparison::of(&before, &after, 1.6, false).unwrap().regressions().is_empty());
        assert!(Comparison::of(&after, &before, 1.10, false).unwrap().regressions().is_empty());
    }

    #[test]
    fn errors_from_none_and_throughput_that_fell_are_regressions() {
        let before = sample::calm();
        let mut after = before.clone();
        after.operations[0].outcomes.insert(crate::results::Outcome::Unknown, 500);
        after.operations[1].rate_achieved /= 2.0;
        let regressions = Comparison::of(&before, &after, 1.10, false).unwrap().regressions();
        assert_eq!(regressions.len(), 3, "{regressions:?}");
        assert!(regressions.iter().any(|told| told == "ledger keyed: throughput 0.50x"), "{regressions:?}");
    }

    #[test]
    fn runs_of_different_scenarios_are_refused_by_name_unless_asked_for() {
        let before = sample::calm();
        let mut after = sample::calm();
        after.scenario = "echo".to_owned();
        after.operations[0].name = "other".to_owned();
        let error = Comparison::of(&before, &after, 1.1, false).err().unwrap().to_string();
        assert!(error.contains("\"mixed\" and \"echo\""), "{error}");
        let comparison = Comparison::of(&before, &after, 1.1, true).unwrap();
        assert_eq!(comparison.unpaired, ["echo: in the first run alone", "other: in the second run alone"]);
    }
}
