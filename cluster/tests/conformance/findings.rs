//! What Redis tells of how it is set up.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use callboard_cluster::{
    core::Connection as Role,
    redis::{Connection, Findings},
};

use crate::{permissions, server::Server, world::settings};

async fn inspect(server: &Server, user: &str, ahead_ms: u64) -> Findings {
    let settings = Arc::new(settings(&format!("redis://{user}127.0.0.1:{}", server.port)));
    let (connection, _) = Connection::open(&settings, Role::Commands).await.unwrap();
    let clock = move || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64 + ahead_ms;
    connection.inspect(clock).await.unwrap()
}

#[tokio::test]
async fn what_it_is_set_to_is_told() {
    let server = Server::with(&["--maxmemory", "1gb", "--maxmemory-policy", "volatile-ttl"]);
    let found = inspect(&server, "", 0).await;
    assert!(found.version.starts_with(|first: char| first.is_ascii_digit()), "{found:?}");
    assert_eq!((found.eviction_policy.as_deref(), found.memory_bytes_max), (Some("volatile-ttl"), 1 << 30));
    assert!(!found.append_only && found.append_works && !found.needs_replicas, "{found:?}");
    assert_eq!((found.replicas, found.append_fsync.as_deref()), (0, Some("everysec")));
    assert_eq!(found.replica_lag_max, Some(Duration::from_secs(10)));
    assert!(!found.round_trip.is_zero());
}

#[tokio::test]
async fn what_only_config_tells_is_not_known_where_it_is_forbidden() {
    let server = permissions::server();
    server.command("CONFIG SET min-replicas-to-write 1");
    server.command("CONFIG SET min-replicas-to-write 0");
    let found = inspect(&server, permissions::USER, 0).await;
    assert_eq!((found.append_fsync, found.replica_lag_max), (None, None));
    assert!(found.append_only);
    assert_eq!(found.eviction_policy.as_deref(), Some("noeviction"));
}

#[tokio::test]
async fn replicas_and_the_need_of_them_are_told() {
    let master = Server::start();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    replica.wait_for("INFO replication", |info| info.contains("master_link_status:up")).await;
    master.command("CONFIG SET min-replicas-to-write 1");
    master.command("CONFIG SET min-replicas-max-lag 3");
    master.wait_for("INFO replication", |info| info.contains("min_slaves_good_slaves:1")).await;
    let found = inspect(&master, "", 0).await;
    assert_eq!((found.replicas, found.needs_replicas), (1, true));
    assert_eq!(found.replica_lag_max, Some(Duration::from_secs(3)));
}

/// Goal: a clock that is off is told by how much, and which way. Method: this machine's, ten minutes ahead.
#[tokio::test]
async fn a_clock_that_is_off_is_told_by_how_much() {
    let server = Server::start();
    let found = inspect(&server, "", 600_000).await;
    // However slow this machine is, it is nearer to ten minutes than to none.
    assert!((-900_000..-300_000).contains(&found.clock_ahead_ms), "{found:?}");
}
