//! Tagged JSON, the notation of the vectors for JavaScript values, read into a [`Value`].

use std::{collections::HashMap, fs, path::Path};

use bytes::Bytes;
use callboard_protocol::{
    Value,
    js::{BigInt, Date, JsString},
    value::{
        ArrayKind, Blob, Builder, Items, Node, NodeId, Promise, Slot, Stream, StreamEnd, StreamKind,
        TypedArray,
    },
};
use data_encoding::BASE64;
use serde::Deserialize as _;
use serde_json::Value as Json;

/// Why a tagged tree is not a [`Value`].
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// A kind of value that [`Value`] cannot hold.
    Unsupported(String),
    /// Not tagged JSON.
    Malformed(String),
}

/// Reads a JSON file of any depth.
pub(crate) fn read(file: &Path) -> Result<Json, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let mut json = serde_json::Deserializer::from_str(&text);
    json.disable_recursion_limit();
    Json::deserialize(&mut json).map_err(|error| error.to_string())
}

/// Reads a tagged tree.
pub(crate) fn value(json: &Json) -> Result<Value, Unreadable> {
    let mut reader = Reader { builder: Builder::new(), defined: HashMap::new() };
    let root = reader.slot(json)?;
    Ok(reader.builder.finish(root))
}

/// Reads a string: plain, repeated or in UTF-16 units.
pub(crate) fn string(json: &Json) -> Result<JsString, Unreadable> {
    if let Json::String(text) = json {
        return Ok(text.as_str().into());
    }
    match tag(json) {
        Some("repeat") => {
            let count = json["count"].as_u64().ok_or_else(|| malformed(json))?;
            Ok(text(json, "unit")?.repeat(usize::try_from(count).expect("a test's string")).into())
        }
        Some("utf16") => {
            let units: Option<Vec<u16>> = list(json, "units")?
                .iter()
                .map(|unit| unit.as_u64().and_then(|unit| u16::try_from(unit).ok()))
                .collect();
            Ok(JsString::from_units(&units.ok_or_else(|| malformed(json))?))
        }
        _ => Err(malformed(json)),
    }
}

/// The same value as the vectors would write it: without the paths of temporary references, and byte streams in one
/// piece.
pub(crate) fn plain(value: &Value) -> Value {
    let mut builder = Builder::new();
    let nodes: Vec<NodeId> = value.graph().nodes().map(|node| builder.add(node.clone())).collect();
    for id in nodes {
        let plain = match builder.node(id) {
            Node::Temporary { .. } => Node::Temporary { path: "".into() },
            Node::Stream(Stream { kind: StreamKind::Bytes, items: Items::Complete { items, end } }) => {
                let (bytes, end) = (joined(value, items), end.clone());
                Node::Stream(byte_stream(&mut builder, bytes, end))
            }
            _ => continue,
        };
        *builder.node_mut(id) = plain;
    }
    builder.finish(value.slot().clone())
}

fn joined(value: &Value, items: &[Slot]) -> Bytes {
    let mut joined = Vec::new();
    for item in items {
        if let Some(Node::Bytes(array)) = value.at(item).node() {
            joined.extend_from_slice(&array.bytes);
        }
    }
    joined.into()
}

fn byte_stream(builder: &mut Builder, bytes: Bytes, end: StreamEnd) -> Stream {
    let array = TypedArray { kind: ArrayKind::Uint8, bytes };
    let items =
        if array.bytes.is_empty() { Vec::new() } else { vec![Slot::Node(builder.add(Node::Bytes(array)))] };
    Stream { kind: StreamKind::Bytes, items: Items::Complete { items, end } }
}

struct Reader {
    builder: Builder,
    defined: HashMap<u64, Slot>,
}

impl Reader {
    fn slot(&mut self, json: &Json) -> Result<Slot, Unreadable> {
        match json {
            Json::Null => return Ok(Slot::Null),
            Json::Bool(truth) => return Ok(Slot::Bool(*truth)),
            Json::Number(number) => return Ok(Slot::Number(number.as_f64().ok_or_else(|| malformed(json))?)),
            Json::String(text) => return Ok(Slot::String(text.as_str().into())),
            Json::Array(_) | Json::Object(_) => {}
        }
        Ok(match tag(json) {
            Some("undefined") => Slot::Undefined,
            Some("number") => Slot::Number(text(json, "v")?.parse().map_err(|_| malformed(json))?),
            Some("bigint") => {
                Slot::BigInt(BigInt::from_decimal(text(json, "v")?).map_err(|_| malformed(json))?)
            }
            Some("date") => Slot::Date(Date::from_millis(json["ms"].as_f64().unwrap_or(f64::NAN))),
            Some("utf16" | "repeat") => Slot::String(string(json)?),
            Some("symbol") => Slot::Symbol(string(&json["key"])?),
            Some("def") => self.define(json)?,
            Some("ref") => json["id"]
                .as_u64()
                .and_then(|id| self.defined.get(&id).cloned())
                .ok_or_else(|| malformed(json))?,
            _ => {
                let id = self.builder.add(Node::Error);
                self.fill(id, json)?
            }
        })
    }

    /// A value that is met again: named before its contents are read, so that they may refer to it.
    fn define(&mut self, json: &Json) -> Result<Slot, Unreadable> {
        let name = json["id"].as_u64().ok_or_else(|| malformed(json))?;
        let inner = &json["v"];
        if tag(inner) == Some("date") {
            let date = self.slot(inner)?;
            self.defined.insert(name, date.clone());
            return Ok(date);
        }
        let id = self.builder.add(Node::Error);
        self.defined.insert(name, Slot::Node(id));
        self.fill(id, inner)
    }

    fn fill(&mut self, id: NodeId, json: &Json) -> Result<Slot, Unreadable> {
        *self.builder.node_mut(id) = self.node(json)?;
        Ok(Slot::Node(id))
    }

    fn node(&mut self, json: &Json) -> Result<Node, Unreadable> {
        if let Json::Array(items) = json {
            return Ok(Node::Array(self.slots(items)?));
        }
        Ok(match tag(json).ok_or_else(|| malformed(json))? {
            "object" => Node::Object(self.named(json)?),
            "formdata" => Node::FormData(self.named(json)?),
            "map" => Node::Map(
                list(json, "entries")?
                    .iter()
                    .map(|entry| Ok((self.slot(&entry[0])?, self.slot(&entry[1])?)))
                    .collect::<Result<_, Unreadable>>()?,
            ),
            "set" => Node::Set(self.slots(list(json, "values")?)?),
            "iterator" => Node::Iterator(self.slots(list(json, "items")?)?),
            "bytes" => {
                let name = text(json, "type")?;
                let kind = ArrayKind::ALL.iter().copied().find(|kind| kind.js_name() == name);
                Node::Bytes(TypedArray {
                    kind: kind.ok_or_else(|| malformed(json))?,
                    bytes: base64(json, "b64")?,
                })
            }
            "blob" | "file" => Node::Blob(Blob {
                name: json.get("name").map(string).transpose()?,
                media_type: text(json, "type")?.into(),
                content: base64(json, "b64")?.into(),
            }),
            "promise" => Node::Promise(self.promise(json)?),
            "lazy" => Node::Lazy(self.promise(json)?),
            "stream" if json["kind"] == "bytes" => {
                let end = self.end(json)?;
                Node::Stream(byte_stream(&mut self.builder, base64(json, "b64")?, end))
            }
            "stream" => Node::Stream(self.stream(StreamKind::Values, json)?),
            "async_iterable" => Node::Stream(self.stream(StreamKind::AsyncIterable, json)?),
            "async_iterator" => Node::Stream(self.stream(StreamKind::AsyncIterator, json)?),
            "server_ref" => Node::ServerReference {
                id: string(&json["id"])?,
                bound: json["bound"].as_array().map(|bound| self.slots(bound)).transpose()?,
            },
            "temporary_ref" => Node::Temporary { path: "".into() },
            "client_ref" => {
                Node::ClientReference { module: string(&json["module"])?, name: string(&json["name"])? }
            }
            "element" => Node::Element {
                kind: self.slot(&json["type"])?,
                key: self.slot(&json["key"])?,
                props: self.slot(&json["props"])?,
            },
            "error" => Node::Error,
            other => return Err(Unreadable::Unsupported(other.to_owned())),
        })
    }

    fn promise(&mut self, json: &Json) -> Result<Promise, Unreadable> {
        match json["status"].as_str() {
            None | Some("resolved") if json.get("value").is_some() => {
                Ok(Promise::Fulfilled(self.slot(&json["value"])?))
            }
            Some("rejected") => {
                Ok(Promise::Rejected { digest: json["digest"].as_str().map(ToOwned::to_owned) })
            }
            Some("pending") => Err(Unreadable::Unsupported("a promise that never settles".to_owned())),
            _ => Err(malformed(json)),
        }
    }

    fn stream(&mut self, kind: StreamKind, json: &Json) -> Result<Stream, Unreadable> {
        let items = self.slots(list(json, "items")?)?;
        Ok(Stream { kind, items: Items::Complete { items, end: self.end(json)? } })
    }

    fn end(&mut self, json: &Json) -> Result<StreamEnd, Unreadable> {
        match text(json, "status")? {
            "closed" => match json.get("return").map(|returned| self.slot(returned)).transpose()? {
                None | Some(Slot::Undefined) => Ok(StreamEnd::Closed),
                Some(returned) => Ok(StreamEnd::Returned(returned)),
            },
            "errored" => Ok(StreamEnd::Errored { digest: json["digest"].as_str().map(ToOwned::to_owned) }),
            "pending" => Err(Unreadable::Unsupported("a stream that never ends".to_owned())),
            _ => Err(malformed(json)),
        }
    }

    fn slots(&mut self, items: &[Json]) -> Result<Vec<Slot>, Unreadable> {
        items.iter().map(|item| self.slot(item)).collect()
    }

    fn named(&mut self, json: &Json) -> Result<Vec<(JsString, Slot)>, Unreadable> {
        let entries = list(json, "entries")?;
        entries.iter().map(|entry| Ok((string(&entry[0])?, self.slot(&entry[1])?))).collect()
    }
}

fn tag(json: &Json) -> Option<&str> {
    json.get("t")?.as_str()
}

fn text<'a>(json: &'a Json, member: &str) -> Result<&'a str, Unreadable> {
    json[member].as_str().ok_or_else(|| malformed(json))
}

fn list<'a>(json: &'a Json, member: &str) -> Result<&'a [Json], Unreadable> {
    json[member].as_array().map(Vec::as_slice).ok_or_else(|| malformed(json))
}

fn base64(json: &Json, member: &str) -> Result<Bytes, Unreadable> {
    let bytes = BASE64.decode(text(json, member)?.as_bytes()).map_err(|_| malformed(json))?;
    Ok(bytes.into())
}

fn malformed(json: &Json) -> Unreadable {
    Unreadable::Malformed(json.to_string().chars().take(100).collect())
}
