//! Parsing the parts of a unit: JSON with tagged strings, into objects whose references are still to be followed.

use std::{borrow::Cow, collections::HashMap};

use super::{
    Excerpt, Position, ReplyError, ReplyErrorKind,
    decoder::{Decoder, missing},
    index::{EntryId, Raw, State, blob},
    json::{Lexer, Token},
    limits,
    resolve::Pending,
    tag::{Made, Reference, Tag, classify},
};
use crate::{
    js::{BigInt, Date, JsString},
    multipart::Content,
    value::{ArrayKind, Node, NodeId, Slot, TypedArray},
};

/// What is open while a value is read.
#[derive(Debug)]
pub(super) enum Frame {
    /// A part; with the place in the part that led here.
    Part {
        entry: EntryId,
        outer: Lexer,
        outer_part: u64,
    },
    Array {
        node: NodeId,
        first_value: usize,
        context: u32,
        slots_before: u64,
    },
    Object {
        node: NodeId,
        first_value: usize,
        first_key: usize,
    },
}

/// React's account of array slots: contexts, of which every array belongs to one.
#[derive(Debug, Default)]
pub(super) struct Slots {
    contexts: Vec<Context>,
    /// What each array took by itself, and whether its context had forked, by node id.
    sizes: Vec<(u64, bool)>,
}

#[derive(Debug, Default)]
struct Context {
    count: u64,
    /// Whether any array of this context has more than one item.
    fork: bool,
}

/// What follows a complete value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Another value.
    Value,
    /// The value that this one completed.
    Complete,
    /// Nothing.
    End,
}

/// Objects with more members than this are looked up in tables.
pub(super) const NARROW: usize = 16;

impl Slots {
    /// Adds to a context.
    pub(super) fn add(&mut self, context: u32, count: u64, max: u64) -> Result<(), ReplyErrorKind> {
        let context = &mut self.contexts[context as usize];
        context.count = context.count.saturating_add(count);
        if context.fork && context.count > max {
            return Err(ReplyErrorKind::Limit { setting: "array_slots_max", max });
        }
        Ok(())
    }

    /// Adds what another array took when it was parsed.
    pub(super) fn add_array(&mut self, context: u32, array: NodeId, max: u64) -> Result<(), ReplyErrorKind> {
        let (count, fork) = self.sizes.get(array.index()).copied().unwrap_or_default();
        self.contexts[context as usize].fork |= fork;
        self.add(context, count, max)
    }

    fn open(&mut self) -> u32 {
        self.contexts.push(Context::default());
        u32::try_from(self.contexts.len() - 1).expect("objects are limited far below 2^32")
    }

    fn close(&mut self, array: NodeId, context: u32, items: usize, before: u64) -> u64 {
        let own = items as u64 + 1;
        let context = &mut self.contexts[context as usize];
        context.fork |= items > 1;
        if self.sizes.len() <= array.index() {
            self.sizes.resize(array.index() + 1, (0, false));
        }
        self.sizes[array.index()] = (context.count - before + own, context.fork);
        own
    }
}

impl Decoder<'_> {
    /// Parses a part, and before it goes on after a reference, the part referred to.
    pub(super) fn parse(&mut self, entry: EntryId) -> Result<(), ReplyError> {
        self.enter(entry)?;
        loop {
            let mut next = self.value()?;
            while next == Next::Complete {
                next = self.after_value()?;
            }
            if next == Next::End {
                return Ok(());
            }
        }
    }

    fn enter(&mut self, entry: EntryId) -> Result<(), ReplyError> {
        let unit = self.unit_number();
        let part = self.index.entry_mut(entry);
        let Some(text) = part.text.clone() else { return Err(missing(&"".into()).into()) };
        part.state = State::Parsing;
        part.unit = unit;
        self.budget.work(text.len());
        let outer_part = std::mem::replace(&mut self.part, part.id);
        self.units[unit as usize].push(entry);
        let outer = std::mem::replace(&mut self.lexer, Lexer::new(text));
        self.push(Frame::Part { entry, outer, outer_part })
    }

    fn push(&mut self, frame: Frame) -> Result<(), ReplyError> {
        self.stack.push(frame);
        limits::check("depth_max", self.stack.len(), self.limits.depth_max).map_err(|kind| self.here(kind))
    }

    fn value(&mut self) -> Result<Next, ReplyError> {
        let token = self.lexer.token().map_err(|expected| self.expected(expected))?;
        let slot = match token {
            Token::OpenArray => return self.open_array(),
            Token::OpenObject => return self.open_object(),
            Token::String(string, copied) => return self.string(string, copied),
            Token::Null => Slot::Null,
            Token::Bool(truth) => Slot::Bool(truth),
            Token::Number(number) => Slot::Number(number),
        };
        self.values.push(Raw::Slot(slot));
        Ok(Next::Complete)
    }

    fn after_value(&mut self) -> Result<Next, ReplyError> {
        match self.stack.last() {
            Some(Frame::Array { .. }) => {
                if self.lexer.take(b',') {
                    Ok(Next::Value)
                } else if self.lexer.take(b']') {
                    self.close_array()
                } else {
                    Err(self.expected("a comma or ]"))
                }
            }
            Some(Frame::Object { .. }) => {
                if self.lexer.take(b',') {
                    self.key()
                } else if self.lexer.take(b'}') {
                    self.close_object()
                } else {
                    Err(self.expected("a comma or }"))
                }
            }
            Some(Frame::Part { .. }) => self.close_part(),
            None => Ok(Next::End),
        }
    }

    fn close_part(&mut self) -> Result<Next, ReplyError> {
        if self.lexer.peek().is_some() {
            return Err(self.expected("the end"));
        }
        if let (Some(Frame::Part { entry, outer, outer_part }), Some(value)) =
            (self.stack.pop(), self.values.pop())
        {
            self.index.entry_mut(entry).state = State::Parsed(value);
            self.lexer = outer;
            self.part = outer_part;
        }
        Ok(if self.stack.is_empty() { Next::End } else { Next::Complete })
    }

    fn open_array(&mut self) -> Result<Next, ReplyError> {
        let node = self.add(Node::Array(Vec::new())).map_err(|kind| self.here(kind))?;
        let context = match self.stack.last() {
            Some(Frame::Array { context, .. }) => *context,
            _ => self.slots.open(),
        };
        let slots_before = self.slots.contexts[context as usize].count;
        self.push(Frame::Array { node, first_value: self.values.len(), context, slots_before })?;
        if self.lexer.take(b']') { self.close_array() } else { Ok(Next::Value) }
    }

    fn close_array(&mut self) -> Result<Next, ReplyError> {
        if let Some(Frame::Array { node, first_value, context, slots_before }) = self.stack.pop() {
            let count = self.values.len() - first_value;
            let own = self.slots.close(node, context, count, slots_before);
            self.slots.add(context, own, self.limits.array_slots_max).map_err(|kind| self.here(kind))?;
            let mut items = Vec::with_capacity(count);
            for (at, raw) in (0..).zip(self.values.drain(first_value..)) {
                items.push(match raw {
                    Raw::Slot(slot) => slot,
                    Raw::Pending(pending) => {
                        self.places.insert((node, at), pending);
                        self.pending[pending as usize].place = Some((node, at));
                        Slot::Null
                    }
                });
            }
            *self.builder.node_mut(node) = Node::Array(items);
            self.values.push(Raw::Slot(Slot::Node(node)));
        }
        Ok(Next::Complete)
    }

    fn open_object(&mut self) -> Result<Next, ReplyError> {
        let node = self.add(Node::Object(Vec::new())).map_err(|kind| self.here(kind))?;
        let (first_value, first_key) = (self.values.len(), self.keys.len());
        self.push(Frame::Object { node, first_value, first_key })?;
        if self.lexer.take(b'}') { self.close_object() } else { self.key() }
    }

    fn key(&mut self) -> Result<Next, ReplyError> {
        self.lexer.peek();
        let (key, copied) = self.lexer.string().map_err(|expected| self.expected(expected))?;
        self.charge_copy(&key, copied)?;
        self.keys.push(key);
        if self.lexer.take(b':') { Ok(Next::Value) } else { Err(self.expected("a colon")) }
    }

    fn close_object(&mut self) -> Result<Next, ReplyError> {
        if let Some(Frame::Object { node, first_value, first_key }) = self.stack.pop() {
            let mut members: Vec<(JsString, Raw)> = Vec::with_capacity(self.values.len() - first_value);
            members.extend(self.keys.drain(first_key..).zip(self.values.drain(first_value..)));
            self.budget.work(members.len());
            keep_last(&mut members);
            members.retain(|(key, raw)| *key != "__proto__" && !matches!(raw, Raw::Slot(Slot::Undefined)));
            let mut object = Vec::with_capacity(members.len());
            for (at, (key, raw)) in (0..).zip(members) {
                object.push(match raw {
                    Raw::Slot(slot) => (key, slot),
                    Raw::Pending(pending) => {
                        self.places.insert((node, at), pending);
                        self.pending[pending as usize].place = Some((node, at));
                        (key, Slot::Null)
                    }
                });
            }
            *self.builder.node_mut(node) = Node::Object(object);
            self.values.push(Raw::Slot(Slot::Node(node)));
        }
        Ok(Next::Complete)
    }

    fn string(&mut self, string: JsString, copied: bool) -> Result<Next, ReplyError> {
        self.charge_copy(&string, copied)?;
        let slot = match classify(string) {
            Tag::Scalar(slot) => slot,
            Tag::Date(text) => Slot::Date(text.as_str().map_or(Date::from_millis(f64::NAN), Date::parse)),
            Tag::BigInt(text) => self.big_int(&text).map_err(|kind| self.here(kind))?,
            Tag::Temporary => self.temporary().map_err(|kind| self.here(kind))?,
            Tag::Unsupported(what) => return Err(self.here(ReplyErrorKind::Unsupported { what })),
            Tag::Reference(made, reference) => return self.reference(made, reference),
        };
        self.charge_slots(&slot)?;
        self.values.push(Raw::Slot(slot));
        Ok(Next::Complete)
    }

    fn big_int(&mut self, text: &JsString) -> Result<Slot, ReplyErrorKind> {
        let max = self.limits.bigint_chars_max;
        limits::check("bigint_chars_max", text.len_units(), max)?;
        let number = text.as_str().and_then(|text| BigInt::parse(text).ok());
        number.map(Slot::BigInt).ok_or_else(|| ReplyErrorKind::BigInt { text: Excerpt::new(text) })
    }

    fn reference(&mut self, made: Made, reference: Reference) -> Result<Next, ReplyError> {
        self.budget.references(1, self.limits).map_err(|kind| self.here(kind))?;
        let Some(id) = reference.id else { return Err(self.here(missing(&reference.text))) };
        let entry = self.index.entry_or_insert(id);
        let node = match made {
            Made::Promise => self.promise(entry),
            Made::FormData => self.form_data(id),
            Made::Blob => self.blob(entry),
            Made::Bytes(kind) => self.bytes(entry, kind, &reference),
            Made::Map => self.add(Node::Map(Vec::new())),
            Made::Set => self.add(Node::Set(Vec::new())),
            Made::Iterator => self.add(Node::Iterator(Vec::new())),
            Made::Plain | Made::ServerReference => {
                let context = self.context();
                let pending = self.defer(made, None, entry, reference, context);
                self.values.push(Raw::Pending(pending));
                return self.enter_if_new(entry);
            }
        };
        let node = node.map_err(|kind| self.here(kind))?;
        self.charge_slots(&Slot::Node(node))?;
        self.values.push(Raw::Slot(Slot::Node(node)));
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
            State::Failed(error) => Err(error.clone()),
            State::Parsing | State::Parsed(_) => Ok(Next::Complete),
        }
    }

    fn form_data(&mut self, id: u64) -> Result<NodeId, ReplyErrorKind> {
        let taken = self.index.take_form_entries(id);
        self.budget.work(taken.len());
        let mut entries = Vec::with_capacity(taken.len());
        for (name, content) in taken {
            let slot = match content {
                Content::Text(text) => Slot::String(text.clone().into()),
                Content::File { .. } => match blob(content) {
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
        let bytes = part.file().ok_or_else(|| missing(&by.text))?.bytes;
        if std::mem::replace(&mut part.taken, true) {
            return Err(ReplyErrorKind::UsedTwice { what: kind.js_name() });
        }
        if bytes.len() % kind.element_bytes() != 0 {
            let (kind, element_bytes) = (kind.js_name(), kind.element_bytes());
            return Err(ReplyErrorKind::TypedArray { kind, element_bytes });
        }
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
                Frame::Part { .. } => break,
                Frame::Array { first_value, .. } => {
                    segments.push(Cow::Owned((value_end - first_value).to_string()));
                    value_end = *first_value;
                }
                Frame::Object { first_value, first_key, .. } => {
                    let key = self.keys[key_end - 1].as_str().filter(|key| !key.contains(':'));
                    let key = key.ok_or(ReplyErrorKind::Temporary)?;
                    self.budget.copy(key.len(), self.limits)?;
                    segments.push(Cow::Borrowed(key));
                    (value_end, key_end) = (*first_value, *first_key);
                }
            }
        }
        self.budget.copy(segments.len(), self.limits)?;
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

    fn charge_copy(&mut self, string: &JsString, copied: bool) -> Result<(), ReplyError> {
        if copied {
            let charged = self.budget.copy(string.size_bytes(), self.limits);
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

    fn expected(&self, expected: &'static str) -> ReplyError {
        self.here(ReplyErrorKind::Json { expected })
    }
}

/// Where a key was given twice, the last value counts, at the first one's place.
fn keep_last(members: &mut Vec<(JsString, Raw)>) {
    if members.len() <= NARROW {
        let mut at = 1;
        while at < members.len() {
            match members[..at].iter().position(|(key, _)| *key == members[at].0) {
                Some(first) => members[first].1 = members.remove(at).1,
                None => at += 1,
            }
        }
        return;
    }
    let mut first: HashMap<JsString, usize> = HashMap::with_capacity(members.len());
    let mut kept: Vec<(JsString, Raw)> = Vec::with_capacity(members.len());
    for (key, raw) in members.drain(..) {
        match first.get(&key) {
            Some(&at) => kept[at].1 = raw,
            None => {
                first.insert(key.clone(), kept.len());
                kept.push((key, raw));
            }
        }
    }
    *members = kept;
}
