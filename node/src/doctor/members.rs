//! Whether the members of a cluster agree.

use std::collections::{BTreeMap, BTreeSet};

use callboard_cluster::store::Member;
use callboard_protocol::KeyRing;

use super::{Check, Subject, configured_ring, counted};
use crate::build_id::BuildId;

/// Whether what one node signs is genuine at the others. `own` is the ring that this program would have, if it has one.
pub(super) fn keys(own: Option<&KeyRing>, configured: bool, build: BuildId, members: &[Member]) -> Check {
    let (conflicts, strangers) = compared(own, configured, build, members);
    if !conflicts.is_empty() {
        let ids = conflicts.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        let advice = if configured {
            "give all nodes the same CALLBOARD_KEYS; a new key needs an id that was never used"
        } else {
            "redis lost the keys and they were made anew: restart the nodes that have run for longest, and see \
             persistence"
        };
        return Check::problem(Subject::Keys, format!("there are different keys with the id {ids}"), advice);
    }
    let Some(own) = own else {
        return Check::ok(Subject::Keys, "this build has none yet: one is made when its first node starts");
    };
    let found = if configured {
        configured_ring(own)
    } else {
        format!(
            "key {} of this build signs, {} known",
            own.signing_key_id(),
            counted(own.fingerprints().count(), "key")
        )
    };
    let without = format!("{found}; it is not known to {}", counted(strangers.all, "member"));
    if strangers.must_know > 0 {
        let advice = if configured {
            "add the key to the rings of all nodes before it stands first in one: they answer 400 to what it signed"
        } else {
            "restart the nodes of this build that do not know it: they answer 400 to what it signed"
        };
        return Check::problem(Subject::Keys, without, advice);
    }
    if strangers.all > 0 {
        let advice =
            "finish the roll-out: nodes of builds that started before this one answer 400 to what it signed";
        return Check::warning(Subject::Keys, without, advice);
    }
    Check::ok(Subject::Keys, found)
}

/// Members that do not know the key that signs.
#[derive(Default)]
struct Strangers {
    all: usize,
    /// Those that are to know it: all with a configured ring, and the nodes of this build.
    must_know: usize,
}

/// The ids under which there are several keys, and the members that do not know the one that signs here.
fn compared(
    own: Option<&KeyRing>,
    configured: bool,
    build: BuildId,
    members: &[Member],
) -> (BTreeSet<u8>, Strangers) {
    let own_keys: BTreeMap<u8, u64> =
        own.into_iter().flat_map(KeyRing::fingerprints).map(|(id, key)| (id.get(), key.as_u64())).collect();
    let mut seen = own_keys.clone();
    let mut conflicts = BTreeSet::new();
    for (id, key) in members.iter().flat_map(|member| &member.profile.keys) {
        if *seen.entry(*id).or_insert(*key) != *key {
            conflicts.insert(*id);
        }
    }
    let mut strangers = Strangers::default();
    if let Some(own) = own {
        let signing = own.signing_key_id().get();
        for member in members.iter().filter(|member| !member.profile.keys.contains_key(&signing)) {
            strangers.all += 1;
            strangers.must_know += usize::from(configured || is(build, member.profile.build));
        }
    }
    (conflicts, strangers)
}

/// How many members run which build.
pub(super) fn builds(build: BuildId, members: &[Member]) -> Check {
    let mut counts: BTreeMap<u128, usize> = BTreeMap::new();
    for member in members {
        *counts.entry(member.profile.build).or_default() += 1;
    }
    let list = |(build, count): (&u128, &usize)| format!("{} of {build:032x}", counted(*count, "member"));
    let list = counts.iter().map(list).collect::<Vec<_>>().join(", ");
    let own = counts.keys().any(|one| is(build, *one));
    match counts.len() {
        0 => Check::ok(Subject::Builds, "no node is a member"),
        1 if own => Check::ok(Subject::Builds, list),
        1 => Check::ok(Subject::Builds, format!("{list}; this program is another")),
        _ => Check::warning(
            Subject::Builds,
            list,
            "fine while a roll-out is going on; afterwards, look for nodes that it forgot",
        ),
    }
}

/// Whether a member's build is this one.
fn is(build: BuildId, member: u128) -> bool {
    member == build.as_u128()
}
