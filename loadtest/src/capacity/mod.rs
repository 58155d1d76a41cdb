//! Looks for the highest rate that holds.
//!
//! *Objective*: a rate that a cluster carries with its objectives held, how sure that is, and the table of what was tried.
//!
//! *Non-objective*: asking anybody. Whoever [`Measures`] does, for a rate, and gives back the results of a run.

mod command;
mod slo;

pub(crate) use command::{arguments, options, slo, slo_argument};
pub(crate) use slo::Slo;

use crate::{
    report::{Table, rate as shown_rate, share},
    results::{Objective, Results},
};

/// Measures a rate.
pub(crate) trait Measures {
    /// Asks for so many requests per second, for a while, and says what came of it.
    fn measure(&mut self, rate: f64) -> impl Future<Output = anyhow::Result<Results>>;
}

/// How it is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Search {
    /// Tried first.
    pub(crate) start: f64,
    /// Nothing beyond it is tried.
    pub(crate) rate_max: f64,
    /// How often each rate is tried. Most of these decide.
    pub(crate) repeats: u32,
    /// How close the rates that hold and do not hold have to come, as a share of the first.
    pub(crate) precision: f64,
}

impl Default for Search {
    fn default() -> Self {
        Self { start: 100.0, rate_max: 1_000_000.0, repeats: 3, precision: 0.02 }
    }
}

/// Below that, nothing holds.
const RATE_MIN: f64 = 1.0;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Capacity {
    /// The highest rate that held; none if not even one request per second did.
    pub(crate) rate: Option<f64>,
    /// The lowest rate that did not.
    pub(crate) beyond: Option<f64>,
    pub(crate) end: EndOfSearch,
    /// In the order in which they were tried.
    pub(crate) trials: Vec<Trial>,
}

/// Why the search is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndOfSearch {
    /// The objectives do not hold beyond the rate.
    Found,
    /// The generator, not the target, could do no more: the target may carry more.
    Generator,
    /// The highest rate that may be tried holds.
    RateMax,
    /// The objectives hold at no rate.
    Nothing,
    /// Somebody had enough of it.
    Stopped,
}

/// One rate, tried once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trial {
    pub(crate) rate: f64,
    pub(crate) verdict: TrialVerdict,
    pub(crate) achieved: f64,
    pub(crate) objectives: Vec<Objective>,
}

/// What a trial says of its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrialVerdict {
    Held,
    NotHeld,
    /// Nothing: the generator was the limit.
    Generator,
}

impl TrialVerdict {
    fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotHeld => "not held",
            Self::Generator => "generator's limit",
        }
    }
}

impl Search {
    /// Doubles the rate until it does not hold, or halves it until it does, then halves what lies between.
    ///
    /// # Errors
    ///
    /// If something could not be measured at all.
    pub(crate) async fn run(&self, slo: &Slo, measures: &mut impl Measures) -> anyhow::Result<Capacity> {
        let mut trials = Vec::new();
        let (mut held, mut beyond) = (None, None);
        while let Some(rate) = self.next(held, beyond.map(|(rate, _)| rate)) {
            match self.try_rate(rate, slo, measures, &mut trials).await? {
                None => {
                    let beyond = beyond.map(|(rate, _)| rate);
                    return Ok(Capacity { rate: held, beyond, end: EndOfSearch::Stopped, trials });
                }
                Some(TrialVerdict::Held) => held = Some(rate),
                Some(verdict) => beyond = Some((rate, verdict)),
            }
        }
        let end = match (held, beyond) {
            (None, Some((_, TrialVerdict::NotHeld))) => EndOfSearch::Nothing,
            (_, Some((_, TrialVerdict::Generator))) => EndOfSearch::Generator,
            (Some(_), Some(_)) => EndOfSearch::Found,
            (_, None | Some((_, TrialVerdict::Held))) => EndOfSearch::RateMax,
        };
        Ok(Capacity { rate: held, beyond: beyond.map(|(rate, _)| rate), end, trials })
    }

    /// The rate to try; none, if what is known is close enough.
    fn next(&self, held: Option<f64>, beyond: Option<f64>) -> Option<f64> {
        match (held, beyond) {
            (None, None) => Some(self.start.clamp(RATE_MIN, self.rate_max)),
            (Some(held), None) if held < self.rate_max => Some((held * 2.0).min(self.rate_max)),
            (None, Some(beyond)) if beyond > RATE_MIN => Some((beyond / 2.0).max(RATE_MIN)),
            (Some(_), None) | (None, Some(_)) => None,
            (Some(held), Some(beyond)) => {
                (beyond - held > held * self.precision).then(|| f64::midpoint(held, beyond))
            }
        }
    }

    /// What most trials of a rate say. Without a majority it is not accepted. Nothing, if one of them was stopped.
    async fn try_rate(
        &self,
        rate: f64,
        slo: &Slo,
        measures: &mut impl Measures,
        trials: &mut Vec<Trial>,
    ) -> anyhow::Result<Option<TrialVerdict>> {
        let mut of_rate = Vec::new();
        for _ in 0..self.repeats.max(1) {
            let results = measures.measure(rate).await?;
            if results.partial.is_some() {
                return Ok(None);
            }
            let trial = Trial::of(rate, slo, &results);
            of_rate.push(trial.verdict);
            trials.push(trial);
        }
        let many = |wanted| of_rate.iter().filter(|verdict| **verdict == wanted).count();
        let majority = of_rate.len() / 2 + 1;
        Ok(Some(if many(TrialVerdict::Held) >= majority {
            TrialVerdict::Held
        } else if many(TrialVerdict::Generator) > many(TrialVerdict::NotHeld) {
            TrialVerdict::Generator
        } else {
            TrialVerdict::NotHeld
        }))
    }
}

impl Trial {
    fn of(rate: f64, slo: &Slo, results: &Results) -> Self {
        let objectives = slo.judge(results);
        let all_held = objectives.iter().all(|objective| objective.held);
        // If the generator was at its end, not even a good figure says that this rate was asked for at all.
        let verdict = match (results.generator.is_the_limit(), all_held) {
            (true, _) => TrialVerdict::Generator,
            (false, true) => TrialVerdict::Held,
            (false, false) => TrialVerdict::NotHeld,
        };
        Self { rate, verdict, achieved: results.total.rate_achieved, objectives }
    }
}

impl Capacity {
    /// Whether a rate was found that holds, and everything was tried.
    #[must_use]
    pub(crate) fn passes(&self) -> bool {
        self.rate.is_some() && self.end != EndOfSearch::Stopped
    }

    /// How many of the trials of this rate say so, and of how many.
    #[must_use]
    pub(crate) fn agreement(&self, rate: f64, verdict: TrialVerdict) -> (usize, usize) {
        let of_rate = self.trials.iter().filter(|trial| trial.rate == rate);
        let agreeing = of_rate.clone().filter(|trial| trial.verdict == verdict);
        (agreeing.count(), of_rate.count())
    }

    /// The result in a sentence or two.
    #[must_use]
    pub(crate) fn sentence(&self) -> String {
        let held = |rate: f64| {
            let (agreeing, of) = self.agreement(rate, TrialVerdict::Held);
            format!(
                "{} holds, in {agreeing} of {of} trials ({})",
                shown_rate(rate),
                share(agreeing as f64 / of as f64)
            )
        };
        let beyond = |verdict| {
            self.beyond.map_or(String::new(), |rate| {
                let (agreeing, of) = self.agreement(rate, verdict);
                format!("{} in {agreeing} of {of} trials", shown_rate(rate))
            })
        };
        match (self.rate, self.end) {
            (rate, EndOfSearch::Stopped) => {
                let held = rate.map_or_else(|| "No rate was seen to hold".to_owned(), held);
                format!("{held}. The search was stopped by hand before it was over.")
            }
            (Some(rate), EndOfSearch::Found) => {
                format!("{}. It does not hold at {}.", held(rate), beyond(TrialVerdict::NotHeld))
            }
            (Some(rate), EndOfSearch::Generator) => format!(
                "{}. The target may carry more: the generator was the limit at {}.",
                held(rate),
                beyond(TrialVerdict::Generator)
            ),
            (Some(rate), _) => format!("{}, and is the highest that may be tried.", held(rate)),
            (None, EndOfSearch::Generator) => {
                format!(
                    "Nothing was found: the generator was the limit at {}.",
                    beyond(TrialVerdict::Generator)
                )
            }
            (None, _) => format!("The objectives hold at no rate: not at {}.", beyond(TrialVerdict::NotHeld)),
        }
    }

    /// The table of the trials, and the sentence.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let names = self.trials.first().map_or(&[][..], |trial| &trial.objectives);
        let mut heads = vec!["asked", "achieved"];
        heads.extend(names.iter().map(|objective| objective.wanted.as_str()));
        heads.push("verdict");
        let mut table = Table::new(&heads);
        for trial in &self.trials {
            let mut cells = vec![shown_rate(trial.rate), shown_rate(trial.achieved)];
            cells.extend(trial.objectives.iter().map(|objective| objective.measured.clone()));
            cells.push(trial.verdict.word().to_owned());
            table.row(cells);
        }
        let lines = table.lines().into_iter().chain([String::new(), self.sentence()]);
        lines.map(|line| line + "\n").collect()
    }
}

#[cfg(test)]
mod tests;
