//! Actions whose arguments and answers come in pieces, over time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use callboard::{
    ActionContext, Bound, Failure, Value, action,
    js::{AsyncIterable, ByteStream, Later, Promise, Stream},
};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use crate::{add, sealed::add_sealed};

/// Items that the streams of this process gave, and how many of its streams ended or were dropped.
static GIVEN: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);

/// Counts a stream as ended, when it did or was dropped.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        ENDED.fetch_add(1, Ordering::SeqCst);
    }
}

/// The numbers below `count`, with a wait before each.
fn numbers(count: u64, wait_ms: u64) -> impl stream::Stream<Item = u64> + Send + 'static {
    let counted = Counted;
    stream::iter(0..count).then(move |number| {
        let _counted = &counted;
        async move {
            if wait_ms > 0 {
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            GIVEN.fetch_add(1, Ordering::SeqCst);
            number
        }
    })
}

/// Streams the numbers below `count`, with a wait before each.
#[action(public, name = "stream")]
async fn stream_numbers(_cx: &ActionContext, count: u64, wait_ms: u64) -> Stream<u64> {
    Stream::new(numbers(count, wait_ms))
}

/// The same as an async iterable.
#[action(public, name = "iterable")]
async fn iterable(_cx: &ActionContext, count: u64, wait_ms: u64) -> AsyncIterable<u64> {
    AsyncIterable::new(numbers(count, wait_ms))
}

/// The same, and then an error with this code, whose message is public.
#[action(public, name = "stream_fails")]
async fn stream_fails(_cx: &ActionContext, count: u64, code: String) -> Stream<u64> {
    let failure =
        stream::once(async move { Err(Failure::public(code.clone(), format!("failed with {code}"))) });
    Stream::try_new(numbers(count, 0).map(Ok).chain(failure))
}

/// Streams this many pieces of 1,000 bytes, each of which has its number as every byte.
#[action(public, name = "byte_stream")]
async fn byte_stream(_cx: &ActionContext, pieces: u8) -> ByteStream {
    ByteStream::new(stream::iter(0..pieces).map(|number| Bytes::from(vec![number; 1000])))
}

/// What the streams of this process did so far.
#[derive(Serialize)]
struct Streamed {
    given: u64,
    ended: u64,
}

/// How many items the streams of this process gave, and how many of them ended or were dropped.
#[action(public, name = "streamed")]
async fn streamed(_cx: &ActionContext) -> Streamed {
    Streamed { given: GIVEN.load(Ordering::SeqCst), ended: ENDED.load(Ordering::SeqCst) }
}

/// Gives the time that it took, when it is over; the answer itself is there at once.
#[action(public, name = "later")]
async fn later(_cx: &ActionContext, ms: u64) -> Later<u64> {
    Later::new(async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        ms
    })
}

/// Gives what a promise was kept with.
#[action(public, name = "read_promise")]
async fn read_promise(_cx: &ActionContext, promise: Promise<Value>) -> Result<Value, Failure> {
    Ok(promise.await?)
}

/// Gives the sum of a stream of numbers.
#[action(public, name = "sum_stream")]
async fn sum_stream(_cx: &ActionContext, mut numbers: Stream<f64>) -> Result<f64, Failure> {
    let mut sum = 0.0;
    while let Some(number) = numbers.next().await {
        sum += number?;
    }
    Ok(sum)
}

/// Gives the number of bytes in a stream of them.
#[action(public, name = "count_bytes")]
async fn count_bytes(_cx: &ActionContext, mut bytes: ByteStream) -> Result<u64, Failure> {
    let mut count = 0;
    while let Some(piece) = bytes.next().await {
        count += piece?.len() as u64;
    }
    Ok(count)
}

/// Doubles each number of a stream, as it arrives.
#[action(public, name = "double_stream")]
async fn double_stream(_cx: &ActionContext, numbers: Stream<f64>) -> Stream<f64> {
    Stream::try_new(numbers.map(|number| Ok::<_, Failure>(number? * 2.0)))
}

/// Functions for the client.
#[derive(Serialize)]
struct Functions {
    add: add,
    add_to: Bound<add_sealed>,
}

/// Gives an action that adds, and one that adds to a number which the client cannot read.
#[action(public, name = "returns_action")]
async fn returns_action(_cx: &ActionContext, base: f64) -> Functions {
    Functions { add, add_to: add_sealed.bind(&base) }
}
