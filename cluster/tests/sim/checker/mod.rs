//! Keeps a ledger of everything that happens and says which promise was broken.

mod end;
mod store;
mod transfers;

pub(crate) use store::has_cancel;

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use callboard_cluster::{
    clock::Instant,
    core::{Answered, Invariant, Publication, RunId, Start},
    store::Stream,
};
use callboard_protocol::{
    ActionId,
    action::CallId,
    envelope::{Answer as CallAnswer, Frame, Namespace, TransferEnd, TransferId},
    identity::{Boot, FencingToken, Incarnation, ProcessId},
};

use crate::{
    plan::{Call, Fault},
    seeds,
    world::{outcome_of, settings},
};

/// A promise that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) what: String,
}

/// Something that a test wants to have happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) calls: u64,
    pub(crate) remote_starts: u64,
    pub(crate) done: u64,
    pub(crate) not_run: u64,
    pub(crate) unknown: u64,
    pub(crate) moved: u64,
    pub(crate) fenced: u64,
    pub(crate) replayed: u64,
    pub(crate) transfers_complete: u64,
    pub(crate) transfers_broken: u64,
    pub(crate) cancelled: u64,
    pub(crate) faults: u64,
    pub(crate) losses: u64,
    pub(crate) sends: u64,
    pub(crate) commands: u64,
}

#[derive(Debug)]
struct Made {
    call: Call,
    process: ProcessId,
    deadline: Instant,
    number: u64,
    at: u64,
    answer: Option<(CallAnswer, u64)>,
    answered_attempt: u32,
}

#[derive(Debug)]
struct Started {
    call: CallId,
    attempt: u32,
    process: ProcessId,
    boot: Option<Boot>,
    action: ActionId,
    key: Option<String>,
    token: Option<FencingToken>,
    at: u64,
    ended: Option<u64>,
}

#[derive(Debug, Default)]
struct Transferred {
    written: u64,
    written_end: Option<TransferEnd>,
    delivered: u64,
    delivered_end: Option<TransferEnd>,
    writer_over: bool,
    reader: Option<ProcessId>,
}

#[derive(Debug, Default)]
pub(crate) struct Checker {
    pub(crate) violations: Vec<Violation>,
    pub(crate) seen: Seen,
    calls: BTreeMap<CallId, Made>,
    starts: Vec<Started>,
    runs: HashMap<(ProcessId, RunId), usize>,
    fenced: HashMap<Boot, u64>,
    /// The memory of the store that each session joined.
    joined: HashMap<Boot, Incarnation>,
    dead: HashMap<ProcessId, u64>,
    left: HashSet<ProcessId>,
    paused: HashMap<ProcessId, u64>,
    /// Replies that were appended: (call, attempt).
    replied: HashSet<(CallId, u32)>,
    requested: HashMap<(CallId, u32), (Boot, ProcessId)>,
    owner_said: HashSet<(CallId, u32, CallAnswer)>,
    orphan_says: HashMap<(CallId, u32), CallAnswer>,
    frames: HashMap<(Incarnation, Boot, Stream, ProcessId), u64>,
    published: HashSet<CallId>,
    declared: HashSet<String>,
    transfers: HashMap<TransferId, Transferred>,
    /// Calls whose start was decided, although it may not have happened yet.
    decided: HashSet<(ProcessId, CallId, u32)>,
    heard_cancel: HashSet<(ProcessId, CallId, u32)>,
    /// A node was dead, stopped or cut off for a while, or may have been.
    somebody_away: bool,
    /// When the store last lost its name, and whether data with it.
    losses: Vec<(u64, bool)>,
    gone_clients: HashSet<CallId>,
    probes: Vec<CallId>,
}

/// What has to be looked at before a command is executed.
pub(crate) struct Before {
    settles: Vec<(CallId, u32, ProcessId)>,
}

fn frame(bytes: &Bytes) -> Frame {
    Frame::decode(bytes, Namespace::named("simulation")).expect("nodes write frames")
}

impl seeds::Seen for Seen {
    fn size(&self) -> u64 {
        self.calls
    }

    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.remote_starts += other.remote_starts;
        self.done += other.done;
        self.not_run += other.not_run;
        self.unknown += other.unknown;
        self.moved += other.moved;
        self.fenced += other.fenced;
        self.replayed += other.replayed;
        self.transfers_complete += other.transfers_complete;
        self.transfers_broken += other.transfers_broken;
        self.cancelled += other.cancelled;
        self.faults += other.faults;
        self.losses += other.losses;
        self.sends += other.sends;
        self.commands += other.commands;
    }
}

impl Seen {
    /// Faults that did not land prove nothing.
    pub(crate) fn everything_happened(&self) {
        let counts = [
            ("calls run by other nodes", self.remote_starts),
            ("done", self.done),
            ("not run", self.not_run),
            ("unknown", self.unknown),
            ("moved", self.moved),
            ("fenced", self.fenced),
            ("replayed", self.replayed),
            ("complete transfers", self.transfers_complete),
            ("broken transfers", self.transfers_broken),
            ("cancelled", self.cancelled),
            ("faults", self.faults),
            ("losses of memory", self.losses),
        ];
        for (what, count) in counts {
            assert!(count > 0, "nothing was {what}");
        }
    }
}

impl Checker {
    fn broken(&mut self, invariant: Invariant, what: String) {
        self.violations.push(Violation { invariant, what });
    }

    pub(crate) fn submitted(&mut self, now: u64, process: ProcessId, deadline: Instant, call: &Call) {
        self.seen.calls += 1;
        let number = self.seen.calls;
        let made = Made {
            call: call.clone(),
            process,
            deadline,
            number,
            at: now,
            answer: None,
            answered_attempt: 0,
        };
        self.calls.insert(call.id, made);
    }

    pub(crate) fn client_gone(&mut self, call: CallId) {
        self.gone_clients.insert(call);
        self.seen.cancelled += 1;
    }

    pub(crate) fn answered(&mut self, now: u64, clock: Instant, process: ProcessId, answered: &Answered) {
        let made = self.calls.get_mut(&answered.call).expect("a call that was made");
        let before = made.answer.replace((answered.answer, now));
        made.answered_attempt = answered.attempt;
        let late = clock.since(made.deadline + settings().answer_grace);
        let (kind, call) = (made.call.kind.clone(), answered.call);
        if before.is_some() {
            self.broken(Invariant::Call3, format!("{call} was answered twice"));
        }
        let slack = self.paused.get(&process).copied().unwrap_or(0) + 3_000;
        if late.as_micros() as u64 > slack {
            self.broken(Invariant::Call3, format!("{call} was answered {late:?} too late"));
        }
        match answered.answer {
            CallAnswer::Done | CallAnswer::Failed => {
                self.seen.done += 1;
                let ended = self.starts.iter().any(|start| start.call == call && start.ended.is_some());
                if !ended {
                    self.broken(Invariant::Call2, format!("{call} is done and never ended"));
                }
                if answered.run.is_none() && answered.outcome != outcome_of(call) {
                    self.broken(Invariant::Call2, format!("{call} has the outcome of another call"));
                }
                if (answered.answer == CallAnswer::Failed) != kind.fails {
                    self.broken(Invariant::Call2, format!("{call} did not end as it ended"));
                }
                if answered.run.is_none() && kind.chunks_out > 0 && answered.rest.is_none() {
                    let what = format!("{call} is done, and nobody says that more follows");
                    self.broken(Invariant::Xfer2, what);
                }
                if kind.revalidates && !self.published.contains(&call) {
                    self.broken(Invariant::Rev1, format!("{call} is done before its revalidations"));
                }
            }
            CallAnswer::Replayed => {
                self.seen.replayed += 1;
                self.check_replay(call, &answered.outcome);
            }
            CallAnswer::Unknown => self.seen.unknown += 1,
            CallAnswer::Moved => {
                self.seen.not_run += 1;
                self.seen.moved += 1;
            }
            _ => self.seen.not_run += 1,
        }
    }

    fn check_replay(&mut self, call: CallId, outcome: &Bytes) {
        let key = self.calls[&call].call.idempotency.map(|idempotency| idempotency.key);
        let twin = self.starts.iter().any(|start| {
            start.ended.is_some()
                && outcome_of(start.call) == *outcome
                && self.calls[&start.call].call.idempotency.map(|idempotency| idempotency.key) == key
        });
        if !twin {
            self.broken(Invariant::Idem2, format!("{call} replays what was no outcome of its key"));
        }
    }

    pub(crate) fn started(
        &mut self,
        now: u64,
        process: ProcessId,
        boot: Option<Boot>,
        start: &Start,
        call: &Call,
    ) {
        self.runs.insert((process, start.run), self.starts.len());
        if !start.local {
            self.seen.remote_starts += 1;
        }
        if let Some(boot) = boot
            && let Some(fenced) = self.fenced.get(&boot)
        {
            let what = format!("{} started at {now} in {boot}, fenced at {fenced}", start.call);
            self.broken(Invariant::Fence1, what);
        }
        // Two clocks that drift by a hundredth each, over the time that the call had.
        let made = &self.calls[&start.call];
        // And over the time since they last saw the store's clock, while it refuses to answer.
        let deadline = made.at + made.call.timeout_us * 104 / 100 + 60_000;
        if now > deadline {
            let what = format!("{} started {} us after its deadline", start.call, now - deadline);
            self.broken(Invariant::Call5, what);
        }
        if self.heard_cancel.contains(&(process, start.call, start.attempt)) {
            let what = format!("{} started after its owner heard that it is cancelled", start.call);
            self.broken(Invariant::Cancel1, what);
        }
        self.starts.push(Started {
            call: start.call,
            attempt: start.attempt,
            process,
            boot,
            action: call.action,
            key: call.key.clone(),
            token: start.token,
            at: now,
            ended: None,
        });
    }

    pub(crate) fn run_ended(&mut self, now: u64, process: ProcessId, run: RunId) {
        let start = self.runs[&(process, run)];
        self.starts[start].ended = Some(now);
    }

    pub(crate) fn start_decided(&mut self, process: ProcessId, call: CallId, attempt: u32) {
        self.decided.insert((process, call, attempt));
    }

    pub(crate) fn call_of(&self, process: ProcessId, run: RunId) -> Option<CallId> {
        self.runs.get(&(process, run)).map(|start| self.starts[*start].call)
    }

    pub(crate) fn published(&mut self, call: Option<CallId>, what: &Publication) {
        self.published.extend(call);
        if let Publication::Declared(tags) = what {
            self.declared.extend(tags.iter().cloned());
        }
    }

    pub(crate) fn fault(&mut self, fault: &Fault) {
        self.seen.faults += 1;
        self.somebody_away |= !matches!(fault, Fault::Flush | Fault::Redis { .. });
    }

    pub(crate) fn process_died(&mut self, process: ProcessId, now: u64) {
        self.dead.insert(process, now);
    }

    pub(crate) fn left(&mut self, process: ProcessId) {
        self.left.insert(process);
        let waits = self.calls.values().find(|made| made.process == process && made.answer.is_none());
        if let Some(waits) = waits {
            let what = format!("{process} left before it answered {}", waits.call.id);
            self.broken(Invariant::Call3, what);
        }
    }

    pub(crate) fn paused(&mut self, process: ProcessId, for_us: u64) {
        *self.paused.entry(process).or_default() += for_us * 102 / 100;
    }

    pub(crate) fn lost_memory(&mut self, now: u64, data: bool) {
        self.losses.push((now, data));
        self.seen.losses += 1;
    }
}
