//! How long things took, counted without a lock: what percentiles of a second are made of.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Buckets of each doubling. A time is known to a sixteenth of itself: its bucket's middle is at most as far from it.
const PARTS: usize = 8;

/// Doublings of a microsecond: the last bucket begins at two hours.
const DOUBLINGS: usize = 33;

const BUCKETS: usize = PARTS * (DOUBLINGS - 2);

/// Counts times since the node started.
#[derive(Debug)]
pub(crate) struct Times([AtomicU64; BUCKETS]);

impl Default for Times {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Times {
    pub(crate) fn add(&self, took: Duration) {
        self.0[bucket(took.as_micros() as u64)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> TimesCounted {
        TimesCounted(self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect())
    }
}

/// What was counted up to a moment, or between two.
#[derive(Clone, Debug, Default)]
pub(super) struct TimesCounted(Box<[u64]>);

impl TimesCounted {
    /// What came since an earlier moment.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        if earlier.0.is_empty() {
            return self.clone();
        }
        Self(self.0.iter().zip(&earlier.0).map(|(now, then)| now.saturating_sub(*then)).collect())
    }

    /// The time within which this share of them was done, in milliseconds; `None` where there was none.
    pub(super) fn percentile_ms(&self, share: f64) -> Option<f64> {
        let all: u64 = self.0.iter().sum();
        let wanted = (all as f64 * share).ceil().max(1.0) as u64;
        let mut below = 0;
        let found = self.0.iter().position(|count| {
            below += count;
            below >= wanted
        })?;
        Some(middle_micros(found) / 1000.0)
    }
}

fn bucket(micros: u64) -> usize {
    let micros = micros.max(1);
    let doubling = micros.ilog2() as usize;
    if doubling < 3 {
        return micros as usize;
    }
    let part = (micros >> (doubling - 3)) as usize - PARTS;
    (PARTS * (doubling - 2) + part).min(BUCKETS - 1)
}

fn middle_micros(bucket: usize) -> f64 {
    if bucket < PARTS {
        return bucket as f64;
    }
    let width = (1_u64 << (bucket / PARTS - 1)) as f64;
    (PARTS + bucket % PARTS) as f64 * width + (width - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_known_to_a_sixteenth() {
        for micros in (1..5000).chain((5000..4_000_000_000).step_by(99_999_989)) {
            let about = middle_micros(bucket(micros));
            assert!((about - micros as f64).abs() <= micros as f64 / 16.0, "{micros}: {about}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_percentile_is_of_what_came_since() {
        let times = Times::default();
        times.add(Duration::from_secs(5));
        let before = times.counts();
        assert!(times.counts().since(&before).percentile_ms(0.5).is_none());
        for _ in 0..99 {
            times.add(Duration::from_micros(1));
        }
        times.add(Duration::from_micros(3));
        let since = times.counts().since(&before);
        assert_eq!((since.percentile_ms(0.99), since.percentile_ms(1.0)), (Some(0.001), Some(0.003)));
    }
}
