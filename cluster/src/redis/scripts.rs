//! The scripts, and how they are loaded and asked for. Redis knows a script by the hash of its text, so nodes of two
//! versions may share one.

use std::sync::LazyLock;

use redis::{Cmd, Pipeline};

/// What the user of Redis has to be allowed to do, on keys and channels `{cb:<namespace>:*`, in the notation of its access
/// lists.
///
/// A connection checks it when it is opened: a script that ran into a missing permission half-way would leave its work
/// half done.
pub const ACL_COMMANDS: &[&str] = &[
    "del",
    "evalsha",
    "exists",
    "get",
    "hdel",
    "hexists",
    "hget",
    "hgetall",
    "hincrby",
    "hkeys",
    "hlen",
    "hmget",
    "hset",
    "hsetnx",
    "incr",
    "info",
    "mget",
    "pexpire",
    "publish",
    "rename",
    "script|load",
    "set",
    "subscribe",
    "time",
    "type",
    "unlink",
    "xack",
    "xadd",
    "xdel",
    "xgroup|create",
    "xgroup|destroy",
    "xinfo|groups",
    "xlen",
    "xpending",
    "xrange",
    "xread",
    "xreadgroup",
    "xrevrange",
    "xtrim",
    "zadd",
    "zcard",
    "zrange",
    "zrem",
    "zscore",
];

/// One of the scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    Incarnation,
    Remember,
    Probe,
    OpenInbox,
    Join,
    Renew,
    Send,
    Settle,
    Fence,
    Evict,
    Orphan,
    OrphanDone,
    AckView,
    Drain,
    Leave,
    Open,
    IdempotencyBegin,
    IdempotencyFinish,
    IdempotencyAbandon,
    IdempotencyResolve,
    IdempotencyRestore,
    BuildKeys,
    ReplaceBuildKeys,
    CacheOpen,
    CacheRenew,
    CachePublish,
    CacheAcknowledge,
    CacheRegistered,
    CacheReap,
    CacheLeave,
}

/// The text of a script on the log of revalidations.
macro_rules! cache {
    ($first_line:literal, $name:literal) => {
        concat!(
            $first_line,
            include_str!("scripts/memory.lua"),
            "\n",
            include_str!("scripts/cache/shared.lua"),
            "\n",
            include_str!(concat!("scripts/cache/", $name, ".lua"))
        )
    };
}

/// With the first line, Redis checks before it starts the script whether there is memory, replicas and permission to
/// write; without it, it would find out at the first command that needs it, with half of the script done.
macro_rules! writes {
    ($name:literal) => {
        concat!("#!lua\n", include_str!(concat!("scripts/", $name, ".lua")))
    };
}

/// The same, by which a Redis that forgot everything does nothing.
macro_rules! remembers {
    ($name:literal) => {
        concat!(
            "#!lua\n",
            include_str!("scripts/remembered.lua"),
            "\n",
            include_str!(concat!("scripts/", $name, ".lua"))
        )
    };
    (shared, $name:literal) => {
        concat!(
            "#!lua\n",
            include_str!("scripts/remembered.lua"),
            "\n",
            include_str!("scripts/memory.lua"),
            "\n",
            include_str!("scripts/shared.lua"),
            "\n",
            include_str!(concat!("scripts/", $name, ".lua"))
        )
    };
}

const TEXTS: [(Script, &str); 30] = [
    (
        Script::Incarnation,
        concat!(
            "#!lua flags=no-writes\n",
            include_str!("scripts/memory.lua"),
            include_str!("scripts/incarnation.lua")
        ),
    ),
    (Script::Remember, writes!("remember")),
    (Script::Probe, writes!("probe")),
    (Script::OpenInbox, remembers!(shared, "open_inbox")),
    (Script::Join, remembers!(shared, "join")),
    (Script::Renew, remembers!(shared, "renew")),
    (Script::Send, remembers!("send")),
    (Script::Settle, remembers!("settle")),
    (Script::Fence, remembers!(shared, "fence")),
    (Script::Evict, remembers!(shared, "evict")),
    (Script::Orphan, remembers!(shared, "orphan")),
    (Script::OrphanDone, remembers!("orphan_done")),
    (Script::AckView, remembers!("ack_view")),
    (Script::Drain, remembers!(shared, "drain")),
    (Script::Leave, remembers!(shared, "leave")),
    (Script::Open, remembers!(shared, "open")),
    (Script::IdempotencyBegin, remembers!("idempotency_begin")),
    (Script::IdempotencyFinish, remembers!("idempotency_finish")),
    (Script::IdempotencyAbandon, remembers!("idempotency_abandon")),
    (Script::IdempotencyResolve, remembers!("idempotency_resolve")),
    (Script::IdempotencyRestore, remembers!("idempotency_restore")),
    (Script::BuildKeys, concat!("#!lua flags=no-writes\n", include_str!("scripts/build_keys.lua"))),
    (Script::ReplaceBuildKeys, writes!("replace_build_keys")),
    (Script::CacheOpen, cache!("#!lua\n", "open")),
    (Script::CacheRenew, cache!("#!lua\n", "renew")),
    (Script::CachePublish, cache!("#!lua\n", "publish")),
    (Script::CacheAcknowledge, cache!("#!lua\n", "acknowledge")),
    (Script::CacheRegistered, cache!("#!lua flags=no-writes\n", "registered")),
    (Script::CacheReap, cache!("#!lua\n", "reap")),
    (Script::CacheLeave, cache!("#!lua\n", "leave")),
];

static HASHES: LazyLock<[String; TEXTS.len()]> =
    LazyLock::new(|| TEXTS.map(|(_, text)| redis::Script::new(text).get_hash().to_owned()));

impl Script {
    /// The command that runs it, with its keys. Arguments follow.
    pub(crate) fn with_keys(self, keys: &[String]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&HASHES[self as usize]).arg(keys.len()).arg(keys);
        command
    }

    /// The commands that make Redis know all of them.
    pub(crate) fn load_all() -> Pipeline {
        let mut pipeline = redis::pipe();
        for (_, text) in TEXTS {
            pipeline.cmd("SCRIPT").arg("LOAD").arg(text);
        }
        pipeline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_has_its_text() {
        for (place, (script, _)) in TEXTS.iter().enumerate() {
            assert_eq!(*script as usize, place, "{script:?}");
        }
    }

    /// Goal: whoever lacks a permission finds out when connecting. Method: look for the commands in the texts.
    #[test]
    fn the_probe_does_all_that_the_scripts_do() {
        let commands = |text: &str| -> std::collections::BTreeSet<String> {
            text.split("redis.call('")
                .skip(1)
                .map(|rest| rest.split('\'').next().unwrap().to_owned())
                .collect()
        };
        let probed = commands(TEXTS[Script::Probe as usize].1);
        for (script, text) in TEXTS {
            let missing: Vec<_> = commands(text).difference(&probed).cloned().collect();
            assert!(missing.is_empty(), "{script:?}: {missing:?}");
        }
        for command in probed {
            let command = command.to_lowercase();
            assert!(
                ACL_COMMANDS.iter().any(|acl| acl.split('|').next() == Some(command.as_str())),
                "{command}"
            );
        }
    }
}
