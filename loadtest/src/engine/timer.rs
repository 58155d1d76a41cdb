//! Sleeps to the microsecond. The runtime's own timers have a granularity of a millisecond.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::yield_now,
};

/// What is nearer than that is not worth a timer: the system takes as long to set one and to wake us.
const SHORTEST: Duration = Duration::from_micros(10);

/// Wakes this task when it is time.
pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    #[expect(deprecated, reason = "what takes its place is unsafe; an `OwnedFd` is what it has to be")]
    pub(super) fn new() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(AsyncFd::with_interest(timer, Interest::READABLE)?))
    }

    /// # Cancel safety
    ///
    /// Dropped, it wakes nobody, and can be used again.
    pub(super) async fn sleep(&self, time: Duration) -> io::Result<()> {
        if time < SHORTEST {
            yield_now().await;
            return Ok(());
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        let once = Itimerspec { it_interval: zero, it_value: value };
        // Set anew it counts from zero, so that what it counted need not be read.
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}
