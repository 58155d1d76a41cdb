//! The assembled node, called over HTTP on free ports.

mod arriving;
mod calls;
mod client;
pub(crate) mod cluster;
mod forms;
mod idempotency;
mod lifecycle;
mod once;
mod order;
mod pages;
mod refusals;
mod returned_actions;
mod streaming;
mod uploads;
