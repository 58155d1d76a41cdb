//! What has to hold: `p99<20ms,errors<0.1%`.

use std::{str::FromStr, time::Duration};

use crate::{
    report::{micros, share},
    results::{Objective, Results},
};

/// So much of what is asked has to be achieved, whatever else is wanted: a queue that grows holds nothing.
const ACHIEVED_MIN: f64 = 0.98;

/// Objectives, all of which have to hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slo {
    bounds: Vec<Bound>,
}

#[derive(Clone, Debug, PartialEq)]
struct Bound {
    /// As it was written, without blanks.
    wanted: String,
    figure: Figure,
    /// Microseconds or a share.
    limit: f64,
    is_inclusive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    P50,
    P90,
    P99,
    P999,
    Max,
    Errors,
    /// A share of what was asked, from below.
    Achieved,
}

const FIGURES: [(&str, Figure); 7] = [
    ("p50", Figure::P50),
    ("p90", Figure::P90),
    ("p99", Figure::P99),
    ("p99.9", Figure::P999),
    ("max", Figure::Max),
    ("errors", Figure::Errors),
    ("achieved", Figure::Achieved),
];

/// Everything that is wrong with objectives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub(crate) struct SloProblems(Vec<String>);

impl FromStr for Slo {
    type Err = SloProblems;

    fn from_str(text: &str) -> Result<Self, SloProblems> {
        let (mut bounds, mut problems) = (Vec::<Bound>::new(), Vec::new());
        for part in text.split(',').map(str::trim) {
            match bound(part) {
                Ok(bound) if bounds.iter().any(|other| other.figure == bound.figure) => {
                    problems.push(format!("{part:?}: it is bounded twice"));
                }
                Ok(bound) => bounds.push(bound),
                Err(why) => problems.push(format!("{part:?}: {why}")),
            }
        }
        if !problems.is_empty() {
            return Err(SloProblems(problems));
        }
        if !bounds.iter().any(|bound| bound.figure == Figure::Achieved) {
            bounds.push(Bound {
                wanted: format!("achieved>={ACHIEVED_MIN}"),
                figure: Figure::Achieved,
                limit: ACHIEVED_MIN,
                is_inclusive: true,
            });
        }
        Ok(Self { bounds })
    }
}

fn bound(text: &str) -> Result<Bound, String> {
    let Some(at) = text.find(['<', '>']) else {
        return Err("it has to be such as p99<20ms or errors<0.1%".to_owned());
    };
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let is_above = rest.starts_with('>');
    let rest = &rest[1..];
    let (is_inclusive, value) = match rest.strip_prefix('=') {
        Some(value) => (true, value.trim()),
        None => (false, rest.trim()),
    };
    let Some((_, figure)) = FIGURES.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = FIGURES.iter().map(|(known, _)| *known).collect();
        return Err(format!("there is no figure {name:?}, but {}", known.join(", ")));
    };
    let wanted_above = *figure == Figure::Achieved;
    if is_above != wanted_above {
        let (sign, bounded) = if wanted_above { ('>', "below") } else { ('<', "above") };
        return Err(format!("{name} is bounded from {bounded}, with {sign}"));
    }
    let limit = match figure {
        Figure::Errors | Figure::Achieved => share_of(value)?,
        _ => micros_of(value)?,
    };
    let wanted = text.chars().filter(|character| !character.is_whitespace()).collect();
    Ok(Bound { wanted, figure: *figure, limit, is_inclusive })
}

fn share_of(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), 0.01),
        None => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&(number * unit)) => Ok(number * unit),
        _ => Err(format!("{text:?} is no share, such as 0.1% or 0.001")),
    }
}

/// humantime has no fractions, which latencies need.
fn micros_of(text: &str) -> Result<f64, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let factor = match unit.trim() {
        "us" | "\u{b5}s" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return Err(format!("{text:?} is no time, such as 20ms, 1.5s or 800us")),
    };
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 && number * factor <= Duration::from_hours(1).as_micros() as f64 => {
            Ok(number * factor)
        }
        _ => Err(format!("{text:?} is no time between 0 and an hour")),
    }
}

impl Slo {
    /// What a run says of each of them.
    #[must_use]
    pub(crate) fn judge(&self, results: &Results) -> Vec<Objective> {
        self.bounds.iter().map(|bound| bound.judge(results)).collect()
    }
}

impl Bound {
    fn judge(&self, results: &Results) -> Objective {
        let latency = &results.total.latency;
        let value = match self.figure {
            Figure::P50 => latency.p50_us as f64,
            Figure::P90 => latency.p90_us as f64,
            Figure::P99 => latency.p99_us as f64,
            Figure::P999 => latency.p999_us as f64,
            Figure::Max => latency.max_us as f64,
            Figure::Errors => results.errors_share(),
            Figure::Achieved => results.total.rate_achieved / results.total.rate_asked.max(f64::MIN_POSITIVE),
        };
        let is_within = match self.figure {
            Figure::Achieved => value > self.limit,
            _ => value < self.limit,
        };
        // A run in which nothing ended has no latency, and holds nothing.
        let held = results.total.requests > 0 && (is_within || self.is_inclusive && value == self.limit);
        let measured = match self.figure {
            Figure::Errors | Figure::Achieved => share(value),
            _ => micros(value as u64),
        };
        Objective { wanted: self.wanted.clone(), measured, held }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_read_as_they_are_written() {
        let slo: Slo = "p99 < 20ms, p99.9<=1.5s,errors<0.1%".parse().unwrap();
        let limits: Vec<_> = slo.bounds.iter().map(|bound| (bound.wanted.as_str(), bound.limit)).collect();
        assert_eq!(
            limits,
            [
                ("p99<20ms", 20_000.0),
                ("p99.9<=1.5s", 1_500_000.0),
                ("errors<0.1%", 0.001),
                ("achieved>=0.98", 0.98)
            ]
        );
        let slo: Slo = "max<800us,achieved>=90%".parse().unwrap();
        assert_eq!(slo.bounds.len(), 2, "what is achieved was said");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let text = "p98<1ms,p99>20ms,errors<2,p50<5,p90,p50<1ms,p50<2ms,achieved<0.5,max<0s,p99.9<9999999s,";
        let told = text.parse::<Slo>().unwrap_err();
        assert_eq!(told.0.len(), 10, "{told}");
        for part in [
            "\"p98<1ms\": there is no figure",
            "with <",
            "no share",
            "no time",
            "bounded twice",
            "such as p99<20ms",
        ] {
            assert!(told.to_string().contains(part), "{part}: {told}");
        }
    }
}
