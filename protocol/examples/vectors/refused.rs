//! Vectors of kind `none`: what React's client refuses to send. Nothing was recorded but that, so what is checked is
//! that our client refuses the same wherever a value can hold it at all.

use callboard_protocol::{
    Value,
    multipart::Part,
    reply::{EncodeError, Encoded, Limits, encode},
    value::{Builder, Node, Promise, Slot},
};
use serde_json::Value as Json;

use crate::{Verdict, reply};

/// What a value here cannot even hold, as it has no name on this wire in either direction.
const NOT_A_VALUE: [&str; 4] =
    ["client-reject-class", "client-reject-function", "client-reject-nullproto", "regexp"];

/// Whether we refuse it too.
pub(crate) fn verdict(json: &Json) -> Verdict {
    let checked = refused(json).and_then(|()| recorded(json));
    checked.map_or_else(Verdict::Failed, |()| Verdict::Passed)
}

/// The record says that nothing was sent.
fn recorded(json: &Json) -> Result<(), String> {
    let sent = ["body", "segments", "parts", "raw"].into_iter().find(|member| json.get(member).is_some());
    match sent {
        None if json["expect"] == "client-rejects" => Ok(()),
        None => Err("the record does not say that the client refused".into()),
        Some(member) => Err(format!("the client refused, and there is a {member}")),
    }
}

fn refused(json: &Json) -> Result<(), String> {
    let name = json["name"].as_str().unwrap_or_default();
    match name {
        "client-reject-symbol" => is_refused(&argument(Slot::Symbol("x".into()))),
        "client-error-object" => {
            let mut builder = Builder::new();
            let error = builder.add(Node::Error);
            is_refused(&builder.finish(Slot::Node(error)))
        }
        "promise-rejected" => is_left_out(),
        _ if NOT_A_VALUE.contains(&name) => Ok(()),
        _ => Err("nothing says what this client refused".into()),
    }
}

fn is_refused(value: &Value) -> Result<(), String> {
    match encode(value) {
        Err(EncodeError::NotSendable { .. }) => Ok(()),
        other => Err(format!("our client makes {other:?} of it")),
    }
}

/// React sends nothing at all. Ours, for tests, sends the rest: of the promise only that it never comes.
fn is_left_out() -> Result<(), String> {
    let mut builder = Builder::new();
    let promise = builder.add(Node::Promise(Promise::Rejected { digest: Some("no".into()) }));
    let root = builder.add(Node::Array(vec![Slot::Node(promise)]));
    let parts = match encode(&builder.finish(Slot::Node(root))) {
        Ok(Encoded::Form(parts)) if parts == [Part::text("0", "[\"$@1\"]")] => parts,
        other => return Err(format!("our client makes {other:?} of it")),
    };
    let value = reply::stream(&parts, Limits::default()).map_err(|error| error.to_string())?;
    let argument = value.as_array().and_then(<[_]>::first).map(|slot| value.at(slot));
    match argument.as_ref().and_then(Value::node) {
        Some(Node::Promise(Promise::Rejected { .. })) => Ok(()),
        other => Err(format!("it is decoded to {other:?}")),
    }
}

fn argument(slot: Slot) -> Value {
    let mut builder = Builder::new();
    let root = builder.add(Node::Array(vec![slot]));
    builder.finish(Slot::Node(root))
}
