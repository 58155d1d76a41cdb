//! Two clocks: a node's own, which counts also while the machine sleeps, and that of Redis, of which only bounds are
//! known.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use callboard_protocol::identity::RedisMillis;

/// An instant on a node's own boot-time clock, in microseconds. Never compared with another node's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// From the clock's microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The clock's microseconds.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; nothing if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// What one answer of Redis says of its clock: it stood at `time` at some instant between `asked` and `answered`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedisClock {
    time: RedisMillis,
    asked: Instant,
    answered: Instant,
}

impl RedisClock {
    /// From an answer that named the time.
    #[must_use]
    pub const fn new(time: RedisMillis, asked: Instant, answered: Instant) -> Self {
        Self { time, asked, answered }
    }

    /// The clock of Redis shows at least this now. Deadlines are stamped with it.
    #[must_use]
    pub fn at_least(&self, now: Instant) -> RedisMillis {
        self.shifted(now.since(self.answered))
    }

    /// The clock of Redis shows at most this now. Deadlines are checked by it.
    #[must_use]
    pub fn at_most(&self, now: Instant) -> RedisMillis {
        self.shifted(now.since(self.asked) + Duration::from_millis(1))
    }

    fn shifted(&self, by: Duration) -> RedisMillis {
        RedisMillis::from_u64(self.time.as_u64().saturating_add(by.as_millis() as u64))
    }
}
