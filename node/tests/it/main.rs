//! The assembled node, called over HTTP on free ports.

mod arriving;
mod calls;
mod client;
mod cluster;
mod forms;
mod idempotency;
mod lifecycle;
mod order;
mod pages;
mod refusals;
mod returned_actions;
mod streaming;
mod uploads;
