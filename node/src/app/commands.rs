//! Commands that print and end.

use std::time::Duration;

use anyhow::{Context as _, bail};
use callboard_protocol::{
    KeyRing, flight,
    key_ring::KeyId,
    reference::ActionReference,
    sealing::{self, SealOptions},
};

use super::{App, serve};
use crate::{
    build_id::BuildId,
    clock,
    doctor::{self, Verdict},
    keys::{Keys, Purpose},
    manifest::Manifest,
    registry::Registry,
    settings::{Settings, cluster::ClusterSettings},
};

pub(super) fn new_keys() {
    let ring = KeyRing::generate(KeyId::new(rand::random()), rand::random());
    println!("{}", &*ring.to_text());
}

pub(super) fn actions(app: &App, settings: &Settings, json: bool) -> anyhow::Result<()> {
    let (registry, build, _) = known(app, settings)?;
    let manifest = Manifest::of(&registry, build);
    if json {
        println!("{}", serde_json::to_string_pretty(&manifest)?);
    } else {
        print!("{manifest}");
    }
    Ok(())
}

pub(super) fn seal(app: &App, settings: &Settings, name: &str, values: &str) -> anyhow::Result<()> {
    let (registry, _, ring) = known(app, settings)?;
    let action = registry.actions().find(|action| action.entry.name == name);
    let action = action.with_context(|| format!("there is no action {name:?}; see the command `actions`"))?;
    let values: serde_json::Value = serde_json::from_str(values).context("the values are not JSON")?;
    if !values.is_array() {
        bail!("the values are not an array");
    }
    let rows = flight::encode(&values, 0)?;
    println!("{}", sealing::seal(&ring, &action.reference, &rows, SealOptions::default(), rand::random()));
    Ok(())
}

/// How a seal is opened for a person who looks into it.
pub(super) struct Unseal<'a> {
    /// Whose it is, if it is somebody's alone.
    pub(super) principal: Option<&'a str>,
    /// Whether one that expired is opened, too.
    pub(super) ignore_expiry: bool,
}

pub(super) fn unseal(
    app: &App,
    settings: &Settings,
    reference: &str,
    sealed: &str,
    options: &Unseal<'_>,
) -> anyhow::Result<()> {
    let (_, _, ring) = known(app, settings)?;
    let reference = ActionReference::parse(reference)?.verify(&ring)?;
    let now_ms = if options.ignore_expiry { 0 } else { clock::unix_ms() };
    let rows = sealing::open(&ring, &reference, sealed, now_ms, options.principal)?;
    let values = flight::parse(&rows, &flight::Limits::default())?;
    let values = values.root.ok().context("what is sealed is not a value")?;
    println!("{}", serde_json::to_string(&values)?);
    Ok(())
}

/// Prints what was found, a check a line, and below one that is not well what hangs on it and what to do. Gives the worst
/// verdict.
///
/// # Errors
///
/// If nothing could be looked at.
pub(super) fn doctor(app: &App, settings: &Settings, json: bool) -> anyhow::Result<Verdict> {
    let build = BuildId::of_executable().context("cannot read this program's own file")?;
    let state_dir = serve::state_dir_path(app.name, settings)?;
    // As a node would; if that cannot be, it is what a check says.
    drop(std::fs::create_dir_all(&state_dir));
    let cluster = cluster(app, settings)?;
    let checks = block_on(doctor::examine(app.name, settings, &state_dir, cluster.as_ref(), build))?;
    if json {
        println!("{:#}", doctor::to_json(&checks));
        return Ok(doctor::verdict(&checks));
    }
    for check in &checks {
        println!("{:<7}  {:<11}  {}", check.verdict.name(), check.subject.name(), check.found);
        if check.verdict != Verdict::Ok {
            println!("{:<7}  {:<11}  why: {}", "", "", check.subject.meaning());
            println!("{:<7}  {:<11}  do: {}", "", "", check.advice);
        }
    }
    Ok(doctor::verdict(&checks))
}

/// The settings of the cluster, if the application runs as one.
pub(super) fn cluster(app: &App, settings: &Settings) -> anyhow::Result<Option<ClusterSettings>> {
    let (allowed, _) = app.actions();
    let timeout_max = allowed.iter().filter_map(|entry| entry.timeout).max().unwrap_or(Duration::ZERO);
    Ok(ClusterSettings::of(settings, app.name, timeout_max)?)
}

/// Runs what waits for Redis.
fn block_on<T>(asked: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(asked))
}

fn known(app: &App, settings: &Settings) -> anyhow::Result<(Registry, BuildId, KeyRing)> {
    let build = BuildId::of_executable().context("cannot read this program's own file")?;
    let state_dir = serve::state_dir(app.name, settings)?;
    let keys = match cluster(app, settings)? {
        Some(cluster) if settings.keys.is_none() => {
            block_on(Keys::load_shared(&cluster.redis, settings, build, Purpose::Print))??.0
        }
        _ => Keys::load(app.name, settings, &state_dir, build, Purpose::Print)?,
    };
    let (allowed, _) = app.actions();
    Ok((
        Registry::new(allowed, super::pages(), &keys.salt, &keys.ring, settings.metrics_actions_max)?,
        build,
        keys.ring,
    ))
}
