//! Marks on their way to the log, and what whoever publishes them waits for.
//!
//! A publication counts only in the epoch that it stands in. Until every lease that knows nothing of it has ended, which
//! is long after some were answered, it is kept: if the epoch is over by then, it is published again.

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    sync::Arc,
};

use callboard_protocol::revalidation::{Epoch, LogPosition};

use super::{Core, Invariant, Purpose};
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
    waiting: VecDeque<Part>,
    /// What is being published, and as which marks.
    under_way: Option<(Vec<Part>, Arc<[Mark]>)>,
    /// What stands in the log of the current epoch, in order, and which readers may not have.
    placed: VecDeque<Placed>,
    /// Up to where those that wait for the log alone were answered.
    told: LogPosition,
    /// Up to where every registered reader has applied.
    everywhere: LogPosition,
    /// Publications that nobody has to wait for but for room.
    crowded_out: VecDeque<PublicationId>,
    marks: usize,
}

/// A publication, or a part of one that is too large for one entry.
#[derive(Debug)]
struct Part {
    id: PublicationId,
    marks: Arc<[Mark]>,
    wait: Wait,
    /// Whether somebody waits for it still: for the last part, unless nobody ever did.
    is_awaited: bool,
}

/// An entry of this node.
#[derive(Debug)]
struct Placed {
    position: LogPosition,
    /// When this node learned that it stands there.
    at: Instant,
    parts: Vec<Part>,
}

impl Outbox {
    pub(super) fn marks(&self) -> usize {
        self.marks
    }

    /// Whether nothing is left to be published, and everybody has what was.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_none() && self.placed.is_empty()
    }

    /// Whether nothing is left to be published, and nobody waits for what was.
    pub(super) fn is_answered(&self) -> bool {
        let mut placed = self.placed.iter().flat_map(|placed| &placed.parts);
        self.waiting.is_empty() && self.under_way.is_none() && !placed.any(|part| part.is_awaited)
    }

    fn requeue(&mut self, parts: Vec<Part>) {
        for part in parts.into_iter().rev() {
            self.waiting.push_front(part);
        }
    }

    /// Parts for the next entry, and what they say together.
    fn next_parts(&mut self, marks_max: usize) -> (Vec<Part>, Arc<[Mark]>) {
        let (mut parts, mut count) = (Vec::new(), 0);
        while let Some(next) = self.waiting.front() {
            count += next.marks.len();
            if count > marks_max && !parts.is_empty() {
                break;
            }
            parts.extend(self.waiting.pop_front());
        }
        let marks: BTreeSet<Mark> = parts.iter().flat_map(|part| part.marks.iter().copied()).collect();
        (parts, marks.into_iter().collect())
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
        let chunks = marks.chunks(self.io.settings.entry_marks_max.max(1));
        let last = chunks.len() - 1;
        for (number, chunk) in chunks.enumerate() {
            let is_awaited = number == last && !waits_for_nothing;
            self.outbox.waiting.push_back(Part { id, marks: chunk.into(), wait, is_awaited });
        }
        self.outbox.marks += marks.len();
        if waits_for_nothing {
            self.outbox.crowded_out.push_back(id);
        }
    }

    /// Publishes everything that waits, as one entry. One at a time: the next takes what came meanwhile.
    pub(super) fn send_publications(&mut self) {
        let is_due = self.outbox.under_way.is_none() && !self.outbox.waiting.is_empty();
        let Some(epoch) = self.epochs.current().filter(|_| is_due && self.may_ask()) else { return };
        let (parts, marks) = self.outbox.next_parts(self.io.settings.entry_marks_max);
        self.outbox.under_way = Some((parts, Arc::clone(&marks)));
        let command = Command::Publish { process: self.me, epoch, after: self.log.applied(), marks };
        self.io.ask(command, Purpose::Publish);
    }

    pub(super) fn published(&mut self, answer: Result<Answer, Failure>) {
        let Some((parts, marks)) = self.outbox.under_way.take() else { return };
        let current = self.epochs.current();
        match answer {
            Ok(Answer::Published { position, following, has_others })
                if Some(position.epoch()) == current =>
            {
                self.io.counters.published += 1;
                self.outbox.placed.push_back(Placed { position, at: self.io.now, parts });
                self.follow(&following, position);
                self.take_entry(&Entry { position, marks: Some(marks) });
                if !has_others {
                    self.everywhere(position);
                }
                if self.log.applied() < position {
                    self.look();
                }
            }
            // It may stand in the log all the same: twice is as good as once.
            _ => self.outbox.requeue(parts),
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
        let under_way = self.outbox.under_way.take().map(|(parts, _)| parts);
        let placed = mem::take(&mut self.outbox.placed);
        let mut again: Vec<_> = under_way.into_iter().flatten().collect();
        for Placed { position, parts, .. } in placed.into_iter().rev() {
            let (kept, dropped) = parts.into_iter().partition::<Vec<_>, _>(|part| {
                let is_forgotten = self.io.has(Mutant::EpochForgets)
                    || (!part.is_awaited && self.io.has(Mutant::AnsweredForgotten));
                !is_forgotten
            });
            for mut part in dropped {
                self.outbox.marks -= part.marks.len();
                self.answer(&mut part, position);
            }
            self.io.counters.published_again += kept.len() as u64;
            again.splice(0..0, kept);
        }
        self.outbox.requeue(again);
        self.outbox.told = epoch.start();
        self.outbox.everywhere = epoch.start();
    }

    /// Answers whatever has come true.
    pub(super) fn settle(&mut self) {
        self.tell_placed();
        while let Some(first) = self.outbox.placed.front() {
            let is_applied = self.log.applied() >= first.position;
            let Some(is_fast) = self.seen_by_all(first).filter(|_| is_applied) else { break };
            let Some(Placed { position, parts, .. }) = self.outbox.placed.pop_front() else { break };
            let counters = &mut self.io.counters;
            let confirmed =
                if is_fast { &mut counters.confirmed_fast } else { &mut counters.confirmed_slowly };
            *confirmed += 1;
            for mut part in parts {
                self.outbox.marks -= part.marks.len();
                self.answer(&mut part, position);
            }
        }
        while self.outbox.marks <= self.io.settings.outbox_marks_max {
            let Some(id) = self.outbox.crowded_out.pop_front() else { break };
            let position = self.io.has(Mutant::SessionAtOnce).then_some(self.log.applied());
            self.io.put(Output::Published(id, position));
        }
    }

    /// Answers those who wait for the log alone, once this node has applied what stands there.
    fn tell_placed(&mut self) {
        let (applied, told) = (self.log.applied(), self.outbox.told);
        let waits_for_none = self.io.has(Mutant::AnswerAtOnce) || self.io.has(Mutant::NoLease);
        let mut placed = mem::take(&mut self.outbox.placed);
        // From the newest: most were looked at before.
        for Placed { position, parts, .. } in placed.iter_mut().rev().take_while(|one| one.position > told) {
            if *position > applied {
                continue;
            }
            self.outbox.told = self.outbox.told.max(*position);
            for part in parts {
                if part.wait == Wait::Session || waits_for_none {
                    self.answer(part, *position);
                }
            }
        }
        self.outbox.placed = placed;
    }

    fn answer(&mut self, part: &mut Part, position: LogPosition) {
        if mem::take(&mut part.is_awaited) {
            if position > self.log.applied() {
                self.io
                    .counters
                    .violated(Invariant::Pub1, "a publication is answered before it is applied here");
            }
            self.io.put(Output::Published(part.id, Some(position)));
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
