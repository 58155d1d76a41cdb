//! Spans of calls and pages, as a collector gets them.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{Span, status::StatusCode},
};
use prost::Message as _;

use crate::{
    client::{Answer, Caller},
    cluster::Cluster,
    metrics::{number, scrape},
};

/// Takes OTLP over HTTP, and keeps the spans.
#[derive(Clone)]
struct Collector {
    address: SocketAddr,
    spans: Arc<(Mutex<Vec<Span>>, Condvar)>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let collector = Self { address, spans: Arc::default() };
        let taking = collector.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let taking = taking.clone();
                std::thread::spawn(move || taking.take(stream));
            }
        });
        collector
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn take(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut length, mut line, mut path) = (0, String::new(), None);
            loop {
                line.clear();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                let text = line.trim_end().to_ascii_lowercase();
                if text.is_empty() {
                    break;
                }
                if let Some(value) = text.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                path.get_or_insert(text);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            if path.is_some_and(|line| line.contains("/v1/traces")) {
                let request = ExportTraceServiceRequest::decode(&body[..]).expect("spans");
                let spans = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
                self.spans.0.lock().expect("whole").extend(spans.flat_map(|spans| spans.spans));
                self.spans.1.notify_all();
            }
            let answer =
                b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-type: application/x-protobuf\r\n\r\n";
            reader.get_mut().write_all(answer).expect("it listens");
        }
    }

    /// The spans of a trace, once there are so many.
    fn trace(&self, trace: &str, spans_min: usize) -> Vec<Span> {
        let of_trace = |spans: &[Span]| -> Vec<Span> {
            spans.iter().filter(|span| hex(&span.trace_id) == trace).cloned().collect()
        };
        let spans = self.spans.0.lock().expect("whole");
        let patience = Duration::from_secs(20);
        let enough = |spans: &mut Vec<Span>| of_trace(spans).len() < spans_min;
        let (spans, late) = self.spans.1.wait_timeout_while(spans, patience, enough).expect("whole");
        let found = of_trace(&spans);
        let names: Vec<_> = found.iter().map(|span| &span.name).collect();
        assert!(!late.timed_out(), "{} of {spans_min} spans came: {names:?}", found.len());
        found
    }
}

fn hex(bytes: &[u8]) -> String {
    faster_hex::hex_string(bytes)
}

fn text<'s>(span: &'s Span, name: &str) -> &'s str {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == name);
    match attribute.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{name} of {:?}: {other:?}", span.name),
    }
}

/// The one span of this name.
fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
    assert_eq!(found.len(), 1, "{name} among {names:?}");
    found[0]
}

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
    let caller = Caller::start(&[("otlp_endpoint", &url), ("trace_ratio", "0")]);
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
fn a_call_that_crosses_nodes_is_one_trace() {
    let collector = Collector::start();
    let cluster = Cluster::start_with(2, &[("otlp_endpoint", &collector.url()), ("trace_ratio", "0")]);
    // One of the two does not run it.
    let traces: Vec<_> = ["a", "b"].map(|digit| digit.repeat(32)).into();
    let places: Vec<_> = cluster
        .nodes
        .iter()
        .zip(&traces)
        .map(|(node, trace)| call(node, "where_am_i", "[]", &sampled(trace)).row().to_owned())
        .collect();
    assert_eq!(places[0], places[1]);
    let carried = if places[0] == "\"a\"" { &traces[1] } else { &traces[0] };
    let spans = collector.trace(carried, 9);
    let by_id: HashMap<_, _> = spans.iter().map(|span| (&span.span_id, span.name.as_str())).collect();
    let parent = |name: &str| by_id.get(&named(&spans, name).parent_span_id).copied();
    assert_eq!(hex(&named(&spans, "where_am_i").parent_span_id), PARENT);
    assert_eq!(parent("carry"), Some("where_am_i"));
    assert_eq!(parent("receive"), Some("carry"));
    assert_eq!(parent("run"), Some("receive"));
    assert_eq!(parent("queue wait"), Some("receive"));
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

#[test]
fn a_header_that_is_malformed_harms_nothing() {
    let caller = Caller::start(&[("trace_ratio", "1")]);
    let long = format!("00-{}", "a".repeat(30 << 10));
    for parent in ["", "00-1", "zz", long.as_str()] {
        assert_eq!(call(&caller, "where_am_i", "[]", parent).status, 200, "{parent:.40}");
    }
}
