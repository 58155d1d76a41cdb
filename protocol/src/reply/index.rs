//! The parts of a reply, found by id.

use std::collections::HashMap;

use bytestring::ByteString;

use super::{Limits, ReplyError, ReplyErrorKind, limits};
use crate::{
    js::JsString,
    multipart::{Content, Part},
    value::{Blob, NodeId, Slot},
};

/// Every part, looked at once, when the index is made.
#[derive(Debug)]
pub(super) struct Index<'a> {
    parts: &'a [Part],
    entries: Vec<Entry<'a>>,
    /// Position in `entries` of every id but the root's.
    by_id: HashMap<u64, EntryId>,
    /// Id and part of every entry of a form data value, as they arrived.
    form_entries: Vec<(u64, usize, JsString)>,
    /// Form data values take their entries from here on; see [`Index::take_form_entries`].
    form_cursor: usize,
}

/// Position of an entry.
pub(super) type EntryId = u32;

/// The entry of the root.
pub(super) const ROOT: EntryId = 0;

/// What one id stands for.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) id: u64,
    /// The model's text; a text field sent twice counts the second time.
    pub(super) text: Option<ByteString>,
    file: Option<&'a Content>,
    /// When the model arrived, relative to others.
    pub(super) arrival: usize,
    pub(super) state: State,
    /// The unit that parsed this part.
    pub(super) unit: u32,
    /// The promise of this part's value, if there is one.
    pub(super) promise: Option<NodeId>,
    /// The file as a value, if it was asked for.
    pub(super) blob: Option<NodeId>,
    /// Whether binary data was made from the file.
    pub(super) taken: bool,
}

/// How far a part is.
#[derive(Clone, Debug)]
pub(super) enum State {
    Unparsed,
    Parsing,
    Parsed(Raw),
    Failed(ReplyError),
}

/// A value of a model: complete, or to be found by this reference.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    Slot(Slot),
    Pending(u32),
}

impl<'a> Index<'a> {
    /// An index of nothing but a root.
    pub(super) fn of_text(text: ByteString) -> Self {
        let mut index = Self::new(&[]);
        index.entries.push(Entry::new(0, Some(text)));
        index
    }

    /// An index of the parts whose names begin with the prefix.
    pub(super) fn of_parts(
        parts: &'a [Part],
        prefix: &str,
        root: u64,
        limits: &Limits,
    ) -> Result<Self, ReplyErrorKind> {
        limits::check("parts_max", parts.len(), limits.parts_max)?;
        let mut index = Self::new(parts);
        index.entry_or_insert(root);
        for (at, part) in parts.iter().enumerate() {
            let Some(name) = part.name.strip_prefix(prefix) else { continue };
            if let Some((id, field)) = name.strip_prefix('_').and_then(|name| name.split_once('_')) {
                if let Some(id) = decimal(id) {
                    index.form_entries.push((id, at, part.name.slice_ref(field).into()));
                }
            } else if let Some(id) = decimal(name) {
                let entry = index.entry_or_insert(id);
                let entry = &mut index.entries[entry as usize];
                match &part.content {
                    Content::Text(text) => {
                        entry.text = Some(text.clone());
                        entry.arrival = at;
                    }
                    file @ Content::File { .. } => entry.file = Some(file),
                }
            }
        }
        Ok(index)
    }

    fn new(parts: &'a [Part]) -> Self {
        Self { parts, entries: Vec::new(), by_id: HashMap::new(), form_entries: Vec::new(), form_cursor: 0 }
    }

    /// The entry of an id, whether or not there is such a part.
    pub(super) fn entry_or_insert(&mut self, id: u64) -> EntryId {
        if self.entries.first().is_some_and(|root| root.id == id) {
            return ROOT;
        }
        let next =
            u32::try_from(self.entries.len()).expect("parts and references are limited far below 2^32");
        let entry = *self.by_id.entry(id).or_insert(next);
        if entry == next {
            self.entries.push(Entry::new(id, None));
        }
        entry
    }

    pub(super) fn entry(&self, entry: EntryId) -> &Entry<'a> {
        &self.entries[entry as usize]
    }

    pub(super) fn entry_mut(&mut self, entry: EntryId) -> &mut Entry<'a> {
        &mut self.entries[entry as usize]
    }

    /// The entries of the form data value that is read next, if it has this id: those at the cursor.
    ///
    /// The reference decoder reads the same way, so values that are used in another order than they were sent in
    /// come out empty here as there. No client sends them so.
    pub(super) fn take_form_entries(&mut self, id: u64) -> Vec<(JsString, &'a Content)> {
        let from_cursor = &self.form_entries[self.form_cursor..];
        let run = from_cursor.iter().take_while(|(found, ..)| *found == id);
        let entries: Vec<_> = run.map(|(_, at, name)| (name.clone(), &self.parts[*at].content)).collect();
        self.form_cursor += entries.len();
        entries
    }
}

impl Entry<'_> {
    fn new(id: u64, text: Option<ByteString>) -> Self {
        Self {
            id,
            text,
            file: None,
            arrival: usize::MAX,
            state: State::Unparsed,
            unit: 0,
            promise: None,
            blob: None,
            taken: false,
        }
    }

    /// The file.
    pub(super) fn file(&self) -> Option<Blob> {
        self.file.and_then(blob)
    }
}

/// A file field as a value.
pub(super) fn blob(content: &Content) -> Option<Blob> {
    match content {
        Content::Text(_) => None,
        Content::File { name, media_type, content } => Some(Blob {
            name: Some(name.clone().into()),
            media_type: media_type.clone(),
            content: content.clone(),
        }),
    }
}

/// A decimal id as clients write it: no sign, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    if canonical { text.parse().ok() } else { None }
}
