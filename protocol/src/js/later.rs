//! Results that are still being made.

use std::{fmt, future::Future, pin::Pin, sync::Mutex};

use futures_util::{FutureExt as _, stream, stream::StreamExt as _};
use serde::{Serialize, Serializer, ser::Error};

use super::handover;
use crate::{
    action_error::ActionError,
    flight::{Broken, Given, Made, MadeKind},
};

type Making<T> = Pin<Box<dyn Future<Output = Result<T, Broken>> + Send>>;

/// A result that is ready later. The rest of the answer does not wait for it.
///
/// In JavaScript: a `Promise`, rejected where the future gives an error. It is sent once. Other formats: an error.
pub struct Later<T>(Mutex<Option<Making<T>>>);

impl<T> Later<T> {
    /// What this future gives. It is polled once the answer is being sent, and dropped if the client goes away.
    pub fn new(future: impl Future<Output = T> + Send + 'static) -> Self
    where
        T: 'static,
    {
        Self::making(future.map(Ok))
    }

    /// What this future gives, if it gives no error.
    pub fn try_new<E: ActionError>(future: impl Future<Output = Result<T, E>> + Send + 'static) -> Self
    where
        T: 'static,
    {
        Self::making(future.map(|made| made.map_err(|error| Broken::from_error(&error))))
    }

    fn making(future: impl Future<Output = Result<T, Broken>> + Send + 'static) -> Self {
        Self(Mutex::new(Some(Box::pin(future))))
    }
}

impl<T: Serialize + 'static> Serialize for Later<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let making = self.0.lock().ok().and_then(|mut making| making.take());
        let making = making.ok_or_else(|| S::Error::custom("a later value can be sent once"))?;
        let items = stream::once(making).map(|made| made.map(Given::item));
        handover::serialize_made(serializer, Made { kind: MadeKind::Promise, items: Box::pin(items) })
    }
}

impl<T> fmt::Debug for Later<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later")
    }
}
