//! Arguments as a scenario writes them, and the values that calls are made of them.

use std::ops::Range;

use callboard_protocol::{
    Value,
    js::{BigInt, Date, JsString},
    value::{ArrayKind, Blob, Builder, Node, NodeId, Slot, TypedArray},
};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{
    problems::{Findings, instead},
    schema::VALUES,
    text::{Chosen, Text, unknown},
};

/// Largest file or typed array; more is no test of a server's actions.
const BYTES_MAX: u64 = 1 << 30;

/// The largest number that JavaScript tells from its neighbours.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// An argument, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
    Date(Date),
    BigInt(BigInt),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
    Map(Vec<(Self, Self)>),
    Set(Vec<Self>),
    Form(Vec<(String, Self)>),
    Bytes(usize),
    File {
        bytes: usize,
        media_type: String,
        name: Option<Text>,
    },
    /// The call's number.
    CallNumber,
    /// What the call picked.
    Pick,
}

impl Template {
    /// The value of a call.
    #[must_use]
    pub(crate) fn fill(&self, chosen: Chosen) -> Value {
        let mut builder = Builder::new();
        let slot = self.slot(chosen, &mut builder);
        builder.finish(slot)
    }

    /// Whether it is the same value in each call.
    #[must_use]
    pub(crate) fn is_fixed(&self) -> bool {
        !self.any(&|part| match part {
            Self::CallNumber | Self::Pick => true,
            Self::Text(text) | Self::File { name: Some(text), .. } => !text.is_fixed(),
            _ => false,
        })
    }

    /// Whether it needs a pick.
    #[must_use]
    pub(crate) fn picks(&self) -> bool {
        self.any(&|part| match part {
            Self::Pick => true,
            Self::Text(text) | Self::File { name: Some(text), .. } => text.picks(),
            _ => false,
        })
    }

    /// The first argument of a call, if this is a list that begins with a text.
    #[must_use]
    pub(crate) fn first_text(&self, chosen: Chosen) -> Option<String> {
        let Self::List(items) = self else { return None };
        let Some(Self::Text(text)) = items.first() else { return None };
        Some(text.fill(chosen))
    }

    /// Whether this or a part of it is so.
    fn any(&self, is_so: &dyn Fn(&Self) -> bool) -> bool {
        is_so(self)
            || match self {
                Self::List(items) | Self::Set(items) => items.iter().any(|item| item.any(is_so)),
                Self::Object(members) | Self::Form(members) => {
                    members.iter().any(|(_, value)| value.any(is_so))
                }
                Self::Map(entries) => entries.iter().any(|(key, value)| key.any(is_so) || value.any(is_so)),
                _ => false,
            }
    }

    fn slot(&self, chosen: Chosen, builder: &mut Builder) -> Slot {
        Slot::Node(match self {
            Self::Undefined => return Slot::Undefined,
            Self::Null => return Slot::Null,
            Self::Bool(truth) => return Slot::Bool(*truth),
            Self::Number(number) => return Slot::Number(*number),
            Self::Text(text) => return Slot::String(text.fill(chosen).into()),
            Self::Date(date) => return Slot::Date(*date),
            Self::BigInt(number) => return Slot::BigInt(number.clone()),
            // Numbers count from 1 and a run does not last long enough for 2^53.
            Self::CallNumber => return Slot::Number(chosen.number as f64),
            Self::Pick => return Slot::Number(f64::from(chosen.pick)),
            Self::List(items) => {
                let items = slots(items, chosen, builder);
                builder.add(Node::Array(items))
            }
            Self::Set(items) => {
                let items = slots(items, chosen, builder);
                builder.add(Node::Set(items))
            }
            Self::Object(members) => {
                let members = named(members, chosen, builder);
                builder.add(Node::Object(members))
            }
            Self::Form(entries) => {
                let entries = named(entries, chosen, builder);
                builder.add(Node::FormData(entries))
            }
            Self::Map(entries) => {
                let pair =
                    |(key, value): &(Self, Self)| (key.slot(chosen, builder), value.slot(chosen, builder));
                let entries = entries.iter().map(pair).collect();
                builder.add(Node::Map(entries))
            }
            Self::Bytes(bytes) => {
                builder.add(Node::Bytes(TypedArray { kind: ArrayKind::Uint8, bytes: filling(*bytes).into() }))
            }
            Self::File { bytes, media_type, name } => {
                file(*bytes, media_type, name.as_ref().map(|it| it.fill(chosen)), builder)
            }
        })
    }
}

fn slots(items: &[Template], chosen: Chosen, builder: &mut Builder) -> Vec<Slot> {
    items.iter().map(|item| item.slot(chosen, builder)).collect()
}

fn named(members: &[(String, Template)], chosen: Chosen, builder: &mut Builder) -> Vec<(JsString, Slot)> {
    members.iter().map(|(name, value)| (name.as_str().into(), value.slot(chosen, builder))).collect()
}

fn file(bytes: usize, media_type: &str, name: Option<String>, builder: &mut Builder) -> NodeId {
    builder.add(Node::Blob(Blob {
        name: name.map(JsString::from),
        media_type: media_type.into(),
        content: filling(bytes).into(),
    }))
}

/// Bytes that are neither text nor all the same.
fn filling(bytes: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(bytes).collect()
}

/// Reads an array of arguments.
pub(super) fn arguments(array: &DeArray<'_>, findings: &mut Findings<'_>) -> Template {
    Template::List(items(array, findings))
}

fn items(array: &DeArray<'_>, findings: &mut Findings<'_>) -> Vec<Template> {
    array.iter().filter_map(|item| template(item, findings)).collect()
}

/// Reads a text with placeholders.
pub(super) fn text(written: &str, at: &Range<usize>, findings: &mut Findings<'_>) -> Option<Text> {
    match Text::parse(written) {
        Ok(text) => Some(text),
        Err(words) => {
            for word in words {
                findings.add(at, unknown(&word));
            }
            None
        }
    }
}

/// Reads a value; what is wrong is among the findings.
fn template(value: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>) -> Option<Template> {
    let at = value.span();
    Some(match value.get_ref() {
        DeValue::String(written) => Template::Text(text(written, &at, findings)?),
        DeValue::Boolean(truth) => Template::Bool(*truth),
        DeValue::Float(number) => Template::Number(number.as_str().parse().ok()?),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok();
            let Some(safe) = parsed.filter(|number| number.unsigned_abs() <= SAFE_INTEGER) else {
                let written = findings.written(&at);
                findings.add(
                    &at,
                    format!("JavaScript has no number {written}: write {{ \"$bigint\" = \"{written}\" }}"),
                );
                return None;
            };
            Template::Number(safe as f64)
        }
        DeValue::Datetime(date) => return self::date(&date.to_string(), &at, findings),
        DeValue::Array(array) => Template::List(items(array, findings)),
        DeValue::Table(table) => {
            let tag = table.iter().find(|(key, _)| key.get_ref().starts_with('$'));
            match tag {
                Some((key, value)) if table.len() == 1 => return tagged(key, value, findings),
                Some((key, _)) => {
                    findings.add(&at, format!("a table with `{}` has no other keys", key.get_ref()));
                    return None;
                }
                None => Template::Object(members(table, findings)),
            }
        }
    })
}

fn members(table: &DeTable<'_>, findings: &mut Findings<'_>) -> Vec<(String, Template)> {
    let member = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        Some((name.clone().into_owned(), template(value, findings)?))
    };
    table.iter().filter_map(member).collect()
}

fn date(written: &str, at: &Range<usize>, findings: &mut Findings<'_>) -> Option<Template> {
    let date = Date::parse(&written.replacen(' ', "T", 1));
    if date.millis().is_none() {
        findings.add(at, format!("{} is no date that JavaScript can hold", findings.written(at)));
        return None;
    }
    Some(Template::Date(date))
}

/// Reads a table with one key that begins with `$`.
fn tagged(
    key: &Spanned<std::borrow::Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
    findings: &mut Findings<'_>,
) -> Option<Template> {
    let at = value.span();
    let tag: &str = key.get_ref();
    let Some((_, takes, _)) = VALUES.iter().find(|(name, ..)| *name == tag) else {
        let known = VALUES.iter().map(|(name, ..)| *name);
        findings.add(&key.span(), format!("`{tag}` is no kind of value; {}", instead(tag, known)));
        return None;
    };
    let read = match (tag, value.get_ref()) {
        ("$undefined", DeValue::Boolean(true)) => Some(Template::Undefined),
        ("$null", DeValue::Boolean(true)) => Some(Template::Null),
        ("$number", DeValue::Boolean(true)) => Some(Template::CallNumber),
        ("$pick", DeValue::Boolean(true)) => Some(Template::Pick),
        ("$date", DeValue::String(written)) => return date(written, &at, findings),
        ("$bigint", DeValue::String(digits)) => BigInt::from_decimal(digits).ok().map(Template::BigInt),
        ("$map", DeValue::Array(array)) => pairs(array, findings).map(Template::Map),
        ("$set", DeValue::Array(array)) => Some(Template::Set(items(array, findings))),
        ("$form", DeValue::Array(array)) => form(array, findings).map(Template::Form),
        ("$bytes", length) => bytes(length).map(Template::Bytes),
        ("$file", DeValue::Table(table)) => return file_of(table, &at, findings),
        _ => None,
    };
    if read.is_none() {
        findings.add(&at, format!("`{tag}` has to be as in {takes}, not {}", findings.written(&at)));
    }
    read
}

fn bytes(value: &DeValue<'_>) -> Option<usize> {
    let DeValue::Integer(number) = value else { return None };
    let bytes = u64::from_str_radix(number.as_str(), number.radix()).ok().filter(|it| *it <= BYTES_MAX)?;
    usize::try_from(bytes).ok()
}

/// Nothing if an item is no pair.
fn pairs(array: &DeArray<'_>, findings: &mut Findings<'_>) -> Option<Vec<(Template, Template)>> {
    let mut pairs = Vec::new();
    for item in array {
        match item.get_ref().as_array().map(|pair| pair.iter().collect::<Vec<_>>()).as_deref() {
            Some([key, value]) => {
                pairs.extend(template(key, findings).zip(template(value, findings)));
            }
            _ => return None,
        }
    }
    Some(pairs)
}

/// Nothing if an item is not a name and a text or a file.
fn form(array: &DeArray<'_>, findings: &mut Findings<'_>) -> Option<Vec<(String, Template)>> {
    let entry = |item: &Spanned<DeValue<'_>>| {
        let name = item.get_ref().as_array()?.first()?.get_ref().as_str()?;
        Some(name.to_owned())
    };
    let names = array.iter().map(entry).collect::<Option<Vec<_>>>()?;
    let values = pairs(array, findings)?.into_iter().map(|(_, value)| value);
    let entries: Vec<_> = names.into_iter().zip(values).collect();
    let fit = |(_, value): &(_, Template)| matches!(value, Template::Text(_) | Template::File { .. });
    entries.iter().all(fit).then_some(entries)
}

fn file_of(table: &DeTable<'_>, at: &Range<usize>, findings: &mut Findings<'_>) -> Option<Template> {
    const KEYS: [&str; 3] = ["bytes", "type", "name"];
    let mut unknown = false;
    for (key, _) in table {
        let written: &str = key.get_ref();
        if !KEYS.contains(&written) {
            unknown = true;
            let instead = instead(written, KEYS.into_iter());
            findings.add(&key.span(), format!("a `$file` has no `{written}`; {instead}"));
        }
    }
    let text_of = |name: &str| match table.get(name).map(|value| (value, value.get_ref().as_str())) {
        None => Ok(None),
        Some((value, Some(text))) => Ok(Some((text, value.span()))),
        Some((_, None)) => Err(()),
    };
    let length = table.get("bytes").and_then(|value| bytes(value.get_ref()));
    let (Some(bytes), Ok(media_type), Ok(name)) = (length, text_of("type"), text_of("name")) else {
        let takes = VALUES.iter().find(|(tag, ..)| *tag == "$file").map_or("", |(_, takes, _)| takes);
        findings.add(at, format!("`$file` has to be as in {takes}, not {}", findings.written(at)));
        return None;
    };
    let name = match name {
        Some((name, at)) => Some(text(name, &at, findings)?),
        None => None,
    };
    let media_type = media_type.map_or("application/octet-stream", |(text, _)| text).to_owned();
    (!unknown).then_some(Template::File { bytes, media_type, name })
}
