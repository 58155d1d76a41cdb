//! What others tell the membership.

use std::sync::Arc;

use actix::{Addr, Message};
use callboard_cluster::core::{Ended, Input, RunId, Submission};
use callboard_protocol::{action::CallId, envelope::TransferId, revalidation::Revalidation};
use tokio::sync::{mpsc, oneshot};

use crate::{
    actors::{Reply, Settlement, SlotWorker},
    call::Call,
    carry::Shipment,
    node::Node,
    telemetry::Timeline,
};

/// The node is put together: be its member from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Begin {
    pub(crate) node: Arc<Node>,
    pub(crate) workers: Vec<Addr<SlotWorker>>,
}

/// Something happened that only the core has to know.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Feed(pub(crate) Input);

/// Take what came.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Flush;

/// A client calls. Answered through `reply`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Submit {
    pub(crate) submission: Box<Submission>,
    pub(crate) call: Call,
    /// The arguments, if they do not stand in the submission.
    pub(crate) shipment: Option<Shipment>,
    pub(crate) reply: Reply,
}

/// A call ended, or did not start.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RunEnded {
    pub(crate) run: RunId,
    pub(crate) ended: Ended,
    pub(crate) result: RunResult,
}

/// What is left of a run beside what the core knows.
pub(crate) struct RunResult {
    /// Which call it was a run of.
    pub(crate) call: CallId,
    /// The call again, if it did not start and its client waits at this node: it may yet, here or elsewhere.
    pub(crate) unstarted: Option<Call>,
    /// What it asked to be published.
    pub(crate) revalidations: Vec<Revalidation>,
    /// What it ended in, if its client waits at this node.
    pub(crate) settled: Option<Settlement>,
    /// Which limit kept it from starting.
    pub(crate) full: Option<(&'static str, usize)>,
    /// Where the room for its rows is told, if it makes more of them.
    pub(crate) room: Option<(TransferId, mpsc::UnboundedSender<u64>)>,
    /// What is remembered of it, if its function ran.
    pub(crate) timeline: Option<Arc<Timeline>>,
}

impl RunResult {
    pub(crate) fn of(call: CallId) -> Self {
        Self {
            call,
            unstarted: None,
            revalidations: Vec::new(),
            settled: None,
            full: None,
            room: None,
            timeline: None,
        }
    }
}

/// Take no more calls, hand over what waits, and leave. Answered once this node is no member any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Leave(pub(crate) oneshot::Sender<()>);

/// Redis cannot be reached, and why.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Unreachable(pub(crate) String);
