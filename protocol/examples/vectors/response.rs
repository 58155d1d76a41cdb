//! Vectors of kind `response`: recorded rows are read, and values are written and read again. Both together are one
//! vector, which fails if either direction does.

use std::path::Path;

use callboard_protocol::{
    Value,
    flight::{Limits, Response, RowWriter, Thrown, parse},
    value::{Builder, Items, Node, Stream, StreamEnd, StreamKind},
};
use data_encoding::BASE64;

use crate::{
    Verdict,
    tagged::{self, Unreadable},
};

/// Runs the vector of one file.
pub(crate) fn run(file: &Path, json: &serde_json::Value) -> Vec<(String, Verdict)> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    vec![(format!("response/{name}"), verdict(json))]
}

fn verdict(json: &serde_json::Value) -> Verdict {
    let expected = match expected(json) {
        Ok(expected) => expected,
        Err(Unreadable::Unsupported(kind)) => return Verdict::Skipped(format!("no value can hold {kind}")),
        Err(Unreadable::Malformed(text)) => return Verdict::Failed(format!("unreadable vector: {text}")),
    };
    let rows = json["rows"].as_str().and_then(|rows| BASE64.decode(rows.as_bytes()).ok()).unwrap_or_default();
    match (read(&rows, &expected), &expected.root) {
        (Verdict::Passed, Ok(value)) if is_writable(value) => match written(value, &expected) {
            Verdict::Failed(why) => Verdict::Failed(format!("written: {why}")),
            verdict => verdict,
        },
        (verdict, _) => verdict,
    }
}

fn expected(json: &serde_json::Value) -> Result<Response, Unreadable> {
    let expect = &json["expect"];
    let root = if expect["t"] == "throw" {
        Err(Thrown { digest: expect["digest"].as_str().map(ToOwned::to_owned) })
    } else {
        Ok(as_observed(&tagged::value(expect)?))
    };
    Ok(Response { root })
}

/// The value as far as the vectors can tell. They cannot tell a reference without bound arguments from one with none,
/// as they were made by calling it; and a `ReadableStream` that breaks off forgets the items that nobody took in time,
/// here all of them.
fn as_observed(value: &Value) -> Value {
    let mut builder = Builder::new();
    for node in tagged::plain(value).graph().nodes() {
        builder.add(match node {
            Node::ServerReference { id, bound: None } => {
                Node::ServerReference { id: id.clone(), bound: Some(Vec::new()) }
            }
            Node::Stream(Stream {
                kind: StreamKind::Values,
                items: Items::Complete { end: end @ StreamEnd::Errored { .. }, .. },
            }) => Node::Stream(Stream {
                kind: StreamKind::Values,
                items: Items::Complete { items: Vec::new(), end: end.clone() },
            }),
            other => other.clone(),
        });
    }
    builder.finish(value.slot().clone())
}

fn read(rows: &[u8], expected: &Response) -> Verdict {
    let found = match parse(rows, &Limits::default()) {
        Ok(Response { root }) => Response { root: root.map(|root| as_observed(&root)) },
        Err(error) => return Verdict::Failed(error.to_string()),
    };
    if found == *expected {
        Verdict::Passed
    } else {
        Verdict::Failed(format!(
            "got {:.300}, expected {:.300}",
            format!("{found:?}"),
            format!("{expected:?}")
        ))
    }
}

/// Whether a value holds nothing that only rendering makes.
fn is_writable(value: &Value) -> bool {
    !value
        .graph()
        .nodes()
        .any(|node| matches!(node, Node::Element { .. } | Node::Lazy(_) | Node::ClientReference { .. }))
}

fn written(value: &Value, expected: &Response) -> Verdict {
    let mut rows = Vec::new();
    match RowWriter::new(&mut rows, 0).graph(0, value) {
        Ok(()) => read(&rows, expected),
        Err(error) => Verdict::Failed(error.to_string()),
    }
}
