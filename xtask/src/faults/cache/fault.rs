//! What can be done to a cluster that keeps pages, and what has to be seen of it.

use super::tally::Tally;

macro_rules! faults {
    ($($name:ident = $text:literal: $about:literal,)*) => {
        /// A fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Fault {
            $(#[doc = $about] $name,)*
        }

        impl Fault {
            /// In the order in which they are tried.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            pub(crate) fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }
        }
    };
}

faults! {
    Calm = "calm": "nothing: every page is served and every write done",
    Pause = "pause": "a node stops for half a lease, and goes on",
    Stop = "stop": "a node stops for two leases, and goes on",
    Kill = "kill": "kill -9 of a node between what an action wrote and what it would have revalidated",
    Rolling = "rolling": "every node is replaced, one after the other",
    Cut = "cut": "a node is cut off from Redis for two leases, with resets or in silence",
    Delay = "delay": "what a node and Redis tell each other is a tenth of a lease late",
    Pushes = "pushes": "Redis ends the connections on which it pushes (CLIENT KILL TYPE pubsub)",
    Trim = "trim": "the log is emptied (XTRIM) while a node is behind",
    Flush = "flush": "FLUSHALL",
    RedisPause = "redis-pause": "Redis stops for half a lease, and for two",
    RedisKill = "redis-kill": "kill -9 of Redis; it comes back with its data, without, and after two leases",
    LateRedis = "late-redis": "a node starts while Redis is down, and is asked for pages",
}

impl Fault {
    /// Why the fault proves nothing: what it should have led to and did not.
    pub(crate) fn missed(self, tally: &Tally, nodes: usize) -> Vec<String> {
        let nodes = nodes as u64;
        let mut wanted = vec![
            ("pages served that were kept", tally.kept, 1),
            ("pages made again after a write", tally.made_again, 1),
            ("strict writes done", tally.written, 1),
        ];
        match self {
            Self::Calm => {}
            Self::Pause => wanted.push(("reads served after a wait", tally.waited, 1)),
            Self::Stop => wanted.extend([
                ("reads served after a wait", tally.waited, 1),
                ("pages served without a lease", tally.fenced, 1),
                ("writes done while the node stood still", tally.written_meanwhile, 1),
            ]),
            Self::Kill => wanted.extend([
                ("nodes killed after a write that nobody was told of", tally.killed, 1),
                ("pages kept of before that write", tally.kept_of_dead, 1),
                ("pages made of after it", tally.made_of_dead, 1),
            ]),
            Self::Rolling => wanted.push(("nodes replaced", tally.replaced, nodes)),
            Self::Cut => wanted.extend([
                ("pages served without a lease", tally.fenced, 1),
                ("writes done while the node was cut off", tally.written_meanwhile, 1),
            ]),
            Self::Delay => wanted.extend([
                ("pieces that came late", tally.delayed, 1),
                ("writes done meanwhile", tally.written_meanwhile, 1),
            ]),
            Self::Pushes => wanted.push(("connections that Redis ended", tally.pushes_ended, nodes)),
            Self::Trim => wanted.push(("entries of the log gone", tally.trimmed, 1)),
            Self::Flush => wanted.push(("epochs that began", tally.epochs, 1)),
            Self::RedisPause => wanted.extend([
                ("pages served without a lease", tally.fenced, 1),
                ("writes done after a wait", tally.writes_waited, 1),
            ]),
            Self::RedisKill => wanted.extend([
                ("kills of Redis", tally.redis_killed, 3),
                ("epochs that began", tally.epochs, 3),
                ("pages served without a lease", tally.fenced, 1),
            ]),
            Self::LateRedis => wanted.extend([
                ("kills of Redis", tally.redis_killed, 1),
                ("pages served without a lease", tally.fenced, 1),
                ("pages kept by the node that came", tally.kept_by_newcomer, 1),
            ]),
        }
        let missed = wanted.into_iter().filter(|(_, count, least)| count < least);
        missed.map(|(what, count, least)| format!("{what}: {count}, and not {least} or more")).collect()
    }

    /// Whether every write has to be done.
    pub(crate) fn is_harmless(self) -> bool {
        matches!(self, Self::Calm | Self::Rolling)
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
        let quiet = Tally { kept: 1, made_again: 1, written: 1, ..Tally::default() };
        assert_eq!(Fault::Calm.missed(&quiet, 3), [""; 0]);
        for fault in &Fault::ALL[1..] {
            assert!(!fault.missed(&quiet, 3).is_empty(), "{}", fault.name());
        }
    }
}
