//! What an application makes over time, on its way through serde.

use std::pin::Pin;

use bytes::Bytes;
use serde::Serialize;

use super::{FlightError, encoder::Encoder};
use crate::{action_error::ActionError, value::StreamKind};

/// A value or a stream that is made later.
pub(crate) struct Made {
    pub(crate) kind: MadeKind,
    /// One item of a promise, any number of a stream.
    pub(crate) items: MadeItems,
}

/// What it is in JavaScript.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MadeKind {
    Promise,
    Stream(StreamKind),
}

pub(crate) type MadeItems = Pin<Box<dyn futures_core::Stream<Item = Result<Given, Broken>> + Send>>;

/// One item.
pub(crate) struct Given(pub(super) Content);

pub(super) enum Content {
    Item(Box<dyn Encodable>),
    Bytes(Bytes),
}

/// Why there are no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// What the client sees of it.
    pub(crate) digest: String,
    /// What the log is told.
    pub(crate) private: String,
}

/// Anything that serialises.
pub(super) trait Encodable {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), FlightError>;
}

impl<T: Serialize> Encodable for T {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), FlightError> {
        self.serialize(encoder)
    }
}

impl Given {
    pub(crate) fn item<T: Serialize + 'static>(item: T) -> Self {
        Self(Content::Item(Box::new(item)))
    }

    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self(Content::Bytes(bytes))
    }
}

impl MadeKind {
    /// The kind, as [`crate::Value::kind`] says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Promise => "a promise",
            Self::Stream(kind) => kind.name(),
        }
    }
}

impl Broken {
    pub(crate) fn from_error(error: &impl ActionError) -> Self {
        Self { digest: error.digest(), private: error.to_string() }
    }
}
