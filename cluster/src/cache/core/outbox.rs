//! Marks on their way to the log, and what whoever publishes them waits for.
//!
//! A publication counts only in the epoch that it stands in. Until every lease that knows nothing of it has ended, which
//! is long after some were answered, it is kept: if the epoch is over by then, it is published again.
//!
//! However long the store is away, and however much is published meanwhile, a bounded number of marks is kept: of more, all
//! that is said is that everything is stale.

use std::{collections::VecDeque, mem, sync::Arc};

use callboard_protocol::revalidation::{Epoch, LogPosition};

use super::{
    Core, Invariant, Purpose,
    log::next,
    parcel::{Parcel, Waiting},
};
use crate::{
    cache::{
        io::{Output, PublicationId, Wait},
        store::{Answer, Command, Entry, Mark},
    },
    clock::Instant,
    mutant::Mutant,
    store::Failure,
};

#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// To be published.
    waiting: VecDeque<Parcel>,
    under_way: Option<UnderWay>,
    /// What stands in the log of the current epoch, in order, and which readers may not have.
    placed: VecDeque<Placed>,
    /// Marks of `placed`.
    placed_marks: usize,
    /// Up to where those that wait for the log alone were answered.
    told: LogPosition,
    /// Up to where every registered reader has applied.
    everywhere: LogPosition,
}

/// What is being published.
#[derive(Debug)]
struct UnderWay {
    parcel: Parcel,
    marks: Option<Arc<[Mark]>>,
    /// Up to where this node had applied everything, which the store learns with it.
    after: LogPosition,
}

/// An entry of this node.
#[derive(Debug)]
struct Placed {
    position: LogPosition,
    /// When this node learned that it stands there.
    at: Instant,
    /// Whether as many replicas have it as are wanted: until then it counts for nothing, and is not appended again.
    is_replicated: bool,
    parcel: Parcel,
}

impl Outbox {
    pub(super) fn marks(&self) -> usize {
        let under_way = self.under_way.as_ref().map_or(0, |under_way| under_way.parcel.size());
        self.waiting_marks() + under_way + self.placed_marks
    }

    fn waiting_marks(&self) -> usize {
        self.waiting.iter().map(Parcel::size).sum()
    }

    /// Whether nothing is left to be published, and everybody has what was.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_none() && self.placed.is_empty()
    }

    /// Whether nothing is left to be published, and nobody waits for what was.
    pub(super) fn is_answered(&self) -> bool {
        let is_awaited = self.placed.iter().any(|placed| placed.parcel.is_awaited());
        self.waiting.is_empty() && self.under_way.is_none() && !is_awaited
    }

    /// Whether this may be the place of what is being published, which the store then knows to be applied here.
    pub(super) fn may_stand_at(&self, position: LogPosition) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| position == next(under_way.after))
    }

    /// Puts something behind all that waits.
    fn put(&mut self, parcel: Parcel, entry_max: usize) {
        let left = match self.waiting.back_mut() {
            Some(last) => last.take(parcel, entry_max).err(),
            None => Some(parcel),
        };
        self.waiting.extend(left);
    }

    /// Puts what is to be published again before all that waits.
    fn put_back(&mut self, parcels: Vec<Parcel>, entry_max: usize) {
        let waiting = mem::take(&mut self.waiting);
        for parcel in parcels.into_iter().chain(waiting) {
            self.put(parcel, entry_max);
        }
    }

    /// Keeps no more marks than this of what waits; whether there were more.
    fn bound(&mut self, marks_max: usize) -> bool {
        let is_too_much = self.waiting_marks() > marks_max;
        if is_too_much && let Some(mut all) = self.waiting.pop_front() {
            all.say_everything();
            for parcel in mem::take(&mut self.waiting) {
                // What says everything takes in whatever there is.
                let _none = all.take(parcel, marks_max);
            }
            self.waiting.push_back(all);
        }
        is_too_much
    }

    fn place(&mut self, mut placed: Placed, marks_max: usize) {
        if self.placed_marks + placed.parcel.size() > marks_max {
            // It stands in the log. Only if it has to be published again does it say more than before.
            placed.parcel.say_everything();
        }
        self.placed_marks += placed.parcel.size();
        self.placed.push_back(placed);
    }
}

impl Core {
    pub(super) fn publish(&mut self, id: PublicationId, marks: &[Mark], wait: Wait) {
        if marks.is_empty() {
            return self.io.put(Output::Published(id, None));
        }
        let waits_for_nothing = match wait {
            Wait::Eventual => true,
            Wait::Session => self.io.has(Mutant::SessionAtOnce),
            Wait::Strict => false,
        };
        if waits_for_nothing {
            let position = self.io.has(Mutant::SessionAtOnce).then_some(self.log.applied());
            self.io.put(Output::Published(id, position));
        }
        let entry_max = self.io.settings.entry_marks_max.max(1);
        let chunks = marks.chunks(entry_max);
        let last = chunks.len() - 1;
        for (number, chunk) in chunks.enumerate() {
            let waiting = (number == last && !waits_for_nothing).then_some(Waiting { id, wait });
            self.outbox.put(Parcel::new(chunk, waiting), entry_max);
        }
        self.bound_outbox();
    }

    fn bound_outbox(&mut self) {
        let is_too_much = self.outbox.bound(self.io.settings.outbox_marks_max);
        self.io.counters.overflows += u64::from(is_too_much);
    }

    /// Who waited for this waits no more. It is published all the same.
    pub(super) fn forget(&mut self, id: PublicationId) {
        let Outbox { waiting, under_way, placed, .. } = &mut self.outbox;
        let under_way = under_way.iter_mut().map(|under_way| &mut under_way.parcel);
        let placed = placed.iter_mut().map(|placed| &mut placed.parcel);
        waiting.iter_mut().chain(under_way).chain(placed).for_each(|parcel| parcel.forget(id));
    }

    /// Publishes what waits, as one entry. One at a time: the next takes what came meanwhile, and none goes out while
    /// replicas lack the last.
    pub(super) fn send_publications(&mut self) {
        let Outbox { waiting, under_way, placed, .. } = &self.outbox;
        let lacks_replicas = placed.back().is_some_and(|last| !last.is_replicated);
        let is_due = under_way.is_none() && !waiting.is_empty() && !lacks_replicas;
        let Some(epoch) = self.epochs.current().filter(|_| is_due && self.may_ask()) else { return };
        let Some(parcel) = self.outbox.waiting.pop_front() else { return };
        let (marks, after) = (parcel.marks(), self.log.applied());
        self.outbox.under_way = Some(UnderWay { parcel, marks: marks.clone(), after });
        self.io.ask(Command::Publish { process: self.me, epoch, after, marks }, Purpose::Publish);
    }

    pub(super) fn published(&mut self, answer: Result<Answer, Failure>) {
        let Some(UnderWay { parcel, marks, after }) = self.outbox.under_way.take() else { return };
        let current = self.epochs.current();
        let (position, is_replicated) = match answer {
            Ok(Answer::Published { position, following, has_others })
                if Some(position.epoch()) == current =>
            {
                self.follow(&following, position);
                if !has_others {
                    self.everywhere(position);
                }
                (position, true)
            }
            Ok(Answer::Unreplicated { appended: Some(position) }) if Some(position.epoch()) == current => {
                (position, false)
            }
            // It may stand in the log all the same: twice is as good as once.
            _ => return self.outbox.put_back(vec![parcel], self.io.settings.entry_marks_max.max(1)),
        };
        self.io.counters.published += 1;
        let placed = Placed { position, at: self.io.now, is_replicated: false, parcel };
        self.outbox.place(placed, self.io.settings.outbox_marks_max);
        if is_replicated {
            self.replicated(self.io.now);
        }
        self.take_entry(&Entry { position, marks });
        if is_replicated {
            self.acknowledged_with_entry(after, position);
        }
        if self.log.applied() < position || !is_replicated {
            self.look();
        }
    }

    /// The replicas have whatever was known to stand in the log at an instant.
    pub(super) fn replicated(&mut self, asked: Instant) {
        for placed in self.outbox.placed.iter_mut().rev().skip_while(|placed| placed.at > asked) {
            if mem::replace(&mut placed.is_replicated, true) {
                break;
            }
            for waiting in placed.parcel.waiting() {
                self.io.put(Output::Placed(waiting.id));
            }
        }
    }

    /// Every registered reader has applied everything up to here.
    pub(super) fn everywhere(&mut self, position: LogPosition) {
        let Some(current) = self.epochs.current() else { return };
        if position.epoch() == current {
            self.outbox.everywhere = self.outbox.everywhere.max(position);
        } else if self.io.has(Mutant::WatermarkOfAnyEpoch) {
            let same = LogPosition::new(current, position.sequence()).unwrap_or_default();
            self.outbox.everywhere = self.outbox.everywhere.max(same);
        }
    }

    /// What this node published in an epoch that is over counts no more.
    pub(super) fn outbox_enter(&mut self, epoch: Epoch) {
        let mut again = Vec::new();
        for Placed { position, mut parcel, .. } in mem::take(&mut self.outbox.placed) {
            let is_forgotten = self.io.has(Mutant::EpochForgets)
                || (!parcel.is_awaited() && self.io.has(Mutant::AnsweredForgotten));
            if is_forgotten {
                self.answer(&parcel.answer(|_| true), position);
            } else {
                again.push(parcel);
            }
        }
        self.io.counters.published_again += again.len() as u64;
        again.extend(self.outbox.under_way.take().map(|under_way| under_way.parcel));
        self.outbox.placed_marks = 0;
        self.outbox.put_back(again, self.io.settings.entry_marks_max.max(1));
        self.bound_outbox();
        self.outbox.told = epoch.start();
        self.outbox.everywhere = epoch.start();
    }

    /// Answers whatever has come true.
    pub(super) fn settle(&mut self) {
        self.tell_placed();
        while let Some(first) = self.outbox.placed.front() {
            let is_applied = self.log.applied() >= first.position && first.is_replicated;
            let Some(is_fast) = self.seen_by_all(first).filter(|_| is_applied) else { break };
            let Some(Placed { position, mut parcel, .. }) = self.outbox.placed.pop_front() else { break };
            let counters = &mut self.io.counters;
            let confirmed =
                if is_fast { &mut counters.confirmed_fast } else { &mut counters.confirmed_slowly };
            *confirmed += 1;
            self.outbox.placed_marks -= parcel.size();
            self.answer(&parcel.answer(|_| true), position);
        }
    }

    /// Answers those who wait for the log alone, once this node has applied what stands there.
    fn tell_placed(&mut self) {
        let (applied, told) = (self.log.applied(), self.outbox.told);
        let waits_for_none = self.io.has(Mutant::AnswerAtOnce) || self.io.has(Mutant::NoLease);
        let mut placed = mem::take(&mut self.outbox.placed);
        // From the newest: most were looked at before.
        for one in placed.iter_mut().rev().take_while(|one| one.position > told) {
            if one.position > applied || !one.is_replicated {
                continue;
            }
            self.outbox.told = self.outbox.told.max(one.position);
            let answered = one.parcel.answer(|wait| wait == Wait::Session || waits_for_none);
            self.answer(&answered, one.position);
        }
        self.outbox.placed = placed;
    }

    fn answer(&mut self, answered: &[Waiting], position: LogPosition) {
        if answered.is_empty() {
            return;
        }
        if position > self.log.applied() {
            self.io.counters.violated(Invariant::Pub1, "a publication is answered before it is applied here");
        }
        for waiting in answered {
            self.io.put(Output::Published(waiting.id, Some(position)));
        }
    }

    /// Whether no reader serves anything older than this entry any more, and whether that is known from them.
    fn seen_by_all(&self, placed: &Placed) -> Option<bool> {
        if !self.io.settings.shared || (self.has_grace_ended() && self.outbox.everywhere >= placed.position) {
            return Some(true);
        }
        let outwaited = placed.at + self.io.lease_outwaited();
        let is_unconfirmed = self.io.has(Mutant::NoConfirm) && self.io.now >= outwaited;
        (self.epochs.confirmed() >= outwaited || is_unconfirmed).then_some(false)
    }

    /// Whether no lease of an earlier epoch is left, and none of them was carried into a later one: a command that began
    /// after they had ended was executed in this one.
    fn has_grace_ended(&self) -> bool {
        let ends = self.grace_ends();
        let by_clock = self.io.has(Mutant::GraceUnconfirmed) && self.io.now >= ends;
        self.epochs.confirmed() >= ends || by_clock || self.io.has(Mutant::NoGrace)
    }

    fn grace_ends(&self) -> Instant {
        self.epochs.opened_at() + self.io.lease_outwaited()
    }

    /// When a command is to be begun so that the first entry that is not everywhere counts.
    pub(super) fn confirmation_wanted(&self) -> Option<Instant> {
        let first = self.outbox.placed.front().filter(|_| self.io.settings.shared)?;
        let outwaited = first.at + self.io.lease_outwaited();
        let grace = (self.outbox.everywhere >= first.position).then(|| self.grace_ends());
        [Some(outwaited), grace].into_iter().flatten().filter(|at| *at > self.epochs.confirmed()).min()
    }
}
