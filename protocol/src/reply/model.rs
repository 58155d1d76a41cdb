//! Parsing the parts of a unit: JSON with tagged strings, into objects whose references are still to be followed.

use bytestring::ByteString;

use super::{
    ReplyError, ReplyErrorKind,
    decoder::{Decoder, Model, missing},
    index::{EntryId, Raw, State},
    json::{Lexer, Token},
    keys, limits,
};
use crate::{
    js::JsString,
    value::{Node, NodeId, Slot},
};

/// What is open while a value is read.
#[derive(Debug)]
pub(super) enum Frame {
    /// A part, or a row of a stream, which has no entry; with the place in the part that led here.
    Part {
        entry: Option<EntryId>,
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

/// What follows a complete value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another value.
    Value,
    /// The value that this one completed.
    Complete,
    /// Nothing.
    End,
}

impl Decoder {
    /// Parses a part or row, and before it goes on after a reference, the part referred to.
    pub(super) fn parse(&mut self, model: Model) -> Result<(), ReplyError> {
        match model {
            Model::Part(entry) => self.enter(entry)?,
            Model::Row(stream, text) => self.read(None, stream, text)?,
        }
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

    /// Begins a part, to go on after it where this one is.
    pub(super) fn enter(&mut self, entry: EntryId) -> Result<(), ReplyError> {
        let unit = self.unit_number();
        let part = self.index.entry_mut(entry);
        let Some(text) = part.text.take() else { return Err(missing(&"".into()).into()) };
        part.state = State::Parsing;
        part.unit = unit;
        let id = part.id;
        self.read(Some(entry), id, text)
    }

    fn read(&mut self, entry: Option<EntryId>, part: u64, text: ByteString) -> Result<(), ReplyError> {
        self.unit_bytes += text.len();
        self.budget.spend(text.len(), &self.limits)?;
        let outer_part = std::mem::replace(&mut self.part, part);
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
        self.values.push(slot);
        Ok(Next::Complete)
    }

    fn after_value(&mut self) -> Result<Next, ReplyError> {
        match self.stack.last() {
            Some(Frame::Array { .. }) => match self.lexer.peek() {
                Some(b',') => {
                    self.lexer.skip();
                    Ok(Next::Value)
                }
                Some(b']') => {
                    self.lexer.skip();
                    self.close_array()
                }
                _ => Err(self.expected("a comma or ]")),
            },
            Some(Frame::Object { .. }) => match self.lexer.peek() {
                Some(b',') => {
                    self.lexer.skip();
                    self.key()
                }
                Some(b'}') => {
                    self.lexer.skip();
                    self.close_object()
                }
                _ => Err(self.expected("a comma or }")),
            },
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
            let value = self.unplaced(self.values.len()).map_or(Raw::Slot(value), Raw::Pending);
            match entry {
                Some(entry) => self.index.entry_mut(entry).state = State::Parsed(value),
                None => self.row = value,
            }
            self.lexer = outer;
            self.part = outer_part;
        }
        Ok(if self.stack.is_empty() { Next::End } else { Next::Complete })
    }

    /// Takes the reference at this position of `values`, if one stands there; later positions come first.
    fn unplaced(&mut self, position: usize) -> Option<u32> {
        self.unplaced.pop_if(|(at, _)| *at == position).map(|(_, pending)| pending)
    }

    fn open_array(&mut self) -> Result<Next, ReplyError> {
        let node = self.add(Node::Array(Vec::new())).map_err(|kind| self.here(kind))?;
        let context = match self.stack.last() {
            Some(Frame::Array { context, .. }) => *context,
            _ => self.slots.open(node),
        };
        let slots_before = self.slots.count(context);
        self.push(Frame::Array { node, first_value: self.values.len(), context, slots_before })?;
        if self.lexer.take(b']') { self.close_array() } else { Ok(Next::Value) }
    }

    fn close_array(&mut self) -> Result<Next, ReplyError> {
        if let Some(Frame::Array { node, first_value, context, slots_before }) = self.stack.pop() {
            let count = self.values.len() - first_value;
            self.budget.spend(count, &self.limits).map_err(|kind| self.here(kind))?;
            let max = self.limits.array_slots_max;
            let closed = self.slots.close(node, context, count, slots_before, max);
            closed.map_err(|kind| self.here(kind))?;
            while let Some((at, pending)) = self.unplaced.pop_if(|(at, _)| *at >= first_value) {
                self.pending[pending as usize].place = Some((node, place(at - first_value)));
            }
            *self.builder.node_mut(node) = Node::Array(self.values.split_off(first_value));
            self.values.push(Slot::Node(node));
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
            let values = self.values.drain(first_value..).map(Raw::Slot);
            let mut members: Vec<(JsString, Raw)> = self.keys.drain(first_key..).zip(values).collect();
            while let Some((at, pending)) = self.unplaced.pop_if(|(at, _)| *at >= first_value) {
                members[at - first_value].1 = Raw::Pending(pending);
            }
            self.budget.spend(members.len(), &self.limits).map_err(|kind| self.here(kind))?;
            keys::keep_last(&mut members, keys::of_name);
            members.retain(|(key, raw)| *key != "__proto__" && !matches!(raw, Raw::Slot(Slot::Undefined)));
            let members = (0..).zip(members).map(|(at, (key, raw))| match raw {
                Raw::Slot(slot) => (key, slot),
                Raw::Pending(pending) => {
                    self.pending[pending as usize].place = Some((node, at));
                    (key, Slot::Null)
                }
            });
            *self.builder.node_mut(node) = Node::Object(members.collect());
            self.values.push(Slot::Node(node));
        }
        Ok(Next::Complete)
    }

    fn expected(&self, expected: &'static str) -> ReplyError {
        self.here(ReplyErrorKind::Json { expected })
    }
}

/// A position in an array.
fn place(at: usize) -> u32 {
    u32::try_from(at).expect("bodies are limited far below 2^32 bytes")
}
