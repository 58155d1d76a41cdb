//! What this node knows of idempotency keys, in case the store forgets them.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use callboard_protocol::{action::CallId, envelope::Idempotency, identity::Boot};

use super::{
    Core, Settings,
    io::{Connection, Purpose},
};
use crate::store::{Command, Record};

#[derive(Debug, Default)]
pub(crate) struct Known {
    records: HashMap<u128, (Idempotency, Run)>,
    /// Their keys, the oldest first.
    order: VecDeque<u128>,
    /// Bytes of the outcomes among them.
    bytes: usize,
    /// What is still to be put back.
    to_restore: VecDeque<u128>,
    restoring: usize,
}

/// A run of a key on this node.
#[derive(Clone, Debug)]
enum Run {
    Running { call: CallId, attempt: u32 },
    Done { call: CallId, outcome: Bytes },
}

impl Run {
    fn bytes(&self) -> usize {
        match self {
            Self::Running { .. } => 0,
            Self::Done { outcome, .. } => outcome.len(),
        }
    }
}

impl Known {
    pub(crate) fn running(&mut self, key: Idempotency, call: CallId, attempt: u32, settings: &Settings) {
        self.keep(key, Run::Running { call, attempt }, settings);
    }

    pub(crate) fn done(&mut self, key: Idempotency, call: CallId, outcome: Bytes, settings: &Settings) {
        self.keep(key, Run::Done { call, outcome }, settings);
    }

    pub(crate) fn forget(&mut self, key: u128) {
        if let Some((_, run)) = self.records.remove(&key) {
            self.bytes -= run.bytes();
            self.order.retain(|known| *known != key);
        }
    }

    fn keep(&mut self, key: Idempotency, run: Run, settings: &Settings) {
        self.bytes += run.bytes();
        match self.records.insert(key.key, (key, run)) {
            None => self.order.push_back(key.key),
            Some((_, earlier)) => self.bytes -= earlier.bytes(),
        }
        while self.order.len() > settings.idempotency_known_max
            || self.bytes > settings.idempotency_known_bytes_max
        {
            let Some(oldest) = self.order.front().copied() else { break };
            self.forget(oldest);
        }
    }

    /// Whether everything is put back.
    pub(crate) fn is_restored(&self) -> bool {
        self.to_restore.is_empty() && self.restoring == 0
    }
}

impl Core {
    /// Begins to put everything back.
    pub(crate) fn restore_records(&mut self) {
        self.known.to_restore = self.known.order.iter().copied().collect();
        self.known.restoring = 0;
    }

    /// Puts back a few more, on behalf of a new session.
    pub(crate) fn restore_some(&mut self, boot: Boot) {
        /// How many are under way at once.
        const RESTORING_MAX: usize = 64;
        while self.io.can_ask(Connection::Commands) && self.known.restoring < RESTORING_MAX {
            let Some(key) = self.known.to_restore.pop_front() else { return };
            let Some((idempotency, run)) = self.known.records.get(&key) else { continue };
            let record = match run.clone() {
                Run::Running { call, attempt } => Record::Running { boot, call, attempt },
                Run::Done { call, outcome } => Record::Done { call, outcome },
            };
            let command = Command::IdempotencyRestore {
                idempotency: *idempotency,
                record,
                retention_ms: u64::from(idempotency.retention_s) * 1000,
            };
            self.known.restoring += 1;
            self.io.ask(Connection::Commands, command, Purpose::Restore(boot));
        }
    }

    /// One is put back, or has to be again.
    pub(crate) fn restored(&mut self, boot: Boot, done: bool) {
        if self.session.boot() != Some(boot) {
            return;
        }
        self.known.restoring = self.known.restoring.saturating_sub(1);
        if !done {
            self.restore_records();
        }
    }
}
