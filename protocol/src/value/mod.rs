//! The inert graph that every body is decoded into.
//!
//! Nothing in it can be called, and nothing is looked up outside it: that is what makes the published attacks on
//! the reference decoder (prototype walks, forged thenables) meaningless here. Objects live in one arena, so shared
//! objects and cycles are kept and a cycle never leaks.
//!
//! A body that is still arriving gives a value whose promises and streams are [`Pending`] and [`Live`]; the arena then
//! grows behind those who hold it.

mod blob;
mod equality;
mod graph;
mod import;
mod live;
mod serde;

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::js::{BigInt, Date, JsString};
pub use blob::{Blob, BlobContent, Spilled};
pub use graph::{Builder, Graph, NodeId};
pub use live::{Flow, Live, Pending};

/// A JavaScript value as the wire carries it. Cloning is cheap: clones and parts share one arena.
#[derive(Clone)]
pub struct Value {
    graph: Arc<Graph>,
    slot: Slot,
}

/// Where a value stands: a scalar in place, or an object of the graph.
#[derive(Clone, Debug)]
pub enum Slot {
    /// `undefined`: an array slot, a map's key or value, a root. As a member it means the key is absent.
    Undefined,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, with `NaN`, the infinities and `-0`.
    Number(f64),
    /// A string.
    String(JsString),
    /// A big integer.
    BigInt(BigInt),
    /// A date; it has no identity on this wire.
    Date(Date),
    /// `Symbol.for(key)`; only in responses.
    Symbol(JsString),
    /// An object.
    Node(NodeId),
}

/// An object: what has identity in JavaScript.
#[derive(Clone, Debug)]
pub enum Node {
    /// An array.
    Array(Vec<Slot>),
    /// A plain object: its own members in the order of arrival, each key once.
    Object(Vec<(JsString, Slot)>),
    /// A `Map`, in insertion order.
    Map(Vec<(Slot, Slot)>),
    /// A `Set`, in insertion order.
    Set(Vec<Slot>),
    /// A one-shot iterator over these items.
    Iterator(Vec<Slot>),
    /// An `ArrayBuffer`, a typed array or a `DataView`.
    Bytes(TypedArray),
    /// A `Blob` or a `File`.
    Blob(Blob),
    /// A `FormData`: entries in order, names may repeat; each is a string or a [`Node::Blob`].
    FormData(Vec<(JsString, Slot)>),
    /// A promise.
    Promise(Promise),
    /// A stream, an async iterable or an async iterator.
    Stream(Stream),
    /// A server function: an id and the arguments bound to it. Not something that can be called.
    ServerReference {
        /// The reference, as the client sent it: unverified text.
        id: JsString,
        /// The arguments bound by the client or the page; `None` where nothing was bound.
        bound: Option<Vec<Slot>>,
    },
    /// Something that only the client can hold; it may be given back by its path.
    Temporary {
        /// Where it stood in the arguments, such as `0:1:f`.
        path: JsString,
    },
    /// A React element; only in responses.
    Element {
        /// Tag name, symbol, lazy or client reference.
        kind: Slot,
        /// Its key, a string or null.
        key: Slot,
        /// Its props.
        props: Slot,
    },
    /// A value that suspends rendering until it is there; only in responses.
    Lazy(Promise),
    /// A module export on the client; only in responses.
    ClientReference {
        /// Module id.
        module: JsString,
        /// Export name.
        name: JsString,
    },
    /// An error without message; only in responses.
    Error,
}

/// How far a promise is.
#[derive(Clone, Debug)]
pub enum Promise {
    /// Resolved to this value.
    Fulfilled(Slot),
    /// Rejected.
    Rejected {
        /// What the client sees of the error: its digest, if it has one.
        digest: Option<String>,
    },
    /// Not settled when the value was made.
    Pending(Pending),
}

impl Promise {
    /// What it is by now: itself, or what a pending one was settled to. Never a settled [`Promise::Pending`].
    #[must_use]
    pub fn now(&self) -> &Self {
        match self {
            Self::Pending(pending) => pending.settled().unwrap_or(self),
            settled => settled,
        }
    }
}

/// What comes in pieces, over time.
#[derive(Clone, Debug)]
pub struct Stream {
    /// What it is in JavaScript.
    pub kind: StreamKind,
    /// What came, or is still to come.
    pub items: Items,
}

/// What a [`Stream`] is in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// A `ReadableStream` of values.
    Values,
    /// A `ReadableStream` of bytes; each item is a [`Node::Bytes`].
    Bytes,
    /// An object that gives an async iterator whenever it is asked for one.
    AsyncIterable,
    /// An async iterator, which can be read once.
    AsyncIterator,
}

impl StreamKind {
    /// The wire's tag, in either direction.
    #[must_use]
    pub fn tag(self) -> char {
        match self {
            Self::Values => 'R',
            Self::Bytes => 'r',
            Self::AsyncIterable => 'X',
            Self::AsyncIterator => 'x',
        }
    }

    /// What it is called in messages: `a stream`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Values | Self::Bytes => "a stream",
            Self::AsyncIterable => "an async iterable",
            Self::AsyncIterator => "an async iterator",
        }
    }

    /// The kind with this tag.
    #[must_use]
    pub fn from_tag(tag: char) -> Option<Self> {
        [Self::Values, Self::Bytes, Self::AsyncIterable, Self::AsyncIterator]
            .into_iter()
            .find(|kind| kind.tag() == tag)
    }
}

/// The items of a [`Stream`].
#[derive(Clone, Debug)]
pub enum Items {
    /// All of them.
    Complete {
        /// In order.
        items: Vec<Slot>,
        /// How it ended.
        end: StreamEnd,
    },
    /// Those that were not read yet, and those that are still to come.
    Live(Live),
}

/// How a [`Stream`] ended.
#[derive(Clone, Debug)]
pub enum StreamEnd {
    /// It was closed.
    Closed,
    /// An async iterator returned this value.
    Returned(Slot),
    /// It broke off.
    Errored {
        /// What the client sees of the error: its digest, if it has one.
        digest: Option<String>,
    },
}

/// Bytes with the element type JavaScript gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedArray {
    /// The element type.
    pub kind: ArrayKind,
    /// The elements, little-endian. A multiple of [`ArrayKind::element_bytes`].
    pub bytes: Bytes,
}

macro_rules! array_kinds {
    ($($name:ident, $js:literal, $tag:literal, $bytes:literal;)*) => {
        /// The element type of binary data, with the tag that React gives it in either direction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ArrayKind { $(#[doc = concat!("`", $js, "`, tag `", $tag, "`.")] $name,)* }

        impl ArrayKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The wire's tag.
            #[must_use]
            pub fn tag(self) -> char { match self { $(Self::$name => $tag,)* } }

            /// The kind with this tag.
            #[must_use]
            pub fn from_tag(tag: char) -> Option<Self> { match tag { $($tag => Some(Self::$name),)* _ => None } }

            /// The constructor's name in JavaScript.
            #[must_use]
            pub fn js_name(self) -> &'static str { match self { $(Self::$name => $js,)* } }

            /// Bytes of one element.
            #[must_use]
            pub fn element_bytes(self) -> usize { match self { $(Self::$name => $bytes,)* } }
        }
    };
}

array_kinds! {
    ArrayBuffer, "ArrayBuffer", 'A', 1;
    Int8, "Int8Array", 'O', 1;
    Uint8, "Uint8Array", 'o', 1;
    Uint8Clamped, "Uint8ClampedArray", 'U', 1;
    Int16, "Int16Array", 'S', 2;
    Uint16, "Uint16Array", 's', 2;
    Int32, "Int32Array", 'L', 4;
    Uint32, "Uint32Array", 'l', 4;
    Float32, "Float32Array", 'G', 4;
    Float64, "Float64Array", 'g', 8;
    BigInt64, "BigInt64Array", 'M', 8;
    BigUint64, "BigUint64Array", 'm', 8;
    DataView, "DataView", 'V', 1;
}

impl Value {
    /// `undefined`.
    #[must_use]
    pub fn undefined() -> Self {
        Slot::Undefined.into()
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Slot::Null.into()
    }

    /// The arena. Parts of one value share it.
    #[must_use]
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Where this value stands in its arena.
    #[must_use]
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The object, if this is one.
    #[must_use]
    pub fn node(&self) -> Option<&Node> {
        match self.slot {
            Slot::Node(id) => Some(self.graph.node(id)),
            _ => None,
        }
    }

    /// Another place of the same arena.
    #[must_use]
    pub fn at(&self, slot: &Slot) -> Self {
        Self { graph: Arc::clone(&self.graph), slot: slot.clone() }
    }

    /// The items, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Slot]> {
        match self.node() {
            Some(Node::Array(items)) => Some(items),
            _ => None,
        }
    }

    /// A member of a plain object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Self> {
        match self.node() {
            Some(Node::Object(members)) => {
                members.iter().find(|(name, _)| *name == key).map(|(_, slot)| self.at(slot))
            }
            _ => None,
        }
    }

    /// The text, if this is a string without lone surrogates.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.slot {
            Slot::String(text) => text.as_str(),
            _ => None,
        }
    }

    /// What kind of value this is, in JavaScript's words, for messages: `a string`, `an array`, `undefined`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.slot {
            Slot::Undefined => "undefined",
            Slot::Null => "null",
            Slot::Bool(_) => "a boolean",
            Slot::Number(_) => "a number",
            Slot::String(_) => "a string",
            Slot::BigInt(_) => "a big integer",
            Slot::Date(_) => "a date",
            Slot::Symbol(_) => "a symbol",
            Slot::Node(id) => match self.graph.node(*id) {
                Node::Array(_) => "an array",
                Node::Object(_) => "an object",
                Node::Map(_) => "a map",
                Node::Set(_) => "a set",
                Node::Iterator(_) => "an iterator",
                Node::Bytes(_) => "binary data",
                Node::Blob(Blob { name: Some(_), .. }) => "a file",
                Node::Blob(_) => "a blob",
                Node::FormData(_) => "form data",
                Node::Promise(_) => "a promise",
                Node::Stream(stream) => stream.kind.name(),
                Node::ServerReference { .. } => "a server reference",
                Node::Temporary { .. } => "a temporary reference",
                Node::Element { .. } => "an element",
                Node::Lazy(_) => "a lazy value",
                Node::ClientReference { .. } => "a client reference",
                Node::Error => "an error",
            },
        }
    }
}

impl From<Slot> for Value {
    /// A value without objects.
    ///
    /// # Panics
    ///
    /// If the slot names an object: only a [`Builder`] knows its arena.
    fn from(slot: Slot) -> Self {
        assert!(!matches!(slot, Slot::Node(_)), "an object needs the arena it lives in");
        Self { graph: Arc::default(), slot }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("slot", &self.slot).field("graph", &self.graph).finish()
    }
}
