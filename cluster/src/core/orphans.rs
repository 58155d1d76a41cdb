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
    deleting: bool,
}

impl Work {
    fn done(&mut self, stream: Stream, entry: EntryId) {
        match stream {
            Stream::Requests => self.done_requests.push(entry),
            Stream::Replies => self.done_replies.push(entry),
        }
    }
}

impl Core {
    /// Reads the orphans that are this node's to answer for.
    pub(crate) fn adopt_orphans(&mut self) {
        let Some(view) = self.views.current.clone() else { return };
        self.orphans.work.retain(|boot, _| view.orphans.contains(boot));
        for boot in &view.orphans {
            let slot = Slot::of_orphan(*boot);
            let winner = placement::owner_of(slot, view.members.keys().copied());
            let ours = winner.is_some() && winner == self.session.boot();
            if !ours || self.orphans.work.contains_key(boot) || self.orphans.asked.contains(boot) {
                continue;
            }
            if let Some(early) = self.watch.early.remove(boot) {
                self.answer_orphan(*boot, &early);
            } else if self.io.can_ask(Connection::Commands) {
                self.orphans.asked.insert(*boot);
                self.io.ask(Connection::Commands, Command::Orphan { boot: *boot }, Purpose::Orphan(*boot));
            }
        }
    }

    /// What an orphan left was read, or not.
    pub(crate) fn orphan_read(&mut self, boot: Boot, orphan: Option<Option<Orphan>>) {
        self.orphans.asked.remove(&boot);
        if self.io.has(Mutant::OrphanReadEarly) && self.watch.early.contains_key(&boot) {
            if let Some(Some(orphan)) = orphan {
                self.watch.early.insert(boot, orphan);
            }
            return;
        }
        match orphan {
            Some(Some(orphan)) => self.answer_orphan(boot, &orphan),
            Some(None) => self.session.want_view(),
            None => {}
        }
    }

    /// Answers everything that a session left.
    pub(crate) fn answer_orphan(&mut self, boot: Boot, orphan: &Orphan) {
        // Only a member knows whether what it reads was written in the memory that it is a member of.
        let Some(incarnation) = self.session.incarnation().cloned() else { return };
        // Answers to our own clients are given at once; nothing is deleted before everything was looked at.
        self.orphans.work.insert(boot, Work { deleting: true, ..Work::default() });
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
            let frame = Frame::decode(bytes, self.namespace);
            let replies: Vec<Reply> = frame.map_or_else(
                |_| Vec::new(),
                |frame| {
                    let replies = frame.messages.into_iter().filter_map(|message| match message {
                        Message::Reply(reply) => Some(reply),
                        _ => None,
                    });
                    replies.collect()
                },
            );
            self.expect_answers(boot, Stream::Replies, *entry, replies.len());
            for reply in replies {
                let until = self.io.now + self.io.settings.reply_keep;
                self.post_reply(reply, until, Ack::Orphan(boot, Stream::Replies, *entry));
            }
        }
        if let Some(work) = self.orphans.work.get_mut(&boot) {
            work.deleting = false;
        }
        self.delete_answered(boot);
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
        let declared: BTreeSet<String> = routes.iter().flat_map(|route| &route.revalidates).cloned().collect();
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
            answer,
            view: view.map_or(ViewVersion::default(), |view| view.version),
            incarnation: view.map_or(Incarnation::named(""), |view| view.incarnation.clone()),
            position: None,
            rest: false,
        };
        let now = self.clock.at_most(self.io.now).as_u64();
        let left = std::time::Duration::from_millis(route.deadline.as_u64().saturating_sub(now));
        let until = self.io.now + left + self.io.settings.reply_keep;
        self.post_reply(Reply { verdict, outcome: Bytes::new() }, until, Ack::Orphan(boot, Stream::Requests, entry));
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
        if work.deleting || !work.pending.is_empty() {
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
