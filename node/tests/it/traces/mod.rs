//! Spans of calls and pages, as a collector gets them.

mod application;
mod collector;
mod crossing;
mod onward;

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use self::collector::{Collector, hex, named, text};
use crate::{
    client::{Answer, Caller},
    metrics::{number, scrape},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A call whose client is traced, or not.
fn call(caller: &Caller, action: &str, arguments: &str, traceparent: &str) -> Answer {
    let headers = [
        ("next-action", caller.reference(action)),
        ("content-type", "text/plain"),
        ("traceparent", traceparent),
    ];
    caller.post("/", &headers, arguments.to_owned())
}

fn sampled(trace: &str) -> String {
    format!("00-{trace}-{PARENT}-01")
}

fn unsampled(trace: &str) -> String {
    format!("00-{trace}-{PARENT}-00")
}

#[test]
fn a_traced_call_has_a_span_for_each_part_of_it() {
    let collector = Collector::start();
    let caller = Caller::start(&[("otlp_endpoint", &collector.url())]);
    let answer = call(&caller, "where_am_i", "[]", &sampled(TRACE));
    assert_eq!(answer.status, 200);
    let spans = collector.trace(TRACE, 7);
    let root = named(&spans, "where_am_i");
    assert_eq!(hex(&root.parent_span_id), PARENT);
    assert_eq!(text(root, "callboard.call_id").len(), 32);
    assert_eq!(
        (text(root, "http.request.method"), text(root, "callboard.outcome"), text(root, "url.path")),
        ("POST", "done", "/")
    );
    for name in ["verify", "decode", "place", "queue wait", "run", "respond"] {
        let span = named(&spans, name);
        assert_eq!(span.parent_span_id, root.span_id, "{name}");
        assert!(span.start_time_unix_nano >= root.start_time_unix_nano, "{name}");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{name}");
        assert!(span.end_time_unix_nano <= root.end_time_unix_nano, "{name}");
    }
}

#[test]
fn a_call_that_fails_or_is_slow_is_traced_although_nobody_asked_for_it() {
    let collector = Collector::start();
    let url = collector.url();
    // However slow the machine is, no call is.
    let settings = [("otlp_endpoint", url.as_str()), ("trace_ratio", "0"), ("trace_slow", "1h")];
    let caller = Caller::start(&settings);
    let [quiet, failed, after] = ["1", "2", "3"].map(|digit| digit.repeat(32));
    assert_eq!(call(&caller, "where_am_i", "[]", &unsampled(&quiet)).status, 200);
    assert_eq!(call(&caller, "fails", "[]", &unsampled(&failed)).status, 500);
    let spans = collector.trace(&failed, 7);
    let root = named(&spans, "fails");
    assert_eq!(root.status.as_ref().map(|status| status.code), Some(StatusCode::Error as i32));
    assert_eq!(text(root, "error.type"), "action-failed");
    // What was sent after it is there, so what was before is not to come.
    assert_eq!(call(&caller, "where_am_i", "[]", &sampled(&after)).status, 200);
    collector.trace(&after, 7);
    assert_eq!(collector.trace(&quiet, 0).len(), 0);

    let slow = Caller::start(&[("otlp_endpoint", &url), ("trace_ratio", "0"), ("trace_slow", "0s")]);
    let trace = "4".repeat(32);
    assert_eq!(call(&slow, "where_am_i", "[]", &unsampled(&trace)).status, 200);
    collector.trace(&trace, 7);
}

#[test]
fn a_page_that_is_rendered_is_traced() {
    let collector = Collector::start();
    let caller = Caller::start(&[("otlp_endpoint", &collector.url())]);
    let get = |trace: &str| {
        let request = caller.http.get(caller.url("/blog/x")).header("traceparent", sampled(trace));
        request.send().expect("an answer").status().as_u16()
    };
    assert_eq!(get(TRACE), 200);
    let spans = collector.trace(TRACE, 3);
    let root = named(&spans, "GET /blog/{*rest}");
    assert_eq!(text(root, "http.route"), "/blog/{*rest}");
    for name in ["cache", "render"] {
        assert_eq!(named(&spans, name).parent_span_id, root.span_id, "{name}");
    }
}

#[test]
fn a_collector_that_is_away_costs_spans_and_no_calls() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let url = format!("http://{nobody}");
    let caller =
        Caller::start(&[("otlp_endpoint", &url), ("trace_ratio", "1"), ("trace_buffer_spans_max", "10")]);
    for _ in 0..10 {
        assert_eq!(caller.call("where_am_i", "[]").status, 200);
    }
    let until = Instant::now() + Duration::from_secs(20);
    let counted = |name: &str| number(&scrape(&caller), name, &[]);
    while counted("callboard_telemetry_dropped_total") < 70.0 {
        assert!(Instant::now() < until, "spans are neither sent nor counted");
    }
    assert_eq!(counted("callboard_telemetry_exported_total"), 0.0);
}
