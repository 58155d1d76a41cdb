//! What Redis answered, read as what the store answers.

#![expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "readers of answers have one type, so that each command names its own"
)]

use std::{collections::BTreeSet, str::FromStr};

use bytes::Bytes;
use callboard_protocol::{
    action::CallId,
    identity::{Incarnation, RedisMillis, ViewVersion},
};
use redis::Value;

use super::BuildKeys;
use crate::{
    Slot,
    store::{Answer, EntryId, Member, Orphan, Profile, Record, Renewal, Sent, Verdict, View},
};

/// An answer, or that it is none.
pub(crate) type Decoded = Result<Answer, Unexpected>;

/// Something else than the scripts answer: other nodes of this cluster run another version of them, or something else uses
/// the keys.
#[derive(Debug, thiserror::Error)]
#[error(
    "redis answered something unexpected where {0} belongs: does something else use the keys of this namespace?"
)]
pub(crate) struct Unexpected(pub(crate) &'static str);

pub(crate) type Part<T> = Result<T, Unexpected>;

pub(crate) fn done(_: Value) -> Decoded {
    Ok(Answer::Done)
}

pub(crate) fn build_keys(value: Value) -> Part<BuildKeys> {
    let mut parts = Parts::of(value, "the keys of builds")?;
    let time = RedisMillis::from_u64(number(&parts.next()?, "a time")?);
    let record = match parts.next()? {
        Value::Nil => None,
        Value::BulkString(record) => Some(record),
        _ => return Err(Unexpected("the keys of builds")),
    };
    Ok(BuildKeys { time, record })
}

pub(crate) fn flag(value: &Value) -> Part<bool> {
    Ok(number::<u8>(value, "a flag")? == 1)
}

pub(crate) fn opened(value: Value) -> Decoded {
    Ok(Answer::Opened(flag(&value)?))
}

pub(crate) fn fencing(value: Value) -> Decoded {
    Ok(Answer::Fencing(flag(&value)?))
}

pub(crate) fn left(value: Value) -> Decoded {
    Ok(Answer::Left(flag(&value)?))
}

pub(crate) fn sent(value: Value) -> Decoded {
    Ok(Answer::Sent(match text(&value, "what became of a frame")? {
        "ok" => Sent::Now,
        "dup" => Sent::Before,
        "kept" => Sent::Kept,
        "gone" => Sent::Gone,
        "full" => Sent::Full,
        _ => return Err(Unexpected("what became of a frame")),
    }))
}

pub(crate) fn leases(value: Value) -> Decoded {
    let counter = |value: Value| match value {
        Value::Nil => Ok(None),
        value => number(&value, "a counter").map(Some),
    };
    Ok(Answer::Leases(list(value, "leases")?.into_iter().map(counter).collect::<Part<_>>()?))
}

pub(crate) fn renewed(value: Value) -> Decoded {
    let mut parts = Parts::of(value, "a renewal")?;
    match text(&parts.next()?, "a renewal")? {
        "fenced" => Ok(Answer::Fenced),
        _ => Ok(Answer::Renewed(Renewal {
            counter: number(&parts.next()?, "a counter")?,
            incarnation: Incarnation::named(text(&parts.next()?, "an incarnation")?),
            time: RedisMillis::from_u64(number(&parts.next()?, "a time")?),
            claimed: number(&parts.next()?, "a number of entries")?,
        })),
    }
}

pub(crate) fn joined(value: Value) -> Decoded {
    let mut parts = Parts::of(value, "an answer to joining")?;
    match text(&parts.next()?, "an answer to joining")? {
        "stale" => Ok(Answer::Stale),
        "fenced" => Ok(Answer::Fenced),
        "disagree" => {
            let ids = parts.0.map(|id| number(&id, "the id of a key")).collect::<Part<_>>()?;
            Ok(Answer::KeysDisagree(ids))
        }
        _ => {
            let time = RedisMillis::from_u64(number(&parts.next()?, "a time")?);
            let view = read_view(parts.next()?)?.ok_or(Unexpected("a view"))?;
            Ok(Answer::Joined { view, time })
        }
    }
}

pub(crate) fn view(value: Value) -> Decoded {
    Ok(Answer::View(read_view(value)?))
}

/// The fields of the view: some of the whole, some per session.
fn read_view(value: Value) -> Part<Option<View>> {
    let mut view = View {
        version: ViewVersion::default(),
        incarnation: Incarnation::named(""),
        open: false,
        opened: ViewVersion::default(),
        members: std::collections::BTreeMap::new(),
        orphans: BTreeSet::new(),
    };
    let mut there = false;
    for (field, value) in pairs(value, "a view")? {
        let (field, value) = (text(&field, "a field of the view")?, text(&value, "a part of the view")?);
        let version = || parse(value, "a version").map(ViewVersion::from_u64);
        match field.split_once(':') {
            None => match field {
                "incarnation" => (there, view.incarnation) = (true, Incarnation::named(value)),
                "version" => view.version = version()?,
                "opened" => view.opened = version()?,
                "open" => view.open = value == "1",
                // Of a later version.
                _ => {}
            },
            Some(("orphan", boot)) => {
                view.orphans.insert(parse(boot, "a boot")?);
            }
            Some((kind, boot)) => {
                let member = view.members.entry(parse(boot, "a boot")?).or_insert_with(nobody);
                match kind {
                    "acked" => member.acked = version()?,
                    "draining" => member.draining = true,
                    "build" => member.profile.build = from_hex(value, "a build")?,
                    "busy" => {
                        let slots = items(value).map(|slot| parse(slot, "a slot").map(Slot::from_index));
                        member.busy = slots.collect::<Part<_>>()?;
                    }
                    "lined" => {
                        let names = items(value).map(|name| Ok(from_hex(name, "an action")? as u64));
                        member.profile.lined = names.collect::<Part<_>>()?;
                    }
                    "keys" => {
                        let keys = items(value).map(|key| {
                            let (id, fingerprint) = key.split_once('=').ok_or(Unexpected("a key"))?;
                            Ok((
                                parse(id, "the id of a key")?,
                                from_hex(fingerprint, "a fingerprint")? as u64,
                            ))
                        });
                        member.profile.keys = keys.collect::<Part<_>>()?;
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(there.then_some(view))
}

fn nobody() -> Member {
    Member {
        profile: Profile::default(),
        draining: false,
        acked: ViewVersion::default(),
        busy: BTreeSet::new(),
    }
}

/// Nothing, or one stream with its entries.
pub(crate) fn frames(value: Value) -> Decoded {
    let Some((_, entries)) = pairs(value, "streams")?.into_iter().next() else {
        return Ok(Answer::Frames(Vec::new()));
    };
    let mut frames = Vec::new();
    for entry in list(entries, "entries")? {
        let mut entry = Parts::of(entry, "an entry")?;
        let id = entry_id(&entry.next()?)?;
        // An entry that was deleted while it was claimed has no fields.
        let fields = entry.next()?;
        if !matches!(fields, Value::Nil) {
            let mut fields = Parts::of(fields, "the fields of an entry")?;
            let _name = fields.next()?;
            frames.push((id, bytes(fields.next()?)?));
        }
    }
    Ok(Answer::Frames(frames))
}

pub(crate) fn orphan(value: Value) -> Decoded {
    let parts = list(value, "an orphan")?;
    if parts.is_empty() {
        return Ok(Answer::Orphan(None));
    }
    let mut parts = Parts(parts.into_iter());
    Ok(Answer::Orphan(Some(Orphan {
        claimed: flat(parts.next()?)?,
        undelivered: flat(parts.next()?)?,
        replies: flat(parts.next()?)?,
    })))
}

fn flat(value: Value) -> Part<Vec<(EntryId, Bytes)>> {
    pairs(value, "entries")?.into_iter().map(|(id, frame)| Ok((entry_id(&id)?, bytes(frame)?))).collect()
}

pub(crate) fn verdict(value: Value) -> Decoded {
    let mut parts = Parts::of(value, "a verdict")?;
    Ok(Answer::Idempotency(match text(&parts.next()?, "a verdict")? {
        "run" => Verdict::Run,
        "conflict" => Verdict::Conflict,
        _ => {
            let (state, boot, call, attempt) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let boot = || parse(text(&boot, "a boot")?, "a boot");
            let call = CallId::from_u128(from_hex(text(&call, "a call")?, "a call")?);
            Verdict::Taken(match text(&state, "a state")? {
                "running" => {
                    Record::Running { boot: boot()?, call, attempt: number(&attempt, "an attempt")? }
                }
                "unknown" => Record::Unknown { boot: boot()?, call },
                "done" => Record::Done { call, outcome: bytes(parts.next()?)? },
                _ => return Err(Unexpected("a state")),
            })
        }
    }))
}

/// The parts of an array, one after the other.
pub(crate) struct Parts(std::vec::IntoIter<Value>);

impl Parts {
    pub(crate) fn of(value: Value, what: &'static str) -> Part<Self> {
        Ok(Self(list(value, what)?.into_iter()))
    }

    pub(crate) fn next(&mut self) -> Part<Value> {
        self.0.next().ok_or(Unexpected("one more part"))
    }

    /// Those that are left.
    pub(crate) fn rest(self) -> std::vec::IntoIter<Value> {
        self.0
    }
}

pub(crate) fn list(value: Value, what: &'static str) -> Part<Vec<Value>> {
    match value {
        Value::Array(parts) => Ok(parts),
        _ => Err(Unexpected(what)),
    }
}

/// A map, which scripts answer as an array.
pub(crate) fn pairs(value: Value, what: &'static str) -> Part<Vec<(Value, Value)>> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Map(pairs) => Ok(pairs),
        Value::Array(parts) => {
            let mut parts = parts.into_iter();
            let mut pairs = Vec::with_capacity(parts.len() / 2);
            while let (Some(first), Some(second)) = (parts.next(), parts.next()) {
                pairs.push((first, second));
            }
            Ok(pairs)
        }
        _ => Err(Unexpected(what)),
    }
}

pub(crate) fn text<'a>(value: &'a Value, what: &'static str) -> Part<&'a str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).map_err(|_| Unexpected(what)),
        Value::SimpleString(text) => Ok(text),
        _ => Err(Unexpected(what)),
    }
}

pub(crate) fn number<T: FromStr + TryFrom<i64>>(value: &Value, what: &'static str) -> Part<T> {
    match value {
        Value::Int(number) => T::try_from(*number).map_err(|_| Unexpected(what)),
        value => parse(text(value, what)?, what),
    }
}

fn bytes(value: Value) -> Part<Bytes> {
    match value {
        Value::BulkString(bytes) => Ok(bytes.into()),
        _ => Err(Unexpected("bytes")),
    }
}

pub(crate) fn parse<T: FromStr>(text: &str, what: &'static str) -> Part<T> {
    text.parse().map_err(|_| Unexpected(what))
}

pub(crate) fn from_hex(text: &str, what: &'static str) -> Part<u128> {
    u128::from_str_radix(text, 16).map_err(|_| Unexpected(what))
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|item| !item.is_empty())
}

fn entry_id(value: &Value) -> Part<EntryId> {
    let (ms, number) = text(value, "an entry")?.split_once('-').ok_or(Unexpected("an entry"))?;
    Ok(EntryId { ms: parse(ms, "an entry")?, number: parse(number, "an entry")? })
}
