//! A collector that keeps the spans it gets, and how tests look at them.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::Span,
};
use prost::Message as _;

/// Takes OTLP over HTTP, and keeps the spans.
#[derive(Clone)]
pub(super) struct Collector {
    address: SocketAddr,
    spans: Arc<(Mutex<Vec<Span>>, Condvar)>,
}

impl Collector {
    pub(super) fn start() -> Self {
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

    pub(super) fn url(&self) -> String {
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
    pub(super) fn trace(&self, trace: &str, spans_min: usize) -> Vec<Span> {
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

pub(super) fn hex(bytes: &[u8]) -> String {
    faster_hex::hex_string(bytes)
}

/// What a span says of this.
pub(super) fn attribute<'s>(span: &'s Span, name: &str) -> Option<&'s Value> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == name)?;
    attribute.value.as_ref()?.value.as_ref()
}

pub(super) fn text<'s>(span: &'s Span, name: &str) -> &'s str {
    match attribute(span, name) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{name} of {:?}: {other:?}", span.name),
    }
}

/// The one span of this name.
pub(super) fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
    assert_eq!(found.len(), 1, "{name} among {names:?}");
    found[0]
}

/// The name of the span that this one is below, if that was sent, too.
pub(super) fn above<'s>(spans: &'s [Span], name: &str) -> Option<&'s str> {
    let parent = &named(spans, name).parent_span_id;
    spans.iter().find(|span| span.span_id == *parent).map(|span| span.name.as_str())
}
