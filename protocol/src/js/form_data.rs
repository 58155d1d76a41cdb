//! A form as it was sent: names, texts and files.

use bytestring::ByteString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    File, JsString,
    handover::{self, Whole},
};
use crate::{
    Value,
    value::{Builder, Node, Slot},
};

/// The entries of a form in order; names may repeat.
///
/// In JavaScript: a `FormData`. Other formats: an array of pairs of a name and a text or file. To read a form into a
/// struct, take [`Form`](crate::de::Form) instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormData {
    /// Names and what was sent under them. As browsers do, lone surrogates are replaced.
    pub entries: Vec<(ByteString, FormEntry)>,
}

/// What a form holds under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FormEntry {
    /// The text of a field.
    Text(ByteString),
    /// A chosen file. A file input where none was chosen sends one without name and content.
    File(File),
}

impl FormData {
    /// The first entry of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FormEntry> {
        self.entries.iter().find(|(own, _)| own == name).map(|(_, entry)| entry)
    }

    /// All entries of this name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a FormEntry> {
        self.entries.iter().filter(move |(own, _)| own == name).map(|(_, entry)| entry)
    }

    /// The text of the first entry of this name, if it is one.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            FormEntry::Text(text) => Some(text),
            FormEntry::File(_) => None,
        }
    }

    /// The file in the first entry of this name, if it is one.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&File> {
        match self.get(name)? {
            FormEntry::File(file) => Some(file),
            FormEntry::Text(_) => None,
        }
    }

    /// The entries in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (ByteString, FormEntry)> {
        self.entries.iter()
    }

    fn to_value(&self) -> Value {
        let mut builder = Builder::new();
        let entries = self.entries.iter().map(|(name, entry)| {
            let slot = match entry {
                FormEntry::Text(text) => Slot::String(text.clone().into()),
                FormEntry::File(file) => Slot::Node(builder.add(Node::Blob(file.clone().into()))),
            };
            (JsString::from(name.clone()), slot)
        });
        let entries = entries.collect();
        let form = builder.add(Node::FormData(entries));
        builder.finish(Slot::Node(form))
    }
}

impl<'a> IntoIterator for &'a FormData {
    type Item = &'a (ByteString, FormEntry);
    type IntoIter = std::slice::Iter<'a, (ByteString, FormEntry)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for FormData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        handover::serialize(serializer, self.to_value(), &self.entries)
    }
}

impl<'de> Deserialize<'de> for FormData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::deserialize(deserializer)
    }
}

impl Whole for FormData {
    const EXPECTED: &'static str = "form data";

    fn from_value(value: &Value) -> Option<Self> {
        let Some(Node::FormData(entries)) = value.node() else { return None };
        let entries = entries.iter().map(|(name, slot)| {
            let entry = match slot {
                Slot::String(text) => FormEntry::Text(text.clone().into_text()),
                file => FormEntry::File(File::from_value(&value.at(file))?),
            };
            Some((name.clone().into_text(), entry))
        });
        entries.collect::<Option<_>>().map(|entries| Self { entries })
    }

    fn from_other<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(|entries| Self { entries })
    }
}
