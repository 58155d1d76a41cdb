//! Until as much was done as before.

use crate::results::{Outcome, Second};

/// Seconds before a fault that are compared with.
const BEFORE: usize = 4;

/// What is as much: this share of it.
const SHARE: f64 = 0.9;

/// How long it took from a fault until as many requests were done in a second as before it, to the second. Nothing, if that
/// did not come before this time, or if nothing was done before.
pub(super) fn recovery(seconds: &[Second], at_s: f64, until_s: f64) -> Option<f64> {
    let first = at_s.floor() as usize;
    let mut before: Vec<_> = seconds.get(first.saturating_sub(BEFORE)..first)?.iter().map(done).collect();
    before.sort_unstable();
    let usual = *before.get(before.len() / 2)?;
    if usual == 0 {
        return None;
    }
    let is_usual = |second: &Second| done(second) as f64 >= usual as f64 * SHARE;
    // The second of the fault itself is only partly after it.
    let later = seconds.get(first + 1..)?.iter().take_while(|second| (second.at_s as f64) < until_s);
    let later: Vec<_> = later.collect();
    // It stays so, as far as is known.
    let last_bad = later.iter().rposition(|second| !is_usual(second));
    let end = match last_bad {
        None if seconds.get(first).is_some_and(is_usual) => return Some(0.0),
        None => first + 1,
        Some(place) if place + 1 == later.len() => return None,
        Some(place) => first + 2 + place,
    };
    Some(end as f64 - at_s)
}

fn done(second: &Second) -> u64 {
    second.outcomes.get(&Outcome::Done).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(done: &[u64]) -> Vec<Second> {
        let second = |(at, done): (usize, &u64)| Second {
            at_s: at as u64,
            outcomes: [(Outcome::Done, *done)].into(),
            ..Second::default()
        };
        done.iter().enumerate().map(second).collect()
    }

    #[test]
    fn it_takes_until_the_last_second_with_less() {
        let done = seconds(&[100, 100, 101, 99, 50, 0, 60, 95, 100, 100]);
        assert_eq!(recovery(&done, 4.25, 10.0), Some(2.75));
    }

    #[test]
    fn what_nobody_noticed_takes_no_time() {
        assert_eq!(recovery(&seconds(&[100; 8]), 4.5, 8.0), Some(0.0));
    }

    #[test]
    fn what_does_not_recover_has_no_time() {
        assert_eq!(recovery(&seconds(&[100, 100, 100, 100, 0, 0, 0]), 4.0, 7.0), None);
        assert_eq!(recovery(&seconds(&[0; 8]), 4.0, 8.0), None);
    }

    #[test]
    fn what_happens_after_the_next_fault_is_not_of_this_one() {
        let done = seconds(&[100, 100, 100, 100, 50, 100, 100, 0, 0]);
        assert_eq!(recovery(&done, 4.0, 7.0), Some(1.0));
    }
}
