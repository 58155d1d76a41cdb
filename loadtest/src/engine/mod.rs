//! Drives a run: begins requests when they should begin, whatever became of those before.
//!
//! Everything happens on one thread, which has to run a [`tokio::runtime::LocalRuntime`] or be within a `LocalSet`.

mod asking;
mod descriptors;
mod handle;
mod pacing;
mod timer;

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use tokio::sync::watch;

pub(crate) use descriptors::raise as raise_descriptors;
pub(crate) use handle::Handle;

use crate::{
    generator::Limits,
    operation::Operations,
    oracle::Oracles,
    results::{self, Results, SCHEMA},
    scenario::Scenario,
    target::Targets,
    view::{Phase, Snapshot},
};
use asking::Asking;
use handle::Shared;

/// How many operations may be under way at once, unless another number is asked for.
///
/// 50,000: at a few kilobytes each they fit in memory, and a target that answers within a second carries 50,000 requests per
/// second with them. What is due beyond that begins later, is counted, and latency counts the wait.
pub(crate) const IN_FLIGHT_MAX: usize = 50_000;

/// How often the oracles look, and those who watch are told.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A run, before it runs.
pub(crate) struct Plan<P = Operations> {
    pub(crate) scenario: Scenario,
    pub(crate) targets: Targets,
    pub(crate) operations: P,
    pub(crate) oracles: Oracles,
    pub(crate) seed: u64,
    /// The command that does the same again.
    pub(crate) command: String,
    pub(crate) pace: Pace,
    pub(crate) in_flight_max: usize,
}

/// What decides when a request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The scenario's rate.
    Open,
    /// The end of the one before: as many at once as there may be connections to all targets. Says how much can be
    /// carried, and nothing of how long anybody would have waited.
    Saturating,
}

/// What is performed. [`Operations`] are; tests perform what they like.
pub(crate) trait Performs: 'static {
    /// The next one.
    fn draw(&self) -> usize;

    /// Performs it.
    fn perform(&self, operation: usize, intended: Duration, asks: &Asking) -> impl Future<Output = ()>;

    /// What could not be asked as a preparation failed, and how often.
    fn unasked(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

impl Performs for Operations {
    fn draw(&self) -> usize {
        self.draw()
    }

    async fn perform(&self, operation: usize, intended: Duration, asks: &Asking) {
        self.perform(operation, intended, asks).await;
    }

    fn unasked(&self) -> BTreeMap<String, u64> {
        self.unasked()
    }
}

/// A run that can be driven.
pub(crate) struct Run<P = Operations> {
    shared: Rc<Shared>,
    operations: Rc<P>,
    scenario: Scenario,
    seed: u64,
    command: String,
    pace: Pace,
    limits: Limits,
    watched: watch::Sender<Snapshot>,
}

impl<P: Performs> Run<P> {
    #[must_use]
    pub(crate) fn new(plan: Plan<P>) -> Self {
        let limits = Limits {
            connections_max: plan.scenario.load.connections_max,
            in_flight_max: plan.in_flight_max.max(1),
        };
        let is_saturating = plan.pace == Pace::Saturating;
        Self {
            shared: Rc::new(Shared::new(&plan.scenario, plan.targets, plan.oracles, limits, is_saturating)),
            operations: Rc::new(plan.operations),
            scenario: plan.scenario,
            seed: plan.seed,
            command: plan.command,
            pace: plan.pace,
            limits,
            watched: watch::Sender::default(),
        }
    }

    /// For whoever marks, stops or breaks something while it runs.
    #[must_use]
    pub(crate) fn handle(&self) -> Handle {
        Handle(Rc::clone(&self.shared))
    }

    /// For whoever watches, on any thread: a few times a second.
    #[must_use]
    pub(crate) fn snapshots(&self) -> watch::Receiver<Snapshot> {
        self.watched.subscribe()
    }

    /// Runs it. Everything that was sent has ended afterwards, or was waited for as long as the scenario says.
    ///
    /// # Errors
    ///
    /// If an oracle cannot see what it has to, or the system has no timer for us.
    pub(crate) async fn drive(self) -> anyhow::Result<Results> {
        let began = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        self.shared.begin();
        tokio::select! {
            driven = self.load() => driven?,
            failed = self.look_on() => failed?,
        }
        self.finish(began)
    }

    async fn load(&self) -> anyhow::Result<()> {
        match self.pace {
            Pace::Open => self.open(self.limits.in_flight_max).await?,
            Pace::Saturating => self.saturate().await,
        }
        self.shared.drain(self.scenario.load.timeout * 2).await;
        Ok(())
    }

    /// Never ends but with an error.
    async fn look_on(&self) -> anyhow::Result<()> {
        let mut interval = tokio::time::interval(LOOK_INTERVAL);
        loop {
            interval.tick().await;
            self.shared.look()?;
            self.watched.send_replace(self.shared.snapshot());
        }
    }

    fn finish(self, began: String) -> anyhow::Result<Results> {
        let mut last = self.shared.snapshot();
        let mut ended = self.shared.end(&self.scenario)?;
        let unasked = self.operations.unasked().into_iter();
        ended.generator.warnings.extend(unasked.map(|(what, count)| format!("{count} times: {what}")));
        last.phase = Phase::Settling;
        last.violations = ended.oracles.iter().map(|oracle| oracle.violations).sum();
        self.watched.send_replace(last);
        let targets =
            self.shared.targets.places().into_iter().enumerate().map(|(place, target)| results::Target {
                name: target.authority(),
                kind: self.shared.targets.kind().name().to_owned(),
                url: target.url,
                requests: ended.recorded.by_target.get(place).copied().unwrap_or(0),
            });
        Ok(Results {
            schema: SCHEMA.to_owned(),
            scenario: self.scenario.name,
            about: self.scenario.about,
            command: self.command,
            seed: self.seed,
            began,
            duration_s: self.scenario.load.duration.as_secs_f64(),
            partial: ended.partial,
            targets: targets.collect(),
            total: ended.recorded.total,
            operations: ended.recorded.operations,
            seconds: ended.recorded.seconds,
            marks: ended.recorded.marks,
            generator: ended.generator,
            oracles: ended.oracles,
            faults: Vec::new(),
            objectives: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests;
