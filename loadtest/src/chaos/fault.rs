//! What can be done to a cluster, and what has to be seen of it.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    Kill,
    Pause,
    Partition,
    RedisRestart,
    RedisFlush,
    Rolling,
}

/// What a fault led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// Nodes that were members before, and are not after it, or are others.
    pub(crate) sessions_ended: u64,
    /// Requests that were answered `unknown` or 503, or not at all.
    pub(crate) harmed: u64,
    pub(crate) killed: u64,
    pub(crate) replaced: u64,
    /// How often Redis began anew.
    pub(crate) redis_restarts: u64,
    /// Keys that Redis forgot.
    pub(crate) keys_lost: u64,
}

impl Fault {
    pub(crate) const ALL: [Self; 6] =
        [Self::Kill, Self::Pause, Self::Partition, Self::RedisRestart, Self::RedisFlush, Self::Rolling];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::RedisRestart => "redis-restart",
            Self::RedisFlush => "redis-flush",
            Self::Rolling => "rolling",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Kill => "kill -9 of a node, and a new one in its place",
            Self::Pause => "a node stops (SIGSTOP) for longer than its lease, and goes on",
            Self::Partition => "a node is cut off from Redis for longer than its lease",
            Self::RedisRestart => "Redis is ended and starts again with what it wrote down",
            Self::RedisFlush => "Redis forgets everything (FLUSHALL)",
            Self::Rolling => {
                "every node is replaced, one after the other, as in a deployment; each request has to be answered with what became of it"
            }
        }
    }

    /// Whether it lasts for as long as somebody says, and leads to nothing if that is too short.
    pub(crate) fn is_outage(self) -> bool {
        matches!(self, Self::Pause | Self::Partition)
    }

    /// Whether every client has to be told what became of his request.
    pub(crate) fn is_harmless(self) -> bool {
        self == Self::Rolling
    }

    /// What it led to, of what it has to lead to, and what of that is missing: then it proves nothing.
    pub(crate) fn landed(self, effects: &Effects, nodes: u64) -> (BTreeMap<String, u64>, Vec<String>) {
        let sessions = ("memberships ended", effects.sessions_ended, 1);
        let harmed = ("requests that were answered unknown or 503, or not at all", effects.harmed, 1);
        let wanted = match self {
            Self::Kill => vec![("nodes killed", effects.killed, 1), sessions, harmed],
            Self::Pause => vec![sessions, harmed],
            // Calls may wait until it is over, and nobody is told anything else than that they were done.
            Self::Partition => vec![sessions],
            Self::RedisRestart => vec![("restarts of Redis", effects.redis_restarts, 1)],
            Self::RedisFlush => vec![("keys that Redis forgot", effects.keys_lost, 1)],
            Self::Rolling => vec![("nodes replaced", effects.replaced, nodes)],
        };
        let missed = wanted.iter().filter(|(_, count, least)| count < least);
        let missed = missed.map(|(what, count, least)| format!("{what}: {count}, and not {least} or more"));
        let missed = missed.collect();
        (wanted.into_iter().map(|(what, count, _)| (what.to_owned(), count)).collect(), missed)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|fault| fault.name() == text);
        known.ok_or_else(|| {
            format!("there is no such fault; there are {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_led_to_nothing_proves_nothing() {
        for fault in Fault::ALL {
            assert!(!fault.landed(&Effects::default(), 3).1.is_empty(), "{fault}");
        }
        let effects = Effects { killed: 1, sessions_ended: 1, harmed: 2, ..Effects::default() };
        let (landed, missed) = Fault::Kill.landed(&effects, 3);
        assert_eq!((landed.len(), missed.len()), (3, 0));
    }

    #[test]
    fn faults_are_known_by_their_names() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
        let refused = "kil".parse::<Fault>().unwrap_err();
        assert!(refused.contains("kill, pause, partition"), "{refused}");
    }
}
