//! What clients noticed of a fault.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    observation::{End, Observation},
    results::Outcome,
};

/// Counts so far, to be compared with those of another time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Harm {
    /// Requests that were answered `unknown` or 503, or not at all.
    pub(crate) requests: u64,
    /// Those of them that were answered `unknown`, or not at all.
    pub(crate) lost: u64,
    /// When the last of all these ended.
    pub(crate) last: Option<Duration>,
    /// Pages that were rendered as their node had no lease to serve what it kept.
    pub(crate) fenced_pages: u64,
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
}

impl Harm {
    pub(super) fn ended(&mut self, observation: &Observation, outcome: Outcome) {
        *self.outcomes.entry(outcome).or_default() += 1;
        let is_refused = match &observation.end {
            End::Answered(answer) => {
                let status = answer.header("cache-status");
                self.fenced_pages += u64::from(status.is_some_and(|status| status.contains("detail=fenced")));
                answer.status == 503
            }
            _ => false,
        };
        let is_lost = matches!(outcome, Outcome::Unknown | Outcome::Broken | Outcome::TimedOut);
        self.lost += u64::from(is_lost);
        if is_refused || is_lost {
            self.requests += 1;
            self.last = Some(observation.times.ended);
        }
    }

    /// What came since then.
    pub(crate) fn since(&self, before: &Self) -> BTreeMap<Outcome, u64> {
        let more = |(outcome, count): (&Outcome, &u64)| {
            let count = count - before.outcomes.get(outcome).copied().unwrap_or(0);
            (count > 0).then_some((*outcome, count))
        };
        self.outcomes.iter().filter_map(more).collect()
    }
}
