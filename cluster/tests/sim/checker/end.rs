//! What the whole ledger says once a run is over.

use std::collections::{BTreeSet, HashMap};

use callboard_cluster::core::Invariant;
use callboard_protocol::{
    ActionId,
    action::CallId,
    envelope::{Answer as CallAnswer, Direction},
    identity::Incarnation,
};

use super::{Checker, Started};
use crate::world::settings;

impl Checker {
    /// This call has to be done in the end.
    pub(crate) fn must_be_done(&mut self, call: CallId) {
        self.probes.push(call);
    }

    /// Looks at the whole ledger.
    pub(crate) fn finish(&mut self, now: u64) {
        self.check_calls();
        self.check_decisions(now);
        self.check_keys();
        self.check_order();
        self.check_idempotency();
        self.check_transfers();
        for probe in std::mem::take(&mut self.probes) {
            let answer = self.calls[&probe].answer.map(|(answer, _)| answer);
            if answer != Some(CallAnswer::Done) {
                self.left_behind(format!("{probe} was answered {answer:?} although nothing is wrong"));
            }
        }
    }

    pub(super) fn check_calls(&mut self) {
        let mut by_call: HashMap<CallId, Vec<&Started>> = HashMap::new();
        for start in &self.starts {
            by_call.entry(start.call).or_default().push(start);
        }
        let mut broken = Vec::new();
        for (id, made) in &self.calls {
            let starts = by_call.get(id).map_or(&[][..], Vec::as_slice);
            let attempts: BTreeSet<u32> = starts.iter().map(|start| start.attempt).collect();
            if attempts.len() != starts.len() {
                broken.push((Invariant::Call1, format!("{id}: an attempt started twice")));
            }
            if starts.len() > 1 && !made.call.kind.idempotent {
                broken.push((Invariant::Call1, format!("{id} started {} times", starts.len())));
            }
            match made.answer {
                Some((answer, _)) if answer.is_not_run() && !starts.is_empty() => {
                    broken.push((Invariant::Call2, format!("{id} was answered {answer:?} and started")));
                }
                None if !self.dead.contains_key(&made.process) => {
                    broken.push((Invariant::Call3, format!("{id} was never answered")));
                }
                _ => {}
            }
        }
        for (invariant, what) in broken {
            self.broken(invariant, what);
        }
    }

    /// Calls in a fenced inbox are decided, and not left to their deadlines.
    pub(super) fn check_decisions(&mut self, _now: u64) {
        if !self.losses.is_empty() {
            return;
        }
        let patience = 4 * settings().fence.as_micros() as u64;
        let mut broken = Vec::new();
        for ((call, attempt), (boot, _)) in &self.requested {
            let Some(fenced) = self.fenced.get(boot) else { continue };
            let made = &self.calls[call];
            if self.dead.contains_key(&made.process) || self.replied.contains(&(*call, *attempt)) {
                continue;
            }
            // The reader of an orphan answers its own clients without the store.
            if let Some((CallAnswer::Unknown, at)) = made.answer
                && made.answered_attempt == *attempt
                && at > fenced + patience + self.paused.values().sum::<u64>()
            {
                broken.push(format!("nobody decided on {call}, left in {boot}"));
            }
        }
        for what in broken {
            self.broken(Invariant::Call4, what);
        }
    }

    pub(super) fn check_keys(&mut self) {
        let mut lines: HashMap<(ActionId, &str), Vec<&Started>> = HashMap::new();
        for start in &self.starts {
            if let Some(key) = &start.key {
                lines.entry((start.action, key.as_str())).or_default().push(start);
            }
        }
        let mut broken = Vec::new();
        for starts in lines.values() {
            for (index, later) in starts.iter().enumerate() {
                for earlier in &starts[..index] {
                    if later.token < earlier.token {
                        broken.push((
                            Invariant::Key3,
                            format!("{} has a lower token than {} before it", later.call, earlier.call),
                        ));
                    }
                    // One that died while it ran, runs no more.
                    let died = self.dead.get(&earlier.process).copied();
                    let end = earlier.ended.or(died).unwrap_or(u64::MAX);
                    if end <= later.at {
                        continue;
                    }
                    let same_session = earlier.boot == later.boot;
                    let fenced = earlier.boot.is_some_and(|boot| self.fenced.contains_key(&boot))
                        || self.memory_of(later) != self.memory_of(earlier)
                        || earlier.process == later.process && !same_session;
                    if same_session || !fenced || later.token <= earlier.token {
                        broken.push((
                            Invariant::Key1,
                            format!(
                                "{} in {:?} and {} in {:?} overlap, with tokens {:?} and {:?}",
                                earlier.call,
                                earlier.boot,
                                later.call,
                                later.boot,
                                earlier.token,
                                later.token
                            ),
                        ));
                    }
                }
            }
        }
        for (invariant, what) in broken {
            self.broken(invariant, what);
        }
    }

    /// The memory of the store that a run's session was a member of.
    fn memory_of(&self, start: &Started) -> Option<&Incarnation> {
        start.boot.and_then(|boot| self.joined.get(&boot))
    }

    pub(super) fn check_order(&mut self) {
        let mut lines: HashMap<_, Vec<(u64, u64, CallId)>> = HashMap::new();
        for start in &self.starts {
            let Some(key) = &start.key else { continue };
            let made = &self.calls[&start.call];
            let done = made.answer.is_some_and(|(answer, _)| answer == CallAnswer::Done);
            // One that ran twice has no place in an order.
            if done && !made.call.kind.idempotent && made.call.idempotency.is_none() {
                lines.entry((made.process, start.action, key)).or_default().push((
                    made.number,
                    start.at,
                    start.call,
                ));
            }
        }
        let mut broken = Vec::new();
        for line in lines.values() {
            for pair in line.windows(2) {
                if pair[1].0 < pair[0].0 {
                    broken.push(format!("{} ran after {}, and was accepted before it", pair[1].2, pair[0].2));
                }
            }
        }
        for what in broken {
            self.broken(Invariant::Key2, what);
        }
    }

    pub(super) fn check_idempotency(&mut self) {
        let mut keys: HashMap<u128, Vec<&Started>> = HashMap::new();
        for start in &self.starts {
            let call = &self.calls[&start.call].call;
            if let Some(idempotency) = call.idempotency {
                keys.entry(idempotency.key).or_default().push(start);
            }
        }
        let mut broken = Vec::new();
        for (key, starts) in keys {
            for pair in starts.windows(2) {
                // Promised is nothing where the store lost the record while the node that knew it was away.
                let lost = self.somebody_away
                    && self.losses.iter().any(|(at, data)| *data && *at >= pair[0].at && *at <= pair[1].at);
                let again = self.calls[&pair[1].call].call.kind.idempotent;
                if !lost && !again {
                    broken.push(format!("key {key:x} ran as {} and as {}", pair[0].call, pair[1].call));
                }
            }
        }
        for what in broken {
            self.broken(Invariant::Idem1, what);
        }
    }

    pub(super) fn check_transfers(&mut self) {
        let mut broken = Vec::new();
        for (transfer, state) in &self.transfers {
            let reads = state.reader.is_some_and(|reader| !self.dead.contains_key(&reader));
            let read_to_its_end = state.delivered_end.is_some();
            let wanted = !self.gone_clients.contains(&transfer.call);
            let answered_with = self.calls[&transfer.call].answer.map(|(answer, _)| answer);
            let goes_on = matches!(answered_with, Some(CallAnswer::Done | CallAnswer::Failed));
            if reads
                && wanted
                && goes_on
                && transfer.direction == Direction::Outcome
                && state.delivered > 0
                && !read_to_its_end
            {
                broken.push(format!("{transfer:?} never ended at its reader"));
            }
        }
        for what in broken {
            self.broken(Invariant::Xfer4, what);
        }
    }

    /// Says that something is left behind although nothing is wrong any more.
    pub(crate) fn left_behind(&mut self, what: String) {
        self.broken(Invariant::Live1, what);
    }

    pub(crate) fn broken_within(&mut self, violations: u64) {
        if violations > 0 {
            self.broken(Invariant::Frame2, format!("a node counted {violations} violations"));
        }
    }
}
