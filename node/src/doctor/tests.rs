use std::{collections::BTreeSet, sync::Arc};

use callboard_cluster::{redis::Findings, store::Profile};
use callboard_protocol::identity::{Boot, ProcessId};

use super::*;
use crate::{keys::Purpose, redis_server::Server, settings::Sources};

/// Everything is as the manual wants it.
fn well() -> Findings {
    Findings {
        version: "7.0.15".to_owned(),
        eviction_policy: Some("noeviction".to_owned()),
        memory_bytes_max: 1 << 30,
        append_only: true,
        append_works: true,
        append_fsync: Some("everysec".to_owned()),
        replicas: 1,
        needs_replicas: true,
        replica_lag_max: Some(Duration::from_secs(2)),
        round_trip: Duration::from_micros(200),
        clock_ahead_ms: -3,
    }
}

/// The checks that are not well.
fn not_well(findings: &Findings) -> Vec<(Subject, Verdict)> {
    let checks = setup::checks(findings, &core::Settings::default());
    let bad = checks.iter().filter(|check| check.verdict != Verdict::Ok);
    bad.map(|check| {
        assert!(!check.advice.is_empty(), "{check:?}");
        (check.subject, check.verdict)
    })
    .collect()
}

#[test]
fn each_setup_of_redis_has_its_verdict() {
    use Verdict::{Problem, Warning};
    type Change = fn(&mut Findings);
    assert_eq!(not_well(&well()), []);
    let alone: Change = |found| (found.replicas, found.needs_replicas) = (0, false);
    let forbidden: Change = |found| (found.append_fsync, found.replica_lag_max) = (None, None);
    for fine in [alone, forbidden] {
        let mut findings = well();
        fine(&mut findings);
        assert_eq!(not_well(&findings), []);
    }
    let cases: [(Change, Subject, Verdict); 13] = [
        (|found| found.version = "7.0.9".to_owned(), Subject::Version, Warning),
        (|found| found.eviction_policy = Some("allkeys-lru".to_owned()), Subject::Eviction, Problem),
        (
            |found| (found.eviction_policy, found.memory_bytes_max) = (Some("volatile-ttl".to_owned()), 0),
            Subject::Eviction,
            Warning,
        ),
        (|found| found.eviction_policy = None, Subject::Eviction, Warning),
        (|found| found.append_only = false, Subject::Persistence, Problem),
        (|found| found.append_works = false, Subject::Persistence, Problem),
        (|found| found.append_fsync = Some("no".to_owned()), Subject::Persistence, Warning),
        (|found| found.needs_replicas = false, Subject::Replicas, Problem),
        (|found| found.replica_lag_max = Some(Duration::from_secs(10)), Subject::Replicas, Warning),
        (|found| found.round_trip = Duration::from_millis(11), Subject::Latency, Warning),
        (|found| found.round_trip = Duration::from_millis(301), Subject::Latency, Problem),
        (|found| found.clock_ahead_ms = 200, Subject::Clock, Warning),
        (|found| found.clock_ahead_ms = -200, Subject::Clock, Warning),
    ];
    for (change, subject, verdict) in cases {
        let mut findings = well();
        change(&mut findings);
        assert_eq!(not_well(&findings), [(subject, verdict)]);
    }
}

#[test]
fn the_checks_are_those_of_the_manual() {
    let manual = include_str!("../../../docs/OPERATIONS.md");
    let table = manual.split("| `doctor` looks at |").nth(1).expect("the table of the checks");
    let rows = table.lines().skip(2).map_while(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((name, rest.split(" | ").next()?.replace('`', "")))
    });
    let known = Subject::ALL.map(|subject| (subject.name(), subject.meaning().to_owned()));
    assert_eq!(rows.collect::<Vec<_>>(), known);
}

fn settings(texts: &[(&str, &str)]) -> Settings {
    Sources::of_test(texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
        .expect("values")
}

fn build() -> BuildId {
    BuildId::of_executable().expect("a program")
}

async fn examined(url: &str, texts: &[(&str, &str)]) -> Vec<Check> {
    let mut all = vec![("redis", url)];
    all.extend_from_slice(texts);
    let settings = settings(&all);
    let cluster = ClusterSettings::of(&settings, "guestbook", Duration::ZERO).expect("fits");
    let state = tempfile::tempdir().expect("a folder");
    examine("guestbook", &settings, state.path(), cluster.as_ref(), build()).await
}

fn check(checks: &[Check], subject: Subject) -> &Check {
    checks.iter().find(|check| check.subject == subject).expect("is looked at")
}

#[tokio::test]
async fn a_redis_as_the_manual_wants_it_is_well() {
    let server = Server::durable();
    let checks = examined(&server.url(), &[]).await;
    assert_eq!(checks.iter().map(|check| check.subject).collect::<Vec<_>>(), Subject::ALL);
    // How near it is depends on what else this machine does.
    let bad = checks.iter().filter(|check| check.verdict != Verdict::Ok && check.subject != Subject::Latency);
    assert_eq!(bad.collect::<Vec<_>>(), Vec::<&Check>::new());
}

#[tokio::test]
async fn what_redis_is_set_to_is_found() {
    let server = Server::start();
    server.command("CONFIG SET maxmemory-policy allkeys-lru");
    server.command("CONFIG SET maxmemory 1073741824");
    let checks = examined(&server.url(), &[]).await;
    assert_eq!(check(&checks, Subject::Eviction).found, "allkeys-lru");
    assert_eq!(check(&checks, Subject::Eviction).verdict, Verdict::Problem);
    assert_eq!(check(&checks, Subject::Persistence).verdict, Verdict::Problem);
    assert_eq!(check(&checks, Subject::Replicas).found, "none: there is no fail-over");
}

#[tokio::test]
async fn replicas_that_are_not_needed_for_writing_are_a_problem() {
    let master = Server::durable();
    let replica = Server::with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    replica.wait_for("INFO replication", |info| info.contains("master_link_status:up")).await;
    master.wait_for("INFO replication", |info| info.contains("connected_slaves:1")).await;
    let checks = examined(&master.url(), &[]).await;
    assert_eq!(check(&checks, Subject::Replicas).verdict, Verdict::Problem);
    master.command("CONFIG SET min-replicas-to-write 1");
    master.command("CONFIG SET min-replicas-max-lag 2");
    master.wait_for("INFO replication", |info| info.contains("min_slaves_good_slaves:1")).await;
    let checks = examined(&master.url(), &[]).await;
    assert_eq!(check(&checks, Subject::Replicas).verdict, Verdict::Ok);
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_a_problem_without_a_password() {
    let mut server = Server::start();
    server.kill();
    let checks = examined(&format!("redis://u:s3cret@127.0.0.1:{}", server.port), &[]).await;
    let redis = check(&checks, Subject::Redis);
    assert_eq!(redis.verdict, Verdict::Problem);
    assert!(redis.found.contains(&server.port.to_string()) && !redis.found.contains("s3cret"), "{redis:?}");
}

#[tokio::test]
async fn a_node_that_is_alone_is_told_so() {
    let state = tempfile::tempdir().expect("a folder");
    let checks = examine("guestbook", &settings(&[]), state.path(), None, build()).await;
    assert_eq!(checks.iter().map(|check| check.verdict).collect::<Vec<_>>(), [Verdict::Ok; 4]);
    let subjects = checks.iter().map(|check| check.subject);
    let alone = [Subject::StateDir, Subject::SpillDir, Subject::Redis, Subject::Keys];
    assert_eq!(subjects.collect::<Vec<_>>(), alone);
    assert_eq!(check(&checks, Subject::Redis).found, "none is set: this node is alone");
    std::fs::write(state.path().join("keys.json"), "{").expect("writes");
    let checks = examine("guestbook", &settings(&[]), state.path(), None, build()).await;
    assert_eq!(check(&checks, Subject::Keys).verdict, Verdict::Problem);
    let gone = state.path().join("gone");
    let checks = examine("guestbook", &settings(&[]), &gone, None, build()).await;
    assert_eq!(check(&checks, Subject::StateDir).verdict, Verdict::Problem);
    let settings = settings(&[("spill_dir", gone.to_str().expect("text"))]);
    let checks = examine("guestbook", &settings, state.path(), None, build()).await;
    let spill = check(&checks, Subject::SpillDir);
    assert_eq!(spill.verdict, Verdict::Problem);
    assert!(spill.advice.ends_with("(setting spill_dir)"), "{spill:?}");
}

/// Becomes a member with this build and these keys.
async fn join(url: &str, number: u128, build: u128, keys: &[(u8, u64)]) {
    let redis = callboard_cluster::redis::Settings::new(
        url.parse().expect("a URL"),
        "guestbook".parse().expect("a namespace"),
    );
    let (connection, incarnation) =
        Connection::open(&Arc::new(redis), core::Connection::Commands).await.expect("connects");
    let boot = Boot { process: ProcessId::from_u128(number), session: 1 };
    connection.perform(Command::OpenInbox { boot }).await.expect("opens");
    let profile = Profile { build, keys: keys.iter().copied().collect(), ..Profile::default() };
    let join = Command::Join { boot, profile, incarnation, busy: BTreeSet::new() };
    assert!(matches!(connection.perform(join).await, Ok(Answer::Joined { .. })));
}

const RING: &str = "1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

#[tokio::test]
async fn members_that_do_not_know_what_signs_are_found() {
    let server = Server::durable();
    let url = server.url();
    let key = KeyRing::parse(RING).expect("a ring").fingerprints().next().expect("a key").1.as_u64();
    join(&url, 1, 7, &[(1, key)]).await;
    let keys = async || check(&examined(&url, &[("keys", RING)]).await, Subject::Keys).clone();
    assert_eq!(keys().await, Check::ok(Subject::Keys, "1 key configured, key 1 signs"));
    join(&url, 2, 7, &[(2, 5)]).await;
    let stranger = keys().await;
    assert_eq!(stranger.verdict, Verdict::Problem);
    assert!(stranger.found.ends_with("it is not known to 1 member"), "{stranger:?}");

    let other = RING.replace("AQE=", "AgE=");
    let other = check(&examined(&url, &[("keys", &other)]).await, Subject::Keys).clone();
    assert_eq!(
        (other.verdict, other.found.as_str()),
        (Verdict::Problem, "there are different keys with the id 1")
    );
}

#[tokio::test]
async fn members_of_several_builds_are_counted() {
    let server = Server::durable();
    let url = server.url();
    let builds = async || check(&examined(&url, &[]).await, Subject::Builds).clone();
    assert_eq!(builds().await.found, "no node is a member");
    let own = u128::from_str_radix(&build().to_string(), 16).expect("a number");
    join(&url, 1, own, &[]).await;
    join(&url, 2, own, &[]).await;
    assert_eq!(builds().await, Check::ok(Subject::Builds, format!("2 members of {own:032x}")));
    join(&url, 3, 7, &[]).await;
    let several = builds().await;
    assert_eq!(several.verdict, Verdict::Warning);
    assert!(several.found.contains("1 member of 00000000000000000000000000000007"), "{several:?}");
}

#[tokio::test]
async fn looking_makes_no_key() {
    let server = Server::durable();
    let url = server.url();
    let found = || async { check(&examined(&url, &[]).await, Subject::Keys).found.clone() };
    assert!(found().await.starts_with("this build has none yet"));
    assert!(found().await.starts_with("this build has none yet"));
    let settings = settings(&[("redis", &url)]);
    let cluster =
        ClusterSettings::of(&settings, "guestbook", Duration::ZERO).expect("fits").expect("a cluster");
    Keys::load_shared(&cluster.redis, &settings, build(), Purpose::Serve).await.expect("has keys");
    assert!(found().await.contains("of this build signs, 1 key known"));
}

fn cluster(url: &str) -> ClusterSettings {
    let settings = settings(&[("redis", url)]);
    ClusterSettings::of(&settings, "guestbook", Duration::ZERO).expect("fits").expect("a cluster")
}

#[tokio::test]
async fn a_node_starts_with_a_redis_that_is_not_set_up_well() {
    let server = Server::start();
    let core = look_at_start(&cluster(&server.url()), Presence::Needed).await.expect("starts");
    assert_eq!(core.failover_hold, Duration::from_millis(3300));
}

#[tokio::test]
async fn a_node_does_not_start_with_a_redis_that_drops_keys() {
    let server = Server::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let refused = look_at_start(&cluster(&server.url()), Presence::Hoped).await.expect_err("refused");
    let refused = refused.to_string();
    assert!(refused.contains("(allkeys-lru): set maxmemory-policy noeviction"), "{refused}");
}

#[tokio::test]
async fn a_node_that_can_do_without_starts_without_redis() {
    let url = Server::start().url();
    let core = look_at_start(&cluster(&url), Presence::Hoped).await.expect("starts");
    assert_eq!(core.failover_hold, Duration::from_millis(6300));
}
