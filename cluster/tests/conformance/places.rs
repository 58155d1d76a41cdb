//! Finding the Redis that has the keys.

use std::{sync::Arc, time::Duration};

use callboard_cluster::{
    cache::store as cache,
    core::Connection as Role,
    redis::{CacheConnection, CacheStore, Connection, OpenError, Pushes},
    store::{Answer, Command},
};
use callboard_protocol::{
    identity::Incarnation,
    revalidation::{Epoch, LogPosition},
};

use crate::{
    server::Server,
    world::{boot, settings},
};

async fn open(url: &str) -> Result<(Connection, Incarnation), OpenError> {
    Connection::open(&Arc::new(settings(url)), Role::Commands).await
}

/// Opens again until it is another Redis than before.
async fn reopen(url: &str, before: &Incarnation) -> Connection {
    let another = async {
        loop {
            match open(url).await {
                Ok((connection, incarnation)) if incarnation != *before => return connection,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), another).await.expect("there is a new master")
}

#[tokio::test]
async fn a_replica_is_not_accepted() {
    let master = Server::start();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    replica.wait_for("INFO replication", |info| info.contains("master_link_status:up")).await;
    let error = open(&replica.url()).await.unwrap_err();
    assert!(matches!(error, OpenError::Replica { .. }), "{error:?}");
    assert!(error.to_string().contains(&replica.port.to_string()), "{error}");
}

#[tokio::test]
async fn a_socket_leads_to_redis() {
    let server = Server::with(&["--unixsocket", "redis.sock"]);
    let (connection, _) = open(&format!("unix://{}/redis.sock", server.dir().display())).await.unwrap();
    assert_eq!(connection.perform(Command::View).await, Ok(Answer::View(None)));
}

#[tokio::test]
async fn sentinels_lead_to_the_master_and_to_the_next_one() {
    let master = Server::start();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    let sentinel = Server::with(&["--sentinel"]);
    // The first of them is not there.
    let url = format!("redis-sentinel://127.0.0.1:1,127.0.0.1:{}/main", sentinel.port);
    assert!(matches!(open(&url).await, Err(OpenError::NoMaster { .. })));

    assert_eq!(sentinel.command(&format!("SENTINEL MONITOR main 127.0.0.1 {} 1", master.port)), "+OK");
    let (connection, before) = open(&url).await.unwrap();
    assert_eq!(connection.perform(Command::OpenInbox { boot: boot(1) }).await, Ok(Answer::Opened(true)));
    replica.wait_for("INFO replication", |info| info.contains("master_link_status:up")).await;
    // It learns of the replica from the master, now and then.
    sentinel.wait_for("SENTINEL FAILOVER main", |answer| answer == "+OK").await;

    let connection = reopen(&url, &before).await;
    let leases = connection.perform(Command::Leases { boots: vec![boot(1)] }).await;
    assert_eq!(leases, Ok(Answer::Leases(vec![Some(1)])));
}

#[tokio::test]
async fn nodes_of_a_redis_cluster_lead_to_the_one_that_has_the_keys() {
    let nodes = [(); 3].map(|()| Server::with(&["--cluster-enabled", "yes"]));
    let urls = nodes.each_ref().map(|node| format!("redis-cluster://127.0.0.1:{}", node.port));
    let error = open(&urls[0]).await.unwrap_err();
    assert!(matches!(error, OpenError::NoOwner { .. }), "{error:?}");

    for (node, slots) in nodes.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
        assert_eq!(node.command(&format!("CLUSTER ADDSLOTSRANGE {slots}")), "+OK");
        assert_eq!(node.command(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[0].port)), "+OK");
    }
    for node in &nodes {
        let ready = |info: &str| info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3");
        node.wait_for("CLUSTER INFO", ready).await;
    }

    let mut incarnations = Vec::new();
    for (session, url) in (1..).zip(&urls) {
        let (connection, incarnation) = open(url).await.unwrap();
        let boot = boot(session);
        assert_eq!(connection.perform(Command::OpenInbox { boot }).await, Ok(Answer::Opened(true)));
        let (profile, busy) = (crate::world::profile(), std::collections::BTreeSet::new());
        let join = Command::Join { boot, profile, incarnation: incarnation.clone(), busy };
        assert!(matches!(connection.perform(join).await, Ok(Answer::Joined { .. })));
        assert_eq!(connection.perform(Command::Fence { boot, counter: 1 }).await, Ok(Answer::Fencing(true)));
        assert!(matches!(connection.perform(Command::Evict { boot }).await, Ok(Answer::View(Some(_)))));
        incarnations.push(incarnation);
    }
    assert!(incarnations.iter().all(|incarnation| *incarnation == incarnations[0]));

    the_log_is_found_by_its_own_keys(&urls).await;

    // Whoever does not have the keys says so.
    let (mut refused, mut performed) = (0, 0);
    for node in &nodes {
        match open(&node.url()).await {
            Ok(_) => performed += 1,
            Err(OpenError::Refused { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((refused, performed), (2, 1));
}

/// It has another hash tag, and so may be at another node than calls are.
async fn the_log_is_found_by_its_own_keys(urls: &[String]) {
    let log = |url: &String| CacheStore::new(Arc::new(settings(url)));
    let mut pushes = Pushes::open(&log(&urls[0])).await.unwrap();
    for url in urls {
        let connection = CacheConnection::open(&log(url)).await.unwrap();
        let open = cache::Command::Open { known: Epoch::default(), seen: LogPosition::default() };
        let Ok(cache::Answer::Opened { epoch, tail }) = connection.perform(open).await else { panic!() };
        let (process, marks) = (boot(1).process, []);
        let publish = cache::Command::Publish { process, epoch, after: tail, marks: Some(marks.into()) };
        assert!(matches!(connection.perform(publish).await, Ok(cache::Answer::Published { .. })));
        let told = pushes.next().await;
        assert!(matches!(told, Some(cache::Push::Entry(_))), "{told:?}");
    }
}

/// Goal: a binary without cryptography is told so, whatever is asked first. Method: nobody installs any here.
#[cfg(feature = "redis-tls")]
#[tokio::test]
async fn without_cryptography_tls_is_refused_and_nothing_panics() {
    for url in ["rediss://localhost:1", "rediss-sentinel://localhost:1/main", "rediss-cluster://localhost:1"]
    {
        let error = open(url).await.unwrap_err();
        assert!(matches!(error, OpenError::NoCryptography { .. }), "{url}: {error:?}");
        assert!(error.to_string().contains("localhost:1"), "{error}");
    }
}
