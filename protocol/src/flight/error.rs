//! Why a value cannot be written as rows, and where in it.

use std::fmt;

/// Why a value cannot be written as Flight rows, and where in the value.
#[derive(Debug, thiserror::Error)]
#[error("{} at {}", .0.problem, .0.path)]
pub struct FlightError(Box<Located>);

#[derive(Debug)]
struct Located {
    problem: Problem,
    path: Path,
}

/// What is wrong with the value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A kind of value that is made by rendering and is never an action's answer.
    #[error("{kind} cannot be sent to a client")]
    Unsupported {
        /// The kind, as [`crate::Value::kind`] says it.
        kind: &'static str,
    },
    /// A collection that the client would have to put into itself before it is made.
    #[error("{kind} that contains itself cannot be sent to a client")]
    Cycle {
        /// The kind, as [`crate::Value::kind`] says it.
        kind: &'static str,
    },
    /// A promise that is resolved by itself: the client would wait for ever.
    #[error("a promise that resolves to itself cannot be sent to a client")]
    EndlessPromise,
    /// A promise that is not settled or a stream that is open, where everything has to be there at once.
    #[error("{kind} that is still to come can only be sent in an answer that goes on")]
    StillToCome {
        /// The kind, as [`crate::Value::kind`] says it.
        kind: &'static str,
    },
    /// Something in a byte stream that is no bytes.
    #[error("{kind} in a byte stream")]
    NoBytes {
        /// What there is.
        kind: &'static str,
    },
    /// So many rows that clients cannot count them.
    #[error("more than 2^31 rows")]
    TooManyRows,
    /// A map's key that has no text.
    #[error("a key must be a string, a number, a boolean or a unit variant, not {kind}")]
    Key {
        /// What the key is.
        kind: &'static str,
    },
    /// More levels than may be written by recursion.
    #[error("more than {levels_max} levels of nesting")]
    TooDeep {
        /// The limit.
        levels_max: usize,
    },
    /// Bytes whose length the client cannot read.
    #[error("{bytes} bytes in one piece")]
    TooLarge {
        /// The length.
        bytes: usize,
    },
    /// What the value's own `Serialize` says.
    #[error("{message}")]
    Custom {
        /// Its message.
        message: String,
    },
}

/// Where in a value: `items[3].name`, or `the top` for the value itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Innermost first, as they are learnt on the way out.
    segments: Vec<Segment>,
}

/// One step into a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

impl FlightError {
    pub(super) fn new(problem: Problem) -> Self {
        Self(Box::new(Located { problem, path: Path::default() }))
    }

    /// The same error, seen from one level further out.
    pub(super) fn within(mut self, segment: Segment) -> Self {
        self.0.path.segments.push(segment);
        self
    }

    pub(super) fn within_key(self, key: &str) -> Self {
        self.within(Segment::Key(key.to_owned()))
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Where it is wrong.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

impl serde::ser::Error for FlightError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Problem::Custom { message: message.to_string() })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_str("the top");
        }
        for (position, segment) in self.segments.iter().rev().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_plain(key) && position == 0 => f.write_str(key)?,
                Segment::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                Segment::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

/// Whether a key can be written after a dot.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|char| char.is_alphanumeric() || char == '_')
}
