//! How what a function returned becomes an outcome or a page.

use std::{borrow::Cow, fmt};

use callboard_protocol::{
    ErrorCode,
    action::{Outcome, Settled, Thrown, VALUE_ROW},
    action_error::ActionError,
    de::DeError,
    flight,
};
use serde::Serialize;

use crate::{ActionContext, Html, handle::answering};

/// What running an action gives.
pub(crate) type Ran = Outcome;

/// What rendering a page gives.
pub(crate) type Rendered = Result<Html, PageError>;

/// Any error, for actions that need no error type of their own. `?` turns every `std::error::Error` into it.
#[derive(Debug)]
pub struct Failure {
    code: Cow<'static, str>,
    public_message: Option<String>,
    private: String,
}

impl Failure {
    /// An error whose message the client may read.
    #[must_use]
    pub fn public(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code: code.into(), private: message.clone(), public_message: Some(message) }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: Cow::Borrowed("error"), public_message: None, private: with_sources(&error) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.private)
    }
}

impl ActionError for Failure {
    fn code(&self) -> Cow<'static, str> {
        self.code.clone()
    }

    fn public_message(&self) -> Option<String> {
        self.public_message.clone()
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What an action returned. Generated code calls `settle`: for a `Result` the error is thrown, anything else is a
/// value.
pub struct Output<T>(pub T);

impl<T, E> Output<Result<T, E>> {
    /// The value, or the error thrown.
    #[must_use]
    pub fn settle(self, cx: ActionContext) -> Outcome
    where
        T: Serialize,
        E: ActionError,
    {
        let settled = match self.0 {
            Ok(value) => encoded(&value, &cx),
            Err(error) => Settled::Thrown(thrown(&error)),
        };
        Outcome { settled, effects: cx.into_effects() }
    }

    /// The value `{ok:true,value}` or `{ok:false,error}`.
    #[must_use]
    pub fn settle_as_value(self, cx: ActionContext) -> Outcome
    where
        T: Serialize,
        E: Serialize,
    {
        #[derive(Serialize)]
        struct Good<T> {
            ok: bool,
            value: T,
        }
        #[derive(Serialize)]
        struct Bad<E> {
            ok: bool,
            error: E,
        }
        let settled = match self.0 {
            Ok(value) => encoded(&Good { ok: true, value }, &cx),
            Err(error) => encoded(&Bad { ok: false, error }, &cx),
        };
        Outcome { settled, effects: cx.into_effects() }
    }
}

/// `settle` for what is not a `Result`.
pub trait PlainOutput {
    /// The value.
    fn settle(self, cx: ActionContext) -> Outcome;
}

impl<T: Serialize> PlainOutput for Output<T> {
    fn settle(self, cx: ActionContext) -> Outcome {
        Outcome { settled: encoded(&self.0, &cx), effects: cx.into_effects() }
    }
}

fn encoded<T: Serialize>(value: &T, cx: &ActionContext) -> Settled {
    match answering(cx.node(), || flight::encode_answer(value, VALUE_ROW)) {
        // A function that returns nothing gives `undefined`, as in JavaScript; serde knows only null.
        Ok(answer) if size_of::<T>() == 0 && *answer.head == *b"1:null\n" => Settled::default(),
        Ok(answer) => Settled::Value(answer),
        Err(error) => Settled::Thrown(Thrown {
            code: ErrorCode::ActionFailed,
            digest: "unencodable-value".into(),
            private: format!("the action's value cannot be encoded: {error}"),
        }),
    }
}

fn thrown(error: &impl ActionError) -> Thrown {
    let digest = error.digest();
    Thrown { code: ErrorCode::ActionFailed, digest, private: error.to_string() }
}

/// The outcome of a call whose arguments are not of the action's types.
#[must_use]
#[allow(clippy::needless_pass_by_value)] // generated code has no further use for it
pub fn mismatch(cx: ActionContext, error: DeError) -> Outcome {
    Outcome { settled: Settled::Mismatch(error.to_string()), effects: cx.into_effects() }
}

/// Why a page was not rendered. `?` turns every `std::error::Error` into it.
#[derive(Debug)]
pub enum PageError {
    /// There is no such page: 404.
    NotFound,
    /// Go elsewhere: 303.
    Redirect(String),
    /// It went wrong: 500; the text goes to the log.
    Failed(String),
}

impl<E: std::error::Error> From<E> for PageError {
    fn from(error: E) -> Self {
        Self::Failed(with_sources(&error))
    }
}

/// What a page returned.
pub struct PageOutput<T>(pub T);

impl<E: Into<PageError>> PageOutput<Result<Html, E>> {
    /// The page, or why there is none.
    ///
    /// # Errors
    ///
    /// The function's own.
    pub fn settle(self) -> Result<Html, PageError> {
        self.0.map_err(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_error_shows_its_code_alone() {
        let failure = Failure::from(std::io::Error::other("password is 1234"));
        let thrown = thrown(&failure);
        assert_eq!((thrown.digest.as_str(), thrown.private.as_str()), ("error", "password is 1234"));
    }

    #[test]
    fn a_public_error_shows_code_and_message() {
        let thrown = thrown(&Failure::public("full", "the book is full"));
        assert_eq!(thrown.digest, r#"{"code":"full","message":"the book is full"}"#);
    }
}
