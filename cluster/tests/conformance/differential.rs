//! Any sequence of commands has the same answers on both adapters, but for versions, times and entries, which are compared
//! by their order.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use bytes::Bytes;
use callboard_cluster::{
    Slot,
    store::{Answer, Command, EntryId, Profile, Record, Stream, Verdict, View},
};
use callboard_protocol::{
    action::CallId,
    envelope::Idempotency,
    identity::{Boot, Incarnation, ProcessId, RedisMillis, ViewVersion},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::{
    server::Server,
    world::{World, boot, call, profile},
};

/// What is done, by numbers that shrink well: kind, session, and two choices.
type Step = (u8, u32, u8, u8);

/// One of the adapters, and what it said so far.
struct Side {
    world: World,
    versions: Vec<ViewVersion>,
    entries: HashMap<Bytes, EntryId>,
}

/// What both sides know: which frames were seen where.
#[derive(Default)]
struct Seen {
    frames: Vec<(Boot, Stream, Bytes)>,
}

impl Side {
    fn new(world: World) -> Self {
        Self { world, versions: Vec::new(), entries: HashMap::new() }
    }

    fn forget(&mut self) {
        self.world.forget();
        self.versions.clear();
        self.entries.clear();
    }

    /// Entries of frames of this stream that were seen, the chosen ones.
    fn chosen(&self, seen: &Seen, boot: Boot, stream: Stream, choice: u8) -> Vec<EntryId> {
        let there = seen.frames.iter().filter(|(of, which, _)| (*of, *which) == (boot, stream));
        let chosen = there.enumerate().filter(|(place, _)| choice & (1 << (place % 8)) != 0);
        chosen.map(|(_, (_, _, frame))| self.entries[frame]).collect()
    }

    fn command(&self, seen: &Seen, number: usize, (kind, session, a, b): Step) -> Command {
        let boot = boot(session);
        let stream = if a & 1 == 0 { Stream::Requests } else { Stream::Replies };
        let after = |stream| self.chosen(seen, boot, stream, b).last().copied().unwrap_or_default();
        let frames_max = usize::from(a % 3) + 1;
        let busy: BTreeSet<_> = (0..u16::from(b % 3)).map(Slot::from_index).collect();
        match kind {
            0 => Command::OpenInbox { boot },
            1 | 2 => {
                let keys = [(1, if b % 8 == 0 { 0xb } else { 0xa }), (a, 1)].into();
                let incarnation =
                    if a % 16 == 15 { Incarnation::named("another") } else { self.world.incarnation() };
                Command::Join { boot, profile: Profile { keys, ..profile() }, incarnation, busy }
            }
            3 => Command::Renew { boot },
            4 => Command::Leases { boots: (0..4).map(crate::world::boot).collect() },
            5 => Command::View,
            6..=9 => {
                let (sender, frame) =
                    (ProcessId::from_u128(u128::from((a >> 1) & 1)), Bytes::from(format!("{number}")));
                Command::Send {
                    to: boot,
                    stream,
                    sender,
                    number: number as u64 / 4 + u64::from(b % 4),
                    frame,
                }
            }
            10 | 11 => Command::ReadRequests { boot, frames_max },
            12 => Command::ReadClaimed { boot, after: after(Stream::Requests), frames_max },
            13 => Command::ReadReplies { boot, after: after(Stream::Replies), frames_max },
            14 => Command::Settle { boot, entries: self.chosen(seen, boot, Stream::Requests, b) },
            15 => Command::TrimReplies { boot, through: after(Stream::Replies) },
            16 => Command::Fence { boot, counter: u64::from(a % 3) + 1 },
            18 => Command::Orphan {
                boot,
                requests_after: after(Stream::Requests),
                replies_after: after(Stream::Replies),
                frames_max,
            },
            19 => Command::OrphanDone {
                boot,
                requests: self.chosen(seen, boot, Stream::Requests, a | b),
                replies: self.chosen(seen, boot, Stream::Replies, a | b),
            },
            20 => {
                let version =
                    self.versions.len().checked_sub(1 + usize::from(a % 3)).map(|place| self.versions[place]);
                Command::AckView { boot, version: version.unwrap_or_default(), busy, number: u64::from(b) }
            }
            21 => Command::Drain { boot },
            // Seldom, as there is nothing to be seen of a session after it.
            22 if a % 8 == 0 => Command::Leave { boot },
            17 | 22 => Command::Evict { boot },
            23 => Command::Open { incarnation: self.world.incarnation() },
            _ => Self::on_key(number, boot, (kind, a, b)),
        }
    }

    /// A command about an idempotency key.
    fn on_key(number: usize, boot: Boot, (kind, a, b): (u8, u8, u8)) -> Command {
        let idempotency =
            Idempotency { key: u128::from(a & 1), digest: u128::from(b & 1), retention_s: 86_400 };
        let (id, attempt): (CallId, u32) = (call(u128::from((a >> 1) & 1)), u32::from((b >> 1) & 3));
        let outcome = || Bytes::from(format!("outcome {number}"));
        match kind {
            24 | 25 => Command::IdempotencyBegin { idempotency, boot, call: id, attempt, again: a & 4 != 0 },
            26 => {
                let retention_ms = if a & 8 == 0 { 60_000 } else { 0 };
                Command::IdempotencyFinish { idempotency, call: id, outcome: outcome(), retention_ms }
            }
            27 => Command::IdempotencyAbandon { idempotency, boot, call: id, attempt },
            28 => Command::IdempotencyResolve { idempotency, boot, call: id, attempt },
            _ => {
                let record = match a % 3 {
                    0 => Record::Running { boot, call: id, attempt },
                    1 => Record::Done { call: id, outcome: outcome() },
                    _ => Record::Unknown { boot, call: id },
                };
                Command::IdempotencyRestore { idempotency, record, retention_ms: 60_000 }
            }
        }
    }

    /// Performs it, and gives back the answer with all that may differ put in order.
    async fn perform(&mut self, command: Command) -> Answer {
        let mut answer = self.world.perform(command).await;
        match &mut answer {
            Answer::Joined { view, time } => {
                *time = RedisMillis::default();
                self.rank(view);
            }
            Answer::View(Some(view)) => self.rank(view),
            Answer::Renewed(renewal) => {
                renewal.time = RedisMillis::default();
                renewal.incarnation = Incarnation::named("");
            }
            Answer::Frames(frames) => self.learn(frames),
            Answer::Orphan(Some(orphan)) => {
                self.learn(&mut orphan.claimed);
                self.learn(&mut orphan.undelivered);
                self.learn(&mut orphan.replies);
            }
            _ => {}
        }
        answer
    }

    fn learn(&mut self, frames: &mut [(EntryId, Bytes)]) {
        for (entry, frame) in frames {
            self.entries.insert(frame.clone(), std::mem::take(entry));
        }
    }

    /// Versions become their places among those seen. An acknowledged one was seen before, or when its member joined.
    fn rank(&mut self, view: &mut View) {
        view.incarnation = Incarnation::named("");
        self.versions.push(view.version);
        self.versions.extend([view.opened]);
        self.versions.extend(view.members.values().map(|member| member.acked));
        self.versions.sort_unstable();
        self.versions.dedup();
        let rank = |version: ViewVersion| {
            ViewVersion::from_u64(self.versions.binary_search(&version).expect("just put there") as u64)
        };
        (view.version, view.opened) = (rank(view.version), rank(view.opened));
        for member in view.members.values_mut() {
            member.acked = rank(member.acked);
        }
    }
}

/// Frames that are in an answer are known from then on.
fn note(seen: &mut Seen, command: &Command, answer: &Answer) {
    let mut add = |boot: Boot, stream: Stream, frames: &[(EntryId, Bytes)]| {
        for (_, frame) in frames {
            if !seen.frames.iter().any(|(_, _, known)| known == frame) {
                seen.frames.push((boot, stream, frame.clone()));
            }
        }
    };
    match (command, answer) {
        (Command::ReadRequests { boot, .. } | Command::ReadClaimed { boot, .. }, Answer::Frames(frames)) => {
            add(*boot, Stream::Requests, frames);
        }
        (Command::ReadReplies { boot, .. }, Answer::Frames(frames)) => add(*boot, Stream::Replies, frames),
        (Command::Orphan { boot, .. }, Answer::Orphan(Some(orphan))) => {
            add(*boot, Stream::Requests, &orphan.claimed);
            add(*boot, Stream::Requests, &orphan.undelivered);
            add(*boot, Stream::Replies, &orphan.replies);
        }
        _ => {}
    }
}

/// Goal: the simulations say something about Redis. Method: the same steps on both.
#[test]
fn both_adapters_answer_alike() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let redis = runtime.block_on(World::redis_that_waits(Server::start(), "", Duration::from_millis(1)));
    let sides = std::cell::RefCell::new((Side::new(World::memory()), Side::new(redis)));
    let verdicts = std::cell::RefCell::new(HashMap::<String, usize>::new());
    let steps = prop::collection::vec(
        (0_u8..30, prop_oneof![9 => 0_u32..3, 1 => Just(3)], any::<u8>(), any::<u8>()),
        1..120,
    );
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    // The same steps each time: what they have to reach, they reach always.
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));

    let outcome = runner.run(&steps, |steps| {
        let (memory, redis) = &mut *sides.borrow_mut();
        memory.forget();
        redis.forget();
        let mut seen = Seen::default();
        // Most sessions are there, so that the rest says something.
        let begin: Vec<Step> = (0..3).flat_map(|session| [(0, session, 0, 1), (1, session, 0, 1)]).collect();
        for (number, step) in begin.iter().chain(&steps).enumerate() {
            let (ours, theirs) = (memory.command(&seen, number, *step), redis.command(&seen, number, *step));
            let expected = runtime.block_on(memory.perform(ours.clone()));
            let answer = runtime.block_on(redis.perform(theirs));
            prop_assert_eq!(&answer, &expected, "step {}: {:?}", number, ours);
            note(&mut seen, &ours, &answer);
            *verdicts.borrow_mut().entry(kind(&answer)).or_default() += 1;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // The steps lead somewhere.
    let verdicts = verdicts.borrow();
    for wanted in [
        "Sent(Now)",
        "Sent(Full)",
        "Sent(Kept)",
        "Gone",
        "Fencing(true)",
        "Orphan(some)",
        "Taken",
        "Conflict",
        "Left(true)",
        "KeysDisagree",
    ] {
        assert!(verdicts.contains_key(wanted), "no {wanted} in {verdicts:?}");
    }
}

fn kind(answer: &Answer) -> String {
    match answer {
        Answer::Orphan(Some(orphan))
            if orphan.replies.len() + orphan.undelivered.len() + orphan.claimed.len() > 0 =>
        {
            "Orphan(some)".to_owned()
        }
        Answer::Idempotency(Verdict::Taken(_)) => "Taken".to_owned(),
        Answer::Idempotency(Verdict::Conflict) => "Conflict".to_owned(),
        Answer::KeysDisagree(_) => "KeysDisagree".to_owned(),
        Answer::Sent(_) | Answer::Gone | Answer::Fencing(_) | Answer::Left(_) => format!("{answer:?}"),
        _ => "other".to_owned(),
    }
}
