//! The two streams of a session, as Redis keeps them: what was delivered is claimed, and cursors let each frame in once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};

use bytes::Bytes;
use callboard_protocol::identity::{Boot, ProcessId, RedisMillis};

use super::Store;
use crate::{
    mutant::Mutant,
    store::{Answer, EntryId, Orphan, Sent, Stream},
};

/// Request stream, reply stream and the cursors of their senders.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox {
    pub(super) requests: BTreeMap<EntryId, Bytes>,
    pub(super) delivered: EntryId,
    pub(super) claimed: BTreeSet<EntryId>,
    pub(super) replies: BTreeMap<EntryId, Bytes>,
    pub(super) cursors: HashMap<(Stream, ProcessId), u64>,
}

impl Inbox {
    /// What is left after these entries, so many frames of each stream. What is undelivered comes after all that is
    /// claimed, so that one order goes through both.
    pub(super) fn left(&self, requests_after: EntryId, replies_after: EntryId, frames_max: usize) -> Orphan {
        let owned = |(entry, frame): (&EntryId, &Bytes)| (*entry, frame.clone());
        let after = |entry| (Excluded(entry), Unbounded);
        let requests = self.requests.range(after(requests_after));
        let unsettled =
            requests.filter(|(entry, _)| **entry > self.delivered || self.claimed.contains(entry));
        let (claimed, undelivered) =
            unsettled.take(frames_max).partition::<Vec<_>, _>(|(entry, _)| self.claimed.contains(entry));
        Orphan {
            claimed: claimed.into_iter().map(owned).collect(),
            undelivered: undelivered.into_iter().map(owned).collect(),
            replies: self.replies.range(after(replies_after)).take(frames_max).map(owned).collect(),
        }
    }

    /// Whether nothing is left that somebody waits for. Entries that were settled but not yet deleted are nothing.
    pub(super) fn is_settled(&self) -> bool {
        self.claimed.is_empty()
            && self.requests.keys().all(|entry| *entry <= self.delivered)
            && self.replies.is_empty()
    }
}

impl Store {
    pub(super) fn settle(&mut self, boot: Boot, entries: &[EntryId]) -> Answer {
        if let Some(inbox) = self.inboxes.get_mut(&boot) {
            for entry in entries {
                inbox.claimed.remove(entry);
                inbox.requests.remove(entry);
            }
        }
        Answer::Done
    }

    pub(super) fn trim_replies(&mut self, boot: Boot, through: EntryId) -> Answer {
        if let Some(inbox) = self.inboxes.get_mut(&boot) {
            inbox.replies.retain(|entry, _| *entry > through);
        }
        Answer::Done
    }

    pub(super) fn send(
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

    pub(super) fn next_entry(&self, time: RedisMillis) -> EntryId {
        let last = self.last_entry;
        if time.as_u64() > last.ms {
            EntryId { ms: time.as_u64(), number: 0 }
        } else {
            EntryId { ms: last.ms, number: last.number + 1 }
        }
    }

    pub(super) fn read_requests(&mut self, boot: Boot, frames_max: usize) -> Option<Answer> {
        let Some(inbox) = self.inboxes.get_mut(&boot) else { return Some(Answer::Gone) };
        let new = inbox.requests.range((Excluded(inbox.delivered), Unbounded));
        let frames: Vec<_> = new.take(frames_max).map(|(entry, frame)| (*entry, frame.clone())).collect();
        let (last, _) = frames.last()?;
        inbox.delivered = *last;
        inbox.claimed.extend(frames.iter().map(|(entry, _)| *entry));
        Some(Answer::Frames(frames))
    }

    pub(super) fn read_claimed(&self, boot: Boot, after: EntryId, frames_max: usize) -> Answer {
        let Some(inbox) = self.inboxes.get(&boot) else { return Answer::Gone };
        let claimed = inbox.claimed.range((Excluded(after), Unbounded));
        let frame = |entry: &EntryId| Some((*entry, inbox.requests.get(entry)?.clone()));
        Answer::Frames(claimed.filter_map(frame).take(frames_max).collect())
    }

    pub(super) fn read_replies(&self, boot: Boot, after: EntryId, frames_max: usize) -> Option<Answer> {
        let Some(inbox) = self.inboxes.get(&boot) else { return Some(Answer::Gone) };
        let new = inbox.replies.range((Excluded(after), Unbounded));
        let frames: Vec<_> = new.take(frames_max).map(|(entry, frame)| (*entry, frame.clone())).collect();
        (!frames.is_empty()).then_some(Answer::Frames(frames))
    }
}
