//! What of this node goes into one entry of the log, and who waits for it.

use std::{collections::BTreeSet, mem, sync::Arc};

use crate::cache::{
    io::{PublicationId, Wait},
    store::Mark,
};

#[derive(Debug)]
pub(super) struct Parcel {
    says: Says,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
enum Says {
    /// Each once, however often it was published.
    Marks(BTreeSet<Mark>),
    /// More than this node remembers.
    Everything,
}

/// Somebody who waits for a publication.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) id: PublicationId,
    pub(super) wait: Wait,
}

impl Parcel {
    pub(super) fn new(marks: &[Mark], waiting: Option<Waiting>) -> Self {
        Self { says: Says::Marks(marks.iter().copied().collect()), waiting: waiting.into_iter().collect() }
    }

    /// How many marks are remembered for it.
    pub(super) fn size(&self) -> usize {
        match &self.says {
            Says::Marks(marks) => marks.len(),
            Says::Everything => 0,
        }
    }

    /// Who waits for it.
    pub(super) fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    pub(super) fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What the entry says; nothing where it says that everything is stale.
    pub(super) fn marks(&self) -> Option<Arc<[Mark]>> {
        match &self.says {
            Says::Marks(marks) => Some(marks.iter().copied().collect()),
            Says::Everything => None,
        }
    }

    /// From here on it says more than it has to, and takes no room.
    pub(super) fn say_everything(&mut self) {
        self.says = Says::Everything;
    }

    /// Takes what follows it into the same entry, unless both are too large for one.
    pub(super) fn take(&mut self, next: Self, marks_max: usize) -> Result<(), Self> {
        match (&mut self.says, next.says) {
            (Says::Marks(own), Says::Marks(more)) => {
                // Most is not there yet, so what is counted twice matters little.
                if own.len() + more.len() > marks_max && own.union(&more).count() > marks_max {
                    return Err(Self { says: Says::Marks(more), ..next });
                }
                own.extend(more);
            }
            (own, Says::Everything) => *own = Says::Everything,
            (Says::Everything, Says::Marks(_)) => {}
        }
        self.waiting.extend(next.waiting);
        Ok(())
    }

    /// Nobody waits for this any more; it is published all the same.
    pub(super) fn forget(&mut self, id: PublicationId) {
        self.waiting.retain(|waiting| waiting.id != id);
    }

    /// Those who wait in one of these ways, and wait no more.
    pub(super) fn answer(&mut self, which: impl Fn(Wait) -> bool) -> Vec<Waiting> {
        let (answered, kept) = mem::take(&mut self.waiting).into_iter().partition(|one| which(one.wait));
        self.waiting = kept;
        answered
    }
}
