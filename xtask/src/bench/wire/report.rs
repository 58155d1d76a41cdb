//! The figures of a run, over all vectors and by family.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Measured, Options, Outcome, Task, page};
use crate::bench::statistics::{Ratio, geometric_mean, median_of};

/// How many times as fast as React the whole corpus has to be.
const BAR: f64 = 10.0;

/// The whole run.
pub(crate) fn markdown(options: &Options, react: &str, outcomes: &[Outcome]) -> anyhow::Result<String> {
    let mut text = page::heading()?;
    writeln!(text, "Machine: {}. {}; {react}.", page::machine()?, page::compiler()?)?;
    writeln!(
        text,
        "Method: {} rounds, in each of which every vector is measured for {} ms on each side in turn, after {} ms of \
         warming up; profile release with mimalloc, and `NODE_ENV=production`. A ratio is React's time over ours.",
        options.rounds, options.milliseconds, options.warm_up_milliseconds
    )?;
    if cfg!(debug_assertions) {
        writeln!(text, "\n**Our side is not optimised: these figures say nothing.**")?;
    }
    for outcome in outcomes {
        section(&mut text, outcome)?;
    }
    Ok(text)
}

fn section(text: &mut String, outcome: &Outcome) -> anyhow::Result<()> {
    let title = match outcome.task {
        Task::Decode => "decoding replies, beside `decodeReply`",
        Task::Encode => "encoding responses, beside `renderToReadableStream`",
    };
    let all: Vec<_> = outcome.measured.iter().collect();
    let over_all = ratio(&all);
    writeln!(text, "\n### {title}\n")?;
    let verdict = if over_all.median >= BAR { "reached" } else { "not reached" };
    writeln!(
        text,
        "Geometric mean over {} vectors: **{:.1} x** (rounds spread by {:.1} %); the bar of {BAR:.0} x is {}.\n",
        all.len(),
        over_all.median,
        over_all.spread * 100.0,
        if cfg!(debug_assertions) { "not judged" } else { verdict }
    )?;
    writeln!(text, "| family | vectors | ratio | lowest | ours | React |\n|---|---|---|---|---|---|")?;
    let mut families: BTreeMap<&str, Vec<&Measured>> = BTreeMap::new();
    for measured in &outcome.measured {
        families.entry(&measured.family).or_default().push(measured);
    }
    for (family, members) in families {
        row(text, family, &members)?;
    }
    for (who, names) in [("this crate", &outcome.we_cannot), ("React", &outcome.react_cannot)] {
        if !names.is_empty() {
            writeln!(text, "\nNot measured, as {who} cannot do it: {}.", names.join(", "))?;
        }
    }
    Ok(())
}

fn row(text: &mut String, family: &str, members: &[&Measured]) -> anyhow::Result<()> {
    let over_members = |of: fn(&super::Round) -> f64| {
        geometric_mean(members.iter().map(|measured| median_of(measured.rounds.iter().map(of))))
    };
    let ratios = members.iter().map(|measured| (ratio(&[measured]).median, &measured.name));
    let (lowest, name) = ratios.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((f64::NAN, &members[0].name));
    writeln!(
        text,
        "| {family} | {} | {:.1} | {lowest:.1} {name} | {} | {} |",
        members.len(),
        ratio(members).median,
        time(over_members(|round| round.ours_ns)),
        time(over_members(|round| round.react_ns)),
    )?;
    Ok(())
}

/// The geometric mean of the vectors' ratios in each round, and of those the median.
fn ratio(vectors: &[&Measured]) -> Ratio {
    let rounds = vectors.iter().map(|measured| measured.rounds.len()).min().unwrap_or_default();
    Ratio::of(
        (0..rounds)
            .map(|round| geometric_mean(vectors.iter().map(|measured| measured.rounds[round].ratio()))),
    )
}

fn time(nanoseconds: f64) -> String {
    if nanoseconds < 1000.0 {
        format!("{nanoseconds:.0} ns")
    } else {
        format!("{:.1} us", nanoseconds / 1000.0)
    }
}
