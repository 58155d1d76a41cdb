//! Whether the figures of a run are the target's or ours.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::{recorder::Histogram, results};

/// Above this the generator did not keep its own timetable.
const LAG_P99_MAX: Duration = Duration::from_millis(1);

/// Above this share of a core the generating thread may have had no time to look.
const CPU_SHARE_MAX: f64 = 0.9;

/// Watches the thread that it was made on.
pub(crate) struct Generator {
    lag: Histogram,
    held_back: u64,
    /// Requests that found as many under way as there may be.
    deferred: u64,
    never_sent: u64,
    /// Requests for which there was no target.
    unserved: u64,
    limits: Limits,
    cpu_before: Duration,
    /// There is no timetable to keep.
    is_saturating: bool,
}

/// What bounds the load, so that a warning can name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections_max: usize,
    pub(crate) in_flight_max: usize,
}

impl Generator {
    pub(crate) fn new(limits: Limits, is_saturating: bool) -> Self {
        Self {
            lag: Histogram::default(),
            held_back: 0,
            deferred: 0,
            never_sent: 0,
            unserved: 0,
            limits,
            cpu_before: thread_time(),
            is_saturating,
        }
    }

    /// A request that could have been sent when it should have been was sent this much later.
    pub(crate) fn lagged(&mut self, lag: Duration) {
        self.lag.record(u64::try_from(lag.as_micros()).unwrap_or(u64::MAX));
    }

    /// A request found all connections busy.
    pub(crate) fn held_back(&mut self) {
        self.held_back += 1;
    }

    /// A request found too many under way, and begins later.
    pub(crate) fn deferred(&mut self) {
        self.deferred += 1;
    }

    /// These were due when load ended, and were not sent.
    pub(crate) fn never_sent(&mut self, count: u64) {
        self.never_sent += count;
    }

    /// A request found no target that serves, and was not sent.
    pub(crate) fn unserved(&mut self) {
        self.unserved += 1;
    }

    /// What was used of the core until now does not count.
    pub(crate) fn begin(&mut self) {
        self.cpu_before = thread_time();
    }

    /// What is known of it after this much time.
    pub(crate) fn results(&self, elapsed: Duration) -> results::Generator {
        let cpu_share = self.cpu_share(elapsed);
        let lag = self.lag.latency();
        let warnings = self.warnings(lag.p99_us, cpu_share);
        results::Generator { lag, cpu_share, held_back: self.held_back, warnings }
    }

    /// How late requests were sent at p99, in microseconds, and which share of a core was used, so far.
    pub(crate) fn so_far(&self, elapsed: Duration) -> (u64, f64) {
        (self.lag.quantile_us(0.99), self.cpu_share(elapsed))
    }

    fn cpu_share(&self, elapsed: Duration) -> f64 {
        let used = thread_time().saturating_sub(self.cpu_before);
        if elapsed.is_zero() { 0.0 } else { (used.as_secs_f64() / elapsed.as_secs_f64()).min(1.0) }
    }

    fn warnings(&self, lag_p99_us: u64, cpu_share: f64) -> Vec<String> {
        let mut warnings = Vec::new();
        let Limits { connections_max, in_flight_max } = self.limits;
        if cpu_share > CPU_SHARE_MAX {
            warnings.push(format!(
                "the generating thread used {:.0} % of a core: rates and times are the generator's, not the \
                 target's; ask for less, or from several machines",
                cpu_share * 100.0
            ));
        }
        if self.unserved > 0 {
            warnings.push(format!("{} requests were not sent as no target served", self.unserved));
        }
        if self.is_saturating {
            return warnings;
        }
        if is_late(lag_p99_us) {
            warnings.push(format!(
                "of 100 requests one was sent {:.1} ms or more too late with a connection free: times hold the \
                 generator's own delay; ask for less, or give it a core of its own",
                lag_p99_us as f64 / 1e3
            ));
        }
        if self.held_back > 0 {
            warnings.push(format!(
                "{} requests waited as all connections were busy: the target is slower than what is asked, or \
                 connections_max = {connections_max} is too low (latency counts the wait, service does not)",
                self.held_back
            ));
        }
        if self.deferred > 0 {
            warnings.push(format!(
                "{} requests began late as {in_flight_max} were under way: --in-flight-max raises that (latency \
                 counts the wait)",
                self.deferred
            ));
        }
        if self.never_sent > 0 {
            warnings.push(format!(
                "{} requests were due when load ended and were never sent: more was asked than can be",
                self.never_sent
            ));
        }
        warnings
    }
}

impl results::Generator {
    /// Whether it was at its own end, so that no figure is the target's.
    pub(crate) fn is_the_limit(&self) -> bool {
        is_late(self.lag.p99_us) || self.cpu_share > CPU_SHARE_MAX
    }
}

fn is_late(lag_p99_us: u64) -> bool {
    u128::from(lag_p99_us) > LAG_P99_MAX.as_micros()
}

/// What this thread has used of a core so far.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generator() -> Generator {
        Generator::new(Limits { connections_max: 64, in_flight_max: 1000 }, false)
    }

    #[test]
    fn a_generator_that_keeps_its_timetable_has_nothing_to_say() {
        let mut generator = generator();
        (0..1000).for_each(|_| generator.lagged(Duration::from_micros(80)));
        assert_eq!(generator.results(Duration::from_secs(1000)).warnings, Vec::<String>::new());
    }

    #[test]
    fn one_that_is_late_says_so_and_by_how_much() {
        let mut generator = generator();
        (0..1000).for_each(|_| generator.lagged(Duration::from_millis(4)));
        let warnings = generator.results(Duration::from_secs(1000)).warnings;
        assert!(warnings[0].contains("4.0 ms") && warnings.len() == 1, "{warnings:?}");
    }

    #[test]
    fn a_limit_that_was_hit_is_named() {
        let mut generator = generator();
        generator.held_back();
        generator.deferred();
        let warnings = generator.results(Duration::from_secs(1000)).warnings.join("\n");
        assert!(
            warnings.contains("connections_max = 64") && warnings.contains("--in-flight-max"),
            "{warnings}"
        );
    }

    #[test]
    fn a_thread_without_rest_is_seen() {
        assert!(generator().warnings(0, 0.95)[0].contains("95 % of a core"));
    }
}
