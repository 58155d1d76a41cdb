//! The store in memory: what Redis and its scripts do, as plain code. Simulations run on it, and a conformance suite
//! holds both to the same answers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use callboard_protocol::identity::{Boot, Incarnation, ProcessId, RedisMillis, ViewVersion};

use super::{idempotency::Kept, inbox::Inbox};
use crate::{
    Slot,
    mutant::{Mutant, Mutants},
    store::{Answer, Command, EntryId, Member, Orphan, Profile, Renewal, Stream, View},
};

/// All that the nodes of one cluster share.
#[derive(Clone, Debug)]
pub struct Store {
    incarnation: Incarnation,
    pub(super) inbox_frames_max: usize,
    pub(super) mutants: Mutants,
    view: Option<View>,
    pub(super) leases: HashMap<Boot, u64>,
    /// The number of the last thing that a member said of its slots.
    said: HashMap<Boot, u64>,
    pub(super) inboxes: HashMap<Boot, Inbox>,
    orphans: HashMap<Boot, Inbox>,
    /// Cursors of what is gone: (session, stream, sender) → number of the last frame.
    pub(super) old_cursors: HashMap<(Boot, Stream, ProcessId), u64>,
    /// Sessions that were fenced or left: they do not come back.
    gone: HashSet<Boot>,
    pub(super) records: HashMap<u128, Kept>,
    /// When they are forgotten.
    pub(super) expiring: BTreeSet<(RedisMillis, u128)>,
    pub(super) last_entry: EntryId,
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
            said: HashMap::new(),
            inboxes: HashMap::new(),
            orphans: HashMap::new(),
            old_cursors: HashMap::new(),
            gone: HashSet::new(),
            records: HashMap::new(),
            expiring: BTreeSet::new(),
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
            Command::Settle { boot, entries } => self.settle(*boot, entries),
            Command::TrimReplies { boot, through } => self.trim_replies(*boot, *through),
            Command::Fence { boot, counter } => self.fence(*boot, *counter),
            Command::Evict { boot } => self.evict(time, *boot),
            Command::Orphan { boot, requests_after, replies_after, frames_max } => {
                Answer::Orphan(self.orphan(*boot, *requests_after, *replies_after, *frames_max))
            }
            Command::OrphanDone { boot, requests, replies } => self.orphan_done(*boot, requests, replies),
            Command::AckView { boot, version, busy, number } => self.ack_view(*boot, *version, busy, *number),
            Command::Drain { boot } => self.drain(time, *boot),
            Command::Leave { boot } => Answer::Left(self.leave(time, *boot)),
            Command::Open { incarnation } => self.open(time, incarnation),
            Command::IdempotencyBegin { .. }
            | Command::IdempotencyFinish { .. }
            | Command::IdempotencyAbandon { .. }
            | Command::IdempotencyResolve { .. }
            | Command::IdempotencyRestore { .. } => self.execute_on_records(time, command),
        })
    }

    fn evict(&mut self, time: RedisMillis, boot: Boot) -> Answer {
        if !self.leases.contains_key(&boot) || self.mutants.has(Mutant::EvictFirst) {
            self.make_orphan(time, boot);
        }
        Answer::View(self.view.clone())
    }

    fn member(&mut self, boot: Boot) -> Option<&mut Member> {
        self.view.as_mut()?.members.get_mut(&boot)
    }

    fn ack_view(&mut self, boot: Boot, version: ViewVersion, busy: &BTreeSet<Slot>, number: u64) -> Answer {
        let said = self.said.get(&boot).copied().unwrap_or(0);
        if number > said
            && let Some(member) = self.member(boot)
        {
            (member.acked, member.busy) = (version, busy.clone());
            self.said.insert(boot, number);
        }
        Answer::Done
    }

    fn drain(&mut self, time: RedisMillis, boot: Boot) -> Answer {
        if let Some(member) = self.member(boot)
            && !member.draining
        {
            member.draining = true;
            self.raise(time);
        }
        Answer::View(self.view.clone())
    }

    fn open(&mut self, time: RedisMillis, incarnation: &Incarnation) -> Answer {
        let same = *incarnation == self.incarnation;
        let view = self.view.as_mut().filter(|view| same && !view.open && view.incarnation == *incarnation);
        if let Some(view) = view {
            view.open = true;
            let opened = next_version(view, time, self.mutants);
            (view.version, view.opened) = (opened, opened);
        }
        Answer::View(self.view.clone())
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
        let mut view = match self.view.take() {
            Some(view) if view.incarnation == self.incarnation => view,
            old => self.adopt(time, old),
        };
        let disagree: BTreeSet<u8> = view
            .members
            .values()
            .flat_map(|member| &member.profile.keys)
            .filter(|(id, key)| profile.keys.get(id).is_some_and(|ours| ours != *key))
            .map(|(id, _)| *id)
            .collect();
        if disagree.is_empty() && !view.members.contains_key(&boot) {
            view.version = next_version(&view, time, self.mutants);
            let (profile, acked, busy) = (profile.clone(), view.version, busy.clone());
            view.members.insert(boot, Member { profile, draining: false, acked, busy });
        }
        self.view = Some(view.clone());
        if disagree.is_empty() {
            Answer::Joined { view, time }
        } else {
            Answer::KeysDisagree(disagree.into_iter().collect())
        }
    }

    /// The store lost its memory, or part of it: nobody who was a member still is one.
    fn adopt(&mut self, time: RedisMillis, old: Option<View>) -> View {
        let members = old.as_ref().map(|view| view.members.keys().copied().collect::<Vec<_>>());
        let (version, opened, orphans) =
            old.map_or_else(Default::default, |view| (view.version, view.opened, view.orphans));
        let mut view = View {
            version,
            incarnation: self.incarnation.clone(),
            open: self.mutants.has(Mutant::NoHoldAfterLoss),
            opened,
            members: BTreeMap::new(),
            orphans,
        };
        for boot in members.unwrap_or_default() {
            self.freeze(boot);
            view.orphans.insert(boot);
        }
        view.version = next_version(&view, time, self.mutants);
        view
    }

    fn renew(&mut self, time: RedisMillis, boot: Boot) -> Answer {
        let Some(counter) = self.leases.get_mut(&boot) else { return Answer::Fenced };
        *counter += 1;
        let claimed = self.inboxes.get(&boot).map_or(0, |inbox| inbox.claimed.len());
        Answer::Renewed(Renewal { counter: *counter, incarnation: self.incarnation.clone(), time, claimed })
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
                return Answer::Orphan(
                    self.orphans
                        .remove(&boot)
                        .map(|inbox| inbox.left(EntryId::default(), EntryId::default(), usize::MAX)),
                );
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

    fn orphan(
        &mut self,
        boot: Boot,
        requests_after: EntryId,
        replies_after: EntryId,
        frames_max: usize,
    ) -> Option<Orphan> {
        let left = |inbox: &Inbox| inbox.left(requests_after, replies_after, frames_max);
        if self.mutants.has(Mutant::OrphanReadEarly)
            && let Some(inbox) = self.inboxes.get(&boot)
        {
            return Some(left(inbox));
        }
        if !self.view.as_ref()?.orphans.contains(&boot) {
            return None;
        }
        self.freeze(boot);
        Some(self.orphans.get(&boot).map(left).unwrap_or_default())
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

    /// Membership changed.
    fn raise(&mut self, time: RedisMillis) {
        if let Some(view) = &mut self.view {
            view.version = next_version(view, time, self.mutants);
        }
    }
}

/// The version after a change: it grows with the clock, too, and so across a roll-back.
fn next_version(view: &View, time: RedisMillis, mutants: Mutants) -> ViewVersion {
    let clock = if mutants.has(Mutant::CountingVersion) { 0 } else { time.as_u64() };
    ViewVersion::from_u64(clock.max(view.version.as_u64() + 1))
}
