//! Slots: the fixed buckets that calls are hashed into.

use callboard_protocol::{ActionId, identity::Boot};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How many slots there are. A power of two far above any sensible number of nodes, so that shares stay even, and
/// small enough for a table of owners to be cheap.
pub const SLOTS: u16 = 1024;

/// One of [`SLOTS`] buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u16);

impl Slot {
    /// The slot of an action's calls that share no order.
    #[must_use]
    pub fn of_action(action: &ActionId) -> Self {
        Self::of(action, &[])
    }

    /// The slot of an action's calls with this key; they run one at a time, in order.
    #[must_use]
    pub fn of_key(action: &ActionId, key: &str) -> Self {
        Self::of(action, key.as_bytes())
    }

    fn of(action: &ActionId, key: &[u8]) -> Self {
        let seed = xxh3_64_with_seed(action.as_bytes(), 0);
        Self((xxh3_64_with_seed(key, seed) % u64::from(SLOTS)) as u16)
    }

    /// The slot by whose owner a session that is gone is answered for.
    #[must_use]
    pub fn of_orphan(boot: Boot) -> Self {
        let seed = u64::from(boot.session);
        Self((xxh3_64_with_seed(&boot.process.as_u128().to_le_bytes(), seed) % u64::from(SLOTS)) as u16)
    }

    /// The slot at this position, as it stands in a frame; positions beyond the last begin again.
    #[must_use]
    pub fn from_index(index: u16) -> Self {
        Self(index % SLOTS)
    }

    /// Position in a table of all slots.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Every slot.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
