//! Reading streams that were sent.

use std::task::{Context, Poll, ready};

use serde::{Serialize, Serializer, de::DeserializeOwned, ser::Error};

use super::promise::poll_arriving;
use crate::{
    Value,
    de::{self, Budget, DeError},
    value::{Items, Live, Node, Stream, StreamEnd},
};

/// Why a stream broke off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The client ended it with an error, or its call ended before it did.
    #[error("a stream that broke off")]
    Errored {
        /// What is known of the error: its digest, if it has one.
        digest: Option<String>,
    },
    /// An item is not of the type that was asked for.
    #[error(transparent)]
    Mismatch(#[from] DeError),
    /// Somebody else reads it.
    #[error("a stream that is read elsewhere; it can be read once")]
    ReadElsewhere,
}

/// Reads one stream.
pub(super) struct Reader {
    value: Value,
    /// How many items of a complete one were read.
    read: usize,
    /// The one that is read as it grows.
    claimed: Option<Live>,
    /// An item that is still arriving.
    item: Option<Value>,
    has_ended: bool,
    budget: Budget,
}

impl Reader {
    /// A reader, if the value is a stream.
    pub(super) fn new(value: &Value) -> Option<Self> {
        matches!(value.node(), Some(Node::Stream(_))).then(|| Self {
            value: value.clone(),
            read: 0,
            claimed: None,
            item: None,
            has_ended: false,
            budget: Budget::new(de::Limits::default()),
        })
    }

    /// The next item as this type. After an error there are none.
    pub(super) fn poll_item<T: DeserializeOwned>(
        &mut self,
        context: &Context<'_>,
    ) -> Poll<Option<Result<T, StreamError>>> {
        let item = match self.item.take() {
            Some(item) => item,
            None => match ready!(self.poll_value(context)) {
                Some(Ok(item)) => {
                    self.budget = Budget::new(de::Limits::default());
                    item
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            },
        };
        match poll_arriving(&item, &mut self.budget, context) {
            Poll::Ready(Ok(item)) => Poll::Ready(Some(Ok(item))),
            Poll::Ready(Err(error)) => {
                self.has_ended = true;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Pending => {
                self.item = Some(item);
                Poll::Pending
            }
        }
    }

    fn poll_value(&mut self, context: &Context<'_>) -> Poll<Option<Result<Value, StreamError>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = match self.value.node() {
            Some(Node::Stream(Stream { items: Items::Complete { items, end }, .. })) => {
                self.read += 1;
                items.get(self.read - 1).cloned().ok_or_else(|| end.clone())
            }
            Some(Node::Stream(Stream { items: Items::Live(live), .. })) => {
                if self.claimed.is_none() {
                    if !live.claim() {
                        self.has_ended = true;
                        return Poll::Ready(Some(Err(StreamError::ReadElsewhere)));
                    }
                    self.claimed = Some(live.clone());
                }
                ready!(live.poll_next(context))
            }
            _ => Err(StreamEnd::Closed),
        };
        Poll::Ready(match next {
            Ok(slot) => Some(Ok(self.value.at(&slot))),
            Err(end) => {
                self.has_ended = true;
                match end {
                    StreamEnd::Errored { digest } => Some(Err(StreamError::Errored { digest })),
                    StreamEnd::Closed | StreamEnd::Returned(_) => None,
                }
            }
        })
    }
}

/// What is unread goes on to whoever reads next.
impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(live) = &self.claimed {
            live.release();
        }
    }
}

/// The stream itself, with what is unread of one that is still arriving.
impl Serialize for Reader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.item.is_some() {
            return Err(S::Error::custom("a stream cannot be sent while one of its items is being read"));
        }
        if let Some(live) = &self.claimed {
            live.release();
        }
        self.value.serialize(serializer)
    }
}
