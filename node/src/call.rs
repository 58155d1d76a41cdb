//! A verified and decoded call on its way to a worker.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use callboard_protocol::{action::CallId, envelope::Idempotency, identity::FencingToken};
use tokio::sync::Notify;

use crate::{
    arguments::CallArguments, context::Principal, node::Node, registry::RegisteredAction,
    request::RequestHead,
};

/// One call, ready to run.
pub(crate) struct Call {
    pub(crate) info: Arc<CallInfo>,
    pub(crate) action: &'static RegisteredAction,
    pub(crate) arguments: CallArguments,
    /// The key of the line it waits in, empty for `serial`; `None` where it waits for no other.
    pub(crate) line: Option<String>,
    /// The client's word that calls are one.
    #[allow(dead_code)] // until calls are routed
    pub(crate) idempotency: Option<Idempotency>,
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
    /// Of a keyed call.
    pub(crate) token: OnceLock<FencingToken>,
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
