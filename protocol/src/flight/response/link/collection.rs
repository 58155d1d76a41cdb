//! What is made of an array or object of its own row: maps, sets, iterators, forms, blobs, server references.

use std::collections::HashMap;

use super::{Kind, Place, Reader, Stop};
use crate::{
    js::{BigInt, JsString},
    value::{Blob, Node, NodeId, Slot},
};

impl Reader<'_> {
    /// A server reference, described by an object.
    pub(super) fn server_reference(&mut self, index: usize, found: &Slot) -> Result<Slot, Stop> {
        let Slot::Node(described) = *found else {
            return match found {
                Slot::Undefined | Slot::Null => Err(Stop::Fails(None)),
                _ => Ok(Slot::Null),
            };
        };
        let Slot::String(id) = self.member_slot(described, "id")? else { return Ok(Slot::Null) };
        let bound = self.member_slot(described, "bound")?;
        if self.references[index].under_then {
            return Ok(Slot::Null);
        }
        self.charge(1).map_err(Stop::Limit)?;
        let node = self.builder.add(Node::ServerReference { id, bound: None });
        if !matches!(bound, Slot::Undefined | Slot::Null) {
            self.bound.push((node, bound));
        }
        Ok(Slot::Node(node))
    }

    fn member_slot(&mut self, node: NodeId, key: &str) -> Result<Slot, Stop> {
        match self.member(node, &key.into()) {
            Some(position) => self.linked(Place::In(node, position)),
            None => Ok(Slot::Undefined),
        }
    }

    /// What is made of an array, as soon as its entries are complete.
    pub(super) fn collection(&mut self, index: usize, found: &Slot) -> Result<Slot, Stop> {
        let kind = self.references[index].kind;
        let array = match found {
            Slot::Node(node) if matches!(self.builder.node(*node), Node::Array(_)) => *node,
            Slot::Null | Slot::Undefined if matches!(kind, Kind::Map | Kind::Set) => {
                let empty = if kind == Kind::Map { Node::Map(Vec::new()) } else { Node::Set(Vec::new()) };
                return Ok(Slot::Node(self.builder.add(empty)));
            }
            _ => return Err(Stop::Fails(None)),
        };
        let length = self.length(array);
        while self.references[index].entries < length {
            let entry = self.linked(Place::In(array, self.references[index].entries))?;
            if matches!(kind, Kind::Map | Kind::FormData) {
                let pair = self.pair(&entry)?;
                self.linked(Place::In(pair, 0))?;
                self.linked(Place::In(pair, 1))?;
            }
            self.references[index].entries += 1;
        }
        self.charge(length + 1).map_err(Stop::Limit)?;
        let node = match kind {
            Kind::Map => self.map(array)?,
            Kind::Set => Node::Set(self.set(array)?),
            Kind::Iterator => Node::Iterator(self.items(array)?),
            Kind::FormData => self.form_data(array)?,
            _ => self.blob(array)?,
        };
        Ok(Slot::Node(self.builder.add(node)))
    }

    fn length(&self, array: NodeId) -> usize {
        match self.builder.node(array) {
            Node::Array(items) => items.len(),
            _ => 0,
        }
    }

    fn items(&self, array: NodeId) -> Result<Vec<Slot>, Stop> {
        (0..self.length(array)).map(|position| self.linked(Place::In(array, position))).collect()
    }

    /// An entry, which must be an array.
    fn pair(&self, entry: &Slot) -> Result<NodeId, Stop> {
        match entry {
            Slot::Node(node) if matches!(self.builder.node(*node), Node::Array(_)) => Ok(*node),
            _ => Err(Stop::Fails(None)),
        }
    }

    fn pairs(&self, array: NodeId) -> Result<Vec<(Slot, Slot)>, Stop> {
        let entries = self.items(array)?;
        entries
            .iter()
            .map(|entry| {
                let pair = self.pair(entry)?;
                Ok((self.linked(Place::In(pair, 0))?, self.linked(Place::In(pair, 1))?))
            })
            .collect()
    }

    /// A map: of entries with the same key, the last value stands in the first place.
    fn map(&self, array: NodeId) -> Result<Node, Stop> {
        let mut entries: Vec<(Slot, Slot)> = Vec::new();
        let mut known = HashMap::new();
        for (key, value) in self.pairs(array)? {
            let place = Same::of(&key).map(|same| *known.entry(same).or_insert(entries.len()));
            match place.and_then(|place| entries.get_mut(place)) {
                Some((_, earlier)) => *earlier = value,
                None => entries.push((positive_zero(key), value)),
            }
        }
        Ok(Node::Map(entries))
    }

    fn set(&self, array: NodeId) -> Result<Vec<Slot>, Stop> {
        let mut known = std::collections::HashSet::new();
        let mut items = self.items(array)?;
        items.retain(|item| Same::of(item).is_none_or(|same| known.insert(same)));
        Ok(items.into_iter().map(positive_zero).collect())
    }

    /// A form; a blob in it becomes a file, which browsers call `blob` when they are told no name.
    fn form_data(&mut self, array: NodeId) -> Result<Node, Stop> {
        let mut entries = Vec::new();
        for (name, value) in self.pairs(array)? {
            let Slot::String(name) = name else { return Err(Stop::Fails(None)) };
            let value = match value {
                Slot::String(text) => Slot::String(well_formed(&text)),
                Slot::Node(node) => match self.builder.node(node) {
                    Node::Blob(blob) => {
                        let name = blob.name.clone().or_else(|| Some("blob".into()));
                        let file = Node::Blob(Blob { name, ..blob.clone() });
                        Slot::Node(self.builder.add(file))
                    }
                    _ => return Err(Stop::Fails(None)),
                },
                _ => return Err(Stop::Fails(None)),
            };
            entries.push((well_formed(&name), value));
        }
        Ok(Node::FormData(entries))
    }

    /// A blob: its type, and then its content in pieces.
    fn blob(&mut self, array: NodeId) -> Result<Node, Stop> {
        let items = self.items(array)?;
        let Some((Slot::String(media_type), pieces)) = items.split_first() else {
            return Err(Stop::Fails(None));
        };
        let media_type = match media_type.as_str() {
            Some(text) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        let mut content = Vec::new();
        for piece in pieces {
            let bytes = match piece {
                Slot::String(text) => text.to_text_lossy().into_owned().into(),
                Slot::Node(node) => match self.builder.node(*node) {
                    Node::Bytes(array) => array.bytes.clone(),
                    Node::Blob(blob) => blob.content.bytes().map_err(|_| Stop::Fails(None))?,
                    _ => return Err(Stop::Fails(None)),
                },
                _ => return Err(Stop::Fails(None)),
            };
            // A few bytes of text can name many of a blob, again and again.
            self.charge(bytes.len() / BLOB_BYTES_PER_OBJECT).map_err(Stop::Limit)?;
            content.extend_from_slice(&bytes);
        }
        Ok(Node::Blob(Blob { name: None, media_type: media_type.into(), content: content.into() }))
    }
}

/// How many copied bytes count as one object.
const BLOB_BYTES_PER_OBJECT: usize = 64;

/// Text as forms hold it: a lone surrogate becomes U+FFFD.
fn well_formed(text: &JsString) -> JsString {
    if text.as_str().is_some() { text.clone() } else { text.to_text_lossy().into_owned().into() }
}

/// Maps and sets do not know `-0`.
fn positive_zero(slot: Slot) -> Slot {
    match slot {
        Slot::Number(number) => Slot::Number(number + 0.0),
        other => other,
    }
}

/// What maps and sets hold for the same key (`SameValueZero`).
#[derive(PartialEq, Eq, Hash)]
enum Same {
    Undefined,
    Null,
    Bool(bool),
    Number(u64),
    String(JsString),
    BigInt(BigInt),
    Symbol(JsString),
    Node(NodeId),
}

impl Same {
    /// A date is an object in JavaScript, and every one on the wire is another.
    fn of(slot: &Slot) -> Option<Self> {
        Some(match slot {
            Slot::Undefined => Self::Undefined,
            Slot::Null => Self::Null,
            Slot::Bool(truth) => Self::Bool(*truth),
            Slot::Number(number) if number.is_nan() => Self::Number(f64::NAN.to_bits()),
            Slot::Number(number) => Self::Number((number + 0.0).to_bits()),
            Slot::String(text) => Self::String(text.clone()),
            Slot::BigInt(integer) => Self::BigInt(integer.clone()),
            Slot::Symbol(key) => Self::Symbol(key.clone()),
            Slot::Node(node) => Self::Node(*node),
            Slot::Date(_) => return None,
        })
    }
}
