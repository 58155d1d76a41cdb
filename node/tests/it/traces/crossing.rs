//! Calls that another node runs than they came to, in one trace.

use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use callboard::{ActionContext, action, js::Stream};
use futures_util::stream;
use opentelemetry_proto::tonic::trace::v1::Span;

use super::{
    PARENT, call,
    collector::{Collector, above, hex, named},
    sampled,
};
use crate::{client::NodeName, cluster::Cluster, order::Journal};

#[action(public, name = "traced_and_revalidates", revalidates = ["traced"])]
async fn traced_and_revalidates(cx: &ActionContext) -> &'static str {
    cx.state::<NodeName>().0
}

#[action(public, name = "traced_and_waits")]
async fn traced_and_waits(cx: &ActionContext, waits: bool) -> &'static str {
    if waits {
        let journal = cx.state::<Journal>();
        journal.note("it runs");
        journal.released().await;
    }
    cx.state::<NodeName>().0
}

#[action(public, name = "traced_and_streams")]
async fn traced_and_streams(cx: &ActionContext, waits: bool) -> Stream<[&'static str; 1]> {
    let (journal, name) = (cx.state::<Journal>().clone(), cx.state::<NodeName>().0);
    Stream::new(stream::once(async move {
        if waits {
            journal.note("it streams");
            journal.released().await;
        }
        [name]
    }))
}

/// Two nodes, both of which send what they see.
fn cluster(collector: &Collector) -> Cluster {
    Cluster::start_with(2, &[("otlp_endpoint", &collector.url()), ("trace_ratio", "0")])
}

/// Calls an action at both nodes, and gives back the trace of the call that the other ran.
pub(super) fn carried(collector: &Collector, cluster: &Cluster, action: &str, spans_min: usize) -> Vec<Span> {
    let traces: Vec<_> = ["a", "b"].map(|digit| digit.repeat(32)).into();
    let places: Vec<_> = cluster
        .nodes
        .iter()
        .zip(&traces)
        .map(|(node, trace)| call(node, action, "[]", &sampled(trace)).row().to_owned())
        .collect();
    assert_eq!(places[0], places[1]);
    let carried = if places[0] == "\"a\"" { &traces[1] } else { &traces[0] };
    collector.trace(carried, spans_min)
}

#[test]
fn a_call_that_crosses_nodes_is_one_trace() {
    let collector = Collector::start();
    let spans = carried(&collector, &cluster(&collector), "where_am_i", 12);
    assert_eq!(hex(&named(&spans, "where_am_i").parent_span_id), PARENT);
    for (name, whole) in [
        ("verify", "where_am_i"),
        ("place", "where_am_i"),
        ("carry", "where_am_i"),
        ("send", "carry"),
        ("redis", "carry"),
        ("receive", "carry"),
        ("queue wait", "receive"),
        ("run", "receive"),
        ("respond", "where_am_i"),
    ] {
        assert_eq!(above(&spans, name), Some(whole), "{name}");
    }
    let (carry, send, redis) = (named(&spans, "carry"), named(&spans, "send"), named(&spans, "redis"));
    assert!(carry.start_time_unix_nano <= send.start_time_unix_nano);
    assert_eq!(send.end_time_unix_nano, redis.start_time_unix_nano);
    assert!(redis.start_time_unix_nano <= redis.end_time_unix_nano);
}

#[test]
fn whether_redis_or_a_node_cost_the_time_of_a_revalidation_is_seen() {
    let collector = Collector::start();
    let cluster = cluster(&collector);
    let spans = carried(&collector, &cluster, "traced_and_revalidates", 14);
    assert_eq!((above(&spans, "publish"), above(&spans, "ack wait")), (Some("receive"), Some("publish")));
    let (publish, wait) = (named(&spans, "publish"), named(&spans, "ack wait"));
    assert!(publish.start_time_unix_nano < wait.start_time_unix_nano, "Redis took its time, too");
    assert_eq!(publish.end_time_unix_nano, wait.end_time_unix_nano);
}

#[test]
fn a_call_whose_client_goes_away_is_one_trace() {
    let collector = Collector::start();
    let cluster = cluster(&collector);
    // One of the two runs it, and the other is called.
    let place = cluster.nodes[0].call("traced_and_waits", "[false]").row().to_owned();
    let caller = &cluster.nodes[usize::from(place == "\"a\"")];
    let trace = "c".repeat(32);
    let mut client = TcpStream::connect(caller.node.address()).expect("it listens");
    let (reference, parent) = (caller.reference("traced_and_waits"), sampled(&trace));
    write!(
        client,
        "POST / HTTP/1.1\r\nhost: it\r\nnext-action: {reference}\r\ntraceparent: {parent}\r\n\
         content-type: text/plain\r\ncontent-length: 6\r\n\r\n[true]"
    )
    .expect("it reads");
    cluster.journal.wait_for("it runs");
    drop(client);
    cluster.journal.release_waiting();
    let spans = collector.trace(&trace, 11);
    for name in ["send", "redis", "receive"] {
        assert_eq!(above(&spans, name), Some("carry"), "{name}");
    }
    assert_eq!(above(&spans, "carry"), Some("traced_and_waits"));
}

/// Goal: a stream that somebody listens to for minutes makes no slow call. Method: one that another node makes, and that goes on
/// only once the test has looked at the clock.
#[test]
fn what_another_node_did_is_over_before_what_it_streams() {
    let collector = Collector::start();
    let cluster = cluster(&collector);
    let at_a = cluster.nodes[0].call("traced_and_streams", "[false]").body.contains("[\"a\"]");
    let asked = &cluster.nodes[usize::from(at_a)];
    let trace = "d".repeat(32);
    let released = std::thread::scope(|scope| {
        let called = scope.spawn(|| call(asked, "traced_and_streams", "[true]", &sampled(&trace)).status);
        cluster.journal.wait_for("it streams");
        let released = SystemTime::now();
        cluster.journal.release_waiting();
        assert_eq!(called.join().expect("no panic"), 200);
        released
    });
    let spans = collector.trace(&trace, 12);
    let ended = Duration::from_nanos(named(&spans, "receive").end_time_unix_nano);
    assert!(UNIX_EPOCH + ended <= released, "{ended:?}");
}
