//! Claims that several targets make.

use callboard_protocol::{
    Value,
    js::JsString,
    multipart::{Content, Part},
    reply::{self, Encoded, Limits, ReplyError, Resolution},
    value::{Items, Node, Promise, Slot, Stream, StreamEnd, StreamKind},
};

/// Steps per byte of a body that decoding may take, and steps that any body may take.
///
/// Most bodies take fewer than eight a byte. References of forty bytes that each bind up to 1000 arguments make the
/// factor, and what [`limits`] lets them copy.
const STEPS_PER_BYTE: u64 = 128;
const STEPS: u64 = 512;

/// Longest text that says why a body was refused; the excerpt of the body in it is 32 bytes, each escaped to at most
/// six.
const MESSAGE_BYTES: usize = 320;

/// All ids name actions but those that say otherwise.
pub(crate) fn resolve(id: &JsString) -> Resolution {
    match id.as_str() {
        Some(id) if id.starts_with("unknown") => Resolution::Unknown,
        Some(id) if id.contains('#') => Resolution::Absent,
        _ => Resolution::Known,
    }
}

/// The default limits, but for what may be copied: that is a fixed amount by default, which would hide in small inputs
/// what grows with their square.
pub(crate) fn limits(body_bytes: usize) -> Limits {
    Limits { bytes_max: 64 * body_bytes + 64, ..Limits::default() }
}

/// Limits that small inputs reach. What only the client can hold is taken as ever: without that, a promise of it is
/// rejected, which is another value.
pub(crate) fn tight() -> Limits {
    Limits {
        depth_max: 8,
        nodes_max: 24,
        references_max: 16,
        bytes_max: 64,
        parts_max: 12,
        array_slots_max: 48,
        bigint_chars_max: 20,
        bound_arguments_max: 3,
        arguments_max: 6,
        work_max: 4096,
        temporary_references: true,
        old_clients: false,
    }
}

/// The work is linear in the body.
pub(crate) fn linear(steps: u64, body_bytes: usize) {
    let max = STEPS_PER_BYTE * body_bytes as u64 + STEPS;
    assert!(steps <= max, "{steps} steps for {body_bytes} bytes");
}

/// Bytes of all parts, names included.
pub(crate) fn bytes(parts: &[Part]) -> usize {
    let content = |part: &Part| match &part.content {
        Content::Text(text) => text.len(),
        Content::File { name, media_type, content } => name.len() + media_type.len() + content.len() as usize,
    };
    parts.iter().map(|part| part.name.len() + content(part) + 1).sum()
}

/// A refusal is short, whatever was refused.
pub(crate) fn short(error: &dyn std::error::Error) {
    let text = error.to_string();
    assert!(text.len() <= MESSAGE_BYTES, "{} bytes of message: {text}", text.len());
}

/// What was decoded keeps to the limits and is no larger than its body allows.
pub(crate) fn decoded(result: &Result<Value, ReplyError>, limits: &Limits, body_bytes: usize) {
    let value = match result {
        Ok(value) => value,
        Err(error) => return short(error),
    };
    let nodes = value.graph().nodes().count();
    assert!(nodes <= limits.nodes_max, "{nodes} objects");
    assert!(nodes <= body_bytes + 1, "{nodes} objects of {body_bytes} bytes");
    let slots: usize = value.graph().nodes().map(slots).sum();
    // Beyond what stands in the body: the arguments that server references bind, which count as references.
    assert!(slots <= 2 * body_bytes + limits.references_max, "{slots} slots of {body_bytes} bytes");
}

fn slots(node: &Node) -> usize {
    match node {
        Node::Array(items)
        | Node::Set(items)
        | Node::Iterator(items)
        | Node::Stream(Stream { items: Items::Complete { items, .. }, .. }) => items.len(),
        Node::Object(members) | Node::FormData(members) => members.len(),
        Node::Map(entries) => 2 * entries.len(),
        Node::ServerReference { bound, .. } => bound.as_ref().map_or(0, Vec::len),
        _ => 1,
    }
}

/// A limit refuses, and changes nothing else: what tight limits let through comes out as without them.
pub(crate) fn only_refused(tight: Result<Value, ReplyError>, wide: &Value) {
    match tight {
        Ok(value) => assert!(value == *wide, "tight limits gave {value:?} instead of {wide:?}"),
        Err(error) => short(&error),
    }
}

/// What was decoded can be sent again, and comes out as the same graph.
pub(crate) fn survives_the_way_back(value: &Value) {
    let Ok(encoded) = reply::encode(value) else { return };
    let again = decode(&encoded).unwrap_or_else(|error| panic!("{encoded:?} is refused: {error}"));
    if is_written_faithfully(value) {
        assert!(again == *value, "{value:?} came back as {again:?}");
    }
    if let Encoded::Form(parts) = &encoded {
        super::arriving::check_sent(parts, &again, &unlimited_depth());
    }
}

/// What is sent again may be nested otherwise than what was received.
fn unlimited_depth() -> Limits {
    Limits { depth_max: usize::MAX, ..Limits::default() }
}

fn decode(encoded: &Encoded) -> Result<Value, ReplyError> {
    let limits = unlimited_depth();
    match encoded {
        Encoded::Text(text) => reply::decode_text(text.clone().into(), &limits, &resolve),
        Encoded::Form(parts) => reply::decode_parts(parts, "", &limits, &resolve),
    }
}

/// Clients send an invalid date as null, objects behind keys with colons twice, and values that only they can hold by
/// the place where those stand.
fn is_written_faithfully(value: &Value) -> bool {
    let faithful = |slot: &Slot| !matches!(slot, Slot::Date(date) if date.to_iso().is_none());
    faithful(value.slot())
        && value.graph().nodes().all(|node| match node {
            Node::Array(items) | Node::Set(items) | Node::Iterator(items) => items.iter().all(faithful),
            Node::Object(members) => members.iter().all(|(key, slot)| {
                let key = key.to_text_lossy();
                !key.contains([':', '\u{FFFD}']) && faithful(slot)
            }),
            Node::Map(entries) => entries.iter().all(|(key, slot)| faithful(key) && faithful(slot)),
            Node::ServerReference { bound, .. } => bound.iter().flatten().all(faithful),
            Node::Promise(promise) => match promise.now() {
                Promise::Fulfilled(slot) => faithful(slot),
                _ => true,
            },
            // The bytes of a stream are put together, and what stays with the client has no name of its own.
            Node::Stream(Stream { kind: StreamKind::Bytes, .. }) | Node::Temporary { .. } => false,
            Node::Stream(Stream { items: Items::Complete { items, end }, .. }) => {
                let returned = |end: &StreamEnd| !matches!(end, StreamEnd::Returned(slot) if !faithful(slot));
                items.iter().all(faithful) && returned(end)
            }
            _ => true,
        })
}
