//! Compares what pages showed with what was written before, and says which promise was broken.
//!
//! The promises are those of docs/CONSISTENCY.md, under the names that they have there. It is exact: something is a
//! violation only if no order of what happened explains it, and every read is looked at. For n reads and writes it takes
//! n × log n steps: each tag's counter only rises, so that what a read has to show at least is one number.

use std::collections::HashMap;

use super::{
    super::trial::Broken,
    history::{Lapse, Origin, Read, Wait, Write},
};

/// No node serves what is older than an action that was answered before.
pub(crate) const STRICT: &str = "strict";
/// What a dead node's action declared is stale after a while.
const DECLARED: &str = "declared";
/// Whoever has a token sees its own writes.
const SESSION: &str = "session";
/// What one render shows is one thing.
const RENDER: &str = "render";
/// A node without a lease serves nothing that it kept.
const LEASE: &str = "lease";
/// After a fault, pages are kept and writes done again.
pub(crate) const GOES_ON: &str = "goes on";

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) promise: &'static str,
    pub(crate) what: String,
}

impl Broken for Violation {
    fn promise(&self) -> &'static str {
        self.promise
    }

    fn what(&self) -> &str {
        &self.what
    }
}

/// Every promise that was broken.
pub(crate) fn check(writes: &[Write], reads: &[Read], lapses: &[Lapse]) -> Vec<Violation> {
    let mut found = Vec::new();
    everybody(STRICT, Wait::Strict, writes, reads, &mut found);
    everybody(DECLARED, Wait::Reaping, writes, reads, &mut found);
    sessions(writes, reads, &mut found);
    renders(reads, &mut found);
    leases(reads, lapses, &mut found);
    found
}

/// For a tag: when its counter was certainly how high, both rising.
type Heights = Vec<(u64, i64)>;

/// What everybody has to see of each tag, and from when on.
fn heights(wait: Wait, writes: &[Write]) -> HashMap<&str, Heights> {
    let mut heights: HashMap<&str, Heights> = HashMap::new();
    for write in writes.iter().filter(|write| write.wait == wait) {
        if let Some(count) = write.count {
            heights.entry(&write.tag).or_default().push((write.ended, count));
        }
    }
    heights.values_mut().for_each(rising);
    heights
}

/// What was answered later was not always written later.
fn rising(heights: &mut Heights) {
    heights.sort_unstable();
    let mut highest = i64::MIN;
    for (_, count) in heights {
        highest = highest.max(*count);
        *count = highest;
    }
}

/// How high the counter certainly was when something began that was sent at this time, and since when.
fn height(heights: &[(u64, i64)], sent: u64) -> Option<(u64, i64)> {
    let before = heights.partition_point(|(ended, _)| *ended < sent);
    before.checked_sub(1).map(|last| heights[last])
}

/// A read shows at least what was certain before it was sent.
fn everybody(
    promise: &'static str,
    wait: Wait,
    writes: &[Write],
    reads: &[Read],
    found: &mut Vec<Violation>,
) {
    let heights = heights(wait, writes);
    for read in reads {
        for (tag, count) in &read.shown.counts {
            let least = heights.get(tag.as_str()).and_then(|heights| height(heights, read.sent));
            if let Some((ended, least)) = least
                && *count < least
            {
                let what = format!("{tag} is {count}, although it was {least} since {ended}: {}", told(read));
                found.push(Violation { promise, what });
            }
        }
    }
}

/// A client that waits for each answer, and has its token, sees what it wrote.
fn sessions(writes: &[Write], reads: &[Read], found: &mut Vec<Violation>) {
    let mut own: HashMap<(usize, &str), Heights> = HashMap::new();
    for write in writes.iter().filter(|write| matches!(write.wait, Wait::Strict | Wait::Session)) {
        if let (Some(client), Some(count)) = (write.client, write.count) {
            own.entry((client, &write.tag)).or_default().push((write.ended, count));
        }
    }
    own.values_mut().for_each(rising);
    for read in reads {
        let Some(client) = read.client else { continue };
        for (tag, count) in &read.shown.counts {
            let least = own.get(&(client, tag.as_str())).and_then(|heights| height(heights, read.sent));
            if let Some((ended, least)) = least
                && *count < least
            {
                let what = format!(
                    "client {client} made {tag} {least} at {ended} and reads {count}: {}",
                    told(read)
                );
                found.push(Violation { promise: SESSION, what });
            }
        }
    }
}

/// A render is of one process and shows one thing, however often it is served.
fn renders(reads: &[Read], found: &mut Vec<Violation>) {
    let mut known: HashMap<(u32, u64), &Read> = HashMap::new();
    for read in reads {
        let first = known.entry((read.shown.pid, read.shown.render)).or_insert(read);
        if (&first.path, &first.shown) != (&read.path, &read.shown) {
            let what = format!("one render twice, not the same: {}, and {}", told(first), told(read));
            found.push(Violation { promise: RENDER, what });
        }
    }
}

/// A node that has been cut off for longer than a lease serves nothing that it kept.
fn leases(reads: &[Read], lapses: &[Lapse], found: &mut Vec<Violation>) {
    for read in reads.iter().filter(|read| read.origin == Origin::Kept) {
        let within =
            |lapse: &&Lapse| lapse.pid == read.asked && lapse.from < read.sent && read.ended < lapse.to;
        if let Some(lapse) = lapses.iter().find(within) {
            let what = format!("no lease from {} to {}: {}", lapse.from, lapse.to, told(read));
            found.push(Violation { promise: LEASE, what });
        }
    }
}

fn told(read: &Read) -> String {
    let Read { asked, path, sent, ended, origin, shown, .. } = read;
    format!(
        "{path} from process {asked}, {sent} to {ended} us, {origin:?}, render {:x} of process {}",
        shown.render, shown.pid
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::cache::history::Shown;

    /// A counter was raised to this, and the answer came at this time.
    fn write(tag: &str, count: i64, ended: u64) -> Write {
        let (tag, sent) = (tag.to_owned(), ended - 5);
        Write { client: None, tag, wait: Wait::Strict, sent, ended, count: Some(count) }
    }

    /// A read that began at this time and took 5.
    fn read(sent: u64, counts: &[(&str, i64)]) -> Read {
        let counts = counts.iter().map(|(tag, count)| ((*tag).to_owned(), *count)).collect();
        let shown = Shown { pid: 1, render: sent, counts };
        let (path, origin) = ("/tagged/0".to_owned(), Origin::Kept);
        Read { client: None, asked: 1, path, sent, ended: sent + 5, origin, shown }
    }

    fn promises(writes: &[Write], reads: &[Read]) -> Vec<&'static str> {
        check(writes, reads, &[]).iter().map(|violation| violation.promise).collect()
    }

    #[test]
    fn a_read_may_be_as_old_as_the_last_write_before_it() {
        let writes = [write("a", 1, 10), write("a", 2, 20), write("b", 9, 20)];
        for (sent, least) in [(0, 0), (10, 0), (11, 1), (20, 1), (21, 2), (99, 2)] {
            assert_eq!(promises(&writes, &[read(sent, &[("a", least)])]), [""; 0], "{sent}");
            assert_eq!(promises(&writes, &[read(sent, &[("a", least + 5)])]), [""; 0], "{sent}");
            let older = promises(&writes, &[read(sent, &[("a", least - 1)])]);
            assert_eq!(older.len(), usize::from(least > 0), "{sent}");
        }
    }

    #[test]
    fn each_tag_of_a_page_counts() {
        let writes = [write("a", 1, 10), write("b", 1, 10)];
        assert_eq!(promises(&writes, &[read(11, &[("a", 1), ("b", 0)])]), [STRICT]);
        assert_eq!(promises(&writes, &[read(11, &[("a", 0), ("b", 0)])]), [STRICT; 2]);
        assert_eq!(promises(&writes, &[read(11, &[("c", 0)])]), [""; 0]);
    }

    #[test]
    fn a_write_that_was_answered_late_takes_back_nothing() {
        // The counter was raised to 2 after 1, and whoever raised it to 1 was answered last.
        let writes = [write("a", 2, 10), write("a", 1, 20)];
        assert_eq!(promises(&writes, &[read(30, &[("a", 1)])]), [STRICT]);
        assert_eq!(promises(&writes, &[read(30, &[("a", 2)])]), [""; 0]);
    }

    #[test]
    fn what_nobody_was_told_is_demanded_of_nobody() {
        let unknown = Write { count: None, ..write("a", 1, 10) };
        let soft = Write { wait: Wait::Nothing, ..write("a", 1, 10) };
        let session = Write { wait: Wait::Session, client: Some(3), ..write("a", 1, 10) };
        assert_eq!(promises(&[unknown, soft, session], &[read(11, &[("a", 0)])]), [""; 0]);
    }

    #[test]
    fn what_a_dead_node_declared_is_demanded_after_a_while() {
        let reaping = Write { wait: Wait::Reaping, ..write("a", 1, 100) };
        assert_eq!(promises(std::slice::from_ref(&reaping), &[read(99, &[("a", 0)])]), [""; 0]);
        assert_eq!(promises(&[reaping], &[read(101, &[("a", 0)])]), [DECLARED]);
    }

    #[test]
    fn who_has_a_token_sees_its_own_writes() {
        let mine = |read: Read| Read { client: Some(1), ..read };
        let own = [Write { wait: Wait::Session, client: Some(1), ..write("a", 4, 10) }];
        assert_eq!(promises(&own, &[mine(read(11, &[("a", 3)]))]), [SESSION]);
        assert_eq!(promises(&own, &[mine(read(11, &[("a", 4)])), mine(read(9, &[("a", 3)]))]), [""; 0]);
        let others = [read(11, &[("a", 3)]), Read { client: Some(2), ..read(11, &[("a", 3)]) }];
        assert_eq!(promises(&own, &others), [""; 0]);
        // What it reads of somebody else's write it need not read again before that one is answered.
        assert_eq!(promises(&own, &[mine(read(11, &[("a", 6)])), mine(read(21, &[("a", 5)]))]), [""; 0]);
    }

    #[test]
    fn a_render_shows_one_thing() {
        let with = |render: u64, read: Read| Read { shown: Shown { render, ..read.shown }, ..read };
        let [first, same, other] =
            [with(7, read(1, &[("a", 1)])), with(7, read(9, &[("a", 1)])), with(7, read(9, &[("a", 2)]))];
        assert_eq!(promises(&[], &[first.clone(), same]), [""; 0]);
        assert_eq!(promises(&[], &[first, other]), [RENDER]);
    }

    #[test]
    fn without_a_lease_nothing_that_was_kept_is_served() {
        let lapse = [Lapse { pid: 1, from: 10, to: 50 }];
        let found = |read: Read| check(&[], &[read], &lapse).len();
        assert_eq!(found(read(11, &[])), 1);
        assert_eq!(found(read(10, &[])), 0);
        assert_eq!(found(read(45, &[])), 0);
        assert_eq!(found(Read { origin: Origin::Fenced, ..read(11, &[]) }), 0);
        assert_eq!(found(Read { asked: 2, ..read(11, &[]) }), 0);
    }
}
