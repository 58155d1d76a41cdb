//! Arguments that settle later.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error, Visitor},
};

use super::handover;
use crate::{
    Value,
    de::{self, Budget, DeError, Problem},
    value::{Node, Promise as State, Slot},
};

/// An argument that may settle after the action began: awaiting it gives the value.
///
/// In JavaScript: a `Promise`; any other value is a promise that is kept already, as `await` has it. A promise of `null`
/// is read as `Promise<Option<T>>`. Returned, it is the promise that was sent. Other formats: an error.
pub struct Promise<T> {
    value: Value,
    budget: Budget,
    result: PhantomData<fn() -> T>,
}

/// Why a promise gave no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromiseError {
    /// The client rejected it, or its call ended before it was settled.
    #[error("a rejected promise")]
    Rejected {
        /// What is known of the error: its digest, if it has one.
        digest: Option<String>,
    },
    /// Its value is not of the type that was asked for.
    #[error(transparent)]
    Mismatch(#[from] DeError),
}

/// Most promises in a row, each resolved by the next.
const PROMISES_MAX: usize = 512;

impl<T> Promise<T> {
    fn new(value: Value) -> Self {
        Self { value, budget: Budget::new(de::Limits::default()), result: PhantomData }
    }

    /// Looks through promises that were kept.
    fn poll_value(&mut self, context: &Context<'_>) -> Poll<Result<(), PromiseError>> {
        for _ in 0..PROMISES_MAX {
            let Some(Node::Promise(state)) = self.value.node() else { return Poll::Ready(Ok(())) };
            let state = match state {
                State::Pending(pending) => ready!(pending.poll_settled(context)),
                settled => settled,
            };
            let next = match state {
                State::Fulfilled(slot) => self.value.at(slot),
                State::Rejected { digest } => {
                    return Poll::Ready(Err(PromiseError::Rejected { digest: digest.clone() }));
                }
                State::Pending(_) => unreachable!("nothing is settled to a pending promise"),
            };
            self.value = next;
        }
        Poll::Ready(Err(DeError::custom("a promise that waits for itself").into()))
    }
}

impl<T: DeserializeOwned> Future for Promise<T> {
    type Output = Result<T, PromiseError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.poll_value(context))?;
        let Self { value, budget, .. } = &mut *self;
        poll_arriving(value, budget, context).map_err(PromiseError::Mismatch)
    }
}

/// Reads a value, as soon as what is still arriving of it lets the type be read.
pub(super) fn poll_arriving<T: DeserializeOwned>(
    value: &Value,
    budget: &mut Budget,
    context: &Context<'_>,
) -> Poll<Result<T, DeError>> {
    loop {
        match de::from_arriving(value, budget) {
            Err(error) => match error.problem() {
                Problem::Unsettled(pending) => ready!(pending.poll_settled(context)),
                _ => return Poll::Ready(Err(error)),
            },
            Ok(read) => return Poll::Ready(Ok(read)),
        };
    }
}

impl<'de, T> Deserialize<'de> for Promise<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unsettled<T>(PhantomData<fn() -> T>);

        impl<'de, T> Visitor<'de> for Unsettled<T> {
            type Value = Promise<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a promise")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Promise<T>, D::Error> {
                match handover::take() {
                    // As an argument that was not sent is missing, and not a promise of nothing.
                    Some(value) if matches!(value.slot(), Slot::Undefined) => {
                        Err(D::Error::invalid_type(serde::de::Unexpected::Other(value.kind()), &self))
                    }
                    Some(value) => Ok(Promise::new(value)),
                    None => Err(D::Error::custom("a promise has no form here")),
                }
            }
        }

        deserializer.deserialize_newtype_struct(handover::VALUE, Unsettled(PhantomData))
    }
}

impl<T> Serialize for Promise<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Promise")
    }
}
