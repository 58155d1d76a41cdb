//! Streams of bytes, in either direction.

use std::{
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

use super::{
    ByteArray, StreamError,
    handover::{self, Whole},
    reader::Reader,
    stream::Making,
};
use crate::{
    Value,
    action_error::ActionError,
    flight::{Broken, Given, Made, MadeKind},
    value::StreamKind,
};

/// A stream of bytes: as an argument one that is still arriving, as a result one that is still being made. Where it is
/// cut means nothing.
///
/// In JavaScript: a `ReadableStream` of bytes (`type: "bytes"`). As an argument also any other stream, async iterable or
/// async iterator of binary data; it is read once. Other formats: an error.
pub struct ByteStream(Side);

enum Side {
    Sent(Reader),
    /// Nothing once it is sent on its way.
    Made(Mutex<Option<Making<Bytes>>>),
}

impl ByteStream {
    /// What this stream gives. It is polled while the answer is being sent, as fast as the client takes it, and dropped
    /// if the client goes away.
    pub fn new(stream: impl futures_core::Stream<Item = Bytes> + Send + 'static) -> Self {
        Self(Side::Made(Mutex::new(Some(Box::pin(stream.map(Ok))))))
    }

    /// What this stream gives, until it gives an error.
    pub fn try_new<E: ActionError>(
        stream: impl futures_core::Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Self {
        let stream = stream.map_err(|error| Broken::from_error(&error));
        Self(Side::Made(Mutex::new(Some(Box::pin(stream)))))
    }
}

impl futures_core::Stream for ByteStream {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match &mut self.get_mut().0 {
            Side::Sent(reader) => {
                ready!(reader.poll_item::<ByteArray>(context)).map(|item| item.map(|bytes| bytes.0))
            }
            Side::Made(making) => {
                let making = making.get_mut().unwrap_or_else(PoisonError::into_inner);
                let Some(stream) = making else { return Poll::Ready(None) };
                ready!(stream.as_mut().poll_next(context)).map(|item| {
                    item.map_err(|Broken { digest, .. }| StreamError::Errored { digest: Some(digest) })
                })
            }
        })
    }
}

impl Whole for ByteStream {
    const EXPECTED: &'static str = "a stream of bytes";

    fn from_value(value: &Value) -> Option<Self> {
        Reader::new(value).map(|reader| Self(Side::Sent(reader)))
    }

    fn from_other<'de, D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("a stream has no form here"))
    }
}

impl<'de> Deserialize<'de> for ByteStream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::deserialize(deserializer)
    }
}

impl Serialize for ByteStream {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Side::Sent(reader) => reader.serialize(serializer),
            Side::Made(making) => {
                let making = making.lock().unwrap_or_else(PoisonError::into_inner).take();
                let making = making.ok_or_else(|| S::Error::custom("a stream can be sent once"))?;
                let kind = MadeKind::Stream(StreamKind::Bytes);
                handover::serialize_made(
                    serializer,
                    Made { kind, items: Box::pin(making.map_ok(Given::bytes)) },
                )
            }
        }
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}
