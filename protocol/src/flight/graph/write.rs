//! Writes surveyed objects. Nesting is kept on a list and not on the stack, so depth costs nothing but memory.

use std::{slice, sync::Arc};

use super::{
    super::{
        encoder::{Session, push_reference, push_scalar},
        producer::Producer,
        row::{push_bytes_row, push_error_row, push_open_row, push_row_start},
        text::{push_js_key, push_js_string, push_plain_string, push_tagged},
    },
    Job, Part, reference_tag,
};
use crate::{
    js::JsString,
    value::{ArrayKind, Blob, BlobContent, Graph, Items, Node, NodeId, Promise, Slot},
};

/// Something opened and not closed yet, with what is left of it.
enum Level<'g> {
    Items(slice::Iter<'g, Slot>),
    Members(slice::Iter<'g, (JsString, Slot)>),
    /// Entries of a `Map`, each an array of two.
    Pairs(slice::Iter<'g, (Slot, Slot)>),
    /// Entries of a `FormData`, each an array of two.
    Named(slice::Iter<'g, (JsString, Slot)>),
    /// The second half of an array of two.
    Second(Option<&'g Slot>),
}

/// The next thing in a [`Level`].
enum Step<'g> {
    Item(&'g Slot),
    Member(&'g JsString, &'g Slot),
    Pair(&'g Slot, &'g Slot),
    Named(&'g JsString, &'g Slot),
}

impl<'g> Level<'g> {
    fn step(&mut self) -> Option<Step<'g>> {
        match self {
            Self::Items(items) => items.next().map(Step::Item),
            Self::Members(members) => members.next().map(|(key, slot)| Step::Member(key, slot)),
            Self::Pairs(pairs) => pairs.next().map(|(key, value)| Step::Pair(key, value)),
            Self::Named(entries) => entries.next().map(|(name, value)| Step::Named(name, value)),
            Self::Second(slot) => slot.take().map(Step::Item),
        }
    }
}

/// Writes the slots of one row.
pub(super) struct Writer<'w> {
    pub(super) out: &'w mut Vec<u8>,
    pub(super) session: &'w mut Session,
    pub(super) graph: usize,
}

/// The size of the rows that a blob's bytes are written in, where they are not in memory.
const PIECE_BYTES: u64 = 1 << 20;

impl Session {
    /// Writes the object that is all of the main row into `main`, every other row into `rows`, and the items of
    /// streams into `tail`: they may refer to anything before them.
    pub(in super::super) fn write(&mut self, main: &mut Vec<u8>, rows: &mut Vec<u8>, tail: &mut Vec<u8>) {
        self.graphs.give_rows(&mut self.ids);
        if let Some((graph, node)) = self.graphs.main.take() {
            let arena = self.graphs.arena(graph);
            Writer { out: main, session: self, graph }.whole(&arena, node);
        }
        self.write_jobs(rows);
        self.write_items(tail);
    }

    pub(super) fn write_jobs(&mut self, rows: &mut Vec<u8>) {
        while let Some(job) = self.graphs.jobs.pop() {
            self.write_row(job, rows);
        }
    }

    fn write_row(&mut self, Job { row, graph, node, part }: Job, rows: &mut Vec<u8>) {
        let arena = self.graphs.arena(graph);
        match (part, arena.node(node)) {
            (Part::Whole, Node::Bytes(array)) => {
                return push_bytes_row(rows, row, array.kind.tag() as u8, &array.bytes);
            }
            (Part::Whole, Node::Stream(stream)) => {
                push_open_row(rows, row, stream.kind);
                match &stream.items {
                    Items::Complete { .. } => self.graphs.streams.push((row, graph, node)),
                    Items::Live(live) => {
                        let value = self.graphs.surveyed(graph).value.clone();
                        let producer = Producer::live(stream.kind, value, live.clone());
                        self.graphs.started.push((row, producer));
                    }
                }
                return;
            }
            (Part::Awaited, Node::Promise(Promise::Pending(pending))) => {
                let value = self.graphs.surveyed(graph).value.clone();
                let producer = Producer::pending(value, pending.clone());
                return self.graphs.started.push((row, producer));
            }
            (Part::Content, Node::Blob(Blob { content: BlobContent::Spilled(spilled), media_type, .. }))
                if self.graphs.may_go_on() =>
            {
                let producer = Producer::spilled(media_type.clone(), Arc::clone(spilled));
                return self.graphs.started.push((row, producer));
            }
            (Part::Bytes { offset_bytes }, Node::Blob(blob)) => {
                let bytes_max = piece_bytes(&blob.content);
                // A blob that cannot be read back is missing, and not empty.
                return match blob.content.slice(offset_bytes, bytes_max as usize) {
                    Ok(bytes) => push_bytes_row(rows, row, ArrayKind::Uint8.tag() as u8, &bytes),
                    Err(_) => push_error_row(rows, row, None),
                };
            }
            (Part::Whole, Node::Promise(promise)) => {
                if let Promise::Rejected { digest } = promise.now() {
                    return push_error_row(rows, row, digest.as_deref());
                }
            }
            _ => {}
        }
        push_row_start(rows, row);
        let mut writer = Writer { out: rows, session: self, graph };
        match part {
            Part::Whole => writer.whole(&arena, node),
            Part::Bound => writer.bound(&arena, node),
            Part::Content | Part::Awaited | Part::Bytes { .. } => writer.content(&arena, node),
        }
        rows.push(b'\n');
    }
}

/// Most bytes of a blob that are written in one row.
fn piece_bytes(content: &BlobContent) -> u64 {
    match content {
        BlobContent::Memory(bytes) => bytes.len() as u64,
        BlobContent::Spilled(_) => PIECE_BYTES,
    }
}

impl Writer<'_> {
    /// Writes an object in its own row.
    fn whole(&mut self, arena: &Graph, node: NodeId) {
        match arena.node(node) {
            Node::Promise(promise) => match promise.now() {
                Promise::Fulfilled(value) => self.value(arena, value),
                Promise::Rejected { .. } | Promise::Pending(_) => unreachable!("these have other rows"),
            },
            _ => {
                let level = self.inline(arena, node);
                self.levels(arena, level);
            }
        }
    }

    /// Writes a slot with all that is in it.
    pub(super) fn value(&mut self, arena: &Graph, slot: &Slot) {
        let level = self.slot(arena, slot);
        self.levels(arena, level);
    }

    /// Writes what a collection, a blob or a reference is made of.
    fn content(&mut self, arena: &Graph, id: NodeId) {
        let level = match arena.node(id) {
            Node::Set(items) | Node::Iterator(items) => Level::Items(items.iter()),
            Node::Map(entries) => Level::Pairs(entries.iter()),
            Node::FormData(entries) => Level::Named(entries.iter()),
            Node::Blob(blob) => {
                self.out.push(b'[');
                super::super::text::push_string(self.out, &blob.media_type);
                let mut offset_bytes = 0;
                while offset_bytes < blob.content.len() {
                    self.out.push(b',');
                    self.job_reference("$", id, Part::Bytes { offset_bytes });
                    offset_bytes += piece_bytes(&blob.content);
                }
                self.out.push(b']');
                return;
            }
            Node::ServerReference { id: reference, bound } => {
                self.out.extend_from_slice(b"{\"id\":");
                push_js_string(self.out, reference);
                self.out.extend_from_slice(b",\"bound\":");
                match bound {
                    Some(_) => self.job_reference("$@", id, Part::Bound),
                    None => self.out.extend_from_slice(b"null"),
                }
                self.out.push(b'}');
                return;
            }
            _ => unreachable!("only these have rows for their content"),
        };
        self.out.push(b'[');
        self.levels(arena, Some(level));
    }

    fn bound(&mut self, arena: &Graph, node: NodeId) {
        if let Node::ServerReference { bound: Some(bound), .. } = arena.node(node) {
            self.out.push(b'[');
            self.levels(arena, Some(Level::Items(bound.iter())));
        }
    }

    /// Writes what is open, and what that opens, to the end.
    fn levels<'g>(&mut self, arena: &'g Graph, first: Option<Level<'g>>) {
        let mut open: Vec<Level<'g>> = first.into_iter().collect();
        while let Some(level) = open.last_mut() {
            let Some(step) = level.step() else {
                let closed = open.pop();
                self.out.push(if matches!(closed, Some(Level::Members(_))) { b'}' } else { b']' });
                continue;
            };
            match step {
                Step::Item(slot) => {
                    self.comma();
                    open.extend(self.slot(arena, slot));
                }
                // An undefined member is no member.
                Step::Member(_, Slot::Undefined) => {}
                Step::Member(key, slot) => {
                    self.comma();
                    push_js_key(self.out, key);
                    self.out.push(b':');
                    open.extend(self.slot(arena, slot));
                }
                Step::Pair(key, value) => {
                    self.comma();
                    self.out.push(b'[');
                    open.push(Level::Second(Some(value)));
                    open.extend(self.slot(arena, key));
                }
                Step::Named(name, value) => {
                    self.comma();
                    self.out.push(b'[');
                    push_js_string(self.out, name);
                    open.push(Level::Second(Some(value)));
                }
            }
        }
    }

    /// Writes a comma unless this is the first thing in an array or object.
    fn comma(&mut self) {
        if !matches!(self.out.last(), Some(b'[' | b'{')) {
            self.out.push(b',');
        }
    }

    /// Writes a scalar, a reference, or the beginning of an object that stands here.
    fn slot<'g>(&mut self, arena: &'g Graph, slot: &Slot) -> Option<Level<'g>> {
        let Slot::Node(node) = slot else {
            push_scalar(self.out, slot);
            return None;
        };
        match self.session.graphs.mark(self.graph, *node).row {
            Some(row) => {
                push_reference(self.out, reference_tag(arena.node(*node)), row);
                None
            }
            None => self.inline(arena, *node),
        }
    }

    /// Writes an object where it stands, or as far as its contents, or a reference to its content's row.
    fn inline<'g>(&mut self, arena: &'g Graph, id: NodeId) -> Option<Level<'g>> {
        match arena.node(id) {
            Node::Array(items) => {
                self.out.push(b'[');
                return Some(Level::Items(items.iter()));
            }
            Node::Object(members) => {
                self.out.push(b'{');
                return Some(Level::Members(members.iter()));
            }
            Node::Map(_) => self.job_reference("$Q", id, Part::Content),
            Node::Set(_) => self.job_reference("$W", id, Part::Content),
            Node::Iterator(_) => self.job_reference("$i", id, Part::Content),
            Node::FormData(_) => self.job_reference("$K", id, Part::Content),
            Node::Blob(_) => self.job_reference("$B", id, Part::Content),
            Node::ServerReference { .. } => self.job_reference("$h", id, Part::Content),
            Node::Error => push_plain_string(self.out, "$Z"),
            Node::Temporary { path } => push_tagged(self.out, "$T", path),
            Node::Bytes(_) | Node::Promise(_) | Node::Stream(_) => {
                unreachable!("the survey gave these their rows")
            }
            Node::Element { .. } | Node::Lazy(_) | Node::ClientReference { .. } => {
                unreachable!("the survey refused these")
            }
        }
        None
    }

    /// Writes a reference to a row that will hold part of an object.
    fn job_reference(&mut self, tag: &str, node: NodeId, part: Part) {
        let row = self.session.ids.next();
        self.session.graphs.jobs.push(Job { row, graph: self.graph, node, part });
        push_reference(self.out, tag, row);
    }
}
