//! The ports within one process: what a node alone runs on, and what simulations run on.

mod call_port;
mod idempotency;
mod inbox;
mod store;

pub use call_port::{Carried, Inbox, MemoryCallPort};
pub use store::Store;
