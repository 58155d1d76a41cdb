//! What becomes of the log on bad days of Redis: it is another epoch, or goes on as it was; never half of it.

use std::{sync::Arc, time::Duration};

use callboard_cluster::{
    cache::store::{Answer, Command, Entry, Following, Push},
    redis::{CacheConnection, CacheStore, OpenError, Pushes, Settings},
    store::Failure,
};
use callboard_protocol::revalidation::{Epoch, LogPosition};

use super::world::{at, entry, process, publish, renew, store};
use crate::{server::Server, world::settings};

async fn open(store: &CacheStore) -> CacheConnection {
    CacheConnection::open(store).await.unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

async fn begin(connection: &CacheConnection, known: Epoch, seen: LogPosition) -> (Epoch, LogPosition) {
    let answer = connection.perform(Command::Open { known, seen }).await;
    let Ok(Answer::Opened { epoch, tail }) = answer else { panic!("{answer:?}") };
    (epoch, tail)
}

/// An epoch with two readers and an entry, and what a node of it asks next.
async fn running(connection: &CacheConnection) -> Epoch {
    let (epoch, start) = begin(connection, Epoch::default(), LogPosition::default()).await;
    connection.perform(renew(1, start)).await.unwrap();
    connection.perform(renew(2, start)).await.unwrap();
    connection.perform(publish(1, start)).await.unwrap();
    epoch
}

async fn closed(connection: &CacheConnection) -> String {
    tokio::time::timeout(Duration::from_secs(10), connection.closed()).await.expect("it is of no use")
}

/// Goal: nobody takes what comes after a restart for what came before. Method: with all data, without the end, with none.
#[tokio::test]
async fn a_restart_is_another_epoch_whatever_was_lost() {
    let durable = ["--appendonly", "yes", "--appendfsync", "always"];
    for (arguments, loss) in [(&durable[..], false), (&durable, true), (&["--appendonly", "no"], true)] {
        let mut server = Server::with(arguments);
        let store = store(&server, "");
        let connection = open(&store).await;
        let epoch = running(&connection).await;
        if loss && arguments == durable {
            // What is said from now on is in no file.
            server.command("CONFIG SET appendonly no");
        }
        connection.perform(publish(1, epoch.start())).await.unwrap();
        server.restart();
        closed(&connection).await;
        assert_eq!(connection.perform(renew(1, epoch.start())).await, Err(Failure::Silent));

        let connection = open(&store).await;
        assert_eq!(connection.perform(renew(1, at(epoch, 2))).await, Ok(Answer::Superseded));
        let (next, tail) = begin(&connection, epoch, at(epoch, 2)).await;
        assert!(next > epoch);
        assert_eq!(tail, next.start());
        let answer = connection.perform(publish(1, tail)).await;
        assert!(matches!(answer, Ok(Answer::Published { has_others: false, .. })), "{answer:?}");
    }
}

/// Goal: part of what belongs together is not taken for all of it: a reader that is not waited for may serve what is
/// stale. Method: take away each key, and each reader.
#[tokio::test]
async fn an_epoch_that_lost_a_part_is_over() {
    let server = Server::start();
    let store = store(&server, "");
    let connection = open(&store).await;
    let reader = process(2);
    for lost in [
        "DEL {cb:test:rc}:inc".to_owned(),
        "DEL {cb:test:rc}:acks".to_owned(),
        "DEL {cb:test:rc}:grants".to_owned(),
        format!("ZREM {{cb:test:rc}}:acks {reader}"),
        format!("HDEL {{cb:test:rc}}:grants {reader}"),
        "HDEL {cb:test:rc}:inc readers".to_owned(),
        "HDEL {cb:test:rc}:inc sequence".to_owned(),
        "FLUSHALL".to_owned(),
    ] {
        let epoch = running(&connection).await;
        assert!(!server.command(&lost).starts_with('-'), "{lost}");
        for command in [publish(1, at(epoch, 1)), renew(1, at(epoch, 1))] {
            assert_eq!(connection.perform(command).await, Ok(Answer::Superseded), "{lost}");
        }
        let (next, tail) = begin(&connection, epoch, at(epoch, 1)).await;
        assert!(next > epoch, "{lost}");
        assert_eq!(
            connection.perform(Command::Registered { epoch: next }).await.map(registered),
            Ok(0),
            "{lost}"
        );
        assert_eq!(tail, next.start());
        // Begin anew.
        begin(&connection, Epoch::new(next.as_u64() + 1).unwrap(), tail).await;
        server.command("DEL {cb:test:rc}:declared");
    }
}

/// How many were granted a lease.
fn registered(answer: Answer) -> usize {
    let Answer::Registered(all) = answer else { panic!("{answer:?}") };
    all.iter().filter(|(_, grants)| *grants > 0).count()
}

#[tokio::test]
async fn a_log_whose_entries_are_gone_goes_on_and_says_so() {
    let server = Server::start();
    let store = store(&server, "");
    let connection = open(&store).await;
    for lost in ["DEL {cb:test:rc}:log", "XTRIM {cb:test:rc}:log MAXLEN 0"] {
        let epoch = running(&connection).await;
        let (_, tail) = begin(&connection, epoch, epoch.start()).await;
        server.command(lost);
        let answer = connection.perform(renew(1, at(epoch, tail.sequence() - 1))).await;
        let Ok(Answer::Renewed { tail: same, following: Following::Trimmed, .. }) = answer else {
            panic!("{lost}: {answer:?}")
        };
        assert_eq!(same, tail);
        // Whoever has all of it misses nothing.
        let answer = connection.perform(publish(1, tail)).await;
        let next = at(epoch, tail.sequence() + 1);
        let following = Following::Entries(vec![entry(1, next)]);
        assert_eq!(answer, Ok(Answer::Published { position: next, following, has_others: true }), "{lost}");
    }
    // Whoever opens a log without its end does not trust it.
    for lost in ["DEL {cb:test:rc}:log", "XTRIM {cb:test:rc}:log MAXLEN 0"] {
        let epoch = running(&connection).await;
        server.command(lost);
        assert!(begin(&connection, epoch, epoch.start()).await.0 > epoch, "{lost}");
    }
}

#[tokio::test]
async fn a_hole_in_the_log_is_seen() {
    let server = Server::start();
    let connection = open(&store(&server, "")).await;
    let epoch = running(&connection).await;
    for _ in 0..2 {
        connection.perform(publish(1, at(epoch, 1))).await.unwrap();
    }
    server.command(&format!("XDEL {{cb:test:rc}}:log {}-2", epoch.as_u64()));
    let answer = connection.perform(renew(1, epoch.start())).await;
    assert!(matches!(answer, Ok(Answer::Renewed { following: Following::Trimmed, .. })), "{answer:?}");
}

/// Goal: an epoch is not taken for another with its number, which is that of the clock's ten seconds. Method: Redis loses
/// its memory twice at once, and is opened in between by nodes that know nothing of each other.
#[tokio::test]
async fn two_epochs_of_one_number_are_told_apart() {
    let server = Server::start();
    let (ours, theirs) = (store(&server, ""), store(&server, ""));
    let connection = open(&ours).await;
    let mut pushes = Pushes::open(&ours).await.unwrap();
    let epoch = running(&connection).await;
    assert_eq!(pushes.next().await, Some(Push::Entry(entry(1, at(epoch, 1)))));

    server.command("FLUSHALL");
    let others = open(&theirs).await;
    let other = running(&others).await;
    for _ in 0..3 {
        others.perform(publish(2, other.start())).await.unwrap();
    }
    // The clock may just have gone on to the next ten seconds: then there is nothing to be told apart.
    if other == epoch {
        for command in [renew(1, at(epoch, 1)), publish(1, at(epoch, 1)), Command::Registered { epoch }] {
            assert_eq!(connection.perform(command).await, Ok(Answer::Superseded));
        }
        server.command("PUBLISH {cb:test:rc}:push:0 w0-0-1");
        assert_eq!(pushes.next().await, Some(Push::Watermark(at(Epoch::default(), 1))));
    }
    let (next, tail) = begin(&connection, epoch, at(epoch, 1)).await;
    assert!(next > epoch);
    assert_eq!(tail, next.start());
    assert_eq!(others.perform(renew(2, at(other, 1))).await, Ok(Answer::Superseded));
    // Both go on in the same one.
    assert_eq!(begin(&others, other, at(other, 4)).await, (next, tail));
}

/// Redis tells what is pushed to whoever listens in any of its databases.
#[tokio::test]
async fn two_databases_of_one_redis_do_not_hear_of_each_other() {
    let server = Server::start();
    let at_database = |number: u8| {
        let url = format!("redis://127.0.0.1:{}/{number}", server.port);
        CacheStore::new(Arc::new(settings(&url)))
    };
    let (ours, theirs) = (at_database(0), at_database(1));
    let mut pushes = Pushes::open(&ours).await.unwrap();
    let others = open(&theirs).await;
    // One that is later than ours.
    let (other, _) = begin(&others, Epoch::new(1 << 27).expect("it is small"), LogPosition::default()).await;
    others.perform(publish(2, other.start())).await.unwrap();

    let connection = open(&ours).await;
    let epoch = running(&connection).await;
    assert_eq!(pushes.next().await, Some(Push::Entry(entry(1, at(epoch, 1)))));
    let renewed = connection.perform(renew(1, at(epoch, 1))).await;
    assert!(matches!(renewed, Ok(Answer::Renewed { tail, .. }) if tail == at(epoch, 1)), "{renewed:?}");
}

#[tokio::test]
async fn an_epoch_without_a_place_left_is_over() {
    let server = Server::start();
    let connection = open(&store(&server, "")).await;
    let epoch = running(&connection).await;
    let last = LogPosition::SEQUENCE_MAX;
    server.command(&format!("HSET {{cb:test:rc}}:inc sequence {}", last - 1));
    let answer = connection.perform(publish(1, at(epoch, last - 1))).await;
    let following = Following::Entries(vec![entry(1, at(epoch, last))]);
    assert_eq!(answer, Ok(Answer::Published { position: at(epoch, last), following, has_others: true }));
    assert_eq!(connection.perform(publish(1, at(epoch, last))).await, Ok(Answer::Superseded));
    let (next, tail) = begin(&connection, epoch, at(epoch, last)).await;
    assert_eq!((next.as_u64(), tail), (epoch.as_u64() + 1, next.start()));
}

/// Goal: whoever has to mend it learns which key is in the way. Method: each key as a string.
#[tokio::test]
async fn a_key_of_another_kind_is_named() {
    for name in ["inc", "log", "acks", "grants", "declared"] {
        let server = Server::start();
        let store = store(&server, "");
        let connection = open(&store).await;
        let epoch = running(&connection).await;
        let key = format!("{{cb:test:rc}}:{name}");
        server.command(&format!("SET {key} strange"));
        // It ends at whichever command touches the key; how much was done is not known.
        let mut answers = Vec::new();
        for command in [renew(3, epoch.start()), publish(1, epoch.start())] {
            answers.push(connection.perform(command).await);
        }
        assert!(answers.contains(&Err(Failure::Silent)), "{name}: {answers:?}");
        assert!(closed(&connection).await.contains("WRONGTYPE"), "{name}");

        let error = CacheConnection::open(&store).await.unwrap_err();
        assert!(matches!(error, OpenError::OtherKind { .. }) && !error.may_pass(), "{name}: {error:?}");
        let said = error.to_string();
        assert!(said.contains(&key) && said.contains("string"), "{said}");
        server.command(&format!("DEL {key}"));
        let (next, _) = begin(&open(&store).await, epoch, at(epoch, 1)).await;
        assert!(next > epoch || name == "declared", "{name}");
    }
}

#[tokio::test]
async fn what_somebody_else_writes_to_the_log_is_not_built_upon() {
    let server = Server::start();
    let store = store(&server, "");
    let connection = open(&store).await;
    let epoch = running(&connection).await;
    server.command(&format!("XADD {{cb:test:rc}}:log {}-9 m strange", epoch.as_u64()));
    assert_eq!(connection.perform(publish(1, at(epoch, 1))).await, Err(Failure::Silent));
    closed(&connection).await;
    let connection = open(&store).await;
    let (next, tail) = begin(&connection, epoch, at(epoch, 1)).await;
    assert!(next > epoch);
    connection.perform(publish(1, tail)).await.unwrap();
}

/// Goal: a node of an earlier version does not pass over what it cannot read. Method: an entry of another format.
#[tokio::test]
async fn marks_of_a_later_version_are_no_marks_but_an_entry() {
    let server = Server::start();
    let store = store(&server, "");
    let connection = open(&store).await;
    let mut pushes = Pushes::open(&store).await.unwrap();
    let (epoch, start) = begin(&connection, Epoch::default(), LogPosition::default()).await;
    server.command(&format!("XADD {{cb:test:rc}}:log {}-1 m zzz", epoch.as_u64()));
    server.command("HSET {cb:test:rc}:inc sequence 1");
    let unknown = Entry { position: at(epoch, 1), marks: None };
    let answer = connection.perform(renew(1, start)).await;
    let Ok(Answer::Renewed { following, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(following, Following::Entries(vec![unknown]));

    connection.perform(publish(2, at(epoch, 1))).await.unwrap();
    assert_eq!(pushes.next().await, Some(Push::Entry(entry(2, at(epoch, 2)))));
    // What is no push is passed over.
    for strange in ["", "x", "e1-2", "e1-2-3", "w1-2", "w1-2-99999999999999999999", "w---"] {
        server.command(&format!("PUBLISH {{cb:test:rc}}:push:0 \"{strange}\""));
    }
    server.command(&format!("PUBLISH {{cb:test:rc}}:push:0 \"e1-{}-3 zzz\"", epoch.as_u64() + 1));
    let later = at(Epoch::new(epoch.as_u64() + 1).unwrap(), 3);
    assert_eq!(pushes.next().await, Some(Push::Entry(Entry { position: later, marks: None })));
}

/// Goal: what is refused was not done half. Method: days on which Redis writes nothing, and the log before and after.
#[tokio::test]
async fn what_redis_refuses_is_refused_whole() {
    for (begins, ends, code) in [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "oom"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "noreplicas"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "readonly"),
    ] {
        let server = Server::start();
        let store = store(&server, "");
        let connection = open(&store).await;
        let epoch = running(&connection).await;
        let before = connection.perform(Command::Registered { epoch }).await.map(registered);
        assert_eq!(server.command(begins), "+OK");
        let refused = connection.perform(publish(1, at(epoch, 1))).await;
        let Err(Failure::Refused(why)) = &refused else { panic!("{code}: {refused:?}") };
        let letters = why.to_lowercase().replace(|letter: char| !letter.is_alphanumeric(), "");
        assert!(letters.contains(code), "{code}: {refused:?}");
        for command in [renew(1, at(epoch, 1)), Command::Leave { epoch, process: process(1) }] {
            let refused = connection.perform(command).await;
            assert!(matches!(refused, Err(Failure::Refused(_) | Failure::Silent)), "{code}: {refused:?}");
        }
        let error = CacheConnection::open(&store).await.unwrap_err();
        assert!(error.may_pass(), "{code}: {error:?}");

        assert_eq!(server.command(ends), "+OK");
        let connection = open(&store).await;
        if code == "readonly" {
            // It was somebody else's in between.
            assert!(begin(&connection, epoch, at(epoch, 1)).await.0 > epoch);
        } else {
            assert_eq!(begin(&connection, epoch, at(epoch, 1)).await, (epoch, at(epoch, 1)));
            assert_eq!(connection.perform(Command::Registered { epoch }).await.map(registered), before);
        }
    }
}

fn replicated(server: &Server, replicas: u32, time: Duration) -> CacheStore {
    let cache_replicas_wait = Some((replicas, time));
    CacheStore::new(Arc::new(Settings { cache_replicas_wait, ..settings(&server.url()) }))
}

/// Goal: what a promoted replica would not know counts for nothing. Method: one replica, then none.
#[tokio::test]
async fn what_too_few_replicas_have_does_not_count() {
    let server = Server::start();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &server.port.to_string()]);
    replica.wait_for("INFO replication", |info| info.contains("master_link_status:up")).await;
    server.wait_for("WAIT 1 100", |have| have == ":1").await;
    let connection = open(&replicated(&server, 1, Duration::from_secs(20))).await;
    let epoch = running(&connection).await;
    assert_eq!(replica.command("HGET {cb:test:rc}:inc sequence"), "1");

    drop(replica);
    server.wait_for("INFO replication", |info| info.contains("connected_slaves:0")).await;
    let connection = open(&replicated(&server, 1, Duration::from_millis(1))).await;
    let (same, _) = begin(&connection, epoch, at(epoch, 1)).await;
    assert_eq!(same, epoch);
    let next = at(epoch, 2);
    for (command, appended) in [(renew(1, at(epoch, 1)), None), (publish(1, at(epoch, 1)), Some(next))] {
        assert_eq!(connection.perform(command).await, Ok(Answer::Unreplicated { appended }));
    }
    // The connection is none the worse, and what says that the epoch is over needs no replica.
    let applied = at(epoch, 1);
    let acknowledge = Command::Acknowledge { process: process(1), epoch, applied };
    assert!(matches!(connection.perform(acknowledge).await, Ok(Answer::Acknowledged { .. })));
    server.command("FLUSHALL");
    assert_eq!(connection.perform(renew(1, applied)).await, Ok(Answer::Superseded));
}
