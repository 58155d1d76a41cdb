//! Revalidations on their way to the log, and who waits for them.

use std::collections::HashMap;

use callboard_protocol::{identity::Boot, revalidation::LogPosition};

use super::{Core, Output, Publication, PublicationId, RunId};
use crate::store::EntryId;

/// What stands for the place of revalidations that were not confirmed in time, from the run to whoever called and in what
/// is kept for an idempotency key. No log has an epoch 0.
pub const UNCONFIRMED: LogPosition = LogPosition::from_u64(1);

/// Who waits until revalidations are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// The answer to a run.
    Run(RunId),
    /// The answers to an entry of an orphan.
    Orphan(Boot, EntryId),
    /// Nobody.
    Nobody,
}

#[derive(Debug, Default)]
pub(crate) struct Publications {
    last: u64,
    waiting: HashMap<PublicationId, For>,
}

impl Core {
    pub(crate) fn publish(&mut self, what: Publication, whose: For) {
        self.publications.last += 1;
        let id = PublicationId(self.publications.last);
        self.publications.waiting.insert(id, whose);
        self.io.put(Output::Publish(id, what));
    }

    pub(crate) fn publication_done(&mut self, id: PublicationId, position: Option<LogPosition>) {
        match self.publications.waiting.remove(&id) {
            Some(For::Run(run)) => self.published(run, position),
            Some(For::Orphan(boot, entry)) => self.orphan_published(boot, entry),
            Some(For::Nobody) | None => {}
        }
    }
}
