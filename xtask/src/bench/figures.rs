//! Tables of figures, each beside what it is held against.

use std::fmt::Write as _;

use super::statistics::Ratio;

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    /// It may not be larger.
    AtMost(f64),
    /// It may not be smaller.
    AtLeast(f64),
}

impl Bar {
    fn is_reached(self, figure: f64) -> bool {
        match self {
            Self::AtMost(bar) => figure <= bar,
            Self::AtLeast(bar) => figure >= bar,
        }
    }
}

impl std::fmt::Display for Bar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (word, bar) = match self {
            Self::AtMost(bar) => ("most", *bar),
            Self::AtLeast(bar) => ("least", *bar),
        };
        write!(formatter, "at {word} {}", number(bar, 2))
    }
}

/// The head of a table.
pub(crate) fn begin(text: &mut String) -> anyhow::Result<()> {
    Ok(writeln!(text, "\n| | median | spread | bar | |\n|---|---|---|---|---|")?)
}

/// A figure that every round has.
pub(crate) fn of_rounds(
    text: &mut String,
    what: &str,
    rounds: impl IntoIterator<Item = f64>,
    bar: Bar,
) -> anyhow::Result<()> {
    let ratio = Ratio::of(rounds);
    let (median, spread) = (number(ratio.median, 3), format!("{:.1} %", ratio.spread * 100.0));
    let verdict = verdict(bar.is_reached(ratio.median), ratio.doubt());
    Ok(writeln!(text, "| {what} | {median} | {spread} | {bar} | {verdict} |")?)
}

/// A figure of the whole run. `spread` says what it is of.
pub(crate) fn of_run(
    text: &mut String,
    what: &str,
    figure: f64,
    spread: &str,
    bar: Bar,
) -> anyhow::Result<()> {
    let verdict = verdict(bar.is_reached(figure), None);
    Ok(writeln!(text, "| {what} | {} | {spread} | {bar} | {verdict} |", number(figure, 3))?)
}

/// Nobody wants to know the decimals of a thousand.
fn number(number: f64, decimals: usize) -> String {
    let decimals = if number.abs() >= 1000.0 { 0 } else { decimals };
    format!("{number:.decimals$}")
}

/// A run in doubt passes nothing, and fails what it would fail without.
pub(crate) fn verdict(reached: bool, doubt: Option<&str>) -> String {
    match (reached, doubt) {
        (true, None) => "reached".to_owned(),
        (true, Some(doubt)) => doubt.to_owned(),
        (false, None) => "not reached".to_owned(),
        (false, Some(doubt)) => format!("not reached; {doubt}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rounds: [f64; 3], bar: Bar) -> String {
        let mut text = String::new();
        of_rounds(&mut text, "x", rounds, bar).unwrap();
        text
    }

    #[test]
    fn a_run_in_doubt_passes_nothing() {
        assert_eq!(verdict(true, Some("noisy")), "noisy");
        assert_eq!(verdict(false, Some("noisy")), "not reached; noisy");
    }

    #[test]
    fn a_figure_is_held_against_its_bar() {
        let row_of = |rounds| row(rounds, Bar::AtMost(2.5));
        assert_eq!(row_of([2.0, 2.1, 2.18]), "| x | 2.100 | 9.0 % | at most 2.50 | reached |\n");
        assert!(row_of([2.6, 2.6, 2.6]).ends_with("| not reached |\n"));
        assert!(row_of([2.0, 2.1, 2.6]).ends_with("| noisy |\n"));
        let row = row([2e5, 2e5, 2e5], Bar::AtLeast(1e5));
        assert_eq!(row, "| x | 200000 | 0.0 % | at least 100000 | reached |\n");
    }
}
