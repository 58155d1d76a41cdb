//! Streams of values, in either direction.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::Error};

use super::{
    StreamError,
    handover::{self, Whole},
    reader::Reader,
};
use crate::{
    Value,
    action_error::ActionError,
    flight::{Broken, Given, Made, MadeKind},
    value::StreamKind,
};

/// A stream that the application makes.
pub(super) type Making<T> = Pin<Box<dyn futures_core::Stream<Item = Result<T, Broken>> + Send>>;

/// A stream that was sent, or one that is made.
enum Side<T> {
    Sent(Reader),
    /// Nothing once it is sent on its way.
    Made(Mutex<Option<Making<T>>>),
}

impl<T> Side<T> {
    fn made(stream: impl futures_core::Stream<Item = Result<T, Broken>> + Send + 'static) -> Self {
        Self::Made(Mutex::new(Some(Box::pin(stream))))
    }

    fn serialize<S: Serializer>(&self, kind: StreamKind, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Serialize + 'static,
    {
        match self {
            Self::Sent(reader) => reader.serialize(serializer),
            Self::Made(making) => {
                let making = making.lock().unwrap_or_else(PoisonError::into_inner).take();
                let making = making.ok_or_else(|| S::Error::custom("a stream can be sent once"))?;
                let items = making.map_ok(Given::item);
                let made = Made { kind: MadeKind::Stream(kind), items: Box::pin(items) };
                handover::serialize_made(serializer, made)
            }
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, StreamError>>>
    where
        T: DeserializeOwned,
    {
        match self {
            Self::Sent(reader) => reader.poll_item(context),
            Self::Made(making) => {
                let making = making.get_mut().unwrap_or_else(PoisonError::into_inner);
                let Some(stream) = making else { return Poll::Ready(None) };
                let next = ready!(stream.as_mut().poll_next(context));
                Poll::Ready(next.map(|item| {
                    item.map_err(|Broken { digest, .. }| StreamError::Errored { digest: Some(digest) })
                }))
            }
        }
    }
}

macro_rules! streams {
    ($($(#[$doc:meta])* $name:ident, $kind:ident;)*) => {
        $($(#[$doc])*
        pub struct $name<T>(Side<T>, PhantomData<fn() -> T>);

        impl<T> $name<T> {
            /// What this stream gives. It is polled while the answer is being sent, as fast as the client takes it, and
            /// dropped if the client goes away.
            pub fn new(stream: impl futures_core::Stream<Item = T> + Send + 'static) -> Self
            where
                T: 'static,
            {
                Self(Side::made(stream.map(Ok)), PhantomData)
            }

            /// What this stream gives, until it gives an error.
            pub fn try_new<E: ActionError>(
                stream: impl futures_core::Stream<Item = Result<T, E>> + Send + 'static,
            ) -> Self
            where
                T: 'static,
            {
                Self(Side::made(stream.map_err(|error| Broken::from_error(&error))), PhantomData)
            }
        }

        impl<T: DeserializeOwned> futures_core::Stream for $name<T> {
            type Item = Result<T, StreamError>;

            fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
                self.get_mut().0.poll_next(context)
            }
        }

        impl<T> Whole for $name<T> {
            const EXPECTED: &'static str = "a stream or an async iterable";

            fn from_value(value: &Value) -> Option<Self> {
                Reader::new(value).map(|reader| Self(Side::Sent(reader), PhantomData))
            }

            fn from_other<'de, D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                Err(serde::de::Error::custom("a stream has no form here"))
            }
        }

        impl<'de, T> Deserialize<'de> for $name<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                handover::deserialize(deserializer)
            }
        }

        impl<T: Serialize + 'static> Serialize for $name<T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(StreamKind::$kind, serializer)
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        })*
    };
}

streams! {
    /// A stream of values: as an argument one that is still arriving, as a result one that is still being made.
    ///
    /// In JavaScript, as a result: a `ReadableStream` of values. As an argument: a `ReadableStream`, an async iterable or
    /// an async iterator; it is read once, and what an iterator returns in the end is passed over. A stream that was sent
    /// and is returned goes on as what it was. Other formats: an error.
    Stream, Values;
    /// A stream of values that JavaScript reads with `for await`, as often as it likes.
    ///
    /// In JavaScript, as a result: an async iterable, which keeps its items. As an argument it is the same as a
    /// [`Stream`]. Other formats: an error.
    AsyncIterable, AsyncIterable;
}
