//! What a run is like at a moment.

use std::{collections::BTreeMap, time::Duration};

use crate::results::Outcome;

/// How many seconds of history are of any use to a [`Snapshot`].
pub(crate) const HISTORY_MAX: usize = 240;

/// A run at a moment. Made a few times a second, whether anybody looks or not, so it is small.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) scenario: String,
    pub(crate) elapsed: Duration,
    /// Of the whole run, warm-up included.
    pub(crate) total: Duration,
    pub(crate) phase: Phase,
    /// Per second, over the last seconds.
    pub(crate) rate_asked: f64,
    pub(crate) rate_achieved: f64,
    pub(crate) in_flight: u64,
    /// Of the last seconds, in microseconds.
    pub(crate) p50_us: u64,
    pub(crate) p90_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
    /// Since the run began.
    pub(crate) requests: u64,
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    pub(crate) targets: Vec<TargetView>,
    /// The last faults, the newest last.
    pub(crate) marks: Vec<(Duration, String)>,
    pub(crate) violations: u64,
    /// How late requests are sent at p99, in microseconds, and the share of a core that is used.
    pub(crate) lag_p99_us: u64,
    pub(crate) cpu_share: f64,
    /// Of each second, the newest last; at most [`HISTORY_MAX`].
    pub(crate) rates: Vec<u64>,
    pub(crate) p99s_us: Vec<u64>,
}

/// Where in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    WarmUp,
    Load,
    /// Nothing more is asked; what is in flight ends, and the oracles judge it.
    Settling,
}

impl Phase {
    /// Its word.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Load => "load",
            Self::Settling => "settling",
        }
    }
}

/// Who is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TargetView {
    pub(crate) name: String,
    /// Of the requests of the last seconds, from 0 to 1.
    pub(crate) share: f64,
    pub(crate) state: TargetState,
}

/// Whether it serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TargetState {
    #[default]
    Up,
    Down,
    Paused,
}

impl TargetState {
    /// Its word.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "DOWN",
            Self::Paused => "PAUSED",
        }
    }
}

impl Snapshot {
    /// How much of the run is over, from 0 to 1.
    #[must_use]
    pub(crate) fn progress(&self) -> f64 {
        let total = self.total.as_secs_f64();
        if total > 0.0 { (self.elapsed.as_secs_f64() / total).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// One in the middle of a run in which a node died.
#[cfg(test)]
pub(crate) fn example() -> Snapshot {
    let target = |name: &str, share, state| TargetView { name: name.to_owned(), share, state };
    Snapshot {
        scenario: "mixed".to_owned(),
        elapsed: Duration::from_millis(31_400),
        total: Duration::from_secs(65),
        phase: Phase::Load,
        rate_asked: 1_000.0,
        rate_achieved: 987.4,
        in_flight: 31,
        p50_us: 1_120,
        p90_us: 2_930,
        p99_us: 8_940,
        max_us: 41_200,
        requests: 30_870,
        outcomes: BTreeMap::from([(Outcome::Done, 30_690), (Outcome::NotRun, 132), (Outcome::Unknown, 48)]),
        targets: vec![
            target("node-1", 0.52, TargetState::Up),
            target("node-2", 0.0, TargetState::Down),
            target("node-3", 0.48, TargetState::Paused),
        ],
        marks: vec![
            (Duration::from_secs(12), "pause node-3".to_owned()),
            (Duration::from_millis(25_200), "kill node-2".to_owned()),
        ],
        violations: 0,
        lag_p99_us: 310,
        cpu_share: 0.41,
        rates: (0..31).map(|second| if second == 26 { 640 } else { 980 + second % 7 * 5 }).collect(),
        p99s_us: (0..31)
            .map(|second| if second == 26 { 240_000 } else { 8_000 + second % 5 * 700 })
            .collect(),
    }
}
