//! The seconds of a run as plots show them: a long run has fewer points, each of several seconds.

use std::collections::BTreeMap;

use crate::results::{Outcome, Second};

/// Most points along a plot; more are no more to see.
const POINTS_MAX: usize = 240;

/// Some seconds, as one point.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) at_s: f64,
    pub(crate) until_s: f64,
    /// Per second.
    pub(crate) asked: f64,
    pub(crate) ended: f64,
    pub(crate) outcomes: BTreeMap<Outcome, f64>,
    pub(crate) by_target: Vec<f64>,
    /// Nothing ended, so there is no latency.
    pub(crate) latency: Option<Percentiles>,
}

/// Of the requests that ended then, in microseconds: the mean of the seconds' medians, and the worst of their p99 and of all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// A run over time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timeline {
    pub(crate) points: Vec<Point>,
    /// Of how many seconds each is.
    pub(crate) step_s: u64,
    /// Where warm-up ends; 0 if there is none.
    pub(crate) warm_up_s: f64,
    pub(crate) end_s: f64,
}

impl Timeline {
    /// Of these seconds.
    #[must_use]
    pub(crate) fn of(seconds: &[Second]) -> Self {
        let step = seconds.len().div_ceil(POINTS_MAX).max(1);
        let points: Vec<_> = seconds.chunks(step).map(point).collect();
        let warm_up = seconds.iter().take_while(|second| second.is_warm_up).count();
        Self {
            end_s: points.last().map_or(1.0, |point| point.until_s),
            points,
            step_s: step as u64,
            warm_up_s: seconds.get(warm_up).map_or(0.0, |second| second.at_s as f64),
        }
    }
}

fn point(seconds: &[Second]) -> Point {
    let length = seconds.len() as f64;
    let at_s = seconds.first().map_or(0, |second| second.at_s) as f64;
    let mut point = Point { at_s, until_s: at_s + length, ..Point::default() };
    let mut medians = 0.0;
    for second in seconds {
        point.asked += second.asked as f64 / length;
        point.ended += second.ended as f64 / length;
        for (outcome, count) in &second.outcomes {
            *point.outcomes.entry(*outcome).or_default() += *count as f64 / length;
        }
        point.by_target.resize(point.by_target.len().max(second.by_target.len()), 0.0);
        for (sum, count) in point.by_target.iter_mut().zip(&second.by_target) {
            *sum += *count as f64 / length;
        }
        if second.ended > 0 {
            let worst = point.latency.get_or_insert(Percentiles { p50: 0.0, p99: 0.0, max: 0.0 });
            medians += second.p50_us as f64 * second.ended as f64;
            worst.p99 = worst.p99.max(second.p99_us as f64);
            worst.max = worst.max.max(second.max_us as f64);
        }
    }
    if let Some(latency) = &mut point.latency {
        latency.p50 = medians / (point.ended * length);
    }
    point
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_its_sums_and_its_worst_second() {
        let second = |at_s: u64| Second {
            at_s,
            is_warm_up: at_s < 10,
            asked: 10,
            ended: if at_s == 700 { 0 } else { 10 },
            p50_us: 100,
            p99_us: if at_s == 501 { 9_000 } else { 300 },
            max_us: 400,
            by_target: vec![10],
            ..Second::default()
        };
        let seconds: Vec<_> = (0..3_600).map(second).collect();
        let timeline = Timeline::of(&seconds);
        assert_eq!((timeline.points.len(), timeline.step_s), (240, 15));
        assert_eq!((timeline.warm_up_s, timeline.end_s), (10.0, 3_600.0));
        let worst = timeline.points.iter().filter_map(|point| point.latency).map(|latency| latency.p99);
        assert_eq!(worst.fold(0.0, f64::max), 9_000.0);
        let ended: f64 = timeline.points.iter().map(|point| point.ended * 15.0).sum();
        assert!((ended - 35_990.0).abs() < 1e-6, "{ended}");
        assert!(timeline.points.iter().all(|point| (point.latency.unwrap().p50 - 100.0).abs() < 1e-9));
    }

    #[test]
    fn a_second_in_which_nothing_ended_has_no_latency() {
        let timeline = Timeline::of(&[Second { asked: 5, ..Second::default() }]);
        assert_eq!(timeline.points[0].latency, None);
        assert_eq!(Timeline::of(&[]).points, []);
    }
}
