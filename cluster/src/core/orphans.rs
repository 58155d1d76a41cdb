//! What fenced sessions left: two frozen lists, from which any node answers. Nobody sends a call from them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use callboard_protocol::{
    envelope::{Answer, Frame, Message, Reply, Route, Verdict},
    identity::{Boot, Incarnation, ViewVersion},
};

use super::{
    Core, Publication,
    io::{Connection, Purpose},
    post::Ack,
    publications::For,
};
use crate::{
    Slot,
    mutant::Mutant,
    placement,
    store::{Command, EntryId, Orphan, Stream},
};

#[derive(Debug, Default)]
pub(crate) struct Orphans {
    asked: BTreeSet<Boot>,
    work: BTreeMap<Boot, Work>,
}

/// What is still to be done of an orphan.
#[derive(Debug, Default)]
struct Work {
    /// Entries, with how many answers are still to be appended.
    pending: BTreeMap<(Stream, EntryId), usize>,
    /// Calls of claimed entries whose revalidations are on their way to the log.
    unpublished: BTreeMap<EntryId, Vec<Route>>,
    done_requests: Vec<EntryId>,
    done_replies: Vec<EntryId>,
    /// How far it was read.
    requests_through: EntryId,
    replies_through: EntryId,
    /// Whether all of it was read.
    is_read: bool,
    deleting: bool,
}

/// How many frames of each of an orphan's streams are read at once: what comes has to fit the patience that every command
/// gets.
pub(super) const FRAMES_MAX: usize = 8;

impl Work {
    fn done(&mut self, stream: Stream, entry: EntryId) {
        match stream {
            Stream::Requests => self.done_requests.push(entry),
            Stream::Replies => self.done_replies.push(entry),
        }
    }
}

impl Core {
    /// Reads the orphans that are this node's to answer for, piece by piece.
    pub(crate) fn adopt_orphans(&mut self) {
        let Some(view) = self.views.current.clone() else { return };
        self.orphans.work.retain(|boot, _| view.orphans.contains(boot));
        for boot in &view.orphans {
            let slot = Slot::of_orphan(*boot);
            let winner = placement::owner_of(slot, view.members.keys().copied());
            let ours = winner.is_some() && winner == self.session.boot();
            let read = self.orphans.work.get(boot).is_some_and(|work| work.is_read);
            if !ours || read || self.orphans.asked.contains(boot) {
                continue;
            }
            if let Some(early) = self.watch.early.remove(boot) {
                self.answer_orphan(*boot, &early);
                self.answer_orphan(*boot, &Orphan::default());
            } else if self.io.can_ask(Connection::Commands) {
                self.orphans.asked.insert(*boot);
                self.read_orphan(*boot, FRAMES_MAX);
            }
        }
    }

    /// Asks for the next piece of what an orphan left.
    pub(super) fn read_orphan(&mut self, boot: Boot, frames_max: usize) {
        let read = self.orphans.work.get(&boot).map(|work| (work.requests_through, work.replies_through));
        let (requests_after, replies_after) = read.unwrap_or_default();
        let command = Command::Orphan { boot, requests_after, replies_after, frames_max };
        self.io.ask(Connection::Commands, command, Purpose::Orphan(boot));
    }

    /// A piece of what an orphan left was read, or not.
    pub(crate) fn orphan_read(&mut self, boot: Boot, orphan: Result<Option<Orphan>, ()>) {
        self.orphans.asked.remove(&boot);
        if self.io.has(Mutant::OrphanReadEarly) && self.watch.early.contains_key(&boot) {
            if let Ok(Some(orphan)) = orphan {
                self.watch.early.insert(boot, orphan);
            }
            return;
        }
        match orphan {
            Ok(Some(orphan)) => self.answer_orphan(boot, &orphan),
            Ok(None) => self.session.want_view(),
            Err(()) => {}
        }
    }

    /// Answers a piece of what a session left; an empty one is the last.
    pub(crate) fn answer_orphan(&mut self, boot: Boot, orphan: &Orphan) {
        // Only a member knows whether what it reads was written in the memory that it is a member of.
        let Some(incarnation) = self.session.incarnation().cloned() else { return };
        let work = self.orphans.work.entry(boot).or_default();
        let requests = orphan.claimed.iter().chain(&orphan.undelivered).map(|(entry, _)| *entry);
        work.requests_through = requests.max().unwrap_or(work.requests_through);
        let replies = orphan.replies.iter().map(|(entry, _)| *entry);
        work.replies_through = replies.max().unwrap_or(work.replies_through);
        work.is_read = *orphan == Orphan::default();
        for (entry, bytes) in &orphan.claimed {
            let answer = if self.io.has(Mutant::ClaimedMoved) { Answer::Moved } else { Answer::Unknown };
            self.answer_entry(boot, *entry, bytes, answer);
        }
        for (entry, bytes) in &orphan.undelivered {
            let written = Frame::decode(bytes, self.namespace).ok().map(|frame| frame.incarnation);
            let same = written.as_ref() == Some(&incarnation);
            let answer =
                if same || self.io.has(Mutant::AnyIncarnation) { Answer::Moved } else { Answer::Unknown };
            self.answer_entry(boot, *entry, bytes, answer);
        }
        for (entry, bytes) in &orphan.replies {
            self.carry_replies(boot, *entry, bytes);
        }
        self.delete_answered(boot);
    }

    /// Carries replies on to the newest sessions of whoever waits for them.
    fn carry_replies(&mut self, boot: Boot, entry: EntryId, bytes: &Bytes) {
        let messages = Frame::decode(bytes, self.namespace).map(|frame| frame.messages).unwrap_or_default();
        let replies = messages.into_iter().filter_map(|message| match message {
            Message::Reply(reply) => Some(reply),
            _ => None,
        });
        let replies: Vec<Reply> = replies.collect();
        self.expect_answers(boot, Stream::Replies, entry, replies.len());
        for reply in replies {
            self.post_reply(reply, Ack::Orphan(boot, Stream::Replies, entry));
        }
    }

    fn answer_entry(&mut self, boot: Boot, entry: EntryId, bytes: &Bytes, answer: Answer) {
        let messages = match Frame::decode(bytes, self.namespace) {
            Ok(frame) => frame.messages,
            Err(_) => {
                self.io.counters.bad_frames += 1;
                Vec::new()
            }
        };
        let routes: Vec<Route> = messages
            .into_iter()
            .filter_map(|message| match message {
                Message::Request(envelope) => Some(envelope.route),
                _ => None,
            })
            .collect();
        self.expect_answers(boot, Stream::Requests, entry, routes.len());
        if answer == Answer::Moved {
            for route in routes {
                self.answer_route(boot, entry, &route, answer);
            }
            return;
        }
        let declared: BTreeSet<String> =
            routes.iter().flat_map(|route| &route.revalidates).cloned().collect();
        if declared.is_empty() {
            for route in routes {
                self.answer_route(boot, entry, &route, answer);
            }
        } else {
            let work = self.orphans.work.get_mut(&boot).expect("answered while it is worked on");
            work.unpublished.insert(entry, routes);
            self.publish(Publication::Declared(declared.into_iter().collect()), For::Orphan(boot, entry));
        }
    }

    /// The revalidations of an entry's calls are in the log; now they may be answered.
    pub(crate) fn orphan_published(&mut self, boot: Boot, entry: EntryId) {
        let work = self.orphans.work.get_mut(&boot);
        let routes = work.and_then(|work| work.unpublished.remove(&entry)).unwrap_or_default();
        for route in routes {
            self.answer_route(boot, entry, &route, Answer::Unknown);
        }
    }

    fn answer_route(&mut self, boot: Boot, entry: EntryId, route: &Route, answer: Answer) {
        match answer {
            Answer::Moved => self.io.counters.moved += 1,
            _ => self.io.counters.unknown += 1,
        }
        let view = self.views.current.as_ref();
        let verdict = Verdict {
            call: route.call,
            attempt: route.attempt,
            caller: route.caller,
            answerer: self.me,
            deadline: route.deadline,
            answer,
            view: view.map_or(ViewVersion::default(), |view| view.version),
            incarnation: view.map_or(Incarnation::named(""), |view| view.incarnation.clone()),
            position: None,
            rest: false,
        };
        self.post_reply(Reply { verdict, outcome: Bytes::new() }, Ack::Orphan(boot, Stream::Requests, entry));
    }

    /// So many answers are to be appended before an entry can be forgotten.
    fn expect_answers(&mut self, boot: Boot, stream: Stream, entry: EntryId, answers: usize) {
        let work = self.orphans.work.get_mut(&boot).expect("answered while it is worked on");
        if answers == 0 {
            work.done(stream, entry);
        } else {
            work.pending.insert((stream, entry), answers);
        }
    }

    /// An answer about an orphan's entry is appended.
    pub(crate) fn orphan_answered(&mut self, boot: Boot, stream: Stream, entry: EntryId) {
        let Some(work) = self.orphans.work.get_mut(&boot) else { return };
        let Some(left) = work.pending.get_mut(&(stream, entry)) else { return };
        *left -= 1;
        if *left == 0 {
            work.pending.remove(&(stream, entry));
            work.done(stream, entry);
        }
        self.delete_answered(boot);
    }

    /// Deletes an orphan's entries once all of them are answered.
    pub(crate) fn delete_answered(&mut self, boot: Boot) {
        if !self.io.can_ask(Connection::Commands) {
            return;
        }
        let Some(work) = self.orphans.work.get_mut(&boot) else { return };
        if !work.is_read || work.deleting || !work.pending.is_empty() {
            return;
        }
        work.deleting = true;
        let (requests, replies) = (work.done_requests.clone(), work.done_replies.clone());
        let command = Command::OrphanDone { boot, requests, replies };
        self.io.ask(Connection::Commands, command, Purpose::OrphanDone(boot));
    }

    /// The entries are deleted, or have to be again.
    pub(crate) fn orphan_deleted(&mut self, boot: Boot, done: bool) {
        if done {
            self.orphans.work.remove(&boot);
            self.session.want_view();
        } else if let Some(work) = self.orphans.work.get_mut(&boot) {
            work.deleting = false;
        }
    }

    /// Deletes what could not be deleted before.
    pub(crate) fn delete_all_answered(&mut self) {
        let boots: Vec<Boot> = self.orphans.work.keys().copied().collect();
        for boot in boots {
            self.delete_answered(boot);
        }
    }

    pub(crate) fn orphans_afresh(&mut self) {
        self.orphans = Orphans::default();
    }
}
