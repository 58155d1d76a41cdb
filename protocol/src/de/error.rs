//! Why a value is not of a type, and where inside it.

use std::fmt;

use serde::de::{Expected, Unexpected};

/// Longest piece of input that a message repeats, in bytes.
const ECHO_BYTES_MAX: usize = 64;

/// A value is not of the type that was asked for.
///
/// It prints as `argument 2, .items[3].price: expected a number, found a string`. The path is gathered while the error
/// travels outwards, so it costs nothing where there is none.
#[derive(Debug, PartialEq, Eq)]
pub struct DeError(Box<Mismatch>);

#[derive(Debug, PartialEq, Eq)]
struct Mismatch {
    argument: Option<usize>,
    /// Innermost first.
    path: Vec<Step>,
    problem: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl DeError {
    pub(super) fn problem(problem: impl Into<String>) -> Self {
        Self(Box::new(Mismatch { argument: None, path: Vec::new(), problem: problem.into() }))
    }

    /// `expected …, found …`, with `found` in our own words.
    pub(super) fn expected(expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::problem(format!("expected {expected}, found {found}"))
    }

    pub(super) fn in_argument(mut self, index: usize) -> Self {
        self.0.argument = Some(index);
        self
    }

    pub(super) fn at_key(mut self, key: &str) -> Self {
        self.0.path.push(Step::Key(echo(key)));
        self
    }

    pub(super) fn at_index(mut self, index: usize) -> Self {
        self.0.path.push(Step::Index(index));
        self
    }
}

/// A piece of input as a message may repeat it.
pub(super) fn echo(text: &str) -> String {
    if text.len() <= ECHO_BYTES_MAX {
        return text.to_owned();
    }
    let end =
        (0..=ECHO_BYTES_MAX - '…'.len_utf8()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// The same, in quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", echo(text))
}

impl std::error::Error for DeError {}

impl From<String> for DeError {
    fn from(problem: String) -> Self {
        Self::problem(problem)
    }
}

impl From<std::convert::Infallible> for DeError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for DeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.0.argument {
            write!(f, "argument {}", index + 1)?;
            f.write_str(if self.0.path.is_empty() { ": " } else { ", " })?;
        }
        for step in self.0.path.iter().rev() {
            match step {
                Step::Key(key) if is_identifier(key) => write!(f, ".{key}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        if !self.0.path.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.0.problem)
    }
}

fn is_identifier(key: &str) -> bool {
    let mut chars = key.chars();
    chars.next().is_some_and(|first| first.is_alphabetic() || first == '_' || first == '$')
        && chars.all(|char| char.is_alphanumeric() || char == '_' || char == '$')
}

impl serde::de::Error for DeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::problem(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected, found(unexpected))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected, found(unexpected))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::expected(expected, format_args!("{length} items"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::expected(one_of(expected), quoted(variant))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::problem(format!("there is no member {}, only {}", quoted(field), one_of(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::problem("missing").at_key(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::problem("given twice").at_key(field)
    }
}

fn found(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Str(text) => quoted(text),
        Unexpected::Bytes(_) => "binary data".into(),
        Unexpected::Unit | Unexpected::Option => "null".into(),
        Unexpected::Seq => "an array".into(),
        Unexpected::Map => "an object".into(),
        other => echo(&other.to_string()),
    }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".into(),
        [only] => format!("{only:?}"),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|name| format!("{name:?}")).collect();
            format!("{} or {last:?}", first.join(", "))
        }
    }
}
