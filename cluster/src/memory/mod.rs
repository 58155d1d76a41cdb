//! The store within one process: what a node alone runs on, and what simulations run on.

mod idempotency;
mod inbox;
mod store;

pub use store::Store;
