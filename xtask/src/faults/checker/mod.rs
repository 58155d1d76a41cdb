//! Compares what clients were told with what was written down, and says which promise was broken.
//!
//! The promises are those of docs/CONSISTENCY.md, under the names that they have there. Nothing here knows a clock: the
//! order of the ledger is the order of its lines, that of the clients one count of what happened to them.

mod calls;
mod idempotency;
mod keys;
#[cfg(test)]
mod scene;

use std::collections::{HashMap, HashSet};

use callboard_cluster::core::Invariant;

use super::{
    history::Request,
    ledger::{Line, Run},
};

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    /// The call that shows it.
    pub(crate) number: u64,
    pub(crate) what: String,
}

/// Everything that is known, sorted for questions.
struct Evidence<'a> {
    requests: &'a [Request],
    lines: &'a [Line],
    /// The requests of each call.
    asked: HashMap<u64, Vec<&'a Request>>,
    /// Where in the ledger each call started, and ended.
    starts: HashMap<u64, Vec<(usize, &'a Run)>>,
    ends: HashMap<u64, Vec<&'a Run>>,
    killed: HashSet<u32>,
}

/// Every promise that was broken, after everything has ended.
pub(crate) fn check(requests: &[Request], lines: &[Line]) -> Vec<Violation> {
    let evidence = Evidence::new(requests, lines);
    let mut found = Vec::new();
    calls::check(&evidence, &mut found);
    keys::check(&evidence, &mut found);
    idempotency::check(&evidence, &mut found);
    found.sort_by_key(|violation| (violation.number, violation.invariant));
    found
}

impl<'a> Evidence<'a> {
    fn new(requests: &'a [Request], lines: &'a [Line]) -> Self {
        let mut evidence = Self {
            requests,
            lines,
            asked: HashMap::new(),
            starts: HashMap::new(),
            ends: HashMap::new(),
            killed: HashSet::new(),
        };
        for request in requests {
            evidence.asked.entry(request.number).or_default().push(request);
        }
        for (place, line) in lines.iter().enumerate() {
            match line {
                Line::Start(run) => evidence.starts.entry(run.number).or_default().push((place, run)),
                Line::End(run) => evidence.ends.entry(run.number).or_default().push(run),
                Line::Killed(pid) => drop(evidence.killed.insert(*pid)),
            }
        }
        evidence
    }

    fn starts(&self, number: u64) -> &[(usize, &'a Run)] {
        self.starts.get(&number).map_or(&[], Vec::as_slice)
    }

    fn ends(&self, number: u64) -> &[&'a Run] {
        self.ends.get(&number).map_or(&[], Vec::as_slice)
    }

    fn asked(&self, number: u64) -> &[&'a Request] {
        self.asked.get(&number).map_or(&[], Vec::as_slice)
    }
}

/// Notes a broken promise.
fn broken(found: &mut Vec<Violation>, invariant: Invariant, number: u64, what: String) {
    found.push(Violation { invariant, number, what });
}
