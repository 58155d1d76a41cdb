//! Two kinds of servers beside each other, asked in turn: what the second takes, in times of the first.

use serde::Serialize;

use super::{
    compare::{Comparison, shown},
    figures,
    text::Table,
};
use crate::results::Results;

/// Rounds in which both were asked the same.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    names: [String; 2],
    lines: Vec<Line>,
    /// Promises that were broken by either, and what is to be known of the figures.
    remarks: Vec<String>,
    violations: u64,
    /// Not all rounds that were asked for are in it.
    is_partial: bool,
}

/// A figure of an operation.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    operation: String,
    figure: &'static str,
    /// A round each: of the first, of the second, and the second in times of the first.
    rounds: Vec<(f64, f64, f64)>,
}

impl Beside {
    /// Of servers that are called so.
    pub(crate) fn new(names: [String; 2]) -> Self {
        Self { names, ..Self::default() }
    }

    /// A round.
    ///
    /// # Errors
    ///
    /// If they were asked different things.
    pub(crate) fn add(&mut self, first: &Results, second: &Results) -> anyhow::Result<()> {
        // Nobody is worse here, so there is no threshold.
        let comparison = Comparison::of(first, second, f64::INFINITY, false)?;
        for row in &comparison.rows {
            for (figure, change) in row.changes() {
                let round = (change.before, change.after, change.ratio);
                match self.lines.iter_mut().find(|line| line.operation == row.name && line.figure == figure) {
                    Some(line) => line.rounds.push(round),
                    None => {
                        self.lines.push(Line { operation: row.name.clone(), figure, rounds: vec![round] })
                    }
                }
            }
        }
        for (name, results) in self.names.iter().zip([first, second]) {
            let broken = results.oracles.iter().filter(|oracle| oracle.violations > 0);
            self.remarks.extend(broken.map(|oracle| {
                self.violations += oracle.violations;
                let history =
                    oracle.examples.first().map(|example| example.history.join("; ")).unwrap_or_default();
                let (oracle, times, promise) = (&oracle.name, oracle.violations, &oracle.promise);
                format!("{name} broke a promise, {times} times: {oracle}: {promise}: {history}")
            }));
            self.remarks
                .extend(results.generator.warnings.iter().map(|warning| format!("{name}: {warning}")));
        }
        Ok(())
    }

    /// A round was not finished: why.
    pub(crate) fn stopped(&mut self, why: &str) {
        self.is_partial = true;
        self.remarks.push(format!("Not all rounds are here: {why}"));
    }

    /// Whether all rounds are in it, and neither broke a promise.
    pub(crate) fn passes(&self) -> bool {
        !self.is_partial && self.violations == 0
    }

    /// The lines as JSON.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub(crate) fn json(&self) -> anyhow::Result<String> {
        let value = serde_json::json!({
            "schema": "callboard-loadtest-beside/1",
            "names": self.names,
            "lines": self.lines,
            "remarks": self.remarks,
        });
        Ok(serde_json::to_string_pretty(&value)? + "\n")
    }

    /// The table, for a terminal: medians of the rounds.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let [first, second] = &self.names;
        let mut table = Table::new(&["operation", "figure", first, second, "ratio", "spread"]);
        for line in &self.lines {
            let column = |pick: fn(&(f64, f64, f64)) -> f64| line.rounds.iter().map(pick).collect::<Vec<_>>();
            let ratios = column(|round| round.2);
            table.row([
                line.operation.clone(),
                line.figure.to_owned(),
                shown(line.figure, median(column(|round| round.0))),
                shown(line.figure, median(column(|round| round.1))),
                figures::ratio(median(ratios.clone())),
                spread(&ratios),
            ]);
        }
        let rounds = self.lines.first().map_or(0, |line| line.rounds.len());
        let mut lines = table.lines();
        lines.push(String::new());
        lines.push(format!(
            "Medians of {rounds} rounds; the ratio is {second} in times of {first} within a round, the spread its highest over its lowest."
        ));
        lines.extend(self.remarks.iter().cloned());
        lines.join("\n") + "\n"
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

fn spread(ratios: &[f64]) -> String {
    let (lowest, highest) = ratios
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
    if lowest > 0.0 && highest.is_finite() { figures::ratio(highest / lowest) } else { "-".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn beside(rounds: &[(&Results, &Results)]) -> Beside {
        let mut beside = Beside::new(["here".to_owned(), "there".to_owned()]);
        for (first, second) in rounds {
            beside.add(first, second).unwrap();
        }
        beside
    }

    #[test]
    fn ratios_are_those_within_a_round() {
        let (calm, slower) = (sample::calm(), sample::slower());
        let text = beside(&[(&calm, &slower), (&calm, &slower), (&calm, &calm)]).text();
        let line = text.lines().find(|line| line.starts_with("total") && line.contains("p99")).unwrap();
        assert!(line.ends_with("1.50x   1.50x"), "{line:?}");
        assert!(text.contains("Medians of 3 rounds"), "{text}");
    }

    #[test]
    fn a_promise_that_either_broke_is_told() {
        let (mut calm, broken) = (sample::calm(), sample::results());
        calm.scenario.clone_from(&broken.scenario);
        let beside = beside(&[(&calm, &broken)]);
        assert!(!beside.passes());
        assert!(beside.text().contains("there broke a promise"), "{}", beside.text());
        assert!(beside.json().unwrap().contains("callboard-loadtest-beside/1"));
    }

    #[test]
    fn what_was_stopped_says_so_and_shows_the_rounds_before() {
        let calm = sample::calm();
        let mut beside = beside(&[(&calm, &calm)]);
        assert!(beside.passes());
        beside.stopped("stopped by hand after 2.0 s");
        assert!(!beside.passes());
        let text = beside.text();
        assert!(
            text.contains("Medians of 1 rounds") && text.contains("stopped by hand after 2.0 s"),
            "{text}"
        );
    }

    #[test]
    fn other_scenarios_are_no_round() {
        let (calm, mut other) = (sample::calm(), sample::calm());
        other.scenario = "other".to_owned();
        assert!(Beside::new([String::new(), String::new()]).add(&calm, &other).is_err());
    }
}
