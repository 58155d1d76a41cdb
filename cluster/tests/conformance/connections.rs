//! What a connection promises beside its answers: order, ends, and what a failure means.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use callboard_cluster::{
    core::Connection as Role,
    redis::{Connection, OpenError, Settings},
    store::{Answer, Command, EntryId, Failure, Sent, Stream},
};
use callboard_protocol::identity::ProcessId;

use crate::{
    server::Server,
    world::{all_of_orphan, boot, call, idempotency, settings},
};

async fn open(settings: &Arc<Settings>) -> Connection {
    Connection::open(settings, Role::Commands).await.unwrap().0
}

fn to(server: &Server) -> Arc<Settings> {
    Arc::new(settings(&server.url()))
}

fn send(number: u64) -> Command {
    let (to, sender) = (boot(1), ProcessId::from_u128(1));
    Command::Send { to, stream: Stream::Replies, sender, number, frame: Bytes::from_static(b"frame") }
}

#[tokio::test]
async fn commands_arrive_in_the_order_asked_however_they_are_awaited() {
    let server = Server::start();
    let connection = open(&to(&server)).await;
    let opened = connection.perform(Command::OpenInbox { boot: boot(1) });
    let sent: Vec<_> = (1..=500).map(|number| connection.perform(send(number))).collect();
    // A later number that came first would make an earlier one a repetition.
    for answer in sent.into_iter().rev() {
        assert_eq!(answer.await, Ok(Answer::Sent(Sent::Now)));
    }
    assert_eq!(opened.await, Ok(Answer::Opened(true)));
}

#[tokio::test]
async fn a_command_whose_answer_nobody_awaits_is_performed() {
    let server = Server::start();
    let connection = open(&to(&server)).await;
    connection.perform(Command::OpenInbox { boot: boot(1) }).await.unwrap();
    drop(connection.perform(send(1)));
    // Dropping it may come before it is written; then it is not. Either way, what follows is in order.
    let answer = connection.perform(send(1)).await;
    assert!(matches!(answer, Ok(Answer::Sent(Sent::Now | Sent::Before))), "{answer:?}");
}

#[tokio::test]
async fn a_broken_connection_is_silent_and_closed_and_stays_so() {
    let mut server = Server::start();
    let connection = open(&to(&server)).await;
    server.kill();
    tokio::time::timeout(Duration::from_secs(10), connection.closed()).await.expect("notices");
    assert_eq!(connection.perform(Command::View).await, Err(Failure::Silent));
    server.restart();
    assert_eq!(connection.perform(Command::View).await, Err(Failure::Silent));
    assert_eq!(open(&to(&server)).await.perform(Command::View).await, Ok(Answer::View(None)));
}

#[tokio::test]
async fn commands_of_a_connection_that_is_dropped_are_silent() {
    let server = Server::start();
    let connection = open(&to(&server)).await;
    connection.perform(Command::OpenInbox { boot: boot(1) }).await.unwrap();
    let read =
        connection.perform(Command::ReadReplies { boot: boot(1), after: EntryId::default(), frames_max: 1 });
    drop(connection);
    assert_eq!(read.await, Err(Failure::Silent));
    // All of it is closed: what asks is the only client left.
    server.wait_for("INFO clients", |clients| clients.contains("connected_clients:1\r")).await;
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_refused_once_and_loaded() {
    let server = Server::start();
    let connection = open(&to(&server)).await;
    assert_eq!(server.command("SCRIPT FLUSH"), "+OK");
    let refused = connection.perform(Command::OpenInbox { boot: boot(1) }).await;
    assert!(matches!(&refused, Err(Failure::Refused(why)) if why.contains("NoScript")), "{refused:?}");
    assert_eq!(connection.perform(Command::OpenInbox { boot: boot(1) }).await, Ok(Answer::Opened(true)));
}

/// Goal: a Redis that forgot everything and goes on is another memory. Method: each kind of command, on a connection that
/// was made before.
#[tokio::test]
async fn a_redis_that_was_flushed_does_nothing_for_who_knew_it_before() {
    let (boot, call) = (boot(1), call(1));
    let commands = [
        Command::OpenInbox { boot },
        Command::Renew { boot },
        send(1),
        Command::Fence { boot, counter: 1 },
        Command::IdempotencyBegin { idempotency: idempotency(1), boot, call, attempt: 1, again: false },
        Command::View,
        Command::Leases { boots: vec![boot] },
        Command::ReadRequests { boot, frames_max: 1 },
        Command::ReadReplies { boot, after: EntryId::default(), frames_max: 1 },
    ];
    let server = Server::start();
    let settings = to(&server);
    for command in commands {
        let (connection, before) = Connection::open(&settings, Role::Commands).await.unwrap();
        connection.perform(Command::OpenInbox { boot }).await.unwrap();
        assert_eq!(server.command("FLUSHALL"), "+OK");
        let asked = format!("{command:?}");
        assert_eq!(connection.perform(command).await, Err(Failure::Silent), "{asked}");
        assert!(connection.closed().await.contains("forgot everything"), "{asked}");
        assert_eq!(server.command("DBSIZE"), ":0", "{asked}");
        let (_, after) = Connection::open(&settings, Role::Commands).await.unwrap();
        assert_ne!(before, after);
    }
    let (_, before) = Connection::open(&settings, Role::Commands).await.unwrap();
    let (_, after) = Connection::open(&settings, Role::Commands).await.unwrap();
    assert_eq!(before, after, "nothing was forgotten");
}

#[tokio::test]
async fn a_master_that_becomes_a_replica_refuses_and_ends_the_connections() {
    let (server, other) = (Server::start(), Server::start());
    let settings = to(&server);
    let connection = open(&settings).await;
    let (reader, before) = Connection::open(&settings, Role::Requests).await.unwrap();
    connection.perform(Command::OpenInbox { boot: boot(1) }).await.unwrap();
    let waiting = reader.perform(Command::ReadRequests { boot: boot(1), frames_max: 1 });
    tokio::task::yield_now().await;
    server.command(&format!("REPLICAOF 127.0.0.1 {}", other.port));

    let refused = connection.perform(send(1)).await;
    assert!(matches!(&refused, Err(Failure::Refused(_))), "{refused:?}");
    tokio::time::timeout(Duration::from_secs(10), connection.closed()).await.expect("is of no use");
    let waited = waiting.await;
    assert!(matches!(&waited, Err(_) | Ok(Answer::Gone | Answer::Frames(_))), "{waited:?}");
    let error = Connection::open(&settings, Role::Commands).await.unwrap_err();
    assert!(matches!(error, OpenError::Replica { .. } | OpenError::Refused { .. }), "{error:?}");

    // Promoted again, it is another incarnation, though it is the same process.
    server.command("REPLICAOF NO ONE");
    let (_, after) = Connection::open(&settings, Role::Commands).await.unwrap();
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_key_of_another_type_is_silence_and_ends_the_connection() {
    let server = Server::start();
    let connection = open(&to(&server)).await;
    server.command(&format!("SET {{cb:test:0}}:in:{} strange", boot(1)));
    // The script fails somewhere, and how much of it is done is not known.
    let answer = connection.perform(all_of_orphan(boot(1))).await;
    assert_eq!(answer, Ok(Answer::Orphan(None)));
    let answer = connection.perform(Command::Leave { boot: boot(1) }).await;
    assert_eq!(answer, Err(Failure::Silent));
    assert!(connection.closed().await.contains("WRONGTYPE"), "{}", connection.closed().await);
}

#[tokio::test]
async fn who_cannot_be_reached_is_named() {
    let mut server = Server::start();
    let settings = to(&server);
    server.kill();
    let error = Connection::open(&settings, Role::Commands).await.unwrap_err();
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&server.port.to_string()), "{error}");
}

#[tokio::test]
async fn keys_go_away_after_their_time_and_are_kept_by_renewals() {
    let server = Server::start();
    let connection = open(&to(&server)).await;
    connection.perform(Command::OpenInbox { boot: boot(1) }).await.unwrap();
    connection.perform(send(1)).await.unwrap();
    let keys = |kinds: &[&str]| -> Vec<String> {
        kinds.iter().map(|kind| format!("{{cb:test:0}}:{kind}:{}", boot(1))).collect()
    };
    let ttl_ms = |key: &str| -> u64 {
        server.command(&format!("PTTL {key}")).trim_start_matches(':').parse().unwrap()
    };
    let hour = 3_590_000..=3_600_000;
    for key in keys(&["lease", "in", "re", "cur"]) {
        assert!(hour.contains(&ttl_ms(&key)), "{key}");
        server.command(&format!("PEXPIRE {key} 60000"));
    }
    connection.perform(Command::Renew { boot: boot(1) }).await.unwrap();
    for key in keys(&["lease", "in", "re", "cur"]) {
        assert!(hour.contains(&ttl_ms(&key)), "{key}");
        server.command(&format!("PEXPIRE {key} 60000"));
    }
    connection.perform(Command::Fence { boot: boot(1), counter: 2 }).await.unwrap();
    for key in keys(&["orph", "ore", "ocur"]) {
        assert!(hour.contains(&ttl_ms(&key)), "{key}");
    }
    for key in keys(&["lease", "in", "re", "cur"]) {
        assert_eq!(server.command(&format!("EXISTS {key}")), ":0", "{key}");
    }
}
