//! What the connections of the log promise beside their answers: order, ends, and that one comes after another.

use std::{sync::Arc, time::Duration};

use callboard_cluster::{
    cache::store::{Answer, Command, Push},
    redis::{CacheConnection, CacheStore, OpenError, Pushes, Settings},
    store::Failure,
};
use callboard_protocol::revalidation::{Epoch, LogPosition};

use super::world::{at, entry, publish, renew, store};
use crate::{server::Server, world::settings};

async fn begin(connection: &CacheConnection) -> Epoch {
    let open = Command::Open { known: Epoch::default(), seen: LogPosition::default() };
    let answer = connection.perform(open).await;
    let Ok(Answer::Opened { epoch, .. }) = answer else { panic!("{answer:?}") };
    epoch
}

async fn in_time<T>(something: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), something).await.expect("in time")
}

#[tokio::test]
async fn commands_arrive_in_the_order_asked_however_they_are_awaited() {
    let server = Server::start();
    let connection = CacheConnection::open(&store(&server, "")).await.unwrap();
    let epoch = begin(&connection).await;
    let asked: Vec<_> = (0..500).map(|_| connection.perform(publish(1, epoch.start()))).collect();
    for (place, answer) in asked.into_iter().enumerate().rev() {
        let answer = answer.await;
        let Ok(Answer::Published { position, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(position, at(epoch, place as u64 + 1));
    }
}

#[tokio::test]
async fn nothing_is_asked_in_an_epoch_that_this_process_has_not_opened() {
    let server = Server::start();
    let ours = CacheConnection::open(&store(&server, "")).await.unwrap();
    let theirs = CacheConnection::open(&store(&server, "")).await.unwrap();
    let epoch = begin(&ours).await;
    assert_eq!(theirs.perform(renew(2, epoch.start())).await, Ok(Answer::Superseded));
    assert_eq!(begin(&theirs).await, epoch);
    assert!(matches!(theirs.perform(renew(2, epoch.start())).await, Ok(Answer::Renewed { .. })));
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_refused_once_and_loaded() {
    let server = Server::start();
    let connection = CacheConnection::open(&store(&server, "")).await.unwrap();
    let epoch = begin(&connection).await;
    assert_eq!(server.command("SCRIPT FLUSH"), "+OK");
    let refused = connection.perform(renew(1, epoch.start())).await;
    assert!(matches!(&refused, Err(Failure::Refused(why)) if why.contains("NoScript")), "{refused:?}");
    assert!(matches!(connection.perform(renew(1, epoch.start())).await, Ok(Answer::Renewed { .. })));
}

#[tokio::test]
async fn pushes_that_redis_cuts_off_are_closed_and_come_again_when_opened() {
    let server = Server::start();
    let store = store(&server, "");
    let connection = CacheConnection::open(&store).await.unwrap();
    let mut pushes = Pushes::open(&store).await.unwrap();
    let epoch = begin(&connection).await;
    connection.perform(publish(1, epoch.start())).await.unwrap();
    assert_eq!(in_time(pushes.next()).await, Some(Push::Entry(entry(1, at(epoch, 1)))));

    assert_eq!(server.command("CLIENT KILL TYPE pubsub"), ":1");
    assert_eq!(in_time(pushes.next()).await, None);
    in_time(pushes.closed()).await;
    assert_eq!(in_time(pushes.next()).await, None);

    // Commands go on, and what is published meanwhile is told to nobody.
    connection.perform(publish(1, epoch.start())).await.unwrap();
    let mut pushes = Pushes::open(&store).await.unwrap();
    connection.perform(publish(1, epoch.start())).await.unwrap();
    assert_eq!(in_time(pushes.next()).await, Some(Push::Entry(entry(1, at(epoch, 3)))));
}

/// Goal: a node does not listen for ever to a Redis that is asked by nobody. Method: it becomes a replica.
#[tokio::test]
async fn pushes_of_what_is_the_master_no_more_end() {
    let (server, other) = (Server::start(), Server::start());
    let mut pushes = Pushes::open(&store(&server, "")).await.unwrap();
    server.command(&format!("REPLICAOF 127.0.0.1 {}", other.port));
    assert_eq!(in_time(pushes.next()).await, None);
    let why = in_time(pushes.closed()).await;
    assert!(why.contains("replica") || why.contains("refuses"), "{why}");
}

/// Goal: whoever does not take pushes costs memory that has an end. Method: more than are kept.
#[tokio::test]
async fn of_pushes_that_nobody_takes_the_first_are_kept() {
    let server = Server::start();
    let store = store(&server, "");
    let connection = CacheConnection::open(&store).await.unwrap();
    let mut pushes = Pushes::open(&store).await.unwrap();
    let epoch = begin(&connection).await;
    for _ in 0..1200 {
        connection.perform(publish(1, epoch.start())).await.unwrap();
    }
    for sequence in 1..=1024 {
        assert_eq!(in_time(pushes.next()).await, Some(Push::Entry(entry(1, at(epoch, sequence)))));
    }
}

#[tokio::test]
async fn keys_go_away_after_their_time_and_are_kept_by_leases() {
    let server = Server::start();
    let connection = CacheConnection::open(&store(&server, "")).await.unwrap();
    let epoch = begin(&connection).await;
    connection.perform(publish(1, epoch.start())).await.unwrap();
    let keys = ["inc", "log", "acks", "grants", "declared"].map(|name| format!("{{cb:test:rc}}:{name}"));
    for _ in 0..2 {
        connection.perform(renew(1, epoch.start())).await.unwrap();
        for key in &keys {
            let ttl = server.command(&format!("PTTL {key}"));
            let ttl_ms: u64 = ttl.trim_start_matches(':').parse().unwrap_or_else(|_| panic!("{key}: {ttl}"));
            assert!((3_590_000..=3_600_000).contains(&ttl_ms), "{key}: {ttl}");
            server.command(&format!("PEXPIRE {key} 60000"));
        }
    }
    // Also those of an epoch in which nobody ever was granted one.
    server.command("FLUSHALL");
    let epoch = begin(&connection).await;
    connection.perform(publish(1, epoch.start())).await.unwrap();
    for key in &keys[..2] {
        assert_ne!(server.command(&format!("PTTL {key}")), ":-1", "{key}");
    }
}

#[tokio::test]
async fn the_log_has_a_length() {
    let server = Server::start();
    let settings = Settings { cache_log_entries_max: 200, ..settings(&server.url()) };
    let connection = CacheConnection::open(&CacheStore::new(Arc::new(settings))).await.unwrap();
    let epoch = begin(&connection).await;
    let asked: Vec<_> = (0..1000).map(|_| connection.perform(publish(1, epoch.start()))).collect();
    for answer in asked {
        answer.await.unwrap();
    }
    let length: usize = server.command("XLEN {cb:test:rc}:log").trim_start_matches(':').parse().unwrap();
    // Redis drops them by the hundred.
    assert!((200..400).contains(&length), "{length}");
}

#[tokio::test]
async fn a_replica_is_not_accepted() {
    let master = Server::start();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    replica.wait_for("INFO replication", |info| info.contains("master_link_status:up")).await;
    let store = store(&replica, "");
    for error in [
        CacheConnection::open(&store).await.map(|_| ()).unwrap_err(),
        Pushes::open(&store).await.map(|_| ()).unwrap_err(),
    ] {
        assert!(matches!(error, OpenError::Replica { .. }), "{error:?}");
    }
}
