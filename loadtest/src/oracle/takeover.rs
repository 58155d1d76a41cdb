//! When another node did for the first time what a broken one had to do.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// Accounts that are looked after; of more, those that came first.
const ACCOUNTS_MAX: usize = 100_000;

/// Knows of each account of keyed calls which process ran its last one, as its answer says.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    ran_last: HashMap<Arc<str>, u32>,
    broken: Option<Broken>,
}

/// A process that somebody broke.
#[derive(Debug)]
struct Broken {
    process: u32,
    /// The accounts whose calls were its to run.
    accounts: HashSet<Arc<str>>,
    taken_over: Option<Duration>,
}

impl Takeover {
    /// A call of an account was answered at this time, and had run in this process.
    pub(super) fn ran(&mut self, account: &Arc<str>, process: u32, at: Duration) {
        if let Some(broken) = &mut self.broken
            && process != broken.process
            && broken.taken_over.is_none()
            && broken.accounts.contains(account)
        {
            broken.taken_over = Some(at);
        }
        if let Some(last) = self.ran_last.get_mut(account) {
            *last = process;
        } else if self.ran_last.len() < ACCOUNTS_MAX {
            self.ran_last.insert(Arc::clone(account), process);
        }
    }

    /// This process, or none, is being broken: what came of the one before is forgotten.
    pub(super) fn breaks(&mut self, process: Option<u32>) {
        self.broken = process.map(|process| {
            let accounts = self.ran_last.iter().filter(|(_, last)| **last == process);
            let accounts = accounts.map(|(account, _)| Arc::clone(account)).collect();
            Broken { process, accounts, taken_over: None }
        });
    }

    /// When the first call of one of its accounts was answered that another process had run.
    pub(super) fn taken_over(&self) -> Option<Duration> {
        self.broken.as_ref()?.taken_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_is_the_first_call_of_what_was_the_victims_that_another_one_ran() {
        let [hers, his, new] = ["hers", "his", "new"].map(Arc::from);
        let mut takeover = Takeover::default();
        takeover.ran(&hers, 1, seconds(1));
        takeover.ran(&his, 2, seconds(1));
        takeover.breaks(Some(1));
        // What others did anyway, and what she still did, is no takeover.
        takeover.ran(&his, 2, seconds(11));
        takeover.ran(&new, 2, seconds(12));
        takeover.ran(&hers, 1, seconds(13));
        assert_eq!(takeover.taken_over(), None);
        takeover.ran(&hers, 2, seconds(14));
        takeover.ran(&hers, 3, seconds(15));
        assert_eq!(takeover.taken_over(), Some(seconds(14)));

        // Hers is now of whoever ran it last.
        takeover.breaks(Some(3));
        takeover.ran(&his, 1, seconds(21));
        assert_eq!(takeover.taken_over(), None);
        takeover.ran(&hers, 2, seconds(22));
        assert_eq!(takeover.taken_over(), Some(seconds(22)));
        takeover.breaks(None);
        assert_eq!(takeover.taken_over(), None);
    }
}
