//! How Redis is set up.

use std::time::Duration;

use callboard_cluster::{core, redis::Findings};

use super::{Check, Subject, in_ms};

/// What was tested against.
const VERSION_MIN: [u32; 3] = [7, 0, 15];

/// Beyond it, a round trip is that of another data centre.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(10);

/// Beyond it, times that nodes tell each other through Redis are off by what somebody notices.
const CLOCK_MS_MAX: u64 = 100;

/// After a longer one, keyed calls wait longer after a fail-over.
const LAG_MAX: Duration = Duration::from_secs(2);

pub(super) fn checks(findings: &Findings, core: &core::Settings) -> Vec<Check> {
    vec![
        version(findings),
        // A connection would not have been opened.
        Check::ok(Subject::Scripts, "they may run INFO and all else that they need"),
        eviction(findings),
        persistence(findings),
        replicas(findings),
        latency(findings, core),
        clock(findings),
    ]
}

fn version(findings: &Findings) -> Check {
    let mut numbers = findings.version.split('.').map(|number| number.parse().unwrap_or_default());
    let version = [(); 3].map(|()| numbers.next().unwrap_or_default());
    if version < VERSION_MIN {
        let advice = "upgrade to 7.0.15 or later: that is what Callboard is tested with";
        return Check::warning(Subject::Version, &findings.version, advice);
    }
    Check::ok(Subject::Version, &findings.version)
}

fn eviction(findings: &Findings) -> Check {
    let advice = "set maxmemory-policy noeviction: an evicted key is a lost inbox, or a forgotten outcome";
    match findings.eviction_policy.as_deref() {
        Some("noeviction") => Check::ok(Subject::Eviction, "noeviction"),
        Some(policy) if findings.memory_bytes_max == 0 => {
            Check::warning(Subject::Eviction, format!("{policy}, as yet without a maxmemory"), advice)
        }
        Some(policy) => Check::problem(Subject::Eviction, policy, advice),
        None => Check::warning(Subject::Eviction, "redis does not say its maxmemory-policy", advice),
    }
}

fn persistence(findings: &Findings) -> Check {
    let problem = |found: &str, advice: &str| Check::problem(Subject::Persistence, found, advice);
    if !findings.append_only {
        return problem(
            "no append-only file: a restart of redis forgets all calls in flight and all idempotency keys",
            "set appendonly yes and appendfsync everysec",
        );
    }
    if !findings.append_works {
        return problem(
            "the last write to the append-only file failed",
            "see the log of redis, and its disk",
        );
    }
    match findings.append_fsync.as_deref() {
        Some("no") => Check::warning(
            Subject::Persistence,
            "append-only file, appendfsync no",
            "set appendfsync everysec: what the system has not written by itself is lost with the machine",
        ),
        Some(fsync) => Check::ok(Subject::Persistence, format!("append-only file, appendfsync {fsync}")),
        None => Check::ok(
            Subject::Persistence,
            "append-only file; appendfsync is not told, as CONFIG is forbidden",
        ),
    }
}

fn replicas(findings: &Findings) -> Check {
    let found = format!("{} connected", findings.replicas);
    if !findings.needs_replicas && findings.replicas > 0 {
        return Check::problem(
            Subject::Replicas,
            format!("{found}, and no min-replicas-to-write"),
            "set min-replicas-to-write 1 and min-replicas-max-lag 2: a master that was replaced and does not know it \
             would go on, and two nodes could run calls of one key at once",
        );
    }
    match findings.replica_lag_max {
        Some(lag) if findings.needs_replicas && lag > LAG_MAX => Check::warning(
            Subject::Replicas,
            format!("{found}, min-replicas-max-lag {}", lag.as_secs()),
            "set min-replicas-max-lag 2: keyed calls wait that much longer after a fail-over",
        ),
        _ if findings.needs_replicas => {
            Check::ok(Subject::Replicas, format!("{found}, and needed for writing"))
        }
        _ => Check::ok(Subject::Replicas, "none: there is no fail-over"),
    }
}

fn latency(findings: &Findings, core: &core::Settings) -> Check {
    let found = format!("{} there and back (median)", in_ms(findings.round_trip));
    if findings.round_trip > core.command_timeout / 2 {
        let advice = format!(
            "move redis nearer, or raise call_command_timeout ({:?}) and with it call_renew, call_hold and call_fence: \
             connections will be given up that work",
            core.command_timeout
        );
        return Check::problem(Subject::Latency, found, advice);
    }
    if findings.round_trip > ROUND_TRIP_MAX {
        let advice = "move redis nearer: a call that crosses nodes takes two of these more";
        return Check::warning(Subject::Latency, found, advice);
    }
    Check::ok(Subject::Latency, found)
}

fn clock(findings: &Findings) -> Check {
    let off_ms = findings.clock_ahead_ms.unsigned_abs();
    let way = if findings.clock_ahead_ms < 0 { "behind" } else { "ahead of" };
    let found = format!("redis is {off_ms} ms {way} this machine");
    if off_ms > CLOCK_MS_MAX + findings.round_trip.as_millis() as u64 {
        let advice = "keep the clocks of all machines by NTP: deadlines are told in the time of redis, and what was \
                      sealed expires by that of a node";
        return Check::warning(Subject::Clock, found, advice);
    }
    Check::ok(Subject::Clock, found)
}
