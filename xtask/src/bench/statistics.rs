//! Medians and spreads of ratios.

/// A ratio measured in several rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    /// Largest over smallest, less one.
    pub(crate) spread: f64,
    rounds: usize,
}

/// Above this, a run says nothing about small differences.
const SPREAD_MAX: f64 = 0.10;

/// Below this, nothing is known of the spread.
const ROUNDS_MIN: usize = 3;

impl Ratio {
    /// Of the ratios of rounds, at least one.
    pub(crate) fn of(rounds: impl IntoIterator<Item = f64>) -> Self {
        let mut rounds: Vec<_> = rounds.into_iter().collect();
        rounds.sort_unstable_by(f64::total_cmp);
        let (first, last) =
            (rounds.first().copied().unwrap_or(f64::NAN), rounds.last().copied().unwrap_or(f64::NAN));
        Self { median: median(&rounds), spread: last / first - 1.0, rounds: rounds.len() }
    }

    /// Why this ratio passes nothing, if so.
    pub(crate) fn doubt(&self) -> Option<&'static str> {
        if self.rounds < ROUNDS_MIN {
            return Some("too few rounds");
        }
        (self.spread > SPREAD_MAX).then_some("noisy")
    }
}

/// Of sorted numbers.
fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

/// The median of numbers in any order.
pub(crate) fn median_of(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<_> = numbers.into_iter().collect();
    numbers.sort_unstable_by(f64::total_cmp);
    median(&numbers)
}

/// The number that this part of all is at most, in any order; `NaN` of none.
pub(crate) fn quantile_of(numbers: impl IntoIterator<Item = f64>, part: f64) -> f64 {
    let mut numbers: Vec<_> = numbers.into_iter().collect();
    numbers.sort_unstable_by(f64::total_cmp);
    let place = (numbers.len() as f64 * part).ceil() as usize;
    numbers.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// The mean of factors; `NaN` of none.
pub(crate) fn geometric_mean(factors: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) =
        factors.into_iter().fold((0.0, 0.0), |(sum, count), factor| (sum + factor.ln(), count + 1.0));
    f64::exp(sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_follow_an_outlier() {
        let ratio = Ratio::of([1.2, 9.0, 1.1]);
        assert!((ratio.median - 1.2).abs() < 1e-9);
        assert_eq!(ratio.doubt(), Some("noisy"));
    }

    #[test]
    fn rounds_that_agree_are_not_noisy() {
        assert_eq!(Ratio::of([1.20, 1.22, 1.25]).doubt(), None);
    }

    #[test]
    fn the_geometric_mean_of_a_factor_and_its_inverse_is_one() {
        assert!((geometric_mean([4.0, 0.25, 1.0]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn one_of_a_hundred_is_above_the_99th_percentile() {
        let numbers = || (1..=100).rev().map(f64::from);
        assert_eq!(quantile_of(numbers(), 0.99), 99.0);
        assert_eq!(quantile_of([7.0], 0.99), 7.0);
        assert!(quantile_of([], 0.5).is_nan());
    }

    #[test]
    fn one_round_says_nothing_about_its_own_noise() {
        assert_eq!(Ratio::of([1.2]).doubt(), Some("too few rounds"));
    }
}
