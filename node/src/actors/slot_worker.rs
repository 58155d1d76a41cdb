//! Runs calls: admits them by permit, keeps the order of keyed ones, and answers only after what they revalidated
//! is published.

use std::{
    cell::RefCell,
    panic::AssertUnwindSafe,
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use actix::{Actor, AsyncContext as _, Context, Handler, Message, StreamHandler};
use callboard_cluster::{
    KeyLines,
    key_lines::Admission,
    memory::{Carried, Inbox},
};
use callboard_protocol::{
    ErrorCode,
    action::{CallError, Outcome, Settled, Thrown},
    action_id::ActionId,
    revalidation::{LogPosition, Revalidation},
};
use futures_util::{
    FutureExt as _,
    future::{Either, select},
};
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::Publish;
use crate::{
    call::{Call, CallInfo, InFlight},
    context::ActionContext,
    node::Node,
};

/// Run this call, which waits for no other. Answered through `reply`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Execute {
    pub(crate) call: Call,
    pub(crate) reply: Reply,
}

/// Where the answer to a call goes. Closed when the one who asked went away.
pub(crate) type Reply = oneshot::Sender<Result<Settlement, CallError>>;

/// An outcome whose revalidations are published.
pub(crate) struct Settlement {
    pub(crate) outcome: Outcome,
    pub(crate) published: Published,
    /// Set if it is what an earlier call with the same idempotency key ended in.
    pub(crate) replayed: Option<Replayed>,
    /// The call's place, if its answer goes on.
    pub(crate) held: Option<Held>,
}

/// How much of an earlier call's answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // until calls are routed
pub(crate) enum Replayed {
    /// All.
    Whole,
    /// Status and headers: the body was too large to be kept, or streamed.
    BodyNotKept,
}

/// The place of a call among those that run: kept until its answer ended.
///
/// Its line is not kept: the next call of the same key begins when the function of this one returned, as what it
/// streams is not part of what the key protects.
pub(crate) struct Held {
    _permit: Permit,
    _in_flight: InFlight,
}

/// What is known of a call's revalidations.
#[derive(Debug)]
pub(crate) enum Published {
    /// There were none.
    Nothing,
    /// Applied on this node, and their place in the order.
    At(LogPosition),
    /// Not confirmed in time; they may yet apply.
    Unconfirmed,
}

/// Runs the calls of one thread. Every HTTP worker thread has one for calls that wait for no other; the workers that
/// own slots have an inbox and run keyed calls in order of arrival.
///
/// Admission is by permit: actix bounds the mailbox, not what its handlers start.
pub(crate) struct SlotWorker {
    mailbox_max: usize,
    lines: Rc<RefCell<Lines>>,
    inbox: Option<Inbox<Call, Settlement>>,
}

type Lines = KeyLines<(ActionId, String), (Call, Reply)>;

impl SlotWorker {
    /// For the calls of this thread that wait for no other.
    pub(crate) fn unkeyed(mailbox_max: usize) -> Self {
        Self { mailbox_max, lines: Rc::new(RefCell::new(KeyLines::new(0))), inbox: None }
    }

    /// For the calls of the slots that this inbox stands for.
    pub(crate) fn of_slots(inbox: Inbox<Call, Settlement>, key_queue_max: usize) -> Self {
        Self {
            mailbox_max: 1,
            lines: Rc::new(RefCell::new(KeyLines::new(key_queue_max))),
            inbox: Some(inbox),
        }
    }
}

impl Actor for SlotWorker {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(self.mailbox_max);
        if let Some(mut inbox) = self.inbox.take() {
            context.add_stream(futures_util::stream::poll_fn(move |task| inbox.poll_recv(task)));
        }
    }
}

impl Handler<Execute> for SlotWorker {
    type Result = ();

    fn handle(&mut self, Execute { call, reply }: Execute, _: &mut Self::Context) {
        actix::spawn(run(call, reply));
    }
}

impl StreamHandler<Carried<Call, Settlement>> for SlotWorker {
    fn handle(&mut self, Carried { call, reply, .. }: Carried<Call, Settlement>, _: &mut Self::Context) {
        let line = (call.action.id, call.line.clone().unwrap_or_default());
        let mut admission = self.lines.borrow_mut().admit(line.clone(), (call, reply));
        if let Admission::Full(last) = admission {
            // Whoever went away keeps nobody else out.
            self.lines.borrow_mut().retain_waiting(&line, |(_, reply)| !reply.is_closed());
            admission = self.lines.borrow_mut().admit(line.clone(), last);
        }
        match admission {
            Admission::Start(first) => {
                actix::spawn(run_line(Rc::clone(&self.lines), line, first));
            }
            Admission::Waiting => {}
            Admission::Full((call, reply)) => {
                let limit = call.info.node.settings.key_queue_max;
                answer(reply, Err(CallError::Overloaded { what: "key_queue_max", limit }));
            }
        }
    }
}

/// Runs the calls of one key until none waits.
async fn run_line(lines: Rc<RefCell<Lines>>, line: (ActionId, String), first: (Call, Reply)) {
    let mut next = Some(first);
    while let Some((call, reply)) = next {
        // Whatever happens to one call, those behind it get their turn.
        if AssertUnwindSafe(run(call, reply)).catch_unwind().await.is_err() {
            error!(action = %line.0, "a worker panicked outside of an action");
        }
        next = lines.borrow_mut().finished(&line);
    }
}

/// One running call of an action, counted until it ended.
struct Permit(&'static AtomicUsize);

impl Permit {
    fn take(running: &'static AtomicUsize, calls_max: usize) -> Option<Self> {
        let permit = Self(running);
        (running.fetch_add(1, Ordering::Relaxed) < calls_max).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
    if Instant::now() >= info.deadline || !info.start.begin() {
        return answer(reply, Err(CallError::Expired));
    }

    let arriving = arguments.arriving.clone();
    let cx = ActionContext::new(Arc::clone(&info));
    let effects = cx.effects();
    // The inner block makes a panic before the first await one of the action's, too.
    let acting = AssertUnwindSafe(async move { (action.entry.run)(cx, arguments).await }).catch_unwind();
    let deadline = pin!(tokio::time::sleep_until(info.deadline.into()));
    let (ended, reply) = match select(pin!(acting), deadline).await {
        Either::Left((ended, _)) => (ended, Some(reply)),
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
    let outcome = ended.unwrap_or_else(|panic| Outcome {
        settled: Settled::Thrown(Thrown {
            code: ErrorCode::ActionPanicked,
            digest: ErrorCode::ActionPanicked.to_string(),
            private: panic_text(&*panic),
        }),
        effects: effects.take(),
    });
    log(&info, action.entry.name, &outcome);
    let published = publish(&info.node, action.entry.revalidates, &outcome).await;
    if let Some(reply) = reply {
        let goes_on = matches!(&outcome.settled, Settled::Value(answer) if answer.rest.is_some());
        let held = goes_on.then_some(Held { _permit: permit, _in_flight: in_flight });
        answer(reply, Ok(Settlement { outcome, published, replayed: None, held }));
    }
}

/// Publishes what the action declared and what it asked for, whatever it ended in: it may have written before it
/// failed. A call that never started revalidates nothing.
async fn publish(node: &Node, declared: &[&str], outcome: &Outcome) -> Published {
    if matches!(outcome.settled, Settled::Mismatch(_)) {
        return Published::Nothing;
    }
    let declared = declared.iter().map(|tag| Revalidation::Tag((*tag).to_owned()));
    let revalidations: Vec<_> = declared.chain(outcome.effects.revalidations.iter().cloned()).collect();
    if revalidations.is_empty() {
        return Published::Nothing;
    }
    // Spawned: it applies in the end, whether somebody still waits for it or not.
    let publishing = actix::spawn(node.revalidator.send(Publish { revalidations }));
    if let Ok(Ok(Ok(position))) = tokio::time::timeout(node.settings.publish_timeout, publishing).await {
        return Published::At(position);
    }
    error!(waited = ?node.settings.publish_timeout, "revalidations were not confirmed");
    Published::Unconfirmed
}

fn log(info: &CallInfo, action: &str, outcome: &Outcome) {
    if let Settled::Thrown(thrown) = &outcome.settled {
        warn!(call = %info.id, action, code = %thrown.code, error = thrown.private, "action failed");
    }
}

fn answer(reply: Reply, answer: Result<Settlement, CallError>) {
    // A closed channel is a client that went away; it is owed nothing.
    let _gone = reply.send(answer);
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked without a message".into())
}
