//! What each command asks of Redis.

use std::time::Duration;

use callboard_protocol::revalidation::{Epoch, LogPosition};
use redis::{Cmd, RedisResult, Value};

use super::{
    CacheLink, CacheStore, Entered, answers,
    payload::{pack, pack_all},
};
use crate::{
    cache::store::{Answer, Command, Mark, Staleness},
    redis::scripts::Script,
    store::Failure,
};

/// Most bytes of marks in one answer, unless one entry alone has more.
const READ_BYTES_MAX: usize = 1 << 20;

/// Performs a command. What is asked is sent at the first poll.
pub(super) async fn perform(link: CacheLink, store: CacheStore, command: Command) -> Result<Answer, Failure> {
    if let Command::Open { known, seen } = command {
        return open(&link, &store, known, seen).await;
    }
    let Some(Question { script, epoch, after }) = question(&link, store.entered(), &command) else {
        return Ok(Answer::Superseded);
    };
    let counts_when_replicated = matches!(command, Command::Renew { .. } | Command::Publish { .. });
    let replicas = link.settings.cache_replicas_wait.filter(|_| counts_when_replicated);
    let asked = match replicas {
        None => link.ask(&script).await.map(|value| (value, true)),
        Some((replicas, time)) => ask_replicated(&link, script, replicas, time).await,
    };
    let (value, is_replicated) = match asked {
        Ok(asked) => asked,
        Err(error) => return Err(link.failed(&error, false).await),
    };
    match link.understood(answers::answered(value, epoch, after))? {
        Answer::Superseded => Ok(Answer::Superseded),
        answer if is_replicated => Ok(answer),
        Answer::Published { position, .. } => Ok(Answer::Unreplicated { appended: Some(position) }),
        _ => Ok(Answer::Unreplicated { appended: None }),
    }
}

async fn open(
    link: &CacheLink,
    store: &CacheStore,
    known: Epoch,
    seen: LogPosition,
) -> Result<Answer, Failure> {
    let entered = store.entered();
    // What this process was in before, it knows, too.
    let known = entered.as_ref().map_or(known, |entered| known.max(entered.epoch));
    let mut script = Script::CacheOpen.with_keys(link.keys.all());
    script.arg(known.as_u64()).arg(seen.epoch().as_u64()).arg(seen.sequence());
    match &entered {
        Some(entered) => script.arg(entered.epoch.as_u64()).arg(&*entered.began),
        None => script.arg("").arg(""),
    };
    script.arg(ttl_ms(link));
    match link.ask(&script).await {
        Ok(value) => {
            let (entered, tail) = link.understood(answers::opened(value))?;
            let epoch = entered.epoch;
            store.enter(entered);
            Ok(Answer::Opened { epoch, tail })
        }
        Err(error) => Err(link.failed(&error, false).await),
    }
}

/// What is asked in an epoch.
struct Question {
    script: Cmd,
    epoch: Epoch,
    /// From where it reads what follows.
    after: LogPosition,
}

/// What is asked for a command, or nothing if this process is not in the epoch that it names.
fn question(link: &CacheLink, entered: Option<Entered>, command: &Command) -> Option<Question> {
    let (script, epoch, after) = match command {
        Command::Open { .. } => return None,
        Command::Renew { epoch, after, .. } => (Script::CacheRenew, epoch, Some(after)),
        Command::Publish { epoch, after, .. } => (Script::CachePublish, epoch, Some(after)),
        Command::Acknowledge { epoch, applied, .. } => (Script::CacheAcknowledge, epoch, Some(applied)),
        Command::Registered { epoch } => (Script::CacheRegistered, epoch, None),
        Command::Reap { epoch, .. } => (Script::CacheReap, epoch, None),
        Command::Leave { epoch, .. } => (Script::CacheLeave, epoch, None),
    };
    let entered = entered.filter(|entered| entered.epoch == *epoch)?;
    // Before the first position of an epoch stands all of the epochs before it.
    let after = after.map_or(epoch.start(), |after| *after.max(&epoch.start()));
    if after.epoch() != *epoch {
        return None;
    }
    let settings = &link.settings;
    let mut script = script.with_keys(link.keys.all());
    script.arg(epoch.as_u64()).arg(&*entered.began).arg(ttl_ms(link));
    script.arg(settings.cache_log_entries_max).arg(settings.cache_read_entries_max).arg(READ_BYTES_MAX);
    match command {
        Command::Renew { process, declared, .. } => {
            let declared = declared.iter().map(|tag| Mark { tag: *tag, staleness: Staleness::Hard });
            script.arg(process.to_string()).arg(after.sequence()).arg(pack(declared));
        }
        Command::Publish { process, marks, .. } => {
            script
                .arg(process.to_string())
                .arg(after.sequence())
                .arg(marks.as_deref().map_or_else(pack_all, |marks| pack(marks.iter().copied())));
        }
        Command::Acknowledge { process, .. } => {
            script.arg(process.to_string()).arg(after.sequence());
        }
        Command::Reap { process, grants, .. } => {
            script.arg(process.to_string()).arg(*grants);
        }
        Command::Leave { process, .. } => {
            script.arg(process.to_string());
        }
        Command::Open { .. } | Command::Registered { .. } => {}
    }
    Some(Question { script, epoch: *epoch, after })
}

fn ttl_ms(link: &CacheLink) -> u64 {
    link.settings.keys_ttl.as_millis() as u64
}

/// Asks, and whether that many replicas have what came of it.
async fn ask_replicated(
    link: &CacheLink,
    script: Cmd,
    replicas: u32,
    time: Duration,
) -> RedisResult<(Value, bool)> {
    let mut both = redis::pipe();
    both.add_command(script).add_command(wait(replicas, time));
    let mut answers = link.redis.clone().send_packed_commands(&both, 0, 2).await?.into_iter();
    let value = answers.next().unwrap_or(Value::Nil).extract_error()?;
    // Whatever else it answers, it does not say that they have it.
    let confirmed = matches!(answers.next(), Some(Value::Int(have)) if have >= i64::from(replicas));
    Ok((value, confirmed))
}

/// Without a time it would wait for ever.
pub(super) fn wait(replicas: u32, time: Duration) -> Cmd {
    let mut wait = redis::cmd("WAIT");
    wait.arg(replicas).arg((time.as_millis() as u64).max(1));
    wait
}
