//! When requests should begin.
//!
//! A rate is a number of requests per second over time; its integral is how many should have begun until then. Where the
//! integral reaches 0, 1, 2 … requests begin at even distances, and where it reaches sums of exponential draws they are a
//! Poisson process of that rate, also while the rate changes. Nobody waits for an answer here.

use std::{collections::VecDeque, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::scenario::{Load, Rate, Spacing};

/// When requests should begin, since the run began, one after the other.
#[derive(Debug)]
pub(crate) struct Arrivals {
    /// The one that the next request lies in, and those after it.
    segments: VecDeque<Segment>,
    /// Requests that should have begun where the first segment begins.
    before: f64,
    /// Where the integral has to be for the next request.
    next: f64,
    spacing: Spacing,
    random: StdRng,
}

/// A stretch of time in which the rate is steady, or changes evenly.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Seconds since the run began.
    from: f64,
    until: f64,
    rate_from: f64,
    rate_until: f64,
}

impl Segment {
    fn steady(from: f64, until: f64, rate: f64) -> Self {
        Self { from, until, rate_from: rate, rate_until: rate }
    }

    fn length(self) -> f64 {
        self.until - self.from
    }

    /// How many requests begin in it.
    fn requests(self) -> f64 {
        self.length() * f64::midpoint(self.rate_from, self.rate_until)
    }

    fn slope(self) -> f64 {
        (self.rate_until - self.rate_from) / self.length()
    }

    /// When this many of its requests have begun: fewer than all.
    fn at(self, requests: f64) -> f64 {
        if requests <= 0.0 {
            return self.from;
        }
        // The root of rate·t + slope·t²/2 = requests, in the form that does not cancel and holds for a steady rate.
        let root = (self.rate_from.powi(2) + 2.0 * self.slope() * requests).max(0.0).sqrt();
        self.from + 2.0 * requests / (self.rate_from + root)
    }
}

impl Arrivals {
    /// Of a load: warm-up at its first rate, then the rate over its duration. The same for the same seed.
    #[must_use]
    pub(crate) fn new(load: &Load, seed: u64) -> Self {
        let start = load.warm_up.as_secs_f64();
        let end = start + load.duration.as_secs_f64();
        let mut segments = VecDeque::new();
        segments.push_back(Segment::steady(0.0, start, first_rate(&load.rate)));
        match &load.rate {
            Rate::Constant(rate) => segments.push_back(Segment::steady(start, end, *rate)),
            Rate::Ramp { from, to } => {
                segments.push_back(Segment { from: start, until: end, rate_from: *from, rate_until: *to });
            }
            Rate::Steps(steps) => {
                let mut at = start;
                for (place, (rate, length)) in steps.iter().enumerate() {
                    let is_last = place + 1 == steps.len();
                    let until = if is_last { end } else { (at + length.as_secs_f64()).min(end) };
                    segments.push_back(Segment::steady(at, until, *rate));
                    at = until;
                }
            }
            Rate::Replay(rates) => {
                let mut at = start;
                for rate in rates.iter().cycle() {
                    if at >= end {
                        break;
                    }
                    segments.push_back(Segment::steady(at, (at + 1.0).min(end), *rate));
                    at += 1.0;
                }
            }
        }
        segments.retain(|segment| segment.length() > 0.0);
        let mut arrivals = Self {
            segments,
            before: 0.0,
            next: 0.0,
            spacing: load.spacing,
            random: StdRng::seed_from_u64(seed),
        };
        if load.spacing == Spacing::Poisson {
            arrivals.next = arrivals.gap();
        }
        arrivals
    }

    /// When the next request should begin, if one still should.
    pub(crate) fn peek(&mut self) -> Option<Duration> {
        loop {
            let segment = *self.segments.front()?;
            let requests = segment.requests();
            if self.next < self.before + requests {
                return Some(Duration::from_secs_f64(segment.at(self.next - self.before)));
            }
            self.before += requests;
            self.segments.pop_front();
        }
    }

    /// How many requests have not begun.
    #[must_use]
    pub(crate) fn left(&self) -> u64 {
        let all = self.segments.iter().fold(self.before, |sum, segment| sum + segment.requests());
        (all - self.next).max(0.0).ceil() as u64
    }

    fn gap(&mut self) -> f64 {
        match self.spacing {
            Spacing::Even => 1.0,
            // Of a number in (0, 1], so that there is a logarithm.
            Spacing::Poisson => -(1.0 - self.random.random::<f64>()).ln(),
        }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let at = self.peek()?;
        self.next += self.gap();
        Some(at)
    }
}

fn first_rate(rate: &Rate) -> f64 {
    match rate {
        Rate::Constant(rate) => *rate,
        Rate::Ramp { from, .. } => *from,
        Rate::Steps(steps) => steps.first().map_or(0.0, |(rate, _)| *rate),
        Rate::Replay(rates) => rates.first().copied().unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Http;

    fn load(rate: Rate, spacing: Spacing, warm_up_s: u64, duration_s: u64) -> Load {
        Load {
            rate,
            spacing,
            warm_up: Duration::from_secs(warm_up_s),
            duration: Duration::from_secs(duration_s),
            connections_max: 1,
            http: Http::One,
            timeout: Duration::from_secs(1),
        }
    }

    fn milliseconds(load: &Load) -> Vec<u128> {
        Arrivals::new(load, 1).map(|at| (at.as_secs_f64() * 1e3).round() as u128).collect()
    }

    #[test]
    fn a_constant_rate_begins_at_once_and_keeps_its_distance() {
        let load = load(Rate::Constant(4.0), Spacing::Even, 0, 2);
        assert_eq!(milliseconds(&load), [0, 250, 500, 750, 1000, 1250, 1500, 1750]);
    }

    #[test]
    fn warm_up_runs_at_the_first_rate_before_the_duration() {
        let load = load(Rate::Ramp { from: 2.0, to: 6.0 }, Spacing::Even, 2, 2);
        let times = milliseconds(&load);
        assert_eq!(times[..5], [0, 500, 1000, 1500, 2000]);
        // 2·2 of the warm-up, and the mean of 2 and 6 over two seconds.
        assert_eq!(times.len(), 4 + 8);
    }

    /// A ramp from 0 to r over T seconds has had r·t²/2T requests at t.
    #[test]
    fn a_ramp_begins_requests_where_its_integral_says() {
        let load = load(Rate::Ramp { from: 0.0, to: 100.0 }, Spacing::Even, 0, 10);
        let times: Vec<_> = Arrivals::new(&load, 1).collect();
        assert_eq!(times.len(), 500);
        for (number, at) in times.iter().enumerate() {
            assert!((5.0 * at.as_secs_f64().powi(2) - number as f64).abs() < 1e-4, "{number}: {at:?}");
        }
    }

    #[test]
    fn the_last_step_holds_until_the_end() {
        let steps = vec![(2.0, Duration::from_secs(1)), (4.0, Duration::from_secs(1))];
        let load = load(Rate::Steps(steps), Spacing::Even, 0, 3);
        assert_eq!(milliseconds(&load), [0, 500, 1000, 1250, 1500, 1750, 2000, 2250, 2500, 2750]);
    }

    #[test]
    fn a_recording_begins_anew_when_it_is_over() {
        let load = load(Rate::Replay(vec![1.0, 0.0, 2.0]), Spacing::Even, 0, 4);
        assert_eq!(milliseconds(&load), [0, 2000, 2500, 3000]);
    }

    #[test]
    fn independent_clients_ask_as_often_and_at_random() {
        let load = load(Rate::Constant(1000.0), Spacing::Poisson, 0, 100);
        let times: Vec<_> = Arrivals::new(&load, 7).collect();
        // Five standard deviations of a Poisson count of mean 100,000.
        assert!(times.len().abs_diff(100_000) < 1_600, "{}", times.len());
        let gaps: Vec<_> =
            times.windows(2).map(|pair| pair[1].as_secs_f64() - pair[0].as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // The gaps of a Poisson process deviate as much as they are long.
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "{}", variance.sqrt() / mean);
    }

    #[test]
    fn a_seed_decides_everything() {
        let load = load(Rate::Constant(50.0), Spacing::Poisson, 1, 4);
        let of = |seed| Arrivals::new(&load, seed).collect::<Vec<_>>();
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }
}
