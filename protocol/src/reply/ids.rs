//! Numbers for the ids that a client gives to parts and streams.

use std::collections::HashMap;

/// Ids below this are looked up in a table. Clients count theirs from 0, so that nearly all are; a body with one large
/// id must not pay for a large table.
const SMALL: u64 = 1024;

/// Numbers for ids.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// The numbers of small ids.
    small: Vec<Option<u32>>,
    /// The numbers of all others. Hashed with a secret, as the client chooses them.
    large: HashMap<u64, u32>,
}

impl Ids {
    /// The number of an id, if it has one.
    pub(super) fn get(&self, id: u64) -> Option<u32> {
        if id < SMALL { *self.small.get(id as usize)? } else { self.large.get(&id).copied() }
    }

    /// Gives a number to an id that has none.
    pub(super) fn insert(&mut self, id: u64, number: u32) {
        if id >= SMALL {
            self.large.insert(id, number);
            return;
        }
        let at = id as usize;
        if self.small.len() <= at {
            self.small.resize(at + 1, None);
        }
        self.small[at] = Some(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_ids_keep_their_numbers() {
        let all = [3, 0, SMALL - 1, SMALL, 7, u64::MAX];
        let mut ids = Ids::default();
        for (id, number) in all.into_iter().zip(0..) {
            assert_eq!(ids.get(id), None);
            ids.insert(id, number);
        }
        for (id, number) in all.into_iter().zip(0..) {
            assert_eq!(ids.get(id), Some(number));
        }
        assert_eq!(ids.get(1), None);
    }
}
