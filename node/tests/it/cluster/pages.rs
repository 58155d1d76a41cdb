//! Pages of several nodes: none of them is older than what an action revalidated, whatever becomes of Redis.

use std::time::{Duration, Instant};

use callboard::{ActionContext, action};

use super::Cluster;
use crate::client::{Answer, Caller};

const HIT: &str = "callboard; hit";
const FENCED: &str = "callboard; fwd=miss; detail=fenced";

fn revalidate(node: &Caller, how: &str, what: &str) -> Answer {
    node.call("revalidate_as", &format!("[{how:?},{what:?}]"))
}

/// Once the store of calls is lost, too, some of them do not run, or nobody knows; what counts is one that is done.
fn revalidate_surely(node: &Caller, how: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = revalidate(node, how, "blog");
        if answer.header("callboard-outcome") == "done" {
            return;
        }
        assert!(Instant::now() < end, "it is never done: {answer:?}");
    }
}

/// Asks until the page comes from where it should.
fn until(node: &Caller, path: &str, from: &str) -> Answer {
    node.until(&node.url(path), |answer| answer.header("cache-status") == from)
}

/// The page as every node keeps it.
fn kept(cluster: &Cluster, path: &str) -> Vec<String> {
    cluster.nodes.iter().map(|node| until(node, path, HIT).body).collect()
}

/// Goal: the one promise. Method: every node keeps the page, one runs the action, and all are asked at once.
fn assert_no_node_is_old(cluster: &Cluster, path: &str, how: &str) {
    for publisher in &cluster.nodes {
        let before = kept(cluster, path);
        revalidate_surely(publisher, how);
        for (node, before) in cluster.nodes.iter().zip(before) {
            assert_ne!(node.get(path).body, before);
        }
    }
}

#[action(public, name = "revalidate_of_key", key = key, revalidates = ["of a key"])]
async fn revalidate_of_key(_cx: &ActionContext, key: String) -> String {
    key
}

/// Goal: whoever waits for what is not confirmed is told so in time, wherever his call runs. Method: calls work, but
/// something else stands where the log belongs; the call of a key runs at one of the nodes, and comes to both.
#[test]
fn a_call_of_a_key_is_told_in_time_that_what_it_revalidated_is_not_confirmed() {
    let cluster = Cluster::start_with(2, &[("publish_timeout", "400ms"), ("cache_lease", "300ms")]);
    let call = |node: &Caller| node.call("revalidate_of_key", "[\"k\"]");
    assert!(cluster.nodes.iter().all(|node| call(node).status == 200));
    cluster.redis.command("DEL {cb:it:rc}:log");
    cluster.redis.command("SET {cb:it:rc}:log other");
    for node in &cluster.nodes {
        let answer = call(node);
        assert_eq!((answer.status, answer.header("callboard-outcome")), (504, "unknown"), "{answer:?}");
        assert_eq!(answer.header("callboard-revalidation"), "unconfirmed");
    }
    cluster.redis.command("DEL {cb:it:rc}:log");
    for node in &cluster.nodes {
        let end = Instant::now() + Duration::from_secs(20);
        while call(node).status != 200 {
            assert!(Instant::now() < end, "it is never confirmed");
        }
    }
}

#[test]
fn what_an_action_revalidates_is_old_at_no_node() {
    assert_no_node_is_old(&Cluster::start(3), "/blog/everywhere", "hard");
}

#[test]
fn a_session_is_served_nothing_older_at_another_node() {
    let cluster = Cluster::start(2);
    let (publisher, other) = (&cluster.nodes[0], &cluster.nodes[1]);
    for _ in 0..20 {
        let before = until(other, "/blog/session", HIT).body;
        let answer = revalidate(publisher, "session", "blog");
        let token = answer.header("callboard-session").to_owned();
        let asked = other.http.get(other.url("/blog/session")).header("callboard-session", token);
        assert_ne!(Answer::of(asked.send()).body, before);
    }
}

#[test]
fn whoever_misses_what_is_pushed_reads_it() {
    let cluster = Cluster::start(3);
    kept(&cluster, "/blog/pushed");
    let killed = cluster.redis.command("CLIENT KILL TYPE pubsub");
    assert!(killed.contains('3'), "every node listened: {killed}");
    assert_no_node_is_old(&cluster, "/blog/pushed", "hard");
}

#[test]
fn a_log_that_is_lost_makes_nothing_old() {
    let cluster = Cluster::start(3);
    for lose in ["FLUSHALL", "DEL {cb:it:rc}:log", "XTRIM {cb:it:rc}:log MAXLEN 0", "DEL {cb:it:rc}:acks"] {
        kept(&cluster, "/blog/lost");
        cluster.redis.command(lose);
        assert_no_node_is_old(&cluster, "/blog/lost", "hard");
    }
}

#[test]
fn without_redis_pages_are_rendered_and_what_was_revalidated_meanwhile_is_published_later() {
    let mut cluster = Cluster::start_with(2, &[("publish_timeout", "400ms"), ("cache_lease", "300ms")]);
    let before = kept(&cluster, "/blog/alone");
    cluster.redis.kill();
    for node in &cluster.nodes {
        let rendered = until(node, "/blog/alone", FENCED).body;
        assert_ne!(until(node, "/blog/alone", FENCED).body, rendered, "it is rendered for each");
    }
    // Until then it sends calls to others, and waits for what becomes of them.
    cluster.nodes[0].until(&super::readyz(&cluster.nodes[0]), |answer| answer.status == 503);
    let answer = revalidate(&cluster.nodes[0], "hard", "blog");
    assert_eq!(answer.status, 504);
    assert_eq!(answer.header("callboard-revalidation"), "unconfirmed");
    cluster.redis.restart();
    for (node, before) in cluster.nodes.iter().zip(before) {
        assert_ne!(until(node, "/blog/alone", HIT).body, before);
    }
    for node in &cluster.nodes {
        super::wait_until_ready(node);
    }
    cluster.wait_until_agreed();
    assert_no_node_is_old(&cluster, "/blog/alone", "hard");
}

#[test]
fn a_password_that_is_wrong_from_now_on_fences_a_node_until_it_is_right_again() {
    let cluster = Cluster::start_with(1, &[("cache_lease", "300ms")]);
    kept(&cluster, "/blog/secret");
    cluster.redis.command("CONFIG SET requirepass other");
    cluster.redis.command("AUTH other\r\nCLIENT KILL TYPE normal\r\nCLIENT KILL TYPE pubsub");
    until(&cluster.nodes[0], "/blog/secret", FENCED);
    cluster.redis.command("AUTH other\r\nCONFIG SET requirepass \"\"");
    until(&cluster.nodes[0], "/blog/secret", HIT);
}

#[test]
fn a_node_starts_without_redis_and_renders() {
    let mut redis = super::Server::start();
    redis.kill();
    let url = redis.url();
    let settings = [("redis", url.as_str()), ("keys", super::KEYS), ("cache_lease", "300ms")];
    let node = Caller::start_with(&crate::order::Journal::default(), "a", &settings);
    let first = node.get("/blog/early");
    assert_eq!(first.header("cache-status"), FENCED);
    assert_eq!(first.status, 200);
    redis.restart();
    until(&node, "/blog/early", HIT);
}
