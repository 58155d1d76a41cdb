//! Values of every kind into types of every kind.

mod arguments;
mod forms;
mod kinds;
mod limits;
mod messages;
mod round_trips;

use serde::de::DeserializeOwned;

use super::{DeError, from_value};
use crate::{
    Value,
    value::{ArrayKind, Blob, Builder, Node, Promise, Slot, TypedArray},
};

/// The value that JSON is.
fn json(json: serde_json::Value) -> Value {
    serde_json::from_value(json).unwrap()
}

/// A value with one object.
fn object(node: Node) -> Value {
    let mut builder = Builder::new();
    let id = builder.add(node);
    builder.finish(Slot::Node(id))
}

/// A value made of objects, each added by the function.
fn built(build: impl FnOnce(&mut Builder) -> Slot) -> Value {
    let mut builder = Builder::new();
    let slot = build(&mut builder);
    builder.finish(slot)
}

fn bytes(kind: ArrayKind, bytes: &[u8]) -> Value {
    object(Node::Bytes(TypedArray { kind, bytes: bytes.to_vec().into() }))
}

fn blob(name: Option<&str>, bytes: &[u8]) -> Node {
    Node::Blob(Blob {
        name: name.map(Into::into),
        media_type: "text/plain".into(),
        content: bytes.to_vec().into(),
    })
}

fn text(text: &str) -> Slot {
    Slot::String(text.into())
}

fn kept(builder: &mut Builder, slot: Slot) -> Slot {
    Slot::Node(builder.add(Node::Promise(Promise::Fulfilled(slot))))
}

fn refused<T: DeserializeOwned + std::fmt::Debug>(value: &Value) -> String {
    from_value::<T>(value).unwrap_err().to_string()
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, DeError> {
    from_value(value)
}
