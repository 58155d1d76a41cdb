//! What the membership tells of itself.

use std::collections::BTreeSet;

use actix::{Context, Handler, Message, MessageResult};
use callboard_cluster::Slot;

use super::Membership;
use crate::metrics::MembershipReport;

/// Tell how the node stands in its cluster.
#[derive(Message)]
#[rtype(result = "MembershipReport")]
pub(crate) struct Report;

/// What is counted beside the core.
#[derive(Debug, Default)]
pub(super) struct Counted {
    inputs: u64,
    turns: u64,
    /// The most inputs at once since it was told last.
    depth: usize,
    owned: BTreeSet<Slot>,
    slot_moves: u64,
}

impl Counted {
    pub(super) fn turn(&mut self, inputs: usize) {
        self.turns += 1;
        self.inputs += inputs as u64;
        self.depth = self.depth.max(inputs);
    }

    /// There is another session or view.
    pub(super) fn slots(&mut self, owned: BTreeSet<Slot>) {
        self.slot_moves += self.owned.symmetric_difference(&owned).count() as u64;
        self.owned = owned;
    }
}

impl Handler<Report> for Membership {
    type Result = MessageResult<Report>;

    fn handle(&mut self, _: Report, _: &mut Context<Self>) -> Self::Result {
        let view = self.core.view();
        let waiting = || self.calls.values().filter(|waiting| waiting.call.is_some());
        let counted = &mut self.counted;
        MessageResult(MembershipReport {
            counters: self.core.counters().clone(),
            state: Some(self.state),
            view_version: view.map(|view| view.version),
            members: view.map_or(0, |view| view.members.len()),
            slots_owned: counted.owned.len(),
            slot_moves: counted.slot_moves,
            hold_until: self.core.hold().map(|(_, until)| until),
            waiting: waiting().count(),
            oldest: waiting().map(|waiting| waiting.since).min(),
            inputs: counted.inputs,
            turns: counted.turns,
            depth: std::mem::take(&mut counted.depth),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_that_come_or_go_have_moved() {
        let mut counted = Counted::default();
        let slots = |range: std::ops::Range<u16>| range.map(Slot::from_index).collect::<BTreeSet<_>>();
        counted.slots(slots(0..4));
        counted.slots(slots(2..5));
        assert_eq!(counted.slot_moves, 4 + 3);
    }

    #[test]
    fn the_most_at_once_is_told() {
        let mut counted = Counted::default();
        for inputs in [1, 5, 2] {
            counted.turn(inputs);
        }
        assert_eq!((counted.inputs, counted.turns, counted.depth), (8, 3, 5));
    }
}
