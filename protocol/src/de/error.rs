//! Why a value is not of the type that was asked for, and where in it.

use std::fmt;

use serde::de;

use super::words;
use crate::{ErrorCode, value::Pending};

/// Why an argument is not of its type: `argument 2, .items[3].price: expected a number, found a string`.
///
/// The text is meant for the client. It repeats at most 64 bytes of what was sent, the names of the path and the value
/// together; but a message of a type's own `Deserialize` is kept as it is, up to 256 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeError(Box<Located>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Located {
    /// Counted from 1.
    argument: Option<usize>,
    /// Innermost first, as they are learnt on the way out.
    segments: Vec<Segment>,
    problem: Problem,
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// A member of an object, or a field of a form.
    Key(Box<str>),
    /// An item.
    Index(usize),
    /// A value of a `Map`.
    Entry(Box<str>),
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is of another kind, or out of range.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// What the type takes.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The call has no such argument.
    #[error("missing, expected {expected}")]
    MissingArgument {
        /// What the type takes.
        expected: String,
    },
    /// An object has no such member, or a form no such field.
    #[error("missing")]
    MissingMember,
    /// A type that lists its members has no such member.
    #[error("unknown, expected {}", words::one_of(.known))]
    UnknownMember {
        /// The members there are.
        known: &'static [&'static str],
    },
    /// A string that is not text.
    #[error("a string with a lone surrogate; take JsString to accept it")]
    LoneSurrogate,
    /// The value contains itself.
    #[error("a cycle; take a Value to accept it")]
    Cycle,
    /// More levels than may be read by recursion.
    #[error("nested deeper than {depth_max} levels")]
    TooDeep {
        /// The limit.
        depth_max: usize,
    },
    /// Objects that occur in many places would be copied too often.
    #[error("shared objects expand to more than {expansions_max} values")]
    TooManyExpansions {
        /// The limit.
        expansions_max: usize,
    },
    /// A promise that was rejected has no value.
    #[error("a rejected promise")]
    RejectedPromise,
    /// A promise that is not settled yet has none either; it can be read again once this one is.
    #[error("a promise that is not settled")]
    Unsettled(Pending),
    /// What the type's own `Deserialize` says.
    #[error("{message}")]
    Custom {
        /// Its message.
        message: String,
    },
}

impl Problem {
    /// How much room it needs of what an error may repeat: what it says is there may be the client's word, or ours.
    fn repeated_bytes(&self) -> usize {
        match self {
            Self::Mismatch { found: text, .. } | Self::Custom { message: text } => {
                text.len().min(words::EXCERPT_BYTES_MAX)
            }
            _ => 0,
        }
    }
}

impl DeError {
    #[cold]
    pub(super) fn new(problem: Problem) -> Self {
        Self(Box::new(Located { argument: None, segments: Vec::new(), problem }))
    }

    #[cold]
    pub(super) fn mismatch(expected: &dyn de::Expected, found: impl Into<String>) -> Self {
        Self::new(Problem::Mismatch { expected: words::expected(expected), found: found.into() })
    }

    /// The same error, seen from one level further out.
    #[cold]
    pub(super) fn within(mut self, segment: Segment) -> Self {
        self.0.segments.push(segment);
        self
    }

    pub(super) fn within_key(self, key: &str) -> Self {
        self.within(Segment::Key(words::cut(key).into()))
    }

    pub(super) fn within_index(self, index: usize) -> Self {
        self.within(Segment::Index(index))
    }

    pub(super) fn within_entry(self, key: &str) -> Self {
        self.within(Segment::Entry(words::cut(key).into()))
    }

    /// The same error, in the argument at this position, counted from 0.
    #[cold]
    pub(super) fn in_argument(mut self, index: usize) -> Self {
        self.0.argument = Some(index + 1);
        self
    }

    /// The same error, of an argument that was not sent.
    #[cold]
    pub(super) fn of_missing_argument(mut self) -> Self {
        if self.path_is_empty()
            && let Problem::Mismatch { expected, .. } = self.0.problem
        {
            self.0.problem = Problem::MissingArgument { expected };
        }
        self
    }

    pub(super) fn path_is_empty(&self) -> bool {
        self.0.segments.is_empty()
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// The argument it is wrong in, counted from 1.
    #[must_use]
    pub fn argument(&self) -> Option<usize> {
        self.0.argument
    }

    /// Where in the value it is wrong, such as `.items[3].price`; empty for the value itself.
    ///
    /// Of a path with more than 16 steps, or with longer names than an error may repeat, the outermost and innermost
    /// steps are written.
    #[must_use]
    pub fn path(&self) -> String {
        self.0.path().to_string()
    }

    /// The row of the error table.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::ArgumentMismatch
    }
}

impl Located {
    fn path(&self) -> Path<'_> {
        let names_bytes_max = words::REPEATED_BYTES_MAX - self.problem.repeated_bytes();
        Path { segments: &self.segments, names_bytes_max }
    }
}

impl std::error::Error for DeError {}

impl fmt::Display for DeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Located { argument, segments, problem } = &*self.0;
        if let Some(argument) = argument {
            write!(f, "argument {argument}")?;
        }
        if !segments.is_empty() {
            write!(f, "{}{}", if argument.is_some() { ", " } else { "" }, self.0.path())?;
        }
        if argument.is_some() || !segments.is_empty() {
            f.write_str(": ")?;
        }
        problem.fmt(f)
    }
}

/// Writes segments from the outermost to the innermost.
struct Path<'a> {
    segments: &'a [Segment],
    names_bytes_max: usize,
}

impl Path<'_> {
    /// How many steps are written of the outermost and the innermost. The innermost one always is: where the path
    /// leads is worth more than where it begins.
    fn ends(&self) -> (usize, usize) {
        // A cycle has hundreds of steps, and nobody reads them.
        const STEPS_MAX: usize = 16;
        let steps = self.segments.len();
        let (mut outer, mut inner, mut names_bytes) = (0, 0, 0);
        while outer + inner < steps.min(STEPS_MAX) {
            let from_inside = inner <= outer;
            let next = &self.segments[if from_inside { inner } else { steps - 1 - outer }];
            names_bytes += next.name_bytes();
            if inner > 0 && names_bytes > self.names_bytes_max {
                break;
            }
            *(if from_inside { &mut inner } else { &mut outer }) += 1;
        }
        (outer, inner)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (outer, inner) = self.ends();
        let outer_starts = self.segments.len() - outer;
        for segment in self.segments[outer_starts..].iter().rev() {
            segment.fmt(f)?;
        }
        if outer_starts > inner {
            f.write_str("…")?;
        }
        self.segments[..inner].iter().rev().try_for_each(|segment| segment.fmt(f))
    }
}

impl Segment {
    fn name_bytes(&self) -> usize {
        match self {
            Self::Index(_) => 0,
            Self::Key(name) | Self::Entry(name) => name.len(),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(key) if is_plain(key) => write!(f, ".{key}"),
            Self::Key(key) => write!(f, "[{key:?}]"),
            Self::Entry(key) => write!(f, ".get({key:?})"),
        }
    }
}

/// Whether a key can be written after a dot.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '$' | '-' | '…'))
}

impl de::Error for DeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Problem::Custom { message: words::cut_message(&message.to_string()) })
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::mismatch(expected, words::found_kind(unexpected))
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::mismatch(expected, words::found_value(unexpected))
    }

    fn invalid_length(items: usize, expected: &dyn de::Expected) -> Self {
        Self::mismatch(expected, items.to_string())
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::Mismatch { expected: words::one_of(known), found: words::quote(variant) })
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownMember { known }).within_key(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Problem::MissingMember).within_key(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Problem::Custom { message: "given twice".to_owned() }).within_key(field)
    }
}
