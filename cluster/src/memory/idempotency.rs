//! Records of idempotency keys.

use callboard_protocol::{envelope::Idempotency, identity::RedisMillis};

use super::Store;
use crate::{
    mutant::Mutant,
    store::{Answer, Command, RUNNING_MS, Record, Verdict},
};

/// A record, the digest of the body that it is of, and how long it stays.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) digest: u128,
    pub(super) record: Record,
    pub(super) until: RedisMillis,
}

impl Store {
    /// Commands on records.
    pub(super) fn execute_on_records(&mut self, time: RedisMillis, command: &Command) -> Answer {
        match command {
            Command::IdempotencyBegin { idempotency, boot, call, attempt, again } => {
                let ours = Record::Running { boot: *boot, call: *call, attempt: *attempt };
                return Answer::Idempotency(self.begin(time, *idempotency, ours, *again));
            }
            Command::IdempotencyFinish { idempotency, call, outcome, retention_ms } => {
                let record = Record::Done { call: *call, outcome: outcome.clone() };
                if self.record(time, idempotency.key).is_none_or(|kept| kept.record.call() == *call) {
                    self.keep(time, *idempotency, record, *retention_ms);
                }
            }
            Command::IdempotencyAbandon { idempotency, boot, call, attempt } => {
                let running = Record::Running { boot: *boot, call: *call, attempt: *attempt };
                if self.record(time, idempotency.key).is_some_and(|kept| kept.record == running) {
                    self.records.remove(&idempotency.key);
                }
            }
            Command::IdempotencyResolve { idempotency, boot, call, attempt } => {
                let running = Record::Running { boot: *boot, call: *call, attempt: *attempt };
                let gone = !self.leases.contains_key(boot);
                match self.records.get_mut(&idempotency.key) {
                    Some(kept) if kept.record == running && gone => {
                        kept.record = Record::Unknown { boot: *boot, call: *call };
                        if self.mutants.has(Mutant::DeadRunnerForgotten) {
                            self.records.remove(&idempotency.key);
                        }
                    }
                    _ => {}
                }
            }
            Command::IdempotencyRestore { idempotency, record, retention_ms } => {
                let there = self.record(time, idempotency.key).map(|kept| &kept.record);
                if there.is_none_or(|there| record.replaces(there)) {
                    self.keep(time, *idempotency, record.clone(), *retention_ms);
                }
            }
            _ => {}
        }
        Answer::Done
    }

    fn begin(&mut self, time: RedisMillis, idempotency: Idempotency, ours: Record, again: bool) -> Verdict {
        let Idempotency { key, digest, .. } = idempotency;
        let overwrite = self.mutants.has(Mutant::BeginOverwrites);
        match self.record(time, key) {
            Some(kept) if !overwrite => match &kept.record {
                record if *record == ours => return Verdict::Run,
                record if ours.follows(record) => {}
                _ if kept.digest != digest => return Verdict::Conflict,
                Record::Unknown { .. } if again => {}
                record => return Verdict::Taken(record.clone()),
            },
            _ => {}
        }
        self.keep(time, idempotency, ours, RUNNING_MS);
        Verdict::Run
    }

    fn record(&mut self, time: RedisMillis, key: u128) -> Option<&Kept> {
        while let Some((until, oldest)) = self.expiring.first().copied().filter(|(until, _)| *until <= time) {
            self.expiring.pop_first();
            if self.records.get(&oldest).is_some_and(|kept| kept.until == until) {
                self.records.remove(&oldest);
            }
        }
        self.records.get(&key)
    }

    fn keep(&mut self, time: RedisMillis, idempotency: Idempotency, record: Record, retention_ms: u64) {
        let Idempotency { key, digest, .. } = idempotency;
        let until = RedisMillis::from_u64(time.as_u64().saturating_add(retention_ms));
        if let Some(before) = self.records.insert(key, Kept { digest, record, until }) {
            self.expiring.remove(&(before.until, key));
        }
        self.expiring.insert((until, key));
    }
}

impl Record {
    /// Whether this is a later attempt at the call that the other one began, and which so certainly did not start.
    fn follows(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Running { call, attempt, .. },
                Self::Running { call: earlier_call, attempt: earlier, .. },
            ) => call == earlier_call && attempt > earlier,
            _ => false,
        }
    }

    /// Whether this, put back, counts for more than what is there.
    fn replaces(&self, there: &Self) -> bool {
        match (there, self) {
            (Self::Done { .. }, _) | (_, Self::Unknown { .. }) => false,
            (_, Self::Done { .. }) => true,
            (there, Self::Running { call, .. }) => there.call() == *call,
        }
    }
}
