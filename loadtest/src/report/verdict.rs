//! What a run says in a sentence: whether promises were kept, and how far its figures are to be believed.

use super::figures::{count, seconds, share};
use crate::results::Results;

/// The worst that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// Everything that was judged is as promised.
    Kept,
    /// As far as anybody can tell: something is missing, or is not the target's fault.
    Doubtful,
    Broken,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) grade: Grade,
    pub(crate) sentence: String,
    /// Why, from the worst.
    pub(crate) reasons: Vec<(Grade, String)>,
}

impl Grade {
    /// Its word, also in the HTML's classes.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Doubtful => "doubtful",
            Self::Broken => "broken",
        }
    }
}

/// With so many errors an operation was not what the scenario is about.
const ERRORS_MAX: f64 = 0.5;

impl Verdict {
    /// Of a run.
    #[must_use]
    pub(crate) fn of(results: &Results) -> Self {
        let mut reasons = broken(results);
        reasons.extend(doubtful(results));
        reasons.extend(kept(results));
        reasons.sort_by_key(|(grade, _)| std::cmp::Reverse(*grade));
        let grade = reasons.first().map_or(Grade::Doubtful, |(grade, _)| *grade);
        Self { grade, sentence: sentence(results, grade), reasons }
    }

    /// Whether the run passes. One that is doubtful does.
    #[must_use]
    pub(crate) fn passes(&self) -> bool {
        self.grade != Grade::Broken
    }
}

fn sentence(results: &Results, grade: Grade) -> String {
    let violations = violations(results);
    let sentence = match (grade, violations) {
        (Grade::Broken, 1) => "A promise was broken.",
        (Grade::Broken, 2..) => return format!("Promises were broken {} times.", count(violations)),
        (Grade::Broken, 0) => "The run does not pass.",
        (Grade::Doubtful, _) if results.partial.is_some() => "What there is of the run is as promised.",
        (Grade::Doubtful, _) => "No broken promise was found; read the figures with care.",
        (Grade::Kept, _) => "Every promise was kept.",
    };
    sentence.to_owned()
}

fn violations(results: &Results) -> u64 {
    results.oracles.iter().map(|oracle| oracle.violations).sum()
}

fn broken(results: &Results) -> Vec<(Grade, String)> {
    let oracles = results.oracles.iter().filter(|oracle| oracle.violations > 0);
    let oracles = oracles.map(|oracle| {
        format!(
            "{}: {} of {} checked: {}",
            oracle.name,
            count(oracle.violations),
            count(oracle.checked),
            oracle.promise
        )
    });
    let objectives = results.objectives.iter().filter(|objective| !objective.held);
    let objectives =
        objectives.map(|objective| format!("{} was wanted, it is {}", objective.wanted, objective.measured));
    let faults = results.faults.iter().filter(|fault| !fault.missed.is_empty()).map(|fault| {
        format!(
            "{} of {} at {} did not lead to {}: it proves nothing",
            fault.fault,
            fault.victim,
            seconds(fault.at_s),
            fault.missed.join(", ")
        )
    });
    oracles.chain(objectives).chain(faults).map(|reason| (Grade::Broken, reason)).collect()
}

fn doubtful(results: &Results) -> Vec<(Grade, String)> {
    let mut reasons: Vec<_> =
        results.partial.iter().map(|why| format!("This is a part of a run: {why}")).collect();
    reasons.extend(results.generator.warnings.iter().map(|warning| format!("Generator: {warning}")));
    if results.total.requests == 0 {
        reasons.push("No request ended after the warm-up".to_owned());
    }
    if results.oracles.iter().all(|oracle| oracle.checked == 0) {
        reasons.push("No promise was checked".to_owned());
    }
    for operation in results.operations.iter().filter(|operation| operation.requests > 0) {
        // Promises may be kept by whoever does nothing.
        if operation.errors_share() >= ERRORS_MAX {
            let (name, errors) = (&operation.name, share(operation.errors_share()));
            reasons.push(format!("{name}: {errors} of its requests did not end as they were meant to"));
        }
    }
    for oracle in results.oracles.iter().filter(|oracle| oracle.checked > 0) {
        let undecided: u64 = oracle.undecided.values().sum();
        // A few are always at the edges of a run.
        if undecided * 10 > oracle.checked {
            reasons.push(format!(
                "{}: {} could not be judged, {} could",
                oracle.name,
                count(undecided),
                count(oracle.checked)
            ));
        }
    }
    reasons.into_iter().map(|reason| (Grade::Doubtful, reason)).collect()
}

fn kept(results: &Results) -> Vec<(Grade, String)> {
    let checked = results.oracles.iter().filter(|oracle| oracle.checked > 0 && oracle.violations == 0);
    let names: Vec<_> = checked.map(|oracle| oracle.name.as_str()).collect();
    let mut reasons = Vec::new();
    if !names.is_empty() {
        reasons.push(format!("Held throughout: {}", names.join(", ")));
    }
    let held: Vec<_> = results.objectives.iter().filter(|objective| objective.held).collect();
    reasons.extend(
        held.iter().map(|objective| format!("{} was wanted, it is {}", objective.wanted, objective.measured)),
    );
    if results.generator.warnings.is_empty() && results.total.requests > 0 {
        reasons.push(format!(
            "The figures are the target's: the generator used {} of a core",
            share(results.generator.cpu_share)
        ));
    }
    reasons.into_iter().map(|reason| (Grade::Kept, reason)).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn the_worst_that_was_found_is_the_verdict() {
        let calm = sample::calm();
        assert_eq!(Verdict::of(&calm).grade, Grade::Kept, "{:?}", Verdict::of(&calm));

        let mut limited = calm.clone();
        limited.generator.warnings.push("too slow".to_owned());
        let mut partial = calm.clone();
        partial.partial = Some("Ctrl-C".to_owned());
        let mut unjudged = calm.clone();
        unjudged.oracles.clear();
        for doubtful in [limited, partial, unjudged] {
            let verdict = Verdict::of(&doubtful);
            assert_eq!(verdict.grade, Grade::Doubtful, "{verdict:?}");
            assert!(verdict.passes());
        }

        let mut lying = calm.clone();
        lying.oracles[0].violations = 1;
        let mut missed = calm.clone();
        missed.faults = sample::results().faults;
        missed.faults[0].missed = vec!["a takeover".to_owned()];
        let mut slow = calm;
        slow.objectives[0].held = false;
        for broken in [lying, missed, slow] {
            let verdict = Verdict::of(&broken);
            assert_eq!(verdict.grade, Grade::Broken, "{verdict:?}");
            assert!(!verdict.passes());
        }
    }
}
