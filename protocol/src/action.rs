//! A call, and what came of it: data that may cross a node boundary.

use std::{fmt, time::Duration};

use bytes::Bytes;

use crate::{ErrorCode, flight, revalidation::Revalidation};

/// Names one request to run an action; unique, and a client may quote it to whoever reads the logs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(u128);

impl CallId {
    /// The call with this number.
    #[must_use]
    pub fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// The number.
    #[must_use]
    pub fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an action returned or threw, plus what it asked for.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How it ended.
    pub settled: Settled,
    /// What it asked for. Performed by the front end, after the action ended and whatever it ended in.
    pub effects: Effects,
}

/// How an action ended.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are values, and a box would cost each of them an allocation"
)]
pub enum Settled {
    /// It returned: the Flight rows of its value, whose root is row [`VALUE_ROW`]. Some may still be made.
    Value(flight::Answer),
    /// It threw or panicked.
    Thrown(Thrown),
    /// It never started: its arguments are not of its types.
    Mismatch(String),
}

/// The row that holds an action's value; row 0 is the root that names it.
pub const VALUE_ROW: u32 = 1;

impl Default for Settled {
    fn default() -> Self {
        Self::Value(Bytes::from_static(b"1:\"$undefined\"\n").into())
    }
}

/// What is known of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thrown {
    /// [`ErrorCode::ActionFailed`] or [`ErrorCode::ActionPanicked`].
    pub code: ErrorCode,
    /// All that the client sees: a stable code, or the JSON `{"code","message"}` of an error made public.
    pub digest: String,
    /// What the log gets and the client never.
    pub private: String,
}

/// What an action asked for, as data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// What became stale.
    pub revalidations: Vec<Revalidation>,
    /// Where the client goes next.
    pub redirect: Option<Redirect>,
    /// `set-cookie` header values.
    pub cookies: Vec<String>,
    /// The client reads its page again although nothing cached became stale.
    pub refresh: bool,
    /// The action answers with this HTTP fallback instead of its value.
    pub fallback: Option<Fallback>,
}

/// Where the client goes after the action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Path or URL.
    pub url: String,
    /// Whether the browser's history gets a new entry.
    pub kind: RedirectKind,
}

/// How the browser's history changes at a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectKind {
    /// A new entry.
    Push,
    /// The current entry is replaced.
    Replace,
}

/// The pages that stand for "this is not for you".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// 404.
    NotFound,
    /// 403.
    Forbidden,
    /// 401.
    Unauthorized,
}

impl Fallback {
    /// The code it is answered with.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Forbidden => ErrorCode::Forbidden,
            Self::Unauthorized => ErrorCode::Unauthorized,
        }
    }

    /// The digest by which React and Next clients recognise it (its `server-action-reducer.js`).
    #[must_use]
    pub fn digest(self) -> String {
        format!("NEXT_HTTP_ERROR_FALLBACK;{}", self.code().status())
    }
}

/// Why a call came back without an outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No room; it did not start.
    #[error("{what} is full at {limit}")]
    Overloaded {
        /// The limit that was reached, by its setting's name.
        what: &'static str,
        /// Its value.
        limit: usize,
    },
    /// No room at the node that runs it, or nobody could be asked; it did not start.
    #[error("the node that the call belongs to has no room for it, or cannot be reached at the moment")]
    NoRoom,
    /// The deadline passed while it waited; it did not start.
    #[error("the call waited past its deadline")]
    Expired,
    /// Nobody who could run it was there; it did not start.
    #[error("no node could take the call")]
    Moved,
    /// Its idempotency key came before with another body; it did not start.
    #[error("the idempotency key came before with another body")]
    Conflict,
    /// The node is stopping; it did not start.
    #[error("the node is stopping")]
    Draining,
    /// It still runs at its deadline, and goes on running.
    #[error("the action still ran after {timeout:?}")]
    DeadlineExceeded {
        /// The action's timeout.
        timeout: Duration,
    },
    /// Whoever had the call went silent; it may have run.
    #[error("the worker went silent")]
    OutcomeUnknown,
}

impl CallError {
    /// The code it is answered with.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Overloaded { .. } | Self::NoRoom => ErrorCode::Overloaded,
            Self::Expired => ErrorCode::Expired,
            Self::Moved => ErrorCode::Moved,
            Self::Conflict => ErrorCode::IdempotencyConflict,
            Self::Draining => ErrorCode::Draining,
            Self::DeadlineExceeded { .. } => ErrorCode::DeadlineExceeded,
            Self::OutcomeUnknown => ErrorCode::OutcomeUnknown,
        }
    }
}
