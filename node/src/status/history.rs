//! The last minute, second by second.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::times::TimesCounted;
use crate::{
    metrics::{PageResult, Tally},
    node::Node,
    registry::RegisteredAction,
};

/// Seconds that are shown.
pub(super) const SECONDS: usize = 60;

/// How often the actions are looked at: there may be many.
const ACTIONS_EACH: Duration = Duration::from_secs(5);

/// Actions that are told.
const HOTTEST_MAX: usize = 20;

/// What was counted up to a second.
#[derive(Clone, Debug)]
struct Sample {
    at: Instant,
    outcomes: [u64; Tally::OUTCOMES.len()],
    times: TimesCounted,
    pages: u64,
    hits: u64,
    waits: TimesCounted,
    applied: u64,
}

/// What was counted of the runs of an action.
#[derive(Clone, Copy, Debug, Default)]
struct RunsCounted {
    runs: u64,
    failed: u64,
    micros: u64,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    /// The oldest is the first.
    samples: VecDeque<Sample>,
    /// Of each action, in the order of their names; the oldest is the first.
    actions: VecDeque<(Instant, Vec<RunsCounted>)>,
}

/// A number for each of the last seconds, the newest last. Shorter as long as the node is younger.
pub(crate) type Series<T> = Vec<T>;

/// The last minute in numbers.
#[derive(Debug, Default, Serialize)]
pub(crate) struct LastMinute {
    pub(crate) calls_per_s: Series<u64>,
    /// Those that did not end in `done`.
    pub(crate) others_per_s: Series<u64>,
    pub(crate) p50_ms: Series<Option<f64>>,
    pub(crate) p99_ms: Series<Option<f64>>,
    pub(crate) pages_per_s: Series<u64>,
    /// Of the pages: the share from the cache, 0 to 1.
    pub(crate) hit_share: Series<Option<f64>>,
    /// Entries of the log that were applied here, whichever node they came from.
    pub(crate) revalidations_per_s: Series<u64>,
    /// How long answers waited for what they revalidated.
    pub(crate) wait_p99_ms: Series<Option<f64>>,
    /// Over the whole of it.
    pub(crate) all_p50_ms: Option<f64>,
    pub(crate) all_p99_ms: Option<f64>,
    pub(crate) all_wait_p50_ms: Option<f64>,
    pub(crate) all_wait_p99_ms: Option<f64>,
}

/// An action that ran on this node in the last minute.
#[derive(Debug, Serialize)]
pub(crate) struct HotAction {
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    pub(crate) runs_per_s: f64,
    pub(crate) failed_per_s: f64,
    pub(crate) mean_ms: f64,
    pub(crate) running: usize,
    /// Since the node started.
    pub(crate) runs: u64,
    pub(crate) failed: u64,
}

impl History {
    /// A second is over.
    pub(super) fn tick(&mut self, node: &Node) {
        let tally = &node.metrics.tally;
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let pages = PageResult::ALL.map(|result| count(&tally.pages[result as usize]));
        self.samples.push_back(Sample {
            at: Instant::now(),
            outcomes: std::array::from_fn(|outcome| count(&tally.outcomes[outcome])),
            times: tally.call_times.counts(),
            pages: pages.iter().sum(),
            hits: PageResult::ALL
                .into_iter()
                .filter(|result| result.is_kept())
                .map(|result| pages[result as usize])
                .sum(),
            waits: tally.revalidation_times.counts(),
            applied: node.metrics.told().log.counters.applied,
        });
        if self.samples.len() > SECONDS + 1 {
            self.samples.pop_front();
        }
        if self.actions.back().is_none_or(|(at, _)| at.elapsed() >= ACTIONS_EACH) {
            self.actions.push_back((Instant::now(), node.registry.actions().map(RunsCounted::of).collect()));
            if self.actions.len() > SECONDS / ACTIONS_EACH.as_secs() as usize + 1 {
                self.actions.pop_front();
            }
        }
    }

    pub(super) fn last_minute(&self) -> LastMinute {
        let pairs = || self.samples.iter().zip(self.samples.iter().skip(1));
        let each = |number: fn(&Sample) -> u64| -> Series<u64> {
            // A second may be a longer one on a busy machine.
            let seconds = |then: &Sample, now: &Sample| (now.at - then.at).as_secs_f64().max(0.1);
            let count = |then, now| number(now).saturating_sub(number(then)) as f64;
            pairs().map(|(then, now)| (count(then, now) / seconds(then, now)).round() as u64).collect()
        };
        let percentiles = |times: fn(&Sample) -> &TimesCounted, share| -> Series<Option<f64>> {
            pairs().map(|(then, now)| times(now).since(times(then)).percentile_ms(share)).collect()
        };
        let all = |times: fn(&Sample) -> &TimesCounted, share| {
            let (first, last) = (self.samples.front()?, self.samples.back()?);
            times(last).since(times(first)).percentile_ms(share)
        };
        let [done, ..] = Tally::OUTCOMES;
        debug_assert_eq!(done, "done");
        let share = |(then, now): (&Sample, &Sample)| {
            let pages = now.pages.saturating_sub(then.pages);
            (pages > 0).then(|| now.hits.saturating_sub(then.hits).min(pages) as f64 / pages as f64)
        };
        LastMinute {
            calls_per_s: each(|sample| sample.outcomes.iter().sum()),
            others_per_s: each(|sample| sample.outcomes[1..].iter().sum()),
            p50_ms: percentiles(|sample| &sample.times, 0.5),
            p99_ms: percentiles(|sample| &sample.times, 0.99),
            pages_per_s: each(|sample| sample.pages),
            hit_share: pairs().map(share).collect(),
            revalidations_per_s: each(|sample| sample.applied),
            wait_p99_ms: percentiles(|sample| &sample.waits, 0.99),
            all_p50_ms: all(|sample| &sample.times, 0.5),
            all_p99_ms: all(|sample| &sample.times, 0.99),
            all_wait_p50_ms: all(|sample| &sample.waits, 0.5),
            all_wait_p99_ms: all(|sample| &sample.waits, 0.99),
        }
    }

    /// The actions that ran most in the last minute, the most first.
    pub(super) fn hottest(&self, node: &Node) -> Vec<HotAction> {
        let Some((at, first)) = self.actions.front() else { return Vec::new() };
        let seconds = at.elapsed().as_secs_f64().max(1.0);
        let mut hottest: Vec<_> = node
            .registry
            .actions()
            .zip(first)
            .map(|(action, then)| HotAction::of(action, *then, seconds))
            .filter(|action| action.runs_per_s > 0.0 || action.running > 0)
            .collect();
        hottest
            .sort_by(|one, other| other.runs_per_s.total_cmp(&one.runs_per_s).then(one.name.cmp(other.name)));
        hottest.truncate(HOTTEST_MAX);
        hottest
    }
}

impl RunsCounted {
    fn of(action: &RegisteredAction) -> Self {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let ran = &action.ran;
        Self { runs: count(&ran.runs), failed: count(&ran.failed), micros: count(&ran.micros) }
    }
}

impl HotAction {
    fn of(action: &'static RegisteredAction, then: RunsCounted, seconds: f64) -> Self {
        let now = RunsCounted::of(action);
        let (runs, failed) = (now.runs - then.runs, now.failed - then.failed);
        Self {
            name: action.entry.name,
            class: action.entry.class.as_str(),
            runs_per_s: runs as f64 / seconds,
            failed_per_s: failed as f64 / seconds,
            mean_ms: (now.micros - then.micros) as f64 / 1000.0 / runs.max(1) as f64,
            running: action.running.load(Ordering::Relaxed),
            runs: now.runs,
            failed: now.failed,
        }
    }
}
