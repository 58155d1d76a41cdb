//! What went wrong and what took long, lately: the first things that somebody wants to see who was called at night.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

/// Kinds of errors that are remembered; each costs some 300 bytes.
const ERRORS_MAX: usize = 50;

/// The slowest requests that are remembered: as many as somebody reads.
const SLOWEST_MAX: usize = 10;

/// How long a slow request is remembered. Afterwards the slowest of today would hide those of now.
const SLOWEST_FOR: Duration = Duration::from_mins(10);

/// Parts of a slow request that are remembered: an action that streams has few, one that was tried again a few more.
const PARTS_MAX: usize = 32;

/// One kind of error: what happens a thousand times does not hide what happened once.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ErrorSeen {
    /// The code, as in docs/errors.
    pub(crate) code: String,
    /// The action, the page, or what else was asked for.
    pub(crate) what: String,
    /// How often since the node started, or since it was forgotten as others came.
    pub(crate) count: u64,
    /// When it came last, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// The trace of the last one.
    pub(crate) trace: String,
    /// The call of the last one, where it had got a name.
    pub(crate) call: Option<String>,
}

/// A request that took long.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SlowSeen {
    pub(crate) what: String,
    pub(crate) at_ms: u64,
    pub(crate) took_ms: f64,
    pub(crate) outcome: Option<String>,
    pub(crate) trace: String,
    pub(crate) call: Option<String>,
    /// In the order of their beginnings.
    pub(crate) parts: Vec<PartSeen>,
}

/// A part of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PartSeen {
    pub(crate) name: &'static str,
    /// From the beginning of the request.
    pub(crate) from_ms: f64,
    pub(crate) took_ms: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// The one that came last is the first.
    errors: Mutex<VecDeque<ErrorSeen>>,
    /// The slowest is the first.
    slowest: Mutex<Vec<(Instant, SlowSeen)>>,
    /// What is faster, in microseconds, is not looked at.
    floor: AtomicU64,
}

impl Recent {
    /// An answer named an error.
    pub(crate) fn failed(&self, error: ErrorSeen) {
        let mut errors = self.errors();
        let known = errors.iter().position(|known| (&known.code, &known.what) == (&error.code, &error.what));
        let before = known.and_then(|place| errors.remove(place)).map_or(0, |known| known.count);
        errors.push_front(ErrorSeen { count: before + error.count, ..error });
        errors.truncate(ERRORS_MAX);
    }

    /// Whether one that took so long is among the slowest.
    pub(crate) fn is_slow(&self, took: Duration) -> bool {
        took.as_micros() as u64 > self.floor.load(Ordering::Relaxed)
    }

    /// It is.
    pub(crate) fn slow(&self, mut slow: SlowSeen) {
        slow.parts.truncate(PARTS_MAX);
        slow.parts.sort_by(|one, other| one.from_ms.total_cmp(&other.from_ms));
        let mut slowest = self.slowest();
        slowest.push((Instant::now(), slow));
        slowest.sort_by(|(_, one), (_, other)| other.took_ms.total_cmp(&one.took_ms));
        slowest.truncate(SLOWEST_MAX);
        self.raise(&slowest);
    }

    /// Forgets what is long ago.
    pub(super) fn forget(&self, now: Instant) {
        let mut slowest = self.slowest();
        slowest.retain(|(at, _)| now.saturating_duration_since(*at) < SLOWEST_FOR);
        self.raise(&slowest);
    }

    fn raise(&self, slowest: &[(Instant, SlowSeen)]) {
        let last = slowest.get(SLOWEST_MAX - 1);
        let floor = last.map_or(0, |(_, slow)| (slow.took_ms * 1000.0) as u64);
        self.floor.store(floor, Ordering::Relaxed);
    }

    pub(super) fn seen(&self) -> (Vec<ErrorSeen>, Vec<SlowSeen>) {
        let slowest = self.slowest().iter().map(|(_, slow)| slow.clone()).collect();
        (self.errors().iter().cloned().collect(), slowest)
    }

    fn errors(&self) -> MutexGuard<'_, VecDeque<ErrorSeen>> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slowest(&self) -> MutexGuard<'_, Vec<(Instant, SlowSeen)>> {
        self.slowest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, trace: &str) -> ErrorSeen {
        ErrorSeen { code: code.into(), what: "f".into(), count: 1, at_ms: 0, trace: trace.into(), call: None }
    }

    fn slow(took_ms: f64) -> SlowSeen {
        SlowSeen {
            what: "f".into(),
            at_ms: 0,
            took_ms,
            outcome: None,
            trace: String::new(),
            call: None,
            parts: vec![
                PartSeen { name: "run", from_ms: 2.0, took_ms: 1.0 },
                PartSeen { name: "verify", from_ms: 0.0, took_ms: 1.0 },
            ],
        }
    }

    #[test]
    fn a_flood_of_one_error_hides_no_other() {
        let recent = Recent::default();
        recent.failed(error("once", "a"));
        for number in 0..1000 {
            recent.failed(error("often", &number.to_string()));
        }
        let (errors, _) = recent.seen();
        let seen: Vec<_> =
            errors.iter().map(|error| (error.code.as_str(), error.count, error.trace.as_str())).collect();
        assert_eq!(seen, [("often", 1000, "999"), ("once", 1, "a")]);
        for number in 0..1000 {
            recent.failed(error(&number.to_string(), ""));
        }
        assert_eq!(recent.seen().0.len(), ERRORS_MAX);
    }

    #[test]
    fn the_slowest_are_remembered_for_a_while() {
        let recent = Recent::default();
        for took in 1..=100 {
            assert!(recent.is_slow(Duration::from_millis(took)));
            recent.slow(slow(took as f64));
        }
        let slowest = recent.seen().1;
        assert_eq!(
            slowest.iter().map(|slow| slow.took_ms as u64).collect::<Vec<_>>(),
            (91..=100).rev().collect::<Vec<_>>()
        );
        assert_eq!(slowest[0].parts[0].name, "verify");
        assert!(!recent.is_slow(Duration::from_millis(90)));
        recent.forget(Instant::now() + SLOWEST_FOR);
        assert!(recent.seen().1.is_empty() && recent.is_slow(Duration::from_millis(1)));
    }
}
