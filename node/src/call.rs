//! A verified and decoded call on its way to a worker, and the cursor that actions take their arguments from.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use callboard_protocol::{
    Value,
    action::CallId,
    de::{self, DeError, Rest},
    value::Node as ValueNode,
};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::{context::Principal, node::Node, registry::RegisteredAction, request::RequestHead};

/// One call, ready to run.
pub(crate) struct Call {
    pub(crate) info: Arc<CallInfo>,
    pub(crate) action: &'static RegisteredAction,
    pub(crate) arguments: CallArguments,
    /// The key of the line it waits in, empty for `serial`; `None` where it waits for no other.
    pub(crate) line: Option<String>,
    /// Counts it until it ended, or was dropped without having started.
    pub(crate) in_flight: InFlight,
}

/// One accepted call, which a node that stops waits for: from before it looked whether it stops.
pub(crate) struct InFlight(Arc<Node>);

impl InFlight {
    pub(crate) fn begin(node: &Arc<Node>) -> Self {
        node.call_started();
        Self(Arc::clone(node))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.call_ended();
    }
}

/// What is known of a call besides its arguments.
pub(crate) struct CallInfo {
    pub(crate) id: CallId,
    pub(crate) node: Arc<Node>,
    pub(crate) head: RequestHead,
    pub(crate) principal: Option<Principal>,
    pub(crate) timeout: Duration,
    pub(crate) deadline: Instant,
    pub(crate) start: Start,
    pub(crate) cancellation: Cancellation,
}

/// Whether a call started or expired: one of both, and whoever comes first decides.
#[derive(Default)]
pub(crate) struct Start(AtomicU8);

impl Start {
    const WAITING: u8 = 0;
    const STARTED: u8 = 1;
    const EXPIRED: u8 = 2;

    /// The worker starts the call, unless its client was told that it never will.
    pub(crate) fn begin(&self) -> bool {
        self.decide(Self::STARTED)
    }

    /// The front end tells the client that the call never started, unless it did.
    pub(crate) fn expire(&self) -> bool {
        self.decide(Self::EXPIRED)
    }

    fn decide(&self, decision: u8) -> bool {
        self.0.compare_exchange(Self::WAITING, decision, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// Says that nobody waits for the answer any more.
#[derive(Default)]
pub(crate) struct Cancellation {
    cancelled: AtomicBool,
    notify: Notify,
}

impl Cancellation {
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Returns once the call is cancelled.
    pub(crate) async fn cancelled(&self) {
        let notified = self.notify.notified();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

/// What a call brings: the values sealed at render time, if the action has any, and the client's own.
#[derive(Clone, Debug)]
pub struct CallArguments {
    /// The array of opened values.
    pub(crate) bound: Option<Value>,
    /// The array that the client sent. Where values are bound, its first item was their sealed text.
    pub(crate) sent: Value,
}

/// Takes arguments one after the other. Used by generated code.
pub struct Cursor<'a> {
    arguments: &'a CallArguments,
    bound: usize,
    sent: usize,
}

impl<'a> Cursor<'a> {
    /// Before the first argument.
    #[must_use]
    pub fn new(arguments: &'a CallArguments) -> Self {
        Self { arguments, bound: 0, sent: usize::from(arguments.bound.is_some()) }
    }

    /// The next value that was captured at render time.
    ///
    /// # Errors
    ///
    /// If it is not a `T`: the page was rendered by a build whose parameter had another type.
    pub fn bound<T: DeserializeOwned>(&mut self) -> Result<T, DeError> {
        let index = self.bound;
        self.bound += 1;
        let values = self.arguments.bound.as_ref();
        let value = values.map_or_else(Value::undefined, |values| item(values, index));
        // What was sealed is not repeated in a message.
        de::from_argument(index, &value).map_err(|_| {
            serde::de::Error::custom(format_args!(
                "bound value {} is of a build with other types; reload",
                index + 1
            ))
        })
    }

    /// The next argument. One that was not sent counts as `undefined`.
    ///
    /// # Errors
    ///
    /// If it is not a `T`; the error names the argument and the path inside it.
    #[allow(clippy::should_implement_trait)] // each item has a type of its own
    pub fn next<T: DeserializeOwned>(&mut self) -> Result<T, DeError> {
        let index = self.sent;
        self.sent += 1;
        de::from_argument(index, &item(&self.arguments.sent, index))
    }

    /// Passes over an argument.
    pub fn skip(&mut self) {
        self.sent += 1;
    }

    /// Passes over a value that was captured at render time.
    pub fn skip_bound(&mut self) {
        self.bound += 1;
    }

    /// All arguments that are left.
    ///
    /// # Errors
    ///
    /// If one of them is not a `T`.
    pub fn rest<T: DeserializeOwned>(&mut self) -> Result<Rest<T>, DeError> {
        de::from_rest(self.sent, &self.arguments.sent)
    }
}

fn item(values: &Value, index: usize) -> Value {
    match values.node() {
        Some(ValueNode::Array(items)) => {
            items.get(index).map_or_else(Value::undefined, |slot| values.at(slot))
        }
        _ => Value::undefined(),
    }
}
