//! Keeps a ledger of everything that happens and says which promise was broken.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use callboard_cluster::{
    clock::Instant,
    core::{Answered, Invariant, Publication, RunId, Start},
    memory::Store,
    store::{Answer, Command, Failure, Sent, Stream},
};
use callboard_protocol::{
    ActionId,
    action::CallId,
    envelope::{Answer as CallAnswer, Direction, Frame, Message, Namespace, TransferEnd, TransferId},
    identity::{Boot, FencingToken, Incarnation, ProcessId},
};

use crate::{
    plan::{Call, Fault},
    world::{chunk_of, outcome_of, settings},
};

/// A promise that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) what: String,
}

/// Something that a test wants to have happened.
#[derive(Clone, Debug, Default)]
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
    incarnation: u64,
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

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
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

impl Checker {
    /// This call has to be done in the end.
    pub(crate) fn must_be_done(&mut self, call: CallId) {
        self.probes.push(call);
    }

    fn broken(&mut self, invariant: Invariant, what: String) {
        self.violations.push(Violation { invariant, what });
    }

    // --- What clients see --------------------------------------------------------------------------------------------

    pub(crate) fn submitted(&mut self, now: u64, process: ProcessId, deadline: Instant, call: &Call) {
        self.seen.calls += 1;
        let number = self.seen.calls;
        let made = Made { call: call.clone(), process, deadline, number, at: now, answer: None, answered_attempt: 0 };
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
                let ended =
                    self.starts.iter().any(|start| start.call == call && start.ended.is_some());
                if !ended {
                    self.broken(Invariant::Call2, format!("{call} is done and never ended"));
                }
                if answered.run.is_none() && answered.outcome != outcome_of(call) {
                    self.broken(Invariant::Call2, format!("{call} has the outcome of another call"));
                }
                if (answered.answer == CallAnswer::Failed) != kind.fails {
                    self.broken(Invariant::Call2, format!("{call} did not end as it ended"));
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

    // --- What runs ---------------------------------------------------------------------------------------------------

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
        let deadline = made.at + made.call.timeout_us * 104 / 100 + 5_000;
        if now > deadline {
            let what = format!("{} started {} us after its deadline", start.call, now - deadline);
            self.broken(Invariant::Call5, what);
        }
        if self.heard_cancel.contains(&(process, start.call, start.attempt)) {
            let what = format!("{} started after its owner heard that it is cancelled", start.call);
            self.broken(Invariant::Cancel1, what);
        }
        let incarnation = self.losses.len() as u64;
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
            incarnation,
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

    // --- What the store does -----------------------------------------------------------------------------------------

    pub(crate) fn before(&self, store: &Store, command: &Command) -> Before {
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
            (Command::Fence { boot, .. }, Answer::Fencing(true) | Answer::Orphan(Some(_))) => {
                self.seen.fenced += 1;
                if self.fenced.insert(*boot, now).is_some() {
                    self.broken(Invariant::Fence2, format!("{boot} was fenced twice"));
                }
            }
            _ => {}
        }
    }

    fn frame_appended(&mut self, to: Boot, sender: ProcessId, frame: &Frame) {
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
                if let Message::Cancel(cancel) = message {
                    if !self.decided.contains(&(process, cancel.call, cancel.attempt)) {
                        self.heard_cancel.insert((process, cancel.call, cancel.attempt));
                    }
                }
            }
        }
    }

    // --- Transfers ---------------------------------------------------------------------------------------------------

    pub(crate) fn written(&mut self, transfer: TransferId, number: u64, end: Option<TransferEnd>) {
        let state = self.transfers.entry(transfer).or_default();
        state.written = number + 1;
        state.written_end = end;
        let under_way = state.written - state.delivered.min(state.written);
        // What the reader has but is not done with counts, too.
        if under_way > settings().transfer_chunks_max as u64 {
            let what = format!("{under_way} chunks of {transfer:?} are under way");
            self.broken(Invariant::Xfer3, what);
        }
    }

    pub(crate) fn delivered(
        &mut self,
        process: ProcessId,
        transfer: TransferId,
        bytes: &Bytes,
        end: Option<TransferEnd>,
    ) {
        let state = self.transfers.entry(transfer).or_default();
        state.reader = Some(process);
        let broke_off = bytes.is_empty() && end.is_some();
        let number = state.delivered;
        if !broke_off {
            state.delivered += 1;
        }
        let (written, written_end) = (state.written, state.written_end);
        state.delivered_end = end;
        let all = state.delivered == written;
        if !broke_off && *bytes != chunk_of(transfer, number) {
            self.broken(Invariant::Xfer1, format!("{transfer:?}: not chunk {number}: {bytes:?}"));
        }
        match end {
            Some(TransferEnd::Complete) => {
                self.seen.transfers_complete += 1;
                if written_end != Some(TransferEnd::Complete) || !all {
                    self.broken(Invariant::Xfer2, format!("{transfer:?} is complete and is not"));
                }
            }
            Some(TransferEnd::Broken) => self.seen.transfers_broken += 1,
            None => {}
        }
    }

    pub(crate) fn writer_over(&mut self, transfer: TransferId) {
        self.transfers.entry(transfer).or_default().writer_over = true;
    }

    // --- Faults ------------------------------------------------------------------------------------------------------

    pub(crate) fn fault(&mut self, _fault: &Fault) {
        self.seen.faults += 1;
    }

    pub(crate) fn process_started(&mut self, _process: ProcessId) {}

    pub(crate) fn process_died(&mut self, process: ProcessId, now: u64) {
        self.dead.insert(process, now);
    }

    pub(crate) fn drains(&mut self, _process: ProcessId) {}

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

    // --- At the end --------------------------------------------------------------------------------------------------

    /// Looks at the whole ledger.
    pub(crate) fn finish(&mut self, now: u64) {
        self.check_calls();
        self.check_decisions(now);
        self.check_keys();
        self.check_order();
        self.check_idempotency();
        self.check_transfers();
        for probe in std::mem::take(&mut self.probes) {
            let answer = self.calls[&probe].answer.map(|(answer, _)| answer);
            if answer != Some(CallAnswer::Done) {
                self.left_behind(format!("{probe} was answered {answer:?} although nothing is wrong"));
            }
        }
    }

    fn check_calls(&mut self) {
        let mut by_call: HashMap<CallId, Vec<&Started>> = HashMap::new();
        for start in &self.starts {
            by_call.entry(start.call).or_default().push(start);
        }
        let mut broken = Vec::new();
        for (id, made) in &self.calls {
            let starts = by_call.get(id).map_or(&[][..], Vec::as_slice);
            let attempts: BTreeSet<u32> = starts.iter().map(|start| start.attempt).collect();
            if attempts.len() != starts.len() {
                broken.push((Invariant::Call1, format!("{id}: an attempt started twice")));
            }
            if starts.len() > 1 && !made.call.kind.idempotent {
                broken.push((Invariant::Call1, format!("{id} started {} times", starts.len())));
            }
            match made.answer {
                Some((answer, _)) if answer.is_not_run() && !starts.is_empty() => {
                    broken.push((Invariant::Call2, format!("{id} was answered {answer:?} and started")));
                }
                None if !self.dead.contains_key(&made.process) => {
                    broken.push((Invariant::Call3, format!("{id} was never answered")));
                }
                _ => {}
            }
        }
        for (invariant, what) in broken {
            self.broken(invariant, what);
        }
    }

    /// Calls in a fenced inbox are decided, and not left to their deadlines.
    fn check_decisions(&mut self, _now: u64) {
        if !self.losses.is_empty() {
            return;
        }
        let patience = 4 * settings().fence.as_micros() as u64;
        let mut broken = Vec::new();
        for ((call, attempt), (boot, _)) in &self.requested {
            let Some(fenced) = self.fenced.get(boot) else { continue };
            let made = &self.calls[call];
            if self.dead.contains_key(&made.process) || self.replied.contains(&(*call, *attempt)) {
                continue;
            }
            // The reader of an orphan answers its own clients without the store.
            if let Some((CallAnswer::Unknown, at)) = made.answer
                && made.answered_attempt == *attempt
                && at > fenced + patience + self.paused.values().sum::<u64>()
            {
                broken.push(format!("nobody decided on {call}, left in {boot}"));
            }
        }
        for what in broken {
            self.broken(Invariant::Call4, what);
        }
    }

    fn check_keys(&mut self) {
        let mut lines: HashMap<(ActionId, &str), Vec<&Started>> = HashMap::new();
        for start in &self.starts {
            if let Some(key) = &start.key {
                lines.entry((start.action, key.as_str())).or_default().push(start);
            }
        }
        let mut broken = Vec::new();
        for starts in lines.values() {
            for (index, later) in starts.iter().enumerate() {
                for earlier in &starts[..index] {
                    if later.token < earlier.token {
                        broken.push((
                            Invariant::Key3,
                            format!("{} has a lower token than {} before it", later.call, earlier.call),
                        ));
                    }
                    // One that died while it ran, runs no more.
                    let died = self.dead.get(&earlier.process).copied();
                    let end = earlier.ended.or(died).unwrap_or(u64::MAX);
                    if end <= later.at {
                        continue;
                    }
                    let same_session = earlier.boot == later.boot;
                    let fenced = earlier.boot.is_some_and(|boot| self.fenced.contains_key(&boot))
                        || later.incarnation > earlier.incarnation
                        || earlier.process == later.process && !same_session;
                    if same_session || !fenced || later.token <= earlier.token {
                        broken.push((
                            Invariant::Key1,
                            format!(
                                "{} in {:?} and {} in {:?} overlap, with tokens {:?} and {:?}",
                                earlier.call, earlier.boot, later.call, later.boot, earlier.token, later.token
                            ),
                        ));
                    }
                }
            }
        }
        for (invariant, what) in broken {
            self.broken(invariant, what);
        }
    }

    fn check_order(&mut self) {
        let mut lines: HashMap<(ProcessId, ActionId, &str), Vec<(u64, u64, CallId)>> = HashMap::new();
        for start in &self.starts {
            let Some(key) = &start.key else { continue };
            let made = &self.calls[&start.call];
            let done = made.answer.is_some_and(|(answer, _)| answer == CallAnswer::Done);
            // One that ran twice has no place in an order.
            if done && !made.call.kind.idempotent && made.call.idempotency.is_none() {
                lines.entry((made.process, start.action, key)).or_default().push((
                    made.number,
                    start.at,
                    start.call,
                ));
            }
        }
        let mut broken = Vec::new();
        for line in lines.values() {
            for pair in line.windows(2) {
                if pair[1].0 < pair[0].0 {
                    broken.push(format!("{} ran after {}, and was accepted before it", pair[1].2, pair[0].2));
                }
            }
        }
        for what in broken {
            self.broken(Invariant::Key2, what);
        }
    }

    fn check_idempotency(&mut self) {
        let mut keys: HashMap<u128, Vec<&Started>> = HashMap::new();
        for start in &self.starts {
            let call = &self.calls[&start.call].call;
            if let Some(idempotency) = call.idempotency {
                keys.entry(idempotency.key).or_default().push(start);
            }
        }
        let mut broken = Vec::new();
        for (key, starts) in keys {
            for pair in starts.windows(2) {
                // Promised is nothing where the store lost the record while the node that knew it was away.
                let lost = self.losses.iter().any(|(at, data)| *data && *at >= pair[0].at && *at <= pair[1].at);
                let again = self.calls[&pair[1].call].call.kind.idempotent;
                if !lost && !again {
                    broken.push(format!("key {key:x} ran as {} and as {}", pair[0].call, pair[1].call));
                }
            }
        }
        for what in broken {
            self.broken(Invariant::Idem1, what);
        }
    }

    fn check_transfers(&mut self) {
        let mut broken = Vec::new();
        for (transfer, state) in &self.transfers {
            let reads = state.reader.is_some_and(|reader| !self.dead.contains_key(&reader));
            let read_to_its_end = state.delivered_end.is_some();
            let wanted = !self.gone_clients.contains(&transfer.call);
            let answered_with = self.calls[&transfer.call].answer.map(|(answer, _)| answer);
            let goes_on = matches!(answered_with, Some(CallAnswer::Done | CallAnswer::Failed));
            if reads
                && wanted
                && goes_on
                && transfer.direction == Direction::Outcome
                && state.delivered > 0
                && !read_to_its_end
            {
                broken.push(format!("{transfer:?} never ended at its reader"));
            }
        }
        for what in broken {
            self.broken(Invariant::Xfer4, what);
        }
    }

    /// Says that something is left behind although nothing is wrong any more.
    pub(crate) fn left_behind(&mut self, what: String) {
        self.broken(Invariant::Live1, what);
    }

    pub(crate) fn broken_within(&mut self, violations: u64) {
        if violations > 0 {
            self.broken(Invariant::Frame2, format!("a node counted {violations} violations"));
        }
    }
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

