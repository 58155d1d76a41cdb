//! Every way in which readers, the core and the memory of a machine may interleave, as loom finds them:
//! `RUSTFLAGS="--cfg callboard_loom" cargo test -p callboard-cluster --lib --release cache::interleavings`.

use callboard_protocol::revalidation::{LogPosition, Tag};
use loom::{
    model,
    sync::{Arc, Mutex},
    thread,
};

use super::{Arrived, FlightTable, Freshness, Stamp, Versions};
use crate::{clock::Instant, mutant::Mutants};

fn at(position: u64) -> LogPosition {
    LogPosition::from_u64(position)
}

fn tag() -> Tag {
    Tag::named("a")
}

const NOW: Instant = Instant::from_micros(20);

/// Everything up to 5 is applied, and the lease ended at 10.
fn versions() -> Arc<Versions> {
    let versions = Versions::new(2, Mutants::NONE);
    versions.set_applied(at(5));
    versions.set_lease(Instant::from_micros(10));
    Arc::new(versions)
}

/// The core applies 6, which kills the tag, and gets a lease.
fn renew(versions: &Versions) {
    versions.raise_hard(tag(), at(6));
    versions.set_applied(at(6));
    versions.set_lease(Instant::from_micros(100));
}

/// A render that was born at 5 and found fresh then is not served under a lease that came with its revalidation.
fn reads(arrive: impl Fn(&Versions) -> Arrived + Send + Sync + 'static) {
    let arrive = std::sync::Arc::new(arrive);
    model(move || {
        let versions = versions();
        let core = thread::spawn({
            let versions = Arc::clone(&versions);
            move || renew(&versions)
        });
        let stamp = Stamp::new(at(5), [tag()]);
        let arrived = arrive(&versions);
        let is_served = arrived.leased && stamp.freshness(arrived, &versions) != Freshness::Dead;
        assert!(!is_served, "{arrived:?}");
        core.join().expect("it ends");
    });
}

#[test]
fn a_lease_is_seen_with_what_it_was_granted_for() {
    reads(|versions| versions.arrive(NOW));
}

/// Why [`Versions::arrive`] looks at the lease first.
#[test]
#[should_panic(expected = "Arrived")]
fn the_other_way_round_it_is_not() {
    reads(|versions| {
        let applied = versions.applied();
        Arrived { applied, leased: versions.is_leased(NOW) }
    });
}

/// Two requests look at one render while the core kills it: by a tag, or by the floor.
#[test]
fn a_position_is_seen_with_what_it_raised_whoever_else_looks() {
    // Three threads: each is interrupted at most so often.
    let mut few = model::Builder::new();
    few.preemption_bound = Some(3);
    for by_floor in [false, true] {
        few.check(move || {
            let versions = versions();
            let stamp = Arc::new(Stamp::new(at(4), [tag()]));
            let core = thread::spawn({
                let versions = Arc::clone(&versions);
                move || {
                    if by_floor {
                        versions.raise_floor(at(6));
                    } else {
                        versions.raise_hard(tag(), at(6));
                    }
                    versions.set_applied(at(6));
                }
            });
            let look = |versions: &Versions, stamp: &Stamp| {
                let arrived = Arrived { applied: versions.applied(), leased: true };
                let freshness = stamp.freshness(arrived, versions);
                assert!(arrived.applied < at(6) || freshness == Freshness::Dead, "{arrived:?} {freshness:?}");
            };
            let other = thread::spawn({
                let (versions, stamp) = (Arc::clone(&versions), Arc::clone(&stamp));
                move || look(&versions, &stamp)
            });
            look(&versions, &stamp);
            core.join().expect("it ends");
            other.join().expect("it ends");
            look(&versions, &stamp);
        });
    }
}

/// A soft mark whose time comes while somebody looks.
#[test]
fn what_is_stale_is_never_fresh_again() {
    model(|| {
        let versions = versions();
        let core = thread::spawn({
            let versions = Arc::clone(&versions);
            move || {
                versions.raise_soft(tag(), at(6));
                versions.set_applied(at(6));
                versions.raise_hard(tag(), at(6));
            }
        });
        let stamp = Stamp::new(at(5), [tag()]);
        for _ in 0..2 {
            let arrived = Arrived { applied: versions.applied(), leased: true };
            let freshness = stamp.freshness(arrived, &versions);
            assert!(arrived.applied < at(6) || freshness != Freshness::Fresh);
        }
        core.join().expect("it ends");
        let arrived = Arrived { applied: versions.applied(), leased: true };
        assert_eq!(stamp.freshness(arrived, &versions), Freshness::Dead);
    });
}

/// Positions that are lost twice, with everything dead in between. Whoever holds one is not served what was found fresh.
#[test]
fn whoever_holds_a_position_that_is_lost_is_served_nothing_older() {
    model(|| {
        let versions = versions();
        versions.lose(at(5), at(100));
        versions.set_applied(at(100));
        let stamp = Stamp::new(at(4), [tag()]);
        let first = Arrived { applied: at(100), leased: true };
        assert_eq!(stamp.freshness(first, &versions), Freshness::Fresh);
        let core = thread::spawn({
            let versions = Arc::clone(&versions);
            move || {
                versions.raise_floor(at(200));
                versions.set_applied(at(200));
                versions.lose(at(205), at(300));
                versions.set_applied(at(300));
            }
        });
        for _ in 0..2 {
            let arrived = Arrived { applied: versions.applied(), leased: true };
            assert!(!versions.has_applied(arrived, at(206)));
            if versions.has_applied(arrived, at(6)) {
                assert_eq!(stamp.freshness(arrived, &versions), Freshness::Dead);
            }
        }
        core.join().expect("it ends");
        let arrived = Arrived { applied: versions.applied(), leased: true };
        assert!(!versions.has_applied(arrived, at(206)) && versions.has_applied(arrived, at(6)));
    });
}

/// Somebody who holds a position looks while it is applied.
#[test]
fn whoever_holds_a_position_is_served_nothing_older() {
    model(|| {
        let versions = versions();
        versions.set_applied(at(5));
        let stamp = Stamp::new(at(4), [tag()]);
        let first = Arrived { applied: at(5), leased: true };
        assert_eq!(stamp.freshness(first, &versions), Freshness::Fresh);
        let core = thread::spawn({
            let versions = Arc::clone(&versions);
            move || {
                versions.raise_hard(tag(), at(6));
                versions.set_applied(at(6));
            }
        });
        let arrived = Arrived { applied: versions.applied(), leased: true };
        if versions.has_applied(arrived, at(6)) {
            assert_eq!(stamp.freshness(arrived, &versions), Freshness::Dead);
        }
        core.join().expect("it ends");
    });
}

/// A request arrives while a render lands and the core applies what kills it.
#[test]
fn nobody_is_given_a_render_that_was_dead_when_they_arrived() {
    model(|| {
        let versions = versions();
        let table = Arc::new(Mutex::new(FlightTable::default()));
        let first = Arrived { applied: at(5), leased: true };
        table.lock().expect("nobody panics").arrive(&(), first, at(5), at(5));
        let core = thread::spawn({
            let versions = Arc::clone(&versions);
            move || renew(&versions)
        });
        let request = thread::spawn({
            let (versions, table) = (Arc::clone(&versions), Arc::clone(&table));
            move || {
                let arrived = versions.arrive(NOW);
                let birth = versions.applied();
                let mut table = table.lock().expect("nobody panics");
                table.arrive(&(), arrived, birth, if arrived.leased { arrived.applied } else { at(7) });
            }
        });
        let landing = table.lock().expect("nobody panics").land(&(), &[tag()], &versions);
        for must_see in landing.served {
            assert!(must_see <= at(5), "a render of 5 is given to one that must see {must_see}");
        }
        core.join().expect("it ends");
        request.join().expect("it ends");
    });
}
