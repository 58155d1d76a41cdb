//! How long things take, kept to three significant digits.

use data_encoding::BASE64;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};

use crate::results::Latency;

/// Longest time that is told apart from longer ones, in microseconds: five minutes.
const LONGEST_US: u64 = 300_000_000;

/// Significant digits: percentiles are within 0.1 % of the truth.
const DIGITS: u8 = 3;

/// Times in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Histogram(hdrhistogram::Histogram<u64>);

impl Default for Histogram {
    fn default() -> Self {
        let histogram = hdrhistogram::Histogram::new_with_max(LONGEST_US, DIGITS);
        Self(histogram.expect("the bounds are in order and the digits are few"))
    }
}

impl Histogram {
    /// Longer ones count as the longest.
    pub(crate) fn record(&mut self, us: u64) {
        self.0.saturating_record(us);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    pub(super) fn clear(&mut self) {
        self.0.reset();
    }

    /// The time that this share of all took at most; 0 of none.
    pub(crate) fn quantile_us(&self, share: f64) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.value_at_quantile(share) }
    }

    /// The longest; 0 of none.
    pub(crate) fn max_us(&self) -> u64 {
        self.0.max()
    }

    /// All that is told of it.
    pub(crate) fn latency(&self) -> Latency {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&self.0, &mut bytes).expect("memory takes what is written to it");
        Latency {
            count: self.0.len(),
            min_us: if self.0.is_empty() { 0 } else { self.0.min() },
            mean_us: if self.0.is_empty() { 0.0 } else { self.0.mean() },
            p50_us: self.quantile_us(0.5),
            p90_us: self.quantile_us(0.9),
            p99_us: self.quantile_us(0.99),
            p999_us: self.quantile_us(0.999),
            max_us: self.max_us(),
            histogram: BASE64.encode(&bytes),
        }
    }
}
