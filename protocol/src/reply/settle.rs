//! Settling promises, after everything was decoded: which failed, which resolve to what.

use std::collections::HashMap;

use super::{
    ReplyError, ReplyErrorKind,
    decoder::Decoder,
    index::{EntryId, ROOT, State},
    limits,
};
use crate::value::{Node, Promise, Slot};

/// What fails together with a promise.
#[derive(Clone, Copy)]
enum Dependent {
    /// A promise that resolves to it.
    Promise(EntryId),
    /// A unit with a server reference whose bound arguments it is.
    Unit(u32),
}

impl Decoder<'_> {
    /// Settles all promises and fills in bound arguments.
    pub(super) fn settle(&mut self) -> Result<(), ReplyError> {
        let ends = self.follow_promises();
        self.spread_failures();
        for (at, end) in ends.into_iter().enumerate() {
            let (node, entry) = self.promises[at];
            let promise = match self.settled(entry) {
                Ok(_) => Promise::Fulfilled(end),
                Err(_) => Promise::Rejected { digest: None },
            };
            *self.builder.node_mut(node) = Node::Promise(promise);
        }
        self.bind().map_err(ReplyError::from)
    }

    /// The value of the root after all promises are settled: a promise there is awaited.
    pub(super) fn settled_root(&self, root: Slot) -> Result<Slot, ReplyError> {
        self.settled(ROOT)?;
        match self.promised(&root) {
            None => Ok(root),
            Some(entry) => {
                self.settled(entry)?;
                Ok(self.fulfilled(&root))
            }
        }
    }

    /// What a settled promise resolved to.
    fn fulfilled(&self, promise: &Slot) -> Slot {
        let Slot::Node(node) = promise else { return Slot::Undefined };
        match self.builder.node(*node) {
            Node::Promise(Promise::Fulfilled(slot)) => slot.clone(),
            _ => Slot::Undefined,
        }
    }

    /// What each promise resolves to in the end, as a promise of a promise is one promise; those that resolve to
    /// themselves fail. Each promise is visited once.
    fn follow_promises(&mut self) -> Vec<Slot> {
        let count = self.promises.len();
        let mut ends: Vec<Option<Slot>> = vec![None; count];
        let mut visited = vec![false; count];
        for first in 0..count {
            let (mut chain, mut at) = (Vec::new(), first);
            let end = loop {
                self.budget.work(1);
                if let Some(end) = &ends[at] {
                    break end.clone();
                }
                if std::mem::replace(&mut visited[at], true) {
                    // On this very chain, as all others have ends.
                    let error = ReplyError::from(ReplyErrorKind::PromiseCycle);
                    self.index.entry_mut(self.promises[at].1).state = State::Failed(error);
                    break Slot::Undefined;
                }
                chain.push(at);
                match self.settled(self.promises[at].1) {
                    Err(_) => break Slot::Undefined,
                    Ok(slot) => match self.promise_number(&slot) {
                        Some(next) => at = next,
                        None => break slot,
                    },
                }
            };
            for at in chain {
                ends[at] = Some(end.clone());
            }
        }
        ends.into_iter().map(|end| end.unwrap_or(Slot::Undefined)).collect()
    }

    fn promise_number(&self, slot: &Slot) -> Option<usize> {
        let Slot::Node(node) = slot else { return None };
        self.promises.binary_search_by_key(node, |(node, _)| *node).ok()
    }

    /// Fails what depends on promises that failed.
    fn spread_failures(&mut self) {
        let mut dependents: HashMap<EntryId, Vec<Dependent>> = HashMap::new();
        let mut failed = Vec::new();
        for &(_, entry) in &self.promises {
            match self.settled(entry) {
                Ok(slot) => {
                    if let Some(inner) = self.promised(&slot) {
                        dependents.entry(inner).or_default().push(Dependent::Promise(entry));
                    }
                }
                Err(error) => failed.push((entry, error)),
            }
        }
        if failed.is_empty() {
            return;
        }
        for bound in &self.bound {
            dependents.entry(bound.promise).or_default().push(Dependent::Unit(bound.unit));
        }
        while let Some((entry, error)) = failed.pop() {
            for dependent in dependents.remove(&entry).unwrap_or_default() {
                let parts = match dependent {
                    Dependent::Promise(entry) => vec![entry],
                    Dependent::Unit(unit) => std::mem::take(&mut self.units[unit as usize]),
                };
                self.budget.work(parts.len());
                for part in parts {
                    self.index.entry_mut(part).state = State::Failed(error.clone());
                    failed.push((part, error.clone()));
                }
            }
        }
    }

    /// Gives server references their bound arguments.
    fn bind(&mut self) -> Result<(), ReplyErrorKind> {
        for at in 0..self.bound.len() {
            let bound = self.bound[at];
            let Some(promise) = self.index.entry(bound.promise).promise else { continue };
            let arguments = match self.fulfilled(&Slot::Node(promise)) {
                Slot::Node(node) => match self.builder.node(node) {
                    Node::Array(items) => items.clone(),
                    _ => Vec::new(),
                },
                _ => Vec::new(),
            };
            limits::check("bound_arguments_max", arguments.len(), self.limits.bound_arguments_max)?;
            self.budget.references(arguments.len(), self.limits)?;
            if let Node::ServerReference { bound, .. } = self.builder.node_mut(bound.node) {
                *bound = Some(arguments);
            }
        }
        Ok(())
    }
}
