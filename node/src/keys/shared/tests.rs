use callboard_cluster::{core, store::Profile};
use callboard_protocol::identity::{Boot, ProcessId};

use super::*;
use crate::{keys::record::Contradiction, redis_server::Server};

const DAY: Duration = Duration::from_hours(24);
const OLD: &str = "0000000000000000000000000000000a";
const NEW: &str = "0000000000000000000000000000000b";

fn settings(server: &Server) -> Arc<RedisSettings> {
    let url = format!("redis://:s3cret@127.0.0.1:{}", server.port).parse().expect("a URL");
    let mut settings = RedisSettings::new(url, "test".parse().expect("a namespace"));
    settings.open_timeout = Duration::from_secs(10);
    Arc::new(settings)
}

fn server() -> Server {
    Server::with(&["--requirepass", "s3cret"])
}

async fn start(redis: &Arc<RedisSettings>, build: &str) -> (Keys, Remembered) {
    load(redis, DAY, build, Purpose::Serve, PATIENCE).await.expect("has keys")
}

async fn connection(redis: &Arc<RedisSettings>) -> Connection {
    Connection::open(redis, core::Connection::Commands).await.expect("connects").0
}

/// A member of this build.
async fn join(redis: &Arc<RedisSettings>, build: &str) {
    let (connection, incarnation) =
        Connection::open(redis, core::Connection::Commands).await.expect("connects");
    let build = u128::from_str_radix(build, 16).expect("a build");
    let boot = Boot { process: ProcessId::from_u128(build), session: 1 };
    connection.perform(Command::OpenInbox { boot }).await.expect("opens");
    let profile = Profile { build, ..Profile::default() };
    let join = Command::Join { boot, profile, incarnation, busy: std::collections::BTreeSet::new() };
    assert!(matches!(connection.perform(join).await, Ok(Answer::Joined { .. })));
}

#[tokio::test]
async fn nodes_that_start_at_once_have_one_key_of_their_build() {
    let server = server();
    let redis = settings(&server);
    let (a, b, c) = tokio::join!(start(&redis, OLD), start(&redis, OLD), start(&redis, OLD));
    assert!(a.0.ring == b.0.ring && b.0.ring == c.0.ring);
    assert_eq!(a.0.salt, c.0.salt);
    let (other, _) = start(&redis, NEW).await;
    assert_ne!(other.salt, a.0.salt);
    assert_ne!(other.ring.signing_key_id(), a.0.ring.signing_key_id());
    assert_eq!(other.ring.fingerprints().count(), 2);
}

/// Whether there is a record.
async fn is_there(redis: &Arc<RedisSettings>) -> bool {
    connection(redis).await.build_keys().await.expect("answers").record.is_some()
}

#[tokio::test]
async fn a_build_that_still_has_members_is_not_replaced() {
    let server = server();
    let redis = settings(&server);
    let (old, _) = start(&redis, OLD).await;
    join(&redis, OLD).await;
    // With no window at all, what is replaced is forgotten at once.
    for _ in 0..2 {
        load(&redis, Duration::ZERO, NEW, Purpose::Serve, PATIENCE).await.expect("has keys");
    }
    let (again, _) = load(&redis, Duration::ZERO, OLD, Purpose::Serve, PATIENCE).await.expect("has keys");
    assert_eq!(again.ring.signing_key_id(), old.ring.signing_key_id());
    assert_eq!(again.salt, old.salt);
}

#[tokio::test]
async fn commands_that_print_replace_nobody() {
    let server = server();
    let redis = settings(&server);
    start(&redis, OLD).await;
    for _ in 0..2 {
        load(&redis, Duration::ZERO, NEW, Purpose::Print, PATIENCE).await.expect("has keys");
    }
    assert_eq!(start(&redis, OLD).await.0.ring.fingerprints().count(), 2);
}

#[tokio::test]
async fn a_redis_that_lost_the_keys_gets_them_back() {
    let mut server = server();
    let redis = settings(&server);
    let (keys, mut remembered) = start(&redis, OLD).await;
    server.restart();
    assert!(!is_there(&redis).await);
    // Of another build, started before anybody came back.
    start(&redis, NEW).await;

    let ring = remembered.put_back(&redis).await.expect("is put back");
    assert_eq!(ring.signing_key_id(), keys.ring.signing_key_id());
    assert_eq!(ring.fingerprints().count(), 2, "the other build's is learnt");
    let (again, _) = start(&redis, OLD).await;
    assert_eq!(again.salt, keys.salt);
}

#[tokio::test]
async fn a_second_key_of_one_build_is_noticed() {
    let mut server = server();
    let redis = settings(&server);
    let (before, mut remembered) = start(&redis, OLD).await;
    server.restart();
    let (after, _) = start(&redis, OLD).await;
    // So that the script that lets members join sees it, too.
    assert_eq!(after.ring.signing_key_id(), before.ring.signing_key_id());
    let error = remembered.put_back(&redis).await.expect_err("is another key");
    assert!(error.is::<Contradiction>(), "{error:#}");
    assert!(format!("{error:#}").contains("restart it"), "{error:#}");
}

#[tokio::test]
async fn a_redis_that_starts_later_is_waited_for() {
    let mut server = server();
    let redis = settings(&server);
    server.kill();
    let (keys, ()) = tokio::join!(start(&redis, OLD), async {
        tokio::task::yield_now().await;
        server.restart();
    });
    assert_eq!(keys.0.ring.fingerprints().count(), 1);
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_named_without_its_password() {
    let mut server = server();
    let redis = settings(&server);
    server.kill();
    let patience = Duration::from_millis(1);
    let error = load(&redis, DAY, OLD, Purpose::Serve, patience).await.err().expect("nobody is there");
    let error = format!("{error:#}");
    assert!(error.contains(&format!("127.0.0.1:{} (setting redis)", server.port)), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_redis_that_refuses_a_node_is_not_asked_again() {
    let server = server();
    let url = format!("redis://:wr0ng@127.0.0.1:{}", server.port).parse().expect("a URL");
    let redis = Arc::new(RedisSettings::new(url, "test".parse().expect("a namespace")));
    let error = load(&redis, DAY, OLD, Purpose::Serve, PATIENCE).await.err().expect("is refused");
    let error = format!("{error:#}");
    assert!(error.contains("does not take the user or password") && !error.contains("wr0ng"), "{error}");
}

#[tokio::test]
async fn something_else_in_the_place_of_the_keys_is_said_and_not_overwritten() {
    let server = server();
    let redis = settings(&server);
    let there = connection(&redis).await;
    assert_eq!(there.replace_build_keys(None, b"strange").await, Ok(true));
    let error = load(&redis, DAY, OLD, Purpose::Serve, PATIENCE).await.err().expect("is damaged");
    let error = format!("{error:#}");
    assert!(error.contains("damaged") && error.contains("restart all nodes"), "{error}");
    assert!(!error.contains("strange"), "{error}");
    let record = there.build_keys().await.expect("answers").record;
    assert_eq!(record.as_deref(), Some(&b"strange"[..]));
}
