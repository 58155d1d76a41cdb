//! Spans that the application opens.

use callboard::{ActionContext, Failure, Html, PageContext, PageError, action, page};
use opentelemetry_proto::tonic::{common::v1::any_value::Value, trace::v1::Span};
use tracing::{debug_span, info_span, instrument};

use super::{
    TRACE, call,
    collector::{Collector, above, attribute, named, text},
    crossing::carried,
    sampled, unsampled,
};
use crate::{
    client::{Caller, NodeName},
    cluster::Cluster,
};

/// As an application instruments its own functions.
#[instrument(fields(rows))]
async fn look_up(title: &str, copies: u32, discount: f64, is_rare: bool) -> u64 {
    tokio::task::yield_now().await;
    info_span!("query", table = %"books").in_scope(|| ());
    tracing::Span::current().record("rows", 3_u64);
    u64::from(copies)
}

#[action(public, name = "looks_up")]
async fn looks_up(cx: &ActionContext) -> &'static str {
    // Finer than is told; what is opened within is.
    let fine = debug_span!("fine").entered();
    drop(fine);
    look_up(&"title ".repeat(1000), 7, 0.25, true).await;
    cx.state::<NodeName>().0
}

#[action(public, name = "looks_up_and_fails")]
async fn looks_up_and_fails(_cx: &ActionContext) -> Result<(), Failure> {
    look_up("title", 1, 0.0, false).await;
    Err(Failure::public("full", "the book is full"))
}

#[action(public, name = "opens_hundreds")]
async fn opens_hundreds(_cx: &ActionContext) {
    for row in 0..300 {
        info_span!("row", row).in_scope(|| info_span!("cell").in_scope(|| ()));
    }
}

#[action(public, name = "leaves_something_behind")]
async fn leaves_something_behind(_cx: &ActionContext) {
    let left = info_span!("left behind");
    tokio::spawn(async move {
        let _open = left;
        std::future::pending::<()>().await
    });
}

#[page("/looked-up")]
async fn looked_up(_cx: &PageContext) -> Result<Html, PageError> {
    look_up("title", 1, 0.0, false).await;
    Ok(Html::raw("found"))
}

fn assert_looked_up(spans: &[Span], within: &str) {
    assert_eq!((above(spans, "query"), above(spans, "look_up")), (Some("look_up"), Some(within)));
    let (whole, span, part) = (named(spans, within), named(spans, "look_up"), named(spans, "query"));
    for (outer, inner) in [(whole, span), (span, part)] {
        assert!(outer.start_time_unix_nano <= inner.start_time_unix_nano);
        assert!(inner.end_time_unix_nano <= outer.end_time_unix_nano);
    }
}

#[test]
fn what_an_action_opens_is_below_its_run_with_its_fields() {
    let collector = Collector::start();
    let caller = Caller::start(&[("otlp_endpoint", &collector.url())]);
    assert_eq!(call(&caller, "looks_up", "[]", &sampled(TRACE)).status, 200);
    let spans = collector.trace(TRACE, 9);
    assert_looked_up(&spans, "run");
    let span = named(&spans, "look_up");
    for (name, value) in [
        ("copies", Value::IntValue(7)),
        ("discount", Value::DoubleValue(0.25)),
        ("is_rare", Value::BoolValue(true)),
        ("rows", Value::IntValue(3)),
    ] {
        assert_eq!(attribute(span, name), Some(&value), "{name}");
    }
    let title = text(span, "title");
    assert!(title.starts_with("title title ") && title.len() < 1000, "{title}");
    assert_eq!(text(named(&spans, "query"), "table"), "books");
    assert!(!spans.iter().any(|span| span.name == "fine"));
}

#[test]
fn what_an_action_opens_on_another_node_is_in_the_same_trace() {
    let collector = Collector::start();
    let cluster = Cluster::start_with(2, &[("otlp_endpoint", &collector.url()), ("trace_ratio", "0")]);
    let spans = carried(&collector, &cluster, "looks_up", 14);
    assert_looked_up(&spans, "run");
    assert_eq!(above(&spans, "run"), Some("receive"));
}

#[test]
fn what_a_call_opened_is_sent_with_it_or_not_at_all() {
    let collector = Collector::start();
    let url = collector.url();
    // However slow the machine is, no call is.
    let caller = Caller::start(&[("otlp_endpoint", &url), ("trace_ratio", "0"), ("trace_slow", "1h")]);
    let [quiet, failed] = ["1", "2"].map(|digit| digit.repeat(32));
    assert_eq!(call(&caller, "looks_up", "[]", &unsampled(&quiet)).status, 200);
    assert_eq!(call(&caller, "looks_up_and_fails", "[]", &unsampled(&failed)).status, 500);
    assert_looked_up(&collector.trace(&failed, 9), "run");
    assert_eq!(collector.trace(&quiet, 0).len(), 0);
}

#[test]
fn a_call_that_opens_hundreds_says_how_many_are_left_out() {
    let collector = Collector::start();
    let caller = Caller::start(&[("otlp_endpoint", &collector.url())]);
    assert_eq!(call(&caller, "opens_hundreds", "[]", &sampled(TRACE)).status, 200);
    let spans = collector.trace(TRACE, 71);
    let told = spans.iter().filter(|span| ["row", "cell"].contains(&span.name.as_str())).count();
    let left_out = Value::IntValue(600 - i64::try_from(told).expect("a few"));
    assert_eq!(attribute(named(&spans, "opens_hundreds"), "callboard.spans_left_out"), Some(&left_out));
    assert!(told < 100, "{told}");
}

#[test]
fn what_an_action_leaves_behind_does_not_hold_up_its_trace() {
    let collector = Collector::start();
    let caller = Caller::start(&[("otlp_endpoint", &collector.url())]);
    assert_eq!(call(&caller, "leaves_something_behind", "[]", &sampled(TRACE)).status, 200);
    let spans = collector.trace(TRACE, 8);
    assert_eq!(above(&spans, "left behind"), Some("run"));
}

#[test]
fn what_a_page_opens_is_below_its_render() {
    let collector = Collector::start();
    let caller = Caller::start(&[("otlp_endpoint", &collector.url())]);
    let request = caller.http.get(caller.url("/looked-up")).header("traceparent", sampled(TRACE));
    assert_eq!(request.send().expect("an answer").status(), 200);
    assert_looked_up(&collector.trace(TRACE, 5), "render");
}
