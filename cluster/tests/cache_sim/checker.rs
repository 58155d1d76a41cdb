//! Keeps a ledger of what the application wrote, what it was told and what the log holds, and says which promise was
//! broken.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use callboard_cluster::cache::{
    Wait,
    store::{Entry, Staleness},
};
use callboard_protocol::{
    identity::ProcessId,
    revalidation::{Epoch, LogPosition},
};

use crate::{
    seeds,
    world::{LEASE, MS, TAGS, tag_number},
};

/// For each tag how often it was written.
pub(crate) type Counters = [u32; TAGS];

/// What a render shows: two tags, and how often each was written when it was read.
pub(crate) type Shown = [(u8, u32); 2];

/// A promise that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) promise: &'static str,
    pub(crate) what: String,
}

/// Something that a test wants to have happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) reads: u64,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl seeds::Seen for Seen {
    fn size(&self) -> u64 {
        self.reads
    }

    fn add(&mut self, other: &Self) {
        self.reads += other.reads;
        for (name, count) in &other.counts {
            *self.counts.entry(name).or_default() += count;
        }
    }
}

/// What a read has to show at least.
#[derive(Clone, Debug)]
pub(crate) struct Demand {
    pub(crate) client: Option<usize>,
    strict: Counters,
    bounded: Counters,
    session: Counters,
}

/// One who has a token: the last position of each epoch that he was given one of. The last of all is not enough: after
/// an epoch is lost, a node that knows the next one may not know what he has seen of the one before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) token: Vec<LogPosition>,
    floor: Counters,
}

/// Most epochs of a token.
const EPOCHS_MAX: usize = 4;

/// What an action wrote, and how it marked it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) process: ProcessId,
    pub(crate) client: Option<usize>,
    pub(crate) wait: Wait,
    pub(crate) staleness: Staleness,
    /// Tags and how often each is written now.
    pub(crate) tags: Vec<(u8, u32)>,
    pub(crate) asked_at: u64,
}

/// An entry that stands in the log: after a while everybody has to know it, if its epoch lasts that long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stands {
    from: u64,
    tag: usize,
    counter: u32,
    /// What is still served for so long, once it is known.
    grace_us: u64,
}

pub(crate) struct Checker {
    pub(crate) violations: Vec<Violation>,
    pub(crate) seen: Seen,
    /// The longest that a lease lasts on any clock.
    lease_max: u64,
    strict: Counters,
    bounded: Counters,
    pending: BinaryHeap<Reverse<Stands>>,
    graced: BinaryHeap<Reverse<Stands>>,
    epoch: Epoch,
    /// What everybody with a position has to see, in the order of positions.
    covered: Vec<(LogPosition, Counters)>,
    pub(crate) clients: Vec<Client>,
    /// Hard writes of each process, whether published or not.
    written: BTreeMap<ProcessId, Counters>,
    /// Processes whose declared tags the store knows.
    declared: BTreeSet<ProcessId>,
    /// What dead processes declared and wrote.
    owed: Vec<(usize, u32)>,
    /// What processes that left in order wrote.
    parted: Counters,
}

impl Checker {
    pub(crate) fn new(slowest: f64) -> Self {
        Self {
            violations: Vec::new(),
            seen: Seen::default(),
            lease_max: (LEASE as f64 / slowest) as u64 + 2,
            strict: Counters::default(),
            bounded: Counters::default(),
            pending: BinaryHeap::new(),
            graced: BinaryHeap::new(),
            epoch: Epoch::default(),
            covered: Vec::new(),
            clients: vec![Client::default(); 6],
            written: BTreeMap::new(),
            declared: BTreeSet::new(),
            owed: Vec::new(),
            parted: Counters::default(),
        }
    }

    pub(crate) fn count(&mut self, name: &'static str) {
        *self.seen.counts.entry(name).or_default() += 1;
    }

    pub(crate) fn broken(&mut self, promise: &'static str, what: String) {
        self.violations.push(Violation { promise, what });
    }

    /// Time passed: what stood in the log long enough is demanded.
    pub(crate) fn at(&mut self, now: u64) {
        while let Some(Reverse(stands)) = self.pending.peek()
            && stands.from <= now
        {
            let stands = *stands;
            self.pending.pop();
            if stands.grace_us == 0 {
                self.bounded[stands.tag] = self.bounded[stands.tag].max(stands.counter);
            } else {
                let from = stands.from + stands.grace_us;
                self.graced.push(Reverse(Stands { from, ..stands }));
            }
        }
        while let Some(Reverse(stands)) = self.graced.peek()
            && stands.from <= now
        {
            self.bounded[stands.tag] = self.bounded[stands.tag].max(stands.counter);
            self.graced.pop();
        }
    }

    /// An entry was appended, when the application had written so much.
    pub(crate) fn appended(&mut self, now: u64, entry: &Entry, written: &Counters) {
        while self.covered.last().is_some_and(|(last, _)| *last >= entry.position) {
            self.covered.pop();
        }
        let mut covered = match self.covered.last() {
            Some((last, covered)) if last.epoch() == entry.position.epoch() => *covered,
            _ => Counters::default(),
        };
        let marks: Vec<_> = match &entry.marks {
            Some(marks) => marks.iter().map(|mark| (tag_number(mark.tag), mark.staleness)).collect(),
            None => (0..TAGS).map(|tag| (tag, Staleness::Hard)).collect(),
        };
        for (tag, staleness) in marks {
            let grace_us = match staleness {
                Staleness::Hard => 0,
                Staleness::Soft { expire_s: None } => continue,
                // Who was paused for less than a lease promotes it that much later.
                Staleness::Soft { expire_s: Some(seconds) } => {
                    u64::from(seconds) * 1_020_000 + 2 * self.lease_max
                }
            };
            if grace_us == 0 {
                covered[tag] = covered[tag].max(written[tag]);
            }
            let stands = Stands { from: now + self.lease_max, tag, counter: written[tag], grace_us };
            self.pending.push(Reverse(stands));
        }
        self.covered.push((entry.position, covered));
    }

    /// The store is in this epoch.
    pub(crate) fn opened(&mut self, epoch: Epoch) {
        if epoch != self.epoch {
            self.epoch = epoch;
            // Who published has to do so again.
            self.pending.clear();
            self.count("epochs");
        }
    }

    /// An action wrote to the application's data.
    pub(crate) fn wrote(&mut self, written: &Written) {
        if written.staleness == Staleness::Hard {
            let counters = self.written.entry(written.process).or_default();
            for (tag, counter) in &written.tags {
                counters[usize::from(*tag)] = *counter;
            }
        }
    }

    /// A client was answered.
    pub(crate) fn responded(&mut self, now: u64, written: &Written, position: Option<LogPosition>) {
        let is_hard = written.staleness == Staleness::Hard;
        self.count(match (written.wait, is_hard) {
            (_, false) => "soft actions",
            (Wait::Strict, _) => "strict actions",
            (Wait::Session, _) => "session actions",
            (Wait::Eventual, _) => "eventual actions",
        });
        if written.wait == Wait::Strict && now - written.asked_at >= LEASE {
            self.count("slow paths");
        }
        if written.wait != Wait::Eventual && position.is_none() {
            self.broken("position", format!("{now}: {written:?} was answered without one"));
        }
        for (tag, counter) in written.tags.iter().filter(|_| is_hard) {
            let tag = usize::from(*tag);
            if written.wait == Wait::Strict {
                self.strict[tag] = self.strict[tag].max(*counter);
            }
            if let (Some(client), Some(_)) = (written.client, position) {
                let client = &mut self.clients[client];
                client.floor[tag] = client.floor[tag].max(*counter);
            }
        }
        if let (Some(client), Some(position)) = (written.client, position) {
            self.learns(client, position);
        }
    }

    /// A client was given a token.
    pub(crate) fn learns(&mut self, client: usize, token: LogPosition) {
        let client = &mut self.clients[client];
        match client.token.iter_mut().find(|known| known.epoch() == token.epoch()) {
            Some(known) if *known >= token => return,
            Some(known) => *known = token,
            None => client.token.push(token),
        }
        client.token.sort_unstable();
        if client.token.len() > EPOCHS_MAX {
            client.token.remove(0);
        }
        let index = self.covered.partition_point(|(position, _)| *position <= token);
        if let Some((position, covered)) = index.checked_sub(1).map(|index| &self.covered[index])
            && position.epoch() == token.epoch()
        {
            for (floor, covered) in client.floor.iter_mut().zip(covered) {
                *floor = (*floor).max(*covered);
            }
        }
    }

    /// What a read that begins now has to show.
    pub(crate) fn demand(&self, client: Option<usize>) -> Demand {
        let session = client.map_or_else(Counters::default, |client| self.clients[client].floor);
        Demand { client, strict: self.strict, bounded: self.bounded, session }
    }

    /// A read that began just now was served.
    pub(crate) fn served_now(&mut self, client: Option<usize>, shown: &Shown, whom: impl Fn() -> String) {
        let is_enough = |(tag, counter): &(u8, u32)| {
            let tag = usize::from(*tag);
            *counter >= self.strict[tag]
                && *counter >= self.bounded[tag]
                && client.is_none_or(|client| *counter >= self.clients[client].floor[tag])
        };
        self.seen.reads += 1;
        if !shown.iter().all(is_enough) {
            self.stale(&self.demand(client), shown, &whom());
        }
    }

    /// A read was served.
    pub(crate) fn served(&mut self, demand: &Demand, shown: &Shown, whom: impl Fn() -> String) {
        self.seen.reads += 1;
        self.stale(demand, shown, "");
        if let Some(last) = self.violations.last_mut()
            && last.what.ends_with("; ")
        {
            last.what.push_str(&whom());
        }
    }

    fn stale(&mut self, demand: &Demand, shown: &Shown, whom: &str) {
        for (tag, counter) in shown {
            let tag = usize::from(*tag);
            let lists = [("G1", &demand.strict), ("G2", &demand.bounded), ("G3", &demand.session)];
            for (promise, list) in lists {
                if *counter < list[tag] {
                    self.count("stale");
                    let what = format!("tag {tag} shows {counter} instead of {}; {whom}", list[tag]);
                    self.broken(promise, what);
                    return;
                }
            }
        }
    }

    pub(crate) fn registered(&mut self, process: ProcessId) {
        self.declared.insert(process);
    }

    pub(crate) fn unregistered(&mut self, process: ProcessId) {
        self.declared.remove(&process);
    }

    /// The store may have forgotten who declared what.
    pub(crate) fn forgot(&mut self) {
        self.declared.clear();
        self.owed.clear();
    }

    /// A process died. What it wrote last may never be published, but what it declared is.
    pub(crate) fn died(&mut self, process: ProcessId, declared: &[usize]) {
        let written = self.written.remove(&process).unwrap_or_default();
        if self.declared.contains(&process) {
            self.owed.extend(declared.iter().map(|tag| (*tag, written[*tag])));
        }
    }

    /// What a process wrote last is published by nobody: it had left.
    pub(crate) fn refused(&mut self, process: ProcessId) {
        self.written.remove(&process);
    }

    /// A process left in order: everything that it wrote is published, unless it could not say good-bye, but what actions
    /// wrote that had not ended.
    pub(crate) fn left(&mut self, process: ProcessId, unsettled: &[u8]) {
        if self.declared.contains(&process) {
            return;
        }
        self.count("left in order");
        let written = self.written.remove(&process).unwrap_or_default();
        let parted = self.parted.iter_mut().zip(written).enumerate();
        for (_, (parted, written)) in parted.filter(|(tag, _)| !unsettled.contains(&(*tag as u8))) {
            *parted = (*parted).max(written);
        }
    }

    /// Nothing broke for long: everything that was written is demanded, but what died with a process that nobody knew.
    pub(crate) fn settled(&mut self) {
        let alive = self.written.values().flat_map(|written| written.iter().copied().enumerate());
        let parted = self.parted.into_iter().enumerate();
        for (tag, counter) in alive.chain(parted).chain(self.owed.iter().copied()) {
            self.bounded[tag] = self.bounded[tag].max(counter);
        }
    }
}

impl Seen {
    /// What is to happen happened.
    pub(crate) fn everything_happened(&self) {
        let names = [
            "actions",
            "strict actions",
            "session actions",
            "eventual actions",
            "soft actions",
            "slow paths",
            "hits",
            "dead entries",
            "stale entries",
            "renders",
            "fenced reads",
            "joins",
            "next renders",
            "reads with a token",
            "token waits",
            "tokens given up",
            "epochs",
            "carried over",
            "not carried over",
            "pushes lost",
            "superseded",
            "trimmed",
            "reaped",
            "commands in doubt",
            "held up",
            "everything stale",
        ];
        for name in names.into_iter().chain(crate::plan::Fault::NAMES) {
            assert!(self.counts.get(name).is_some_and(|count| *count > 0), "never: {name}\n{self:#?}");
        }
    }
}

/// How long it takes until everything settled, once nothing breaks.
pub(crate) const SETTLES: u64 = 30 * LEASE + 20 * MS;
