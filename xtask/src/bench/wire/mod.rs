//! Decoding and encoding the golden vectors, beside React's own code for it, on the same machine in the same minute.
//!
//! Each vector is measured on both sides right after each other, in several rounds. What is reported is the median of
//! the ratios of the rounds, and over vectors their geometric mean: each vector counts the same, whatever its size.

mod corpus;
mod react;
mod report;

use clap::ArgMatches;

use super::report as page;
use corpus::Vector;
use react::React;

/// How long and how often to measure.
pub(crate) struct Options {
    rounds: u32,
    milliseconds: u32,
    warm_up_milliseconds: u32,
    write: bool,
}

impl Options {
    pub(crate) fn of(arguments: &ArgMatches) -> Self {
        let number = |name: &str| *arguments.get_one::<u32>(name).expect("has a default");
        Self {
            rounds: number("rounds"),
            milliseconds: number("milliseconds"),
            warm_up_milliseconds: number("warm-up"),
            write: arguments.get_flag("write"),
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Replies, from parts to values.
    Decode,
    /// Responses, from values to rows.
    Encode,
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Encode => "encode",
        }
    }

    /// The folder of its vectors.
    fn folder(self) -> &'static str {
        match self {
            Self::Decode => "reply",
            Self::Encode => "response",
        }
    }
}

/// What came of a vector that both sides can do.
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) rounds: Vec<Round>,
}

/// One round: nanoseconds of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) ours_ns: f64,
    pub(crate) react_ns: f64,
}

impl Round {
    /// How many times as fast as React this crate was.
    pub(crate) fn ratio(&self) -> f64 {
        self.react_ns / self.ours_ns
    }
}

/// What came of a task.
pub(crate) struct Outcome {
    pub(crate) task: Task,
    pub(crate) measured: Vec<Measured>,
    /// Vectors that this crate cannot do.
    pub(crate) we_cannot: Vec<String>,
    /// Vectors that React cannot do.
    pub(crate) react_cannot: Vec<String>,
}

/// Both tasks, on both sides.
pub(crate) fn decode(options: &Options) -> anyhow::Result<()> {
    let mut react = React::start()?;
    let mut outcomes = Vec::with_capacity(2);
    for task in [Task::Decode, Task::Encode] {
        outcomes.push(measure(options, task, &mut react)?);
    }
    let report = report::markdown(options, &react.versions, &outcomes)?;
    println!("\n{report}");
    if options.write {
        page::keep(page::Runs::Decode, &report)?;
    }
    Ok(())
}

fn measure(options: &Options, task: Task, react: &mut React) -> anyhow::Result<Outcome> {
    let (mut vectors, we_cannot) = corpus::load(task)?;
    let mut react_cannot = Vec::new();
    eprintln!("{}: warming up with {} vectors", task.name(), vectors.len());
    // All of it runs once before any of it counts, so that each side is compiled for the whole corpus.
    let mut able = Vec::with_capacity(vectors.len());
    for vector in vectors.drain(..) {
        if react.measure(task, &vector.name, options.warm_up_milliseconds)?.is_some() {
            vector.measure(options.warm_up_milliseconds / 4);
            able.push(vector);
        } else {
            react_cannot.push(vector.name);
        }
    }
    let mut measured: Vec<_> = able
        .iter()
        .map(|vector| Measured {
            name: vector.name.clone(),
            family: vector.family().to_owned(),
            rounds: Vec::new(),
        })
        .collect();
    for round in 1..=options.rounds {
        eprintln!("{}: round {round} of {}", task.name(), options.rounds);
        for (vector, measured) in able.iter().zip(&mut measured) {
            measured.rounds.extend(round_of(options, task, vector, react)?);
        }
    }
    Ok(Outcome { task, measured, we_cannot, react_cannot })
}

fn round_of(
    options: &Options,
    task: Task,
    vector: &Vector,
    react: &mut React,
) -> anyhow::Result<Option<Round>> {
    let ours_ns = vector.measure(options.milliseconds);
    let react_ns = react.measure(task, &vector.name, options.milliseconds)?;
    Ok(react_ns.map(|react_ns| Round { ours_ns, react_ns }))
}
