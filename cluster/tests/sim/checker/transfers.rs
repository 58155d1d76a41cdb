//! The bytes of transfers.

use bytes::Bytes;
use callboard_cluster::core::Invariant;
use callboard_protocol::{
    envelope::{TransferEnd, TransferId},
    identity::ProcessId,
};

use super::Checker;
use crate::world::{chunk_of, settings};

impl Checker {
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
}
