//! What each command asks of Redis.

use std::{fmt::Write as _, time::Duration};

use callboard_protocol::identity::Boot;
use redis::{Cmd, RedisResult, Value};

use super::{
    answers::{self, Decoded},
    keys::{Keys, OfSession},
    link::Link,
    scripts::Script,
};
use crate::store::{Answer, Command, EntryId, Failure, Profile, RUNNING_MS, Record, Stream};

/// Performs a command. What is asked first is sent at the first poll.
pub(crate) async fn perform(link: Link<Keys>, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::ReadReplies { boot, after, frames_max } => read_replies(link, boot, after, frames_max).await,
        Command::ReadRequests { boot, frames_max } => {
            let read = read_group(&link, boot, ">", frames_max, true);
            read_claiming(link, boot, read).await
        }
        Command::ReadClaimed { boot, after, frames_max } => {
            let read = read_group(&link, boot, &after.to_string(), frames_max, false);
            read_claiming(link, boot, read).await
        }
        Command::Leases { boots } if boots.is_empty() => Ok(Answer::Leases(Vec::new())),
        command => {
            let (question, kind, decode) = question(&link, &command);
            let asked = match kind {
                Kind::Script => link.ask(&question).await,
                Kind::Plain => ask_remembered(&link, &question).await,
            };
            match asked {
                Ok(value) if is_lost(&value) => Err(link.forgotten()),
                Ok(value) => link.understood(decode(value)),
                Err(error) => Err(link.failed(&error, kind == Kind::Plain).await),
            }
        }
    }
}

/// What the scripts say that refuse as Redis forgot everything.
const LOST: &str = "lost";

fn is_lost(value: &Value) -> bool {
    matches!(value, Value::BulkString(text) if text == LOST.as_bytes())
}

/// Asks for a command that is no script. What it finds counts only if Redis still remembers, which is asked after it.
async fn ask_remembered(link: &Link<Keys>, question: &Cmd) -> RedisResult<Value> {
    let memory = redis::cmd("GET").arg(link.keys.memory()).clone();
    // The first poll puts both into the queue, in this order.
    let (found, memory) = tokio::join!(link.ask(question), link.ask(&memory));
    Ok(if remembers(link, &memory?) { found? } else { Value::BulkString(LOST.into()) })
}

/// Whether this is the name of what Redis remembered when the connection was made.
fn remembers(link: &Link<Keys>, memory: &Value) -> bool {
    matches!(memory, Value::BulkString(name) if **name == *link.memory.as_bytes())
}

/// What a read that found no stream comes to.
async fn no_stream(link: &Link<Keys>) -> Result<Answer, Failure> {
    let memory = redis::cmd("GET").arg(link.keys.memory()).clone();
    match link.ask(&memory).await {
        Ok(memory) if remembers(link, &memory) => Ok(Answer::Gone),
        Ok(_) => Err(link.forgotten()),
        Err(error) => Err(link.failed(&error, true).await),
    }
}

/// Whether a command is one to Redis, which executes all of it or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Script,
}

type Decode = fn(Value) -> Decoded;

/// What is asked of Redis for a command that does not wait.
fn question(link: &Link<Keys>, command: &Command) -> (Cmd, Kind, Decode) {
    let keys = &link.keys;
    match command {
        Command::Leases { boots } => {
            let leases: Vec<_> = boots.iter().map(|boot| keys.of(OfSession::Lease, *boot)).collect();
            (with(redis::cmd("MGET"), leases), Kind::Plain, answers::leases)
        }
        Command::View => (with(redis::cmd("HGETALL"), keys.view()), Kind::Plain, answers::view),
        Command::TrimReplies { boot, through } => {
            let mut trim = redis::cmd("XTRIM");
            trim.arg(keys.of(OfSession::Replies, *boot)).arg("MINID").arg(text(&after(*through)));
            (trim, Kind::Plain, answers::done)
        }
        Command::IdempotencyBegin { .. }
        | Command::IdempotencyFinish { .. }
        | Command::IdempotencyAbandon { .. }
        | Command::IdempotencyResolve { .. }
        | Command::IdempotencyRestore { .. } => {
            let (script, decode) = script_on_record(link, command);
            (with(script, &*link.memory), Kind::Script, decode)
        }
        _ => {
            let (script, decode) = script_on_session(link, command);
            (with(script, &*link.memory), Kind::Script, decode)
        }
    }
}

/// A script on these keys; its arguments follow, and then the name of what Redis has to remember.
fn on(keys: &Keys, script: Script, places: impl Into<Vec<String>>) -> Cmd {
    let mut places = places.into();
    places.push(keys.memory());
    script.with_keys(&places)
}

/// Scripts on sessions and on the view.
fn script_on_session(link: &Link<Keys>, command: &Command) -> (Cmd, Decode) {
    let keys = &link.keys;
    let ttl_ms = link.settings.keys_ttl.as_millis() as u64;
    let of_session = |script: Script, boot: Boot| on(keys, script, keys.session(boot));
    let of_view = |script: Script| on(keys, script, [keys.view()]);
    match command {
        Command::OpenInbox { boot } => {
            (with(of_session(Script::OpenInbox, *boot), (text(boot), ttl_ms)), answers::opened)
        }
        Command::Join { boot, profile, incarnation, busy } => {
            let (build, lined, fingerprints) = of_profile(profile);
            let mut join = with(of_session(Script::Join, *boot), (text(boot), ttl_ms, incarnation.as_str()));
            join.arg(build).arg(lined).arg(fingerprints).arg(listed(busy));
            (join, answers::joined)
        }
        Command::Renew { boot } => (with(of_session(Script::Renew, *boot), ttl_ms), answers::renewed),
        Command::Send { to, stream, sender, number, frame } => {
            let places = [OfSession::stream(*stream), OfSession::Cursors, OfSession::OldCursors];
            let (letter, frames_max) = match stream {
                Stream::Requests => ('q', link.settings.inbox_frames_max.to_string()),
                Stream::Replies => ('r', String::new()),
            };
            let send = on(keys, Script::Send, places.map(|kind| keys.of(kind, *to)));
            (with(send, (format!("{letter}{sender}"), *number, frames_max, &frame[..])), answers::sent)
        }
        Command::Settle { boot, entries } => {
            let settle = on(keys, Script::Settle, [keys.of(OfSession::Requests, *boot)]);
            (with(settle, texts(entries)), answers::done)
        }
        Command::Fence { boot, counter } => {
            (with(of_session(Script::Fence, *boot), (*counter, ttl_ms)), answers::fencing)
        }
        Command::Evict { boot } => (with(of_session(Script::Evict, *boot), text(boot)), answers::view),
        Command::Orphan { boot, requests_after, replies_after, frames_max } => {
            let frames_max = u32::try_from(*frames_max).unwrap_or(u32::MAX);
            let piece = (text(boot), ttl_ms, text(requests_after), text(replies_after), frames_max);
            (with(of_session(Script::Orphan, *boot), piece), answers::orphan)
        }
        Command::OrphanDone { boot, requests, replies } => {
            let mut forget =
                with(of_session(Script::OrphanDone, *boot), (text(boot), ttl_ms, requests.len()));
            forget.arg(texts(requests)).arg(texts(replies));
            (forget, answers::done)
        }
        Command::AckView { boot, version, busy, number } => {
            let said = (text(boot), version.as_u64(), listed(busy), *number);
            (with(of_view(Script::AckView), said), answers::done)
        }
        Command::Drain { boot } => (with(of_view(Script::Drain), text(boot)), answers::view),
        Command::Leave { boot } => {
            (with(of_session(Script::Leave, *boot), (text(boot), ttl_ms)), answers::left)
        }
        Command::Open { incarnation } => (with(of_view(Script::Open), incarnation.as_str()), answers::view),
        _ => unreachable!("reads and plain commands are asked elsewhere"),
    }
}

/// Scripts on what is known of idempotency keys.
fn script_on_record(link: &Link<Keys>, command: &Command) -> (Cmd, Decode) {
    let keys = &link.keys;
    match command {
        Command::IdempotencyBegin { idempotency, boot, call, attempt, again } => {
            let mut begin = on(keys, Script::IdempotencyBegin, [keys.idempotency(idempotency.key)]);
            begin.arg(hex(idempotency.digest)).arg(text(boot)).arg(text(call)).arg(*attempt);
            begin.arg(u8::from(*again)).arg(RUNNING_MS);
            (begin, answers::verdict)
        }
        Command::IdempotencyFinish { idempotency, call, outcome, retention_ms } => {
            let mut finish = on(keys, Script::IdempotencyFinish, [keys.idempotency(idempotency.key)]);
            finish.arg(hex(idempotency.digest)).arg(text(call)).arg(&outcome[..]).arg(ttl(*retention_ms));
            (finish, answers::done)
        }
        Command::IdempotencyAbandon { idempotency, boot, call, attempt } => {
            let abandon = on(keys, Script::IdempotencyAbandon, [keys.idempotency(idempotency.key)]);
            (with(abandon, (text(boot), text(call), *attempt)), answers::done)
        }
        Command::IdempotencyResolve { idempotency, boot, call, attempt } => {
            let places = [keys.idempotency(idempotency.key), keys.of(OfSession::Lease, *boot)];
            let resolve = on(keys, Script::IdempotencyResolve, places);
            (with(resolve, (text(boot), text(call), *attempt)), answers::done)
        }
        Command::IdempotencyRestore { idempotency, record, retention_ms } => {
            let mut restore = on(keys, Script::IdempotencyRestore, [keys.idempotency(idempotency.key)]);
            restore.arg(ttl(*retention_ms));
            of_record(&mut restore, record, idempotency.digest);
            (restore, answers::done)
        }
        _ => unreachable!("asked for those commands alone"),
    }
}

fn read_group(link: &Link<Keys>, boot: Boot, after: &str, frames_max: usize, wait: bool) -> Cmd {
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg("g").arg("o").arg("COUNT").arg(frames_max);
    if wait {
        read.arg("BLOCK").arg(block_ms(link.settings.block));
    }
    read.arg("STREAMS").arg(link.keys.of(OfSession::Requests, boot)).arg(after);
    read
}

/// Reads by the group, so that what is read is claimed.
async fn read_claiming(link: Link<Keys>, boot: Boot, read: Cmd) -> Result<Answer, Failure> {
    let error = match link.ask(&read).await {
        Ok(frames) => return link.understood(answers::frames(frames)),
        Err(error) => error,
    };
    match error.code() {
        Some("NOGROUP") => no_stream(&link).await,
        // The stream was renamed while the read waited, or Redis stopped being a master.
        Some("UNBLOCKED") => {
            let exists = redis::cmd("EXISTS").arg(link.keys.of(OfSession::Requests, boot)).clone();
            match link.ask(&exists).await {
                Ok(Value::Int(0)) => no_stream(&link).await,
                _ => Err(Failure::Refused(error.to_string())),
            }
        }
        _ => Err(link.failed(&error, true).await),
    }
}

/// Reads from the last entry seen. Such a read waits for a stream that is not there just as for one that is empty, so one
/// that waited for nothing is followed by the question whether it is there.
async fn read_replies(
    link: Link<Keys>,
    boot: Boot,
    after: EntryId,
    frames_max: usize,
) -> Result<Answer, Failure> {
    let stream = link.keys.of(OfSession::Replies, boot);
    let mut read = redis::cmd("XREAD");
    read.arg("COUNT").arg(frames_max).arg("BLOCK").arg(block_ms(link.settings.block));
    read.arg("STREAMS").arg(&stream).arg(after.to_string());
    match link.ask(&read).await {
        Ok(Value::Nil) => match link.ask(redis::cmd("EXISTS").arg(&stream)).await {
            Ok(Value::Int(0)) => no_stream(&link).await,
            Ok(_) => Ok(Answer::Frames(Vec::new())),
            Err(error) => Err(link.failed(&error, true).await),
        },
        Ok(frames) => link.understood(answers::frames(frames)),
        Err(error) => Err(link.failed(&error, true).await),
    }
}

fn with(mut command: Cmd, arguments: impl redis::ToRedisArgs) -> Cmd {
    command.arg(arguments);
    command
}

fn text(something: &impl ToString) -> String {
    something.to_string()
}

fn texts(entries: &[EntryId]) -> Vec<String> {
    entries.iter().map(ToString::to_string).collect()
}

fn hex(number: u128) -> String {
    format!("{number:032x}")
}

/// The first entry that is not forgotten.
fn after(through: EntryId) -> EntryId {
    match through.number.checked_add(1) {
        Some(number) => EntryId { number, ..through },
        None => EntryId { ms: through.ms.saturating_add(1), number: 0 },
    }
}

/// A wait of 0 would be one for ever.
fn block_ms(block: Duration) -> u64 {
    (block.as_millis() as u64).max(1)
}

/// Redis refuses times to live that end beyond its calendar, and would do so in the middle of a script.
fn ttl(retention_ms: u64) -> u64 {
    const CENTURY_MS: u64 = 100 * 365 * 24 * 60 * 60 * 1000;
    retention_ms.min(CENTURY_MS)
}

fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

/// Build, actions and keys, as they stand in the view.
fn of_profile(profile: &Profile) -> (String, String, String) {
    let mut fingerprints = String::new();
    for (id, fingerprint) in &profile.keys {
        let separator = if fingerprints.is_empty() { "" } else { "," };
        write!(fingerprints, "{separator}{id}={fingerprint:x}").expect("strings take everything");
    }
    (hex(profile.build), listed(profile.lined.iter().map(|name| format!("{name:x}"))), fingerprints)
}

/// State and call, then the rest in pairs.
fn of_record(restore: &mut Cmd, record: &Record, digest: u128) {
    let state = match record {
        Record::Running { .. } => "running",
        Record::Done { .. } => "done",
        Record::Unknown { .. } => "unknown",
    };
    restore.arg(state).arg(text(&record.call())).arg("digest").arg(hex(digest));
    match record {
        Record::Running { boot, attempt, .. } => {
            restore.arg("boot").arg(text(boot)).arg("attempt").arg(*attempt);
        }
        Record::Done { outcome, .. } => {
            restore.arg("outcome").arg(&outcome[..]);
        }
        Record::Unknown { boot, .. } => {
            restore.arg("boot").arg(text(boot));
        }
    }
}
