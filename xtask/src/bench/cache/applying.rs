//! How many revalidations one core applies in a second, when they are pushed one by one.
//!
//! It is the node's own state machine that takes them, without sockets: the time is that of the processor, spent in its
//! steps, with those that tell the others how far it is. What the log in memory does meanwhile does not count.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use callboard_cluster::{
    cache::{
        Core, Input, Output, Settings,
        memory::Store,
        store::{Answer, Command, Mark},
    },
    clock,
    mutant::Mutants,
};
use callboard_protocol::{
    identity::ProcessId,
    revalidation::{LogPosition, Staleness, Tag},
};
use rustix::time::{ClockId, clock_gettime};

const ME: ProcessId = ProcessId::from_u128(1);
const OTHER: ProcessId = ProcessId::from_u128(2);

/// How many are pushed before the node hears what came of what it asked.
const BATCH: u32 = 32;

/// A node, and the log that it reads.
struct Reader {
    core: Core,
    log: Store,
    started: Instant,
    /// Processor time of its steps.
    spent: Duration,
}

/// Pushes so many revalidations, each of a tag of its own.
pub(super) fn per_second(revalidations: u32) -> anyhow::Result<f64> {
    let mut reader = Reader::new();
    reader.take(vec![Input::Tick]);
    let mut last = reader.opened()?;
    reader.spent = Duration::ZERO;
    for first in (0..revalidations).step_by(BATCH as usize) {
        for number in first..revalidations.min(first + BATCH) {
            last = reader.publish(last, number)?;
        }
        let pushes = reader.log.take_pushes();
        reader.take(pushes.into_iter().map(Input::Pushed).collect());
    }
    let applied = reader.core.versions().applied();
    ensure!(applied == last, "{applied} is applied of what was pushed up to {last}");
    Ok(f64::from(revalidations) / reader.spent.as_secs_f64())
}

impl Reader {
    fn new() -> Self {
        let core = Core::new(ME, Arc::default(), Arc::new(Settings::default()), Mutants::NONE);
        let log = Store::new(Mutants::NONE);
        Self { core, log, started: Instant::now(), spent: Duration::ZERO }
    }

    /// Where the log stands.
    fn opened(&mut self) -> anyhow::Result<LogPosition> {
        let now = self.now();
        ensure!(self.core.versions().is_leased(now), "the log in memory granted no lease");
        Ok(self.core.versions().applied())
    }

    fn now(&self) -> clock::Instant {
        // Time that begins at 0 would be before the first lease of all.
        clock::Instant::from_micros(1_000_000 + self.started.elapsed().as_micros() as u64)
    }

    /// Another node revalidates a tag.
    fn publish(&mut self, after: LogPosition, number: u32) -> anyhow::Result<LogPosition> {
        let tag = Tag::named(&format!("tag-{number}"));
        let marks = Some([Mark { tag, staleness: Staleness::Hard }].into());
        let command = Command::Publish { process: OTHER, epoch: after.epoch(), after, marks };
        match self.log.execute(&command) {
            Answer::Published { position, .. } => Some(position),
            _ => None,
        }
        .context("the log in memory took no revalidation")
    }

    /// Takes inputs, and those that follow from them.
    fn take(&mut self, mut inputs: Vec<Input>) {
        while !inputs.is_empty() {
            let (now, mut outputs) = (self.now(), Vec::new());
            let before = processor_time();
            for input in inputs.drain(..) {
                outputs.extend(self.core.step(now, input));
            }
            self.spent += processor_time().saturating_sub(before);
            for output in outputs {
                match output {
                    Output::Connect(connection) => inputs.push(Input::Connected(connection)),
                    Output::Perform(request, command) => {
                        let answer = self.log.execute(&command);
                        inputs.push(Input::Answered(request, Ok(answer)));
                        inputs.extend(self.log.take_pushes().into_iter().map(Input::Pushed));
                    }
                    // Nothing is published here, and no connection is lost.
                    _ => {}
                }
            }
        }
    }
}

/// What this thread has had of a processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_pushed_is_applied() {
        assert!(per_second(10 * BATCH + 1).unwrap() > 0.0);
    }
}
