//! What the membership tells of itself.

use std::sync::Arc;

use actix::{Context, Handler, Message, MessageResult};
use callboard_protocol::identity::Boot;

use super::Membership;
use crate::{
    build_id::BuildId,
    clock,
    metrics::{ClusterSeen, MemberSeen, MembershipReport},
};

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
    /// Who owns each slot.
    owners: Arc<[Option<Boot>]>,
    /// Whether this node owned it when there was a view last.
    owned: Vec<bool>,
    slot_moves: u64,
}

impl Counted {
    pub(super) fn turn(&mut self, inputs: usize) {
        self.turns += 1;
        self.inputs += inputs as u64;
        self.depth = self.depth.max(inputs);
    }

    /// There is another session or view.
    pub(super) fn slots(&mut self, owners: Vec<Option<Boot>>, me: Option<Boot>) {
        let owned: Vec<bool> = owners.iter().map(|owner| owner.is_some() && *owner == me).collect();
        self.owned.resize(owned.len(), false);
        self.slot_moves += self.owned.iter().zip(&owned).filter(|(before, now)| before != now).count() as u64;
        (self.owners, self.owned) = (owners.into(), owned);
    }
}

impl Membership {
    fn seen(&self) -> ClusterSeen {
        let now = clock::core_now();
        let view = self.core.view();
        let members = view.into_iter().flat_map(|view| &view.members).map(|(boot, member)| MemberSeen {
            boot: *boot,
            build: BuildId::from_u128(member.profile.build),
            draining: member.draining,
            acked: member.acked,
            busy: member.busy.len(),
            lease_unmoved: self.core.lease_unmoved(*boot, now),
        });
        ClusterSeen {
            me: self.core.boot(),
            open: view.is_some_and(|view| view.open),
            members: members.collect(),
            owners: Arc::clone(&self.counted.owners),
            orphans: view.map_or(0, |view| view.orphans.len()),
        }
    }
}

impl Handler<Report> for Membership {
    type Result = MessageResult<Report>;

    fn handle(&mut self, _: Report, _: &mut Context<Self>) -> Self::Result {
        let waiting = || self.calls.values().filter(|waiting| waiting.call.is_some());
        let seen = Arc::new(self.seen());
        let counted = &mut self.counted;
        MessageResult(MembershipReport {
            counters: self.core.counters().clone(),
            state: Some(self.state),
            view_version: self.core.view().map(|view| view.version),
            seen,
            slots_owned: counted.owned.iter().filter(|owned| **owned).count(),
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
    use callboard_protocol::identity::ProcessId;

    use super::*;

    #[test]
    fn slots_that_come_or_go_have_moved() {
        let [me, other] = [1, 2].map(|id| Boot { process: ProcessId::from_u128(id), session: 1 });
        let mut counted = Counted::default();
        // Of six slots, those in this range are ours.
        let owners = |range: std::ops::Range<usize>| {
            (0..6).map(|slot| Some(if range.contains(&slot) { me } else { other })).collect::<Vec<_>>()
        };
        counted.slots(owners(0..4), Some(me));
        counted.slots(owners(2..5), Some(me));
        assert_eq!(counted.slot_moves, 4 + 3);
        counted.slots(vec![None; 6], None);
        assert_eq!(counted.slot_moves, 4 + 3 + 3);
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
