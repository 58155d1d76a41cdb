//! What happened in a phase, counted; and the table of it.

use std::{collections::HashMap, fmt::Write as _};

use super::{
    history::{End, Outcome, Request},
    ledger::{Action, Line},
};

/// What happened while one fault was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Requests of clients.
    pub(crate) calls: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) not_run: u64,
    pub(crate) unknown: u64,
    /// Without an answer: the client hung up, or its node was killed.
    pub(crate) unanswered: u64,
    pub(crate) replayed: u64,
    /// Run by another node than the one asked.
    pub(crate) routed: u64,
    /// How often an account was run by another process than before.
    pub(crate) moved: u64,
    /// Done, and asked before and answered after whatever it was that stopped.
    pub(crate) waited: u64,
    /// Sessions that were members before and are not after it.
    pub(crate) sessions_ended: u64,
    pub(crate) killed: u64,
    pub(crate) replaced: u64,
    pub(crate) restarts: u64,
    pub(crate) resets: u64,
    pub(crate) answers_lost: u64,
    pub(crate) run_by_newcomer: u64,
}

impl Tally {
    /// Counts requests, and where they ran.
    pub(crate) fn count<'a>(&mut self, requests: impl Iterator<Item = &'a Request>) {
        for request in requests {
            self.calls += 1;
            match &request.end {
                End::Answered(answer) => {
                    match answer.outcome {
                        Outcome::Done => self.done += 1,
                        Outcome::Failed | Outcome::Missing => self.failed += 1,
                        Outcome::NotRun => self.not_run += 1,
                        Outcome::Unknown => self.unknown += 1,
                    }
                    self.replayed += u64::from(answer.replayed);
                    self.routed += u64::from(request.was_routed());
                }
                End::HungUp | End::Broken(_) | End::Silence => self.unanswered += 1,
            }
        }
    }

    /// Counts how often keyed calls of an account went on in another process.
    pub(crate) fn count_moves<'a>(&mut self, lines: impl Iterator<Item = &'a Line>) {
        let mut places = HashMap::new();
        for line in lines {
            if let Line::Start(run) = line
                && run.action == Action::Keyed
                && places.insert(&run.account, run.pid).is_some_and(|before| before != run.pid)
            {
                self.moved += 1;
            }
        }
    }
}

const COLUMNS: [&str; 11] = [
    "fault",
    "calls",
    "done",
    "not-run",
    "unknown",
    "unanswered",
    "replayed",
    "routed",
    "moved",
    "sessions",
    "violations",
];

/// The first line of the table.
pub(crate) fn head() -> String {
    line(&COLUMNS.map(str::to_owned))
}

/// A line of the table.
pub(crate) fn row(fault: &str, tally: &Tally, violations: usize) -> String {
    let Tally { calls, done, not_run, unknown, unanswered, replayed, routed, moved, sessions_ended, .. } =
        tally;
    let counts = [calls, done, not_run, unknown, unanswered, replayed, routed, moved, sessions_ended];
    let mut cells = vec![fault.to_owned()];
    cells.extend(counts.map(ToString::to_string));
    cells.push(violations.to_string());
    line(&cells)
}

fn line(cells: &[String]) -> String {
    let mut line = format!("{:<14}", cells[0]);
    for (cell, column) in cells[1..].iter().zip(&COLUMNS[1..]) {
        let width = column.len().max(6);
        write!(line, "  {cell:>width$}").expect("writing to a String cannot fail");
    }
    line
}
