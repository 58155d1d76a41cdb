//! What this node knows of revalidations: up to where, the newest of each tag, and until when that may be trusted.

use std::sync::OnceLock;

use callboard_protocol::revalidation::{LogPosition, Tag};

use super::sync::{AtomicU64, Ordering};
use crate::{
    clock::Instant,
    mutant::{Mutant, Mutants},
};

/// The applied position, the newest revalidations of every tag, and the lease; in bounded memory, shared by all
/// threads.
///
/// Two cells stand for a tag, and a tag counts as revalidated only if both say so: it shares each with others, so a
/// render may be dropped needlessly, but none is ever kept wrongly. With 2^20 cells 10,000 tags that are revalidated
/// within a render's life drop 0.3 % of renders needlessly.
///
/// The core alone writes: first the cells and the floor, then the applied position, then the lease. Readers look in the
/// opposite order. So whoever sees a lease also sees the position that it was granted for, and whoever sees a position
/// also sees every tag that it raised.
#[derive(Debug)]
pub struct Versions {
    applied: AtomicU64,
    /// Whatever was born before it is dead.
    floor: AtomicU64,
    /// Microseconds of this node's clock; `u64::MAX` for ever.
    lease_until: AtomicU64,
    /// Positions after the first and before the second may never have been applied: they were lost with an epoch.
    lost_after: AtomicU64,
    lost_before: AtomicU64,
    hard: Cells,
    soft: Cells,
    mutants: Mutants,
}

/// What a request sees when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Up to where every revalidation was applied.
    pub applied: LogPosition,
    /// Whether nothing after that was answered yet. A request that arrives without is never served from a kept render.
    pub leased: bool,
}

/// What became of a render since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing.
    Fresh,
    /// It may be served while a new one is made.
    Stale,
    /// It may be served to nobody who arrived since.
    Dead,
}

/// Cells of which most are never raised: a page of them takes memory once one of it is.
#[derive(Debug)]
struct Cells {
    pages: Box<[OnceLock<Box<[AtomicU64]>>]>,
    /// How many there are, less one.
    mask: usize,
}

/// Cells of a page: as many as are a page of memory.
const PAGE: usize = 512;

impl Cells {
    /// At least so many, rounded up to a power of two.
    fn new(cells: usize) -> Self {
        let cells = cells.max(2).next_power_of_two();
        let pages = std::iter::repeat_with(OnceLock::new).take(cells.div_ceil(PAGE)).collect();
        let cells = Self { pages, mask: cells - 1 };
        // Loom knows of what its own threads do, and of no lock that is another's.
        #[cfg(callboard_loom)]
        for page in &cells.pages {
            page.get_or_init(|| cells.page());
        }
        cells
    }

    fn page(&self) -> Box<[AtomicU64]> {
        std::iter::repeat_with(|| AtomicU64::new(0)).take(PAGE.min(self.mask + 1)).collect()
    }

    fn places(&self, tag: Tag) -> [usize; 2] {
        let hash = tag.hash();
        [hash as usize & self.mask, (hash >> 32) as usize & self.mask]
    }

    fn raise(&self, tag: Tag, position: LogPosition) {
        for place in self.places(tag) {
            let page = self.pages[place / PAGE].get_or_init(|| self.page());
            page[place % PAGE].fetch_max(position.as_u64(), Ordering::Relaxed);
        }
    }

    fn newest(&self, tag: Tag) -> u64 {
        let [one, other] = self.places(tag).map(|place| {
            self.pages[place / PAGE].get().map_or(0, |page| page[place % PAGE].load(Ordering::Relaxed))
        });
        one.min(other)
    }
}

impl Versions {
    /// Nothing is known, and there is no lease. `cells` of each table, rounded up to a power of two.
    #[must_use]
    pub fn new(cells: usize, mutants: Mutants) -> Self {
        Self {
            applied: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            lease_until: AtomicU64::new(0),
            lost_after: AtomicU64::new(0),
            lost_before: AtomicU64::new(0),
            hard: Cells::new(cells),
            soft: Cells::new(cells),
            mutants,
        }
    }

    /// What a request that has arrived sees. `now` is read after it arrived.
    ///
    /// The lease is looked at first: the other way round it could be a later one than the position belongs to.
    #[must_use]
    pub fn arrive(&self, now: Instant) -> Arrived {
        let leased = self.is_leased(now);
        Arrived { applied: self.applied(), leased }
    }

    /// Up to where every revalidation is applied: the birth of a render that begins now.
    #[must_use]
    pub fn applied(&self) -> LogPosition {
        LogPosition::from_u64(self.applied.load(Ordering::Acquire))
    }

    /// Until when everything that was answered is applied.
    #[must_use]
    pub fn lease_until(&self) -> Instant {
        Instant::from_micros(self.lease_until.load(Ordering::Acquire))
    }

    /// Whether everything that was answered by now is applied.
    #[must_use]
    pub fn is_leased(&self, now: Instant) -> bool {
        let until = self.lease_until.load(Ordering::Acquire);
        now.as_micros() < until || until == u64::MAX || self.mutants.has(Mutant::NoLease)
    }

    /// Whether a request that saw this when it arrived is served nothing older than this position: it is applied, or
    /// nothing is kept from before it. A position that was lost with its epoch is not applied, although later ones are:
    /// whoever holds it is served from no render that is kept.
    ///
    /// What was applied since does not count, nor does a floor above what was: a render that was found fresh before is
    /// served to whoever arrived before.
    #[must_use]
    pub fn has_applied(&self, arrived: Arrived, position: LogPosition) -> bool {
        if position > arrived.applied {
            return false;
        }
        let lost_after = self.lost_after.load(Ordering::Acquire);
        let lost_before = self.lost_before.load(Ordering::Acquire);
        if lost_before > arrived.applied.as_u64() {
            // More was lost since, and with it what is known of the loss before that.
            return false;
        }
        let is_lost = lost_after < position.as_u64() && position.as_u64() < lost_before;
        !is_lost || self.is_below_floor(arrived, position) || self.mutants.has(Mutant::LostCountsAsApplied)
    }

    /// Whether whoever arrived then is served nothing that is kept from before this position.
    fn is_below_floor(&self, arrived: Arrived, position: LogPosition) -> bool {
        let floor = self.floor();
        position <= floor && (floor <= arrived.applied || self.mutants.has(Mutant::FloorAhead))
    }

    /// Whatever was born before this is dead.
    #[must_use]
    pub fn floor(&self) -> LogPosition {
        LogPosition::from_u64(self.floor.load(Ordering::Acquire))
    }

    /// What became of a render that was born at a position and carries these tags: at least what was applied before this
    /// was asked, and perhaps more.
    #[must_use]
    pub fn freshness(&self, birth: LogPosition, tags: &[Tag]) -> Freshness {
        if birth < self.floor() {
            return Freshness::Dead;
        }
        let mut freshness = Freshness::Fresh;
        for tag in tags {
            let (hard, soft) = (self.hard.newest(*tag), self.soft.newest(*tag));
            let is_revived = soft > hard && self.mutants.has(Mutant::SoftRevives);
            if hard > birth.as_u64() && !is_revived {
                return Freshness::Dead;
            }
            if soft > birth.as_u64() {
                freshness = Freshness::Stale;
            }
        }
        freshness
    }
}

/// When a tag was revalidated last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// Hard: the position, 0 if never.
    pub hard: LogPosition,
    /// Softly.
    pub soft: LogPosition,
}

/// For whoever wants to know why.
impl Versions {
    /// When a tag was revalidated last, as far as the table tells: at most this late, perhaps never.
    #[must_use]
    pub fn newest(&self, tag: Tag) -> Newest {
        let [hard, soft] = [&self.hard, &self.soft].map(|cells| LogPosition::from_u64(cells.newest(tag)));
        Newest { hard, soft }
    }
}

/// What the core alone writes.
impl Versions {
    /// A tag is dead from here on. Only ever raised, and perhaps before the position is applied.
    pub(super) fn raise_hard(&self, tag: Tag, position: LogPosition) {
        self.hard.raise(tag, position);
    }

    /// A tag is stale from here on.
    pub(super) fn raise_soft(&self, tag: Tag, position: LogPosition) {
        self.soft.raise(tag, position);
    }

    /// Everything that was born before this is dead.
    pub(super) fn raise_floor(&self, floor: LogPosition) {
        self.floor.fetch_max(floor.as_u64(), Ordering::Release);
    }

    /// Everything up to here was raised.
    pub(super) fn set_applied(&self, applied: LogPosition) {
        self.applied.store(applied.as_u64(), Ordering::Release);
    }

    /// What stands between these two may never be applied here. Called before the second is applied.
    pub(super) fn lose(&self, after: LogPosition, before: LogPosition) {
        let is_moot = self.lost_before.load(Ordering::Relaxed) <= self.floor().as_u64();
        // Widened before it is begun anew: in between it is at most too wide, or lies below the floor.
        self.lost_before.store(before.as_u64(), Ordering::Release);
        if is_moot {
            self.lost_after.store(after.as_u64(), Ordering::Release);
        }
    }

    /// Until when everything that is answered is applied here, too.
    pub(super) fn set_lease(&self, until: Instant) {
        self.lease_until.store(until.as_micros(), Ordering::Release);
    }
}

#[cfg(all(test, not(callboard_loom)))]
mod tests {
    use super::*;

    fn at(position: u64) -> LogPosition {
        LogPosition::from_u64(position)
    }

    fn versions() -> Versions {
        Versions::new(1 << 12, Mutants::NONE)
    }

    #[test]
    fn a_hard_mark_kills_what_was_born_before_it() {
        let versions = versions();
        let (book, news) = (Tag::named("book"), Tag::named("news"));
        versions.raise_hard(book, at(7));
        versions.set_applied(at(7));

        assert_eq!(versions.freshness(at(6), &[news, book]), Freshness::Dead);
        assert_eq!(versions.freshness(at(7), &[news, book]), Freshness::Fresh);
        assert_eq!(versions.freshness(at(6), &[news]), Freshness::Fresh);
        assert_eq!(versions.freshness(at(0), &[]), Freshness::Fresh);
    }

    #[test]
    fn a_soft_mark_revives_nothing() {
        let versions = versions();
        let tag = Tag::named("a");
        versions.raise_hard(tag, at(5));
        versions.raise_soft(tag, at(9));

        assert_eq!(versions.freshness(at(4), &[tag]), Freshness::Dead);
        assert_eq!(versions.freshness(at(5), &[tag]), Freshness::Stale);
        assert_eq!(versions.freshness(at(9), &[tag]), Freshness::Fresh);
    }

    #[test]
    fn a_hard_mark_is_never_lowered() {
        let versions = versions();
        let tag = Tag::named("a");
        versions.raise_hard(tag, at(5));
        versions.raise_hard(tag, at(3));

        assert_eq!(versions.freshness(at(4), &[tag]), Freshness::Dead);
    }

    #[test]
    fn everything_born_before_the_floor_is_dead() {
        let versions = versions();
        versions.raise_floor(at(8));
        versions.raise_floor(at(3));

        assert_eq!(versions.freshness(at(7), &[]), Freshness::Dead);
        assert_eq!(versions.freshness(at(8), &[]), Freshness::Fresh);
    }

    #[test]
    fn a_lease_ends_at_its_instant_or_never() {
        let versions = versions();
        let instant = Instant::from_micros;
        assert!(!versions.is_leased(instant(0)));
        versions.set_lease(instant(10));
        assert!(versions.is_leased(instant(9)));
        assert!(!versions.is_leased(instant(10)));
        versions.set_lease(instant(u64::MAX));
        assert!(versions.is_leased(instant(u64::MAX)));
    }

    /// Goal: who holds a position that was lost with its epoch is not taken for one whose position is applied. Method:
    /// two losses, then a floor after both, then a third.
    #[test]
    fn what_was_lost_is_not_applied_until_nothing_is_kept_from_before() {
        let versions = versions();
        let lose = |after, before| {
            versions.lose(at(after), at(before));
            versions.set_applied(at(before));
        };
        let has_applied = |position| versions.has_applied(versions.arrive(Instant::default()), at(position));
        lose(5, 100);
        assert!(has_applied(5) && has_applied(100));
        assert!(!has_applied(6) && !has_applied(99) && !has_applied(101));
        lose(103, 200);
        assert!(!has_applied(6) && !has_applied(104));

        versions.raise_floor(at(300));
        assert!(!has_applied(6), "what was found fresh is still served");
        versions.set_applied(at(300));
        assert!(has_applied(6) && has_applied(104));

        lose(305, 400);
        assert!(has_applied(6) && has_applied(305) && !has_applied(306));
    }

    /// Goal: what came after a request is not counted for it, as what it is served may be older. Method: it arrives, and
    /// then more is applied, and more is lost.
    #[test]
    fn what_is_applied_after_a_request_arrived_is_new_to_it() {
        let versions = versions();
        versions.set_applied(at(5));
        let arrived = versions.arrive(Instant::default());
        versions.set_applied(at(6));
        assert!(versions.has_applied(arrived, at(5)) && !versions.has_applied(arrived, at(6)));

        versions.lose(at(6), at(100));
        versions.set_applied(at(100));
        assert!(!versions.has_applied(arrived, at(5)), "it may have been lost before that");
        assert!(versions.has_applied(versions.arrive(Instant::default()), at(5)));
    }

    /// Goal: no reader sees a position without the tags it raised. Method: one writer, one reader, a real race.
    #[test]
    fn whoever_sees_a_position_sees_its_tags() {
        let versions = versions();
        let tag = Tag::named("raced");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for position in (1..=200_000).map(at) {
                    versions.raise_hard(tag, position);
                    versions.set_applied(position);
                }
            });
            while versions.applied() < at(200_000) {
                let seen = versions.applied().as_u64();
                assert!(seen == 0 || versions.freshness(at(seen - 1), &[tag]) == Freshness::Dead);
            }
        });
    }
}
