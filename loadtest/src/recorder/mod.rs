//! Counts what became of requests.
//!
//! Memory grows with the seconds of a run and with its operations, never with its requests.

mod harm;
mod latency;
mod seconds;
mod tally;

use std::time::Duration;

pub(crate) use harm::Harm;
pub(crate) use latency::Histogram;

use crate::{
    observation::Observation,
    results::{self, Mark},
    scenario::Scenario,
    view::{Phase, Snapshot},
};
use seconds::Seconds;
use tally::Tally;

/// All that is counted in a run.
pub(crate) struct Recorder {
    warm_up: Duration,
    /// Where load ends.
    end: Duration,
    operations: Vec<Tally>,
    seconds: Seconds,
    marks: Vec<Mark>,
    by_target: Vec<u64>,
    harm: Harm,
}

/// What it leaves of a run.
pub(crate) struct Recorded {
    pub(crate) total: results::Operation,
    pub(crate) operations: Vec<results::Operation>,
    pub(crate) seconds: Vec<results::Second>,
    pub(crate) marks: Vec<Mark>,
    /// Requests that ended, by the place of their target, warm-up included.
    pub(crate) by_target: Vec<u64>,
}

impl Recorder {
    /// Of a run that has not begun.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            warm_up: scenario.load.warm_up,
            end: scenario.load.warm_up + scenario.load.duration,
            operations: scenario.operations.iter().map(Tally::new).collect(),
            seconds: Seconds::new(scenario.load.warm_up),
            marks: Vec::new(),
            by_target: Vec::new(),
            harm: Harm::default(),
        }
    }

    /// A request of this operation should be sent at this time.
    pub(crate) fn asked(&mut self, operation: usize, intended: Duration) {
        self.seconds.asked(intended, 1);
        if intended >= self.warm_up {
            self.operations[operation].asked += 1;
        }
    }

    /// As many should have been sent at about this time, and never were.
    pub(crate) fn never_sent(&mut self, intended: Duration, count: u64) {
        self.seconds.asked(intended, count);
    }

    /// One was sent.
    pub(crate) fn sent(&mut self, at: Duration) {
        self.seconds.sent(at);
    }

    /// One has ended; they have to be told in the order in which they end.
    pub(crate) fn ended(&mut self, observation: &Observation) {
        let times = observation.times;
        let outcome = observation.end.outcome();
        let latency_us = microseconds(times.ended.saturating_sub(times.intended));
        self.seconds.ended(times.ended, outcome, observation.target, latency_us);
        self.harm.ended(observation, outcome);
        let target = observation.target.0;
        if self.by_target.len() <= target {
            self.by_target.resize(target + 1, 0);
        }
        self.by_target[target] += 1;
        if times.intended >= self.warm_up {
            let service_us = microseconds(times.ended.saturating_sub(times.sent));
            let tally = &mut self.operations[observation.operation];
            tally.ended(&observation.end, outcome, latency_us, service_us);
            tally.in_time += u64::from(times.ended <= self.end);
        }
    }

    /// What clients noticed of faults so far.
    pub(crate) fn harm(&self) -> Harm {
        self.harm.clone()
    }

    /// Something happened.
    pub(crate) fn mark(&mut self, at: Duration, until: Option<Duration>, what: String) {
        let until_s = until.map(|until| until.as_secs_f64());
        self.marks.push(Mark { at_s: at.as_secs_f64(), until_s, what });
    }

    /// Load ends here already.
    pub(crate) fn end_at(&mut self, at: Duration) {
        self.end = self.end.min(at);
    }

    /// How it looks now, as far as is known here.
    pub(crate) fn snapshot(&mut self, now: Duration) -> Snapshot {
        let marks = self.marks.iter();
        Snapshot {
            elapsed: now,
            total: self.end,
            phase: match now {
                _ if now < self.warm_up => Phase::WarmUp,
                _ if now < self.end => Phase::Load,
                _ => Phase::Settling,
            },
            marks: marks.map(|mark| (Duration::from_secs_f64(mark.at_s), mark.what.clone())).collect(),
            ..self.seconds.snapshot(now)
        }
    }

    /// Of the requests that ended in the last whole second, how many each target answered.
    pub(crate) fn by_target(&self) -> &[u64] {
        self.seconds.by_target()
    }

    /// What is left of it at this time, when everything has ended.
    pub(crate) fn finish(self, now: Duration) -> Recorded {
        let seconds = self.seconds.finish(now);
        let measured = self.end.saturating_sub(self.warm_up);
        let mut total = Tally::total();
        for tally in &self.operations {
            total.add(tally);
        }
        Recorded {
            total: total.finish(measured),
            operations: self.operations.into_iter().map(|tally| tally.finish(measured)).collect(),
            seconds,
            marks: self.marks,
            by_target: self.by_target,
        }
    }
}

/// Whole microseconds, to the nearest.
fn microseconds(time: Duration) -> u64 {
    u64::try_from((time.as_nanos() + 500) / 1000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
