//! What all that takes part in a run has in common.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    generator::{Generator, Limits},
    observation::{Answer, TargetId},
    oracle::Oracles,
    recorder::{Harm, Recorded, Recorder},
    results,
    scenario::Scenario,
    target::Targets,
    view::{Snapshot, TargetView},
};

/// A run that is under way, for whoever marks, stops or breaks something.
#[derive(Clone)]
pub(crate) struct Handle(pub(super) Rc<Shared>);

impl Handle {
    /// Since the run began.
    pub(crate) fn now(&self) -> Duration {
        self.0.now()
    }

    /// Something happened at this time.
    pub(crate) fn mark(&self, at: Duration, until: Option<Duration>, what: impl Into<String>) {
        self.0.recorder.borrow_mut().mark(at, until, what.into());
    }

    /// This process was killed: what ran in it has no end.
    pub(crate) fn killed(&self, process: u32) {
        if let Some(oracles) = self.0.oracles.borrow_mut().as_mut() {
            oracles.killed(process);
        }
    }

    /// This process, or none, is about to be broken.
    pub(crate) fn breaks(&self, process: Option<u32>) {
        if let Some(oracles) = self.0.oracles.borrow_mut().as_mut() {
            oracles.breaks(process);
        }
    }

    /// When another process had run for the first time what was for the broken one to run.
    pub(crate) fn taken_over(&self) -> Option<Duration> {
        self.0.oracles.borrow().as_ref().and_then(Oracles::taken_over)
    }

    /// From now on this target may say nothing.
    pub(crate) fn silenced(&self, target: TargetId) {
        if let Some(oracles) = self.0.oracles.borrow_mut().as_mut() {
            oracles.silenced(target, self.now());
        }
    }

    /// It has to answer again what it is sent from now on.
    pub(crate) fn answers_again(&self, target: TargetId) {
        if let Some(oracles) = self.0.oracles.borrow_mut().as_mut() {
            oracles.answers_again(target, self.now());
        }
    }

    /// Begins nothing more; the results will say that this is why they are of a part of the run.
    pub(crate) fn stop(&self, why: impl Into<String>) {
        self.0.partial.borrow_mut().get_or_insert_with(|| why.into());
        self.0.recorder.borrow_mut().end_at(self.now());
        self.0.stopped.notify_waiters();
    }

    /// When nothing more begins before its time.
    pub(crate) async fn stopped(&self) {
        if !self.is_stopped() {
            self.0.stopped.notified().await;
        }
    }

    /// What clients noticed of faults so far.
    pub(crate) fn harm(&self) -> Harm {
        self.0.recorder.borrow().harm()
    }

    /// Requests that have not ended.
    pub(crate) fn under_way(&self) -> usize {
        self.0.under_way.get()
    }

    /// Whether nothing more begins.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }
}

pub(super) struct Shared {
    /// Its name.
    scenario: String,
    began: Cell<Instant>,
    /// How long an answer is waited for.
    pub(super) timeout: Duration,
    pub(super) targets: Targets,
    pub(super) recorder: RefCell<Recorder>,
    /// None any more once it is over.
    pub(super) oracles: RefCell<Option<Oracles>>,
    pub(super) generator: RefCell<Generator>,
    /// Operations that are being performed.
    pub(super) under_way: Cell<usize>,
    /// One of them ended.
    pub(super) one_ended: Notify,
    /// Nothing more begins.
    pub(super) stopped: Notify,
    partial: RefCell<Option<String>>,
    /// Targets that sent us elsewhere, and where.
    redirects: RefCell<Vec<(TargetId, String)>>,
}

/// All that a run leaves.
pub(super) struct Ended {
    pub(super) recorded: Recorded,
    pub(super) generator: results::Generator,
    pub(super) oracles: Vec<results::Oracle>,
    pub(super) partial: Option<String>,
}

impl Shared {
    pub(super) fn new(
        scenario: &Scenario,
        targets: Targets,
        oracles: Oracles,
        limits: Limits,
        is_saturating: bool,
    ) -> Self {
        Self {
            scenario: scenario.name.clone(),
            began: Cell::new(Instant::now()),
            timeout: scenario.load.timeout,
            targets,
            recorder: RefCell::new(Recorder::new(scenario)),
            oracles: RefCell::new(Some(oracles)),
            generator: RefCell::new(Generator::new(limits, is_saturating)),
            under_way: Cell::new(0),
            one_ended: Notify::new(),
            stopped: Notify::new(),
            partial: RefCell::default(),
            redirects: RefCell::default(),
        }
    }

    /// Time counts from here.
    pub(super) fn begin(&self) {
        self.began.set(Instant::now());
        self.generator.borrow_mut().begin();
    }

    pub(super) fn now(&self) -> Duration {
        self.began.get().elapsed()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.partial.borrow().is_some()
    }

    pub(super) fn look(&self) -> anyhow::Result<()> {
        match self.oracles.borrow_mut().as_mut() {
            Some(oracles) => oracles.look(self.now()),
            None => Ok(()),
        }
    }

    /// Waits until all has ended, at most this long.
    pub(super) async fn drain(&self, time: Duration) {
        let all = async {
            while self.under_way.get() > 0 {
                self.one_ended.notified().await;
            }
        };
        if tokio::time::timeout(time, all).await.is_err() {
            let left = self.under_way.get();
            let why = format!("{left} operations did not end within {time:?} after load did");
            self.partial.borrow_mut().get_or_insert(why);
        }
    }

    /// An answer that sends us to another host is one, and worth a word: it is somebody else who answers there.
    pub(super) fn see_redirect(&self, target: TargetId, answer: &Answer) {
        if !(300..400).contains(&answer.status) {
            return;
        }
        let Some(location) = answer.header("location") else { return };
        let mut redirects = self.redirects.borrow_mut();
        if redirects.iter().all(|(known, _)| *known != target)
            && self.targets.place(target).is_some_and(|place| place.leads_elsewhere(location))
        {
            redirects.push((target, location.to_owned()));
        }
    }

    fn redirect_warnings(&self) -> Vec<String> {
        let redirects = self.redirects.borrow();
        let warning = |(target, location): &(TargetId, String)| {
            let url = self.targets.place(*target).map(|place| place.url).unwrap_or_default();
            format!("{url} redirects to {location}, which was not followed: its answers are redirects")
        };
        redirects.iter().map(warning).collect()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let now = self.now();
        let mut recorder = self.recorder.borrow_mut();
        let snapshot = recorder.snapshot(now);
        let all = recorder.by_target().iter().sum::<u64>().max(1) as f64;
        let share = |place| recorder.by_target().get(place).map_or(0.0, |count| *count as f64 / all);
        let targets = self.targets.places().into_iter().enumerate().map(|(place, target)| TargetView {
            name: target.authority(),
            share: share(place),
            state: self.targets.state(TargetId(place)),
        });
        let (lag_p99_us, cpu_share) = self.generator.borrow().so_far(now);
        Snapshot {
            scenario: self.scenario.clone(),
            targets: targets.collect(),
            violations: self.oracles.borrow().as_ref().map_or(0, Oracles::violations),
            lag_p99_us,
            cpu_share,
            ..snapshot
        }
    }

    /// Ends the run. What ends later counts no more.
    pub(super) fn end(&self, scenario: &Scenario) -> anyhow::Result<Ended> {
        let now = self.now();
        let recorder = self.recorder.replace(Recorder::new(scenario));
        let oracles = self.oracles.borrow_mut().take();
        let mut generator = self.generator.borrow().results(now);
        generator.warnings.extend(self.redirect_warnings());
        let steps_left = scenario.load.steps_left();
        if !steps_left.is_zero() {
            generator.warnings.push(format!(
                "the last {steps_left:?} of the scenario's steps were not asked, as load lasted {:?}: ask for a longer \
                 --duration, or for shorter steps",
                scenario.load.duration
            ));
        }
        Ok(Ended {
            recorded: recorder.finish(now),
            generator,
            oracles: oracles.map(|oracles| oracles.finish(now)).transpose()?.unwrap_or_default(),
            partial: self.partial.borrow().clone(),
        })
    }
}
