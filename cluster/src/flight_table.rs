//! Who renders, who waits for whose render, and who may use it.
//!
//! Per key one render runs and at most one more is pending, however many requests wait. The subtle rule is who may
//! use a render that was already running when a request arrived: a render sees what was committed before its
//! *birth* (the position applied before it read anything). A request that arrived at a later position may use it
//! only if none of its tags was revalidated since that birth. Tags are known only when the render ends, so the
//! question is asked then; who may not use it waits for the next render, which begins afterwards.

use std::{collections::HashMap, hash::Hash, mem};

use callboard_protocol::revalidation::{LogPosition, Tag};

use crate::Versions;

/// The running renders and those who wait for them. `W` is a waiting request.
#[derive(Debug)]
pub struct FlightTable<K, W> {
    flights: HashMap<K, Flight<W>>,
}

#[derive(Debug)]
struct Flight<W> {
    birth: LogPosition,
    waiting: Vec<Waiting<W>>,
}

#[derive(Debug)]
struct Waiting<W> {
    arrived: LogPosition,
    request: W,
}

/// What a request that found nothing in the cache does.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It starts a render with this birth; nobody else renders this key.
    Render(LogPosition),
    /// It waits for a render that runs already.
    Wait,
}

/// What to do when a render ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Landing<W> {
    /// These may use it.
    pub served: Vec<W>,
    /// The next render for those who may not, if there are any: start it with this birth.
    pub again: Option<LogPosition>,
}

impl<K, W> Default for FlightTable<K, W> {
    fn default() -> Self {
        Self { flights: HashMap::new() }
    }
}

impl<K: Eq + Hash + Clone, W> FlightTable<K, W> {
    /// A request that arrived at position `applied` needs a render of `key`.
    pub fn arrive(&mut self, key: &K, applied: LogPosition, request: W) -> Arrival {
        let waiting = Waiting { arrived: applied, request };
        if let Some(flight) = self.flights.get_mut(key) {
            flight.waiting.push(waiting);
            return Arrival::Wait;
        }
        self.flights.insert(key.clone(), Flight { birth: applied, waiting: vec![waiting] });
        Arrival::Render(applied)
    }

    /// The running render of `key`, which carries these tags, ended.
    ///
    /// What was revalidated is asked here, while nobody can arrive: asked before, a request could arrive after a
    /// revalidation that the answer does not know of, and be given the older render.
    pub fn land(&mut self, key: &K, tags: &[Tag], versions: &Versions) -> Landing<W> {
        let (newest, applied) = (versions.newest_of(tags), versions.applied());
        let Some(flight) = self.flights.get_mut(key) else {
            return Landing { served: Vec::new(), again: None };
        };
        let birth = flight.birth;
        let (served, later): (Vec<_>, Vec<_>) = mem::take(&mut flight.waiting)
            .into_iter()
            .partition(|waiting| waiting.arrived <= birth || newest <= birth);
        let again = (!later.is_empty()).then_some(applied);
        match again {
            Some(next) => *flight = Flight { birth: next, waiting: later },
            None => {
                self.flights.remove(key);
            }
        }
        Landing { served: served.into_iter().map(|waiting| waiting.request).collect(), again }
    }

    /// The running render of `key` turned out to be for one request only, or was lost: everybody who waits.
    pub fn disband(&mut self, key: &K) -> Vec<W> {
        let flight = self.flights.remove(key);
        flight.into_iter().flat_map(|flight| flight.waiting).map(|waiting| waiting.request).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(position: u64) -> LogPosition {
        LogPosition::from_u64(position)
    }

    /// Versions at a position, with the tag `mine` revalidated last at another.
    fn versions(mine: u64, applied: u64) -> Versions {
        let versions = Versions::default();
        if mine > 0 {
            versions.apply(at(mine), [Tag::named("mine")]);
        }
        versions.apply(at(applied), []);
        versions
    }

    fn mine() -> [Tag; 1] {
        [Tag::named("mine")]
    }

    #[test]
    fn ten_thousand_requests_share_one_render() {
        let mut table = FlightTable::default();
        assert_eq!(table.arrive(&"k", at(0), 0), Arrival::Render(at(0)));
        for request in 1..10_000 {
            assert_eq!(table.arrive(&"k", at(0), request), Arrival::Wait);
        }
        let landing = table.land(&"k", &mine(), &versions(0, 0));
        assert_eq!((landing.served.len(), landing.again), (10_000, None));
    }

    #[test]
    fn who_arrived_after_a_revalidation_waits_for_the_next_render() {
        let mut table = FlightTable::default();
        table.arrive(&"k", at(1), "early");
        table.arrive(&"k", at(2), "late");
        let versions = versions(2, 3);
        let landing = table.land(&"k", &mine(), &versions);
        assert_eq!(landing, Landing { served: vec!["early"], again: Some(at(3)) });
        let landing = table.land(&"k", &mine(), &versions);
        assert_eq!(landing, Landing { served: vec!["late"], again: None });
    }

    #[test]
    fn a_revalidation_of_other_tags_makes_nobody_wait() {
        let mut table = FlightTable::default();
        table.arrive(&"k", at(1), "early");
        table.arrive(&"k", at(2), "late");
        assert_eq!(table.land(&"k", &mine(), &versions(0, 2)).served, ["early", "late"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Goal: nobody is given a render that began before a revalidation which they arrived after, and nobody
        /// waits for ever. Method: random arrivals, revalidations (of this key's tag or another's) and landings,
        /// held against the history.
        #[test]
        fn no_request_gets_a_render_older_than_its_arrival(steps in prop::collection::vec(0_u8..4, 1..100)) {
            let mut table: FlightTable<(), u64> = FlightTable::default();
            let versions = Versions::default();
            let (mut applied, mut newest) = (0, 0);
            let mut birth: Option<u64> = None;
            let mut open = 0_usize;
            let land = |table: &mut FlightTable<(), u64>, birth: &mut Option<u64>, newest: u64| {
                let began = birth.expect("a render runs");
                let landing = table.land(&(), &mine(), &versions);
                for arrived in &landing.served {
                    // Served wrongly = something of mine was revalidated after the birth and before I arrived.
                    assert!(!(newest > began && *arrived > began), "arrived {arrived}, render began {began}");
                }
                *birth = landing.again.map(LogPosition::as_u64);
                landing.served.len()
            };
            for step in steps {
                match step {
                    0 => {
                        match table.arrive(&(), at(applied), applied) {
                            Arrival::Render(began) => {
                                prop_assert_eq!(birth, None);
                                birth = Some(began.as_u64());
                            }
                            Arrival::Wait => prop_assert!(birth.is_some()),
                        }
                        open += 1;
                    }
                    1 => {
                        applied += 1;
                        newest = applied;
                        versions.apply(at(applied), mine());
                    }
                    2 => {
                        applied += 1;
                        versions.apply(at(applied), [Tag::named("another's")]);
                    }
                    _ if birth.is_some() => open -= land(&mut table, &mut birth, newest),
                    _ => {}
                }
            }
            for _ in 0..2 {
                if birth.is_some() {
                    open -= land(&mut table, &mut birth, newest);
                }
            }
            prop_assert_eq!((open, birth), (0, None));
        }
    }
}
