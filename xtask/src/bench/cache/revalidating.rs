//! What a revalidation adds to the call that asks for it: until no node serves anything older.

use std::fmt;

use crate::bench::{
    line::{Call, Line, times},
    nodes::Nodes,
    reference,
    server::Server,
    statistics::{median_of, quantile_of},
    store::Redis,
};

/// How often a round goes from round trips to calls that revalidate and to those that do not.
const TURNS: usize = 8;

/// How many of each in a turn.
const CALLS: usize = 250;

/// How many of each in a round.
pub(super) const CALLS_PER_ROUND: usize = TURNS * CALLS;

/// What is allowed on top of round trips at the 99th percentile, where a busy machine lets everybody wait.
const SLACK_US: f64 = 1000.0;

/// How long one call at a time takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

impl Latency {
    fn of(times_us: &[f64]) -> Self {
        let times_us = || times_us.iter().copied();
        Self { p50_us: median_of(times_us()), p99_us: quantile_of(times_us(), 0.99) }
    }
}

/// Calls that revalidate a tag, and the same ones without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Added {
    pub(super) round_trip_us: f64,
    pub(super) loud: Latency,
    pub(super) quiet: Latency,
}

impl Added {
    /// What a revalidation adds, in Redis round trips.
    pub(super) fn round_trips(&self) -> f64 {
        (self.loud.p50_us - self.quiet.p50_us) / self.round_trip_us
    }

    /// What it adds at the 99th percentile, over so many round trips and a millisecond.
    pub(super) fn p99_over(&self, round_trips: f64) -> f64 {
        (self.loud.p99_us - self.quiet.p99_us) / (round_trips * self.round_trip_us + SLACK_US)
    }
}

impl fmt::Display for Added {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { round_trip_us, loud, quiet } = self;
        write!(
            formatter,
            "({:.0} - {:.0}) / {round_trip_us:.0} us = {:.2} round trips, p99 {:.0} - {:.0} us",
            loud.p50_us,
            quiet.p50_us,
            self.round_trips(),
            loud.p99_us,
            quiet.p99_us
        )
    }
}

/// The call that revalidates these tags.
pub(super) fn call(nodes: &Nodes<'_>, tags: &[&str]) -> anyhow::Result<Call> {
    let body = serde_json::to_string(&[tags])?;
    Ok(Call { reference: reference(nodes.server(0), "revalidate_tags")?, body })
}

/// Who is asked, and for what.
pub(super) struct Course<'a> {
    redis: &'a Redis,
    owner: &'a Server,
    quiet: &'a Call,
    loud: &'a Call,
}

impl<'a> Course<'a> {
    /// The owner runs both calls; only the loud one revalidates something.
    pub(super) fn new(redis: &'a Redis, owner: &'a Server, quiet: &'a Call, loud: &'a Call) -> Self {
        Self { redis, owner, quiet, loud }
    }

    /// Asks for both, one at a time, and for Redis' own answer in between.
    pub(super) fn added(&self) -> anyhow::Result<Added> {
        let line = |call: &Call| Line::open(&self.owner.address, &call.request(&self.owner.address));
        let (mut redis, mut quiet, mut loud) = (self.redis.connect()?, line(self.quiet)?, line(self.loud)?);
        let [mut round_trips, mut quiet_us, mut loud_us] = [const { Vec::new() }; 3];
        for _ in 0..TURNS {
            times(CALLS, &mut round_trips, || redis.ping())?;
            times(CALLS, &mut loud_us, || loud.ask())?;
            times(CALLS, &mut quiet_us, || quiet.ask())?;
        }
        Ok(Added {
            round_trip_us: median_of(round_trips),
            loud: Latency::of(&loud_us),
            quiet: Latency::of(&quiet_us),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_costs_without_a_revalidation_does_not_count() {
        let latency = |p50_us, p99_us| Latency { p50_us, p99_us };
        let added = Added { round_trip_us: 100.0, loud: latency(300.0, 2000.0), quiet: latency(50.0, 500.0) };
        assert_eq!(added.round_trips(), 2.5);
        assert_eq!(added.p99_over(5.0), 1.0);
    }
}
