//! Redis is there and does not work: what it refuses is refused whole, and goes on once it works again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use callboard_cluster::{
    core::Connection as Role,
    redis::{Connection, OpenError, Settings},
    store::{Answer, Command, Failure, Sent, Stream},
};
use callboard_protocol::identity::ProcessId;

use crate::{
    server::Server,
    world::{boot, call, idempotency, settings},
};

/// A day on which Redis does not work.
struct BadDay {
    /// How Redis calls it.
    code: &'static str,
    begins: &'static [&'static str],
    ends: &'static [&'static str],
    /// Whether it reads, too.
    reads: bool,
}

const OUT_OF_MEMORY: BadDay = BadDay {
    code: "OOM",
    begins: &["CONFIG SET maxmemory 1"],
    ends: &["CONFIG SET maxmemory 0"],
    reads: true,
};

const NO_REPLICAS: BadDay = BadDay {
    code: "NOREPLICAS",
    begins: &["CONFIG SET min-replicas-to-write 1"],
    ends: &["CONFIG SET min-replicas-to-write 0"],
    reads: true,
};

/// A replica of nobody, that reads on.
const READ_ONLY: BadDay =
    BadDay { code: "READONLY", begins: &["REPLICAOF 127.0.0.1 1"], ends: &["REPLICAOF NO ONE"], reads: true };

/// The same that does not.
const MASTER_DOWN: BadDay = BadDay {
    code: "READONLY",
    begins: &["CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"],
    ends: &["REPLICAOF NO ONE"],
    reads: false,
};

impl BadDay {
    fn begin(&self, server: &Server) {
        for line in self.begins {
            assert_eq!(server.command(line), "+OK", "{line}");
        }
    }

    fn end(&self, server: &Server) {
        for line in self.ends {
            assert_eq!(server.command(line), "+OK", "{line}");
        }
    }
}

fn to(server: &Server) -> Arc<Settings> {
    Arc::new(settings(&server.url()))
}

async fn open(settings: &Arc<Settings>) -> Connection {
    Connection::open(settings, Role::Commands).await.unwrap().0
}

fn send(number: u64) -> Command {
    let (to, sender) = (boot(1), ProcessId::from_u128(1));
    Command::Send { to, stream: Stream::Requests, sender, number, frame: Bytes::from_static(b"frame") }
}

/// One of each kind that writes: on a session, on the view, on a record.
fn writes() -> Vec<Command> {
    let (boot, call, idempotency) = (boot(1), call(1), idempotency(1));
    vec![
        send(1),
        Command::Renew { boot },
        Command::Fence { boot, counter: 1 },
        Command::Leave { boot },
        Command::Drain { boot },
        Command::IdempotencyBegin { idempotency, boot, call, attempt: 1, again: false },
    ]
}

fn names(failure: &Failure, code: &str) -> bool {
    let letters = |text: &str| text.to_lowercase().replace(|letter: char| !letter.is_alphanumeric(), "");
    matches!(failure, Failure::Refused(why) if letters(why).contains(&letters(code)))
}

/// Every write is refused, reads are answered or refused, and nothing was done half.
async fn refuses_whole(day: &BadDay) {
    let server = Server::start();
    let settings = to(&server);
    let connection = open(&settings).await;
    connection.perform(Command::OpenInbox { boot: boot(1) }).await.unwrap();
    day.begin(&server);
    for write in writes() {
        // Who learns that it is a replica's ends: for each, another that was opened before.
        let failure = connection.perform(write.clone()).await.unwrap_err();
        let silent_after_end = failure == Failure::Silent && write != send(1);
        assert!(names(&failure, day.code) || silent_after_end, "{write:?}: {failure:?}");
    }
    if day.reads {
        let read = connection.perform(Command::Leases { boots: vec![boot(1)] }).await;
        assert!(matches!(read, Ok(Answer::Leases(_)) | Err(Failure::Silent)), "{read:?}");
    }
    let error = Connection::open(&settings, Role::Commands).await.unwrap_err();
    let replica = matches!(error, OpenError::Replica { .. });
    assert!(replica || matches!(error, OpenError::Refused { .. }), "{}: {error:?}", day.code);
    assert!(error.may_pass(), "{error:?}");

    day.end(&server);
    let connection = open(&settings).await;
    // As it was: with the lease, and nothing in the inbox.
    assert_eq!(
        connection.perform(Command::Leases { boots: vec![boot(1)] }).await,
        Ok(Answer::Leases(vec![Some(1)]))
    );
    assert_eq!(connection.perform(send(1)).await, Ok(Answer::Sent(Sent::Now)));
}

#[tokio::test]
async fn without_memory_nothing_is_done_half() {
    refuses_whole(&OUT_OF_MEMORY).await;
}

#[tokio::test]
async fn without_replicas_nothing_is_done_half() {
    refuses_whole(&NO_REPLICAS).await;
}

#[tokio::test]
async fn when_it_only_reads_nothing_is_done_half() {
    refuses_whole(&READ_ONLY).await;
}

#[tokio::test]
async fn without_its_master_nothing_is_done_half() {
    refuses_whole(&MASTER_DOWN).await;
}

/// Goal: a node that outlives such a day needs no new connection. Method: the same one before and after.
#[tokio::test]
async fn a_connection_outlives_a_day_without_memory_or_replicas() {
    let server = Server::start();
    let connection = open(&to(&server)).await;
    connection.perform(Command::OpenInbox { boot: boot(1) }).await.unwrap();
    for (number, day) in (1..).zip([OUT_OF_MEMORY, NO_REPLICAS]) {
        day.begin(&server);
        let refused = connection.perform(send(number)).await.unwrap_err();
        assert!(names(&refused, day.code), "{refused:?}");
        day.end(&server);
        assert_eq!(connection.perform(send(number)).await, Ok(Answer::Sent(Sent::Now)));
    }
}

/// Goal: a full memory stops no read, so that what is there can still be answered. Method: read a frame.
#[tokio::test]
async fn without_memory_frames_are_still_read_and_settled() {
    let server = Server::start();
    let settings = to(&server);
    let connection = open(&settings).await;
    let (reader, _) = Connection::open(&settings, Role::Requests).await.unwrap();
    connection.perform(Command::OpenInbox { boot: boot(1) }).await.unwrap();
    connection.perform(send(1)).await.unwrap();
    OUT_OF_MEMORY.begin(&server);
    let read = reader.perform(Command::ReadRequests { boot: boot(1), frames_max: 1 }).await;
    // Redis counts claiming as writing.
    match read {
        Ok(Answer::Frames(frames)) => assert_eq!(frames.len(), 1),
        Err(failure) => assert!(names(&failure, "OOM"), "{failure:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn while_a_script_of_somebody_else_runs_it_is_refused_and_then_goes_on() {
    let server = Server::with(&["--appendonly", "no", "--busy-reply-threshold", "10"]);
    let settings = to(&server);
    let connection = open(&settings).await;
    connection.perform(Command::OpenInbox { boot: boot(1) }).await.unwrap();
    let port = server.port;
    let endless = std::thread::spawn(move || {
        // It only reads, so that it can be killed.
        crate::server::command(port, "EVAL while(true)do(type)(1)end 0")
    });
    server.wait_for("PING", |answer| answer.starts_with("-BUSY")).await;
    let refused = connection.perform(send(1)).await.unwrap_err();
    assert!(names(&refused, "BUSY"), "{refused:?}");
    let error = Connection::open(&settings, Role::Commands).await.unwrap_err();
    assert!(matches!(&error, OpenError::Refused { .. }) && error.may_pass(), "{error:?}");

    assert_eq!(server.command("SCRIPT KILL"), "+OK");
    endless.join().unwrap().unwrap();
    assert_eq!(connection.perform(send(1)).await, Ok(Answer::Sent(Sent::Now)));
}

/// Goal: a node that starts while Redis reads its file is told to wait. Method: a file that takes long.
#[tokio::test]
async fn while_it_loads_its_data_it_is_refused_and_then_opened() {
    // With a pause after each key, loading these takes 2 s.
    let mut server = Server::with(&["--appendonly", "yes", "--enable-debug-command", "yes"]);
    assert_eq!(server.command("DEBUG POPULATE 2000 k 10"), "+OK");
    assert_eq!(server.command("SAVE"), "+OK");
    server.wait_for("BGREWRITEAOF", |answer| answer.starts_with('+')).await;
    server.wait_for("INFO persistence", |info| info.contains("aof_rewrite_in_progress:0")).await;
    server.kill();
    let settings = to(&server);
    server.begin_again(&["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"]);
    server.wait_for("PING", |answer| answer.starts_with("-LOADING")).await;
    let error = Connection::open(&settings, Role::Commands).await.unwrap_err();
    assert!(matches!(&error, OpenError::Refused { .. }) && error.may_pass(), "{error:?}");
    assert!(format!("{error:?}").to_lowercase().contains("loading"), "{error:?}");

    server.wait_for("PING", |answer| answer == "+PONG").await;
    open(&settings).await;
}

/// Goal: without `noeviction`, what is lost is answered as lost, not as something else. Method: evict an inbox.
#[tokio::test]
async fn an_inbox_that_was_evicted_is_gone_and_its_session_fenced() {
    let server = Server::start();
    let connection = open(&to(&server)).await;
    connection.perform(Command::OpenInbox { boot: boot(1) }).await.unwrap();
    // Session keys have a time to live: they are what goes first.
    server.command("CONFIG SET maxmemory-policy volatile-ttl");
    server.command("CONFIG SET maxmemory 1");
    // Any write makes room, as far as that is possible.
    let _ = connection.perform(Command::Renew { boot: boot(1) }).await;
    server.command("CONFIG SET maxmemory 0");
    assert_eq!(connection.perform(send(1)).await, Ok(Answer::Sent(Sent::Gone)));
    assert_eq!(connection.perform(Command::Renew { boot: boot(1) }).await, Ok(Answer::Fenced));
    tokio::time::timeout(Duration::from_secs(10), connection.perform(Command::View)).await.unwrap().unwrap();
}
