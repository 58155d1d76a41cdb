//! Who judges, while the load runs and with bounded memory, whether promises are kept.
//!
//! The promises are those of docs/CONSISTENCY.md. What is needed to judge a request is kept until it has ended and its lines
//! of the ledger were read; after that a bounded number of histories are kept, and two bits of each call. What is missing
//! when it is needed is counted as undecided, and nothing is taken for right because it was forgotten.
//!
//! The order of clients is the order in which they tell of sending and ending, that of the ledger the order of its lines.
//! No clock decides anything, except which target may be silent.

mod calls;
mod keys;
mod ledger;
mod marks;
mod replays;
mod runs;
#[cfg(test)]
mod scene;
mod shape;
mod silence;
mod staleness;
mod takeover;
#[cfg(test)]
mod tests;
mod verdict;

use std::{path::PathBuf, time::Duration};

use self::{
    calls::Moment,
    ledger::Ledger,
    replays::{Replays, Same},
    runs::Runs,
    shape::Shape,
    silence::Silence,
    staleness::{Before, Staleness},
    verdict::{Verdicts, told},
};
use crate::{
    observation::{End, Observation, Subject, TargetId},
    results::{self, Outcome},
    target::Kind,
};

/// Which promises a run is held to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The file that the workload's ledger actions append to, if it can be read here. What is in it already is not judged.
    pub(crate) ledger: Option<PathBuf>,
    /// Most violations of one promise that are shown with their history.
    pub(crate) examples_max: usize,
    /// What kind of server is asked: others than Callboard promise less.
    pub(crate) kind: Kind,
}

/// All oracles of a run.
pub(crate) struct Oracles {
    kind: Kind,
    verdicts: Verdicts,
    runs: Runs,
    keys: Replays,
    forms: Replays,
    staleness: Staleness,
    shape: Shape,
    silence: Silence,
    /// How much has happened to clients.
    happened: u64,
    now: Duration,
    /// Why the ledger could not be read when there was nobody to tell.
    failed: Option<anyhow::Error>,
}

/// What was known when a request was sent, and is needed when it has ended.
#[derive(Debug, Default)]
pub(crate) struct Expectation {
    /// The place of the sending among all that happened to clients.
    place: u64,
    /// Which request of its call it is.
    request: usize,
    before: Before,
}

impl Oracles {
    /// Of a run that has not begun.
    #[must_use]
    pub(crate) fn new(settings: Settings) -> Self {
        let Settings { ledger, examples_max, kind } = settings;
        Self {
            kind,
            verdicts: Verdicts::new(examples_max),
            runs: Runs::new(ledger.map(Ledger::new), kind),
            keys: Replays::new(Same::All),
            forms: Replays::new(Same::Seen),
            staleness: Staleness::default(),
            shape: Shape::new(kind),
            silence: Silence::default(),
            happened: 0,
            now: Duration::ZERO,
            failed: None,
        }
    }

    /// A request is about to be sent.
    pub(crate) fn sending(&mut self, subject: &Subject, at: Duration) -> Expectation {
        let Moment { place, .. } = self.happens(at);
        let mut expected = Expectation { place, ..Expectation::default() };
        match subject {
            Subject::Ledger(call) => {
                expected.request = self.runs.calls.sending(call, Moment { at, place });
                if call.has_idempotency_key && self.kind == Kind::Callboard {
                    self.keys.sending(call.number, &mut self.verdicts.replays);
                }
            }
            Subject::Bump { tag } => expected.before = self.staleness.bumping(tag),
            Subject::Form { number } if self.kind == Kind::Callboard => {
                self.forms.sending(*number, &mut self.verdicts.forms);
            }
            Subject::Plain
            | Subject::Call
            | Subject::Form { .. }
            | Subject::Page { .. }
            | Subject::Hostile => {}
        }
        expected
    }

    /// It has ended.
    #[expect(clippy::needless_pass_by_value, reason = "what was expected of a request is judged once")]
    pub(crate) fn ended(&mut self, observation: &Observation, expected: Expectation) {
        let ended = self.happens(observation.times.ended);
        let shown = match (&observation.subject, &observation.end) {
            (Subject::Page { path }, End::Answered(answer)) => staleness::shown(path, answer),
            _ => None,
        };
        let given = self.shape.check(observation, shown.is_some(), &mut self.verdicts.shape);
        self.answered(observation);
        match &observation.subject {
            Subject::Ledger(call) => {
                let end = (observation, ended, &given);
                self.runs.ended(call, expected.request, end, &mut self.verdicts);
                if call.has_idempotency_key && self.kind == Kind::Callboard {
                    self.keys.ended(call.number, observation, &mut self.verdicts.replays);
                }
            }
            Subject::Bump { tag } => {
                let bump = (tag, expected.before);
                self.staleness.bumped(bump, ended.place, (observation, &given), &mut self.verdicts.staleness);
            }
            Subject::Page { path } => {
                let page = (observation, shown);
                self.staleness.page(path, expected.place, page, &mut self.verdicts.staleness);
            }
            Subject::Form { number } if self.kind == Kind::Callboard => {
                self.forms.ended(*number, observation, &mut self.verdicts.forms);
            }
            Subject::Form { .. } => self.verdicts.forms.undecided("the target promises nothing about forms"),
            Subject::Plain | Subject::Call | Subject::Hostile => {}
        }
    }

    /// Every call is answered, with what became of it.
    fn answered(&mut self, observation: &Observation) {
        let is_call = match observation.subject {
            Subject::Call | Subject::Ledger(_) | Subject::Bump { .. } | Subject::Form { .. } => true,
            Subject::Plain | Subject::Page { .. } | Subject::Hostile => false,
        };
        if !is_call {
            return;
        }
        let truth = &mut self.verdicts.truth;
        truth.judged();
        match &observation.end {
            End::HungUp => {}
            End::Broken(_) | End::TimedOut => {
                let times = observation.times;
                if self.silence.excuses(observation.target, times.sent, times.ended) {
                    truth.undecided("not answered by a target that was broken on purpose");
                } else {
                    let what = || "a call was never answered, and nobody broke its target".to_owned();
                    truth.broken(what, || vec![told(observation)]);
                }
            }
            End::Answered(answer) => {
                let is_said = answer.headers.contains_key("callboard-outcome");
                let is_missing = self.kind == Kind::Callboard && !is_said;
                if is_missing || observation.end.outcome() == Outcome::Malformed {
                    let what = || "an answer does not say what became of its call".to_owned();
                    truth.broken(what, || vec![told(observation)]);
                }
            }
        }
    }

    fn happens(&mut self, at: Duration) -> Moment {
        self.happened += 1;
        self.now = self.now.max(at);
        Moment { at, place: self.happened }
    }

    /// Called a few times a second: reads what came to the ledger, and judges the answers that came before.
    ///
    /// # Errors
    ///
    /// If the ledger cannot be read.
    pub(crate) fn look(&mut self, now: Duration) -> anyhow::Result<()> {
        self.now = self.now.max(now);
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.runs.look(&mut self.verdicts),
        }
    }

    /// This process was killed, by whoever breaks the cluster: what ran in it has no end. Told when it is dead, so that all
    /// that it wrote is in the ledger.
    pub(crate) fn killed(&mut self, process: u32) {
        if let Err(error) = self.runs.look(&mut self.verdicts) {
            self.failed.get_or_insert(error);
        }
        self.runs.keys.killed(process);
    }

    /// This process, or none, is about to be broken.
    pub(crate) fn breaks(&mut self, process: Option<u32>) {
        self.runs.takeover.breaks(process);
    }

    /// When another process was the first to have run a call of one of its accounts. An account is of whoever ran its last
    /// call when it was broken.
    #[must_use]
    pub(crate) fn taken_over(&self) -> Option<Duration> {
        self.runs.takeover.taken_over()
    }

    /// From now on this target may say nothing, as it was killed, stopped, cut off or taken away on purpose.
    pub(crate) fn silenced(&mut self, target: TargetId, now: Duration) {
        self.silence.begins(target, now);
    }

    /// It has to answer again what it is sent from now on.
    pub(crate) fn answers_again(&mut self, target: TargetId, now: Duration) {
        self.silence.ends(target, now);
    }

    /// How many violations there are so far.
    #[must_use]
    pub(crate) fn violations(&self) -> u64 {
        self.verdicts.violations()
    }

    /// The verdicts. Everything has ended.
    ///
    /// # Errors
    ///
    /// If the ledger cannot be read.
    pub(crate) fn finish(mut self, now: Duration) -> anyhow::Result<Vec<results::Oracle>> {
        self.look(now)?;
        Ok(self.verdicts.finish())
    }
}
