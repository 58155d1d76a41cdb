//! The front end of one HTTP worker thread: verifies a call, asks its guard, decodes its arguments, and places it.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    time::Instant,
};

use actix::Addr;
use bytes::Bytes;
use callboard_cluster::{CallPort as _, Slot};
use callboard_protocol::{
    ErrorCode, Value,
    action::{CallError, CallId},
    de::DeError,
    flight,
    js::JsString,
    multipart::Part,
    reference::{ActionReference, Verified},
    reply, sealing,
    value::{Node as ValueNode, Slot as ValueSlot},
};
use futures_util::FutureExt as _;
use tokio::{sync::oneshot, time::timeout_at};
use tracing::{debug, error};

use super::{Execute, Settlement, SlotWorker};
use crate::{
    call::{Call, CallArguments, CallInfo, Cancellation, InFlight, Start},
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

/// Encoded arguments as they arrived.
pub(crate) enum EncodedArguments {
    /// A string body.
    Text(Bytes),
    /// The parts of a multipart body.
    Parts(Vec<Part>),
}

impl Frontend {
    pub(crate) fn new(node: Arc<Node>, worker: Addr<SlotWorker>) -> Self {
        Self { node, worker, call_ids: CallIds::new() }
    }

    /// Verifies a reference and finds its action. Nothing else of a request is looked at before.
    pub(crate) fn resolve(&self, reference: &str) -> Result<Resolved, Refused> {
        let reference = ActionReference::parse(reference)?.verify(&self.node.keys)?;
        match self.node.registry.action(&reference.id()) {
            Some(action) => Ok(Resolved { action, reference }),
            None => Err(Refused::unknown_action()),
        }
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

    /// Decodes the argument array of a fetch call.
    pub(crate) fn decode(&self, encoded: &EncodedArguments) -> Result<Value, Refused> {
        let body = match encoded {
            EncodedArguments::Text(body) => reply::Body::Text(body.clone()),
            EncodedArguments::Parts(parts) => reply::Body::Parts(parts),
        };
        Ok(reply::decode_arguments(body, &self.node.decode_limits, &|id: &JsString| self.known(id))?)
    }

    /// What is known of a server reference inside arguments: only what we signed is one.
    pub(crate) fn known(&self, id: &JsString) -> reply::Resolution {
        match id.as_str().map(|id| self.resolve(id)) {
            Some(Ok(_)) => reply::Resolution::Known,
            _ => reply::Resolution::Unknown,
        }
    }

    /// Opens the values that were bound when the page was rendered, if the action has any.
    fn arguments(&self, admitted: &Admitted, sent: Value) -> Result<CallArguments, Refused> {
        if !admitted.resolved.action.entry.arguments.iter().any(|argument| argument.bound) {
            return Ok(CallArguments { bound: None, sent });
        }
        let sealed = match sent.as_array().and_then(<[_]>::first) {
            Some(ValueSlot::String(text)) => text.as_str(),
            _ => None,
        };
        let sealed = sealed.ok_or_else(|| {
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
        Ok(CallArguments { bound: Some(bound), sent })
    }

    /// Places a call and waits for its settlement. Dropping the future tells the call that nobody waits.
    pub(crate) async fn call(
        &self,
        admitted: Admitted,
        sent: Value,
    ) -> Result<(CallId, Settlement), Refused> {
        let in_flight = InFlight::begin(&self.node);
        if self.node.is_draining() {
            return Err(CallError::Draining.into());
        }
        let arguments = self.arguments(&admitted, sent)?;
        let Admitted { resolved: Resolved { action, .. }, head, principal } = admitted;
        let line = match &action.entry.class {
            Class::Plain => None,
            Class::Serial => Some(String::new()),
            Class::Keyed(key) => Some(key_of(*key, &arguments, action.entry.name)?),
        };
        let timeout = action.entry.timeout.unwrap_or(self.node.settings.call_timeout);
        let info = Arc::new(CallInfo {
            id: self.call_ids.next(),
            node: Arc::clone(&self.node),
            head,
            principal,
            timeout,
            deadline: Instant::now() + timeout,
            start: Start::default(),
            cancellation: Cancellation::default(),
        });
        let _waiting = Waiting(&info);
        let call = Call { info: Arc::clone(&info), action, arguments, line, in_flight };
        match self.place(call).await {
            Ok(settlement) => Ok((info.id, settlement)),
            Err(error) => Err(Refused::from(error).of_call(info.id)),
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
struct Waiting<'a>(&'a Arc<CallInfo>);

impl Drop for Waiting<'_> {
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
