//! What is remembered of a request that is over, for whoever looks at the status page.

use std::time::{Instant, SystemTime};

use super::{Hop, Learned, Timeline};
use crate::status::{ErrorSeen, PartSeen, SlowSeen};

impl Timeline {
    /// What went wrong, and what took long.
    pub(super) fn remember(&self, learned: &Learned, ended: Instant) {
        let took = ended.saturating_duration_since(self.begun);
        let (recent, trace) = (self.traces.recent(), || self.trace_id());
        let at_ms =
            |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let call = || learned.call.map(|call| call.to_string());
        if let Some(code) = &learned.error {
            recent.failed(ErrorSeen {
                code: code.clone(),
                what: self.what(learned),
                count: 1,
                at_ms: at_ms(self.at(ended)),
                trace: trace(),
                call: call(),
            });
        }
        if recent.is_slow(took) {
            let since = |at: Instant| at.saturating_duration_since(self.begun).as_secs_f64() * 1000.0;
            let parts = learned.steps.iter().map(|step| PartSeen {
                name: step.phase.name(),
                from_ms: since(step.begun),
                took_ms: since(step.ended) - since(step.begun),
            });
            recent.slow(SlowSeen {
                what: self.what(learned),
                at_ms: at_ms(self.began_at),
                took_ms: took.as_secs_f64() * 1000.0,
                outcome: learned.outcome.clone(),
                trace: trace(),
                call: call(),
                parts: parts.collect(),
            });
        }
    }

    fn what(&self, learned: &Learned) -> String {
        match &self.hop {
            Hop::Receive => format!("{} (for another node)", self.asked(learned)),
            Hop::Accept { .. } => self.asked(learned).into_owned(),
        }
    }
}
