//! Promises: which part each waits for, and which other promise it follows.

use std::cmp::Reverse;

use super::{
    ReplyError, ReplyErrorKind,
    decoder::{Decoder, Failure, Task},
    index::EntryId,
};
use crate::value::{Node, NodeId, Pending, Promise, Slot};

/// The promise of a part's value; one part has one promise.
///
/// A promise of a promise is one promise in the end. Which one decides is found as in union-find, so that a chain of
/// n costs about n in whatever order its parts arrive; that order alone would make it the square.
#[derive(Debug)]
pub(super) struct Promised {
    pub(super) node: NodeId,
    pub(super) entry: EntryId,
    /// Whether its part has its turn or had it.
    pub(super) is_queued: bool,
    /// Whether its part was decoded, or failed to be.
    pub(super) is_decoded: bool,
    /// A promise further down the chain of those that this one follows.
    leader: Option<u32>,
    /// The last promise that began to follow this one, and the one before it.
    pub(super) first_follower: Option<u32>,
    pub(super) next_follower: Option<u32>,
    /// How it was settled; never to another promise.
    pub(super) outcome: Option<Result<Slot, Failure>>,
    /// What those hold to whom it was handed out unsettled.
    pub(super) cell: Option<Pending>,
}

impl Promised {
    fn new(node: NodeId, entry: EntryId, is_queued: bool) -> Self {
        Self {
            node,
            entry,
            is_queued,
            is_decoded: false,
            leader: None,
            first_follower: None,
            next_follower: None,
            outcome: None,
            cell: None,
        }
    }

    /// As a value, if it is settled.
    pub(super) fn settled(&self) -> Option<Promise> {
        Some(match self.outcome.as_ref()? {
            Ok(slot) => Promise::Fulfilled(slot.clone()),
            Err(_) => Promise::Rejected { digest: None },
        })
    }
}

impl Decoder {
    /// The promise of a part's value.
    pub(super) fn promise(&mut self, entry: EntryId) -> Result<NodeId, ReplyErrorKind> {
        if let Some(promise) = self.index.entry(entry).promise {
            return Ok(self.promises[promise as usize].node);
        }
        let node = self.add(Node::Promise(Promise::Rejected { digest: None }))?;
        let number = u32::try_from(self.promises.len()).expect("objects are limited far below 2^32");
        let part = self.index.entry_mut(entry);
        part.promise = Some(number);
        let is_queued = part.has_model();
        if is_queued {
            self.queue.push(Reverse((part.arrival, Task::Promise(number))));
        }
        self.promises.push(Promised::new(node, entry, is_queued));
        Ok(node)
    }

    /// The number of a promise.
    pub(super) fn promise_number(&self, slot: &Slot) -> Option<u32> {
        let Slot::Node(node) = slot else { return None };
        let at = self.promises.binary_search_by_key(node, |promise| promise.node).ok()?;
        u32::try_from(at).ok()
    }

    /// The part of a promise was decoded, or failed to be.
    pub(super) fn decoded(&mut self, promise: u32) {
        self.promises[promise as usize].is_decoded = true;
        match self.settled(self.promises[promise as usize].entry) {
            Err(failure) => self.batch.failed.push((promise, failure)),
            Ok(slot) => {
                self.batch.decoded.push(promise);
                if let Some(next) = self.promise_number(&slot) {
                    self.follow(promise, next);
                }
            }
        }
    }

    /// Whether a promise has a value, or has failed, or is going to as soon as the batch is committed.
    pub(super) fn is_ready(&mut self, promise: u32) -> bool {
        let leader = self.leader(promise);
        self.promises[leader as usize].is_decoded
    }

    /// One promise resolved to another.
    fn follow(&mut self, promise: u32, next: u32) {
        if self.promises[next as usize].outcome.is_some() {
            return;
        }
        let leader = self.leader(next);
        if leader == promise {
            let error = ReplyError::from(ReplyErrorKind::PromiseCycle);
            self.batch.failed.push((promise, error.into()));
            return;
        }
        self.promises[promise as usize].leader = Some(leader);
        self.promises[promise as usize].next_follower =
            self.promises[next as usize].first_follower.replace(promise);
    }

    /// The end of the chain that a promise is on, which has no leader. Shortens the chain on the way.
    fn leader(&mut self, mut promise: u32) -> u32 {
        while let Some(next) = self.promises[promise as usize].leader {
            self.budget.work(1);
            let Some(after) = self.promises[next as usize].leader else { return next };
            self.promises[promise as usize].leader = Some(after);
            promise = after;
        }
        promise
    }
}
