//! How often each target ran: a line for each run in the tree, and their sums in docs/security.md.

use std::{collections::BTreeMap, fmt::Write as _, fs, io::Write as _};

use anyhow::Context as _;

use crate::repository;

/// A line for each run: day, target, executions.
const RUNS: &str = "protocol/fuzz/runs.txt";
const PAGE: &str = "docs/security.md";
/// What stands between these is written from the runs.
const BEGIN: &str = "<!-- executions -->\n";
const END: &str = "<!-- end of executions -->\n";

/// Notes a run.
pub(super) fn add(target: &str, executions: u64) -> anyhow::Result<()> {
    let day = std::process::Command::new("date").args(["-u", "+%F"]).output()?;
    let day = String::from_utf8(day.stdout)?;
    let mut file = fs::OpenOptions::new().append(true).create(true).open(repository::root().join(RUNS))?;
    writeln!(file, "{} {target} {executions}", day.trim())?;
    Ok(())
}

/// Executions of all runs together.
pub(crate) fn total() -> anyhow::Result<u64> {
    Ok(sums()?.values().map(|(_, executions)| executions).sum())
}

/// Runs and executions by target.
fn sums() -> anyhow::Result<BTreeMap<String, (u64, u64)>> {
    let text =
        fs::read_to_string(repository::root().join(RUNS)).with_context(|| format!("cannot read {RUNS}"))?;
    let mut sums = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().skip(1);
        let (target, executions) = (words.next(), words.next().and_then(|count| count.parse::<u64>().ok()));
        let (target, executions) =
            target.zip(executions).with_context(|| format!("{RUNS}: {line:?} is no run"))?;
        let sum: &mut (u64, u64) = sums.entry(target.to_owned()).or_default();
        *sum = (sum.0 + 1, sum.1 + executions);
    }
    Ok(sums)
}

/// The page with its table as the runs say.
pub(crate) fn documented() -> anyhow::Result<(String, String)> {
    let page =
        fs::read_to_string(repository::root().join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("{PAGE} has no line {BEGIN:?}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{PAGE} has no line {END:?}"))?;
    let mut table = "| target | runs | executions |\n|---|---|---|\n".to_owned();
    for (target, (runs, executions)) in sums()? {
        writeln!(table, "| `{target}` | {runs} | {} |", grouped(executions))?;
    }
    writeln!(table, "| all | | **{}** |", grouped(total()?))?;
    Ok((PAGE.to_owned(), format!("{before}{BEGIN}{table}{END}{after}")))
}

/// A number with its digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_stand_in_threes() {
        assert_eq!([0, 999, 1000, 123_456_789].map(grouped), ["0", "999", "1 000", "123 456 789"]);
    }
}
