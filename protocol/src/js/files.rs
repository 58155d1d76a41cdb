//! Files and form data.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    JsString, handover,
    leaf::{settled, single},
};
use crate::{
    Value,
    value::{self, Builder, Node, Slot},
};

/// A JavaScript `File`, or a `Blob` with an empty name. Elsewhere a struct with these members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name as the client sent it. Untrusted text: never a path.
    pub name: String,
    /// The media type as the client sent it. Untrusted: look at the content.
    pub media_type: String,
    /// The content.
    pub bytes: Bytes,
}

/// A JavaScript `FormData`, entry by entry; [`Form`](crate::de::Form) makes a struct of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormData {
    /// Names and values in the form's order; names may repeat.
    pub entries: Vec<(String, FormEntry)>,
}

/// What a field of a form holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormEntry {
    /// Text.
    Text(String),
    /// A file.
    File(File),
}

impl FormData {
    /// The first value under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FormEntry> {
        self.get_all(name).next()
    }

    /// Every value under this name.
    pub fn get_all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a FormEntry> + use<'a, 'n> {
        self.entries.iter().filter(move |(known, _)| known == name).map(|(_, entry)| entry)
    }

    /// The first text under this name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get_all(name).find_map(|entry| match entry {
            FormEntry::Text(text) => Some(text.as_str()),
            FormEntry::File(_) => None,
        })
    }

    /// The first file under this name.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&File> {
        self.get_all(name).find_map(|entry| match entry {
            FormEntry::File(file) => Some(file),
            FormEntry::Text(_) => None,
        })
    }
}

impl File {
    fn read(blob: &value::Blob) -> Self {
        Self {
            name: blob.name.as_ref().map(|name| name.to_text_lossy().into_owned()).unwrap_or_default(),
            media_type: blob.media_type.to_string(),
            bytes: blob.bytes.clone(),
        }
    }

    fn write(&self) -> value::Blob {
        value::Blob {
            name: Some(JsString::from(self.name.as_str())),
            media_type: self.media_type.as_str().into(),
            bytes: self.bytes.clone(),
        }
    }
}

/// What other formats hold of a file.
#[derive(Serialize)]
struct PlainFile<'a> {
    name: &'a str,
    media_type: &'a str,
    bytes: &'a [u8],
}

impl Serialize for File {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = PlainFile { name: &self.name, media_type: &self.media_type, bytes: &self.bytes };
        handover::send(serializer, single(Node::Blob(self.write())), &plain)
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::receive(deserializer, "a file", |value| {
            let value = settled(value);
            match value.node() {
                Some(Node::Blob(blob)) => Ok(Self::read(blob)),
                _ => Err(format!("expected a file, found {}", value.kind())),
            }
        })
    }
}

impl Serialize for FormData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut builder = Builder::new();
        let entries = self.entries.iter().map(|(name, entry)| {
            let slot = match entry {
                FormEntry::Text(text) => Slot::String(text.as_str().into()),
                FormEntry::File(file) => Slot::Node(builder.add(Node::Blob(file.write()))),
            };
            (JsString::from(name.as_str()), slot)
        });
        let entries = entries.collect();
        let form = builder.add(Node::FormData(entries));
        let value = builder.finish(Slot::Node(form));
        let plain: Vec<_> = self.entries.iter().map(|(name, entry)| (name, PlainEntry(entry))).collect();
        handover::send(serializer, value, &plain)
    }
}

/// An entry in other formats: its text, or its file.
struct PlainEntry<'a>(&'a FormEntry);

impl Serialize for PlainEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            FormEntry::Text(text) => serializer.serialize_str(text),
            FormEntry::File(file) => file.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for FormData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::receive(deserializer, "form data", |value| {
            let value = settled(value);
            let Some(Node::FormData(entries)) = value.node() else {
                return Err(format!("expected form data, found {}", value.kind()));
            };
            let entries =
                entries.iter().map(|(name, slot)| (name.to_text_lossy().into_owned(), entry(&value, slot)));
            Ok(Self { entries: entries.collect() })
        })
    }
}

fn entry(form: &Value, slot: &Slot) -> FormEntry {
    match (slot, form.at(slot).node()) {
        (_, Some(Node::Blob(blob))) => FormEntry::File(File::read(blob)),
        (Slot::String(text), _) => FormEntry::Text(text.to_text_lossy().into_owned()),
        // Nothing else is an entry: the decoder puts in text and files.
        _ => FormEntry::Text(String::new()),
    }
}
