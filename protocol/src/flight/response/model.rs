//! Reads the JSON of a row into objects, without recursion. References in it are noted, to be linked later.

use std::collections::HashMap;

use bytestring::ByteString;

use super::{
    ChunkId, ParseError, Reader,
    link::{Kind, Place, Reference},
};
use crate::{
    js::{BigInt, Date, JsString},
    reply::json::{Lexer, Token},
    value::{Node, NodeId, Promise, Slot},
};

/// What the JSON is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// A row's value.
    Value,
    /// The description of a client module: an array.
    Described,
    /// JSON in which strings are only strings.
    Plain,
}

/// Why there is no value.
pub(super) enum Broken {
    /// This row is no JSON.
    Json,
    /// The whole response goes beyond a limit.
    Limit(ParseError),
}

impl From<&'static str> for Broken {
    fn from(_expected: &'static str) -> Self {
        Self::Json
    }
}

/// An array or object that is open.
struct Frame {
    node: NodeId,
    content: Content,
    /// The innermost element this is inside of, or is itself.
    element: Option<NodeId>,
    /// Whether strings are only strings, as below `__proto__`, which the client never looks at.
    plain: bool,
}

enum Content {
    Items(Vec<Slot>),
    Members(Members),
}

/// An object's members, each key once: of two that are the same, the later value stands in the earlier place.
#[derive(Default)]
struct Members {
    list: Vec<(JsString, Slot)>,
    /// Positions by key, kept as soon as searching takes long.
    by_key: HashMap<JsString, usize>,
    /// Where the next value goes.
    next: usize,
}

impl Members {
    const SEARCHED_MAX: usize = 16;

    /// Notes the key of the next value; says whether there was a value already.
    fn key(&mut self, key: JsString) -> bool {
        let known = if self.list.len() <= Self::SEARCHED_MAX {
            self.list.iter().position(|(name, _)| *name == key)
        } else {
            if self.by_key.is_empty() {
                let names = self.list.iter().enumerate();
                self.by_key = names.map(|(position, (name, _))| (name.clone(), position)).collect();
            }
            self.by_key.get(&key).copied()
        };
        self.next = known.unwrap_or(self.list.len());
        if known.is_none() {
            if !self.by_key.is_empty() {
                self.by_key.insert(key.clone(), self.list.len());
            }
            self.list.push((key, Slot::Undefined));
        }
        known.is_some()
    }
}

/// Where a string stands.
#[derive(Clone, Copy)]
struct Site {
    place: Place,
    id: ChunkId,
    element: Option<NodeId>,
    under_then: bool,
}

/// `Symbol.for` of this is what marks elements.
const ELEMENT: &str = "react.transitional.element";

impl Reader<'_> {
    /// Reads a row's JSON.
    pub(super) fn model(&mut self, json: ByteString, id: ChunkId, root: Root) -> Result<Slot, Broken> {
        let mut lexer = Lexer::new(json);
        let mut open: Vec<Frame> = Vec::new();
        loop {
            let mut slot = match lexer.token()? {
                Token::OpenArray => {
                    self.open(&mut open, Content::Items(Vec::new()), root)?;
                    if !lexer.take(b']') {
                        continue;
                    }
                    self.close(&mut open)
                }
                Token::OpenObject => {
                    self.open(&mut open, Content::Members(Members::default()), root)?;
                    if !lexer.take(b'}') {
                        self.key(&mut lexer, &mut open)?;
                        continue;
                    }
                    self.close(&mut open)
                }
                Token::String(text, _) => self.string(text, id, &mut open, root)?,
                Token::Number(number) => Slot::Number(number),
                Token::Bool(truth) => Slot::Bool(truth),
                Token::Null => Slot::Null,
            };
            // What is complete goes into what is open, which may complete that too.
            while let Some(frame) = open.last_mut() {
                if frame.put(slot) {
                    self.with_undefined.push(frame.node);
                }
                if lexer.take(b',') {
                    if matches!(frame.content, Content::Members(_)) {
                        self.key(&mut lexer, &mut open)?;
                    }
                    slot = Slot::Undefined;
                    break;
                }
                let end = if matches!(frame.content, Content::Items(_)) { b']' } else { b'}' };
                if !lexer.take(end) {
                    return Err(Broken::Json);
                }
                slot = self.close(&mut open);
            }
            if open.is_empty() {
                return if lexer.peek().is_none() { Ok(slot) } else { Err(Broken::Json) };
            }
        }
    }

    fn open(&mut self, open: &mut Vec<Frame>, content: Content, root: Root) -> Result<(), Broken> {
        let levels_max = self.limits.levels_max;
        if open.len() == levels_max {
            return Err(Broken::Limit(ParseError::TooDeep { levels_max }));
        }
        self.charge(1).map_err(Broken::Limit)?;
        let plain = match open.last() {
            Some(frame) => frame.plain || frame.is_under("__proto__"),
            None => root == Root::Plain,
        };
        let element = open.last().and_then(|frame| frame.element);
        open.push(Frame { node: self.builder.add(Node::Error), content, element, plain });
        Ok(())
    }

    /// Makes what was open an object.
    fn close(&mut self, open: &mut Vec<Frame>) -> Slot {
        let frame = open.pop().expect("only what is open is closed");
        let is_element = frame.element == Some(frame.node);
        *self.builder.node_mut(frame.node) = match frame.content {
            Content::Items(items) if is_element => {
                let mut items = items.into_iter().skip(1);
                let mut next = || items.next().unwrap_or(Slot::Undefined);
                Node::Element { kind: next(), key: next(), props: next() }
            }
            Content::Items(items) => Node::Array(items),
            Content::Members(members) => Node::Object(members.list),
        };
        Slot::Node(frame.node)
    }

    /// What a string means where it stands.
    fn string(
        &mut self,
        text: JsString,
        id: ChunkId,
        open: &mut [Frame],
        root: Root,
    ) -> Result<Slot, Broken> {
        self.charge(1).map_err(Broken::Limit)?;
        let plain = match open.last() {
            Some(frame) => frame.plain || frame.is_under("__proto__"),
            None => root == Root::Plain,
        };
        if plain || text.units().next() != Some(u16::from(b'$')) {
            return Ok(Slot::String(text));
        }
        let site = match open.last_mut() {
            Some(frame) => {
                if text == "$" && matches!(&frame.content, Content::Items(items) if items.is_empty()) {
                    frame.element = Some(frame.node);
                }
                Site {
                    place: Place::In(frame.node, frame.position()),
                    id,
                    element: frame.element,
                    under_then: frame.is_under("then"),
                }
            }
            // A description is an array; a reference to one is never written.
            None if root == Root::Described => return Err(Broken::Json),
            None => Site { place: Place::Root(id), id, element: None, under_then: false },
        };
        self.tagged(&text, site)
    }

    /// What a string that begins with `$` means.
    fn tagged(&mut self, text: &JsString, site: Site) -> Result<Slot, Broken> {
        let lossy = text.to_text_lossy();
        let mut chars = lossy[1..].chars();
        let Some(tag) = chars.next() else { return Ok(Slot::Symbol(ELEMENT.into())) };
        let rest = chars.as_str();
        Ok(match tag {
            '$' => Slot::String(without(text, 1)),
            'L' => {
                let node = self.builder.add(Node::Lazy(Promise::Rejected { digest: None }));
                let target = row_id(rest);
                self.lazies.insert(node, target);
                self.wanted.push(target);
                Slot::Node(node)
            }
            '@' => {
                let target = row_id(rest);
                self.wanted.push(target);
                let builder = &mut self.builder;
                let node = self
                    .promises
                    .entry(target)
                    .or_insert_with(|| builder.add(Node::Promise(Promise::Rejected { digest: None })));
                Slot::Node(*node)
            }
            'w' | 'u' => Slot::Undefined,
            'S' => Slot::Symbol(without(text, 2)),
            'T' => {
                let path = without(text, 2);
                let builder = &mut self.builder;
                let node = self
                    .temporaries
                    .entry(path.clone())
                    .or_insert_with(|| builder.add(Node::Temporary { path }));
                Slot::Node(*node)
            }
            'Z' => Slot::Node(self.builder.add(Node::Error)),
            'I' => Slot::Number(f64::INFINITY),
            '-' => Slot::Number(if lossy == "$-0" { -0.0 } else { f64::NEG_INFINITY }),
            'N' => Slot::Number(f64::NAN),
            'D' => Slot::Date(Date::parse(rest)),
            'n' => Slot::BigInt(big_integer(rest).ok_or(Broken::Json)?),
            'h' => self.reference(Kind::ServerReference, &without(text, 2), site),
            'Q' => self.reference(Kind::Map, &without(text, 2), site),
            'W' => self.reference(Kind::Set, &without(text, 2), site),
            'B' => self.reference(Kind::Blob, &without(text, 2), site),
            'K' => self.reference(Kind::FormData, &without(text, 2), site),
            'i' => self.reference(Kind::Iterator, &without(text, 2), site),
            _ => self.reference(Kind::Plain, &without(text, 1), site),
        })
    }

    /// Reads the key of the next member.
    fn key(&mut self, lexer: &mut Lexer, open: &mut [Frame]) -> Result<(), Broken> {
        let (name, _) = lexer.string()?;
        if !lexer.take(b':') {
            return Err(Broken::Json);
        }
        self.charge(1).map_err(Broken::Limit)?;
        if let Some(Frame { content: Content::Members(members), node, .. }) = open.last_mut()
            && members.key(name)
        {
            self.withdraw(Place::In(*node, members.next));
        }
        Ok(())
    }

    /// Notes a reference; until it is linked, null stands in its place.
    fn reference(&mut self, kind: Kind, text: &JsString, site: Site) -> Slot {
        let mut path = split(text);
        let target = row_id(&path.remove(0).to_text_lossy());
        let index = self.references.len();
        self.wanted.push(target);
        self.dependants.entry(target).or_default().push(index);
        self.unlinked.insert(site.place, index);
        let Site { place, id, element, under_then } = site;
        self.references.push(Reference::new(kind, target, path, place, (id, element), under_then));
        Slot::Null
    }
}

impl Frame {
    fn position(&self) -> usize {
        match &self.content {
            Content::Items(items) => items.len(),
            Content::Members(members) => members.next,
        }
    }

    fn is_under(&self, name: &str) -> bool {
        matches!(&self.content, Content::Members(members) if members.list[members.next].0 == *name)
    }

    /// Puts the next value in; says whether it is a member that has to be taken out again.
    fn put(&mut self, slot: Slot) -> bool {
        let dropped = matches!(slot, Slot::Undefined) || self.is_under("__proto__");
        match &mut self.content {
            Content::Items(items) => {
                items.push(slot);
                false
            }
            Content::Members(members) => {
                members.list[members.next].1 = if dropped { Slot::Undefined } else { slot };
                dropped
            }
        }
    }
}

/// The client's grammar, but not its time for long texts in other bases.
fn big_integer(text: &str) -> Option<BigInt> {
    const OTHER_BASES_CHARS_MAX: usize = 300;
    BigInt::from_decimal(text)
        .or_else(|error| if text.len() > OTHER_BASES_CHARS_MAX { Err(error) } else { BigInt::parse(text) })
        .ok()
}

/// The row that a reference names, as `parseInt(text, 16)` reads it; what is no number is a row that never comes.
fn row_id(text: &str) -> ChunkId {
    let digits = text.find(|char: char| !char.is_ascii_hexdigit()).unwrap_or(text.len());
    u32::from_str_radix(&text[..digits], 16).unwrap_or(u32::MAX).into()
}

/// The string without its first units.
fn without(text: &JsString, units: usize) -> JsString {
    match text.as_str() {
        Some(text) => text[units..].into(),
        None => JsString::from_units(&text.units().skip(units).collect::<Vec<_>>()),
    }
}

/// The parts between colons.
fn split(text: &JsString) -> Vec<JsString> {
    if let Some(text) = text.as_str() {
        return text.split(':').map(JsString::from).collect();
    }
    let units: Vec<u16> = text.units().collect();
    units.split(|unit| *unit == u16::from(b':')).map(JsString::from_units).collect()
}
