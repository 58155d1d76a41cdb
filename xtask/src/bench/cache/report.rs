//! The figures of a run, each with its bar.

use std::fmt::Write as _;

use super::{
    Options, Round,
    filling::Overhead,
    hits::{Hits, cpu_ratio},
    nginx, page,
    revalidating::{CALLS_PER_ROUND, Latency},
    storm::Storm,
};
use crate::bench::{
    contest::Sample,
    figures::{self, Bar},
    statistics::median_of,
    wrk,
};

/// How many Redis round trips a strict revalidation may add, in the middle and at the 99th percentile.
const ROUND_TRIPS_MAX: f64 = 2.5;
const ROUND_TRIPS_P99_MAX: f64 = 5.0;

/// How much more of the server's CPU a kept page may need than the same bytes elsewhere.
const CPU_MAX: f64 = 1.1;

/// How many revalidations a core applies in a second.
const APPLIED_MIN: f64 = 1e5;

/// How much of memory a kept page may take besides its bytes and key.
const OVERHEAD_BYTES_MAX: f64 = 200.0;

/// One of the servers that give the same bytes.
type Who = fn(&Hits) -> &Sample;

const ALONE: Who = |hits| &hits.alone;
const CLUSTERED: Who = |hits| &hits.clustered;
const BARE: Who = |hits| &hits.bare;
const NGINX: Who = |hits| &hits.nginx;

/// The whole run.
pub(super) fn markdown(
    options: &Options,
    redis: &str,
    rounds: &[Round],
    storms: &[Storm],
    overhead: Overhead,
) -> anyhow::Result<String> {
    let mut text = page::heading()?;
    writeln!(
        text,
        "Machine: {}. {}; {}; nginx {}; Redis {redis}.",
        page::machine()?,
        page::compiler()?,
        wrk::version()?,
        nginx::version()?
    )?;
    writeln!(
        text,
        "Method: {} rounds of {CALLS_PER_ROUND} calls of each kind one at a time, then wrk with one thread and 32 \
         connections for {} s at each server in turn, then {} revalidations pushed to a node's core; {} requests at a \
         time; default settings; profile release with mimalloc.",
        options.rounds, options.seconds, options.invalidations, options.requests
    )?;
    page::disclaim(&mut text, options.workload.as_deref())?;
    figures(&mut text, rounds, storms, overhead)?;
    details(&mut text, rounds, storms, overhead)?;
    Ok(text)
}

fn figures(text: &mut String, rounds: &[Round], storms: &[Storm], overhead: Overhead) -> anyhow::Result<()> {
    figures::begin(text)?;
    let each = |of: fn(&Round) -> f64| rounds.iter().map(of);
    let added = each(|round| round.added.round_trips());
    let bar = Bar::AtMost(ROUND_TRIPS_MAX);
    figures::of_rounds(text, "p50 that a strict revalidation adds, in Redis round trips", added, bar)?;
    let added = each(|round| round.added.p99_over(ROUND_TRIPS_P99_MAX));
    let what = format!("p99 that it adds, over {ROUND_TRIPS_P99_MAX} Redis round trips and 1 ms");
    figures::of_rounds(text, &what, added, Bar::AtMost(1.0))?;
    let ratios = [
        ("alone, over bare", ALONE, BARE),
        ("alone, over nginx", ALONE, NGINX),
        ("one of a cluster, over bare", CLUSTERED, BARE),
        ("one of a cluster, over nginx", CLUSTERED, NGINX),
    ];
    for (what, one, other) in ratios {
        let ratios = rounds.iter().map(|round| cpu_ratio(one(&round.hits), other(&round.hits)));
        figures::of_rounds(
            text,
            &format!("CPU per hit at a node that is {what}"),
            ratios,
            Bar::AtMost(CPU_MAX),
        )?;
    }
    let applied = each(|round| round.applied_per_second);
    let bar = Bar::AtLeast(APPLIED_MIN);
    figures::of_rounds(text, "revalidations that one core applies in a second", applied, bar)?;
    let bar = Bar::AtMost(OVERHEAD_BYTES_MAX);
    let what = format!("bytes that each of {} pages takes besides its body and key", overhead.entries);
    figures::of_run(text, &what, overhead.other_bytes, "one run", bar)?;
    let most = storms.iter().map(|storm| storm.renders).max().unwrap_or(0);
    let requests = storms.first().map_or(0, |storm| storm.requests);
    let what = format!("renders for {requests} requests at a time for a page that was just revalidated");
    figures::of_run(text, &what, most as f64, &format!("most of {}", storms.len()), Bar::AtMost(1.0))
}

fn details(text: &mut String, rounds: &[Round], storms: &[Storm], overhead: Overhead) -> anyhow::Result<()> {
    let median = |of: &dyn Fn(&Round) -> f64| median_of(rounds.iter().map(of));
    let latency = |of: fn(&Round) -> Latency| {
        format!("{:.0}, {:.0} us", median(&|round| of(round).p50_us), median(&|round| of(round).p99_us))
    };
    writeln!(text, "\n| | with a revalidation | the same call without |\n|---|---|---|")?;
    writeln!(
        text,
        "| p50, p99 one at a time; a Redis round trip is {:.0} us | {} | {} |",
        median(&|round| round.added.round_trip_us),
        latency(|round| round.added.loud),
        latency(|round| round.added.quiet)
    )?;
    servers(text, rounds)?;
    let Overhead { body_bytes, key_bytes, other_bytes, .. } = overhead;
    writeln!(
        text,
        "\nOf memory, a page of {body_bytes} bytes under a key of {key_bytes} took {:.0} bytes. Of the requests at a time, \
         at least {} waited for the render; the others came when it was kept.",
        other_bytes + (body_bytes + key_bytes) as f64,
        storms.iter().map(|storm| storm.waited).min().unwrap_or(0)
    )?;
    Ok(())
}

/// What each of the servers needed for a hit.
fn servers(text: &mut String, rounds: &[Round]) -> anyhow::Result<()> {
    let row = |cell: &dyn Fn(&[Sample]) -> String| {
        let samples = |who: Who| rounds.iter().map(|round| *who(&round.hits)).collect::<Vec<_>>();
        [ALONE, CLUSTERED, BARE, NGINX].map(|who| cell(&samples(who))).join(" | ")
    };
    let median = |samples: &[Sample], of: fn(&Sample) -> f64| median_of(samples.iter().map(of));
    writeln!(text, "\n| a hit | node alone | node of a cluster | bare | nginx |\n|---|---|---|---|---|")?;
    let cpu = row(&|samples| format!("{:.2} us", median(samples, |sample| sample.cpu_us_per_call)));
    writeln!(text, "| server CPU | {cpu} |")?;
    let rate = row(&|samples| format!("{:.0}", median(samples, |sample| sample.calls_per_second)));
    writeln!(text, "| per second | {rate} |")?;
    let latency = row(&|samples| {
        let (p50, p99) =
            (median(samples, |sample| sample.driven.p50_us), median(samples, |sample| sample.driven.p99_us));
        format!("{p50:.0}, {p99:.0} us")
    });
    writeln!(text, "| latency p50, p99 (closed loop) | {latency} |")?;
    Ok(())
}
