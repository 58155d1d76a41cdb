//! The store in memory: what Redis and its scripts do, as plain code. Simulations run on it, and a conformance suite
//! holds both to the same answers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use callboard_protocol::{
    envelope::Idempotency,
    identity::{Boot, Incarnation, ProcessId, RedisMillis, ViewVersion},
};

use crate::{
    Slot,
    mutant::{Mutant, Mutants},
    store::{
        Answer, Command, EntryId, Member, Orphan, Profile, RUNNING_MS, Record, Renewal, Sent, Stream,
        Verdict, View,
    },
};

/// All that the nodes of one cluster share.
#[derive(Clone, Debug)]
pub struct Store {
    incarnation: Incarnation,
    inbox_frames_max: usize,
    mutants: Mutants,
    view: Option<View>,
    leases: HashMap<Boot, u64>,
    inboxes: HashMap<Boot, Inbox>,
    orphans: HashMap<Boot, Inbox>,
    /// Cursors of what is gone: (session, stream, sender) → number of the last frame.
    old_cursors: HashMap<(Boot, Stream, ProcessId), u64>,
    /// Sessions that were fenced or left: they do not come back.
    gone: HashSet<Boot>,
    records: HashMap<u128, Kept>,
    last_entry: EntryId,
}

/// Request stream, reply stream and the cursors of their senders.
#[derive(Clone, Debug, Default)]
struct Inbox {
    requests: BTreeMap<EntryId, Bytes>,
    delivered: EntryId,
    claimed: BTreeSet<EntryId>,
    replies: BTreeMap<EntryId, Bytes>,
    cursors: HashMap<(Stream, ProcessId), u64>,
}

#[derive(Clone, Debug)]
struct Kept {
    digest: u128,
    record: Record,
    until: RedisMillis,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(incarnation: Incarnation, inbox_frames_max: usize, mutants: Mutants) -> Self {
        Self {
            incarnation,
            inbox_frames_max,
            mutants,
            view: None,
            leases: HashMap::new(),
            inboxes: HashMap::new(),
            orphans: HashMap::new(),
            old_cursors: HashMap::new(),
            gone: HashSet::new(),
            records: HashMap::new(),
            last_entry: EntryId::default(),
        }
    }

    /// Which memory this is.
    #[must_use]
    pub fn incarnation(&self) -> &Incarnation {
        &self.incarnation
    }

    /// The same data under another name, as after a restart or a promotion.
    #[must_use]
    pub fn reborn(&self, incarnation: Incarnation) -> Self {
        Self { incarnation, ..self.clone() }
    }

    /// The view, for whoever checks it.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.view.as_ref()
    }

    /// A frame in the inbox of a session.
    #[must_use]
    pub fn request(&self, boot: Boot, entry: EntryId) -> Option<&Bytes> {
        self.inboxes.get(&boot)?.requests.get(&entry)
    }

    /// All frames in the inbox of a session.
    pub fn requests(&self, boot: Boot) -> impl Iterator<Item = &Bytes> {
        self.inboxes.get(&boot).into_iter().flat_map(|inbox| inbox.requests.values())
    }

    /// Sessions whose inbox exists or is left behind, with the numbers of request and reply entries in it.
    pub fn backlog(&self) -> impl Iterator<Item = (Boot, usize, usize)> + '_ {
        let both = self.inboxes.iter().chain(&self.orphans);
        both.map(|(boot, inbox)| (*boot, inbox.requests.len(), inbox.replies.len()))
    }

    /// Executes a command at an instant of the store's clock. `None` where a read finds nothing yet.
    pub fn execute(&mut self, time: RedisMillis, command: &Command) -> Option<Answer> {
        Some(match command {
            Command::OpenInbox { boot } => self.open_inbox(*boot),
            Command::Join { boot, profile, incarnation, busy } => {
                self.join(time, *boot, profile, incarnation, busy)
            }
            Command::Renew { boot } => self.renew(time, *boot),
            Command::Leases { boots } => {
                Answer::Leases(boots.iter().map(|boot| self.leases.get(boot).copied()).collect())
            }
            Command::View => Answer::View(self.view.clone()),
            Command::Send { to, stream, sender, number, frame } => {
                Answer::Sent(self.send(time, *to, *stream, *sender, *number, frame))
            }
            Command::ReadRequests { boot, frames_max } => return self.read_requests(*boot, *frames_max),
            Command::ReadClaimed { boot, after, frames_max } => self.read_claimed(*boot, *after, *frames_max),
            Command::ReadReplies { boot, after, frames_max } => {
                return self.read_replies(*boot, *after, *frames_max);
            }
            Command::Settle { boot, entries } => {
                if let Some(inbox) = self.inboxes.get_mut(boot) {
                    for entry in entries {
                        inbox.claimed.remove(entry);
                        inbox.requests.remove(entry);
                    }
                }
                Answer::Done
            }
            Command::TrimReplies { boot, through } => {
                if let Some(inbox) = self.inboxes.get_mut(boot) {
                    inbox.replies.retain(|entry, _| entry > through);
                }
                Answer::Done
            }
            Command::Fence { boot, counter } => self.fence(*boot, *counter),
            Command::Evict { boot } => {
                if !self.leases.contains_key(boot) || self.mutants.has(Mutant::EvictFirst) {
                    self.make_orphan(time, *boot);
                }
                Answer::View(self.view.clone())
            }
            Command::Orphan { boot } => Answer::Orphan(self.orphan(*boot)),
            Command::OrphanDone { boot, requests, replies } => self.orphan_done(*boot, requests, replies),
            Command::AckView { boot, version, busy } => {
                let member = self.view.as_mut().and_then(|view| view.members.get_mut(boot));
                if let Some(member) = member
                    && *version >= member.acked
                {
                    (member.acked, member.busy) = (*version, busy.clone());
                }
                Answer::Done
            }
            Command::Drain { boot } => {
                let member = self.view.as_mut().and_then(|view| view.members.get_mut(boot));
                if let Some(member) = member
                    && !member.draining
                {
                    member.draining = true;
                    self.raise(time);
                }
                Answer::View(self.view.clone())
            }
            Command::Leave { boot } => Answer::Left(self.leave(time, *boot)),
            Command::Open { incarnation } => {
                let view = self.view.as_mut().filter(|view| !view.open && view.incarnation == *incarnation);
                if let Some(view) = view
                    && *incarnation == self.incarnation
                {
                    view.open = true;
                    let version = self.raise(time);
                    self.view.as_mut().expect("just there").opened = version;
                }
                Answer::View(self.view.clone())
            }
            Command::IdempotencyBegin { idempotency, boot, call, attempt, again } => {
                let ours = Record::Running { boot: *boot, call: *call, attempt: *attempt };
                Answer::Idempotency(self.begin(time, *idempotency, ours, *again))
            }
            Command::IdempotencyFinish { idempotency, call, outcome, retention_ms } => {
                let ours = match self.record(time, idempotency.key) {
                    None => true,
                    Some(kept) => kept.record.call() == *call,
                };
                if ours {
                    let record = Record::Done { call: *call, outcome: outcome.clone() };
                    self.keep(time, idempotency.key, idempotency.digest, record, *retention_ms);
                }
                Answer::Done
            }
            Command::IdempotencyAbandon { idempotency, boot, call, attempt } => {
                let running = Record::Running { boot: *boot, call: *call, attempt: *attempt };
                if self.record(time, idempotency.key).is_some_and(|kept| kept.record == running) {
                    self.records.remove(&idempotency.key);
                }
                Answer::Done
            }
            Command::IdempotencyResolve { idempotency, boot, call, attempt } => {
                let running = Record::Running { boot: *boot, call: *call, attempt: *attempt };
                let gone = !self.leases.contains_key(boot);
                let forget = self.mutants.has(Mutant::DeadRunnerForgotten);
                let kept = self.records.get_mut(&idempotency.key);
                if let Some(kept) = kept
                    && kept.record == running
                    && gone
                {
                    if forget {
                        self.records.remove(&idempotency.key);
                    } else {
                        kept.record = Record::Unknown { boot: *boot, call: *call };
                    }
                }
                Answer::Done
            }
            Command::IdempotencyRestore { idempotency, record, retention_ms } => {
                let there = self.record(time, idempotency.key).map(|kept| kept.record.clone());
                let restore = match (&there, record) {
                    (None, _) => true,
                    (Some(Record::Done { .. }), _) => false,
                    (Some(_), Record::Done { .. }) => true,
                    (Some(there), Record::Running { call, .. }) => there.call() == *call,
                    (Some(_), Record::Unknown { .. }) => false,
                };
                if restore {
                    self.keep(time, idempotency.key, idempotency.digest, record.clone(), *retention_ms);
                }
                Answer::Done
            }
        })
    }

    fn open_inbox(&mut self, boot: Boot) -> Answer {
        let gone =
            self.gone.contains(&boot) || self.view.as_ref().is_some_and(|view| view.orphans.contains(&boot));
        if gone {
            return Answer::Opened(false);
        }
        self.inboxes.entry(boot).or_default();
        self.leases.entry(boot).or_insert(1);
        Answer::Opened(true)
    }

    fn join(
        &mut self,
        time: RedisMillis,
        boot: Boot,
        profile: &Profile,
        incarnation: &Incarnation,
        busy: &BTreeSet<Slot>,
    ) -> Answer {
        if *incarnation != self.incarnation {
            return Answer::Stale;
        }
        if !self.leases.contains_key(&boot) {
            return Answer::Fenced;
        }
        if self.view.as_ref().is_none_or(|view| view.incarnation != self.incarnation) {
            self.adopt(time);
        }
        let view = self.view.as_mut().expect("adopted");
        let disagree: BTreeSet<u8> = view
            .members
            .values()
            .flat_map(|member| &member.profile.keys)
            .filter(|(id, key)| profile.keys.get(id).is_some_and(|ours| ours != *key))
            .map(|(id, _)| *id)
            .collect();
        if !disagree.is_empty() {
            return Answer::KeysDisagree(disagree.into_iter().collect());
        }
        if !view.members.contains_key(&boot) {
            let version = self.raise(time);
            let member =
                Member { profile: profile.clone(), draining: false, acked: version, busy: busy.clone() };
            self.view.as_mut().expect("adopted").members.insert(boot, member);
        }
        Answer::Joined { view: self.view.clone().expect("adopted"), time }
    }

    /// The store lost its memory, or part of it: nobody who was a member still is one.
    fn adopt(&mut self, time: RedisMillis) {
        let old = self.view.take();
        let members = old.as_ref().map(|view| view.members.keys().copied().collect::<Vec<_>>());
        let (version, opened, orphans) =
            old.map_or_else(Default::default, |view| (view.version, view.opened, view.orphans));
        self.view = Some(View {
            version,
            incarnation: self.incarnation.clone(),
            open: self.mutants.has(Mutant::NoHoldAfterLoss),
            opened,
            members: BTreeMap::new(),
            orphans,
        });
        for boot in members.unwrap_or_default() {
            self.freeze(boot);
            self.view.as_mut().expect("just made").orphans.insert(boot);
        }
        self.raise(time);
    }

    fn renew(&mut self, time: RedisMillis, boot: Boot) -> Answer {
        let Some(counter) = self.leases.get_mut(&boot) else { return Answer::Fenced };
        *counter += 1;
        let claimed = self.inboxes.get(&boot).map_or(0, |inbox| inbox.claimed.len());
        Answer::Renewed(Renewal { counter: *counter, incarnation: self.incarnation.clone(), time, claimed })
    }

    fn send(
        &mut self,
        time: RedisMillis,
        to: Boot,
        stream: Stream,
        sender: ProcessId,
        number: u64,
        frame: &Bytes,
    ) -> Sent {
        let entry = self.next_entry(time);
        let Some(inbox) = self.inboxes.get_mut(&to) else {
            let kept = self.old_cursors.get(&(to, stream, sender)).is_some_and(|last| *last >= number);
            return if kept { Sent::Kept } else { Sent::Gone };
        };
        if inbox.cursors.get(&(stream, sender)).is_some_and(|last| *last >= number)
            && !self.mutants.has(Mutant::NoCursor)
        {
            return Sent::Before;
        }
        let entries = match stream {
            Stream::Requests if inbox.requests.len() >= self.inbox_frames_max => return Sent::Full,
            Stream::Requests => &mut inbox.requests,
            Stream::Replies => &mut inbox.replies,
        };
        entries.insert(entry, frame.clone());
        inbox.cursors.insert((stream, sender), number);
        self.last_entry = entry;
        Sent::Now
    }

    fn next_entry(&self, time: RedisMillis) -> EntryId {
        let last = self.last_entry;
        if time.as_u64() > last.ms {
            EntryId { ms: time.as_u64(), number: 0 }
        } else {
            EntryId { ms: last.ms, number: last.number + 1 }
        }
    }

    fn read_requests(&mut self, boot: Boot, frames_max: usize) -> Option<Answer> {
        let Some(inbox) = self.inboxes.get_mut(&boot) else { return Some(Answer::Gone) };
        let new =
            inbox.requests.range((std::ops::Bound::Excluded(inbox.delivered), std::ops::Bound::Unbounded));
        let frames: Vec<_> = new.take(frames_max).map(|(entry, frame)| (*entry, frame.clone())).collect();
        let (last, _) = frames.last()?;
        inbox.delivered = *last;
        inbox.claimed.extend(frames.iter().map(|(entry, _)| *entry));
        Some(Answer::Frames(frames))
    }

    fn read_claimed(&self, boot: Boot, after: EntryId, frames_max: usize) -> Answer {
        let Some(inbox) = self.inboxes.get(&boot) else { return Answer::Gone };
        let claimed = inbox.claimed.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded));
        let frame = |entry: &EntryId| Some((*entry, inbox.requests.get(entry)?.clone()));
        Answer::Frames(claimed.filter_map(frame).take(frames_max).collect())
    }

    fn read_replies(&self, boot: Boot, after: EntryId, frames_max: usize) -> Option<Answer> {
        let Some(inbox) = self.inboxes.get(&boot) else { return Some(Answer::Gone) };
        let new = inbox.replies.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded));
        let frames: Vec<_> = new.take(frames_max).map(|(entry, frame)| (*entry, frame.clone())).collect();
        (!frames.is_empty()).then_some(Answer::Frames(frames))
    }

    fn fence(&mut self, boot: Boot, counter: u64) -> Answer {
        let fits = match self.leases.get(&boot) {
            None => false,
            Some(_) if self.mutants.has(Mutant::FenceAnyCounter) => true,
            Some(there) => *there == counter,
        };
        if fits {
            self.freeze(boot);
            if self.mutants.has(Mutant::FenceHandsOver) {
                return Answer::Orphan(self.orphans.remove(&boot).map(|inbox| inbox.left()));
            }
        }
        Answer::Fencing(fits)
    }

    /// Ends a session: from here on nothing is added to its streams and nothing is claimed from them.
    fn freeze(&mut self, boot: Boot) {
        self.leases.remove(&boot);
        if let Some(mut inbox) = self.inboxes.remove(&boot) {
            if self.mutants.has(Mutant::CursorDropped) {
                inbox.cursors.clear();
            }
            for ((stream, sender), last) in inbox.cursors.drain() {
                self.old_cursors.insert((boot, stream, sender), last);
            }
            self.gone.insert(boot);
            self.orphans.insert(boot, inbox);
        }
    }

    fn make_orphan(&mut self, time: RedisMillis, boot: Boot) {
        let Some(view) = &mut self.view else { return };
        if view.members.remove(&boot).is_some() {
            view.orphans.insert(boot);
            self.raise(time);
        }
    }

    fn orphan(&mut self, boot: Boot) -> Option<Orphan> {
        if self.mutants.has(Mutant::OrphanReadEarly)
            && let Some(inbox) = self.inboxes.get(&boot)
        {
            return Some(inbox.left());
        }
        if !self.view.as_ref()?.orphans.contains(&boot) {
            return None;
        }
        self.freeze(boot);
        let left = self.orphans.get(&boot).map(Inbox::left);
        Some(left.unwrap_or_default())
    }

    fn orphan_done(&mut self, boot: Boot, requests: &[EntryId], replies: &[EntryId]) -> Answer {
        let empty = match self.orphans.get_mut(&boot) {
            None => true,
            Some(inbox) => {
                for entry in requests {
                    inbox.requests.remove(entry);
                    inbox.claimed.remove(entry);
                }
                for entry in replies {
                    inbox.replies.remove(entry);
                }
                inbox.is_settled()
            }
        };
        if empty {
            self.orphans.remove(&boot);
            if let Some(view) = &mut self.view
                && !self.inboxes.contains_key(&boot)
            {
                view.orphans.remove(&boot);
            }
        }
        Answer::Done
    }

    fn leave(&mut self, time: RedisMillis, boot: Boot) -> bool {
        let empty = self.inboxes.get(&boot).is_none_or(|inbox| inbox.requests.is_empty());
        if !empty && !self.mutants.has(Mutant::LeaveFull) {
            return false;
        }
        let there = self.leases.contains_key(&boot);
        if there {
            self.freeze(boot);
            self.orphans.remove(&boot);
            let view = self.view.as_mut();
            if view.is_some_and(|view| view.members.remove(&boot).is_some()) {
                self.raise(time);
            }
        }
        true
    }

    fn raise(&mut self, time: RedisMillis) -> ViewVersion {
        let view = self.view.as_mut().expect("there is a view");
        let next = view.version.as_u64() + 1;
        let clock = if self.mutants.has(Mutant::CountingVersion) { 0 } else { time.as_u64() };
        view.version = ViewVersion::from_u64(next.max(clock));
        view.version
    }

    fn begin(&mut self, time: RedisMillis, idempotency: Idempotency, ours: Record, again: bool) -> Verdict {
        let Idempotency { key, digest } = idempotency;
        let overwrite = self.mutants.has(Mutant::BeginOverwrites);
        match self.record(time, key) {
            Some(kept) if !overwrite => match &kept.record {
                record if *record == ours => return Verdict::Run,
                record if ours.follows(record) => {}
                _ if kept.digest != digest => return Verdict::Conflict,
                Record::Unknown { .. } if again => {}
                record => return Verdict::Taken(record.clone()),
            },
            _ => {}
        }
        self.keep(time, key, digest, ours, RUNNING_MS);
        Verdict::Run
    }

    fn record(&mut self, time: RedisMillis, key: u128) -> Option<&Kept> {
        if self.records.get(&key).is_some_and(|kept| kept.until <= time) {
            self.records.remove(&key);
        }
        self.records.get(&key)
    }

    fn keep(&mut self, time: RedisMillis, key: u128, digest: u128, record: Record, retention_ms: u64) {
        let until = RedisMillis::from_u64(time.as_u64().saturating_add(retention_ms));
        self.records.insert(key, Kept { digest, record, until });
    }
}

impl Inbox {
    fn left(&self) -> Orphan {
        let (claimed, rest): (Vec<_>, Vec<_>) =
            self.requests.iter().partition(|(entry, _)| self.claimed.contains(entry));
        let owned = |entries: Vec<(&EntryId, &Bytes)>| {
            entries.into_iter().map(|(entry, frame)| (*entry, frame.clone())).collect()
        };
        Orphan {
            claimed: owned(claimed),
            undelivered: owned(rest.into_iter().filter(|(entry, _)| **entry > self.delivered).collect()),
            replies: owned(self.replies.iter().collect()),
        }
    }

    /// Whether nothing is left that somebody waits for. Entries that were settled but not yet deleted are nothing.
    fn is_settled(&self) -> bool {
        self.claimed.is_empty()
            && self.requests.keys().all(|entry| *entry <= self.delivered)
            && self.replies.is_empty()
    }
}

impl Record {
    /// Whether this is a later attempt at the call that the other one began, and which so certainly did not start.
    fn follows(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Running { call, attempt, .. },
                Self::Running { call: earlier_call, attempt: earlier, .. },
            ) => call == earlier_call && attempt > earlier,
            _ => false,
        }
    }
}
