//! The front end of one HTTP worker thread: verifies a call, asks its guard, decodes its arguments, and places it.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use actix::Addr;
use bytes::Bytes;
use callboard_cluster::{
    Slot,
    core::{Input, Submission},
};
use callboard_protocol::{
    ErrorCode, Value,
    action::{CallError, CallId},
    de::DeError,
    envelope::Idempotency,
    error::Family,
    flight,
    js::JsString,
    reference::{ActionReference, Verified},
    reply, sealing,
    value::{Node as ValueNode, Promise, Slot as ValueSlot},
};
use futures_util::FutureExt as _;
use tokio::{sync::oneshot, time::timeout_at};
use tracing::{Instrument as _, debug, error};

use super::{Execute, Feed, Rows, Settlement, SlotWorker, Submit, Tell as _};
use crate::{
    arguments::{Arriving, CallArguments},
    call::{Call, CallInfo},
    carry::{Shipment, carried_head},
    clock,
    context::{GuardContext, Principal},
    drain::InFlight,
    http::Refused,
    node::Node,
    registry::{Class, RegisteredAction},
    request::RequestHead,
    retained::Counted,
    telemetry::{Phase, Timeline},
};

/// Turns requests into calls, one check after the other, and calls into settlements.
pub(crate) struct Frontend {
    pub(crate) node: Arc<Node>,
    worker: Addr<SlotWorker>,
    call_ids: CallIds,
}

/// An action that a client may name: its reference was signed by us.
pub(crate) struct Resolved {
    pub(crate) action: &'static RegisteredAction,
    pub(crate) reference: Verified<ActionReference>,
}

/// A call that its guard let in.
pub(crate) struct Admitted {
    pub(crate) resolved: Resolved,
    pub(crate) in_flight: InFlight,
    pub(crate) head: RequestHead,
    pub(crate) principal: Option<Principal>,
}

/// What a client sent for a call.
pub(crate) struct Sent {
    /// The decoded arguments.
    pub(crate) arguments: Value,
    /// What is known of the body, if it still arrives.
    pub(crate) arriving: Option<Arriving>,
    /// The client's word that calls are one.
    pub(crate) idempotency: Option<Idempotency>,
    /// The arguments as they came, if they may go to another node.
    pub(crate) shipment: Option<Shipment>,
}

/// A call that was run, while its answer is on its way.
pub(crate) struct Answered {
    pub(crate) call: CallId,
    pub(crate) deadline: Instant,
    pub(crate) settlement: Settlement,
    /// Dropped when nobody waits for more.
    pub(crate) waiting: Waiting,
}

/// Verifies a reference and finds its action. Nothing else of a request is looked at before.
fn resolve(node: &Node, reference: &str) -> Result<Resolved, Refused> {
    let reference = ActionReference::parse(reference)?.verify(&node.keys)?;
    match node.registry.action(&reference.id()) {
        Some(action) => Ok(Resolved { action, reference }),
        None => Err(Refused::unknown_action()),
    }
}

/// What is known of a server reference inside arguments: only what we signed is one.
pub(crate) fn known(node: &Node, id: &JsString) -> reply::Resolution {
    match id.as_str().map(|id| resolve(node, id)) {
        Some(Ok(_)) => reply::Resolution::Known,
        _ => reply::Resolution::Unknown,
    }
}

impl Frontend {
    pub(crate) fn new(node: Arc<Node>, worker: Addr<SlotWorker>) -> Self {
        Self { node, worker, call_ids: CallIds::new() }
    }

    /// The action that a client names.
    pub(crate) fn resolve(&self, reference: &str) -> Result<Resolved, Refused> {
        resolve(&self.node, reference)
    }

    /// Takes a call whose reference was verified. From here on a node that stops waits for its body, for a while.
    pub(crate) fn accept(&self) -> Result<InFlight, Refused> {
        InFlight::accept(&self.node).ok_or_else(|| CallError::Draining.into())
    }

    /// What is read of a body, unless this node stops and waits for it no longer.
    pub(crate) async fn read<T>(
        &self,
        reading: impl Future<Output = Result<T, Refused>>,
    ) -> Result<T, Refused> {
        tokio::select! {
            biased;
            read = reading => read,
            () = self.node.drain.bodies_given_up() => Err(CallError::Draining.into()),
        }
    }

    /// Asks the action's guard.
    pub(crate) async fn admit(
        &self,
        resolved: Resolved,
        in_flight: InFlight,
        head: RequestHead,
        timeline: &Timeline,
    ) -> Result<Admitted, Refused> {
        let Some(guard) = &resolved.action.entry.guard else {
            return Ok(Admitted { resolved, in_flight, head, principal: None });
        };
        let context = GuardContext::new(Arc::clone(&self.node), head);
        // The inner block makes a panic before the first await one of the guard's, too.
        let asked = AssertUnwindSafe(async { (guard.check)(&context).await }).catch_unwind();
        let asked = asked.instrument(timeline.log_span());
        let timeout = self.node.settings.guard_timeout;
        let Ok(asked) = tokio::time::timeout(timeout, asked).await else {
            return Err(Refused::new(
                ErrorCode::Expired,
                format!("the guard did not answer within {timeout:?}"),
            ));
        };
        match asked {
            Ok(Ok(principal)) => {
                Ok(Admitted { resolved, in_flight, head: context.into_head(), principal: Some(principal) })
            }
            Ok(Err(refusal)) => Err(refusal.into()),
            Err(_) => Err(panicked("guard", guard.name, timeline)),
        }
    }

    /// Decodes the argument array of a fetch call that came as one text.
    pub(crate) fn decode(&self, body: Bytes) -> Result<Value, Refused> {
        let known = |id: &JsString| known(&self.node, id);
        Ok(reply::decode_arguments(reply::Body::Text(body), &self.node.decode_limits, &known)?)
    }

    /// Places a call and waits for its settlement. Dropping the future tells the call that nobody waits.
    pub(crate) async fn call(
        &self,
        admitted: Admitted,
        sent: Sent,
        timeline: &Arc<Timeline>,
    ) -> Result<Answered, Refused> {
        let begun = Instant::now();
        let Admitted { resolved: Resolved { action, reference }, in_flight, head, principal } = admitted;
        let Sent { arguments, arriving, idempotency, shipment } = sent;
        let timeout = action.entry.timeout.unwrap_or(self.node.settings.call_timeout);
        let deadline = Instant::now() + timeout;
        let opening = call_arguments(&self.node, action, &reference, principal.as_ref(), arguments, arriving);
        let arguments = timeout_at(deadline.into(), opening).await;
        let arguments = arguments.unwrap_or_else(|_| Err(CallError::Expired.into()))?;
        let line = match &action.entry.class {
            Class::Plain => None,
            Class::Serial => Some(String::new()),
            Class::Keyed(key) => Some(key_of(*key, &arguments, action.entry.name, timeline)?),
        };
        let info = Arc::new(CallInfo {
            id: self.call_ids.next(),
            node: Arc::clone(&self.node),
            head,
            principal,
            timeout,
            deadline,
            token: OnceLock::new(),
            cancellation: Arc::default(),
            timeline: Arc::clone(timeline),
        });
        let call = info.id;
        timeline.is_call(call);
        let mut waiting = Waiting { info: Arc::clone(&info), placed: false };
        let placed = Call { info, action, arguments, in_flight };
        timeline.over(Phase::Place, begun);
        let begun = Instant::now();
        let settled = if self.runs_here(action, line.as_deref(), idempotency.as_ref(), shipment.as_ref()) {
            self.execute(placed).await
        } else {
            waiting.placed = true;
            let settled = self.place(placed, line, idempotency, shipment, &reference).await;
            if self.node.is_clustered() && !timeline.has(Phase::Run) {
                timeline.over(Phase::Carry, begun);
            }
            // What goes on can still be stopped; of anything else nothing is left.
            waiting.placed = matches!(&settled, Ok(Settlement { rest: Some(Rows::Carried(_)), .. }));
            settled
        };
        match settled {
            Ok(settlement) => Ok(Answered { call, deadline, settlement, waiting }),
            Err(error) => Err(Refused::from(error).of_call(call)),
        }
    }

    /// Whether a call runs on this thread: it waits for no other and nobody says that it is one with another, and this is
    /// the node to run it, or its arguments are not worth sending.
    fn runs_here(
        &self,
        action: &RegisteredAction,
        line: Option<&str>,
        idempotency: Option<&Idempotency>,
        shipment: Option<&Shipment>,
    ) -> bool {
        let stays = |shipment: &Shipment| shipment.bytes() > self.node.settings.ship_bytes_max as u64;
        line.is_none()
            && idempotency.is_none()
            && (shipment.is_none_or(stays) || !self.node.standing.is_elsewhere(&action.id))
    }

    /// Runs a call on this thread.
    async fn execute(&self, mut call: Call) -> Result<Settlement, CallError> {
        call.in_flight.has_arrived();
        let (reply, settlement) = oneshot::channel();
        if self.worker.try_send(Execute { call, reply }).is_err() {
            return Err(self.inbox_is_full());
        }
        settlement.await.unwrap_or(Err(CallError::OutcomeUnknown))
    }

    /// Hands a call to the membership, if there is room for its idempotency key, which counts unless nothing is kept for it.
    async fn place(
        &self,
        call: Call,
        line: Option<String>,
        idempotency: Option<Idempotency>,
        shipment: Option<Shipment>,
        reference: &Verified<ActionReference>,
    ) -> Result<Settlement, CallError> {
        let submitted = self.submit(call, line, idempotency, shipment, reference);
        let Some(Idempotency { key, retention_s, .. }) = idempotency else { return submitted.await };
        let (retained, retention) = (&self.node.retained, Duration::from_secs(retention_s.into()));
        let counted = retained.add_key(key, retention);
        if counted == Counted::NoRoom {
            let limit = self.node.settings.idempotency_keys_max;
            return Err(CallError::Overloaded { what: "idempotency_keys_max", limit });
        }
        let settled = submitted.await;
        // One that is in conflict with another is of another family: the other is kept.
        if !matches!(&settled, Err(error) if error.code().family() == Family::Overloaded) {
            // Whoever counted it may have been refused meanwhile, and have forgotten it.
            let _counted = retained.add_key(key, retention);
        } else if counted == Counted::First {
            retained.forget_key(key);
        }
        settled
    }

    /// Hands a call to the membership, which knows whose it is.
    async fn submit(
        &self,
        call: Call,
        line: Option<String>,
        idempotency: Option<Idempotency>,
        shipment: Option<Shipment>,
        reference: &Verified<ActionReference>,
    ) -> Result<Settlement, CallError> {
        let (action, info) = (call.action, &call.info);
        let context = match &shipment {
            None => Bytes::new(),
            Some(shipment) => {
                let head = carried_head(info, &reference.to_string(), shipment.framing());
                head.encode().ok_or(CallError::NoRoom)?
            }
        };
        let whole = shipment.as_ref().and_then(|shipment| shipment.whole(INLINE_BYTES_MAX));
        let submission = Submission {
            call: info.id,
            action: action.id,
            slot: line
                .as_ref()
                .map_or_else(|| Slot::of_action(&action.id), |key| Slot::of_key(&action.id, key)),
            key: line,
            idempotency,
            idempotent: action.entry.idempotent,
            deadline: clock::to_core(info.deadline),
            revalidates: action.entry.revalidates.iter().map(|tag| (*tag).to_owned()).collect(),
            context,
            arguments_follow: shipment.is_some() && whole.is_none(),
            arguments: whole.unwrap_or_default(),
        };
        let (reply, settlement) = oneshot::channel();
        let submit = Submit { submission: Box::new(submission), call, shipment, reply };
        if self.node.membership.try_send(submit).is_err() {
            return Err(self.inbox_is_full());
        }
        settlement.await.unwrap_or(Err(CallError::OutcomeUnknown))
    }

    fn inbox_is_full(&self) -> CallError {
        CallError::Overloaded { what: "inbox_calls_max", limit: self.node.settings.inbox_calls_max }
    }
}

/// Largest arguments that go along in a frame, in bytes. Larger ones follow in pieces, as they are wanted.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// Opens the values that were bound when the page was rendered, if the action has any.
pub(super) async fn call_arguments(
    node: &Node,
    action: &RegisteredAction,
    reference: &Verified<ActionReference>,
    principal: Option<&Principal>,
    sent: Value,
    arriving: Option<Arriving>,
) -> Result<CallArguments, Refused> {
    if !action.entry.arguments.iter().any(|argument| argument.bound) {
        return Ok(CallArguments { bound: None, sent, arriving });
    }
    let sealed = sealed(&sent, arriving.as_ref()).await;
    let sealed = sealed.as_ref().and_then(JsString::as_str).ok_or_else(|| {
        Refused::new(ErrorCode::BadSeal, "argument 1: expected what the page sealed for this action")
    })?;
    let principal = principal.map(Principal::id);
    let rows = sealing::open(&node.keys, reference, sealed, clock::unix_ms(), principal)
        .inspect_err(|reason| debug!(%reason, "a seal was refused"))?;
    // Authentic, so it is ours; a build that encoded it otherwise counts as a seal that does not fit.
    let bound = flight::parse(&rows, &flight::Limits::default())
        .ok()
        .and_then(|response| response.root.ok())
        .filter(|values| matches!(values.node(), Some(ValueNode::Array(_))));
    let bound =
        bound.ok_or_else(|| Refused::new(ErrorCode::BadSeal, "the sealed arguments are of another build"))?;
    Ok(CallArguments { bound: Some(bound), sent, arriving })
}

/// The first argument, if it is text or the promise of a text: React's client may send what a page bound as either.
async fn sealed(sent: &Value, arriving: Option<&Arriving>) -> Option<JsString> {
    let mut slot = sent.as_array()?.first()?;
    if let ValueSlot::Node(id) = slot
        && let ValueNode::Promise(promise) = sent.graph().node(*id)
    {
        if let (Promise::Pending(pending), Some(arriving)) = (promise.now(), arriving) {
            arriving.settled(pending).await;
        }
        let Promise::Fulfilled(value) = promise.now() else { return None };
        slot = value;
    }
    match slot {
        ValueSlot::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// Longest key of a line, in bytes. It stands among the small fields of a frame, which have a limit: a frame that breaks
/// it is read by nobody, and takes the calls of others with it.
const KEY_BYTES_MAX: usize = 4 << 10;

/// The key that a call's arguments have.
fn key_of(
    key: fn(&CallArguments) -> Result<String, DeError>,
    arguments: &CallArguments,
    action: &'static str,
    timeline: &Timeline,
) -> Result<String, Refused> {
    let _in_request = timeline.log_span().entered();
    match catch_unwind(AssertUnwindSafe(|| key(arguments))) {
        Ok(Ok(key)) if key.len() > KEY_BYTES_MAX => {
            let detail = format!("the key of the call is longer than {KEY_BYTES_MAX} bytes");
            Err(Refused::new(ErrorCode::ArgumentMismatch, detail))
        }
        Ok(key) => key.map_err(|error| Refused::new(ErrorCode::ArgumentMismatch, error.to_string())),
        Err(_) => Err(panicked("key", action, timeline)),
    }
}

/// The application's own code panicked before the action started.
fn panicked(what: &'static str, name: &'static str, timeline: &Timeline) -> Refused {
    error!(trace = timeline.trace_id(), what, name, "panicked; the action did not start");
    Refused::new(ErrorCode::RefusalFailed, "it went wrong before the action started; it is in the log")
}

/// A client that waits for a call; when it goes away, the call is told.
pub(crate) struct Waiting {
    info: Arc<CallInfo>,
    /// Whether the membership has it.
    placed: bool,
}

impl Waiting {
    /// The call.
    pub(crate) fn info(&self) -> &Arc<CallInfo> {
        &self.info
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.placed {
            self.info.node.membership.tell(Feed(Input::Cancel(self.info.id)));
        } else {
            self.info.cancellation.cancel();
        }
    }
}

/// Call ids of one thread: random in their upper half, counted in their lower.
struct CallIds {
    thread: u64,
    next: Cell<u64>,
}

impl CallIds {
    fn new() -> Self {
        Self { thread: rand::random(), next: Cell::new(0) }
    }

    fn next(&self) -> CallId {
        let number = self.next.get();
        self.next.set(number + 1);
        CallId::from_u128(u128::from(self.thread) << 64 | u128::from(number))
    }
}
