//! Files through serde.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    ByteArray, JsString,
    handover::{self, Whole},
};
use crate::{
    Value,
    value::{Blob, BlobContent, Builder, Node, Slot},
};

/// A file that a person chose.
///
/// In JavaScript: a `File`; read from a `Blob` too, which is named `blob` as a form names it. Other formats: a struct
/// of `name`, `type` and `bytes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name as the client sent it, lone surrogates replaced: untrusted text that may hold slashes, dots and
    /// control characters. Never use it as a path.
    pub name: String,
    /// The media type as the client sent it; a claim, not a fact about the content.
    pub media_type: String,
    /// The content; a large one may not be in memory.
    pub content: BlobContent,
}

impl From<Blob> for File {
    fn from(blob: Blob) -> Self {
        let name = blob.name.map_or_else(|| "blob".to_owned(), |name| name.to_text_lossy().into_owned());
        Self { name, media_type: String::from(&*blob.media_type), content: blob.content }
    }
}

impl From<File> for Blob {
    fn from(file: File) -> Self {
        Self { name: Some(file.name.into()), media_type: file.media_type.into(), content: file.content }
    }
}

/// What another format sees of a file or blob.
#[derive(Serialize, Deserialize)]
#[serde(expecting = "a file")]
struct Fields<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(rename = "type")]
    media_type: Cow<'a, str>,
    bytes: ByteArray,
}

impl From<Fields<'_>> for Blob {
    fn from(fields: Fields<'_>) -> Self {
        Self {
            name: fields.name.map(|name| JsString::from(name.into_owned())),
            media_type: fields.media_type.into_owned().into(),
            content: fields.bytes.0.into(),
        }
    }
}

/// In JavaScript: a `Blob`, or a `File` if it has a name. Other formats: a struct of `name`, `type` and `bytes`.
impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut builder = Builder::new();
        let blob = builder.add(Node::Blob(self.clone()));
        handover::serialize(serializer, builder.finish(Slot::Node(blob)), AsFields(self))
    }
}

/// Reads the content only if another format asks for it.
struct AsFields<'b>(&'b Blob);

impl Serialize for AsFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.content.bytes().map_err(serde::ser::Error::custom)?;
        let fields = Fields {
            name: self.0.name.as_ref().map(JsString::to_text_lossy),
            media_type: (&*self.0.media_type).into(),
            bytes: ByteArray(bytes),
        };
        fields.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::deserialize(deserializer)
    }
}

impl Whole for Blob {
    const EXPECTED: &'static str = "a blob or file";

    fn from_value(value: &Value) -> Option<Self> {
        match value.node() {
            Some(Node::Blob(blob)) => Some(blob.clone()),
            _ => None,
        }
    }

    fn from_other<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for File {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Blob::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handover::deserialize(deserializer)
    }
}

impl Whole for File {
    const EXPECTED: &'static str = "a file";

    fn from_value(value: &Value) -> Option<Self> {
        Blob::from_value(value).map(Self::from)
    }

    fn from_other<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Blob::from_other(deserializer).map(Self::from)
    }
}
