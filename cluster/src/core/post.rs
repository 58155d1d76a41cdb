//! Replies and everything else that is always read, on its way to the newest session of a process.

use std::time::Duration;

use callboard_protocol::{
    envelope::{Answer, Frame, Message, Reply, Route, Verdict},
    identity::{Boot, Incarnation, ProcessId, ViewVersion},
};

use super::{
    Core, RunId,
    courier::{Courier, Settled},
    io::{Connection, Purpose},
};
use crate::{
    clock::Instant,
    store::{Command, EntryId, Failure, Sent, Stream, View},
};

/// Messages on their way.
#[derive(Debug, Default)]
pub(crate) struct Post {
    courier: Courier<Letter>,
    /// Whose process has no session that is known.
    parked: Vec<Letter>,
    /// Sessions of which a frame says that they are gone, until the view says so, too.
    gone: std::collections::BTreeSet<Boot>,
}

/// One message on its way.
#[derive(Clone, Debug)]
struct Letter {
    to: ProcessId,
    message: Message,
    /// Nobody can use it after this instant.
    until: Instant,
    ack: Ack,
}

/// What is to be done once a message is in its reader's stream, or nobody can take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ack {
    /// A call of an entry of this session's inbox is answered, and maybe a run over.
    Entry(Boot, EntryId, Option<RunId>),
    /// Something of an orphan's entry is answered.
    Orphan(Boot, Stream, EntryId),
    /// Nothing.
    None,
}

impl Post {
    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.courier.is_empty() && self.parked.is_empty()
    }
}

/// The newest session of a process.
fn newest(view: &View, process: ProcessId) -> Option<Boot> {
    let first = Boot { process, session: 0 };
    let last = Boot { process, session: u32::MAX };
    view.members.range(first..=last).next_back().map(|(boot, _)| *boot)
}

impl Core {
    /// The newest session of a process that is a member.
    pub(crate) fn newest_session(&self, process: ProcessId) -> Option<Boot> {
        self.views.current.as_ref().and_then(|view| newest(view, process))
    }

    /// What this node says of an attempt, by the view that it has.
    pub(super) fn verdict(&self, route: &Route, answer: Answer) -> Verdict {
        let view = self.views.current.as_ref();
        Verdict {
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
        }
    }

    /// Posts what came of a call. It is kept a little longer than somebody waits for it.
    pub(crate) fn post_reply(&mut self, reply: Reply, ack: Ack) {
        let to = reply.verdict.caller;
        let now = self.clock.at_least(self.io.now).as_u64();
        let left = Duration::from_millis(reply.verdict.deadline.as_u64().saturating_sub(now));
        let until = self.io.now + left + self.io.settings.reply_keep;
        self.post(to, Message::Reply(reply), until, ack);
    }

    pub(crate) fn post(&mut self, to: ProcessId, message: Message, until: Instant, ack: Ack) {
        let letter = Letter { to, message, until, ack };
        if to == self.me {
            let Letter { message, ack, .. } = letter;
            self.take_message(self.me, message);
            return self.acknowledged(ack);
        }
        self.route(letter);
    }

    fn route(&mut self, letter: Letter) {
        let boot = self.views.current.as_ref().and_then(|view| newest(view, letter.to));
        match boot.filter(|boot| !self.post.gone.contains(boot)) {
            Some(boot) => self.post.courier.push(boot, letter),
            None => {
                self.io.wake_at(letter.until);
                self.post.parked.push(letter);
            }
        }
    }

    fn acknowledged(&mut self, ack: Ack) {
        match ack {
            Ack::Entry(boot, entry, run) => {
                self.entry_answered(boot, entry);
                if let Some(run) = run {
                    self.run_over(run);
                }
            }
            Ack::Orphan(boot, stream, entry) => self.orphan_answered(boot, stream, entry),
            Ack::None => {}
        }
    }

    /// Sends what can be sent.
    pub(crate) fn send_post(&mut self) {
        while self.io.can_ask(Connection::Commands) {
            let Some(incarnation) = self.io.incarnation(Connection::Commands).cloned() else { return };
            let (me, namespace, settings) = (self.me, self.namespace, &self.io.settings);
            let frame = self.post.courier.next(&incarnation, |_, number, waiting| {
                let (mut items, mut messages, mut bytes) = (Vec::new(), Vec::new(), 0);
                while items.len() < settings.frame_calls_max && bytes < settings.frame_bytes_max {
                    let Some(letter) = waiting.pop_front() else { break };
                    bytes += letter.message.payload_bytes();
                    messages.push(letter.message.clone());
                    items.push(letter);
                }
                let frame = Frame { sender: me, number, incarnation: incarnation.clone(), messages };
                Some((frame.encode(namespace), items))
            });
            let Some(frame) = frame else { return };
            self.io.counters.messages += frame.messages as u64;
            let command = Command::Send {
                to: frame.to,
                stream: Stream::Replies,
                sender: me,
                number: frame.number,
                frame: frame.bytes,
            };
            self.io.ask(Connection::Commands, command, Purpose::Send(frame.to, Stream::Replies));
        }
    }

    /// What became of a frame of messages.
    pub(crate) fn post_sent(&mut self, to: Boot, result: &Result<Sent, Failure>) {
        match self.post.courier.settled(to, result) {
            Settled::Again | Settled::Refused(_) => {}
            Settled::Wait => self.io.pause(),
            Settled::Appended(letters) => {
                for letter in letters {
                    self.acknowledged(letter.ack);
                }
            }
            Settled::Gone(letters) => {
                self.post.gone.insert(to);
                self.evict(to);
                for letter in letters {
                    self.route(letter);
                }
            }
            Settled::Full(letters) => {
                for letter in letters {
                    self.route(letter);
                }
            }
        }
    }

    /// There is a new view: what waited for a session may have one now, and what nobody can use is dropped.
    pub(crate) fn post_on_view(&mut self) {
        let Some(view) = self.views.current.clone() else { return };
        self.post.gone.retain(|boot| view.members.contains_key(boot));
        let back = self.post.courier.forget(|boot| view.members.contains_key(&boot));
        let parked = std::mem::take(&mut self.post.parked);
        for letter in back.into_iter().chain(parked) {
            self.route(letter);
        }
    }

    /// Drops what nobody can use any more.
    pub(crate) fn drop_old_post(&mut self) {
        let now = self.io.now;
        if self.post.parked.iter().all(|letter| letter.until > now) {
            return;
        }
        let (keep, old) =
            std::mem::take(&mut self.post.parked).into_iter().partition(|letter| letter.until > now);
        self.post.parked = keep;
        let old: Vec<Letter> = old;
        for letter in old {
            self.acknowledged(letter.ack);
        }
    }

    /// The store lost its memory: everything goes out again. Replies may come twice; only the first counts.
    pub(crate) fn post_on_loss(&mut self) {
        let (waiting, in_flight) = self.post.courier.reset();
        self.post.gone.clear();
        for letter in in_flight.into_iter().chain(waiting) {
            self.io.wake_at(letter.until);
            self.post.parked.push(letter);
        }
    }
}
