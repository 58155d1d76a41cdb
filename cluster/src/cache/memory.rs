//! The log in memory: what Redis and its scripts do, as plain code. Nodes that are alone and simulations run on it, and a
//! conformance suite holds both to the same answers.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::Arc,
};

use callboard_protocol::{
    identity::ProcessId,
    revalidation::{Epoch, LogPosition, Tag},
};

use super::store::{Answer, Command, Entry, Following, Mark, Push, Staleness};
use crate::mutant::{Mutant, Mutants};

/// How much is kept and how much is told at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most entries of the log; of more the oldest are gone. Default 16,384.
    pub log_entries_max: usize,
    /// Most entries of one answer. Default 1,024.
    pub answer_entries_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { log_entries_max: 16_384, answer_entries_max: 1024 }
    }
}

/// The log of revalidations and who reads it.
#[derive(Clone, Debug)]
pub struct Store {
    /// Which memory this is: another one after each restart.
    memory: u64,
    /// The newest epoch that ever began here. It stands for the clock that Redis takes epochs from: whatever else is
    /// forgotten, an epoch that is over is never begun again.
    newest: Epoch,
    kept: Kept,
    limits: Limits,
    pushes: Vec<Push>,
    mutants: Mutants,
}

/// What may be forgotten.
#[derive(Clone, Debug, Default)]
struct Kept {
    /// The epoch and the memory that it began in.
    began: Option<(Epoch, u64)>,
    /// How many entries were appended in this epoch.
    sequence: u64,
    log: VecDeque<Entry>,
    readers: BTreeMap<ProcessId, Reader>,
    declared: BTreeMap<ProcessId, Arc<[Tag]>>,
    /// Readers that were reaped once in this epoch, and the number that each was given then.
    reaped: BTreeMap<ProcessId, u64>,
    /// How many numbers were given in this epoch: one for each lease, and one for each reader that was reaped.
    numbers: u64,
}

#[derive(Clone, Copy, Debug)]
struct Reader {
    applied: LogPosition,
    /// The number of the last lease that it was granted.
    grant: u64,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(mutants: Mutants) -> Self {
        Self {
            memory: 0,
            newest: Epoch::default(),
            kept: Kept::default(),
            limits: Limits::default(),
            pushes: Vec::new(),
            mutants,
        }
    }

    /// The same with other limits.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same with epochs that begin after this one: for a node that is alone and whose predecessors gave out positions.
    #[must_use]
    pub fn after(self, newest: Epoch) -> Self {
        Self { newest, ..self }
    }

    /// What was told to all that listen since this was asked last.
    pub fn take_pushes(&mut self) -> Vec<Push> {
        mem::take(&mut self.pushes)
    }

    /// Comes back as it was at an earlier instant, in another memory: everything from the same instant, as a file of
    /// appended commands that lost its end replays it.
    pub fn restart(&mut self, earlier: &Self) {
        self.kept = earlier.kept.clone();
        self.memory += 1;
        self.pushes.clear();
    }

    /// Forgets everything; the memory stays the same.
    pub fn flush(&mut self) {
        self.kept = Kept::default();
    }

    /// Forgets all entries of the log but the last.
    pub fn trim(&mut self, keep: usize) {
        let surplus = self.kept.log.len().saturating_sub(keep);
        self.kept.log.drain(..surplus);
    }

    /// Executes a command.
    pub fn execute(&mut self, command: &Command) -> Answer {
        let epoch = match command {
            Command::Open { known, seen } => return self.open(*known, *seen),
            Command::Renew { epoch, .. }
            | Command::Publish { epoch, .. }
            | Command::Acknowledge { epoch, .. }
            | Command::Registered { epoch }
            | Command::Reap { epoch, .. }
            | Command::Leave { epoch, .. } => *epoch,
        };
        let there = match command {
            // What was applied stays applied, whatever memory it is told to.
            Command::Acknowledge { .. } => self.kept.began.map(|(epoch, _)| epoch),
            _ => self.epoch(),
        };
        if there != Some(epoch) {
            return Answer::Superseded;
        }
        let before = self.watermark();
        let answer = match command {
            Command::Renew { process, after, declared, .. } => self.renew(*process, *after, declared),
            Command::Publish { process, after, marks, .. } => self.publish(*process, *after, marks.as_ref()),
            Command::Acknowledge { applied, .. } if *applied > self.tail() => Answer::Superseded,
            Command::Acknowledge { process, applied, .. } => {
                self.acknowledge(*process, *applied);
                Answer::Acknowledged { watermark: self.watermark() }
            }
            Command::Registered { .. } => self.registered(),
            Command::Reap { process, grants, .. } => self.reap(*process, *grants),
            Command::Leave { process, .. } => {
                self.forget(*process);
                Answer::Left
            }
            Command::Open { .. } => unreachable!("it named no epoch"),
        };
        let watermark = self.watermark();
        if watermark > before && !self.kept.readers.is_empty() {
            self.pushes.push(Push::Watermark(watermark));
        }
        answer
    }

    /// The epoch that commands may be executed in.
    fn epoch(&self) -> Option<Epoch> {
        let (epoch, memory) = self.kept.began?;
        (memory == self.memory || self.mutants.has(Mutant::AnyMemory)).then_some(epoch)
    }

    fn open(&mut self, known: Epoch, seen: LogPosition) -> Answer {
        let known = known.max(seen.epoch());
        let is_whole = |epoch: &Epoch| {
            *epoch >= known && !(seen.epoch() == *epoch && seen.sequence() > self.kept.sequence)
        };
        let epoch = match self.epoch().filter(is_whole) {
            Some(epoch) => epoch,
            None => self.begin(known),
        };
        Answer::Opened { epoch, tail: self.tail() }
    }

    /// Begins an epoch that is after all that are known.
    fn begin(&mut self, known: Epoch) -> Epoch {
        let last = known.max(self.newest).as_u64();
        let epoch = Epoch::new(last + 1).unwrap_or(Epoch::MAX);
        let declared = mem::take(&mut self.kept.declared);
        self.kept = Kept { began: Some((epoch, self.memory)), declared, ..Kept::default() };
        self.newest = epoch;
        epoch
    }

    /// The last position.
    fn tail(&self) -> LogPosition {
        let (epoch, _) = self.kept.began.unwrap_or_default();
        LogPosition::new(epoch, self.kept.sequence).unwrap_or_else(|| epoch.start())
    }

    /// Up to where every registered reader has applied.
    fn watermark(&self) -> LogPosition {
        self.kept.readers.values().map(|reader| reader.applied).min().unwrap_or_else(|| self.tail())
    }

    fn renew(&mut self, process: ProcessId, after: LogPosition, declared: &Arc<[Tag]>) -> Answer {
        if after > self.tail() {
            return Answer::Superseded;
        }
        self.kept.declared.entry(process).or_insert_with(|| Arc::clone(declared));
        self.kept.reaped.remove(&process);
        self.kept.numbers += 1;
        let grant = match self.kept.readers.get(&process) {
            _ if !self.mutants.has(Mutant::GrantsRecounted) => self.kept.numbers,
            Some(reader) => reader.grant + 1,
            None => 1,
        };
        self.kept.readers.entry(process).or_insert(Reader { applied: after, grant }).grant = grant;
        self.acknowledge(process, after);
        Answer::Renewed { tail: self.tail(), following: self.following(after), watermark: self.watermark() }
    }

    fn publish(&mut self, process: ProcessId, after: LogPosition, marks: Option<&Arc<[Mark]>>) -> Answer {
        if after > self.tail() {
            return Answer::Superseded;
        }
        let Some(position) = self.append(marks.map(Arc::clone)) else { return Answer::Superseded };
        let has_others = self.kept.readers.keys().any(|reader| *reader != process);
        let is_next = after.max(position.epoch().start()).sequence() + 1 == position.sequence();
        let has_all = is_next || self.mutants.has(Mutant::PublisherHasAll);
        self.acknowledge(process, if has_all { position } else { after });
        Answer::Published { position, following: self.following(after), has_others }
    }

    /// Appends an entry and pushes it. An epoch without a place left is over.
    fn append(&mut self, marks: Option<Arc<[Mark]>>) -> Option<LogPosition> {
        let (epoch, _) = self.kept.began?;
        let Some(position) = LogPosition::new(epoch, self.kept.sequence + 1) else {
            self.kept.began = None;
            return None;
        };
        self.kept.sequence += 1;
        let entry = Entry { position, marks };
        self.pushes.push(Push::Entry(entry.clone()));
        self.kept.log.push_back(entry);
        self.trim(self.limits.log_entries_max);
        Some(position)
    }

    /// What follows a position of this epoch, or of one before it: then all of this one's.
    fn following(&self, after: LogPosition) -> Following {
        let (epoch, _) = self.kept.began.unwrap_or_default();
        let after = after.max(epoch.start());
        let log = &self.kept.log;
        let missing = (self.kept.sequence - after.sequence()) as usize;
        match log.len().checked_sub(missing) {
            Some(first) => Following::Entries(
                log.iter().skip(first).take(self.limits.answer_entries_max).cloned().collect(),
            ),
            None => Following::Trimmed,
        }
    }

    fn acknowledge(&mut self, process: ProcessId, applied: LogPosition) {
        if let Some(reader) = self.kept.readers.get_mut(&process) {
            reader.applied = reader.applied.max(applied);
        }
    }

    /// The number that a reader was given last.
    fn number(&self, process: ProcessId) -> u64 {
        let granted = self.kept.readers.get(&process).map(|reader| reader.grant);
        granted.or_else(|| self.kept.reaped.get(&process).copied()).unwrap_or(0)
    }

    fn registered(&self) -> Answer {
        let readers = self.kept.readers.keys();
        let declared = self.kept.declared.keys().filter(|one| !self.kept.readers.contains_key(one));
        Answer::Registered(readers.chain(declared).map(|one| (*one, self.number(*one))).collect())
    }

    fn reap(&mut self, process: ProcessId, number: u64) -> Answer {
        let is_known = self.kept.readers.contains_key(&process) || self.kept.declared.contains_key(&process);
        if !is_known || self.number(process) != number {
            return Answer::Reaped(false);
        }
        let declared = self.kept.declared.get(&process).into_iter().flat_map(|tags| tags.iter());
        let marks: Arc<[Mark]> = declared.map(|tag| Mark { tag: *tag, staleness: Staleness::Hard }).collect();
        let is_published = self.kept.reaped.contains_key(&process) || marks.is_empty();
        if is_published || self.mutants.has(Mutant::ReapedAtOnce) {
            self.forget(process);
        }
        if !is_published {
            if self.append(Some(marks)).is_none() {
                return Answer::Superseded;
            }
            self.kept.readers.remove(&process);
            self.kept.numbers += 1;
            if self.kept.declared.contains_key(&process) {
                self.kept.reaped.insert(process, self.kept.numbers);
            }
        }
        Answer::Reaped(true)
    }

    fn forget(&mut self, process: ProcessId) {
        self.kept.readers.remove(&process);
        self.kept.declared.remove(&process);
        self.kept.reaped.remove(&process);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: ProcessId = ProcessId::from_u128(1);
    const OTHER: ProcessId = ProcessId::from_u128(2);

    fn open(store: &mut Store, known: Epoch, seen: LogPosition) -> Epoch {
        match store.execute(&Command::Open { known, seen }) {
            Answer::Opened { epoch, .. } => epoch,
            other => panic!("opened as {other:?}"),
        }
    }

    fn opened() -> (Store, Epoch) {
        let mut store = Store::new(Mutants::NONE);
        let epoch = open(&mut store, Epoch::default(), LogPosition::default());
        (store, epoch)
    }

    fn renew(process: ProcessId, epoch: Epoch, after: LogPosition) -> Command {
        Command::Renew { process, epoch, after, declared: Arc::new([Tag::named("declared")]) }
    }

    fn publish(store: &mut Store, epoch: Epoch) -> Answer {
        let marks = Some([Mark { tag: Tag::named("tag"), staleness: Staleness::Hard }].into());
        store.execute(&Command::Publish { process: ME, epoch, after: epoch.start(), marks })
    }

    fn at(epoch: Epoch, sequence: u64) -> LogPosition {
        LogPosition::new(epoch, sequence).expect("it is small")
    }

    #[test]
    fn the_watermark_is_where_the_last_reader_is() {
        let (mut store, epoch) = opened();
        store.execute(&renew(ME, epoch, epoch.start()));
        store.execute(&renew(OTHER, epoch, epoch.start()));
        let answer = publish(&mut store, epoch);
        assert!(
            matches!(answer, Answer::Published { has_others: true, position, .. } if position == at(epoch, 1))
        );
        let acknowledge = |process| Command::Acknowledge { process, epoch, applied: at(epoch, 1) };
        store.take_pushes();
        let answer = store.execute(&acknowledge(ME));
        assert_eq!(answer, Answer::Acknowledged { watermark: epoch.start() });
        assert_eq!(store.take_pushes(), []);
        store.execute(&acknowledge(OTHER));
        assert_eq!(store.take_pushes(), [Push::Watermark(at(epoch, 1))]);
    }

    #[test]
    fn another_memory_begins_another_epoch_and_nobody_is_waited_for() {
        let (mut store, epoch) = opened();
        store.execute(&renew(ME, epoch, epoch.start()));
        let copy = store.clone();
        publish(&mut store, epoch);
        store.restart(&copy);
        assert_eq!(publish(&mut store, epoch), Answer::Superseded);
        let next = open(&mut store, epoch, at(epoch, 1));
        assert!(next > epoch);
        assert_eq!(store.execute(&Command::Registered { epoch: next }), Answer::Registered(vec![(ME, 0)]));
    }

    /// A store that forgot everything is opened by a node that knows nothing. Were the epoch begun again, others would
    /// take its entries for those that they have applied.
    #[test]
    fn no_epoch_is_begun_twice() {
        let (mut store, epoch) = opened();
        store.flush();
        assert_eq!(store.execute(&renew(ME, epoch, epoch.start())), Answer::Superseded);
        assert!(open(&mut store, Epoch::default(), LogPosition::default()) > epoch);
    }

    #[test]
    fn a_log_that_lost_its_end_is_of_another_epoch() {
        let (mut store, epoch) = opened();
        publish(&mut store, epoch);
        assert_eq!(open(&mut store, epoch, at(epoch, 1)), epoch);
        assert!(open(&mut store, epoch, at(epoch, 2)) > epoch);
    }

    #[test]
    fn what_was_trimmed_is_said_to_be_gone() {
        let (mut store, epoch) = opened();
        for _ in 0..3 {
            publish(&mut store, epoch);
        }
        store.trim(1);
        for (after, there) in [(1, false), (2, true), (3, true)] {
            let Answer::Renewed { following, .. } = store.execute(&renew(ME, epoch, at(epoch, after))) else {
                panic!("it was granted no lease")
            };
            assert_eq!(following != Following::Trimmed, there, "after {after}");
        }
    }

    #[test]
    fn what_a_dead_node_declared_is_stale_once_it_is_reaped() {
        let (mut store, epoch) = opened();
        store.execute(&renew(OTHER, epoch, epoch.start()));
        let reap = |grants| Command::Reap { epoch, process: OTHER, grants };
        assert_eq!(store.execute(&reap(0)), Answer::Reaped(false), "it was granted another lease since");
        assert_eq!(store.execute(&reap(1)), Answer::Reaped(true));
        let pushes = store.take_pushes();
        let [Push::Entry(Entry { marks: Some(marks), .. })] = &pushes[..] else { panic!("{pushes:?}") };
        assert_eq!(marks[0], Mark { tag: Tag::named("declared"), staleness: Staleness::Hard });
        assert_eq!(store.execute(&reap(1)), Answer::Reaped(false), "it was reaped already");
    }

    /// The entry may be lost with its epoch, and nobody else knows what it said.
    #[test]
    fn what_a_dead_node_declared_is_kept_until_everybody_has_it() {
        let (mut store, epoch) = opened();
        store.execute(&renew(OTHER, epoch, epoch.start()));
        assert_eq!(store.execute(&Command::Reap { epoch, process: OTHER, grants: 1 }), Answer::Reaped(true));
        let copy = store.clone();
        store.restart(&copy);
        let next = open(&mut store, epoch, at(epoch, 1));
        assert_eq!(store.execute(&Command::Registered { epoch: next }), Answer::Registered(vec![(OTHER, 0)]));
        store.take_pushes();
        for (grants, pushes) in [(0, 1), (1, 0)] {
            let reap = Command::Reap { epoch: next, process: OTHER, grants };
            assert_eq!(store.execute(&reap), Answer::Reaped(true));
            assert_eq!(store.take_pushes().len(), pushes);
        }
        assert_eq!(store.execute(&Command::Registered { epoch: next }), Answer::Registered(Vec::new()));
    }

    /// A reader that was asleep is forgotten by one and comes back. Another still thinks of its lease of before.
    #[test]
    fn whoever_comes_back_is_not_taken_for_one_that_never_went() {
        let (mut store, epoch) = opened();
        let reap = Command::Reap { epoch, process: OTHER, grants: 1 };
        store.execute(&renew(OTHER, epoch, epoch.start()));
        assert_eq!(store.execute(&reap), Answer::Reaped(true));
        store.execute(&renew(OTHER, epoch, epoch.start()));
        assert_eq!(store.execute(&reap), Answer::Reaped(false));
    }
}
