//! The actors of a node. They hold no protocol decision: they feed the core and perform its outputs.

mod alarm;
mod frontend;
mod link;
mod membership;
mod placed;
mod revalidator;
mod settlement;
mod slot_worker;
mod tell;

pub(crate) use frontend::{Admitted, Answered, Frontend, Resolved, Sent, Waiting, known};
pub(crate) use link::Links;
pub(crate) use membership::{
    Begin, Feed, Leave, Membership, Report, RunEnded, RunResult, SharedStore, Standing, Submit, Unreachable,
};
pub(crate) use revalidator::{
    CacheLinks, CatchUp, Confirmation, Publish, ReportLog, Retire, Revalidator, SharedLog,
};
pub(crate) use settlement::{Published, Replayed, Reply, Rows, Settlement};
pub(crate) use slot_worker::{Execute, SlotWorker, publish};
pub(crate) use tell::Tell;
