//! What came of a value that arrived part by part. The runners of the golden vectors include this file.

use std::task::{Context, Poll, Waker};

use callboard_protocol::{
    Value,
    value::{Builder, Items, Node, Promise, Stream},
};

/// The same value with its promises as they are settled and its streams as they ended, whose items are taken.
///
/// # Errors
///
/// If one of them is still waiting.
pub(crate) fn drained(value: &Value) -> Result<Value, &'static str> {
    let mut builder = Builder::new();
    for node in value.graph().nodes() {
        builder.add(match node {
            Node::Promise(promise) => match promise.now() {
                Promise::Pending(_) => return Err("a promise is not settled"),
                settled => Node::Promise(settled.clone()),
            },
            Node::Stream(Stream { kind, items: Items::Live(live) }) => {
                let mut items = Vec::new();
                let end = loop {
                    match live.poll_next(&Context::from_waker(Waker::noop())) {
                        Poll::Ready(Ok(item)) => items.push(item),
                        Poll::Ready(Err(end)) => break end,
                        Poll::Pending => return Err("a stream did not end"),
                    }
                };
                Node::Stream(Stream { kind: *kind, items: Items::Complete { items, end } })
            }
            other => other.clone(),
        });
    }
    Ok(builder.finish(value.slot().clone()))
}
