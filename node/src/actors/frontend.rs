//! The front end of one HTTP worker thread: verifies a call, asks its guard, decodes its arguments, and places it.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, OnceLock},
    time::Instant,
};

use actix::Addr;
use bytes::Bytes;
use callboard_cluster::{CallPort as _, Slot};
use callboard_protocol::{
    ErrorCode, Value,
    action::{CallError, CallId},
    de::DeError,
    envelope::Idempotency,
    flight,
    js::JsString,
    reference::{ActionReference, Verified},
    reply, sealing,
    value::{Node as ValueNode, Promise, Slot as ValueSlot},
};
use futures_util::FutureExt as _;
use tokio::{sync::oneshot, time::timeout_at};
use tracing::{debug, error};

use super::{Execute, Settlement, SlotWorker};
use crate::{
    arguments::{Arriving, CallArguments},
    call::{Call, CallInfo, Cancellation, InFlight, Start},
    clock,
    context::{GuardContext, Principal},
    http::Refused,
    node::Node,
    registry::{Class, RegisteredAction},
    request::RequestHead,
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
    pub(crate) head: RequestHead,
    pub(crate) principal: Option<Principal>,
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

    /// Asks the action's guard.
    pub(crate) async fn admit(&self, resolved: Resolved, head: RequestHead) -> Result<Admitted, Refused> {
        let Some(guard) = &resolved.action.entry.guard else {
            return Ok(Admitted { resolved, head, principal: None });
        };
        let context = GuardContext::new(Arc::clone(&self.node), head);
        // The inner block makes a panic before the first await one of the guard's, too.
        let asked = AssertUnwindSafe(async { (guard.check)(&context).await }).catch_unwind();
        let timeout = self.node.settings.guard_timeout;
        let Ok(asked) = tokio::time::timeout(timeout, asked).await else {
            return Err(Refused::new(
                ErrorCode::Expired,
                format!("the guard did not answer within {timeout:?}"),
            ));
        };
        match asked {
            Ok(Ok(principal)) => {
                Ok(Admitted { resolved, head: context.into_head(), principal: Some(principal) })
            }
            Ok(Err(refusal)) => Err(refusal.into()),
            Err(_) => Err(panicked("guard", guard.name)),
        }
    }

    /// Decodes the argument array of a fetch call that came as one text.
    pub(crate) fn decode(&self, body: Bytes) -> Result<Value, Refused> {
        let known = |id: &JsString| known(&self.node, id);
        Ok(reply::decode_arguments(reply::Body::Text(body), &self.node.decode_limits, &known)?)
    }

    /// Opens the values that were bound when the page was rendered, if the action has any.
    async fn arguments(
        &self,
        admitted: &Admitted,
        sent: Value,
        arriving: Option<Arriving>,
    ) -> Result<CallArguments, Refused> {
        if !admitted.resolved.action.entry.arguments.iter().any(|argument| argument.bound) {
            return Ok(CallArguments { bound: None, sent, arriving });
        }
        let sealed = sealed(&sent, arriving.as_ref()).await;
        let sealed = sealed.as_ref().and_then(JsString::as_str).ok_or_else(|| {
            Refused::new(ErrorCode::BadSeal, "argument 1: expected what the page sealed for this action")
        })?;
        let principal = admitted.principal.as_ref().map(Principal::id);
        let rows =
            sealing::open(&self.node.keys, &admitted.resolved.reference, sealed, clock::unix_ms(), principal)
                .inspect_err(|reason| debug!(%reason, "a seal was refused"))?;
        // Authentic, so it is ours; a build that encoded it otherwise counts as a seal that does not fit.
        let bound = flight::parse(&rows, &flight::Limits::default())
            .ok()
            .and_then(|response| response.root.ok())
            .filter(|values| matches!(values.node(), Some(ValueNode::Array(_))));
        let bound = bound
            .ok_or_else(|| Refused::new(ErrorCode::BadSeal, "the sealed arguments are of another build"))?;
        Ok(CallArguments { bound: Some(bound), sent, arriving })
    }

    /// Places a call and waits for its settlement. Dropping the future tells the call that nobody waits.
    pub(crate) async fn call(
        &self,
        admitted: Admitted,
        sent: Value,
        arriving: Option<Arriving>,
        idempotency: Option<Idempotency>,
    ) -> Result<Answered, Refused> {
        let in_flight = InFlight::begin(&self.node);
        if self.node.is_draining() {
            return Err(CallError::Draining.into());
        }
        let timeout = admitted.resolved.action.entry.timeout.unwrap_or(self.node.settings.call_timeout);
        let deadline = Instant::now() + timeout;
        let arguments = timeout_at(deadline.into(), self.arguments(&admitted, sent, arriving)).await;
        let arguments = arguments.unwrap_or_else(|_| Err(CallError::Expired.into()))?;
        let Admitted { resolved: Resolved { action, .. }, head, principal } = admitted;
        let line = match &action.entry.class {
            Class::Plain => None,
            Class::Serial => Some(String::new()),
            Class::Keyed(key) => Some(key_of(*key, &arguments, action.entry.name)?),
        };
        let info = Arc::new(CallInfo {
            id: self.call_ids.next(),
            node: Arc::clone(&self.node),
            head,
            principal,
            timeout,
            deadline,
            token: OnceLock::new(),
            start: Start::default(),
            cancellation: Cancellation::default(),
        });
        let call = info.id;
        let waiting = Waiting(Arc::clone(&info));
        match self.place(Call { info, action, arguments, line, idempotency, in_flight }).await {
            Ok(settlement) => Ok(Answered { call, deadline, settlement, waiting }),
            Err(error) => Err(Refused::from(error).of_call(call)),
        }
    }

    /// A call that waits for no other runs on this thread; the others cross to the worker that owns their slot.
    async fn place(&self, call: Call) -> Result<Settlement, CallError> {
        if let Some(key) = &call.line {
            let slot = Slot::of_key(&call.action.id, key);
            let info = Arc::clone(&call.info);
            let mut carried = pin!(self.node.call_port.call(slot, call));
            // It may wait in line past its deadline; whoever says first whether it started, is right.
            return match timeout_at(info.deadline.into(), carried.as_mut()).await {
                Ok(settled) => settled,
                Err(_) if info.start.expire() => Err(CallError::Expired),
                Err(_) => carried.await,
            };
        }
        let (reply, settlement) = oneshot::channel();
        if self.worker.try_send(Execute { call, reply }).is_err() {
            let limit = self.node.settings.inbox_calls_max;
            return Err(CallError::Overloaded { what: "inbox_calls_max", limit });
        }
        settlement.await.unwrap_or(Err(CallError::OutcomeUnknown))
    }
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

/// The key that a call's arguments have.
fn key_of(
    key: fn(&CallArguments) -> Result<String, DeError>,
    arguments: &CallArguments,
    action: &'static str,
) -> Result<String, Refused> {
    match catch_unwind(AssertUnwindSafe(|| key(arguments))) {
        Ok(key) => key.map_err(|error| Refused::new(ErrorCode::ArgumentMismatch, error.to_string())),
        Err(_) => Err(panicked("key", action)),
    }
}

/// The application's own code panicked before the action started.
fn panicked(what: &'static str, name: &'static str) -> Refused {
    error!(what, name, "panicked; the action did not start");
    Refused::new(ErrorCode::RefusalFailed, "it went wrong before the action started; it is in the log")
}

/// A client that waits for a call; when it goes away, the call is told.
pub(crate) struct Waiting(Arc<CallInfo>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.cancellation.cancel();
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
