//! The actors of a node. They hold no protocol decision: they feed the core and perform its outputs.

mod frontend;
mod revalidator;
mod slot_worker;

pub(crate) use frontend::{Admitted, Answered, Frontend, Resolved, Waiting, known};
pub(crate) use revalidator::{Publish, Revalidator};
pub(crate) use slot_worker::{Execute, Held, Published, Replayed, Settlement, SlotWorker};
