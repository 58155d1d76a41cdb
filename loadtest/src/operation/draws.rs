//! Everything that is random or counted.

use std::cell::{Cell, RefCell};

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use crate::scenario::{Chosen, Picks};

/// Draws from a seed, and numbers.
pub(super) struct Draws {
    random: RefCell<SmallRng>,
    /// Calls so far.
    numbers: Cell<u64>,
    /// Another one in every run, whatever the seed: a server remembers the idempotency keys of the run before.
    run: String,
}

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        let random = RefCell::new(SmallRng::seed_from_u64(seed));
        Self { random, numbers: Cell::new(0), run: format!("{:016x}", rand::random::<u64>()) }
    }

    /// A place, by the sums of weights up to each.
    pub(super) fn place(&self, sums: &[f64]) -> usize {
        let all = sums.last().copied().unwrap_or_default();
        let drawn = self.random.borrow_mut().random_range(0.0..1.0) * all;
        sums.partition_point(|sum| *sum <= drawn).min(sums.len().saturating_sub(1))
    }

    /// One of so many.
    pub(super) fn below(&self, count: usize) -> usize {
        self.random.borrow_mut().random_range(0..count.max(1))
    }

    /// What the placeholders of another call stand for.
    pub(super) fn choose(&self, picks: Picks) -> Chosen {
        self.numbers.set(self.numbers.get() + 1);
        let mut random = self.random.borrow_mut();
        let pick = match picks.first_share {
            Some(share) if picks.below > 1 => {
                if random.random_bool(share) {
                    0
                } else {
                    random.random_range(1..picks.below)
                }
            }
            _ => random.random_range(0..picks.below.max(1)),
        };
        Chosen { number: self.numbers.get(), pick }
    }

    /// The idempotency key of a call.
    pub(super) fn idempotency_key(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    /// A boundary that no body holds by chance.
    pub(super) fn boundary(&self) -> String {
        format!("----WebKitFormBoundary{}", self.run)
    }
}
