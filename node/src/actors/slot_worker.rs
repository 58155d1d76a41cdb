//! Runs calls: admits them by permit, and answers only after what they revalidated is published.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Instant};

use actix::{Actor, Context, Handler, Message};
use callboard_protocol::{
    ErrorCode,
    action::{CallError, Outcome, Settled, Thrown},
    revalidation::Revalidation,
};
use futures_util::{
    FutureExt as _,
    future::{Either, select},
};
use tracing::{Instrument as _, warn};

use super::{
    Confirmation, Publish, Tell as _,
    settlement::{Held, Permit, Published, Reply, Settlement},
};
use crate::{
    arguments::CallArguments,
    call::{Call, CallInfo},
    context::ActionContext,
    node::Node,
    registry::RegisteredAction,
    telemetry::{Phase, Timeline},
};

/// Run this call, which waits for no other. Answered through `reply`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Execute {
    pub(crate) call: Call,
    pub(crate) reply: Reply,
}

/// Runs calls on one thread. Every HTTP worker thread has one for the calls that came to it and wait for no other; those on
/// arbiters of their own run what the membership places there: calls of slots that this node owns.
///
/// Admission is by permit: actix bounds the mailbox, not what its handlers start.
pub(crate) struct SlotWorker {
    mailbox_max: usize,
}

impl SlotWorker {
    pub(crate) fn new(mailbox_max: usize) -> Self {
        Self { mailbox_max }
    }
}

impl Actor for SlotWorker {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(self.mailbox_max);
    }
}

impl Handler<Execute> for SlotWorker {
    type Result = ();

    fn handle(&mut self, Execute { call, reply }: Execute, _: &mut Self::Context) {
        actix::spawn(run(call, reply));
    }
}

/// Starts a call, unless nobody waits for it, its time is over or there is no room; answers it at its end, or at its
/// deadline and then sees it through.
async fn run(call: Call, reply: Reply) {
    let Call { info, action, arguments, in_flight, .. } = call;
    let limit = info.node.settings.calls_max;
    let Some(permit) = Permit::take(&action.running, limit) else {
        return answer(reply, Err(CallError::Overloaded { what: "calls_max", limit }));
    };
    if reply.is_closed() {
        return;
    }
    if Instant::now() >= info.deadline {
        return answer(reply, Err(CallError::Expired));
    }

    info.node.metrics.waited(&action.entry.class, info.placed().elapsed());
    info.timeline.over(Phase::QueueWait, info.placed());
    let arriving = arguments.arriving.clone();
    let deadline = pin!(tokio::time::sleep_until(info.deadline.into()));
    let (outcome, reply) = match select(pin!(act(&info, action, arguments)), deadline).await {
        Either::Left((outcome, _)) => (outcome, Some(reply)),
        Either::Right(((), _)) if arriving.is_some_and(|arriving| arriving.is_awaited()) => {
            // It still waits for its arguments, so nothing of it ran and it can be dropped.
            return answer(reply, Err(CallError::Expired));
        }
        Either::Right(((), acting)) => {
            info.cancellation.cancel();
            answer(reply, Err(CallError::DeadlineExceeded { timeout: info.timeout }));
            (acting.await, None)
        }
    };
    let revalidations = revalidations(action, &outcome);
    let published = publish(&info.node, revalidations, Some(&info.timeline)).await;
    if let Some(reply) = reply {
        let held = Held { _permit: permit, _in_flight: in_flight };
        answer(reply, Ok(Settlement::of(outcome, published, held)));
    }
}

/// Runs an action, whatever it ends in.
pub(super) async fn act(
    info: &Arc<CallInfo>,
    action: &'static RegisteredAction,
    arguments: CallArguments,
) -> Outcome {
    let cx = ActionContext::new(Arc::clone(info));
    let effects = cx.effects();
    let begun = Instant::now();
    // The inner block makes a panic before the first await one of the action's, too.
    let acting = AssertUnwindSafe(async move { (action.entry.run)(cx, arguments).await }).catch_unwind();
    let span = info.timeline.log_span();
    info.timeline.follow(&span, Phase::Run);
    let mut outcome = acting.instrument(span).await.unwrap_or_else(|panic| Outcome {
        settled: Settled::Thrown(panicked(&*panic)),
        effects: effects.take(),
    });
    let took = begun.elapsed();
    info.node.metrics.ran(action, took);
    info.timeline.over(Phase::Run, begun);
    let mistake = outcome.effects.revalidations.iter().find_map(|asked| asked.check().err());
    if let (Some(mistake), Settled::Value(_)) = (mistake, &outcome.settled) {
        outcome.settled = Settled::Thrown(Thrown {
            code: ErrorCode::ActionFailed,
            digest: mistake.digest().into(),
            private: format!("the action revalidated {mistake}"),
        });
    }
    action.ran.add(took, matches!(outcome.settled, Settled::Thrown(_)));
    if let Settled::Thrown(thrown) = &outcome.settled {
        let trace = info.timeline.trace_id();
        warn!(call = %info.id, %trace, action = action.entry.name, code = %thrown.code, error = thrown.private, "action failed");
    }
    outcome
}

/// What the action declared and what it asked for, whatever it ended in: it may have written before it failed. A call
/// that never started revalidates nothing.
pub(super) fn revalidations(action: &RegisteredAction, outcome: &Outcome) -> Vec<Revalidation> {
    if matches!(outcome.settled, Settled::Mismatch(_)) {
        return Vec::new();
    }
    let declared = action.entry.revalidates.iter().map(|tag| Revalidation::of_tag(*tag));
    declared.chain(outcome.effects.revalidations.iter().cloned()).collect()
}

/// Publishes, and waits for what the strictest of them waits for, or for `publish_timeout`.
pub(crate) async fn publish(
    node: &Node,
    revalidations: Vec<Revalidation>,
    timeline: Option<&Timeline>,
) -> Published {
    if revalidations.is_empty() {
        return Published::Nothing;
    }
    let begun = Instant::now();
    let (publish, published) = Publish::new(revalidations);
    node.revalidator.tell(publish);
    // Of a log that is gone nothing comes.
    let Confirmation { published, placed } = published.await.unwrap_or(Confirmation::NONE);
    node.metrics.revalidated(published.is_confirmed(), begun.elapsed());
    if let Some(timeline) = timeline {
        timeline.published(begun, placed);
    }
    published
}

fn answer(reply: Reply, answer: Result<Settlement, CallError>) {
    // A closed channel is a client that went away; it is owed nothing.
    let _gone = reply.send(answer);
}

/// What a panic is to whoever waits.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Thrown {
    let code = ErrorCode::ActionPanicked;
    Thrown { code, digest: code.to_string(), private: panic_text(panic) }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked without a message".into())
}
