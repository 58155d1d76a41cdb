//! Promises and streams as arguments.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use serde::Deserialize;

use super::{
    super::{AsyncIterable, ByteStream, Later, Promise, PromiseError, Stream, StreamError},
    *,
};
use crate::{
    de,
    flight::{Answer, encode_answer},
    value::{Flow, Items, Live, Pending, Promise as State, Stream as StreamNode, StreamEnd, StreamKind},
};

fn polled<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    future.poll_unpin(&mut Context::from_waker(Waker::noop()))
}

fn next<S: futures_core::Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

/// A graph that grows, with a promise and a stream in it.
struct Call {
    builder: Builder,
    pending: Pending,
    live: Live,
}

fn call(kind: StreamKind) -> (Call, Value, Value) {
    let flow = Flow::default();
    let (pending, live) = (Pending::new(&flow), Live::new(&flow));
    let mut builder = Builder::new();
    let promise = builder.add(Node::Promise(State::Pending(pending.clone())));
    let stream = builder.add(Node::Stream(StreamNode { kind, items: Items::Live(live.clone()) }));
    let promise = builder.publish_at(Slot::Node(promise));
    let stream = promise.at(&Slot::Node(stream));
    (Call { builder, pending, live }, promise, stream)
}

impl Call {
    fn add(&mut self, node: Node) -> Slot {
        let slot = Slot::Node(self.builder.add(node));
        self.builder.publish();
        slot
    }

    fn array(&mut self, items: Vec<Slot>) -> Slot {
        self.add(Node::Array(items))
    }
}

fn complete(kind: StreamKind, items: Vec<Slot>, end: StreamEnd) -> Value {
    object(Node::Stream(StreamNode { kind, items: Items::Complete { items, end } }))
}

#[test]
fn a_promise_gives_its_value_when_it_is_settled() {
    let (mut call, promise, _) = call(StreamKind::Values);
    let mut argument: Promise<Vec<u8>> = de::from_value(&promise).unwrap();
    assert!(polled(&mut argument).is_pending());

    let settled = call.array(vec![Slot::Number(7.0)]);
    call.pending.settle(State::Fulfilled(settled));

    assert_eq!(polled(&mut argument), Poll::Ready(Ok(vec![7])));
}

#[test]
fn what_is_no_promise_is_a_kept_one() {
    let mut number: Promise<u8> = de::from_value(&Slot::Number(3.0).into()).unwrap();
    assert_eq!(polled(&mut number), Poll::Ready(Ok(3)));
    let mut mismatch: Promise<u8> = de::from_value(&Slot::String("x".into()).into()).unwrap();
    let Poll::Ready(Err(PromiseError::Mismatch(error))) = polled(&mut mismatch) else { panic!() };
    assert_eq!(error.to_string(), "expected an integer from 0 to 255, found a string");
    assert_eq!(
        de::from_argument::<Promise<u8>>(1, &Value::undefined()).unwrap_err().to_string(),
        "argument 2: expected a promise, found undefined"
    );
    assert!(serde_json::from_str::<Promise<u8>>("1").is_err());
}

#[test]
fn a_rejected_promise_gives_its_digest() {
    let rejected = object(Node::Promise(State::Rejected { digest: Some("D".into()) }));
    let mut promise: Option<Promise<u8>> = de::from_value(&rejected).unwrap();
    let error = PromiseError::Rejected { digest: Some("D".into()) };
    assert_eq!(polled(promise.as_mut().unwrap()), Poll::Ready(Err(error)));
}

#[test]
fn an_optional_promise_may_be_missing_pending_or_nested() {
    #[derive(Deserialize)]
    struct Options {
        missing: Option<Promise<u8>>,
        null: Option<Promise<u8>>,
        pending: Option<Promise<Option<u8>>>,
    }
    let (mut call, promise, _) = call(StreamKind::Values);
    let options =
        call.add(Node::Object(vec![("null".into(), Slot::Null), ("pending".into(), promise.slot().clone())]));
    let options: Options = de::from_value(&promise.at(&options)).unwrap();
    assert!(options.missing.is_none() && options.null.is_none());
    call.pending.settle(State::Fulfilled(Slot::Null));
    assert_eq!(polled(&mut options.pending.unwrap()), Poll::Ready(Ok(None)));
}

#[test]
fn a_promise_waits_for_promises_inside_its_value() {
    let (mut call, inner, _) = call(StreamKind::Values);
    let array = call.array(vec![inner.slot().clone()]);
    let mut outer: Promise<Vec<u8>> = de::from_value(&inner.at(&array)).unwrap();
    assert!(polled(&mut outer).is_pending());
    call.pending.settle(State::Fulfilled(Slot::Number(1.0)));
    assert_eq!(polled(&mut outer), Poll::Ready(Ok(vec![1])));
}

#[test]
fn promises_that_wait_for_each_other_end_in_an_error() {
    let (call, promise, _) = call(StreamKind::Values);
    call.pending.settle(State::Fulfilled(promise.slot().clone()));
    let mut argument: Promise<u8> = de::from_value(&promise).unwrap();
    assert!(matches!(polled(&mut argument), Poll::Ready(Err(PromiseError::Mismatch(_)))));
}

/// Goal: an item whose promises are settled one by one is not read again for each of them without end.
#[test]
fn reading_again_is_paid_for() {
    const PROMISES: usize = 20_000;
    let flow = Flow::default();
    let pending: Vec<_> = (0..PROMISES).map(|_| Pending::new(&flow)).collect();
    let mut builder = Builder::new();
    let items =
        pending.iter().map(|pending| Slot::Node(builder.add(Node::Promise(State::Pending(pending.clone())))));
    let items = items.collect();
    let array = builder.add(Node::Array(items));
    let value = builder.publish_at(Slot::Node(array));
    let mut argument: Promise<Vec<u8>> = de::from_value(&value).unwrap();
    let mut attempts = 0;
    let outcome = pending.iter().find_map(|pending| {
        attempts += 1;
        match polled(&mut argument) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => {
                pending.settle(State::Fulfilled(Slot::Number(1.0)));
                None
            }
        }
    });
    assert!(attempts < 3000, "{attempts}");
    assert!(
        matches!(outcome, Some(Err(PromiseError::Mismatch(error))) if error.to_string().contains("expand"))
    );
}

#[test]
fn a_stream_gives_its_items_as_they_arrive() {
    for kind in [StreamKind::Values, StreamKind::AsyncIterable, StreamKind::AsyncIterator] {
        let (mut call, _, value) = call(kind);
        let mut stream: Stream<Vec<String>> = de::from_value(&value).unwrap();
        assert!(next(&mut stream).is_pending());
        let item = call.array(vec![Slot::String("a".into())]);
        call.live.push(item, 1);
        assert_eq!(next(&mut stream), Poll::Ready(Some(Ok(vec!["a".into()]))));
        call.live.end(StreamEnd::Returned(Slot::Null));
        assert_eq!(next(&mut stream), Poll::Ready(None));
        assert_eq!(next(&mut stream), Poll::Ready(None));
    }
}

#[test]
fn an_item_that_does_not_fit_says_where() {
    let (mut call, _, value) = call(StreamKind::Values);
    let mut stream: AsyncIterable<Vec<u8>> = de::from_value(&value).unwrap();
    let item = call.array(vec![Slot::Number(1.0), Slot::Bool(true)]);
    call.live.push(item, 1);
    let Poll::Ready(Some(Err(StreamError::Mismatch(error)))) = next(&mut stream) else { panic!() };
    assert_eq!(error.to_string(), "[1]: expected an integer from 0 to 255, found a boolean");
    assert_eq!(next(&mut stream), Poll::Ready(None));
}

#[test]
fn an_item_waits_for_the_promises_in_it() {
    let (mut call, promise, value) = call(StreamKind::Values);
    let mut stream: Stream<(u8, u8)> = de::from_value(&value).unwrap();
    let item = call.array(vec![Slot::Number(1.0), promise.slot().clone()]);
    call.live.push(item, 1);
    assert!(next(&mut stream).is_pending());
    call.pending.settle(State::Fulfilled(Slot::Number(2.0)));
    assert_eq!(next(&mut stream), Poll::Ready(Some(Ok((1, 2)))));
}

#[test]
fn a_stream_that_breaks_off_gives_its_items_first() {
    let end = StreamEnd::Errored { digest: Some("D".into()) };
    let value = complete(StreamKind::AsyncIterator, vec![Slot::Number(1.0)], end);
    let mut stream: Stream<u8> = de::from_value(&value).unwrap();
    assert_eq!(next(&mut stream), Poll::Ready(Some(Ok(1))));
    let error = StreamError::Errored { digest: Some("D".into()) };
    assert_eq!(next(&mut stream), Poll::Ready(Some(Err(error))));
    assert_eq!(next(&mut stream), Poll::Ready(None));
}

#[test]
fn a_stream_is_read_by_one_at_a_time() {
    let (call, _, value) = call(StreamKind::Values);
    let mut first: Stream<u8> = de::from_value(&value).unwrap();
    let mut second: Stream<u8> = de::from_value(&value).unwrap();
    call.live.push(Slot::Number(1.0), 1);
    call.live.push(Slot::Number(2.0), 1);
    assert_eq!(next(&mut first), Poll::Ready(Some(Ok(1))));
    assert_eq!(next(&mut second), Poll::Ready(Some(Err(StreamError::ReadElsewhere))));
    drop(first);
    let mut third: Stream<u8> = de::from_value(&value).unwrap();
    assert_eq!(next(&mut third), Poll::Ready(Some(Ok(2))));
}

#[test]
fn bytes_arrive_in_pieces() {
    let (mut call, _, value) = call(StreamKind::Bytes);
    let mut stream: ByteStream = de::from_value(&value).unwrap();
    let piece = call.add(Node::Bytes(TypedArray { kind: ArrayKind::Uint8, bytes: vec![1, 2].into() }));
    call.live.push(piece, 2);
    call.live.push(Slot::Null, 1);
    assert_eq!(next(&mut stream), Poll::Ready(Some(Ok(vec![1, 2].into()))));
    let Poll::Ready(Some(Err(StreamError::Mismatch(error)))) = next(&mut stream) else { panic!() };
    assert_eq!(error.to_string(), "expected binary data, found null");
    assert_eq!(
        de::from_value::<ByteStream>(&Value::null()).unwrap_err().to_string(),
        "expected a stream of bytes, found null"
    );
}

#[test]
fn what_was_sent_goes_on_when_it_is_returned() {
    let (mut call, promise, value) = call(StreamKind::AsyncIterator);
    let mut stream: Stream<u8> = de::from_value(&value).unwrap();
    call.live.push(Slot::Number(1.0), 1);
    assert_eq!(next(&mut stream), Poll::Ready(Some(Ok(1))));
    let promise: Promise<u8> = de::from_value(&promise).unwrap();

    let Answer { head, rest } = encode_answer(&(&stream, promise), 0).unwrap();
    assert_eq!(head, "1:x\n0:[\"$1\",\"$@2\"]\n");
    let item = call.array(vec![]);
    call.live.push(item, 1);
    call.live.end(StreamEnd::Closed);
    call.pending.settle(State::Rejected { digest: None });

    let mut rest = rest.unwrap();
    let Poll::Ready(Some(rows)) = polled(&mut rest.next()) else { panic!() };
    let mut rows: Vec<&str> = std::str::from_utf8(&rows).unwrap().lines().collect();
    rows.sort_unstable();
    assert_eq!(rows, ["1:\"$3\"", "1:C", "2:E{}", "3:[]"]);
}

#[test]
fn what_is_made_can_be_read_where_it_is_made() {
    let mut stream = Stream::new(stream::iter([1, 2]));
    assert_eq!(next(&mut stream), Poll::Ready(Some(Ok(1))));
    let error = "a promise that is still to come has no form here";
    assert_eq!(serde_json::to_string(&Later::new(async { 1 })).unwrap_err().to_string(), error);
}
