//! What is sent.

use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method};

/// A request, whoever it is sent to.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    /// Without `host` and `content-length`, which the client adds.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// The client hangs up this long after it was sent.
    pub(crate) abort_after: Option<Duration>,
}

/// What follows the head.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Whole(Bytes),
    /// A client that is slow.
    Slow {
        bytes: Bytes,
        bytes_per_second: u32,
    },
}
