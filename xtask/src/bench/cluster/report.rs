//! The figures of a run, each with its bar.

use std::{fmt::Write as _, time::Duration};

use super::{
    Options, page,
    rounds::{CALLS_PER_ROUND, Load, Round},
    takeover::Takeover,
};
use crate::bench::{
    figures::{self, Bar, verdict},
    statistics::median_of,
    wrk,
};

/// How many Redis round trips a call that is passed on may take longer than one that stays.
const ROUND_TRIPS_MAX: f64 = 3.5;

/// How many Redis commands a call may cost when there are many.
const COMMANDS_MAX: f64 = 0.15;

/// What part of the calls that a node can run itself it can pass on.
const THROUGHPUT_MIN: f64 = 0.3;

/// The default of `call_fence`, and 2 s.
const TAKEOVER_MAX: Duration = Duration::from_secs(5);

/// The whole run.
pub(super) fn markdown(
    options: &Options,
    redis: &str,
    rounds: &[Round],
    takeovers: &[Takeover],
) -> anyhow::Result<String> {
    let mut text = page::heading()?;
    writeln!(
        text,
        "Machine: {}. {}; {}; Redis {redis}.",
        page::machine()?,
        page::compiler()?,
        wrk::version()?
    )?;
    writeln!(
        text,
        "Method: {} rounds of {CALLS_PER_ROUND} calls of each kind one at a time, then wrk with one thread and {} \
         connections for {} s at a node that passes calls on and for as long at the one that runs them; {} kills; default \
         settings; profile release with mimalloc.",
        options.rounds, options.connections, options.seconds, options.kills
    )?;
    page::disclaim(&mut text, options.workload.as_deref())?;
    figures(&mut text, rounds, takeovers)?;
    details(&mut text, rounds)?;
    if !takeovers.is_empty() {
        let sum = |of: fn(&Takeover) -> u32| takeovers.iter().map(of).sum::<u32>();
        writeln!(
            text,
            "\nOf the calls around the kills, {} were done, {} were told that they did not run, and of {} the outcome is \
             unknown.",
            sum(|takeover| takeover.done),
            sum(|takeover| takeover.not_run),
            sum(|takeover| takeover.unknown)
        )?;
    }
    Ok(text)
}

fn figures(text: &mut String, rounds: &[Round], takeovers: &[Takeover]) -> anyhow::Result<()> {
    figures::begin(text)?;
    let added = rounds.iter().map(|round| round.idle.added_round_trips());
    let bar = Bar::AtMost(ROUND_TRIPS_MAX);
    figures::of_rounds(text, "p50 that passing on adds, in Redis round trips", added, bar)?;
    let commands = rounds.iter().map(|round| round.routed.commands_per_call());
    let bar = Bar::AtMost(COMMANDS_MAX);
    figures::of_rounds(text, "Redis commands per call passed on, at full load", commands, bar)?;
    let throughput = rounds.iter().map(Round::throughput_ratio);
    let what = "calls per second passed on, over those run where they come to";
    figures::of_rounds(text, what, throughput, Bar::AtLeast(THROUGHPUT_MIN))?;
    takeover(text, "calls without a key", takeovers.iter().map(|takeover| takeover.plain).collect())?;
    takeover(text, "calls with a key", takeovers.iter().map(|takeover| takeover.keyed).collect())
}

fn takeover(text: &mut String, what: &str, mut times: Vec<Duration>) -> anyhow::Result<()> {
    times.sort_unstable();
    let Some(longest) = times.last() else { return Ok(()) };
    let p99 = times[(times.len() * 99).div_ceil(100) - 1];
    let median = median_of(times.iter().map(Duration::as_secs_f64));
    let which =
        if p99 == *longest { format!("longest of {}", times.len()) } else { "99th percentile".to_owned() };
    writeln!(
        text,
        "| {what} after `kill -9` of their owner | {median:.2} s | {which}: {:.2} s | that at most {:.2} s | {} |",
        p99.as_secs_f64(),
        TAKEOVER_MAX.as_secs_f64(),
        verdict(p99 <= TAKEOVER_MAX, None)
    )?;
    Ok(())
}

fn details(text: &mut String, rounds: &[Round]) -> anyhow::Result<()> {
    let median = |of: &dyn Fn(&Round) -> f64| median_of(rounds.iter().map(of));
    let load = |of: fn(&Load) -> f64| (median(&|round| of(&round.routed)), median(&|round| of(&round.local)));
    writeln!(text, "\n| | passed on | run where it comes to |\n|---|---|---|")?;
    writeln!(
        text,
        "| p50 one at a time; a Redis round trip is {:.0} us | {:.0} us | {:.0} us |",
        median(&|round| round.idle.round_trip_us),
        median(&|round| round.idle.routed_us),
        median(&|round| round.idle.local_us)
    )?;
    let (routed, local) = load(Load::per_second);
    writeln!(text, "| calls per second | {routed:.0} | {local:.0} |")?;
    let (routed, local) = (load(|load| load.driven.p50_us), load(|load| load.driven.p99_us));
    writeln!(
        text,
        "| latency p50, p99 (closed loop) | {:.0}, {:.0} us | {:.0}, {:.0} us |",
        routed.0, local.0, routed.1, local.1
    )?;
    let cpu = [0, 1, 2].map(|place| median(&|round| round.routed.cpu_us[place]));
    writeln!(
        text,
        "| CPU per call: node asked, node that runs it, Redis | {:.1}, {:.1}, {:.1} us | {:.1} us |",
        cpu[0],
        cpu[1],
        cpu[2],
        median(&|round| round.local.cpu_us[0])
    )?;
    let (routed, local) = load(|load| load.commands.all() / load.driven.answers);
    writeln!(
        text,
        "| commands per call with those inside of scripts, as Redis counts | {routed:.2} | {local:.2} |"
    )?;
    // Of requests alone, the length of the inbox is asked; and both kinds of frames are appended.
    let requests = median(&|round| round.routed.calls_per(|commands| commands.of("xlen")));
    let replies =
        median(&|round| round.routed.calls_per(|commands| commands.of("xadd") - commands.of("xlen")));
    let settled = median(&|round| round.routed.calls_per(|commands| commands.of("xack")));
    writeln!(
        text,
        "| calls per request frame, reply frame, settled entry | {requests:.1}, {replies:.1}, {settled:.1} | |"
    )?;
    let request_reads = median(&|round| round.routed.calls_per(|commands| commands.of("xreadgroup")));
    let reply_reads = median(&|round| round.routed.calls_per(|commands| commands.of("xread")));
    let scripts = median(&|round| round.routed.calls_per(|commands| commands.of("evalsha")));
    writeln!(
        text,
        "| calls per read of requests, read of replies, script | {request_reads:.1}, {reply_reads:.1}, {scripts:.1} | |"
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_takeover_of_a_few_is_the_figure() {
        let mut text = String::new();
        takeover(&mut text, "calls", vec![Duration::from_secs(6), Duration::from_secs(4)]).unwrap();
        assert!(text.contains("longest of 2: 6.00 s") && text.contains("not reached"), "{text}");
    }
}
