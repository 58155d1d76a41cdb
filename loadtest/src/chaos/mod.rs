//! Breaks a cluster of its own under load, and checks that it kept its word.
//!
//! Reading order: [`timetable`] says when which [`fault`] is done; [`inject`] does it to the [`fleet`]; [`carry_out`] keeps the
//! appointments while load is driven, and says what came of each; [`recovery`] is what is known when all is over.

mod fault;
mod fleet;
mod inject;
mod recovery;
mod timetable;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use tokio::time::sleep;

pub(crate) use fault::Fault;
pub(crate) use fleet::Fleet;
pub(crate) use timetable::{Appointment, time_needed, timetable};

use crate::{
    engine::Handle,
    machine::node::{Log, Recipe},
    recorder::Harm,
    results,
};
use inject::{Injected, Injector};

/// The name of the cluster in its Redis.
const NAMESPACE: &str = "loadtest";

/// What is broken, and how.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) nodes: usize,
    pub(crate) binary: PathBuf,
    pub(crate) faults: Vec<Fault>,
    /// How long a node is paused or cut off.
    pub(crate) outage: Duration,
    /// From one fault to the next.
    pub(crate) each: Duration,
    /// Settings of the nodes, as names of flags and values.
    pub(crate) node_settings: Vec<(String, String)>,
    pub(crate) environment: Vec<(String, OsString)>,
}

/// What nodes do without these settings: how long a lease stands still before it is over, and how often it is renewed.
const CALL_FENCE: Duration = Duration::from_secs(3);
const CALL_RENEW: Duration = Duration::from_millis(800);

impl Settings {
    /// Refuses an outage that ends before the others are sure to have noticed it: such faults do not land.
    ///
    /// # Errors
    ///
    /// That it is too short, and how long it has to be.
    pub(crate) fn check_outage(&self) -> anyhow::Result<()> {
        let fence = self.lease("call-fence", CALL_FENCE)?;
        let needed = fence + self.lease("call-renew", CALL_RENEW)? * 2;
        if let Some(fault) = self.faults.iter().find(|fault| fault.is_outage())
            && self.outage < needed
        {
            bail!(
                "--outage {:?} is too short for {fault}: a membership ends {fence:?} (call_fence) after its last renewal, \
                 and two renewals later all know it; ask for {needed:?} or more, or for shorter ones with \
                 --node-setting call-renew=…, call-hold=… and call-fence=…",
                self.outage
            );
        }
        Ok(())
    }

    /// A setting that is a time, as the nodes are given it.
    fn lease(&self, flag: &str, default: Duration) -> anyhow::Result<Duration> {
        let given = self.node_settings.iter().rev().find(|(name, _)| name.replace('_', "-") == flag);
        given.map_or(Ok(default), |(name, value)| {
            humantime::parse_duration(value).with_context(|| format!("--node-setting {name}={value}"))
        })
    }

    /// How its nodes are started, with everything of theirs in this folder.
    ///
    /// Nodes share a database and a ledger there, unless the environment names others.
    ///
    /// # Errors
    ///
    /// If the binary cannot be run.
    pub(crate) fn recipe(&self, folder: &std::path::Path) -> anyhow::Result<Recipe> {
        let mut recipe = Recipe::new(self.binary.clone(), folder, NAMESPACE, Log::Files)?;
        let database = format!("sqlite://{}?mode=rwc", folder.join("shared.sqlite").display());
        let defaults = [("DATABASE_URL", database.into()), ("LEDGER", ledger(folder).into_os_string())];
        for (name, value) in defaults {
            if std::env::var_os(name).is_none() {
                recipe.environment.push((name.to_owned(), value));
            }
        }
        recipe.environment.extend(self.environment.iter().cloned());
        // A connection that a node closes by itself is not to be confused with one that breaks.
        recipe.settings.push(("keep-alive".to_owned(), "24h".to_owned()));
        recipe.settings.extend(self.node_settings.iter().cloned());
        Ok(recipe)
    }
}

/// Where the actions of the workload write themselves down.
pub(crate) fn ledger(folder: &std::path::Path) -> PathBuf {
    std::env::var_os("LEDGER").map_or_else(|| folder.join("ledger"), PathBuf::from)
}

/// What was done to a cluster.
pub(crate) struct Carried {
    pub(crate) fleet: Fleet,
    /// What came of each fault that is over.
    pub(crate) faults: Vec<results::Fault>,
    /// Why no more were done, if the cluster could not be broken as it should, or did not come back.
    pub(crate) failed: anyhow::Result<()>,
}

/// Does every fault when it is due, and says what came of it. Ends before the load does, and with it if that is stopped.
pub(crate) async fn carry_out(
    fleet: Fleet,
    load: &Handle,
    settings: &Settings,
    appointments: &[Appointment],
) -> Carried {
    let mut injector = Injector { fleet, load: load.clone(), outage: settings.outage };
    let mut faults = Vec::new();
    let all = async {
        for appointment in appointments {
            faults.push(keep(appointment, &mut injector, load, settings).await?);
        }
        anyhow::Ok(())
    };
    let failed = tokio::select! {
        done = all => done,
        () = load.stopped() => Ok(()),
    };
    Carried { fleet: injector.fleet, faults, failed }
}

/// Keeps an appointment, and waits until what the fault led to has come in.
async fn keep(
    appointment: &Appointment,
    injector: &mut Injector,
    load: &Handle,
    settings: &Settings,
) -> anyhow::Result<results::Fault> {
    sleep(appointment.at.saturating_sub(load.now())).await;
    let (at, before, in_flight) = (load.now(), load.harm(), load.under_way());
    let injected = injector.inject(appointment.fault, appointment.lot).await;
    let injected = injected.with_context(|| format!("{} at {:.1} s", appointment.fault, at.as_secs_f64()))?;
    let until = load.now();
    load.mark(at, Some(until), format!("{} {}", appointment.fault, injected.victim));
    let next = appointment.at + settings.each.mul_f64(0.85);
    sleep(next.saturating_sub(load.now())).await;
    let taken_over = load.taken_over();
    let told = Told { at, until, taken_over, in_flight: in_flight as u64, before, after: load.harm() };
    Ok(told.of(appointment.fault, injected, settings.nodes as u64))
}

/// Fills in how long each fault's recovery took, when everything is over.
pub(crate) fn fill_in_recovery(results: &mut results::Results) {
    let ends: Vec<_> = results.faults.iter().skip(1).map(|fault| fault.at_s).collect();
    let end = results.seconds.len() as f64;
    for (place, fault) in results.faults.iter_mut().enumerate() {
        let until = ends.get(place).copied().unwrap_or(end);
        fault.recovery_s = recovery::recovery(&results.seconds, fault.at_s, until);
    }
}

/// What is known of a fault that is over.
struct Told {
    at: Duration,
    until: Duration,
    taken_over: Option<Duration>,
    in_flight: u64,
    before: Harm,
    after: Harm,
}

impl Told {
    fn of(&self, fault: Fault, injected: Injected, nodes: u64) -> results::Fault {
        let mut effects = injected.effects;
        effects.harmed = self.after.requests - self.before.requests;
        let (landed, mut missed) = fault.landed(&effects, nodes);
        let lost = self.after.lost - self.before.lost;
        if fault.is_harmless() && lost > 0 {
            missed.push(format!("an answer to every request that says what became of it: {lost} had none"));
        }
        let last_harm = self.after.last.filter(|last| *last > self.at && effects.harmed > 0);
        let since = |time: Duration| time.saturating_sub(self.at).as_secs_f64();
        results::Fault {
            fault: fault.name().to_owned(),
            victim: injected.victim,
            at_s: self.at.as_secs_f64(),
            until_s: self.until.as_secs_f64(),
            landed,
            missed,
            detection_s: injected.detection.map(|time| time.as_secs_f64()),
            takeover_s: self.taken_over.map(since),
            harm_s: last_harm.map(since),
            recovery_s: None,
            in_flight: self.in_flight,
            outcomes: self.after.since(&self.before),
            fenced_pages: self.after.fenced_pages - self.before.fenced_pages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nodes_do_without_settings_is_what_their_documentation_says() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
        let documentation = std::fs::read_to_string(file).unwrap();
        for (name, default) in [("call_fence", CALL_FENCE), ("call_renew", CALL_RENEW)] {
            let row = format!("| [`{name}`](#{name}) | `{default:?}` |");
            assert!(documentation.contains(&row), "{row}");
        }
    }
}
