//! What happened in each second.

use std::{mem, time::Duration};

use super::{Histogram, tally::Outcomes};
use crate::{
    observation::TargetId,
    results::{Outcome, Second},
    view::{HISTORY_MAX, Snapshot},
};

/// All seconds so far. Requests end in the last one.
pub(super) struct Seconds {
    warm_up: Duration,
    seconds: Vec<Second>,
    /// The second that requests end in.
    current: usize,
    outcomes: Outcomes,
    latency: Histogram,
    /// Of the second before.
    latency_before: Histogram,
    sent: u64,
    ended: u64,
    /// Of all seconds.
    outcomes_so_far: Outcomes,
}

impl Seconds {
    pub(super) fn new(warm_up: Duration) -> Self {
        Self {
            warm_up,
            seconds: Vec::new(),
            current: 0,
            outcomes: Outcomes::default(),
            latency: Histogram::default(),
            latency_before: Histogram::default(),
            sent: 0,
            ended: 0,
            outcomes_so_far: Outcomes::default(),
        }
    }

    pub(super) fn asked(&mut self, intended: Duration, count: u64) {
        self.second(intended).asked += count;
    }

    pub(super) fn sent(&mut self, at: Duration) {
        self.second(at).sent += 1;
        self.sent += 1;
    }

    pub(super) fn ended(&mut self, at: Duration, outcome: Outcome, target: TargetId, latency_us: u64) {
        self.advance(at);
        self.outcomes.count(outcome);
        self.latency.record(latency_us);
        self.ended += 1;
        let second = self.second(at);
        second.ended += 1;
        if second.by_target.len() <= target.0 {
            second.by_target.resize(target.0 + 1, 0);
        }
        second.by_target[target.0] += 1;
    }

    /// Closes the seconds before this time.
    fn advance(&mut self, now: Duration) {
        let place = now.as_secs() as usize;
        while self.current < place {
            let in_flight = self.sent.saturating_sub(self.ended);
            let outcomes = mem::take(&mut self.outcomes);
            let (p50_us, p99_us) = (self.latency.quantile_us(0.5), self.latency.quantile_us(0.99));
            let max_us = self.latency.max_us();
            let second = self.second(Duration::from_secs(self.current as u64));
            *second =
                Second { in_flight, outcomes: outcomes.map(), p50_us, p99_us, max_us, ..mem::take(second) };
            self.outcomes_so_far.add(&outcomes);
            mem::swap(&mut self.latency, &mut self.latency_before);
            self.latency.clear();
            self.current += 1;
        }
    }

    fn second(&mut self, at: Duration) -> &mut Second {
        let place = at.as_secs() as usize;
        while self.seconds.len() <= place {
            let at_s = self.seconds.len() as u64;
            let is_warm_up = Duration::from_secs(at_s) < self.warm_up;
            self.seconds.push(Second { at_s, is_warm_up, ..Second::default() });
        }
        &mut self.seconds[place]
    }

    /// Rates and times are those of the last whole second.
    pub(super) fn snapshot(&mut self, now: Duration) -> Snapshot {
        self.advance(now);
        let mut outcomes = self.outcomes_so_far.clone();
        outcomes.add(&self.outcomes);
        let whole = &self.seconds[..self.current.min(self.seconds.len())];
        let shown = &whole[whole.len().saturating_sub(HISTORY_MAX)..];
        let last = shown.last();
        let latency = &self.latency_before;
        Snapshot {
            rate_asked: last.map_or(0.0, |second| second.asked as f64),
            rate_achieved: last.map_or(0.0, |second| second.ended as f64),
            in_flight: self.sent.saturating_sub(self.ended),
            p50_us: latency.quantile_us(0.5),
            p90_us: latency.quantile_us(0.9),
            p99_us: latency.quantile_us(0.99),
            max_us: latency.max_us(),
            requests: self.ended,
            outcomes: outcomes.map(),
            rates: shown.iter().map(|second| second.ended).collect(),
            p99s_us: shown.iter().map(|second| second.p99_us).collect(),
            ..Snapshot::default()
        }
    }

    /// How many requests each target answered in the last whole second.
    pub(super) fn by_target(&self) -> &[u64] {
        let last = self.current.checked_sub(1).and_then(|place| self.seconds.get(place));
        last.map_or(&[], |second| &second.by_target)
    }

    pub(super) fn finish(mut self, now: Duration) -> Vec<Second> {
        self.advance(now + Duration::from_secs(1));
        self.seconds
    }
}
