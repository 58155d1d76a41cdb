//! What Redis answered about the log, read as what the store answers.

use callboard_protocol::{
    identity::ProcessId,
    revalidation::{Epoch, LogPosition},
};
use redis::Value;

use super::{Entered, payload::unpack};
use crate::{
    cache::store::{Answer, Entry, Following},
    redis::answers::{Part, Parts, Unexpected, from_hex, list, number, text},
};

/// Of [`Command::Open`](crate::cache::store::Command::Open).
pub(super) fn opened(value: Value) -> Part<(Entered, LogPosition)> {
    let mut parts = Parts::of(value, "an epoch")?;
    let epoch = Epoch::new(number(&parts.next()?, "an epoch")?).ok_or(Unexpected("an epoch"))?;
    let began = text(&parts.next()?, "when an epoch began")?.into();
    let tail = position(epoch, &parts.next()?)?;
    Ok((Entered { epoch, began }, tail))
}

/// Of any other command, which was asked in this epoch. `after` is the position from which it reads.
pub(super) fn answered(value: Value, epoch: Epoch, after: LogPosition) -> Part<Answer> {
    let mut parts = Parts::of(value, "an answer")?;
    Ok(match text(&parts.next()?, "an answer")? {
        "superseded" => Answer::Superseded,
        "renewed" => Answer::Renewed {
            tail: position(epoch, &parts.next()?)?,
            watermark: position(epoch, &parts.next()?)?,
            following: following(parts.next()?, after)?,
        },
        "published" => Answer::Published {
            position: position(epoch, &parts.next()?)?,
            has_others: number::<u8>(&parts.next()?, "a flag")? == 1,
            following: following(parts.next()?, after)?,
        },
        "acknowledged" => Answer::Acknowledged { watermark: position(epoch, &parts.next()?)? },
        "registered" => Answer::Registered(registered(parts)?),
        "reaped" => Answer::Reaped(number::<u8>(&parts.next()?, "a flag")? == 1),
        "left" => Answer::Left,
        _ => return Err(Unexpected("an answer")),
    })
}

fn position(epoch: Epoch, value: &Value) -> Part<LogPosition> {
    LogPosition::new(epoch, number(value, "a position")?).ok_or(Unexpected("a position"))
}

/// Marks of one entry after the other, or nothing where some of them are gone.
fn following(value: Value, after: LogPosition) -> Part<Following> {
    if matches!(value, Value::Nil) {
        return Ok(Following::Trimmed);
    }
    let entries = (after.sequence() + 1..).zip(list(value, "entries")?).map(|(sequence, marks)| {
        let position = LogPosition::new(after.epoch(), sequence).ok_or(Unexpected("a position"))?;
        let Value::BulkString(marks) = marks else { return Err(Unexpected("marks")) };
        Ok(Entry { position, marks: unpack(&marks) })
    });
    entries.collect::<Part<_>>().map(Following::Entries)
}

fn registered(parts: Parts) -> Part<Vec<(ProcessId, u64)>> {
    let mut rest = parts.rest();
    let mut all = Vec::with_capacity(rest.len() / 2);
    while let Some(process) = rest.next() {
        let process = ProcessId::from_u128(from_hex(text(&process, "a process")?, "a process")?);
        let grants = rest.next().ok_or(Unexpected("a number of leases"))?;
        all.push((process, number(&grants, "a number of leases")?));
    }
    Ok(all)
}
