//! How much this node has kept for idempotency keys.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{Settings, clock};

/// Counts keys and bytes until their retention is over.
#[derive(Debug)]
pub(crate) struct Retained {
    keys_max: usize,
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    keys: HashSet<u128>,
    bytes: usize,
    /// What is over in which second since the machine started.
    ending: BTreeMap<u64, Ending>,
}

#[derive(Debug, Default)]
struct Ending {
    keys: Vec<u128>,
    bytes: usize,
}

impl Retained {
    pub(crate) fn new(limits: &Settings) -> Self {
        Self {
            keys_max: limits.idempotency_keys_max,
            bytes_max: limits.idempotency_bytes_max,
            kept: Mutex::default(),
        }
    }

    /// Counts a key, if it is a new one; whether there is room for it.
    pub(crate) fn add_key(&self, key: u128, retention: Duration) -> bool {
        self.add_key_at(clock::since_boot(), key, retention)
    }

    /// Counts an outcome; whether there is room for it.
    pub(crate) fn add_bytes(&self, bytes: usize, retention: Duration) -> bool {
        self.add_bytes_at(clock::since_boot(), bytes, retention)
    }

    fn add_key_at(&self, now: Duration, key: u128, retention: Duration) -> bool {
        let mut kept = self.kept(now);
        if kept.keys.contains(&key) {
            return true;
        }
        let fits = kept.keys.len() < self.keys_max;
        if fits {
            kept.keys.insert(key);
            kept.ending(now + retention).keys.push(key);
        }
        fits
    }

    fn add_bytes_at(&self, now: Duration, bytes: usize, retention: Duration) -> bool {
        let mut kept = self.kept(now);
        let fits = kept.bytes + bytes <= self.bytes_max;
        if fits {
            kept.bytes += bytes;
            kept.ending(now + retention).bytes += bytes;
        }
        fits
    }

    /// What is kept, without what is over.
    fn kept(&self, now: Duration) -> MutexGuard<'_, Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(first) = kept.ending.first_entry().filter(|first| *first.key() <= now.as_secs()) {
            let Ending { keys, bytes } = first.remove();
            kept.bytes -= bytes;
            for key in keys {
                kept.keys.remove(&key);
            }
        }
        kept
    }
}

impl Kept {
    fn ending(&mut self, at: Duration) -> &mut Ending {
        self.ending.entry(at.as_secs() + 1).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_makes_room_and_a_key_counts_once() {
        let retained = Retained { keys_max: 2, bytes_max: 10, kept: Mutex::default() };
        let (at, hour) = (Duration::from_secs, Duration::from_hours(1));
        assert!(retained.add_key_at(at(0), 1, hour) && retained.add_key_at(at(10), 2, hour));
        assert!(retained.add_key_at(at(20), 1, hour) && !retained.add_key_at(at(20), 3, hour));
        assert!(retained.add_bytes_at(at(20), 10, hour) && !retained.add_bytes_at(at(20), 1, hour));
        assert!(retained.add_key_at(at(3602), 3, hour) && !retained.add_key_at(at(3602), 4, hour));
        assert!(retained.add_bytes_at(at(3622), 10, hour));
    }
}
