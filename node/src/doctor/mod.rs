//! What a node or a person looks at to see whether a cluster can work as promised: Redis, keys, builds. Each check says
//! what was found and, if that is not well, what to do.

mod members;
mod setup;

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use callboard_cluster::{
    core,
    redis::{Connection, OpenError},
    store::{Answer, Command},
};
use callboard_protocol::KeyRing;
use serde_json::json;
use tracing::warn;

use crate::{
    build_id::BuildId,
    clock,
    first_connection::{OutOfPatience, PATIENCE, Unanswered, patiently},
    keys::Keys,
    settings::{Settings, cluster::ClusterSettings},
};

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    StateDir,
    SpillDir,
    Redis,
    Version,
    Scripts,
    Eviction,
    Persistence,
    Replicas,
    Latency,
    Clock,
    Keys,
    Builds,
}

impl Subject {
    /// In the order in which they are told.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 12] = [
        Self::StateDir,
        Self::SpillDir,
        Self::Redis,
        Self::Version,
        Self::Scripts,
        Self::Eviction,
        Self::Persistence,
        Self::Replicas,
        Self::Latency,
        Self::Clock,
        Self::Keys,
        Self::Builds,
    ];

    /// As it is printed, logged and documented.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::StateDir => "state-dir",
            Self::SpillDir => "spill-dir",
            Self::Redis => "redis",
            Self::Version => "version",
            Self::Scripts => "scripts",
            Self::Eviction => "eviction",
            Self::Persistence => "persistence",
            Self::Replicas => "replicas",
            Self::Latency => "latency",
            Self::Clock => "clock",
            Self::Keys => "keys",
            Self::Builds => "builds",
        }
    }

    /// What hangs on it, as it is printed and documented.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::StateDir => "a node keeps its keys there, and the application whatever it stores",
            Self::SpillDir => "large uploads are kept there while they are used",
            Self::Redis => "it is what the nodes of a cluster share",
            Self::Version => "scripts have to say what they do before they begin, which is new in 7.0",
            Self::Scripts => "by INFO, nodes notice that Redis was restarted or replaced",
            Self::Eviction => {
                "a Redis that drops keys when it is full drops calls, and what became of others"
            }
            Self::Persistence => "a Redis that comes back empty has forgotten which calls ran",
            Self::Replicas => {
                "a master that was replaced and does not know it has to stop, or calls of one key run at once"
            }
            Self::Latency => {
                "calls that cross nodes wait for Redis, and connections that are too slow are given up"
            }
            Self::Clock => "deadlines are told in the time of Redis, and seals expire by that of a node",
            Self::Keys => "what one node signs has to be genuine at the others",
            Self::Builds => "a call runs on nodes that have its action",
        }
    }
}

/// How well it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Ok,
    /// It works, and will cost something one day.
    Warning,
    /// Something that is promised does not hold.
    Problem,
}

impl Verdict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) subject: Subject,
    pub(crate) verdict: Verdict,
    /// What there is.
    pub(crate) found: String,
    /// What to do about it; empty where it is well.
    pub(crate) advice: String,
}

impl Check {
    fn ok(subject: Subject, found: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Ok, found: found.into(), advice: String::new() }
    }

    fn warning(subject: Subject, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Warning, found: found.into(), advice: advice.into() }
    }

    fn problem(subject: Subject, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Problem, found: found.into(), advice: advice.into() }
    }
}

/// The worst of all.
pub(crate) fn verdict(checks: &[Check]) -> Verdict {
    checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok)
}

/// For programs: the object that docs/OPERATIONS.md promises.
pub(crate) fn to_json(checks: &[Check]) -> serde_json::Value {
    let check = |Check { subject, verdict, found, advice }: &Check| {
        json!({
            "subject": subject.name(),
            "verdict": verdict.name(),
            "found": found,
            "advice": advice,
            "meaning": subject.meaning(),
        })
    };
    json!({
        "verdict": verdict(checks).name(),
        "checks": checks.iter().map(check).collect::<Vec<_>>(),
    })
}

/// Whether a node that starts needs Redis there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It has nothing to begin with otherwise.
    Needed,
    /// It may come later: until then pages are rendered for each request, and calls that wait for no other run here.
    Hoped,
}

/// How long a node that can do without waits for its Redis.
const HOPE: Duration = Duration::from_secs(2);

/// What a node of a cluster looks at when it starts. It goes on with a Redis that is not set up well, and says so; but not
/// with one that drops keys when it is full.
///
/// # Errors
///
/// Redis cannot be used and is needed, refuses this node, or may evict keys.
pub(crate) async fn look_at_start(
    cluster: &ClusterSettings,
    presence: Presence,
) -> anyhow::Result<core::Settings> {
    let patience = if presence == Presence::Needed { PATIENCE } else { HOPE };
    let looked = patiently(&cluster.redis, patience, async |connection| {
        Ok(connection.inspect(clock::unix_ms).await.map_err(Unanswered::from)?)
    });
    let findings = match looked.await {
        Ok(findings) => findings,
        Err(error) if presence == Presence::Hoped && error.is::<OutOfPatience>() => {
            warn!(
                error = format!("{error:#}"),
                "starting without redis; nothing is shared until it is there"
            );
            return Ok(cluster.core_unseen());
        }
        Err(error) => return Err(error),
    };
    let core = cluster.core(&findings);
    for check in setup::checks(&findings, &core) {
        let (name, found, advice) = (check.subject.name(), check.found, check.advice);
        match check.verdict {
            Verdict::Ok => {}
            Verdict::Problem if check.subject == Subject::Eviction => {
                bail!("redis at {} may drop keys when it is full ({found}): {advice}", cluster.redis.url)
            }
            _ => warn!(check = name, found, advice, "redis is not set up as a cluster needs it"),
        }
    }
    Ok(core)
}

/// Looks at everything. `cluster` is none for a node that is alone.
pub(crate) async fn examine(
    application: &str,
    settings: &Settings,
    state_dir: &Path,
    cluster: Option<&ClusterSettings>,
    build: BuildId,
) -> Vec<Check> {
    let spill_dir = settings.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
    let mut checks =
        vec![folder_check(Subject::StateDir, state_dir), folder_check(Subject::SpillDir, &spill_dir)];
    let Some(cluster) = cluster else {
        checks.push(Check::ok(Subject::Redis, "none is set: this node is alone"));
        checks.push(keys_of_one(application, settings, state_dir));
        return checks;
    };
    match Connection::open(&cluster.redis, core::Connection::Commands).await {
        Ok((connection, _)) => {
            let place = format!("reached at {}", cluster.redis.url);
            checks.push(Check::ok(Subject::Redis, place));
            match look(&connection, application, settings, cluster, build).await {
                Ok(found) => checks.extend(found),
                Err(error) => checks.push(Check::problem(
                    Subject::Redis,
                    format!("{error:#}"),
                    "see whether it has just been restarted or replaced, and try again",
                )),
            }
        }
        Err(error) => checks.push(unreachable(error)),
    }
    checks
}

async fn look(
    connection: &Connection,
    application: &str,
    settings: &Settings,
    cluster: &ClusterSettings,
    build: BuildId,
) -> anyhow::Result<Vec<Check>> {
    let findings = connection.inspect(clock::unix_ms).await.map_err(Unanswered::from)?;
    let mut checks = setup::checks(&findings, &cluster.core(&findings));
    let Answer::View(view) = connection.perform(Command::View).await.map_err(Unanswered::from)? else {
        anyhow::bail!("redis answered something else than a view");
    };
    let members: Vec<_> = view.into_iter().flat_map(|view| view.members.into_values()).collect();
    let (own, configured) = match Keys::configured(application, settings) {
        Ok(Some(keys)) => (Ok(Some(keys)), true),
        Ok(None) => (Keys::look_up(connection, build).await, false),
        Err(error) => (Err(error), true),
    };
    checks.push(match own {
        Ok(own) => {
            let ring = own.map(|keys| keys.ring);
            members::keys(ring.as_ref(), configured, build, &members)
        }
        Err(error) => Check::problem(Subject::Keys, format!("{error:#}"), "see docs/OPERATIONS.md, Keys"),
    });
    checks.push(members::builds(build, &members));
    Ok(checks)
}

/// There is no connection: which of the checks it is that failed.
fn unreachable(error: OpenError) -> Check {
    let subject = match error {
        OpenError::TooOld { .. } => Subject::Version,
        OpenError::NoIncarnation { .. } => Subject::Scripts,
        _ => Subject::Redis,
    };
    let advice = match error {
        OpenError::TooOld { .. } => "upgrade Redis to 7.0.15 or later",
        OpenError::NoIncarnation { .. } => "allow INFO to this user; a provider that forbids it will not do",
        OpenError::Credentials { .. } => "see user and password in the setting redis",
        OpenError::Forbidden { .. } => "give the user the permissions of docs/OPERATIONS.md",
        OpenError::Replica { .. } | OpenError::NoMaster { .. } | OpenError::NoOwner { .. } => {
            "see the address in the setting redis"
        }
        OpenError::OtherKind { .. } => {
            "find out who writes to this key, delete it, or choose another namespace"
        }
        OpenError::Refused { .. } => "see docs/OPERATIONS.md, Bad days of Redis",
        OpenError::NoCryptography { .. } => "install a provider before App::run: docs/OPERATIONS.md, TLS",
        OpenError::TimedOut { .. } | OpenError::Unreachable { .. } => {
            "see whether it runs, and whether this machine may connect to it"
        }
    };
    Check::problem(subject, format!("{:#}", anyhow::Error::new(error)), advice)
}

/// Whether a file can be made in a folder that the setting of this name is about.
fn folder_check(subject: Subject, folder: &Path) -> Check {
    match tempfile::tempfile_in(folder) {
        Ok(_) => Check::ok(subject, folder.display().to_string()),
        Err(error) => Check::problem(
            subject,
            format!("no file can be made in {}: {error}", folder.display()),
            format!(
                "let this user write there, or name another folder (setting {})",
                subject.name().replace('-', "_")
            ),
        ),
    }
}

fn keys_of_one(application: &str, settings: &Settings, state_dir: &Path) -> Check {
    let found = match Keys::configured(application, settings) {
        Ok(Some(keys)) => Ok(configured_ring(&keys.ring)),
        Ok(None) => Keys::in_file(state_dir).map(|record| match record.len() {
            0 => "none yet: they are made when the node starts".to_owned(),
            builds => format!("those of {builds} builds are kept in the state directory"),
        }),
        Err(error) => Err(error),
    };
    match found.context("keys") {
        Ok(found) => Check::ok(Subject::Keys, found),
        Err(error) => Check::problem(Subject::Keys, format!("{error:#}"), "see docs/OPERATIONS.md, Keys"),
    }
}

fn configured_ring(ring: &KeyRing) -> String {
    format!("{} configured, key {} signs", counted(ring.fingerprints().count(), "key"), ring.signing_key_id())
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A duration in ms, as a person would write it.
fn in_ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests;
