//! Reads a whole response as the clients do, into the value that they would see.
//!
//! As if all rows had arrived before anything is looked at. What depends on the order of arrival in the reference
//! comes out as in its best case: a row of text or bytes may stand after a row that refers to it, and an element
//! whose references all arrive is no lazy value.

mod chunk;
mod link;
mod model;
mod settle;
mod stream;

use std::collections::{HashMap, hash_map::Entry};

use bytes::Bytes;

use self::{
    chunk::Source,
    stream::{Reading, StreamRows},
};
use super::{
    RowError,
    parser::{Parser, RowKind},
};
use crate::{
    Value,
    js::JsString,
    value::{ArrayKind, Builder, Node, NodeId, Promise, Slot},
};

/// How much of a response is read.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one row. Default 64 MiB: more than any answer that a node gives without a stream.
    pub row_bytes_max: usize,
    /// Levels of nesting in one row. Default 4096: about where the reference's stack ends.
    pub levels_max: usize,
    /// Rows, objects, references and slots together, and each 64 bytes in blobs. Default 8 million.
    pub objects_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { row_bytes_max: 64 << 20, levels_max: 4096, objects_max: 8_000_000 }
    }
}

/// Why a response cannot be read. What a client would see as a rejected promise is not an error here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The bytes are not rows.
    #[error(transparent)]
    Row(#[from] RowError),
    /// More levels of nesting than the limit.
    #[error("more than {levels_max} levels of nesting")]
    TooDeep {
        /// The limit.
        levels_max: usize,
    },
    /// More objects than the limit.
    #[error("more than {objects_max} objects")]
    TooLarge {
        /// The limit.
        objects_max: usize,
    },
    /// Arguments bound to a server reference are rejected or no array: the client would fail when it calls it.
    #[error("the arguments bound to a server reference are not there")]
    Bound,
    /// The root is not what answers to actions have.
    #[error("the root has no member `a`")]
    NotAnAction,
}

/// What is thrown in the client's face.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thrown {
    /// All that the client learns about it; nothing if the response itself is broken.
    pub digest: Option<String>,
}

/// A response, read to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// What awaiting the response gives.
    pub root: Result<Value, Thrown>,
}

/// The answer to an action, read to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionResponse {
    /// The build that answered.
    pub build: Option<String>,
    /// What the action gave back.
    pub result: Result<Value, Thrown>,
}

/// Reads a whole response.
///
/// # Errors
///
/// [`ParseError`] if it is not rows, or beyond a limit.
pub fn parse(body: &[u8], limits: &Limits) -> Result<Response, ParseError> {
    let mut reader = Reader::new(limits);
    reader.collect(body)?;
    let root = reader.read()?;
    Ok(Response { root: root.map(|slot| reader.builder.finish(slot)) })
}

/// Reads a whole answer to an action.
///
/// # Errors
///
/// As [`parse`], and if the root is not that of an action's answer.
pub fn parse_action(body: &[u8]) -> Result<ActionResponse, ParseError> {
    let root = match parse(body, &Limits::default())?.root {
        Ok(root) => root,
        Err(thrown) => return Ok(ActionResponse { build: None, result: Err(thrown) }),
    };
    let answer = root.get("a").ok_or(ParseError::NotAnAction)?;
    let result = match answer.node() {
        Some(Node::Promise(Promise::Fulfilled(slot))) => Ok(root.at(slot)),
        Some(Node::Promise(Promise::Rejected { digest })) => Err(Thrown { digest: digest.clone() }),
        _ => Ok(answer),
    };
    let build = root.get("b").and_then(|build| build.as_str().map(ToOwned::to_owned));
    Ok(ActionResponse { build, result })
}

/// A row, or above those an item of a stream.
type ChunkId = u64;

/// Why a row gives no value.
type Rejection = Option<String>;

/// A response while it is read.
struct Reader<'l> {
    limits: &'l Limits,
    objects: usize,
    sources: HashMap<ChunkId, Source>,
    streams: HashMap<ChunkId, StreamRows>,
    /// How many items of streams there are.
    items: u64,
    builder: Builder,
    /// The values of the rows that were read.
    roots: HashMap<ChunkId, Slot>,
    rejected: HashMap<ChunkId, Rejection>,
    references: Vec<link::Reference>,
    /// The places that references still have to fill.
    unlinked: HashMap<link::Place, usize>,
    /// Which references fail when this row does.
    dependants: HashMap<ChunkId, Vec<usize>>,
    /// Rows that were referred to, to be read.
    wanted: Vec<ChunkId>,
    /// Streams that were referred to, to be filled.
    opened: Vec<(NodeId, StreamRows)>,
    /// Elements that could not be made.
    broken_elements: HashMap<NodeId, Rejection>,
    promises: HashMap<ChunkId, NodeId>,
    lazies: HashMap<NodeId, ChunkId>,
    temporaries: HashMap<JsString, NodeId>,
    /// Client references, with the array that describes them and the row it stands in.
    modules: Vec<(NodeId, Slot)>,
    /// Server references, with where their bound arguments stand.
    bound: Vec<(NodeId, Slot)>,
    /// Objects with a member that turned out to be undefined.
    with_undefined: Vec<NodeId>,
    /// Members by name, of the larger objects that paths go through.
    members: HashMap<NodeId, HashMap<JsString, usize>>,
}

impl<'l> Reader<'l> {
    fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            objects: 0,
            sources: HashMap::new(),
            streams: HashMap::new(),
            items: 0,
            builder: Builder::new(),
            roots: HashMap::new(),
            rejected: HashMap::new(),
            references: Vec::new(),
            unlinked: HashMap::new(),
            dependants: HashMap::new(),
            wanted: Vec::new(),
            opened: Vec::new(),
            broken_elements: HashMap::new(),
            promises: HashMap::new(),
            lazies: HashMap::new(),
            temporaries: HashMap::new(),
            modules: Vec::new(),
            bound: Vec::new(),
            with_undefined: Vec::new(),
            members: HashMap::new(),
        }
    }

    /// Cuts the body into rows and keeps those that give values, up to one at which the client gives up.
    fn collect(&mut self, body: &[u8]) -> Result<(), ParseError> {
        let mut parser = Parser::new(self.limits.row_bytes_max);
        parser.push(body);
        while let Some(row) = parser.next_row()? {
            self.charge(1)?;
            let id = ChunkId::from(row.id);
            if self.streams.contains_key(&id) {
                match self.stream_row(id, row)? {
                    Reading::On => continue,
                    Reading::Ends => break,
                }
            }
            let source = match row.kind {
                RowKind::Model => Source::Model(row.body),
                RowKind::Text => Source::Text(row.body),
                RowKind::Binary(kind) => Source::Binary(kind, row.body),
                RowKind::Piece => Source::Binary(ArrayKind::Uint8, row.body),
                RowKind::Module => Source::Module(row.body),
                RowKind::Error => match self.digest(row.body)? {
                    Some(digest) => Source::Rejected(digest),
                    None => break,
                },
                RowKind::Open(kind) => {
                    self.open_stream(id, kind);
                    continue;
                }
                RowKind::Hint | RowKind::Close => continue,
                RowKind::Debug => break,
            };
            match self.sources.entry(id) {
                Entry::Vacant(entry) => {
                    entry.insert(source);
                }
                Entry::Occupied(_) if row.kind == RowKind::Module => {}
                // A second value for a row is a type error inside the client, which then reads no further.
                Entry::Occupied(_) => break,
            }
        }
        Ok(())
    }

    /// Reads row 0 and all it refers to.
    fn read(&mut self) -> Result<Result<Slot, Thrown>, ParseError> {
        self.wanted.push(0);
        while let Some(id) = self.wanted.pop() {
            self.read_chunk(id)?;
        }
        self.link_all()?;
        self.settle()?;
        Ok(self.awaited())
    }

    /// What `await` makes of row 0.
    fn awaited(&self) -> Result<Slot, Thrown> {
        if let Some(digest) = self.rejected.get(&0) {
            return Err(Thrown { digest: digest.clone() });
        }
        let root = &self.roots[&0];
        match root {
            Slot::Node(node) => match self.builder.node(*node) {
                Node::Promise(Promise::Fulfilled(slot)) => Ok(slot.clone()),
                Node::Promise(Promise::Rejected { digest }) => Err(Thrown { digest: digest.clone() }),
                _ => Ok(root.clone()),
            },
            _ => Ok(root.clone()),
        }
    }

    fn charge(&mut self, objects: usize) -> Result<(), ParseError> {
        self.objects += objects;
        if self.objects > self.limits.objects_max {
            return Err(ParseError::TooLarge { objects_max: self.limits.objects_max });
        }
        Ok(())
    }

    fn reject(&mut self, id: ChunkId, digest: Rejection) {
        self.rejected.entry(id).or_insert(digest);
    }
}

/// Text of a row, as the clients decode it: what is not UTF-8 becomes U+FFFD, a byte order mark in front is lost.
fn text_of(body: Bytes) -> bytestring::ByteString {
    let body = match body.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => body.slice_ref(rest),
        None => body,
    };
    match bytestring::ByteString::try_from(body.clone()) {
        Ok(text) => text,
        Err(_) => String::from_utf8_lossy(&body).into_owned().into(),
    }
}
