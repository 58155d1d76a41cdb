//! Which member owns a slot: rendezvous hashing, so that a member that comes or goes moves only its own share.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::Slot;

/// Names a member for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u128);

/// The member of `members` that owns `slot`, or `None` where there are no members.
///
/// Every node that knows the same members names the same owner, whatever their order.
pub fn owner_of(slot: Slot, members: impl IntoIterator<Item = NodeId>) -> Option<NodeId> {
    members.into_iter().max_by_key(|member| (weight(slot, *member), *member))
}

fn weight(slot: Slot, member: NodeId) -> u64 {
    xxh3_64_with_seed(&member.0.to_le_bytes(), slot.index() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn members(ids: impl IntoIterator<Item = u128>) -> Vec<NodeId> {
        ids.into_iter().map(NodeId).collect()
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
