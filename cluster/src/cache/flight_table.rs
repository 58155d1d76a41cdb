//! Who renders, who waits for whose render, and who may use it.
//!
//! Per key one render runs and at most one more is pending, however many requests wait. The subtle rule is who may use a
//! render that was already running when a request arrived: a render sees what was committed before its *birth* (the
//! position that was applied before it read anything). A request that arrived with a lease at a later position may use
//! it only if none of its tags was revalidated since that birth. Tags are known only when the render ends, so the
//! question is asked then; who may not use it waits for the next render, which begins afterwards. A request that arrived
//! without a lease does not know what was revalidated, and uses no render that was already running. Nor is the render that
//! begins for it made of parts that are kept.

use std::{collections::HashMap, hash::Hash, mem};

use callboard_protocol::revalidation::{LogPosition, Tag};

use super::versions::{Arrived, Freshness, Versions};
use crate::mutant::{Mutant, Mutants};

/// The running renders and those who wait for them. `W` is a waiting request.
#[derive(Debug)]
pub struct FlightTable<K, W> {
    flights: HashMap<K, Flight<W>>,
    mutants: Mutants,
}

#[derive(Debug)]
struct Flight<W> {
    birth: LogPosition,
    waiting: Vec<Waiting<W>>,
}

#[derive(Debug)]
struct Waiting<W> {
    request: W,
    /// What it saw when it arrived, if the flight was already running then.
    joined: Option<Arrived>,
}

/// What a request that found nothing in the cache does.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It starts a render; nobody else renders this key.
    Render(Takeoff),
    /// It waits for a render that runs already.
    Wait,
}

/// What a render begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takeoff {
    /// What is applied before it reads anything.
    pub birth: LogPosition,
    /// Whether it may be made of parts that are kept: whether all for whom it begins arrived with a lease.
    pub kept_parts: bool,
}

/// What to do when a render ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Landing<W> {
    /// These may use it.
    pub served: Vec<W>,
    /// The next render for those who may not, if there are any: start it.
    pub again: Option<Takeoff>,
}

impl<K, W> Default for FlightTable<K, W> {
    fn default() -> Self {
        Self::new(Mutants::NONE)
    }
}

impl<K, W> FlightTable<K, W> {
    /// Nothing is rendered.
    #[must_use]
    pub fn new(mutants: Mutants) -> Self {
        Self { flights: HashMap::new(), mutants }
    }
}

impl<K: Eq + Hash + Clone, W> FlightTable<K, W> {
    /// A request that saw this when it arrived needs a render of `key`. A render that begins now has this birth: what is
    /// applied now. To be landed, abandoned or disbanded.
    pub fn arrive(&mut self, key: &K, arrived: Arrived, birth: LogPosition, request: W) -> Arrival {
        debug_assert!(arrived.applied <= birth, "the birth is read after the request arrived");
        if let Some(flight) = self.flights.get_mut(key) {
            flight.waiting.push(Waiting { request, joined: Some(arrived) });
            return Arrival::Wait;
        }
        self.flights.insert(key.clone(), Flight { birth, waiting: vec![Waiting { request, joined: None }] });
        Arrival::Render(Takeoff { birth, kept_parts: arrived.leased })
    }

    /// The render of `key` is about to read something. If all who wait for it are gone, it is over instead.
    pub fn abandon(&mut self, key: &K, is_gone: impl Fn(&W) -> bool) -> bool {
        let waiting = self.flights.get(key).map(|flight| &flight.waiting);
        let is_over = waiting.is_none_or(|waiting| waiting.iter().all(|waiting| is_gone(&waiting.request)));
        if is_over {
            self.flights.remove(key);
        }
        is_over
    }

    /// The running render of `key`, which carries these tags, ended.
    ///
    /// What was revalidated is asked here, while nobody can arrive: asked before, a request could arrive after a
    /// revalidation that the answer does not know of, and be given the older render.
    pub fn land(&mut self, key: &K, tags: &[Tag], versions: &Versions) -> Landing<W> {
        let applied = versions.applied();
        let Some(flight) = self.flights.get_mut(key) else {
            return Landing { served: Vec::new(), again: None };
        };
        let birth = flight.birth;
        let is_dead = versions.freshness(birth, tags) == Freshness::Dead;
        let mutants = self.mutants;
        let may_use = |arrived: Arrived| {
            let knows = arrived.leased || mutants.has(Mutant::FencedJoins);
            let is_as_new = arrived.applied <= birth || !is_dead || mutants.has(Mutant::JoinUnchecked);
            knows && is_as_new
        };
        let (served, mut later): (Vec<_>, Vec<_>) = mem::take(&mut flight.waiting)
            .into_iter()
            .partition(|waiting| waiting.joined.is_none_or(may_use));
        let kept_parts = later.iter().filter_map(|waiting| waiting.joined).all(|arrived| arrived.leased);
        let again = (!later.is_empty()).then_some(Takeoff { birth: applied, kept_parts });
        match again {
            Some(next) => {
                for waiting in &mut later {
                    waiting.joined = None;
                }
                *flight = Flight { birth: next.birth, waiting: later };
            }
            None => {
                self.flights.remove(key);
            }
        }
        Landing { served: served.into_iter().map(|waiting| waiting.request).collect(), again }
    }

    /// The running render of `key` turned out to be for one request only, could not begin, or was lost: everybody who
    /// waits.
    pub fn disband(&mut self, key: &K) -> Vec<W> {
        let flight = self.flights.remove(key);
        flight.into_iter().flat_map(|flight| flight.waiting).map(|waiting| waiting.request).collect()
    }
}

#[cfg(all(test, not(callboard_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(position: u64) -> LogPosition {
        LogPosition::from_u64(position)
    }

    fn leased(applied: u64) -> Arrived {
        Arrived { applied: at(applied), leased: true }
    }

    fn fenced(applied: u64) -> Arrived {
        Arrived { applied: at(applied), leased: false }
    }

    /// For those who arrived with a lease.
    fn from(birth: u64) -> Takeoff {
        Takeoff { birth: at(birth), kept_parts: true }
    }

    /// For those of whom one arrived without.
    fn without_parts(birth: u64) -> Takeoff {
        Takeoff { birth: at(birth), kept_parts: false }
    }

    fn no_versions() -> Versions {
        Versions::new(1 << 8, Mutants::NONE)
    }

    /// Versions at a position, with the tag `mine` revalidated last at another.
    fn versions(mine: u64, applied: u64) -> Versions {
        let versions = no_versions();
        versions.raise_hard(Tag::named("mine"), at(mine));
        versions.set_applied(at(applied));
        versions
    }

    fn mine() -> [Tag; 1] {
        [Tag::named("mine")]
    }

    #[test]
    fn ten_thousand_requests_share_one_render() {
        let mut table = FlightTable::default();
        assert_eq!(table.arrive(&"k", leased(0), at(0), 0), Arrival::Render(from(0)));
        for request in 1..10_000 {
            assert_eq!(table.arrive(&"k", leased(0), at(0), request), Arrival::Wait);
        }
        let landing = table.land(&"k", &mine(), &versions(0, 0));
        assert_eq!((landing.served.len(), landing.again), (10_000, None));
    }

    #[test]
    fn who_arrived_after_a_revalidation_waits_for_the_next_render() {
        let mut table = FlightTable::default();
        table.arrive(&"k", leased(1), at(1), "early");
        table.arrive(&"k", leased(2), at(2), "late");
        let versions = versions(2, 3);
        let landing = table.land(&"k", &mine(), &versions);
        assert_eq!(landing, Landing { served: vec!["early"], again: Some(from(3)) });
        let landing = table.land(&"k", &mine(), &versions);
        assert_eq!(landing, Landing { served: vec!["late"], again: None });
    }

    #[test]
    fn a_revalidation_of_other_tags_makes_nobody_wait() {
        let mut table = FlightTable::default();
        table.arrive(&"k", leased(1), at(1), "early");
        table.arrive(&"k", leased(2), at(2), "late");
        assert_eq!(table.land(&"k", &mine(), &versions(0, 2)).served, ["early", "late"]);
    }

    #[test]
    fn who_has_no_lease_uses_no_render_that_was_running() {
        let mut table = FlightTable::default();
        assert_eq!(table.arrive(&"k", fenced(1), at(1), "first"), Arrival::Render(without_parts(1)));
        table.arrive(&"k", fenced(1), at(1), "second");
        table.arrive(&"k", fenced(1), at(1), "third");
        let versions = versions(0, 1);
        assert_eq!(
            table.land(&"k", &mine(), &versions),
            Landing { served: vec!["first"], again: Some(without_parts(1)) }
        );
        table.arrive(&"k", leased(1), at(1), "fourth");
        assert_eq!(table.land(&"k", &mine(), &versions).served, ["second", "third", "fourth"]);
    }

    #[test]
    fn a_floor_that_passed_the_birth_is_a_revalidation_of_everything() {
        let mut table = FlightTable::default();
        table.arrive(&"k", leased(1), at(1), "early");
        let versions = no_versions();
        versions.raise_floor(at(4));
        versions.set_applied(at(4));
        table.arrive(&"k", leased(4), at(4), "late");
        assert_eq!(table.land(&"k", &[], &versions), Landing { served: vec!["early"], again: Some(from(4)) });
    }

    #[test]
    fn a_render_for_one_without_a_lease_is_made_of_nothing_that_is_kept_whoever_waits_with_him() {
        let mut table = FlightTable::default();
        table.arrive(&"k", leased(1), at(1), "early");
        table.arrive(&"k", leased(2), at(2), "late");
        table.arrive(&"k", fenced(2), at(2), "ahead");
        let landing = table.land(&"k", &mine(), &versions(2, 2));
        assert_eq!(landing, Landing { served: vec!["early"], again: Some(without_parts(2)) });
    }

    #[test]
    fn a_render_that_has_not_begun_is_over_once_nobody_waits_for_it() {
        let mut table = FlightTable::default();
        table.arrive(&"k", leased(1), at(1), "gone");
        table.arrive(&"k", leased(1), at(1), "here");
        assert!(!table.abandon(&"k", |request| *request == "gone"));
        assert_eq!(table.arrive(&"k", leased(1), at(1), "another"), Arrival::Wait);
        assert!(table.abandon(&"k", |_| true));
        assert_eq!(table.arrive(&"k", leased(2), at(2), "next"), Arrival::Render(from(2)));
    }

    #[test]
    fn who_arrived_after_a_soft_mark_may_use_what_is_stale() {
        let mut table = FlightTable::default();
        table.arrive(&"k", leased(1), at(1), "early");
        let versions = no_versions();
        versions.raise_soft(Tag::named("mine"), at(2));
        versions.set_applied(at(2));
        table.arrive(&"k", leased(2), at(2), "late");
        assert_eq!(table.land(&"k", &mine(), &versions).served, ["early", "late"]);
    }

    /// One request of the history below.
    #[derive(Clone, Copy, Debug)]
    struct Request {
        /// What was committed when it arrived: what it has to see.
        must_see: u64,
        leased: bool,
        /// How many renders had begun.
        begun: u64,
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Arrive,
        /// A commit of my data, which is applied later or never.
        CommitMine,
        ApplyAll,
        ApplyOthers,
        Flush,
        LoseLease,
        GetLease,
        Land,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Arrive),
            2 => Just(Step::CommitMine),
            2 => Just(Step::ApplyAll),
            1 => Just(Step::ApplyOthers),
            1 => Just(Step::Flush),
            1 => Just(Step::LoseLease),
            1 => Just(Step::GetLease),
            3 => Just(Step::Land),
        ]
    }

    /// What happened so far. A commit is answered for once it is applied or there is no lease, as the log promises.
    struct History {
        table: FlightTable<(), Request>,
        versions: Versions,
        applied: u64,
        committed: u64,
        pending: bool,
        leased: bool,
        begun: u64,
        /// What the render that runs has read.
        running: Option<u64>,
        open: usize,
    }

    impl History {
        fn new() -> Self {
            Self {
                table: FlightTable::default(),
                versions: no_versions(),
                applied: 0,
                committed: 0,
                pending: false,
                leased: true,
                begun: 0,
                running: None,
                open: 0,
            }
        }

        fn begin(&mut self) {
            self.begun += 1;
            self.running = Some(self.committed);
        }

        /// What was committed and is promised to be seen: with a lease, what is applied.
        fn promised(&self) -> u64 {
            if self.leased && self.pending { self.committed - 1 } else { self.committed }
        }

        fn apply(&mut self, with: impl FnOnce(&Versions, LogPosition)) {
            self.applied += 1;
            with(&self.versions, at(self.applied));
            self.versions.set_applied(at(self.applied));
        }

        fn arrive(&mut self) {
            let arrived = Arrived { applied: at(self.applied), leased: self.leased };
            let request = Request { must_see: self.promised(), leased: self.leased, begun: self.begun };
            match self.table.arrive(&(), arrived, at(self.applied), request) {
                Arrival::Render(takeoff) => {
                    let expected = Takeoff { birth: at(self.applied), kept_parts: self.leased };
                    assert_eq!((takeoff, self.running), (expected, None));
                    self.begin();
                }
                Arrival::Wait => assert!(self.running.is_some(), "somebody waits for nothing"),
            }
            self.open += 1;
        }

        fn land(&mut self) {
            let Some(saw) = self.running.take() else { return };
            let landing = self.table.land(&(), &mine(), &self.versions);
            for request in &landing.served {
                assert!(saw >= request.must_see, "{request:?} was given a render that saw {saw}");
                assert!(request.leased || self.begun > request.begun, "{request:?} joined a running render");
            }
            self.open -= landing.served.len();
            if landing.again.is_some() {
                self.begin();
            }
        }

        fn take(&mut self, step: Step) {
            match step {
                Step::Arrive => self.arrive(),
                Step::CommitMine if !self.pending => {
                    self.committed += 1;
                    self.pending = true;
                }
                Step::ApplyAll if self.pending => {
                    self.apply(|versions, position| versions.raise_hard(mine()[0], position));
                    self.pending = false;
                }
                Step::ApplyOthers => {
                    self.apply(|versions, at| versions.raise_hard(Tag::named("another's"), at))
                }
                Step::Flush => {
                    self.apply(Versions::raise_floor);
                    self.pending = false;
                }
                Step::LoseLease => self.leased = false,
                // With a lease comes everything that was answered for.
                Step::GetLease if !self.pending => self.leased = true,
                Step::Land => self.land(),
                Step::CommitMine | Step::ApplyAll | Step::GetLease => {}
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Goal: nobody is given a render that saw less than was promised when they arrived, and nobody waits for ever.
        /// Method: random arrivals with and without a lease, commits, what is applied of them, and landings, held against
        /// what each render read.
        #[test]
        fn no_request_gets_a_render_older_than_its_arrival(steps in prop::collection::vec(step(), 1..100)) {
            let mut history = History::new();
            for step in steps {
                history.take(step);
            }
            history.land();
            history.land();
            prop_assert_eq!((history.open, history.running), (0, None));
        }
    }
}
