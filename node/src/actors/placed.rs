//! Calls that the membership placed on this node: of its own clients, and of other nodes.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix::{Addr, Handler, Message};
use bytes::Bytes;
use callboard_cluster::core::{Ended, Input, Start};
use callboard_protocol::{
    ActionId,
    action::{CallId, Outcome, Settled},
    carried::{CarriedHead, CarriedOutcome},
    envelope::{Answer, Direction, TransferId},
    identity::Boot,
    reference::ActionReference,
};
use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tracing::{debug, error, warn};

use super::{
    Feed, Membership, RunEnded, RunResult, SlotWorker, Tell as _,
    frontend::call_arguments,
    settlement::{Held, Permit, Published, Settlement, rest_of},
    slot_worker::{act, panicked, revalidations},
};
use crate::{
    call::{Call, CallInfo, Cancellation},
    carry::{ChunkReader, FIRST_PIECE_BYTES, Room, first_piece, request_head, send_rows},
    clock,
    drain::InFlight,
    http::carried_arguments,
    node::Node,
    registry::RegisteredAction,
    telemetry::{Phase, Timeline},
};

/// Run this call at once, or not at all.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RunPlaced {
    /// The session in which it was allowed.
    pub(super) boot: Option<Boot>,
    pub(super) start: Box<Start>,
    /// The call, if its client is one of this node.
    pub(super) call: Option<Call>,
    /// Its arguments, if they do not stand in the start.
    pub(super) chunks: Option<ChunkReader>,
    pub(super) cancellation: Arc<Cancellation>,
    pub(super) node: Arc<Node>,
    pub(super) membership: Addr<Membership>,
}

impl Handler<RunPlaced> for SlotWorker {
    type Result = ();

    fn handle(&mut self, placed: RunPlaced, _: &mut Self::Context) {
        actix::spawn(async move {
            let (run, call, membership) = (placed.start.run, placed.start.call, placed.membership.clone());
            let (node, action) = (Arc::clone(&placed.node), placed.start.action);
            let (ended, result) = match AssertUnwindSafe(run_placed(placed)).catch_unwind().await {
                Ok(Ok(ran)) => ran,
                Ok(Err(NotStarted { answer, full, unstarted })) => {
                    let result = RunResult { unstarted, full, ..RunResult::of(call) };
                    (Ended::NotStarted(answer), result)
                }
                Err(panic) => broken_down(&node, call, &action, &*panic),
            };
            membership.tell(RunEnded { run, ended, result });
        });
    }
}

/// It panicked beside its action, so nobody knows whether that ran: it counts as one that did, and its line goes on.
fn broken_down(
    node: &Node,
    call: CallId,
    action: &ActionId,
    panic: &(dyn std::any::Any + Send),
) -> (Ended, RunResult) {
    let settled = Settled::Thrown(panicked(panic));
    let outcome = Outcome { settled, ..Outcome::default() };
    let registered = node.registry.action(action);
    let revalidations = registered.map(|action| revalidations(action, &outcome)).unwrap_or_default();
    error!(%call, "a call broke down beside its action");
    let (outcome, revalidates) = (encoded(call, &CarriedOutcome::of(&outcome)), !revalidations.is_empty());
    let ended = Ended::Ran { failed: true, outcome, kept: None, revalidates, rest: false };
    (ended, RunResult { revalidations, ..RunResult::of(call) })
}

/// A call that did not start and, in this run, never will.
struct NotStarted {
    answer: Answer,
    full: Option<(&'static str, usize)>,
    unstarted: Option<Call>,
}

impl NotStarted {
    fn because(answer: Answer) -> Self {
        Self { answer, full: None, unstarted: None }
    }
}

async fn run_placed(placed: RunPlaced) -> Result<(Ended, RunResult), NotStarted> {
    let RunPlaced { boot, start, call, chunks, cancellation, node, membership } = placed;
    // Members say which actions they have, so this is one that left a build a moment ago.
    let action = node.registry.action(&start.action).ok_or(NotStarted::because(Answer::Moved))?;
    let limit = node.settings.calls_max;
    let Some(permit) = Permit::take(&action.running, limit) else {
        return Err(NotStarted { answer: Answer::Busy, full: Some(("calls_max", limit)), unstarted: call });
    };
    if clock::core_now() >= start.not_after {
        return Err(NotStarted { answer: late(&start), full: None, unstarted: call });
    }
    let local = call.is_some();
    let (info, arguments, in_flight) = match call {
        Some(Call { info, arguments, in_flight, .. }) => (info, arguments, in_flight),
        None => {
            let follows = chunks.is_some();
            if follows {
                // From here on they may come: they can be read once.
                membership.tell(Feed(Input::Began(start.run)));
            }
            let in_flight = InFlight::begin(&node);
            let (info, read) = carried_call(&node, action, &start, chunks, cancellation).await?;
            // That took its time, in which others may have been told that this node is gone.
            let now = clock::core_now();
            if follows
                && (now >= start.deadline || !boot.is_some_and(|boot| node.standing.may_start(boot, now)))
            {
                return Err(NotStarted::because(late(&start)));
            }
            match read {
                Ok(arguments) => (info, arguments, in_flight),
                Err(mismatch) => {
                    let outcome = Outcome { settled: Settled::Mismatch(mismatch), ..Outcome::default() };
                    let held = Held { _permit: permit, _in_flight: in_flight };
                    return Ok(ended(&info, &start, outcome, Vec::new(), held, local, membership));
                }
            }
        }
    };
    if let Some(token) = start.token {
        // Set once: a run that did not start has set nothing.
        let _set = info.token.set(token);
    }
    if local {
        node.metrics.waited(&action.entry.class, info.placed().elapsed());
        info.timeline.over(Phase::QueueWait, info.placed());
    }
    let outcome = act(&info, action, arguments).await;
    if let (false, Settled::Thrown(thrown)) = (local, &outcome.settled) {
        info.timeline.failed(thrown.code.as_str());
    }
    let revalidations = revalidations(action, &outcome);
    let held = Held { _permit: permit, _in_flight: in_flight };
    let (ended, result) = ended(&info, &start, outcome, revalidations, held, local, membership);
    Ok((ended, RunResult { timeline: Some(Arc::clone(&info.timeline)), ..result }))
}

fn late(start: &Start) -> Answer {
    if clock::core_now() >= start.deadline { Answer::Expired } else { Answer::Moved }
}

/// A call of another node's client, and its arguments or what is wrong with them.
async fn carried_call(
    node: &Arc<Node>,
    action: &'static RegisteredAction,
    start: &Start,
    chunks: Option<ChunkReader>,
    cancellation: Arc<Cancellation>,
) -> Result<(Arc<CallInfo>, Result<crate::arguments::CallArguments, String>), NotStarted> {
    let head = CarriedHead::decode(&start.context).map_err(|error| {
        warn!(call = %start.call, %error, "a call of another node cannot be read");
        NotStarted::because(Answer::Moved)
    })?;
    let reference = ActionReference::parse(&head.reference)
        .ok()
        .and_then(|reference| reference.verify(&node.keys).ok())
        .filter(|reference| reference.id() == start.action)
        .ok_or_else(|| {
            warn!(call = %start.call, "a call of another node is not signed by a key of this one");
            NotStarted::because(Answer::Moved)
        })?;
    let (framing, timeout) = (head.framing.clone(), Duration::from_millis(head.timeout_ms));
    let (head, principal) = request_head(head);
    let age = clock::core_now().since(start.came);
    let timeline = Timeline::receive(node, &head.headers, age);
    timeline.found(action);
    timeline.is_call(start.call);
    timeline.over(Phase::QueueWait, timeline.begun());
    let begun = std::time::Instant::now();
    let info = Arc::new(CallInfo {
        id: start.call,
        node: Arc::clone(node),
        head,
        principal,
        timeout,
        deadline: clock::from_core(start.deadline),
        token: OnceLock::new(),
        cancellation,
        timeline: Arc::clone(&timeline),
    });
    let sent = carried_arguments(node, &framing, start.arguments.clone(), chunks).await;
    let sent = match sent {
        Ok(sent) => sent,
        // What is missing, the node of the client did not send.
        Err(refused) if refused.is_incomplete() => {
            debug!(call = %start.call, reason = refused.detail(), "the arguments of a call did not come");
            return Err(NotStarted::because(Answer::Moved));
        }
        Err(refused) if refused.is_for_want_of_room() => {
            let (call, trace, reason) = (start.call, timeline.trace_id(), refused.detail());
            warn!(%call, trace, reason, "the arguments of a call cannot be kept here");
            return Err(NotStarted::because(Answer::Busy));
        }
        Err(refused) => return Ok((info, Err(refused.detail().to_owned()))),
    };
    let arguments = call_arguments(node, action, &reference, info.principal.as_ref(), sent, None).await;
    timeline.over(Phase::Decode, begun);
    Ok((info, arguments.map_err(|refused| refused.detail().to_owned())))
}

/// What a run ended in: for the core what its node has to be told, and for this node's client what it gets.
fn ended(
    info: &Arc<CallInfo>,
    start: &Start,
    mut outcome: Outcome,
    revalidations: Vec<callboard_protocol::revalidation::Revalidation>,
    held: Held,
    local: bool,
    membership: Addr<Membership>,
) -> (Ended, RunResult) {
    let failed = matches!(outcome.settled, Settled::Thrown(_));
    let revalidates = !revalidations.is_empty();
    let kept = start.retention_s.map(|seconds| kept(info, &outcome, Duration::from_secs(seconds.into())));
    let mut result = RunResult { revalidations, ..RunResult::of(start.call) };
    if local {
        result.settled = Some(Settlement::of(outcome, Published::Nothing, held));
        return (Ended::Ran { failed, outcome: Bytes::new(), kept, revalidates, rest: false }, result);
    }
    let made = rest_of(&mut outcome);
    let mut carried = CarriedOutcome::of(&outcome);
    let goes_on = made.is_some()
        || matches!(&outcome.settled, Settled::Value(answer) if answer.head.len() > FIRST_PIECE_BYTES);
    if goes_on {
        let (first, left) = first_piece(carried.bytes, made.as_ref());
        carried.bytes = first;
        let transfer = TransferId { call: start.call, attempt: start.attempt, direction: Direction::Outcome };
        let (writer, given) = mpsc::unbounded_channel();
        result.room = Some((transfer, writer));
        let room = Room::new(transfer, given, membership);
        let info = Arc::clone(info);
        actix::spawn(async move {
            send_rows(info, left, made, room).await;
            drop(held);
        });
    }
    (Ended::Ran { failed, outcome: encoded(info.id, &carried), kept, revalidates, rest: goes_on }, result)
}

/// What is kept of an outcome for its idempotency key.
fn kept(info: &CallInfo, outcome: &Outcome, retention: Duration) -> Bytes {
    let carried = CarriedOutcome::of(outcome);
    let goes_on = matches!(&outcome.settled, Settled::Value(answer) if answer.rest.is_some());
    let fits = !goes_on && carried.bytes.len() <= info.node.settings.replay_bytes_max;
    if fits && info.node.retained.add_bytes(carried.bytes.len(), retention) {
        return encoded(info.id, &carried);
    }
    encoded(info.id, &carried.without_body())
}

/// The bytes of an outcome. One whose cookies and redirect are too many for any client is told without them.
fn encoded(call: CallId, carried: &CarriedOutcome) -> Bytes {
    carried.encode().unwrap_or_else(|| {
        warn!(%call, "cookies and redirect of a call are too large to be carried; they are left out");
        let plain = CarriedOutcome {
            kind: carried.kind,
            bytes: carried.bytes.clone(),
            effects: callboard_protocol::action::Effects::default(),
            body_kept: carried.body_kept,
        };
        plain.encode().unwrap_or_default()
    })
}
