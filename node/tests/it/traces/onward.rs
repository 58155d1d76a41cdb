//! What a client says of its trace, on its way to whatever an action calls.

use callboard::{ActionContext, action};

use super::{Collector, PARENT, TRACE, sampled};
use crate::{
    client::{Answer, Caller},
    cluster::Cluster,
};

/// What it would send on.
#[action(public, name = "sends_on")]
async fn sends_on(cx: &ActionContext) -> Vec<String> {
    cx.trace_headers().into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

fn call(caller: &Caller, headers: &[(&str, &str)]) -> Answer {
    let own = [("next-action", caller.reference("sends_on")), ("content-type", "text/plain")];
    caller.post("/", &[&own, headers].concat(), "[]")
}

/// The headers, but for the span that they name.
fn sent_on(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let all: Vec<String> = serde_json::from_str(answer.row()).expect("texts");
    let without_span = |header: String| {
        if header.starts_with("traceparent: ") {
            header.split('-').nth(1).expect("a trace").to_owned()
        } else {
            header
        }
    };
    all.into_iter().map(without_span).collect()
}

#[test]
fn what_a_client_says_of_its_trace_goes_on_wherever_its_call_runs() {
    let cluster = Cluster::start(2);
    for node in &cluster.nodes {
        let parent = sampled(TRACE);
        let headers = [
            ("traceparent", parent.as_str()),
            ("tracestate", "vendor=x"),
            ("tracestate", "other=y"),
            ("baggage", "tenant=caf%C3%A9,user=7;secret"),
            ("baggage", "region=north"),
        ];
        let answer = call(node, &headers);
        assert_eq!(
            sent_on(&answer),
            [TRACE, "tracestate: vendor=x,other=y", "baggage: tenant=caf%C3%A9,user=7;secret,region=north"]
        );
        assert!(!answer.body.contains(PARENT), "the span of the call is named, not that of its client");
    }
}

#[test]
fn what_a_client_says_of_its_trace_harms_nothing_however_wrong_or_long_it_is() {
    let collector = Collector::start();
    let cluster = Cluster::start_with(2, &[("otlp_endpoint", &collector.url()), ("trace_ratio", "1")]);
    let parent = sampled(TRACE);
    let long = "a".repeat(64 << 10);
    let long_pair = format!("a={long}");
    for node in &cluster.nodes {
        for parent in ["", "00-1", "zz", &format!("00-{long}"), &format!("{parent}-{long}")] {
            let sent = sent_on(&call(node, &[("traceparent", parent)]));
            assert!(sent.len() == 1 && sent[0] != TRACE, "{sent:?} of {parent:.60}");
        }
        // Of two, neither is known to be the right one.
        assert_ne!(sent_on(&call(node, &[("traceparent", &parent), ("traceparent", &parent)])), [TRACE]);
        for (name, value) in [
            ("tracestate", "no pair"),
            ("tracestate", &long_pair),
            ("baggage", "no pair"),
            ("baggage", "a=\"1\""),
            ("baggage", &long_pair),
        ] {
            let sent = sent_on(&call(node, &[("traceparent", &parent), (name, value)]));
            assert_eq!(sent, [TRACE], "{name}: {value:.60}");
        }
    }
}
