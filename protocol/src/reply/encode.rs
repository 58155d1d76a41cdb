//! What a client's `encodeReply` does.
use crate::{Value, multipart::Part};

/// A reply as a client sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// One text.
    Text(String),
    /// A form.
    Form(Vec<Part>),
}

/// x
#[must_use]
pub fn encode(_value: &Value) -> Encoded {
    Encoded::Text(String::new())
}
