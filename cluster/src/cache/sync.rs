//! The atomics that readers and the core share; loom's where it explores how they interleave.

#[cfg(callboard_loom)]
pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(callboard_loom))]
pub(super) use std::sync::atomic::{AtomicU64, Ordering};
