//! Who runs a call, in which order, and in which order revalidations apply.
//!
//! *Objective*: every decision that two nodes or two threads could disagree on, as plain state machines: state and
//! input in, decision out. The same code runs in the node and under simulation.
//!
//! *Non-objective*: no sockets, no clocks, no actors, but in the folder `redis`. Time and randomness are passed in, and what nodes share
//! is a [`port`](store) with adapters in [`memory`] and, behind the feature of that name, in `redis`.

pub mod cache;
pub mod clock;
pub mod core;
pub mod memory;
pub mod mutant;
pub mod placement;
#[cfg(feature = "redis")]
pub mod redis;
pub mod slot;
pub mod store;

pub use slot::Slot;
