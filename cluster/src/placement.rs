//! Which member owns a slot: rendezvous hashing, so that a member that comes or goes moves only its own share.

use callboard_protocol::{ActionId, identity::Boot};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{Slot, store::View};

/// The session among `boots` that owns `slot`, or `None` where there is none.
///
/// Every node that knows the same sessions names the same owner, whatever their order. Of one process the latest
/// session counts; a process that comes back with a new session has the slots it had.
pub fn owner_of(slot: Slot, boots: impl IntoIterator<Item = Boot>) -> Option<Boot> {
    boots.into_iter().max_by_key(|boot| (weight(slot, *boot), *boot))
}

fn weight(slot: Slot, boot: Boot) -> u64 {
    xxh3_64_with_seed(&boot.process.as_u128().to_le_bytes(), slot.index() as u64)
}

/// The name by which members say that they have an action whose calls wait for each other.
#[must_use]
pub fn lined_action(action: &ActionId) -> u64 {
    xxh3_64(action.as_bytes())
}

/// The one member that runs the calls of a line: of all that have the action, whatever their builds, so that there
/// is one order even while a new build is rolled out.
#[must_use]
pub fn line_owner(view: &View, slot: Slot, action: &ActionId) -> Option<Boot> {
    let name = lined_action(action);
    let able =
        view.members.iter().filter(|(_, member)| !member.draining && member.profile.lined.contains(&name));
    owner_of(slot, able.map(|(boot, _)| *boot))
}

/// The members that may run calls of a build's actions that wait for no other, the first choice first.
#[must_use]
pub fn candidates(view: &View, slot: Slot, build: u128) -> Vec<Boot> {
    let able = view.members.iter().filter(|(_, member)| !member.draining && member.profile.build == build);
    let mut able: Vec<Boot> = able.map(|(boot, _)| *boot).collect();
    able.sort_by_key(|boot| std::cmp::Reverse((weight(slot, *boot), *boot)));
    able
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use callboard_protocol::identity::ProcessId;

    use super::*;

    fn members(ids: impl IntoIterator<Item = u128>) -> Vec<Boot> {
        ids.into_iter().map(|id| Boot { process: ProcessId::from_u128(id), session: 1 }).collect()
    }

    #[test]
    fn without_members_nobody_owns_a_slot() {
        assert!(Slot::all().all(|slot| owner_of(slot, []).is_none()));
    }

    #[test]
    fn shares_are_even_within_a_third() {
        let members = members(1..=4);
        for member in &members {
            let share =
                Slot::all().filter(|slot| owner_of(*slot, members.iter().copied()) == Some(*member)).count();
            assert!((171..=341).contains(&share), "{share} of 1024 slots");
        }
    }

    proptest! {
        #[test]
        fn a_leaving_member_moves_its_own_slots_only(ids in prop::collection::btree_set(any::<u128>(), 2..8)) {
            let all = members(ids);
            let (gone, rest) = all.split_first().expect("at least two");
            for slot in Slot::all() {
                let before = owner_of(slot, all.iter().copied()).expect("there are members");
                let after = owner_of(slot, rest.iter().copied()).expect("there are members");
                prop_assert!(before == after || before == *gone);
            }
        }

        #[test]
        fn the_order_of_members_does_not_matter(ids in prop::collection::btree_set(any::<u128>(), 1..8)) {
            let forward = members(ids.iter().copied());
            for slot in Slot::all().step_by(37) {
                prop_assert_eq!(
                    owner_of(slot, forward.iter().copied()),
                    owner_of(slot, forward.iter().rev().copied())
                );
            }
        }
    }
}
