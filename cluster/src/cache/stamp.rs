//! What a kept render carries, so that whoever finds it knows whether it may be served.

use callboard_protocol::revalidation::{LogPosition, Tag};

use super::{
    sync::{AtomicU64, Ordering},
    versions::{Arrived, Freshness, Versions},
};

/// When a render began, under which tags, and up to where it was found fresh.
#[derive(Debug)]
pub struct Stamp {
    birth: LogPosition,
    /// Nothing up to here made it stale. That once true stays true, so no order with other memory is needed.
    checked: AtomicU64,
    tags: Box<[Tag]>,
}

impl Stamp {
    /// Of a render that began when everything up to `birth` was applied.
    #[must_use]
    pub fn new(birth: LogPosition, tags: impl Into<Box<[Tag]>>) -> Self {
        Self { birth, checked: AtomicU64::new(birth.as_u64()), tags: tags.into() }
    }

    /// What became of it, for a request that arrived with a lease. While nothing is revalidated it costs one comparison.
    #[must_use]
    pub fn freshness(&self, arrived: Arrived, versions: &Versions) -> Freshness {
        let applied = arrived.applied.as_u64();
        if self.checked.load(Ordering::Relaxed) >= applied {
            return Freshness::Fresh;
        }
        let freshness = versions.freshness(self.birth, &self.tags);
        if freshness == Freshness::Fresh {
            self.checked.fetch_max(applied, Ordering::Relaxed);
        }
        freshness
    }

    /// What was applied when it began.
    #[must_use]
    pub fn birth(&self) -> LogPosition {
        self.birth
    }

    /// What it carries.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }
}

#[cfg(all(test, not(callboard_loom)))]
mod tests {
    use super::*;
    use crate::mutant::Mutants;

    fn at(position: u64) -> LogPosition {
        LogPosition::from_u64(position)
    }

    fn arrived(applied: u64) -> Arrived {
        Arrived { applied: at(applied), leased: true }
    }

    #[test]
    fn what_was_found_fresh_is_not_looked_at_again_until_something_is_applied() {
        let versions = Versions::new(1 << 12, Mutants::NONE);
        let tag = Tag::named("a");
        let stamp = Stamp::new(at(3), [tag]);
        assert_eq!(stamp.freshness(arrived(5), &versions), Freshness::Fresh);

        versions.raise_hard(tag, at(6));
        assert_eq!(stamp.freshness(arrived(5), &versions), Freshness::Fresh, "it arrived before");
        versions.set_applied(at(6));
        assert_eq!(stamp.freshness(arrived(6), &versions), Freshness::Dead);
    }

    /// A soft mark whose time has come raises no position.
    #[test]
    fn what_is_stale_is_looked_at_each_time() {
        let versions = Versions::new(1 << 12, Mutants::NONE);
        let tag = Tag::named("a");
        let stamp = Stamp::new(at(3), [tag]);
        versions.raise_soft(tag, at(6));
        assert_eq!(stamp.freshness(arrived(6), &versions), Freshness::Stale);

        versions.raise_hard(tag, at(6));
        assert_eq!(stamp.freshness(arrived(6), &versions), Freshness::Dead);
    }

    #[test]
    fn a_floor_that_was_raised_is_seen_by_whoever_sees_its_position() {
        let versions = Versions::new(1 << 12, Mutants::NONE);
        let stamp = Stamp::new(at(3), []);
        assert_eq!(stamp.freshness(arrived(5), &versions), Freshness::Fresh);
        versions.raise_floor(at(6));
        assert_eq!(stamp.freshness(arrived(6), &versions), Freshness::Dead);
    }
}
