//! Which task of this node reads or writes which transfer.

use std::collections::hash_map::Entry;

use actix::{AsyncContext as _, Context};
use bytes::Bytes;
use callboard_cluster::core::Start;
use callboard_protocol::envelope::{Direction, TransferEnd, TransferId};
use tokio::sync::mpsc;

use super::Membership;
use crate::carry::{Chunk, ChunkReader, Room};

/// Where the room of a writer is told.
pub(super) type Writer = mpsc::UnboundedSender<u64>;

/// What came of a transfer goes to whoever reads it, who may come later than the first of it.
pub(super) struct Reader {
    chunks: mpsc::UnboundedSender<Chunk>,
    unclaimed: Option<mpsc::UnboundedReceiver<Chunk>>,
    ended: bool,
}

impl Reader {
    fn new() -> Self {
        let (chunks, unclaimed) = mpsc::unbounded_channel();
        Self { chunks, unclaimed: Some(unclaimed), ended: false }
    }
}

impl Membership {
    /// The arguments of a call that this node is about to run.
    pub(super) fn arguments_of(&mut self, start: &Start, context: &mut Context<Self>) -> ChunkReader {
        let (call, attempt) = (start.call, start.attempt);
        self.reader_of(TransferId { call, attempt, direction: Direction::Arguments }, context)
    }

    /// The rows that follow an answer.
    pub(super) fn rows_of(&mut self, transfer: TransferId, context: &mut Context<Self>) -> ChunkReader {
        self.reader_of(transfer, context)
    }

    fn reader_of(&mut self, transfer: TransferId, context: &mut Context<Self>) -> ChunkReader {
        let reader = self.readers.entry(transfer).or_insert_with(Reader::new);
        let claimed = reader.unclaimed.take();
        if reader.ended {
            self.readers.remove(&transfer);
        }
        // Nobody claims a transfer twice; whoever did would find it broken.
        let chunks = claimed.unwrap_or_else(|| mpsc::unbounded_channel().1);
        ChunkReader::new(transfer, chunks, context.address())
    }

    pub(super) fn deliver(&mut self, transfer: TransferId, bytes: Bytes, end: Option<TransferEnd>) {
        let reader = self.readers.entry(transfer).or_insert_with(Reader::new);
        // One that is not read any more has said so.
        drop(reader.chunks.send((bytes, end)));
        reader.ended = end.is_some();
        if reader.ended && reader.unclaimed.is_none() {
            self.readers.remove(&transfer);
        }
    }

    /// The writer of a transfer has more room: the task that makes rows, or one that sends arguments, which begins now.
    pub(super) fn give_room(&mut self, transfer: TransferId, chunks: u64, context: &mut Context<Self>) {
        if transfer.direction == Direction::Arguments && !self.writers.contains_key(&transfer) {
            self.send_arguments(transfer, context);
        }
        match self.writers.entry(transfer) {
            Entry::Occupied(writer) => {
                if writer.get().send(chunks).is_err() {
                    writer.remove();
                }
            }
            Entry::Vacant(_) => {}
        }
    }

    fn send_arguments(&mut self, transfer: TransferId, context: &mut Context<Self>) {
        let Some(waiting) = self.waiting(transfer.call) else { return };
        let Some(shipment) = waiting.shipment.clone() else { return };
        if waiting.sent.contains(&transfer.attempt) {
            return;
        }
        waiting.sent.push(transfer.attempt);
        let (writer, given) = mpsc::unbounded_channel();
        self.writers.insert(transfer, writer);
        actix::spawn(shipment.send(Room::new(transfer, given, context.address())));
    }

    /// Nobody reads a transfer any more.
    pub(super) fn stop_writer(&mut self, transfer: TransferId) {
        self.writers.remove(&transfer);
    }
}
