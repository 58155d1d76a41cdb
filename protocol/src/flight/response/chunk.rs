//! What a row gives, before anything refers to it.

use bytes::Bytes;

use super::{
    ChunkId, ParseError, Reader, Rejection,
    model::{Broken, Root},
    text_of,
};
use crate::value::{ArrayKind, Node, Slot, TypedArray};

/// A row that gives a value.
pub(super) enum Source {
    Model(Bytes),
    Text(Bytes),
    Binary(ArrayKind, Bytes),
    Module(Bytes),
    Stream,
    Rejected(Rejection),
}

impl Reader<'_> {
    /// Reads a row that was referred to, once.
    pub(super) fn read_chunk(&mut self, id: ChunkId) -> Result<(), ParseError> {
        if self.roots.contains_key(&id) || self.rejected.contains_key(&id) {
            return Ok(());
        }
        let root = match self.sources.remove(&id) {
            Some(Source::Model(json)) => {
                // Until it is read; a reference may want to fill it meanwhile.
                self.roots.insert(id, Slot::Null);
                match self.model(text_of(json), id, Root::Value) {
                    Ok(slot) => slot,
                    Err(Broken::Json) => {
                        self.reject(id, None);
                        return Ok(());
                    }
                    Err(Broken::Limit(error)) => return Err(error),
                }
            }
            Some(Source::Text(text)) => Slot::String(text_of(text).into()),
            Some(Source::Binary(kind, bytes)) => {
                // The client's constructors round a length that is no multiple of the element down.
                let whole = bytes.len() - bytes.len() % kind.element_bytes();
                let array = TypedArray { kind, bytes: bytes.slice(..whole) };
                Slot::Node(self.builder.add(Node::Bytes(array)))
            }
            Some(Source::Module(json)) => match self.model(text_of(json), id, Root::Described) {
                Ok(description) => {
                    // Its names follow when what describes it is linked.
                    let unnamed = Node::ClientReference { module: "".into(), name: "".into() };
                    let module = self.builder.add(unnamed);
                    self.modules.push((module, description));
                    Slot::Node(module)
                }
                Err(Broken::Json) => {
                    self.reject(id, None);
                    return Ok(());
                }
                Err(Broken::Limit(error)) => return Err(error),
            },
            Some(Source::Stream) => Slot::Node(self.read_stream(id)),
            Some(Source::Rejected(digest)) => {
                self.reject(id, digest);
                return Ok(());
            }
            None => {
                self.reject(id, None);
                return Ok(());
            }
        };
        self.roots.insert(id, root);
        Ok(())
    }

    /// The digest of an error row, or nothing if the row is broken and the client with it.
    pub(super) fn digest(&mut self, json: Bytes) -> Result<Option<Rejection>, ParseError> {
        let slot = match self.model(text_of(json), 0, Root::Plain) {
            Ok(slot) => slot,
            Err(Broken::Json) => return Ok(None),
            Err(Broken::Limit(error)) => return Err(error),
        };
        let Slot::Node(node) = slot else {
            return Ok((!matches!(slot, Slot::Null)).then_some(None));
        };
        let Node::Object(members) = self.builder.node(node) else { return Ok(Some(None)) };
        Ok(Some(members.iter().find_map(|(key, slot)| match slot {
            Slot::String(text) if *key == "digest" => Some(text.to_text_lossy().into_owned()),
            _ => None,
        })))
    }
}
