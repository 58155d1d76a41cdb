//! What became of each promise, and how a request is told of.

use std::time::Duration;

use crate::{
    observation::{End, Observation, Subject, TargetId},
    results::{Oracle, Violation},
};

/// A promise while the run goes on.
pub(super) struct Verdict {
    oracle: Oracle,
    examples_max: usize,
}

impl Verdict {
    fn new(name: &str, promise: &str, examples_max: usize) -> Self {
        let oracle = Oracle { name: name.to_owned(), promise: promise.to_owned(), ..Oracle::default() };
        Self { oracle, examples_max }
    }

    /// One more request, run or page was judged.
    pub(super) fn judged(&mut self) {
        self.oracle.checked += 1;
    }

    /// Something could not be judged.
    pub(super) fn undecided(&mut self, why: &str) {
        match self.oracle.undecided.get_mut(why) {
            Some(count) => *count += 1,
            None => drop(self.oracle.undecided.insert(why.to_owned(), 1)),
        }
    }

    /// The promise was broken. The history is told for the first few only.
    pub(super) fn broken(&mut self, what: impl FnOnce() -> String, history: impl FnOnce() -> Vec<String>) {
        self.oracle.violations += 1;
        if self.oracle.examples.len() < self.examples_max {
            let oracle = self.oracle.name.clone();
            self.oracle.examples.push(Violation { oracle, what: what(), history: history() });
        }
    }
}

/// All of them, in the order in which they are reported.
pub(super) struct Verdicts {
    pub(super) once: Verdict,
    pub(super) truth: Verdict,
    pub(super) order: Verdict,
    pub(super) replays: Verdict,
    pub(super) staleness: Verdict,
    pub(super) forms: Verdict,
    pub(super) shape: Verdict,
}

impl Verdicts {
    pub(super) fn new(examples_max: usize) -> Self {
        let new = |name, promise| Verdict::new(name, promise, examples_max);
        Self {
            once: new(
                "at-most-once",
                "an action runs at most once for each call, and only if somebody called",
            ),
            truth: new("truth", "every call is answered, and what the answer says became of it is so"),
            order: new(
                "order",
                "calls of one key run one at a time, in order, with tokens that never go back",
            ),
            replays: new(
                "replays",
                "requests with one idempotency key are answered once, and then with the same",
            ),
            staleness: new(
                "staleness",
                "no page is older than an action that was answered before it was asked for",
            ),
            forms: new("forms", "a form that is sent twice runs once, and both see the same answer"),
            shape: new(
                "well-formed",
                "every answer can be read to its end and is of the kind that was asked for",
            ),
        }
    }

    pub(super) fn violations(&self) -> u64 {
        self.all().iter().map(|verdict| verdict.oracle.violations).sum()
    }

    fn all(&self) -> [&Verdict; 7] {
        let Self { once, truth, order, replays, staleness, forms, shape } = self;
        [once, truth, order, replays, staleness, forms, shape]
    }

    pub(super) fn finish(self) -> Vec<Oracle> {
        let Self { once, truth, order, replays, staleness, forms, shape } = self;
        [once, truth, order, replays, staleness, forms, shape].map(|verdict| verdict.oracle).into()
    }
}

/// A request, in a line of a history.
pub(super) fn told(observation: &Observation) -> String {
    let what = match &observation.subject {
        Subject::Plain => "request".to_owned(),
        Subject::Call => "call".to_owned(),
        Subject::Ledger(call) => format!("call {} of {}", call.number, call.account),
        Subject::Bump { tag } => format!("bump of {tag}"),
        Subject::Page { path } => format!("page {path}"),
        Subject::Form { number } => format!("form {number}"),
        Subject::Hostile => "hostile request".to_owned(),
    };
    let came = match &observation.end {
        End::Answered(answer) => {
            let header = |name: &str, word: &str| {
                answer.header(name).map_or_else(String::new, |value| format!("{word}{value}"))
            };
            format!(
                "{}{}{}{}",
                answer.status,
                header("callboard-outcome", ", "),
                header("callboard-error", ", "),
                header("callboard-replayed", ", replayed ")
            )
        }
        End::HungUp => "hung up".to_owned(),
        End::Broken(why) => format!("broken: {why}"),
        End::TimedOut => "no answer".to_owned(),
    };
    let times = span(observation.times.sent, Some(observation.times.ended));
    format!("{times}: {what} to {}: {came}", target(observation.target))
}

/// From when to when something was under way.
pub(super) fn span(sent: Duration, ended: Option<Duration>) -> String {
    let ended = ended.map_or_else(|| "…".to_owned(), |ended| format!("{:.6} s", ended.as_secs_f64()));
    format!("{:.6} s to {ended}", sent.as_secs_f64())
}

pub(super) fn target(TargetId(number): TargetId) -> String {
    format!("target {number}")
}
