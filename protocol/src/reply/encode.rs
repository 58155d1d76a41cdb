//! What a client's `encodeReply` does: for tests, tools and load.
//!
//! Unlike the decoder it trusts its input, and spends a path on every object, as the client does.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt::Write as _,
};

use crate::{
    Value,
    js::JsString,
    multipart::{Content, Part},
    value::{Blob, Graph, Items, Node, NodeId, Promise, Slot, Stream, StreamEnd, StreamKind},
};

/// A reply as a client sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// One text: nothing in it needed a part of its own.
    Text(String),
    /// The parts of a form, in the order a client sends them.
    Form(Vec<Part>),
}

/// Why a client would refuse to send a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Something that only a response can hold.
    #[error("{what} cannot be sent to a server")]
    NotSendable {
        /// What it was.
        what: &'static str,
    },
    /// A cycle through members whose keys hold a colon: no path leads back into it.
    #[error("a cycle behind a key with a colon cannot be named")]
    Cycle,
}

/// Encodes a value, as arguments are. Shared objects stay shared and cycles closed, except behind keys with a colon.
///
/// # Errors
///
/// [`EncodeError`] if the value holds what clients refuse to send.
pub fn encode(value: &Value) -> Result<Encoded, EncodeError> {
    let mut encoder = Encoder {
        graph: value.graph(),
        known: HashMap::new(),
        unnamed: HashSet::new(),
        text: String::new(),
        stack: Vec::new(),
        parts: Vec::new(),
        deferred: VecDeque::new(),
        next_id: 1,
    };
    encoder.part(0, Model::Slot(value.slot()))?;
    while let Some((id, deferred)) = encoder.deferred.pop_front() {
        match deferred {
            Deferred::Model(model) => encoder.part(id, model)?,
            Deferred::Rows(StreamKind::Bytes, items, end) => encoder.byte_rows(id, items, end)?,
            Deferred::Rows(_, items, end) => encoder.rows(id, items, end)?,
        }
    }
    let form = encoder.next_id > 1;
    let root = |part: &Part| part.as_text().map(ToString::to_string);
    match encoder.parts.first().and_then(root) {
        Some(text) if !form => Ok(Encoded::Text(text)),
        _ => Ok(Encoded::Form(encoder.parts)),
    }
}

/// What a part is the model of.
#[derive(Clone, Copy)]
enum Model<'a> {
    Slot(&'a Slot),
    List(&'a [Slot]),
    Entries(&'a [(Slot, Slot)]),
}

/// What comes later.
#[derive(Clone, Copy)]
enum Deferred<'a> {
    Model(Model<'a>),
    Rows(StreamKind, &'a [Slot], &'a StreamEnd),
}

/// What is being written.
enum Frame<'a> {
    /// A part, or a row, whose name is not the id; the text is that of the part it interrupted.
    Part {
        name: String,
        outer: String,
    },
    List(Open, &'a [Slot]),
    Entries(Open, &'a [(Slot, Slot)]),
    Members(Open, &'a [(JsString, Slot)]),
}

/// An array or object whose first items are written.
struct Open {
    written: usize,
    /// The reference that names it, if one can.
    name: Option<String>,
    /// The object, if no reference names it.
    unnamed: Option<NodeId>,
}

struct Encoder<'a> {
    graph: &'a Graph,
    /// The references of all objects written.
    known: HashMap<NodeId, String>,
    /// Open objects that have none.
    unnamed: HashSet<NodeId>,
    /// The text of the part being written.
    text: String,
    stack: Vec<Frame<'a>>,
    parts: Vec<Part>,
    /// Promised values and streams: a client sends them when they come, after the root.
    deferred: VecDeque<(u64, Deferred<'a>)>,
    next_id: u64,
}

impl<'a> Encoder<'a> {
    fn part(&mut self, id: u64, model: Model<'a>) -> Result<(), EncodeError> {
        self.begin_part(id, model, None)?;
        while let Some(frame) = self.stack.pop() {
            self.go_on(frame)?;
        }
        Ok(())
    }

    /// The rows of a stream. What breaks off has no last row: the end of the body says so.
    fn rows(&mut self, id: u64, items: &'a [Slot], end: &'a StreamEnd) -> Result<(), EncodeError> {
        for item in items {
            self.row(id, "", item)?;
        }
        match end {
            StreamEnd::Closed => self.parts.push(Part::text(format!("S{id}"), "C")),
            StreamEnd::Returned(slot) => self.row(id, "C", slot)?,
            StreamEnd::Errored { .. } => {}
        }
        Ok(())
    }

    /// Nothing names an object within a row: met again it is written again.
    fn row(&mut self, id: u64, tag: &str, slot: &'a Slot) -> Result<(), EncodeError> {
        let outer = std::mem::replace(&mut self.text, tag.to_owned());
        self.stack.push(Frame::Part { name: format!("S{id}"), outer });
        self.slot(slot, None)?;
        while let Some(frame) = self.stack.pop() {
            self.go_on(frame)?;
        }
        Ok(())
    }

    /// A client sends all bytes of a byte stream as one item.
    fn byte_rows(&mut self, id: u64, items: &'a [Slot], end: &'a StreamEnd) -> Result<(), EncodeError> {
        let what = "a byte stream of anything but bytes";
        let mut bytes = Vec::new();
        for item in items {
            let Slot::Node(node) = item else { return Err(EncodeError::NotSendable { what }) };
            let Node::Bytes(array) = self.graph.node(*node) else {
                return Err(EncodeError::NotSendable { what });
            };
            bytes.extend_from_slice(&array.bytes);
        }
        let file = self.next_id;
        self.next_id += 1;
        self.parts.push(Part::file(file.to_string(), "blob", "application/octet-stream", bytes));
        self.parts.push(Part::text(format!("S{id}"), format!("\"$o{file:x}\"")));
        self.rows(id, &[], end)
    }

    fn begin_part(&mut self, id: u64, model: Model<'a>, unnamed: Option<NodeId>) -> Result<(), EncodeError> {
        self.stack.push(Frame::Part { name: id.to_string(), outer: std::mem::take(&mut self.text) });
        let name = Some(format!("${id:x}"));
        let open = |name| Open { written: 0, name, unnamed };
        match model {
            Model::Slot(slot) => return self.slot(slot, name),
            Model::List(items) => self.stack.push(Frame::List(open(name), items)),
            Model::Entries(entries) => self.stack.push(Frame::Entries(open(name), entries)),
        }
        self.text.push('[');
        Ok(())
    }

    /// Writes one more item of what is open, or ends it.
    fn go_on(&mut self, frame: Frame<'a>) -> Result<(), EncodeError> {
        match frame {
            Frame::Part { name, outer } => {
                let text = std::mem::replace(&mut self.text, outer);
                self.parts.push(Part::text(name, text));
                Ok(())
            }
            Frame::List(mut open, items) => {
                let Some(item) = items.get(open.written) else {
                    self.end(']', &open);
                    return Ok(());
                };
                let name = self.begin_item(&mut open, None);
                self.stack.push(Frame::List(open, items));
                self.slot(item, name)
            }
            Frame::Entries(mut open, entries) => {
                let Some((key, value)) = entries.get(open.written / 2) else {
                    self.end(']', &open);
                    return Ok(());
                };
                // Key and value are two items, in an array of two.
                let (second, entry) = (open.written % 2 == 1, open.written / 2);
                self.text.push_str(match (second, entry) {
                    (true, _) => ",",
                    (false, 0) => "[",
                    (false, _) => ",[",
                });
                let name = open.name.as_ref().map(|name| format!("{name}:{entry}:{}", u8::from(second)));
                open.written += 1;
                self.stack.push(Frame::Entries(open, entries));
                if second {
                    self.stack.push(Frame::List(Open { written: 0, name: None, unnamed: None }, &[]));
                }
                self.slot(if second { value } else { key }, name)
            }
            Frame::Members(mut open, members) => {
                let Some((key, value)) = members.get(open.written) else {
                    self.end('}', &open);
                    return Ok(());
                };
                let name = self.begin_item(&mut open, Some(key));
                quote(key, &mut self.text);
                self.text.push(':');
                self.stack.push(Frame::Members(open, members));
                self.slot(value, name)
            }
        }
    }

    fn end(&mut self, bracket: char, open: &Open) {
        self.text.push(bracket);
        if let Some(node) = &open.unnamed {
            self.unnamed.remove(node);
        }
    }

    /// Writes the comma before an item, and gives the reference that names it.
    fn begin_item(&mut self, open: &mut Open, key: Option<&JsString>) -> Option<String> {
        if open.written > 0 {
            self.text.push(',');
        }
        open.written += 1;
        let parent = open.name.as_ref()?;
        match key.map(JsString::to_text_lossy) {
            None => Some(format!("{parent}:{}", open.written - 1)),
            // A path cannot name a key with a colon; one with half a pair is not worth it.
            Some(key) if key.contains([':', '\u{FFFD}']) => None,
            Some(key) => Some(format!("{parent}:{key}")),
        }
    }

    fn slot(&mut self, slot: &'a Slot, name: Option<String>) -> Result<(), EncodeError> {
        match slot {
            Slot::Undefined => self.text.push_str("\"$undefined\""),
            Slot::Null => self.text.push_str("null"),
            Slot::Bool(truth) => self.write(format_args!("{truth}")),
            Slot::Number(number) => self.number(*number),
            Slot::String(string) => {
                let tagged = string.units().next() == Some(u16::from(b'$'));
                let at = self.text.len() + 1;
                quote(string, &mut self.text);
                if tagged {
                    self.text.insert(at, '$');
                }
            }
            Slot::BigInt(number) => self.write(format_args!("\"$n{number}\"")),
            Slot::Date(date) => match date.to_iso() {
                Some(iso) => self.write(format_args!("\"$D{iso}\"")),
                None => self.text.push_str("null"),
            },
            Slot::Symbol(_) => return Err(EncodeError::NotSendable { what: "a symbol" }),
            Slot::Node(id) => return self.node(*id, name),
        }
        Ok(())
    }

    fn number(&mut self, number: f64) {
        if number.is_finite() && !(number == 0.0 && number.is_sign_negative()) {
            self.text.push_str(ryu_js::Buffer::new().format_finite(number));
            return;
        }
        self.text.push_str(if number.is_nan() {
            "\"$NaN\""
        } else if number == 0.0 {
            "\"$-0\""
        } else if number > 0.0 {
            "\"$Infinity\""
        } else {
            "\"$-Infinity\""
        });
    }

    fn write(&mut self, what: std::fmt::Arguments<'_>) {
        self.text.write_fmt(what).expect("a string takes all that is written");
    }

    fn node(&mut self, node: NodeId, name: Option<String>) -> Result<(), EncodeError> {
        if let Some(known) = self.known.get(&node) {
            let known = JsString::from(known.as_str());
            quote(&known, &mut self.text);
            return Ok(());
        }
        match self.graph.node(node) {
            Node::Array(items) => {
                let open = self.open(node, name)?;
                self.text.push('[');
                self.stack.push(Frame::List(open, items));
            }
            Node::Object(members) => {
                let open = self.open(node, name)?;
                self.text.push('{');
                self.stack.push(Frame::Members(open, members));
            }
            Node::Map(entries) => return self.outline('Q', node, name, Model::Entries(entries)),
            Node::Set(items) => return self.outline('W', node, name, Model::List(items)),
            Node::Iterator(items) => return self.outline('i', node, name, Model::List(items)),
            Node::Bytes(array) => {
                let id = self.refer(array.kind.tag(), node, name);
                let part =
                    Part::file(id.to_string(), "blob", "application/octet-stream", array.bytes.clone());
                self.parts.push(part);
            }
            Node::Blob(blob) => {
                let id = self.refer('B', node, name);
                self.parts.push(file(id.to_string(), blob));
            }
            Node::FormData(entries) => {
                let id = self.refer('K', node, name);
                self.form_entries(id, entries)?;
            }
            Node::Promise(promise) => {
                let id = self.refer('@', node, None);
                self.known.insert(node, format!("$@{id:x}"));
                if let Promise::Fulfilled(slot) = promise.now() {
                    self.deferred.push_back((id, Deferred::Model(Model::Slot(slot))));
                }
            }
            Node::ServerReference { id, bound } => self.server_reference(node, id, bound.as_deref()),
            Node::Temporary { .. } => self.text.push_str("\"$T\""),
            Node::Stream(Stream { kind, items: Items::Complete { items, end } }) => {
                let id = self.refer(kind.tag(), node, name);
                self.deferred.push_back((id, Deferred::Rows(*kind, items, end)));
            }
            Node::Stream(_) => return Err(EncodeError::NotSendable { what: "a stream that is still open" }),
            Node::Element { .. } | Node::Lazy(_) | Node::ClientReference { .. } | Node::Error => {
                return Err(EncodeError::NotSendable { what: "what only a response holds" });
            }
        }
        Ok(())
    }

    fn open(&mut self, node: NodeId, name: Option<String>) -> Result<Open, EncodeError> {
        if let Some(name) = &name {
            self.known.insert(node, name.clone());
        } else if !self.unnamed.insert(node) {
            return Err(EncodeError::Cycle);
        }
        let unnamed = name.is_none().then_some(node);
        Ok(Open { written: 0, name, unnamed })
    }

    /// Writes a reference to a part that is still to be made, and gives the part's id.
    fn refer(&mut self, tag: char, node: NodeId, name: Option<String>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.write(format_args!("\"${tag}{id:x}\""));
        if let Some(name) = name {
            self.known.insert(node, name);
        }
        id
    }

    /// Writes a reference to a part, and the part before this one goes on.
    fn outline(
        &mut self,
        tag: char,
        node: NodeId,
        name: Option<String>,
        model: Model<'a>,
    ) -> Result<(), EncodeError> {
        let unnamed = name.is_none().then_some(node);
        if unnamed.is_some_and(|node| !self.unnamed.insert(node)) {
            return Err(EncodeError::Cycle);
        }
        let id = self.refer(tag, node, name);
        self.begin_part(id, model, unnamed)
    }

    fn form_entries(&mut self, id: u64, entries: &[(JsString, Slot)]) -> Result<(), EncodeError> {
        for (name, slot) in entries {
            let name = format!("_{id}_{}", name.to_text_lossy());
            self.parts.push(match slot {
                Slot::String(text) => Part::text(name, text.to_text_lossy().into_owned()),
                Slot::Node(node) => match self.graph.node(*node) {
                    Node::Blob(blob) => file(name, blob),
                    _ => return Err(EncodeError::NotSendable { what: "an object as an entry of form data" }),
                },
                _ => return Err(EncodeError::NotSendable { what: "a scalar as an entry of form data" }),
            });
        }
        Ok(())
    }

    /// The promise of the bound arguments takes its id first.
    fn server_reference(&mut self, node: NodeId, action: &JsString, bound: Option<&'a [Slot]>) {
        let mut description = String::from("{\"id\":");
        quote(action, &mut description);
        description.push_str(",\"bound\":");
        match bound {
            None => description.push_str("null"),
            Some(bound) => {
                let id = self.next_id;
                self.next_id += 1;
                write!(description, "\"$@{id:x}\"").expect("a string takes all that is written");
                self.deferred.push_back((id, Deferred::Model(Model::List(bound))));
            }
        }
        description.push('}');
        let id = self.refer('h', node, None);
        self.known.insert(node, format!("$h{id:x}"));
        self.parts.push(Part::text(id.to_string(), description));
    }
}

fn file(name: String, blob: &Blob) -> Part {
    let file_name = blob.name.as_ref().map_or("blob".into(), JsString::to_text_lossy);
    let (file_name, media_type) = (file_name.as_ref().into(), blob.media_type.clone());
    let content = Content::File { name: file_name, media_type, content: blob.content.clone() };
    Part { name: name.into(), content }
}

/// Writes a JSON string as `JSON.stringify` does.
fn quote(string: &JsString, text: &mut String) {
    text.push('"');
    for char in char::decode_utf16(string.units()) {
        let written = match char {
            Ok('"') => text.write_str("\\\""),
            Ok('\\') => text.write_str("\\\\"),
            Ok('\u{8}') => text.write_str("\\b"),
            Ok('\t') => text.write_str("\\t"),
            Ok('\n') => text.write_str("\\n"),
            Ok('\u{C}') => text.write_str("\\f"),
            Ok('\r') => text.write_str("\\r"),
            Ok(control @ '\0'..' ') => write!(text, "\\u{:04x}", u32::from(control)),
            Ok(char) => text.write_char(char),
            Err(lone) => write!(text, "\\u{:04x}", lone.unpaired_surrogate()),
        };
        written.expect("a string takes all that is written");
    }
    text.push('"');
}
