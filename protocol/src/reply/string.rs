//! Strings of a model, and the values that tagged ones stand for.

use std::borrow::Cow;

use super::{
    Excerpt, Position, ReplyError, ReplyErrorKind,
    decoder::{Decoder, missing},
    index::{EntryId, State, blob},
    limits,
    model::{Frame, Next},
    resolve::Pending,
    tag::{Made, Reference, Tag, classify},
};
use crate::{
    js::{BigInt, Date, JsString},
    multipart::Content,
    value::{ArrayKind, BlobContent, Node, NodeId, Slot, TypedArray},
};

impl Decoder {
    /// A string is itself, or a tag and what the tag is about.
    pub(super) fn string(&mut self, string: JsString, copied: bool) -> Result<Next, ReplyError> {
        self.charge_copy(&string, copied)?;
        let slot = match classify(string, self.limits.old_clients) {
            Tag::Scalar(slot) => slot,
            Tag::Date(text) => Slot::Date(text.as_str().map_or(Date::from_millis(f64::NAN), Date::parse)),
            Tag::BigInt(text) => self.big_int(&text).map_err(|kind| self.here(kind))?,
            Tag::Temporary => self.temporary().map_err(|kind| self.here(kind))?,
            Tag::Reference(made, reference) => return self.reference(made, reference),
        };
        self.charge_slots(&slot)?;
        self.values.push(slot);
        Ok(Next::Complete)
    }

    fn big_int(&mut self, text: &JsString) -> Result<Slot, ReplyErrorKind> {
        let max = self.limits.bigint_chars_max;
        limits::check("bigint_chars_max", text.len_units(), max)?;
        let number = text.as_str().and_then(|text| BigInt::parse(text).ok());
        number.map(Slot::BigInt).ok_or_else(|| ReplyErrorKind::BigInt { text: Excerpt::new(text) })
    }

    fn reference(&mut self, made: Made, reference: Reference) -> Result<Next, ReplyError> {
        self.budget.references(1, &self.limits).map_err(|kind| self.here(kind))?;
        let Some(id) = reference.id else { return Err(self.here(missing(&reference.text))) };
        if let Made::Stream(kind) = made {
            // Its rows have names of their own: there need not be a part with this id.
            let node = self.stream(kind, id).map_err(|kind| self.here(kind))?;
            self.values.push(Slot::Node(node));
            return Ok(Next::Complete);
        }
        if made == Made::FormData {
            // So have its entries.
            let node = self.form_data(id).map_err(|kind| self.here(kind))?;
            self.values.push(Slot::Node(node));
            return Ok(Next::Complete);
        }
        let entry = self.index.entry_or_insert(id);
        let node = match made {
            Made::Promise => self.promise(entry),
            Made::Blob => self.blob(entry),
            Made::Bytes(kind) => self.bytes(entry, kind, &reference),
            Made::Map => self.add(Node::Map(Vec::new())),
            Made::Set => self.add(Node::Set(Vec::new())),
            Made::Iterator => self.add(Node::Iterator(Vec::new())),
            Made::Plain | Made::ServerReference | Made::Stream(_) | Made::FormData => {
                let context = self.context();
                let pending = self.defer(made, None, entry, reference, context);
                self.unplaced.push((self.values.len(), pending));
                self.values.push(Slot::Null);
                return self.enter_if_new(entry);
            }
        };
        let node = node.map_err(|kind| self.here(kind))?;
        self.charge_slots(&Slot::Node(node))?;
        self.values.push(Slot::Node(node));
        if matches!(made, Made::Map | Made::Set | Made::Iterator) {
            self.defer(made, Some(node), entry, reference, None);
            return self.enter_if_new(entry);
        }
        Ok(Next::Complete)
    }

    fn defer(
        &mut self,
        made: Made,
        node: Option<NodeId>,
        target: EntryId,
        reference: Reference,
        context: Option<u32>,
    ) -> u32 {
        let at = Position { part: self.part, offset_bytes: self.lexer.offset() };
        self.pending.push(Pending::new(made, node, target, reference, context, at));
        u32::try_from(self.pending.len() - 1).expect("references are limited far below 2^32")
    }

    /// Goes on in the part referred to if nothing read it before.
    fn enter_if_new(&mut self, entry: EntryId) -> Result<Next, ReplyError> {
        let part = self.index.entry(entry);
        match &part.state {
            State::Unparsed if part.text.is_some() => {
                self.enter(entry)?;
                Ok(Next::Value)
            }
            State::Unparsed => {
                let id = format!("{:x}", part.id);
                Err(self.here(missing(&id.into())))
            }
            State::Parsing | State::Parsed(_) => match &self.units[part.unit as usize].failed {
                Some(failure) => Err((**failure).clone()),
                None => Ok(Next::Complete),
            },
        }
    }

    fn form_data(&mut self, id: u64) -> Result<NodeId, ReplyErrorKind> {
        let mut entries = Vec::new();
        while let Some((name, content)) = self.index.take_form_entry(id) {
            self.budget.spend(1, &self.limits)?;
            let slot = match content {
                Content::Text(text) => Slot::String(text.into()),
                file @ Content::File { .. } => match blob(file) {
                    Some(file) => Slot::Node(self.add(Node::Blob(file))?),
                    None => Slot::Undefined,
                },
            };
            entries.push((name, slot));
        }
        self.add(Node::FormData(entries))
    }

    fn blob(&mut self, entry: EntryId) -> Result<NodeId, ReplyErrorKind> {
        if let Some(node) = self.index.entry(entry).blob {
            return Ok(node);
        }
        let file = self.index.entry(entry).file().ok_or(ReplyErrorKind::Initializer { what: "a file" })?;
        let node = self.add(Node::Blob(file))?;
        self.index.entry_mut(entry).blob = Some(node);
        Ok(node)
    }

    fn bytes(&mut self, entry: EntryId, kind: ArrayKind, by: &Reference) -> Result<NodeId, ReplyErrorKind> {
        let part = self.index.entry_mut(entry);
        let content = part.file_content().ok_or_else(|| missing(&by.text))?;
        if std::mem::replace(&mut part.taken, true) {
            return Err(ReplyErrorKind::UsedTwice { what: kind.js_name() });
        }
        if let BlobContent::Spilled(spilled) = &content {
            let bytes = usize::try_from(spilled.len()).unwrap_or(usize::MAX);
            self.budget.copy(bytes, &self.limits)?;
        }
        let bytes = content.bytes().map_err(|_| ReplyErrorKind::Storage)?;
        if bytes.len() % kind.element_bytes() != 0 {
            let (kind, element_bytes) = (kind.js_name(), kind.element_bytes());
            return Err(ReplyErrorKind::TypedArray { kind, element_bytes });
        }
        self.unit_bytes += bytes.len();
        self.add(Node::Bytes(TypedArray { kind, bytes }))
    }

    /// A value that stays with the client. Its name is its place: the part, then the keys that lead to it.
    fn temporary(&mut self) -> Result<Slot, ReplyErrorKind> {
        if !self.limits.temporary_references {
            return Err(ReplyErrorKind::Temporary);
        }
        let mut segments = Vec::new();
        let (mut value_end, mut key_end) = (self.values.len(), self.keys.len());
        for frame in self.stack.iter().rev() {
            match frame {
                Frame::Part { entry: Some(_), .. } => break,
                // Nothing names what stands in a row.
                Frame::Part { entry: None, .. } => return Err(ReplyErrorKind::Temporary),
                Frame::Array { first_value, .. } => {
                    segments.push(Cow::Owned((value_end - first_value).to_string()));
                    value_end = *first_value;
                }
                Frame::Object { first_value, first_key, .. } => {
                    let key = self.keys[key_end - 1].as_str().filter(|key| !key.contains(':'));
                    let key = key.ok_or(ReplyErrorKind::Temporary)?;
                    self.budget.copy(key.len(), &self.limits)?;
                    segments.push(Cow::Borrowed(key));
                    (value_end, key_end) = (*first_value, *first_key);
                }
            }
        }
        self.budget.copy(segments.len(), &self.limits)?;
        segments.push(Cow::Owned(format!("{:x}", self.part)));
        segments.reverse();
        let path = segments.join(":").into();
        Ok(Slot::Node(self.add(Node::Temporary { path })?))
    }

    fn context(&self) -> Option<u32> {
        match self.stack.last() {
            Some(Frame::Array { context, .. }) => Some(*context),
            _ => None,
        }
    }

    pub(super) fn charge_copy(&mut self, string: &JsString, copied: bool) -> Result<(), ReplyError> {
        if copied {
            let charged = self.budget.copy(string.size_bytes(), &self.limits);
            return charged.map_err(|kind| self.here(kind));
        }
        Ok(())
    }

    /// Counts what a value takes of its array's context beyond its slot.
    fn charge_slots(&mut self, slot: &Slot) -> Result<(), ReplyError> {
        let Some(context) = self.context() else { return Ok(()) };
        let size = match slot {
            Slot::String(text) => text.len_units(),
            Slot::BigInt(number) => number.as_str().len(),
            Slot::Node(id) => match self.builder.node(*id) {
                Node::Bytes(array) => array.bytes.len(),
                _ => 0,
            },
            _ => 0,
        };
        let added = self.slots.add(context, size as u64, self.limits.array_slots_max);
        added.map_err(|kind| self.here(kind))
    }
}
