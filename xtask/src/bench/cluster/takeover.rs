//! The node that runs an action dies: how long until another one runs it.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::bail;

use crate::bench::{
    line::Call,
    nodes::{NODES, Nodes},
};

/// How often a call is sent: light, so that nothing waits for room.
const EVERY: Duration = Duration::from_millis(50);

/// How many calls are sent before the kill, so that some are on their way.
const BEFORE: u32 = 10;

/// How long a takeover may take before nobody waits for it any more.
const TAKEOVER_MAX: Duration = Duration::from_secs(20);

/// How many keys are tried until one is owned by the node that is to be killed.
const KEYS_MAX: u32 = 64;

/// What came of one kill.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Takeover {
    /// From the kill to the first `done` of a call without a key that was sent after it.
    pub(super) plain: Duration,
    /// The same of a call with a key.
    pub(super) keyed: Duration,
    /// How the calls that were on their way or came meanwhile were answered.
    pub(super) done: u32,
    pub(super) not_run: u32,
    pub(super) unknown: u32,
}

/// A call that was answered.
struct Answered {
    keyed: bool,
    sent: Instant,
    at: Instant,
    outcome: &'static str,
}

/// Kills the owner of both calls again and again. `keyed` gives the call with a key.
pub(super) fn run(
    nodes: &mut Nodes<'_>,
    kills: u32,
    plain: &Call,
    keyed: impl Fn(u32) -> Call,
) -> anyhow::Result<Vec<Takeover>> {
    let mut takeovers = Vec::new();
    for number in 1..=kills {
        let owner = nodes.owner_of(plain)?;
        let calls = [plain.clone(), call_of(nodes, owner, &keyed)?];
        let takeover = kill(nodes, owner, &calls)?;
        println!(
            "kill {number}: {:.2} s without a key, {:.2} s with one; {} done, {} not run, {} unknown",
            takeover.plain.as_secs_f64(),
            takeover.keyed.as_secs_f64(),
            takeover.done,
            takeover.not_run,
            takeover.unknown
        );
        takeovers.push(takeover);
        nodes.restart(owner)?;
    }
    Ok(takeovers)
}

/// A call with a key that this node runs.
fn call_of(nodes: &Nodes<'_>, owner: usize, keyed: impl Fn(u32) -> Call) -> anyhow::Result<Call> {
    for key in 0..KEYS_MAX {
        let call = keyed(key);
        if nodes.agreed_owner_of(&call)? == Some(owner) {
            return Ok(call);
        }
    }
    bail!("of {KEYS_MAX} keys, node {owner} owns none")
}

/// Sends both calls to the other nodes in turn, on time whatever becomes of them, and kills the owner meanwhile.
fn kill(nodes: &mut Nodes<'_>, owner: usize, calls: &[Call; 2]) -> anyhow::Result<Takeover> {
    let others = (0..NODES).filter(|place| *place != owner);
    let others: Vec<String> = others.map(|place| nodes.server(place).address.clone()).collect();
    let (answers, answered) = mpsc::channel();
    let (mut takeover, mut first) = (Takeover::default(), [None; 2]);
    std::thread::scope(|scope| {
        let started = Instant::now();
        let mut killed = None;
        for number in 0.. {
            if number == BEFORE {
                let at = Instant::now();
                nodes.kill(owner);
                killed = Some((at, Instant::now()));
            }
            let place = number as usize;
            let (keyed, address) = (place % 2, others[place / 2 % others.len()].clone());
            let (call, answers) = (&calls[keyed], answers.clone());
            scope.spawn(move || {
                // Nobody listens any more once the takeover is over.
                let _over = answers.send(ask(call, &address, keyed == 1));
            });
            let next = started + EVERY * (number + 1);
            while let Ok(answer) = answered.recv_timeout(next.saturating_duration_since(Instant::now())) {
                note(&mut takeover, &mut first, &answer, killed);
            }
            let over = killed.is_some_and(|(at, _)| at.elapsed() > TAKEOVER_MAX);
            if over || first.iter().all(Option::is_some) {
                break;
            }
        }
    });
    drop(answers);
    for answer in answered {
        note(&mut takeover, &mut [None; 2], &answer, None);
    }
    let [Some(plain), Some(keyed)] = first else {
        bail!("{TAKEOVER_MAX:?} after the owner died, nobody runs its calls: {takeover:?}");
    };
    Ok(Takeover { plain, keyed, ..takeover })
}

fn note(
    takeover: &mut Takeover,
    first: &mut [Option<Duration>; 2],
    answer: &Answered,
    killed: Option<(Instant, Instant)>,
) {
    match answer.outcome {
        "done" => takeover.done += 1,
        "not-run" => takeover.not_run += 1,
        _ => takeover.unknown += 1,
    }
    let Some((killed, dead)) = killed else { return };
    if answer.outcome == "done" && answer.sent >= dead {
        first[usize::from(answer.keyed)].get_or_insert(answer.at - killed);
    }
}

fn ask(call: &Call, address: &str, keyed: bool) -> Answered {
    let sent = Instant::now();
    let answer = call.ask(address);
    let outcome = answer.ok().and_then(|answer| {
        let head = answer.head.to_ascii_lowercase();
        ["done", "not-run"]
            .into_iter()
            .find(|outcome| head.contains(&format!("callboard-outcome: {outcome}\r\n")))
    });
    Answered { keyed, sent, at: Instant::now(), outcome: outcome.unwrap_or("unknown") }
}
