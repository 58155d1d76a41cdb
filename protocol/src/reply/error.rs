//! Why a reply was refused, in words that the client may read.

use std::fmt;

use crate::{ErrorCode, js::JsString};

/// Why a reply was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}{}", Place(*.at))]
pub struct ReplyError {
    /// What was wrong.
    pub kind: ReplyErrorKind,
    /// Where, if it was at one place.
    pub at: Option<Position>,
}

/// A place in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The part's id; a body that is one text is part 0.
    pub part: u64,
    /// Bytes from the beginning of its text.
    pub offset_bytes: usize,
}

/// What was wrong with a reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyErrorKind {
    /// The text is not UTF-8.
    #[error("the body is not UTF-8")]
    NotText,
    /// A part is not JSON.
    #[error("not JSON: expected {expected}")]
    Json {
        /// What should have been there.
        expected: &'static str,
    },
    /// A reference leads nowhere.
    #[error("the reference {text} {problem}")]
    Reference {
        /// The reference, cut.
        text: Excerpt,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A big integer is not in JavaScript's notation.
    #[error("{text} is not a big integer")]
    BigInt {
        /// The text, cut.
        text: Excerpt,
    },
    /// Bytes that are no multiple of their element's size.
    #[error("the bytes of {kind} are no multiple of {element_bytes}")]
    TypedArray {
        /// The type's name in JavaScript.
        kind: &'static str,
        /// Bytes of one element.
        element_bytes: usize,
    },
    /// A part that makes one value was used for a second one.
    #[error("{what} was made from a part that is used already")]
    UsedTwice {
        /// The second one.
        what: &'static str,
    },
    /// A part does not hold what its value is made from.
    #[error("{what} cannot be made from this")]
    Initializer {
        /// What should have been made.
        what: &'static str,
    },
    /// A server reference that this server does not know.
    #[error("the server reference {id} is unknown")]
    UnknownReference {
        /// Its id, cut.
        id: Excerpt,
    },
    /// A value that only the client can hold, where none is taken, or without a path to find it by.
    #[error("a value that cannot leave the client")]
    Temporary,
    /// Promises that wait for each other.
    #[error("a promise that resolves to itself")]
    PromiseCycle,
    /// Bytes that were kept outside of memory cannot be read back.
    #[error("the bytes of an upload cannot be read back")]
    Storage,
    /// An item of a byte stream that is no typed array.
    #[error("an item of a byte stream is no typed array")]
    NotBytes,
    /// The body ended, or was given up, before this had come.
    #[error("the body ended before {what} had come")]
    Incomplete {
        /// What was still to come.
        what: &'static str,
    },
    /// The root of a call is no array.
    #[error("the arguments are {found}, not an array")]
    NotArguments {
        /// What the root was, in JavaScript's words.
        found: &'static str,
    },
    /// More arguments than a call may have.
    #[error("{count} arguments, at most {max} are allowed")]
    TooManyArguments {
        /// How many there were.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// More than a setting allows.
    #[error("more than {setting} = {max}")]
    Limit {
        /// The field of [`super::Limits`].
        setting: &'static str,
        /// Its value.
        max: u64,
    },
}

/// Longest excerpt, in bytes: with escapes it is still short of what a refusal may repeat of its body.
const EXCERPT_BYTES_MAX: usize = 32;

/// The beginning of a text of the client's, at most 32 bytes, escaped when shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt(Box<str>);

impl Excerpt {
    /// Cuts a text.
    #[must_use]
    pub fn new(text: &JsString) -> Self {
        Self(text.beginning(EXCERPT_BYTES_MAX).into())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl ReplyError {
    /// The row of the error table.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self.kind {
            ReplyErrorKind::TooManyArguments { .. } => ErrorCode::TooManyArguments,
            ReplyErrorKind::Limit { .. } => ErrorCode::ReplyLimit,
            ReplyErrorKind::Storage => ErrorCode::Internal,
            _ => ErrorCode::MalformedReply,
        }
    }

    /// Whether it refuses the whole reply even where it is met behind a promise, which else it would only reject.
    pub(super) fn is_fatal(&self) -> bool {
        matches!(self.kind, ReplyErrorKind::Limit { .. } | ReplyErrorKind::Storage)
    }
}

struct Place(Option<Position>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(Position { part, offset_bytes }) => write!(f, " (part {part}, byte {offset_bytes})"),
        }
    }
}
