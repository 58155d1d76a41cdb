//! Bytes of calls that do not fit their frames or are not there yet: streams of arguments, large outcomes, rows.
//!
//! Chunks travel as messages to whoever reads, numbered; the reader says how many it has taken, and the writer has at
//! most a fixed number of them under way. The writer keeps what was not taken and sends it again when either side has
//! a new session, so a transfer survives whatever the two processes survive. It breaks off when the process of the
//! other side was no member for too long.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use callboard_protocol::{
    action::CallId,
    envelope::{Cancel, Chunk, Credit, Direction, Message, TransferEnd, TransferId, Verdict},
    identity::{Boot, ProcessId},
};

use super::{Core, Output, invariants::Invariant, post::Ack};
use crate::{clock::Instant, mutant::Mutant};

/// Number of a chunk that breaks off its transfer wherever the reader is.
const WHEREVER: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(crate) struct Transfers {
    writers: BTreeMap<TransferId, Writer>,
    readers: BTreeMap<TransferId, Reader>,
}

#[derive(Debug)]
struct Writer {
    to: ProcessId,
    /// The reader's session that everything unacknowledged was sent to.
    boot: Option<Boot>,
    next: u64,
    taken: u64,
    /// Written and not taken.
    kept: VecDeque<Chunk>,
    ended: bool,
    absent_since: Option<Instant>,
}

#[derive(Debug)]
struct Reader {
    from: ProcessId,
    /// The writer's session that was told how far the reader is.
    boot: Option<Boot>,
    expected: u64,
    /// Came before those that go before them.
    early: BTreeMap<u64, Chunk>,
    taken: u64,
    told: u64,
    absent_since: Option<Instant>,
    /// Whether whoever reads knows of it: until then chunks wait.
    begun: bool,
}

impl Transfers {
    /// Whether none is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.writers.is_empty() && self.readers.is_empty()
    }
}

/// All transfers of a call.
fn of_call(call: CallId) -> std::ops::RangeInclusive<TransferId> {
    let first = TransferId { call, attempt: 0, direction: Direction::Arguments };
    let last = TransferId { call, attempt: u32::MAX, direction: Direction::Outcome };
    first..=last
}

impl Core {
    fn post_chunk(&mut self, to: ProcessId, chunk: Chunk) {
        let until = self.io.now + self.io.settings.transfer_gone;
        self.post(to, Message::Chunk(chunk), until, Ack::None);
    }

    fn post_credit(&mut self, to: ProcessId, credit: Credit) {
        let until = self.io.now + self.io.settings.transfer_gone;
        self.post(to, Message::Credit(credit), until, Ack::None);
    }

    pub(crate) fn send_cancel(&mut self, to: ProcessId, call: CallId, attempt: u32) {
        let until = self.io.now + self.io.settings.transfer_gone;
        self.post(to, Message::Cancel(Cancel { call, attempt }), until, Ack::None);
    }

    /// A run returned, and more of its outcome follows: its writer has room from the start.
    pub(crate) fn begin_outcome(&mut self, call: CallId, attempt: u32, to: ProcessId) {
        let transfer = TransferId { call, attempt, direction: Direction::Outcome };
        self.begin_writer(transfer, to);
    }

    fn begin_writer(&mut self, transfer: TransferId, to: ProcessId) {
        let boot = self.newest_session(to);
        let writer =
            Writer { to, boot, next: 0, taken: 0, kept: VecDeque::new(), ended: false, absent_since: None };
        if self.transfers.writers.insert(transfer, writer).is_none() {
            self.io.put(Output::Room(transfer, self.io.settings.transfer_chunks_max as u64));
        }
    }

    /// Tells the reader of a transfer that its writer is over, however far it came.
    fn break_off(&mut self, transfer: TransferId, to: ProcessId) {
        let end = Some(TransferEnd::Broken);
        self.post_chunk(to, Chunk { transfer, number: WHEREVER, end, bytes: Bytes::new() });
    }

    /// A run is over, and nothing more of its outcome comes: it reads no more arguments.
    pub(crate) fn stop_arguments(&mut self, call: CallId, attempt: u32) {
        self.stop(TransferId { call, attempt, direction: Direction::Arguments });
    }

    /// The run of a call begins whose arguments follow: tells its caller to send them.
    pub(crate) fn expect_arguments(&mut self, call: CallId, attempt: u32, from: ProcessId) {
        let transfer = TransferId { call, attempt, direction: Direction::Arguments };
        self.begin_reader(transfer, from);
        self.post_credit(from, Credit { transfer, taken: 0, stop: false });
    }

    fn begin_reader(&mut self, transfer: TransferId, from: ProcessId) {
        let boot = self.newest_session(from);
        let reader = self.transfers.readers.entry(transfer).or_insert_with(|| Reader {
            from,
            boot,
            expected: 0,
            early: BTreeMap::new(),
            taken: 0,
            told: 0,
            absent_since: None,
            begun: false,
        });
        reader.begun = true;
        self.deliver(transfer);
    }

    /// The writer of a transfer goes on.
    pub(crate) fn write(&mut self, transfer: TransferId, bytes: Bytes, end: Option<TransferEnd>) {
        let Some(writer) = self.transfers.writers.get_mut(&transfer) else { return };
        let chunk = Chunk { transfer, number: writer.next, end, bytes };
        writer.next += 1;
        writer.ended |= end.is_some();
        writer.kept.push_back(chunk.clone());
        let (to, kept) = (writer.to, writer.kept.len());
        if kept > self.io.settings.transfer_chunks_max && !self.io.has(Mutant::NoCredit) {
            self.io.counters.violated(Invariant::Xfer3, "a writer wrote more than it had room for");
        }
        self.post_chunk(to, chunk);
        if self.io.has(Mutant::NoCredit) {
            self.io.put(Output::Room(transfer, 1));
        }
    }

    /// The reader of a transfer is done with more chunks.
    pub(crate) fn taken(&mut self, transfer: TransferId, chunks: u64) {
        let often = (self.io.settings.transfer_chunks_max as u64 / 2).max(1);
        let Some(reader) = self.transfers.readers.get_mut(&transfer) else { return };
        reader.taken += chunks;
        if reader.taken - reader.told >= often {
            reader.told = reader.taken;
            let (to, credit) = (reader.from, Credit { transfer, taken: reader.taken, stop: false });
            self.post_credit(to, credit);
        }
    }

    /// The reader of a transfer wants no more.
    pub(crate) fn stop(&mut self, transfer: TransferId) {
        if let Some(reader) = self.transfers.readers.remove(&transfer) {
            self.post_credit(reader.from, Credit { transfer, taken: reader.taken, stop: true });
        }
    }

    /// A chunk came.
    pub(crate) fn take_chunk(&mut self, from: ProcessId, chunk: Chunk) {
        let transfer = chunk.transfer;
        if !self.transfers.readers.contains_key(&transfer) {
            // The reply that announces it may be on its way still.
            let awaited = transfer.direction == Direction::Outcome && self.caller.waits_for(transfer.call);
            if !awaited {
                return self.post_credit(from, Credit { transfer, taken: 0, stop: true });
            }
            let boot = self.newest_session(from);
            let reader = Reader {
                from,
                boot,
                expected: 0,
                early: BTreeMap::new(),
                taken: 0,
                told: 0,
                absent_since: None,
                begun: false,
            };
            self.transfers.readers.insert(transfer, reader);
        }
        let unordered = self.io.has(Mutant::ChunksUnordered);
        let reader = self.transfers.readers.get_mut(&transfer).expect("just made");
        reader.from = from;
        if chunk.number == WHEREVER {
            // In the order of what came before it, so that the reader has all that can be had.
            let begun = reader.begun;
            self.transfers.readers.remove(&transfer);
            if begun {
                self.io.put(Output::Deliver(transfer, Bytes::new(), chunk.end));
            }
            return;
        }
        if chunk.number >= reader.expected || unordered {
            if reader.early.len() >= self.io.settings.transfer_chunks_max && !unordered {
                // Its writer keeps it, and sends it again once there is a reason to.
                return;
            }
            let number = if unordered { reader.expected } else { chunk.number };
            reader.early.insert(number, chunk);
        }
        self.deliver(transfer);
    }

    /// Hands what came to whoever reads, as far as it is in order.
    fn deliver(&mut self, transfer: TransferId) {
        let Some(reader) = self.transfers.readers.get_mut(&transfer).filter(|reader| reader.begun) else {
            return;
        };
        let mut ended = false;
        while let Some(chunk) = reader.early.remove(&reader.expected) {
            reader.expected += 1;
            ended |= chunk.end.is_some();
            let end = match chunk.end {
                Some(TransferEnd::Broken) if self.io.mutants.has(Mutant::BrokenIsComplete) => {
                    Some(TransferEnd::Complete)
                }
                end => end,
            };
            self.io.put(Output::Deliver(transfer, chunk.bytes, end));
        }
        if ended {
            let reader = self.transfers.readers.remove(&transfer).expect("just there");
            self.post_credit(reader.from, Credit { transfer, taken: reader.expected, stop: true });
        }
    }

    /// The reader of a transfer says how far it is.
    pub(crate) fn take_credit(&mut self, from: ProcessId, credit: Credit) {
        let Credit { transfer, taken, stop } = credit;
        if !self.transfers.writers.contains_key(&transfer) {
            let begins = transfer.direction == Direction::Arguments
                && !stop
                && self.caller.sends_arguments_of(transfer.call, transfer.attempt);
            if begins {
                self.begin_writer(transfer, from);
            } else if !stop {
                self.break_off(transfer, from);
            }
            return;
        }
        if stop {
            self.transfers.writers.remove(&transfer);
            if transfer.direction == Direction::Outcome {
                self.stop_arguments(transfer.call, transfer.attempt);
            }
            return self.io.put(Output::Stopped(transfer));
        }
        let writer = self.transfers.writers.get_mut(&transfer).expect("just looked");
        writer.to = from;
        if taken > writer.taken && taken <= writer.next {
            let more = taken - writer.taken;
            writer.taken = taken;
            while writer.kept.front().is_some_and(|chunk| chunk.number < taken) {
                writer.kept.pop_front();
            }
            if !writer.ended {
                self.io.put(Output::Room(transfer, more));
            }
        }
    }

    /// A call was answered. Its arguments are wanted no more unless its outcome goes on; the transfer that does.
    pub(crate) fn answered_transfers(
        &mut self,
        call: CallId,
        attempt: u32,
        answerer: Option<ProcessId>,
        rest: bool,
    ) -> Option<TransferId> {
        if !rest {
            self.forget_call(call);
            return None;
        }
        let transfer = TransferId { call, attempt, direction: Direction::Outcome };
        let readers = self.transfers.readers.range(of_call(call)).map(|(id, _)| *id);
        let others: Vec<_> =
            readers.filter(|id| id.direction == Direction::Outcome && *id != transfer).collect();
        for other in others {
            self.stop(other);
        }
        let from = self.transfers.readers.get(&transfer).map(|reader| reader.from);
        // One that ran here needs no transfer: whoever ran it has the rest.
        let from = from.or(answerer)?;
        self.begin_reader(transfer, from);
        // Its writer may have given it up before the reply could be taken; then it says so.
        if self.transfers.readers.contains_key(&transfer) {
            self.post_credit(from, Credit { transfer, taken: 0, stop: false });
        }
        Some(transfer)
    }

    /// Nothing of a call is wanted any more at its caller.
    fn forget_call(&mut self, call: CallId) {
        let writers: Vec<_> = self.transfers.writers.range(of_call(call)).map(|(id, _)| *id).collect();
        for transfer in writers.into_iter().filter(|id| id.direction == Direction::Arguments) {
            if let Some(writer) = self.transfers.writers.remove(&transfer) {
                self.break_off(transfer, writer.to);
            }
            self.io.put(Output::Stopped(transfer));
        }
        let readers: Vec<_> = self.transfers.readers.range(of_call(call)).map(|(id, _)| *id).collect();
        for transfer in readers.into_iter().filter(|id| id.direction == Direction::Outcome) {
            self.stop(transfer);
        }
    }

    /// A client went away whose call was answered: what still comes of it is wanted no more.
    pub(crate) fn cancel_answered(&mut self, call: CallId) {
        self.forget_call(call);
    }

    /// A reply came for a call that is answered. What it announces is stopped when it comes.
    #[expect(clippy::unused_self, reason = "the counterpart of `replied`")]
    pub(crate) fn late_reply(&mut self, _verdict: &Verdict) {}

    /// There is a new view, or a new session of our own: whatever the other side may have missed goes out again, and
    /// transfers whose other side is gone break off.
    pub(crate) fn transfers_on_view(&mut self, new_session: bool) {
        let now = self.io.now;
        let gone_after = self.io.settings.transfer_gone;
        let unseen = self.io.has(Mutant::WriterLossUnseen);
        let mut broken = Vec::new();
        let writers: Vec<_> = self.transfers.writers.iter().map(|(id, writer)| (*id, writer.to)).collect();
        for (transfer, to) in writers {
            let boot = self.newest_session(to);
            let writer = self.transfers.writers.get_mut(&transfer).expect("just listed");
            match boot {
                None => {
                    let since = *writer.absent_since.get_or_insert(now);
                    if now.since(since) >= gone_after {
                        self.transfers.writers.remove(&transfer);
                        if transfer.direction == Direction::Outcome {
                            self.stop_arguments(transfer.call, transfer.attempt);
                        }
                        self.io.put(Output::Stopped(transfer));
                    }
                }
                Some(boot) => {
                    writer.absent_since = None;
                    if writer.boot != Some(boot) || new_session {
                        writer.boot = Some(boot);
                        let kept: Vec<Chunk> = writer.kept.iter().cloned().collect();
                        if !self.io.has(Mutant::ChunksNotResent) {
                            for chunk in kept {
                                self.post_chunk(to, chunk);
                            }
                        }
                    }
                }
            }
        }
        let readers: Vec<_> = self.transfers.readers.iter().map(|(id, reader)| (*id, reader.from)).collect();
        for (transfer, from) in readers {
            let boot = self.newest_session(from);
            let reader = self.transfers.readers.get_mut(&transfer).expect("just listed");
            match boot {
                None => {
                    let since = *reader.absent_since.get_or_insert(now);
                    if now.since(since) >= gone_after && !unseen {
                        broken.push((transfer, reader.begun));
                    }
                }
                Some(boot) => {
                    reader.absent_since = None;
                    if reader.boot != Some(boot) || new_session {
                        reader.boot = Some(boot);
                        reader.told = reader.taken;
                        let credit = Credit { transfer, taken: reader.taken, stop: false };
                        self.post_credit(from, credit);
                    }
                }
            }
        }
        for (transfer, begun) in broken {
            self.transfers.readers.remove(&transfer);
            let broken = self.io.has(Mutant::BrokenIsComplete);
            let end = if broken { TransferEnd::Complete } else { TransferEnd::Broken };
            if begun {
                self.io.put(Output::Deliver(transfer, Bytes::new(), Some(end)));
            }
        }
    }
}
