//! The name of every key. All of one lane carry one hash tag, so they live on one shard of a Redis Cluster and one script
//! may touch several.

use std::{fmt, str::FromStr, sync::Arc};

use callboard_protocol::identity::Boot;

use crate::store::Stream;

/// What distinguishes a cluster from others on the same Redis: letters, digits, `.`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(Box<str>);

/// A text that is no namespace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is no namespace: use 1 to {NAMESPACE_BYTES_MAX} letters, digits, dots, underscores and hyphens"
)]
pub struct BadNamespace {
    found: String,
}

/// Longest namespace, in bytes: it stands in every key.
const NAMESPACE_BYTES_MAX: usize = 64;

impl FromStr for Namespace {
    type Err = BadNamespace;

    fn from_str(text: &str) -> Result<Self, BadNamespace> {
        // Braces would end the hash tag, and stars and brackets mean something in the patterns of access lists.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > NAMESPACE_BYTES_MAX || !text.bytes().all(fits) {
            return Err(BadNamespace { found: text.chars().take(NAMESPACE_BYTES_MAX + 1).collect() });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names the keys of one lane of one cluster.
#[derive(Clone, Debug)]
pub struct Keys {
    tag: Box<str>,
}

/// The kinds of keys that a session has; their names end with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfSession {
    Lease,
    Requests,
    Replies,
    Cursors,
    OldRequests,
    OldReplies,
    OldCursors,
}

impl OfSession {
    /// In the order in which the scripts take them, after the view.
    pub(crate) const ALL: [Self; 7] = [
        Self::Lease,
        Self::Requests,
        Self::Replies,
        Self::Cursors,
        Self::OldRequests,
        Self::OldReplies,
        Self::OldCursors,
    ];

    /// The stream of a session that can still get something.
    pub(crate) fn stream(stream: Stream) -> Self {
        match stream {
            Stream::Requests => Self::Requests,
            Stream::Replies => Self::Replies,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Requests => "in",
            Self::Replies => "re",
            Self::Cursors => "cur",
            Self::OldRequests => "orph",
            Self::OldReplies => "ore",
            Self::OldCursors => "ocur",
        }
    }
}

impl Keys {
    /// The keys of a lane.
    #[must_use]
    pub fn new(namespace: &Namespace, lane: u16) -> Self {
        Self { tag: format!("{{cb:{namespace}:{lane}}}").into() }
    }

    /// Who is a member. A hash; it does not expire.
    #[must_use]
    pub fn view(&self) -> String {
        format!("{}:view", self.tag)
    }

    /// The name of what Redis remembers. A string; it does not expire.
    #[must_use]
    pub fn memory(&self) -> String {
        format!("{}:memory", self.tag)
    }

    /// The signing keys of builds. A string; it does not expire.
    #[must_use]
    pub fn build_keys(&self) -> String {
        format!("{}:keys", self.tag)
    }

    /// What is known of an idempotency key. A hash that expires with the retention.
    #[must_use]
    pub fn idempotency(&self, key: u128) -> String {
        format!("{}:idem:{key:032x}", self.tag)
    }

    pub(crate) fn of(&self, kind: OfSession, boot: Boot) -> String {
        format!("{}:{}:{boot}", self.tag, kind.name())
    }

    /// The view and all keys of a session, as the scripts take them.
    pub(crate) fn session(&self, boot: Boot) -> Vec<String> {
        let own = OfSession::ALL.map(|kind| self.of(kind, boot));
        std::iter::once(self.view()).chain(own).collect()
    }
}

/// Names the keys of a cluster's log of revalidations, and the channel that tells of it.
#[derive(Clone, Debug)]
pub(crate) struct CacheKeys {
    tag: Box<str>,
    names: Arc<[String; 6]>,
}

impl CacheKeys {
    /// What each key is, in the order of [`all`](Self::all), which ends with the channel.
    pub(crate) const KINDS: [&str; 5] = ["hash", "stream", "zset", "hash", "hash"];

    /// Keys are of one database of Redis, but what is pushed is heard in all of them: the channel says which.
    pub(crate) fn new(namespace: &Namespace, database: i64) -> Self {
        let tag = format!("{{cb:{namespace}:rc}}");
        let push = format!("push:{database}");
        let names = ["inc", "log", "acks", "grants", "declared", &push].map(|name| format!("{tag}:{name}"));
        Self { tag: tag.into(), names: Arc::new(names) }
    }

    /// All of them, as the scripts take them.
    pub(crate) fn all(&self) -> &[String; 6] {
        &self.names
    }

    /// The channel on which is pushed.
    pub(crate) fn channel(&self) -> &str {
        &self.names[5]
    }
}

impl Tagged for CacheKeys {
    fn tag(&self) -> &str {
        &self.tag
    }
}

/// Keys that carry one hash tag.
pub(crate) trait Tagged {
    /// The hash tag, with its braces.
    fn tag(&self) -> &str;

    /// Two keys that exist only within one script, while a connection is made.
    fn probes(&self) -> [String; 2] {
        ["a", "b"].map(|name| format!("{}:probe:{name}", self.tag()))
    }
}

impl Tagged for Keys {
    fn tag(&self) -> &str {
        &self.tag
    }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::identity::ProcessId;

    use super::*;

    #[test]
    fn all_keys_of_a_lane_have_its_hash_tag() {
        let keys = Keys::new(&"guest-book.1".parse().unwrap(), 0);
        let boot = Boot { process: ProcessId::from_u128(0xab), session: 7 };
        assert_eq!(keys.view(), "{cb:guest-book.1:0}:view");
        assert_eq!(
            keys.session(boot)[1..3],
            [
                "{cb:guest-book.1:0}:lease:000000000000000000000000000000ab.7",
                "{cb:guest-book.1:0}:in:000000000000000000000000000000ab.7"
            ]
        );
        assert_eq!(keys.idempotency(1), "{cb:guest-book.1:0}:idem:00000000000000000000000000000001");
    }

    #[test]
    fn all_keys_of_the_log_have_one_hash_tag() {
        let keys = CacheKeys::new(&"test".parse().unwrap(), 3);
        assert!(keys.all().iter().all(|key| key.starts_with("{cb:test:rc}:")));
        assert_eq!(keys.channel(), "{cb:test:rc}:push:3");
    }

    #[test]
    fn what_would_end_the_hash_tag_is_no_namespace() {
        for wrong in ["", "a}b", "a b", "a*", "a:b", &"a".repeat(65)] {
            assert!(wrong.parse::<Namespace>().is_err(), "{wrong}");
        }
    }
}
