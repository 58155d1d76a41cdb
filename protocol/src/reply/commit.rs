//! Making a batch visible: what failed, what promises resolve to, then everything at once.

use std::collections::HashMap;

use super::{
    ReplyError,
    decoder::{Decoder, Failure, incomplete},
    index::{ROOT, State},
    limits,
    streams::Arrived,
};
use crate::value::{Node, NodeId, Pending, Promise, Slot};

/// What was decoded and is not visible yet.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) first_unit: usize,
    first_promise: usize,
    first_stream: usize,
    /// Promises whose parts were decoded.
    pub(super) decoded: Vec<u32>,
    /// Promises that failed.
    pub(super) failed: Vec<(u32, Failure)>,
    /// Server references with bound arguments.
    pub(super) bound: Vec<Bound>,
    /// How many of those, from the first on, are known to have their arguments.
    bound_ready: usize,
    /// Rows of streams, in order.
    pub(super) arrived: Vec<Arrived>,
    /// Promises of earlier batches that are settled by this one.
    settled: Vec<u32>,
}

/// A server reference whose bound arguments are in a promise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// The reference that gets them; `None` where it has them, or gets them elsewhere.
    pub(super) node: Option<NodeId>,
    pub(super) promise: u32,
    /// The unit that holds it.
    pub(super) unit: u32,
}

/// Something that fails.
enum Failing {
    Promise(u32),
    Unit(u32),
}

impl Decoder {
    /// Makes what was decoded visible, unless bound arguments are still to come. At the end of the body they are not.
    pub(super) fn commit(&mut self, is_last: bool) -> Result<(), ReplyError> {
        if is_last {
            self.end_the_rest();
        } else if self.units.is_empty() || !self.has_bound_arguments() {
            return Ok(());
        }
        self.spread_failures();
        self.fulfill();
        self.bind()?;
        if let Some(failure) = self.units.first().and_then(|root| root.failed.as_ref()) {
            return Err((**failure).clone());
        }
        self.budget.spend(0, &self.limits)?;
        self.fill_promises();
        if self.flow.is_none() {
            self.deliver();
            self.fill_streams();
        }
        self.publish()?;
        self.notify();
        Ok(())
    }

    /// Whether the promises of all bound arguments are decoded. Each is asked about until it is, and once after that.
    fn has_bound_arguments(&mut self) -> bool {
        while let Some(bound) = self.batch.bound.get(self.batch.bound_ready) {
            if !self.is_ready(bound.promise) {
                return false;
            }
            self.batch.bound_ready += 1;
        }
        true
    }

    /// Fails the promises whose parts never came.
    fn end_the_rest(&mut self) {
        self.budget.work(self.promises.len());
        let mut undecoded = (0..).zip(&self.promises).filter(|(_, promise)| !promise.is_decoded).peekable();
        if undecoded.peek().is_some() {
            let failure = Failure::new(incomplete("a promise"));
            self.batch.failed.extend(undecoded.map(|(number, _)| (number, Failure::clone(&failure))));
        }
    }

    /// Fails what depends on what failed: the followers of a promise, the units that hold a server reference whose
    /// bound arguments it is, the units that refer to parts of a unit, the promises whose parts belong to it.
    fn spread_failures(&mut self) {
        let mut failing: Vec<_> = std::mem::take(&mut self.batch.failed)
            .into_iter()
            .map(|(promise, failure)| (Failing::Promise(promise), failure))
            .collect();
        for bound in &self.batch.bound {
            if let Some(Err(failure)) = &self.promises[bound.promise as usize].outcome {
                failing.push((Failing::Unit(bound.unit), Failure::clone(failure)));
            }
        }
        if failing.is_empty() {
            return;
        }
        let mut waiting: HashMap<u32, Vec<u32>> = HashMap::new();
        for bound in &self.batch.bound {
            waiting.entry(bound.promise).or_default().push(bound.unit);
        }
        let mut by_unit: HashMap<u32, Vec<u32>> = HashMap::new();
        for &promise in &self.batch.decoded {
            let unit = self.index.entry(self.promises[promise as usize].entry).unit;
            by_unit.entry(unit).or_default().push(promise);
        }
        self.budget.work(self.batch.bound.len() + self.batch.decoded.len());
        while let Some((next, failure)) = failing.pop() {
            self.budget.work(1);
            let both = |failing: Failing| (failing, Failure::clone(&failure));
            match next {
                Failing::Promise(promise) => {
                    if self.settle_one(promise, &Err(Failure::clone(&failure))) {
                        let units = waiting.remove(&promise).unwrap_or_default();
                        failing.extend(units.into_iter().map(Failing::Unit).map(both));
                        let followers = self.followers(promise);
                        failing.extend(followers.into_iter().map(Failing::Promise).map(both));
                    }
                }
                Failing::Unit(number) => {
                    let unit = &mut self.units[number as usize];
                    unit.failed.get_or_insert_with(|| Failure::clone(&failure));
                    let units = std::mem::take(&mut unit.dependents);
                    failing.extend(units.into_iter().map(Failing::Unit).map(both));
                    let promises = by_unit.remove(&number).unwrap_or_default();
                    failing.extend(promises.into_iter().map(Failing::Promise).map(both));
                }
            }
        }
    }

    /// Settles the promises that are decoded and did not fail, with all that follow them.
    fn fulfill(&mut self) {
        for promise in std::mem::take(&mut self.batch.decoded) {
            let Ok(slot) = self.settled(self.promises[promise as usize].entry) else { continue };
            let outcome = match self.promise_number(&slot) {
                None => Some(Ok(slot)),
                Some(next) => self.promises[next as usize].outcome.clone(),
            };
            let Some(outcome) = outcome else { continue };
            let mut settling = Vec::new();
            let mut next = Some(promise);
            while let Some(promise) = next {
                if self.settle_one(promise, &outcome) {
                    settling.extend(self.followers(promise));
                }
                next = settling.pop();
            }
        }
    }

    /// Settles a promise alone; says whether it was not before.
    fn settle_one(&mut self, number: u32, outcome: &Result<Slot, Failure>) -> bool {
        self.budget.work(1);
        let promise = &mut self.promises[number as usize];
        if promise.outcome.is_some() {
            return false;
        }
        promise.outcome = Some(outcome.clone());
        if promise.cell.is_some() {
            self.batch.settled.push(number);
        }
        true
    }

    fn followers(&mut self, promise: u32) -> Vec<u32> {
        let mut followers = Vec::new();
        let mut next = self.promises[promise as usize].first_follower.take();
        while let Some(follower) = next {
            followers.push(follower);
            next = self.promises[follower as usize].next_follower.take();
        }
        followers
    }

    /// Gives server references their bound arguments.
    fn bind(&mut self) -> Result<(), ReplyError> {
        self.batch.bound_ready = 0;
        for bound in std::mem::take(&mut self.batch.bound) {
            let (Some(reference), Some(Ok(Slot::Node(node)))) =
                (bound.node, &self.promises[bound.promise as usize].outcome)
            else {
                continue;
            };
            let Node::Array(items) = self.builder.node(*node) else { continue };
            let max = self.limits.bound_arguments_max;
            limits::check("bound_arguments_max", items.len(), max)?;
            self.budget.references(items.len(), &self.limits)?;
            let arguments = items.clone();
            if let Node::ServerReference { bound, .. } = self.builder.node_mut(reference) {
                *bound = Some(arguments);
            }
        }
        Ok(())
    }

    /// Fills in the promises of this batch: settled ones as they are, others as what will be settled.
    fn fill_promises(&mut self) {
        for promise in &mut self.promises[self.batch.first_promise..] {
            self.budget.work(1);
            let state = match (promise.settled(), &self.flow) {
                (Some(settled), _) => settled,
                (None, Some(flow)) => {
                    let cell = Pending::new(flow);
                    promise.cell = Some(cell.clone());
                    self.open += 1;
                    Promise::Pending(cell)
                }
                (None, None) => Promise::Rejected { digest: None },
            };
            *self.builder.node_mut(promise.node) = Node::Promise(state);
        }
        self.batch.first_promise = self.promises.len();
    }

    /// Publishes the graph, and the root as soon as it is there: a promise as the root is awaited.
    fn publish(&mut self) -> Result<(), ReplyError> {
        self.batch.first_unit = self.units.len();
        if self.root.is_none() && matches!(self.index.entry(ROOT).state, State::Parsed(_)) {
            let owned = |failure: Failure| (*failure).clone();
            let slot = self.settled(ROOT).map_err(owned)?;
            let root = match self.promise_number(&slot) {
                None => Some(slot),
                Some(promise) => {
                    self.promises[promise as usize].outcome.clone().transpose().map_err(owned)?
                }
            };
            self.root = root.map(|slot| self.builder.publish_at(slot));
        }
        self.builder.publish();
        Ok(())
    }

    /// Settles what earlier batches handed out, and hands on the rows of streams.
    fn notify(&mut self) {
        for number in std::mem::take(&mut self.batch.settled) {
            let promise = &mut self.promises[number as usize];
            if let (Some(cell), Some(settled)) = (promise.cell.take(), promise.settled()) {
                cell.settle(settled);
                self.open -= 1;
            }
        }
        if self.flow.is_some() {
            self.deliver();
        }
        for stream in self.batch.first_stream..self.streams.len() {
            if self.units[self.streams[stream].unit as usize].failed.is_some() {
                self.break_off(stream);
            }
        }
        self.batch.first_stream = self.streams.len();
    }

    /// Rejects and breaks off everything that was handed out. Nobody waits for what cannot come.
    pub(super) fn abandon(&mut self) {
        for promise in &mut self.promises {
            if let Some(cell) = promise.cell.take() {
                cell.settle(Promise::Rejected { digest: None });
            }
        }
        for stream in 0..self.streams.len() {
            self.break_off(stream);
        }
        self.open = 0;
    }
}
