//! The same reply part by part: it ends, it costs as little, and it comes out as if it had been there as a whole.

use std::collections::HashSet;

use callboard_protocol::{
    Value,
    multipart::Part,
    reply::{Incoming, Limits, ReplyError, decode_parts},
    value::{Flow, Items, Node, Promise, Stream, StreamEnd},
};

use super::{checks, drained::drained};

/// Decodes the parts one by one, and compares with what they are as a whole.
pub(crate) fn check(parts: &[Part], limits: &Limits) {
    let streamed = decode(parts, limits);
    let whole = decode_parts(parts, "", limits, &checks::resolve);
    if let (Ok(streamed), Ok(whole)) = (&streamed, &whole)
        && is_ordered(parts)
        && !has_failures(streamed)
        && !has_failures(whole)
    {
        assert!(streamed == whole, "part by part {streamed:?}, as a whole {whole:?}");
    }
}

/// Decodes part by part. Whatever happens, nobody who was handed a promise or a stream waits for ever.
fn decode(parts: &[Part], limits: &Limits) -> Result<Value, ReplyError> {
    let mut incoming = Incoming::new(*limits, Flow::default(), Box::new(checks::resolve));
    let mut early = None;
    let mut bytes = 0;
    let mut outcome = Ok(());
    for part in parts {
        bytes += checks::bytes(std::slice::from_ref(part));
        outcome = incoming.push(part.clone());
        checks::linear(incoming.steps(), bytes);
        early = early.or_else(|| incoming.root());
        if outcome.is_err() {
            assert_eq!(incoming.push(part.clone()), outcome, "an error is final");
            break;
        }
    }
    let finished = incoming.finish();
    if let Err(error) = outcome {
        assert_eq!(finished, Err(error), "an error is final");
    } else if finished.is_ok() {
        assert!(incoming.is_settled(), "at the end of the body everything is settled");
    }
    checks::linear(incoming.steps(), bytes);
    drop(incoming);
    let drained = |root: Value| drained(&root).expect("nobody waits for ever");
    let early = early.map(drained);
    match finished {
        Err(error) => {
            checks::short(&error);
            Err(error)
        }
        // Streams are read once, so the root that was there early has what the last one would have.
        Ok(root) => Ok(early.unwrap_or_else(|| drained(root))),
    }
}

/// Whether order makes no difference: no name twice, and no form data, which is read at a cursor.
fn is_ordered(parts: &[Part]) -> bool {
    let mut names = HashSet::new();
    parts.iter().all(|part| {
        let is_row = part.name.starts_with('S');
        !part.name.starts_with('_') && (is_row || names.insert(&part.name))
    })
}

/// Whether a promise was rejected or a stream broke off: part by part more does, as only these may refer ahead.
pub(crate) fn has_failures(value: &Value) -> bool {
    value.graph().nodes().any(|node| match node {
        Node::Promise(promise) => matches!(promise.now(), Promise::Rejected { .. }),
        Node::Stream(Stream { items: Items::Complete { end, .. }, .. }) => {
            matches!(end, StreamEnd::Errored { .. })
        }
        _ => false,
    })
}

/// What a client sends for a value comes out as that value, part by part too.
pub(crate) fn check_sent(parts: &[Part], value: &Value, limits: &Limits) {
    let streamed = decode(parts, limits).expect("what a client sends in its order is accepted");
    assert!(streamed == *value, "{value:?} arrived as {streamed:?}");
}
