//! What went wrong: by what may be done next, and for whoever has to mend it.

use redis::RedisError;

use crate::store::Failure;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody answered in time.
    #[error("redis at {place} did not answer within {waited_ms} ms: is it running, and reachable from here?")]
    TimedOut {
        /// Where.
        place: String,
        /// How long it was given.
        waited_ms: u64,
    },
    /// The connection was not made, or broke at once.
    #[error("redis at {place} cannot be reached")]
    Unreachable {
        /// Where.
        place: String,
        /// Why.
        source: RedisError,
    },
    /// It did not take the credentials.
    #[error("redis at {place} does not take the user or password of the URL")]
    Credentials {
        /// Where.
        place: String,
        /// In its words.
        source: RedisError,
    },
    /// The user may not do all that is needed.
    #[error(
        "redis at {place} forbids something that is needed: give the user the permissions of docs/OPERATIONS.md"
    )]
    Forbidden {
        /// Where.
        place: String,
        /// What, in its words.
        source: RedisError,
    },
    /// It is a replica, whose data is old and whose lock on itself is none.
    #[error("redis at {place} is a replica: give the address of the master, or that of the Sentinels")]
    Replica {
        /// Where.
        place: String,
    },
    /// It is too old.
    #[error("redis at {place} is version {version}: 7.0 or later is needed")]
    TooOld {
        /// Where.
        place: String,
        /// Which it is.
        version: String,
    },
    /// It does not say which memory it is, so old and new could not be told apart.
    #[error(
        "redis at {place} does not let scripts run INFO, which is needed to notice a restart or a fail-over"
    )]
    NoIncarnation {
        /// Where.
        place: String,
        /// In its words, if it had any.
        source: Option<RedisError>,
    },
    /// A key of the cluster is something else than it should be.
    #[error(
        "redis at {place} has a {found} at {key}, where a {expected} belongs: delete it, or choose another namespace"
    )]
    OtherKind {
        /// Where.
        place: String,
        /// The key.
        key: String,
        /// What is there.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// It is there, but does not work now.
    #[error("redis at {place} refuses to work")]
    Refused {
        /// Where.
        place: String,
        /// Why, in its words.
        source: RedisError,
    },
    /// The Sentinels know no such master.
    #[error("no Sentinel of {place} knows a master named {name:?}")]
    NoMaster {
        /// The Sentinels.
        place: String,
        /// The name that was asked for.
        name: String,
    },
    /// No node of the Redis Cluster has the keys.
    #[error("the Redis Cluster at {place} has no node for hash slot {slot}: see `redis-cli --cluster check`")]
    NoOwner {
        /// The nodes that were asked.
        place: String,
        /// The slot of all keys of the lane.
        slot: u16,
    },
    /// TLS needs cryptography, which only the binary can choose.
    #[error("redis at {place} is to be reached by TLS: call rustls' CryptoProvider::install_default first")]
    NoCryptography {
        /// Where.
        place: String,
    },
}

impl OpenError {
    /// Whether it may be better in a moment without anybody doing something: Redis starts, or a fail-over is going on.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::TimedOut { .. }
            | Self::Unreachable { .. }
            | Self::Replica { .. }
            | Self::Refused { .. }
            | Self::NoMaster { .. }
            | Self::NoOwner { .. } => true,
            Self::Credentials { .. }
            | Self::Forbidden { .. }
            | Self::TooOld { .. }
            | Self::NoIncarnation { .. }
            | Self::OtherKind { .. }
            | Self::NoCryptography { .. } => false,
        }
    }
}

/// Codes of errors with which Redis says that it did not execute a command. For scripts, it checks these before it
/// starts them, except permissions, which are checked when a connection is opened.
const NOT_EXECUTED: [&str; 15] = [
    "READONLY",
    "LOADING",
    "NOREPLICAS",
    "OOM",
    "MISCONF",
    "BUSY",
    "NOSCRIPT",
    "MOVED",
    "ASK",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "MASTERDOWN",
    "NOAUTH",
    "NOPERM",
];

/// Codes of errors with which Redis says that it is not the one to ask any more.
const ELSEWHERE: [&str; 5] = ["READONLY", "MOVED", "ASK", "MASTERDOWN", "NOAUTH"];

/// What an error means to whoever asked.
pub(crate) struct Meaning {
    pub(crate) failure: Failure,
    /// Why the connection is of no use any more, if it is not.
    pub(crate) ends: Option<String>,
    /// Whether the scripts are to be loaded again.
    pub(crate) load: bool,
}

impl Meaning {
    /// Of an error that came instead of an answer. `whole` is whether an error of any other kind means, too, that nothing
    /// was executed: so for a plain command, not for a script.
    pub(crate) fn of(error: &RedisError, whole: bool) -> Self {
        let code = error.code().unwrap_or_default();
        if error.is_unrecoverable_error() || error.is_io_error() || code.is_empty() {
            return Self { failure: Failure::Silent, ends: Some(error.to_string()), load: false };
        }
        let ends = ELSEWHERE.contains(&code).then(|| error.to_string());
        if whole || NOT_EXECUTED.contains(&code) {
            return Self { failure: Failure::Refused(error.to_string()), ends, load: code == "NOSCRIPT" };
        }
        // The script ran into something that it does not expect, such as a key of another type.
        Self { failure: Failure::Silent, ends: Some(error.to_string()), load: false }
    }
}

impl OpenError {
    /// Of an error while a connection is made.
    pub(crate) fn of(place: &str, source: RedisError) -> Self {
        let place = place.to_owned();
        match source.code().unwrap_or_default() {
            "NOAUTH" | "WRONGPASS" => Self::Credentials { place, source },
            "NOPERM" => Self::Forbidden { place, source },
            _ if source.kind() == redis::ErrorKind::AuthenticationFailed => {
                Self::Credentials { place, source }
            }
            "" => Self::Unreachable { place, source },
            _ => Self::Refused { place, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<OpenError> {
        let source = || RedisError::from((redis::ErrorKind::Io, "why"));
        let place = || "HOST:PORT".to_owned();
        vec![
            OpenError::TimedOut { place: place(), waited_ms: 2000 },
            OpenError::Unreachable { place: place(), source: source() },
            OpenError::Credentials { place: place(), source: source() },
            OpenError::Forbidden { place: place(), source: source() },
            OpenError::Replica { place: place() },
            OpenError::TooOld { place: place(), version: "6.2.0".to_owned() },
            OpenError::NoIncarnation { place: place(), source: None },
            OpenError::OtherKind {
                place: place(),
                key: "{cb:NAMESPACE:rc}:log".to_owned(),
                found: "string".to_owned(),
                expected: "stream",
            },
            OpenError::Refused { place: place(), source: source() },
            OpenError::NoMaster { place: place(), name: "main".to_owned() },
            OpenError::NoOwner { place: place(), slot: 42 },
            OpenError::NoCryptography { place: place() },
        ]
    }

    #[test]
    fn the_manual_says_what_to_do_about_each() {
        let manual = include_str!("../../../docs/OPERATIONS.md");
        let rows = manual.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        let told: Vec<_> =
            rows.filter(|message| message.contains("HOST:PORT") && !message.starts_with('`')).collect();
        assert_eq!(told, all().iter().map(ToString::to_string).collect::<Vec<_>>());
    }
}
