//! What can be done to a cluster, and what has to be seen of it.

use super::tally::Tally;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    Calm,
    Kill,
    Stop,
    Pause,
    Partition,
    Blip,
    RedisRestart,
    RedisStall,
    Rolling,
    Join,
}

impl Fault {
    /// In the order in which they are tried.
    pub(crate) const ALL: [Self; 10] = [
        Self::Calm,
        Self::Kill,
        Self::Stop,
        Self::Pause,
        Self::Partition,
        Self::Blip,
        Self::RedisRestart,
        Self::RedisStall,
        Self::Rolling,
        Self::Join,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Blip => "blip",
            Self::RedisRestart => "redis-restart",
            Self::RedisStall => "redis-stall",
            Self::Rolling => "rolling",
            Self::Join => "join",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Calm => "nothing: every call has to be done",
            Self::Kill => "kill -9 of a node in the middle of calls of others, and a new one in its place",
            Self::Stop => "a node stops for longer than the fence waits, and goes on",
            Self::Pause => "a node stops for less",
            Self::Partition => "a node is cut off from Redis for longer than the fence waits",
            Self::Blip => "connections to Redis are reset, and what Redis answers is lost",
            Self::RedisRestart => "Redis starts anew, with its data, and then without",
            Self::RedisStall => "Redis stops for longer than a command may take",
            Self::Rolling => "every node is replaced, one after the other: every call has to be done",
            Self::Join => "a node comes and leaves: every call has to be done",
        }
    }

    /// Why the fault proves nothing: what it should have led to and did not.
    pub(crate) fn missed(self, tally: &Tally, nodes: usize) -> Vec<String> {
        let nodes = nodes as u64;
        let mut wanted =
            vec![("calls run by another node than the one asked", tally.routed, u64::from(nodes > 1))];
        match self {
            Self::Calm => {}
            Self::Kill => wanted.extend([
                ("nodes killed", tally.killed, 1),
                ("sessions ended", tally.sessions_ended, 1),
                ("calls answered unknown", tally.unknown, 1),
            ]),
            Self::Stop => wanted.extend([
                ("sessions ended", tally.sessions_ended, 1),
                ("calls answered unknown", tally.unknown, 1),
            ]),
            Self::Pause | Self::RedisStall => wanted.push(("calls done after a wait", tally.waited, 1)),
            Self::Partition => wanted.extend([
                ("sessions ended", tally.sessions_ended, 1),
                ("calls answered not-run or unknown", tally.not_run + tally.unknown, 1),
            ]),
            Self::Blip => wanted.extend([
                ("connections reset", tally.resets, nodes),
                ("answers of Redis lost", tally.answers_lost, 1),
            ]),
            Self::RedisRestart => wanted.extend([
                ("restarts of Redis", tally.restarts, 2),
                ("sessions ended", tally.sessions_ended, nodes),
            ]),
            Self::Rolling => wanted.push(("nodes replaced", tally.replaced, nodes)),
            Self::Join => wanted.push(("calls run by the node that came", tally.run_by_newcomer, 1)),
        }
        let missed = wanted.into_iter().filter(|(_, count, least)| count < least);
        missed.map(|(what, count, least)| format!("{what}: {count}, and not {least} or more")).collect()
    }

    /// Whether nothing fails in it that a client may see.
    pub(crate) fn is_harmless(self) -> bool {
        matches!(self, Self::Calm | Self::Rolling | Self::Join)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_led_to_nothing_proves_nothing() {
        for fault in Fault::ALL {
            assert!(!fault.missed(&Tally::default(), 3).is_empty(), "{}", fault.name());
        }
        let tally = Tally { routed: 1, killed: 1, sessions_ended: 1, unknown: 1, ..Tally::default() };
        assert_eq!(Fault::Kill.missed(&tally, 3), Vec::<String>::new());
        assert_eq!(Fault::Blip.missed(&tally, 3).len(), 2);
    }
}
