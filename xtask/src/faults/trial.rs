//! A run of faults, of whatever kind: what it is made with, and what became of it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use callboard_cluster::mutant::Mutant;
use tempfile::TempDir;

use crate::{
    build::{self, Profile},
    cluster,
};

/// How many violations of a promise are told in full.
const TOLD_MAX: usize = 10;

/// What a run is made with.
pub(crate) struct Setup {
    /// How long each fault is tried.
    pub(crate) seconds: Duration,
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) workload: Option<PathBuf>,
    pub(crate) profile: Profile,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) lying: bool,
}

impl Setup {
    /// Whether a run is right only if the checker finds something.
    fn expects_violation(&self) -> bool {
        self.lying || self.mutant.is_some()
    }

    /// The variable of a node's environment that leaves out a rule.
    pub(crate) fn mutant_variable(&self) -> Option<(String, OsString)> {
        Some(("CALLBOARD_TEST_MUTANT".to_owned(), self.mutant?.id().into()))
    }
}

/// A promise that was broken.
pub(crate) trait Broken: PartialEq {
    /// Its name in the documents.
    fn promise(&self) -> &'static str;

    /// What happened.
    fn what(&self) -> &str;
}

/// What became of a run.
pub(crate) struct Verdict<V> {
    pub(crate) violations: Vec<V>,
    /// Faults that did not do what they were for, and other reasons why a run proves nothing.
    pub(crate) complaints: Vec<String>,
    expects_violation: bool,
    /// The promise that the liar breaks, if there is one.
    lie: Option<&'static str>,
}

/// Does a run: `drive` is given the workload, and a folder for everything. Of a liar, only this lie counts as seen.
pub(crate) fn run<V: Broken>(
    setup: &Setup,
    lie: &'static str,
    drive: impl AsyncFnOnce(PathBuf, PathBuf, &mut Verdict<V>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("callboard-faults-").tempdir()?;
    let program = program(setup, folder.path())?;
    eprintln!("seed {}", setup.seed);
    let mut verdict = Verdict {
        violations: Vec::new(),
        complaints: Vec::new(),
        expects_violation: setup.expects_violation(),
        lie: setup.lying.then_some(lie),
    };
    let driven = cluster::block_on(async {
        tokio::select! {
            driven = drive(program, folder.path().to_owned(), &mut verdict) => driven.map(|()| true),
            signal = cluster::stop_signal() => signal.map(|()| false),
        }
    });
    verdict.tell();
    match driven {
        Ok(true) => verdict.report(setup.seed, folder),
        Ok(false) => bail!("stopped"),
        Err(error) => Err(error.context(format!("what was written down is in {}", folder.keep().display()))),
    }
}

/// The workload, where nobody builds another one in its place.
fn program(setup: &Setup, folder: &Path) -> anyhow::Result<PathBuf> {
    let built = match &setup.workload {
        Some(file) => file.clone(),
        None => {
            eprintln!("building workload …");
            let features: &[&str] = if setup.mutant.is_some() { &["mutants"] } else { &[] };
            build::program("workload", setup.profile, features)?
        }
    };
    let program = folder.join("workload");
    std::fs::copy(&built, &program).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(program)
}

impl<V: Broken> Verdict<V> {
    /// Whether what was broken on purpose was noticed, so that nothing more need be tried.
    pub(crate) fn is_enough(&self) -> bool {
        self.expects_violation && self.saw_it()
    }

    /// A liar breaks one promise, a mutant any.
    fn saw_it(&self) -> bool {
        self.violations.iter().any(|violation| self.lie.is_none_or(|lie| violation.promise() == lie))
    }

    fn tell(&self) {
        let mut promises: Vec<_> = self.violations.iter().map(Broken::promise).collect();
        promises.sort_unstable();
        promises.dedup();
        for promise in promises {
            let broken = self.violations.iter().filter(|violation| violation.promise() == promise);
            let broken: Vec<_> = broken.collect();
            for violation in broken.iter().take(TOLD_MAX) {
                println!("{promise}: {}", violation.what());
            }
            if broken.len() > TOLD_MAX {
                println!("{promise}: and {} more", broken.len() - TOLD_MAX);
            }
        }
        for complaint in &self.complaints {
            println!("{complaint}");
        }
    }

    /// Whether it is as it should be; what shows that it is not is kept.
    fn report(&self, seed: u64, folder: TempDir) -> anyhow::Result<()> {
        let Self { violations, complaints, .. } = self;
        if self.expects_violation {
            ensure!(self.saw_it(), "the checker saw nothing, although it should have");
            println!("the checker saw it");
            return Ok(());
        }
        if violations.is_empty() && complaints.is_empty() {
            return Ok(());
        }
        let folder = folder.keep();
        bail!(
            "{} violations, {} other complaints (seed {seed}); what was written down is in {}",
            violations.len(),
            complaints.len(),
            folder.display()
        )
    }
}
