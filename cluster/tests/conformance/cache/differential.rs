//! Any sequence of commands has the same answers and pushes on both adapters, but for epochs, which are compared by their
//! order.

use std::{cell::RefCell, collections::HashMap};

use callboard_cluster::cache::store::{Answer, Command, Entry, Following, Mark, Push, Staleness};
use callboard_protocol::revalidation::{Epoch, LogPosition, Tag};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::world::{World, at, process};
use crate::server::Server;

/// What is done, by numbers that shrink well: kind, process, and two choices.
type Step = (u8, u8, u8, u8);

/// One of the adapters, and the epochs that it was in.
struct Side {
    world: World,
    epochs: Vec<Epoch>,
}

impl Side {
    fn new(world: World) -> Self {
        Self { world, epochs: Vec::new() }
    }

    fn forget(&mut self) {
        self.world.forget();
        self.epochs.clear();
    }

    fn newest(&self) -> Epoch {
        self.epochs.last().copied().unwrap_or_default()
    }

    /// What a step asks for. `tail` is a sequence that the log of the newest epoch certainly has.
    fn command(&self, tail: u64, (kind, number, a, b): Step) -> Command {
        let process = process(u128::from(number % 3));
        // The newest epoch, or now and then one that is over.
        let back = usize::from(a % 16 == 0);
        let epoch = self.epochs.iter().rev().nth(back).copied().unwrap_or_else(|| self.newest());
        let after = at(epoch, u64::from(b % 8).min(tail));
        match kind {
            0 => {
                let known = self.newest().as_u64() + u64::from(a % 8 == 0) * u64::from(b % 3);
                // Sometimes beyond the end of the log.
                let seen = at(epoch, after.sequence() + 20 * u64::from(a % 8 == 1));
                Command::Open { known: Epoch::new(known).unwrap(), seen }
            }
            1..=3 => {
                let declared = (0..b % 3).map(|number| Tag::from_hash(number.into())).collect();
                // Nobody knows more than there is, but for a log that lost its end.
                let after = at(epoch, after.sequence() + 20 * u64::from(a % 8 == 1));
                Command::Renew { process, epoch, after, declared }
            }
            4..=6 => {
                let soft = |number: u8| (number % 2 == 1).then_some(u32::from(number));
                let marks = (0..a % 4).map(|number| Mark {
                    tag: Tag::from_hash(u64::from(b) << 32 | u64::from(number)),
                    staleness: if b & 1 == 0 {
                        Staleness::Hard
                    } else {
                        Staleness::Soft { expire_s: soft(number) }
                    },
                });
                Command::Publish { process, epoch, after, marks: Some(marks.collect()) }
            }
            7 | 8 => Command::Acknowledge { process, epoch, applied: after },
            9 => Command::Registered { epoch },
            10 => Command::Reap { epoch, process, grants: u64::from(b % 4) },
            _ => Command::Leave { epoch, process },
        }
    }

    fn rank(&self, position: LogPosition) -> LogPosition {
        let rank = self.epochs.iter().position(|epoch| *epoch == position.epoch()).expect("it was opened");
        at(Epoch::new(rank as u64).unwrap(), position.sequence())
    }

    fn ranked(&self, entry: Entry) -> Entry {
        Entry { position: self.rank(entry.position), ..entry }
    }

    fn rank_following(&self, following: Following) -> Following {
        match following {
            Following::Entries(entries) => {
                Following::Entries(entries.into_iter().map(|entry| self.ranked(entry)).collect())
            }
            Following::Trimmed => Following::Trimmed,
        }
    }

    /// Performs it, and gives back answer and pushes with epochs as their places among those seen.
    async fn perform(&mut self, command: Command) -> (Answer, Vec<Push>) {
        let answer = match self.world.perform(command).await {
            Answer::Opened { epoch, tail } => {
                assert!(epoch >= self.newest());
                if self.epochs.last() != Some(&epoch) {
                    self.epochs.push(epoch);
                }
                Answer::Opened { epoch: self.rank(epoch.start()).epoch(), tail: self.rank(tail) }
            }
            Answer::Renewed { tail, following, watermark } => Answer::Renewed {
                tail: self.rank(tail),
                following: self.rank_following(following),
                watermark: self.rank(watermark),
            },
            Answer::Published { position, following, has_others } => Answer::Published {
                position: self.rank(position),
                following: self.rank_following(following),
                has_others,
            },
            Answer::Acknowledged { watermark } => Answer::Acknowledged { watermark: self.rank(watermark) },
            Answer::Registered(mut all) => {
                all.sort_unstable();
                Answer::Registered(all)
            }
            other => other,
        };
        let pushes = self.world.pushes().await.into_iter().map(|push| match push {
            Push::Entry(entry) => Push::Entry(self.ranked(entry)),
            Push::Watermark(position) => Push::Watermark(self.rank(position)),
        });
        (answer, pushes.collect())
    }
}

/// Something happens to the log.
fn happen(world: &World, (kind, _, a, _): Step) -> bool {
    match kind {
        12 => world.trim(usize::from(a % 3) + 1),
        13 => world.become_another_memory(),
        14 if a % 4 == 0 => world.forget(),
        _ => return false,
    }
    true
}

fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Renewed { following: Following::Trimmed, .. } => "renewed, trimmed",
        Answer::Renewed { following: Following::Entries(entries), .. } if entries.len() > 1 => {
            "renewed, entries"
        }
        Answer::Published { has_others: true, .. } => "published to others",
        Answer::Reaped(true) => "reaped",
        Answer::Left => "left",
        Answer::Superseded => "superseded",
        _ => "other",
    }
}

/// Goal: the simulations say something about Redis. Method: the same steps on both.
#[test]
fn both_adapters_answer_and_push_alike() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let redis = runtime.block_on(World::redis(Server::start(), ""));
    let sides = RefCell::new((Side::new(World::memory()), Side::new(redis)));
    let reached = RefCell::new(HashMap::<&str, usize>::new());
    let steps = prop::collection::vec((0_u8..15, any::<u8>(), any::<u8>(), any::<u8>()), 1..80);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100);
    // The same steps each time: what they have to reach, they reach always.
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));

    let outcome = runner.run(&steps, |steps| {
        let (memory, redis) = &mut *sides.borrow_mut();
        memory.forget();
        redis.forget();
        let mut tail = 0;
        for (number, step) in std::iter::once(&(0, 0, 1, 0)).chain(&steps).enumerate() {
            if happen(&memory.world, *step) {
                happen(&redis.world, *step);
                continue;
            }
            let (ours, theirs) = (memory.command(tail, *step), redis.command(tail, *step));
            let expected = runtime.block_on(memory.perform(ours.clone()));
            let answer = runtime.block_on(redis.perform(theirs));
            prop_assert_eq!(&answer, &expected, "step {}: {:?}", number, ours);
            match &expected.0 {
                Answer::Opened { tail: end, .. }
                | Answer::Renewed { tail: end, .. }
                | Answer::Published { position: end, .. } => tail = end.sequence(),
                _ => {}
            }
            *reached.borrow_mut().entry(kind(&expected.0)).or_default() += 1;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // The steps lead somewhere.
    let reached = reached.borrow();
    for wanted in
        ["renewed, trimmed", "renewed, entries", "published to others", "reaped", "left", "superseded"]
    {
        assert!(reached.contains_key(wanted), "no {wanted} in {reached:?}");
    }
}
