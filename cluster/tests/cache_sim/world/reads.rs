//! Requests for pages: what is kept is served while it is fresh, else it is rendered, once for all who wait.

use callboard_cluster::cache::{Arrived, Freshness, Input, Stamp, Versions, flight_table::Arrival};
use callboard_cluster::mutant::Mutant;
use callboard_protocol::revalidation::LogPosition;
use rand::RngExt as _;

use super::{Kept, MS, NodeEvent, PAGES, Rendering, TAGS, World, tag};
use crate::checker::{Demand, Shown};

/// Longest that a request waits for its token to be applied.
const TOKEN_WAIT: u64 = 2 * MS;

/// A request that was not served at once.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    page: usize,
    began: u64,
    demand: Demand,
    token: Vec<LogPosition>,
    arrived: Arrived,
}

/// Whether everything is applied that a client has seen.
fn has_applied(versions: &Versions, arrived: Arrived, token: &[LogPosition]) -> bool {
    token.iter().all(|position| versions.has_applied(arrived, *position))
}

impl World {
    /// A burst of requests.
    pub(super) fn reads(&mut self) {
        if let Some(node) = self.pick(|world| &world.plan.mix.reading) {
            self.reads_of(node);
        }
    }

    pub(super) fn reads_of(&mut self, node: usize) {
        self.checker.at(self.now);
        for _ in 0..self.random.random_range(1..=self.plan.mix.burst_max) {
            self.read(node);
        }
    }

    fn read(&mut self, node: usize) {
        let page = self.random.random_range(0..PAGES);
        let with_token = self.plan.mix.with_token;
        let client = if self.random.random_bool(with_token) {
            self.checker.count("reads with a token");
            Some(self.random.random_range(0..self.checker.clients.len()))
        } else {
            None
        };
        let token = client.map_or_else(Vec::new, |client| self.checker.clients[client].token.clone());
        let arrived = self.nodes[node].versions.arrive(self.clock(node));
        if !has_applied(&self.nodes[node].versions, arrived, &token) {
            return self.wait_for_token(node, page, arrived, client, token);
        }
        if self.plan.mix.held_up > 0.0 && self.random.random_bool(self.plan.mix.held_up) {
            self.checker.count("held up");
            let reader =
                Reader { page, began: self.now, demand: self.checker.demand(client), token, arrived };
            let after = self.random.random_range(1..3 * MS);
            return self.later(node, after, NodeEvent::HeldUp(Box::new(reader)));
        }
        if let Some(shown) = self.find(node, page, arrived) {
            let now = self.now;
            self.checker.served_now(client, &shown, || format!("a hit on node {node} at {now}"));
            if let Some(client) = client {
                self.checker.learns(client, arrived.applied);
            }
            return;
        }
        let reader = Reader { page, began: self.now, demand: self.checker.demand(client), token, arrived };
        self.join(node, Box::new(reader));
    }

    /// A request that was held up looks now.
    pub(super) fn look_up(&mut self, node: usize, reader: Box<Reader>) {
        match self.find(node, reader.page, reader.arrived) {
            Some(shown) => self.serve(node, &reader, &shown, "a late hit"),
            None => self.join(node, reader),
        }
    }

    /// What is kept, if it may be served.
    fn find(&mut self, node: usize, page: usize, arrived: Arrived) -> Option<Shown> {
        if !arrived.leased {
            self.checker.count("fenced reads");
            return None;
        }
        let state = &mut self.nodes[node];
        let kept = state.kept[page].as_ref()?;
        match kept.stamp.freshness(arrived, &state.versions) {
            Freshness::Fresh => {
                state.hits += 1;
                self.checker.count("hits");
                Some(kept.shown)
            }
            Freshness::Stale => {
                self.checker.count("stale entries");
                let shown = kept.shown;
                self.refresh(node, page, arrived);
                Some(shown)
            }
            Freshness::Dead => {
                self.checker.count("dead entries");
                state.kept[page] = None;
                None
            }
        }
    }

    fn refresh(&mut self, node: usize, page: usize, arrived: Arrived) {
        let state = &mut self.nodes[node];
        let birth = state.versions.applied();
        if let Arrival::Render(takeoff) = state.flights.arrive(&page, arrived, birth, None) {
            self.start(node, page, takeoff.birth);
        }
    }

    fn join(&mut self, node: usize, reader: Box<Reader>) {
        let state = &mut self.nodes[node];
        let (page, birth) = (reader.page, state.versions.applied());
        match state.flights.arrive(&page, reader.arrived, birth, Some(reader)) {
            Arrival::Render(takeoff) => self.start(node, page, takeoff.birth),
            Arrival::Wait => self.checker.count("joins"),
        }
    }

    fn start(&mut self, node: usize, page: usize, birth: LogPosition) {
        self.checker.count("renders");
        self.nodes[node].renders[page] = Rendering { birth, shown: Shown::default() };
        let after = self.render_time();
        self.later(node, after, NodeEvent::Renders { page, step: 0 });
    }

    fn render_time(&mut self) -> u64 {
        let range = self.plan.mix.renders_us.clone();
        self.random.random_range(range) / 3 + 1
    }

    /// A render reads the data of its first tag, then that of its second, and then it ends.
    pub(super) fn renders(&mut self, node: usize, page: usize, step: u8) {
        let shown = &mut self.nodes[node].renders[page].shown;
        match step {
            0 => shown[0] = (page as u8, self.data[page]),
            1 => {
                // Which tag that is, the data of the first decides.
                let second = (page + 1 + shown[0].1 as usize % 3) % TAGS;
                shown[1] = (second as u8, self.data[second]);
            }
            _ => return self.land(node, page),
        }
        let after = self.render_time();
        self.later(node, after, NodeEvent::Renders { page, step: step + 1 });
    }

    fn land(&mut self, node: usize, page: usize) {
        let state = &mut self.nodes[node];
        let Rendering { mut birth, shown } = state.renders[page].clone();
        let tags = shown.map(|(number, _)| tag(usize::from(number)));
        if self.mutants.has(Mutant::BirthAtEnd) {
            birth = state.versions.applied();
        }
        if state.kept[page].as_ref().is_none_or(|kept| kept.stamp.birth() <= birth) {
            state.kept[page] = Some(Kept { stamp: Stamp::new(birth, tags), shown });
        }
        let landing = state.flights.land(&page, &tags, &state.versions);
        for reader in landing.served.into_iter().flatten() {
            self.serve(node, &reader, &shown, "a render");
        }
        if let Some(takeoff) = landing.again {
            self.checker.count("next renders");
            self.start(node, page, takeoff.birth);
        }
    }

    fn serve(&mut self, node: usize, reader: &Reader, shown: &Shown, how: &str) {
        let (began, now, arrived) = (reader.began, self.now, reader.arrived);
        self.checker.served(&reader.demand, shown, || {
            format!("{how} on node {node} at {now}, which began at {began} as {arrived:?}")
        });
        if let Some(client) = reader.demand.client {
            self.checker.learns(client, reader.arrived.applied);
        }
    }

    fn wait_for_token(
        &mut self,
        node: usize,
        page: usize,
        arrived: Arrived,
        client: Option<usize>,
        token: Vec<LogPosition>,
    ) {
        self.checker.count("token waits");
        let demand = self.checker.demand(client);
        let last = token.last().copied().unwrap_or_default();
        self.nodes[node].waiting.push(Reader { page, began: self.now, demand, token, arrived });
        self.later(node, TOKEN_WAIT, NodeEvent::GivesUp);
        self.step(node, Input::CatchUp(last));
    }

    /// Whoever waits for what is applied now goes on.
    pub(super) fn wake(&mut self, node: usize) {
        if self.nodes[node].waiting.is_empty() {
            return;
        }
        let now = self.clock(node);
        let state = &mut self.nodes[node];
        let versions = &state.versions;
        let arrived = versions.arrive(now);
        let ready: Vec<_> =
            state.waiting.extract_if(.., |reader| has_applied(versions, arrived, &reader.token)).collect();
        for mut reader in ready {
            reader.arrived = arrived;
            self.look_up(node, Box::new(reader));
        }
    }

    /// Whoever waited for long enough counts as one who arrived without a lease.
    pub(super) fn give_up(&mut self, node: usize) {
        let now = self.now;
        let waiting = &mut self.nodes[node].waiting;
        let late: Vec<_> = waiting.extract_if(.., |reader| now >= reader.began + TOKEN_WAIT).collect();
        for mut reader in late {
            self.checker.count("tokens given up");
            let applied = self.nodes[node].versions.applied();
            reader.arrived = Arrived { applied, leased: false };
            self.join(node, Box::new(reader));
        }
    }
}
