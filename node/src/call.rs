//! A verified and decoded call on its way to a worker.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use callboard_protocol::{action::CallId, flight::Rest, identity::FencingToken};
use tokio::sync::Notify;
use tracing::warn;

use crate::{
    arguments::CallArguments, context::Principal, drain::InFlight, node::Node, registry::RegisteredAction,
    request::RequestHead, telemetry::Timeline,
};

/// One call, ready to run.
pub(crate) struct Call {
    pub(crate) info: Arc<CallInfo>,
    pub(crate) action: &'static RegisteredAction,
    pub(crate) arguments: CallArguments,
    /// Counts it until it ended, or was dropped without having started.
    pub(crate) in_flight: InFlight,
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
    pub(crate) cancellation: Arc<Cancellation>,
    pub(crate) timeline: Arc<Timeline>,
}

impl CallInfo {
    /// Says which rows of its answer failed since this was asked last.
    pub(crate) fn log_failed(&self, rest: &mut Rest) {
        for failed in rest.failed() {
            let (call, trace, action) = (self.id, self.timeline.trace_id(), self.timeline.action());
            let (row, error) = (failed.row, failed.private);
            warn!(%call, trace, action, row, error, "a part of an answer failed");
        }
    }

    /// Says that its answer took too long.
    pub(crate) fn log_expired(&self) {
        let (call, trace, action) = (self.id, self.timeline.trace_id(), self.timeline.action());
        let timeout = self.node.settings.stream_timeout;
        warn!(%call, trace, action, ?timeout, "an answer was still open after stream_timeout and was ended");
    }

    /// When it was placed.
    pub(crate) fn placed(&self) -> Instant {
        self.deadline.checked_sub(self.timeout).unwrap_or(self.deadline)
    }
}

/// Says that nobody waits for the answer any more.
#[derive(Debug, Default)]
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
