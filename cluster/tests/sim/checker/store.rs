//! What the store executes, and what nodes hear of it.

use callboard_cluster::{
    core::Invariant,
    memory::Store,
    store::{Answer, Command, Failure, Sent},
};
use callboard_protocol::{
    action::CallId,
    envelope::{Answer as CallAnswer, Frame, Message},
    identity::{Boot, ProcessId},
};

use super::{Before, Checker, frame};
use crate::world::settings;

impl Checker {
    pub(crate) fn before(store: &Store, command: &Command) -> Before {
        let settles = match command {
            Command::Settle { boot, entries } => entries
                .iter()
                .filter_map(|entry| store.request(*boot, *entry))
                .flat_map(|bytes| requests(&frame(bytes)))
                .collect(),
            Command::Leave { boot } => {
                store.requests(*boot).flat_map(|bytes| requests(&frame(bytes))).collect()
            }
            _ => Vec::new(),
        };
        Before { settles }
    }

    pub(crate) fn executed(
        &mut self,
        now: u64,
        store: &Store,
        command: &Command,
        answer: &Answer,
        before: Before,
    ) {
        self.seen.commands += 1;
        let before = if *answer == Answer::Left(false) { Before { settles: Vec::new() } } else { before };
        for (call, attempt, caller) in before.settles {
            let replied = self.replied.contains(&(call, attempt));
            let gone = self.dead.contains_key(&caller) || self.left.contains(&caller);
            let made = &self.calls[&call];
            // Nobody can take an answer that comes so late.
            let kept = made.at + made.call.timeout_us * 96 / 100 + settings().reply_keep.as_micros() as u64;
            let answered = made.answer.is_some() || now > kept;
            if !replied && !gone && !answered {
                self.broken(Invariant::Ack1, format!("{call} was forgotten before it was answered"));
            }
        }
        match (command, answer) {
            (Command::Send { to, stream, sender, number, frame: bytes }, Answer::Sent(Sent::Now)) => {
                self.seen.sends += 1;
                let key = (store.incarnation().clone(), *to, *stream, *sender);
                if let Some(last) = self.frames.insert(key, *number)
                    && *number != last + 1
                {
                    self.broken(Invariant::Frame1, format!("frame {number} of {sender} after {last}"));
                }
                self.frame_appended(*to, *sender, &frame(bytes));
            }
            (Command::Join { boot, .. }, Answer::Joined { .. }) => {
                self.joined.insert(*boot, store.incarnation().clone());
            }
            (Command::Fence { boot, .. }, Answer::Fencing(true) | Answer::Orphan(Some(_))) => {
                self.seen.fenced += 1;
                if self.fenced.insert(*boot, now).is_some() {
                    self.broken(Invariant::Fence2, format!("{boot} was fenced twice"));
                }
            }
            _ => {}
        }
    }

    pub(super) fn frame_appended(&mut self, to: Boot, sender: ProcessId, frame: &Frame) {
        for message in &frame.messages {
            match message {
                Message::Request(envelope) => {
                    let route = &envelope.route;
                    self.requested.insert((route.call, route.attempt), (to, sender));
                }
                Message::Reply(reply) => {
                    let verdict = &reply.verdict;
                    self.replied.insert((verdict.call, verdict.attempt));
                    let owner = self.requested.get(&(verdict.call, verdict.attempt)).map(|(boot, _)| *boot);
                    let says = verdict.answer;
                    let said = (verdict.call, verdict.attempt, says);
                    let reader = owner.is_some_and(|owner| owner.process != sender);
                    if !reader {
                        self.owner_said.insert(said);
                    }
                    // What its owner said may be sent on by whoever reads an orphan's replies.
                    if !reader || self.owner_said.contains(&said) {
                        continue;
                    }
                    if matches!(says, CallAnswer::Moved | CallAnswer::Unknown) {
                        let before = self.orphan_says.insert((verdict.call, verdict.attempt), says);
                        // A loss in between makes moved into unknown: then the truth is older than both.
                        if before.is_some_and(|before| before != says) && self.losses.is_empty() {
                            let what = format!(
                                "two readers of an orphan differ on {} {}: {before:?}, then {says:?} by {sender}, of {owner:?}",
                                verdict.call, verdict.attempt
                            );
                            self.broken(Invariant::Orph1, what);
                        }
                    }
                    let made = &self.calls[&verdict.call];
                    if says == CallAnswer::Unknown
                        && made.call.kind.revalidates
                        && !self.declared.contains(&made.call.tag())
                        && !self.published.contains(&verdict.call)
                        && self.losses.is_empty()
                    {
                        let what = format!("{} is unknown before its revalidations", verdict.call);
                        self.broken(Invariant::Rev1, what);
                    }
                }
                _ => {}
            }
        }
    }

    /// A node got an answer of the store.
    pub(crate) fn heard(&mut self, process: ProcessId, answer: &Result<Answer, Failure>) {
        let Ok(Answer::Frames(frames)) = answer else { return };
        for (_, bytes) in frames {
            for message in frame(bytes).messages {
                if let Message::Cancel(cancel) = message
                    && !self.decided.contains(&(process, cancel.call, cancel.attempt))
                {
                    self.heard_cancel.insert((process, cancel.call, cancel.attempt));
                }
            }
        }
    }
}

/// Whether an answer brings the news that a call is cancelled.
pub(crate) fn has_cancel(answer: &Result<Answer, Failure>) -> bool {
    let Ok(Answer::Frames(frames)) = answer else { return false };
    let cancels = |bytes| frame(bytes).messages.iter().any(|message| matches!(message, Message::Cancel(_)));
    frames.iter().any(|(_, bytes)| cancels(bytes))
}

fn requests(frame: &Frame) -> Vec<(CallId, u32, ProcessId)> {
    let calls = frame.messages.iter().filter_map(|message| match message {
        Message::Request(envelope) => {
            Some((envelope.route.call, envelope.route.attempt, envelope.route.caller))
        }
        _ => None,
    });
    calls.collect()
}
