//! The parts of a reply, found by id.

use std::collections::VecDeque;

use bytestring::ByteString;

use super::{Limits, ReplyErrorKind, ids::Ids, limits};
use crate::{
    js::JsString,
    multipart::{Content, Part},
    value::{Blob, BlobContent, NodeId, Slot},
};

/// Every part, looked at once, when it arrives.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Entry>,
    /// Position in `entries` of every id that is not the root's or its own position: clients count ids from the root
    /// on, and most send their parts in that order.
    by_id: Ids,
    /// The entries of form data values that were not taken, as they arrived; see [`Index::take_form_entry`].
    form_entries: VecDeque<(u64, JsString, Content)>,
    /// The rows of each stream.
    rows: Vec<Rows>,
    /// Position in `rows` of every stream's id.
    rows_by_id: Ids,
    /// How many parts arrived.
    arrived: usize,
}

/// Position of an entry.
pub(super) type EntryId = u32;

/// Why numbers of parts and streams fit into 32 bits.
const FEW: &str = "parts and references are limited far below 2^32";

/// The entry of the root.
pub(super) const ROOT: EntryId = 0;

/// What one id stands for.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: u64,
    /// The model's text, until it is parsed; a text field sent twice counts the second time.
    pub(super) text: Option<ByteString>,
    file: Option<Content>,
    /// When the model arrived, relative to others.
    pub(super) arrival: usize,
    pub(super) state: State,
    /// The unit that parsed this part.
    pub(super) unit: u32,
    /// Number of the promise of this part's value, if there is one.
    pub(super) promise: Option<u32>,
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
}

/// A value of a model: complete, or to be found by this reference.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    Slot(Slot),
    Pending(u32),
}

/// The rows of one stream.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Those that were not read, each with when it arrived.
    pub(super) unread: VecDeque<(usize, ByteString)>,
    /// Number of the stream that is made of them, if there is one.
    pub(super) stream: Option<u32>,
}

/// What became of a part that arrived.
#[derive(Clone, Copy, Debug)]
pub(super) enum Added {
    /// The text of a model.
    Model(EntryId),
    /// A row of the stream with this number.
    Row(u32),
    /// Something that nothing waits for.
    Kept,
}

impl Index {
    /// An index of nothing but a root, which has not arrived, with room for this many parts.
    pub(super) fn new(root: u64, parts: usize) -> Self {
        let mut entries = Vec::with_capacity(parts.max(1));
        entries.push(Entry::new(root));
        Self {
            entries,
            by_id: Ids::default(),
            form_entries: VecDeque::new(),
            rows: Vec::new(),
            rows_by_id: Ids::default(),
            arrived: 0,
        }
    }

    /// Adds a part if its name begins with the prefix.
    pub(super) fn add(
        &mut self,
        part: &Part,
        prefix: &str,
        limits: &Limits,
    ) -> Result<Added, ReplyErrorKind> {
        let arrival = self.arrived;
        self.arrived += 1;
        limits::check("parts_max", self.arrived, limits.parts_max)?;
        let Some(name) = part.name.strip_prefix(prefix) else { return Ok(Added::Kept) };
        let old = limits.old_clients && !name.starts_with('_');
        if let Some((id, field)) =
            name.strip_prefix('_').or(old.then_some(name)).and_then(|name| name.split_once('_'))
        {
            if let Some(id) = decimal(id) {
                let field = part.name.slice_ref(field).into();
                self.form_entries.push_back((id, field, part.content.clone()));
            }
            return Ok(Added::Kept);
        }
        if let (Some(id), Content::Text(text)) = (name.strip_prefix('S').and_then(decimal), &part.content) {
            return Ok(self.add_row(id, arrival, text.clone()));
        }
        let Some(id) = decimal(name) else { return Ok(Added::Kept) };
        match &part.content {
            Content::Text(text) => {
                if limits.old_clients
                    && let row @ Added::Row(_) = self.add_row(id, arrival, text.clone())
                {
                    return Ok(row);
                }
                let entry = self.entry_or_insert(id);
                let model = self.entry_mut(entry);
                if !matches!(model.state, State::Unparsed) {
                    return Ok(Added::Kept);
                }
                model.text = Some(text.clone());
                model.arrival = arrival;
                Ok(Added::Model(entry))
            }
            file @ Content::File { .. } => {
                let entry = self.entry_or_insert(id);
                self.entry_mut(entry).file = Some(file.clone());
                Ok(Added::Kept)
            }
        }
    }

    fn add_row(&mut self, id: u64, arrival: usize, text: ByteString) -> Added {
        let rows = self.rows(id);
        rows.unread.push_back((arrival, text));
        rows.stream.map_or(Added::Kept, Added::Row)
    }

    /// The rows of the stream with this id, whether or not there are any.
    pub(super) fn rows(&mut self, id: u64) -> &mut Rows {
        let at = self.rows_by_id.get(id).unwrap_or_else(|| {
            let next = u32::try_from(self.rows.len()).expect(FEW);
            self.rows_by_id.insert(id, next);
            self.rows.push(Rows::default());
            next
        });
        &mut self.rows[at as usize]
    }

    /// The entry of an id, whether or not there is such a part.
    pub(super) fn entry_or_insert(&mut self, id: u64) -> EntryId {
        if self.entries[0].id == id {
            return ROOT;
        }
        if let Some(entry) = usize::try_from(id).ok().and_then(|at| self.entries.get(at))
            && entry.id == id
        {
            return id as EntryId;
        }
        self.by_id.get(id).unwrap_or_else(|| {
            let next = u32::try_from(self.entries.len()).expect(FEW);
            if u64::from(next) != id {
                self.by_id.insert(id, next);
            }
            self.entries.push(Entry::new(id));
            next
        })
    }

    pub(super) fn entry(&self, entry: EntryId) -> &Entry {
        &self.entries[entry as usize]
    }

    pub(super) fn entry_mut(&mut self, entry: EntryId) -> &mut Entry {
        &mut self.entries[entry as usize]
    }

    /// When the part after the last one arrives.
    pub(super) fn next_arrival(&self) -> usize {
        self.arrived
    }

    /// The next entry of the form data value that is read next, if it has this id: the first that nobody took.
    ///
    /// The reference decoder reads the same way, so values that are used in another order than they were sent in
    /// come out empty here as there. No client sends them so.
    pub(super) fn take_form_entry(&mut self, id: u64) -> Option<(JsString, Content)> {
        let (_, name, content) = self.form_entries.pop_front_if(|(found, ..)| *found == id)?;
        Some((name, content))
    }
}

impl Entry {
    fn new(id: u64) -> Self {
        Self {
            id,
            text: None,
            file: None,
            arrival: usize::MAX,
            state: State::Unparsed,
            unit: 0,
            promise: None,
            blob: None,
            taken: false,
        }
    }

    /// Whether its model has arrived.
    pub(super) fn has_model(&self) -> bool {
        self.text.is_some() || !matches!(self.state, State::Unparsed)
    }

    /// The file.
    pub(super) fn file(&self) -> Option<Blob> {
        self.file.clone().and_then(blob)
    }

    /// What is in the file.
    pub(super) fn file_content(&self) -> Option<BlobContent> {
        match self.file.as_ref()? {
            Content::Text(_) => None,
            Content::File { content, .. } => Some(content.clone()),
        }
    }
}

/// A file field as a value.
pub(super) fn blob(content: Content) -> Option<Blob> {
    match content {
        Content::Text(_) => None,
        Content::File { name, media_type, content } => {
            Some(Blob { name: Some(name.into()), media_type, content })
        }
    }
}

/// A decimal id as clients write it: no sign, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    if canonical { text.parse().ok() } else { None }
}
