//! The clocks of a node, read in this file alone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use callboard_cluster::clock::Instant;
use rustix::time::{ClockId, clock_gettime};

/// Time since the machine started, suspended time included: what lifetimes are measured in.
///
/// `std::time::Instant` stands still while a machine is suspended, and a page would outlive its time to live.
pub(crate) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// The same for the core.
pub(crate) fn core_now() -> Instant {
    Instant::from_micros(since_boot().as_micros() as u64)
}

/// An instant of the runtime's clock on the core's.
pub(crate) fn to_core(at: std::time::Instant) -> Instant {
    core_now() + at.saturating_duration_since(std::time::Instant::now())
}

/// An instant of the core's clock on the runtime's.
pub(crate) fn from_core(at: Instant) -> std::time::Instant {
    std::time::Instant::now() + at.since(core_now())
}

/// Milliseconds since 1970, for what leaves the process and comes back: expiry of sealed arguments.
pub(crate) fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_millis() as u64
}
