//! The record of the keys of builds.

use std::sync::Arc;

use callboard_cluster::{
    core::Connection as Role,
    redis::{Connection, Keys, Settings},
    store::Failure,
};

use crate::{permissions, server::Server, world::settings};

async fn open(server: &Server, user: &str) -> Connection {
    let settings = Arc::new(settings(&format!("redis://{user}127.0.0.1:{}", server.port)));
    Connection::open(&settings, Role::Commands).await.unwrap().0
}

async fn record(connection: &Connection) -> Option<Vec<u8>> {
    connection.build_keys().await.unwrap().record
}

#[tokio::test]
async fn only_what_was_read_is_replaced() {
    // With no permission besides those of a node.
    let server = permissions::server();
    let (one, other) = (open(&server, permissions::USER).await, open(&server, permissions::USER).await);
    assert_eq!(record(&one).await, None);
    assert_eq!(one.replace_build_keys(None, b"first").await, Ok(true));
    assert_eq!(other.replace_build_keys(None, b"second").await, Ok(false));
    assert_eq!(record(&other).await.as_deref(), Some(&b"first"[..]));
    assert_eq!(other.replace_build_keys(Some(b"first"), b"second").await, Ok(true));
    // Whoever got no answer asks again.
    assert_eq!(other.replace_build_keys(Some(b"first"), b"second").await, Ok(true));
    assert_eq!(one.replace_build_keys(Some(b"first"), b"third").await, Ok(false));
    assert_eq!(record(&one).await.as_deref(), Some(&b"second"[..]));
}

#[tokio::test]
async fn the_record_survives_a_restart_and_never_expires() {
    let mut server = Server::durable();
    let connection = open(&server, "").await;
    let before = connection.build_keys().await.unwrap().time;
    assert_eq!(connection.replace_build_keys(None, b"keys").await, Ok(true));
    let settings: Settings = settings(&server.url());
    let name = Keys::new(&settings.namespace, settings.lane).build_keys();
    assert_eq!(server.command(&format!("PTTL {name}")), ":-1");
    server.restart();
    let there = open(&server, "").await.build_keys().await.unwrap();
    assert_eq!(there.record.as_deref(), Some(&b"keys"[..]));
    assert!(there.time >= before);
    assert!(!format!("{there:?}").contains("107"), "bytes of the record are not printed");
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_refused_once_and_loaded() {
    let server = Server::start();
    let connection = open(&server, "").await;
    assert_eq!(server.command("SCRIPT FLUSH"), "+OK");
    let refused = connection.replace_build_keys(None, b"keys").await;
    assert!(matches!(refused, Err(Failure::Refused(_))), "{refused:?}");
    assert_eq!(connection.replace_build_keys(None, b"keys").await, Ok(true));
}
