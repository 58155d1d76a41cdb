//! The assembled node, called over HTTP on free ports.

mod arriving;
mod calls;
mod client;
pub(crate) mod cluster;
mod explain;
mod forms;
mod fragments;
mod idempotency;
mod kept;
mod lifecycle;
mod metrics;
mod once;
mod order;
mod pages;
mod payloads;
mod refusals;
mod returned_actions;
mod rush;
mod sessions;
mod stale;
mod streaming;
mod traces;
mod uploads;
mod webhook;
