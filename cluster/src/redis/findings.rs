//! How Redis is set up, as far as it tells: what a node warns of when it starts, and what `doctor` looks at.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use redis::RedisResult;

use super::{connection::Connection, keys::Keys, link::Link};
use crate::store::Failure;

/// How often the way to Redis and back is measured.
const ROUND_TRIPS: usize = 20;

/// What Redis says of itself, and how far away it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// Its version.
    pub version: String,
    /// What it does when memory is full: `maxmemory-policy`. None where it does not say.
    pub eviction_policy: Option<String>,
    /// Its `maxmemory`; 0 is no limit.
    pub memory_bytes_max: u64,
    /// Whether it writes down what it is told: `appendonly`.
    pub append_only: bool,
    /// Whether the last write to that file succeeded.
    pub append_works: bool,
    /// How often it makes sure that this is on disk: `appendfsync`. None where `CONFIG` is forbidden.
    pub append_fsync: Option<String>,
    /// Replicas that are connected to it.
    pub replicas: u32,
    /// Whether it stops writing without replicas: `min-replicas-to-write` and `min-replicas-max-lag` are not 0.
    pub needs_replicas: bool,
    /// After which silence a replica does not count: `min-replicas-max-lag`. None where `CONFIG` is forbidden.
    pub replica_lag_max: Option<Duration>,
    /// The median of a command and its answer.
    pub round_trip: Duration,
    /// By how much its clock is ahead of this machine's, in ms, give or take half a round trip.
    pub clock_ahead_ms: i64,
}

impl Connection {
    /// Looks at how Redis is set up. `unix_ms` is this machine's clock. Needs no permission besides those of a node;
    /// what only `CONFIG` tells is told where it is allowed.
    ///
    /// # Errors
    ///
    /// [`Failure`], as for every command.
    pub async fn inspect(&self, unix_ms: impl Fn() -> u64 + Send + Sync) -> Result<Findings, Failure> {
        self.link
            .until_end(async {
                match look(&self.link, unix_ms).await {
                    Ok(findings) => Ok(findings),
                    Err(error) => Err(self.link.failed(&error, true).await),
                }
            })
            .await
    }
}

async fn look(link: &Link<Keys>, unix_ms: impl Fn() -> u64) -> RedisResult<Findings> {
    let mut redis = link.redis.clone();
    let info: String = redis::cmd("INFO").query_async(&mut redis).await?;
    let said: HashMap<_, _> = info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
    let text = |name: &str| said.get(name).map(|value| (*value).to_owned());
    let number = |name: &str| said.get(name).and_then(|value| value.parse().ok()).unwrap_or_default();

    let mut config = redis::cmd("CONFIG");
    config.arg("GET").arg("appendfsync").arg("min-replicas-max-lag");
    // Forbidden by access lists, unknown at some providers: then it is not known.
    let config: HashMap<String, String> = config.query_async(&mut redis).await.unwrap_or_default();

    let (mut trips, mut nearest) = (Vec::with_capacity(ROUND_TRIPS), None);
    for _ in 0..ROUND_TRIPS {
        let (asked, asked_ms) = (Instant::now(), unix_ms());
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await?;
        let took = asked.elapsed();
        trips.push(took);
        let middle_ms = u64::midpoint(asked_ms, unix_ms());
        let ahead_ms = (seconds * 1000 + micros / 1000).cast_signed() - middle_ms.cast_signed();
        // The shortest way says it most exactly.
        nearest = nearest.min(Some((took, ahead_ms))).or(Some((took, ahead_ms)));
    }
    trips.sort_unstable();

    Ok(Findings {
        version: text("redis_version").unwrap_or_default(),
        eviction_policy: text("maxmemory_policy"),
        memory_bytes_max: number("maxmemory"),
        append_only: number("aof_enabled") == 1,
        append_works: said.get("aof_last_write_status").is_none_or(|status| *status == "ok"),
        append_fsync: config.get("appendfsync").cloned(),
        replicas: number("connected_slaves") as u32,
        // It counts them only where both settings are given.
        needs_replicas: said.contains_key("min_slaves_good_slaves"),
        replica_lag_max: config
            .get("min-replicas-max-lag")
            .and_then(|seconds| seconds.parse().ok().map(Duration::from_secs)),
        round_trip: trips[trips.len() / 2],
        clock_ahead_ms: nearest.map_or(0, |(_, ahead_ms)| ahead_ms),
    })
}
