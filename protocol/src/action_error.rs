//! Errors that actions end in, and what the client sees of them.

use std::{borrow::Cow, fmt};

use crate::flight::push_json_string;

/// An error that an action, or a stream or later value that it returned, may end in.
///
/// The client sees [`code`](Self::code) as the error's digest and nothing else, unless
/// [`public_message`](Self::public_message) says more. The `Display` text goes to the log.
pub trait ActionError: fmt::Display {
    /// A stable name for this kind of error, fit to be shown to strangers.
    fn code(&self) -> Cow<'static, str> {
        Cow::Borrowed("error")
    }

    /// What the client may read; then its digest is the JSON `{"code","message"}`.
    fn public_message(&self) -> Option<String> {
        None
    }

    /// What the client sees of the error.
    fn digest(&self) -> String {
        let Some(message) = self.public_message() else { return self.code().into_owned() };
        let mut json = b"{\"code\":".to_vec();
        push_json_string(&mut json, &self.code());
        json.extend_from_slice(b",\"message\":");
        push_json_string(&mut json, &message);
        json.push(b'}');
        String::from_utf8(json).expect("text between text is text")
    }
}

impl ActionError for std::convert::Infallible {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("password is 1234")]
    struct Secret(Option<&'static str>);

    impl ActionError for Secret {
        fn public_message(&self) -> Option<String> {
            self.0.map(ToOwned::to_owned)
        }
    }

    #[test]
    fn the_client_sees_the_code_and_only_the_message_that_it_may() {
        assert_eq!(Secret(None).digest(), "error");
        assert_eq!(Secret(Some("say \"please\"")).digest(), r#"{"code":"error","message":"say \"please\""}"#);
    }
}
