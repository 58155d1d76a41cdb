//! Reading this node's two streams. What was read of the inbox is claimed: it may start here, and nowhere else.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use callboard_protocol::{
    envelope::{Answer, Frame, Message},
    identity::{Boot, ProcessId},
};

use super::{
    Core,
    io::{Connection, Purpose},
};
use crate::{
    mutant::Mutant,
    store::{Command, EntryId},
};

#[derive(Debug, Default)]
pub(crate) struct Reader {
    reading_requests: bool,
    reading_claimed: bool,
    reading_replies: bool,
    /// Claimed entries may be there that nobody saw: all of them are read again, after this one.
    reread: Option<EntryId>,
    /// The last reply entry that was taken.
    replies_through: EntryId,
    trimmed_through: EntryId,
    /// The number of the next request frame of each sender.
    next: HashMap<ProcessId, u64>,
    /// Request frames before which others are missing.
    early: BTreeMap<(ProcessId, u64), (EntryId, Frame)>,
}

/// How many frames one read takes.
const FRAMES_MAX: usize = 16;

impl Reader {
    pub(crate) fn replies_to_trim(&self) -> Option<EntryId> {
        (self.replies_through > self.trimmed_through).then_some(self.replies_through)
    }
}

impl Core {
    /// A new session reads from the beginning.
    pub(crate) fn reader_afresh(&mut self) {
        self.reader = Reader::default();
    }

    /// Claimed entries may be there that nobody saw.
    pub(crate) fn reread_claimed(&mut self) {
        if !self.io.has(Mutant::ClaimedNeverReread) {
            self.reader.reread = Some(EntryId::default());
        }
    }

    /// A renewal says how many entries are claimed and not settled.
    pub(crate) fn claimed_count(&mut self, claimed: usize) {
        if claimed > self.owner.known_entries() + self.reader.early.len() && self.reader.reread.is_none() {
            self.reread_claimed();
        }
    }

    /// Reads what can be read.
    pub(crate) fn read(&mut self) {
        let Some(boot) = self.session.member() else { return };
        let room = self.io.settings.permits_max.saturating_sub(self.owner.taken_in());
        if room > 0 && !self.reader.reading_requests && self.io.can_ask(Connection::Requests) {
            self.reader.reading_requests = true;
            let frames_max = (room / self.io.settings.frame_calls_max).clamp(1, FRAMES_MAX);
            let command = Command::ReadRequests { boot, frames_max };
            self.io.ask(Connection::Requests, command, Purpose::ReadRequests(boot));
        }
        if !self.reader.reading_replies && self.io.can_ask(Connection::Replies) {
            self.reader.reading_replies = true;
            let after = self.reader.replies_through;
            let command = Command::ReadReplies { boot, after, frames_max: FRAMES_MAX };
            self.io.ask(Connection::Replies, command, Purpose::ReadReplies(boot));
        }
        if let Some(after) = self.reader.reread
            && !self.reader.reading_claimed
            && self.io.can_ask(Connection::Commands)
        {
            self.reader.reading_claimed = true;
            let command = Command::ReadClaimed { boot, after, frames_max: FRAMES_MAX };
            self.io.ask(Connection::Commands, command, Purpose::ReadClaimed(boot));
        }
    }

    /// Forgets reply entries that were taken.
    pub(crate) fn trim_replies(&mut self, boot: Boot) {
        if let Some(through) = self.reader.replies_to_trim()
            && self.io.can_ask(Connection::Commands)
        {
            self.reader.trimmed_through = through;
            self.io.ask(Connection::Commands, Command::TrimReplies { boot, through }, Purpose::Trim);
        }
    }

    /// New frames were claimed. `None` where nothing is known of the read.
    pub(crate) fn requests_read(&mut self, boot: Boot, frames: Option<Vec<(EntryId, Bytes)>>) {
        if self.session.boot() != Some(boot) {
            return;
        }
        self.reader.reading_requests = false;
        match frames {
            None => self.reread_claimed(),
            Some(frames) => self.take_frames(boot, frames),
        }
    }

    /// Claimed frames were read again.
    pub(crate) fn claimed_read(&mut self, boot: Boot, frames: Option<Vec<(EntryId, Bytes)>>) {
        if self.session.boot() != Some(boot) {
            return;
        }
        self.reader.reading_claimed = false;
        let Some(frames) = frames else { return };
        let last = frames.last().map(|(entry, _)| *entry);
        self.reader.reread = last;
        self.take_frames(boot, frames);
        if last.is_none() {
            self.close_gaps(boot);
        }
    }

    fn take_frames(&mut self, boot: Boot, frames: Vec<(EntryId, Bytes)>) {
        for (entry, bytes) in frames {
            if self.owner.knows(entry) || self.reader.early.values().any(|(early, _)| *early == entry) {
                continue;
            }
            let frame = match Frame::decode(&bytes, self.namespace) {
                Ok(frame) => frame,
                Err(error) => {
                    self.bad_frame(&error);
                    self.owner.to_settle.insert(entry);
                    continue;
                }
            };
            let sender = frame.sender;
            let next = *self.reader.next.get(&sender).unwrap_or(&1);
            if self.io.has(Mutant::GapsIgnored) {
                self.take_frame(boot, entry, frame);
            } else if frame.number == next {
                self.take_frame(boot, entry, frame);
                self.take_early(boot, sender);
            } else if frame.number > next {
                self.reader.early.insert((sender, frame.number), (entry, frame));
                if self.reader.reread.is_none() {
                    self.reread_claimed();
                }
            } else if !self.io.has(Mutant::NoCursor) {
                // It was taken and settled while this read was on its way.
            } else {
                self.take_frame(boot, entry, frame);
            }
        }
    }

    /// Everything that is claimed was seen. A frame that others wait for is not among it, so it was none that could be
    /// read: frames are appended and delivered in order.
    fn close_gaps(&mut self, boot: Boot) {
        while let Some((sender, number)) = self.reader.early.keys().next().copied() {
            self.reader.next.insert(sender, number);
            self.take_early(boot, sender);
        }
    }

    fn take_early(&mut self, boot: Boot, sender: ProcessId) {
        while let Some(next) = self.reader.next.get(&sender).copied()
            && let Some((entry, frame)) = self.reader.early.remove(&(sender, next))
        {
            self.take_frame(boot, entry, frame);
        }
    }

    fn take_frame(&mut self, boot: Boot, entry: EntryId, frame: Frame) {
        self.reader.next.insert(frame.sender, frame.number.saturating_add(1));
        let stranger =
            self.session.incarnation() != Some(&frame.incarnation) && !self.io.has(Mutant::AnyIncarnation);
        let calls: Vec<_> = frame
            .messages
            .into_iter()
            .filter_map(|message| match message {
                Message::Request(envelope) => Some(envelope),
                _ => None,
            })
            .collect();
        if calls.is_empty() {
            self.owner.to_settle.insert(entry);
            return;
        }
        self.owner.entries.insert(entry, calls.len());
        for envelope in calls {
            if stranger {
                self.refuse_request(&envelope.route, Answer::Unknown, boot, entry);
            } else {
                self.take_request(envelope, boot, entry);
            }
        }
    }

    /// The session ended: frames that waited for others before them never start.
    pub(crate) fn turn_away_early(&mut self, boot: Boot) {
        for (_, (entry, frame)) in std::mem::take(&mut self.reader.early) {
            for message in frame.messages {
                if let Message::Request(envelope) = message {
                    self.refuse_request(&envelope.route, Answer::Moved, boot, entry);
                }
            }
        }
    }

    /// Frames of replies came. `None` where nothing is known of the read.
    pub(crate) fn replies_read(&mut self, boot: Boot, frames: Option<Vec<(EntryId, Bytes)>>) {
        if self.session.boot() != Some(boot) {
            return;
        }
        self.reader.reading_replies = false;
        for (entry, bytes) in frames.into_iter().flatten() {
            if entry <= self.reader.replies_through {
                continue;
            }
            self.reader.replies_through = entry;
            match Frame::decode(&bytes, self.namespace) {
                Ok(frame) => {
                    for message in frame.messages {
                        self.take_message(frame.sender, message);
                    }
                }
                Err(error) => self.bad_frame(&error),
            }
        }
    }

    /// Something came that is always read.
    pub(crate) fn take_message(&mut self, from: ProcessId, message: Message) {
        match message {
            Message::Reply(reply) => self.replied(reply, None),
            Message::Chunk(chunk) => self.take_chunk(from, chunk),
            Message::Credit(credit) => self.take_credit(from, credit),
            Message::Cancel(cancel) => self.cancel_run(cancel.call, cancel.attempt),
            // Calls come through the inbox, where reading is the claim.
            Message::Request(_) => self.io.counters.bad_frames += 1,
        }
    }

    fn bad_frame(&mut self, error: &callboard_protocol::envelope::FrameError) {
        self.io.counters.bad_frames += 1;
        self.io.put(super::Output::BadFrame(error.clone()));
    }
}
