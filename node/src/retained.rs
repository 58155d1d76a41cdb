//! How much this node has kept for idempotency keys.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
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
    /// With the second in which each is over.
    keys: HashMap<u128, u64>,
    bytes: usize,
    /// What is over in which second since the machine started.
    ending: BTreeMap<u64, Ending>,
}

#[derive(Debug, Default)]
struct Ending {
    keys: HashSet<u128>,
    bytes: usize,
}

/// Whether a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It does from now on.
    First,
    /// It did before.
    Before,
    /// It does not: there is no room for it.
    NoRoom,
}

impl Retained {
    pub(crate) fn new(limits: &Settings) -> Self {
        Self {
            keys_max: limits.idempotency_keys_max,
            bytes_max: limits.idempotency_bytes_max,
            kept: Mutex::default(),
        }
    }

    /// Counts a key, if there is room for it.
    pub(crate) fn add_key(&self, key: u128, retention: Duration) -> Counted {
        self.add_key_at(clock::since_boot(), key, retention)
    }

    /// Nothing is kept for a key after all.
    pub(crate) fn forget_key(&self, key: u128) {
        let mut kept = self.kept(clock::since_boot());
        if let Some(end) = kept.keys.remove(&key)
            && let Some(ending) = kept.ending.get_mut(&end)
        {
            ending.keys.remove(&key);
        }
    }

    /// Counts an outcome; whether there is room for it.
    pub(crate) fn add_bytes(&self, bytes: usize, retention: Duration) -> bool {
        self.add_bytes_at(clock::since_boot(), bytes, retention)
    }

    fn add_key_at(&self, now: Duration, key: u128, retention: Duration) -> Counted {
        let mut kept = self.kept(now);
        if kept.keys.contains_key(&key) {
            return Counted::Before;
        }
        if kept.keys.len() >= self.keys_max {
            return Counted::NoRoom;
        }
        let end = end(now + retention);
        kept.keys.insert(key, end);
        kept.ending.entry(end).or_default().keys.insert(key);
        Counted::First
    }

    fn add_bytes_at(&self, now: Duration, bytes: usize, retention: Duration) -> bool {
        let mut kept = self.kept(now);
        let fits = kept.bytes + bytes <= self.bytes_max;
        if fits {
            kept.bytes += bytes;
            kept.ending.entry(end(now + retention)).or_default().bytes += bytes;
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

/// The second in which something is over that is kept until then.
fn end(at: Duration) -> u64 {
    at.as_secs() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_makes_room_and_a_key_counts_once() {
        let retained = Retained { keys_max: 2, bytes_max: 10, kept: Mutex::default() };
        let (at, hour) = (Duration::from_secs, Duration::from_hours(1));
        let add = |seconds, key| retained.add_key_at(at(seconds), key, hour);
        assert_eq!([add(0, 1), add(10, 2), add(20, 1)], [Counted::First, Counted::First, Counted::Before]);
        assert_eq!(add(20, 3), Counted::NoRoom);
        assert!(retained.add_bytes_at(at(20), 10, hour) && !retained.add_bytes_at(at(20), 1, hour));
        assert_eq!([add(3602, 3), add(3602, 4)], [Counted::First, Counted::NoRoom]);
        assert!(retained.add_bytes_at(at(3622), 10, hour));
    }

    #[test]
    fn what_is_forgotten_makes_room_and_counts_anew() {
        let retained = Retained { keys_max: 1, bytes_max: 0, kept: Mutex::default() };
        let (earlier, later) = (Duration::from_mins(1), Duration::from_hours(1));
        assert_eq!(retained.add_key(1, earlier), Counted::First);
        retained.forget_key(1);
        retained.forget_key(1);
        assert_eq!(retained.add_key(1, later), Counted::First);
        // The first end is none of it any more.
        let now = clock::since_boot() + 2 * earlier;
        assert_eq!(retained.add_key_at(now, 2, later), Counted::NoRoom);
    }
}
