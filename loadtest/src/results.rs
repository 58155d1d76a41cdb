//! What is left of a run: the JSON that every report is made of. Keys are stable; `schema` changes when one does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What `schema` says of results of this version.
pub(crate) const SCHEMA: &str = "callboard-loadtest/1";

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) schema: String,
    pub(crate) scenario: String,
    /// What the scenario says of itself.
    pub(crate) about: String,
    /// The command that does the same again, with its seed.
    pub(crate) command: String,
    pub(crate) seed: u64,
    /// RFC 3339, UTC.
    pub(crate) began: String,
    /// How long load was asked for, without warm-up.
    pub(crate) duration_s: f64,
    /// Why this is a part of a run, if it is.
    pub(crate) partial: Option<String>,
    pub(crate) targets: Vec<Target>,
    pub(crate) total: Operation,
    /// In the scenario's order.
    pub(crate) operations: Vec<Operation>,
    /// One for each second since the run began, warm-up included.
    pub(crate) seconds: Vec<Second>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) generator: Generator,
    pub(crate) oracles: Vec<Oracle>,
    /// What was asked of the figures, and whether they are so.
    #[serde(default)]
    pub(crate) objectives: Vec<Objective>,
    /// What was done to the cluster; empty unless that was asked for.
    pub(crate) faults: Vec<Fault>,
}

/// Who was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// `callboard` or `next`.
    pub(crate) kind: String,
    pub(crate) url: String,
    pub(crate) requests: u64,
}

/// What an operation came to, warm-up left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) requests: u64,
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// By the code that `callboard-error` says.
    #[serde(default)]
    pub(crate) error_codes: BTreeMap<String, u64>,
    /// Asked and achieved, per second.
    pub(crate) rate_asked: f64,
    pub(crate) rate_achieved: f64,
    pub(crate) bytes_received: u64,
    /// From when a request should have been sent to the end of its answer.
    pub(crate) latency: Latency,
    /// From when it was sent.
    pub(crate) service: Latency,
}

impl Operation {
    /// Requests that did not end as they were meant to. Actions that failed count; clients that were meant to hang up do
    /// not, nor do hostile requests that nothing was run for.
    #[must_use]
    pub(crate) fn errors(&self) -> u64 {
        let wanted = |outcome: &Outcome| match outcome {
            Outcome::Done | Outcome::HungUp => true,
            Outcome::NotRun | Outcome::Failed => self.kind == "hostile",
            Outcome::Unknown | Outcome::Broken | Outcome::TimedOut | Outcome::Malformed => false,
        };
        self.outcomes.iter().filter(|(outcome, _)| !wanted(outcome)).map(|(_, count)| count).sum()
    }

    /// Their share of all requests, from 0 to 1.
    #[must_use]
    pub(crate) fn errors_share(&self) -> f64 {
        self.errors() as f64 / (self.requests as f64).max(1.0)
    }
}

impl Results {
    /// Requests of all operations that did not end as they were meant to.
    #[must_use]
    pub(crate) fn errors(&self) -> u64 {
        if self.operations.is_empty() {
            return self.total.errors();
        }
        self.operations.iter().map(Operation::errors).sum()
    }

    /// Their share of all requests, from 0 to 1.
    #[must_use]
    pub(crate) fn errors_share(&self) -> f64 {
        self.errors() as f64 / (self.total.requests as f64).max(1.0)
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Done,
    Failed,
    NotRun,
    Unknown,
    HungUp,
    Broken,
    TimedOut,
    /// An answer that is none.
    Malformed,
}

impl Outcome {
    /// Every one, from what is wanted most.
    pub(crate) const ALL: [Self; 8] = [
        Self::Done,
        Self::HungUp,
        Self::NotRun,
        Self::Failed,
        Self::Unknown,
        Self::TimedOut,
        Self::Broken,
        Self::Malformed,
    ];

    /// Its word, as in the JSON.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::NotRun => "not-run",
            Self::Unknown => "unknown",
            Self::HungUp => "hung-up",
            Self::Broken => "broken",
            Self::TimedOut => "timed-out",
            Self::Malformed => "malformed",
        }
    }
}

/// How long something took, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) min_us: u64,
    pub(crate) mean_us: f64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p99_us: u64,
    pub p999_us: u64,
    pub(crate) max_us: u64,
    /// The whole `HdrHistogram`: V2, deflated not, base64.
    pub(crate) histogram: String,
}

/// A second of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Second {
    /// Seconds since the run began, at its start.
    pub(crate) at_s: u64,
    pub(crate) is_warm_up: bool,
    /// Requests that should have been sent, were sent, and ended in it.
    pub(crate) asked: u64,
    pub(crate) sent: u64,
    pub(crate) ended: u64,
    pub(crate) in_flight: u64,
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    pub p50_us: u64,
    pub p99_us: u64,
    pub(crate) max_us: u64,
    /// Requests that ended in it, by the place of their target.
    pub(crate) by_target: Vec<u64>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) at_s: f64,
    pub(crate) until_s: Option<f64>,
    pub(crate) what: String,
}

/// Whether the figures are the target's or ours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Generator {
    /// How much later than intended requests were sent, as far as that is our fault.
    pub(crate) lag: Latency,
    /// Share of one core that the generating thread used, from 0 to 1.
    pub(crate) cpu_share: f64,
    /// Requests that could not be sent when they should have been as all connections were busy.
    pub(crate) held_back: u64,
    /// What is wrong with the figures for that, if anything is.
    pub(crate) warnings: Vec<String>,
}

/// A promise, and whether it was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Oracle {
    pub(crate) name: String,
    /// What is promised, in a sentence.
    pub(crate) promise: String,
    /// How many requests, runs or pages it judged.
    pub(crate) checked: u64,
    /// What it could not judge, and why.
    pub(crate) undecided: BTreeMap<String, u64>,
    /// How many there were in all; the first few follow.
    pub(crate) violations: u64,
    pub(crate) examples: Vec<Violation>,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Violation {
    pub(crate) oracle: String,
    pub(crate) what: String,
    /// The smallest history that shows it, in the order of time.
    pub(crate) history: Vec<String>,
}

/// What was asked of the figures of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Objective {
    /// As it was written: `p99<20ms`.
    pub(crate) wanted: String,
    pub(crate) measured: String,
    pub(crate) held: bool,
}

/// A fault, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) fault: String,
    pub(crate) victim: String,
    pub(crate) at_s: f64,
    pub(crate) until_s: f64,
    /// What it led to and how often, of what it has to lead to.
    pub(crate) landed: BTreeMap<String, u64>,
    /// What it should have led to, and did not. Empty, or the run proves nothing.
    pub(crate) missed: Vec<String>,
    /// Until others knew.
    pub(crate) detection_s: Option<f64>,
    /// Until the first call of a key was answered `done` whose calls the victim had run, and another node had run it.
    pub(crate) takeover_s: Option<f64>,
    /// Until the last request ended that was harmed.
    #[serde(default)]
    pub(crate) harm_s: Option<f64>,
    /// Until as many requests were done per second as before.
    pub(crate) recovery_s: Option<f64>,
    pub(crate) in_flight: u64,
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    pub(crate) fenced_pages: u64,
}
