//! What a call ended in, on its way to the answer.

use std::sync::atomic::{AtomicUsize, Ordering};

use callboard_cluster::core::UNCONFIRMED;
use callboard_protocol::{
    action::{CallError, Outcome, Settled},
    flight::Rest,
    revalidation::LogPosition,
};
use tokio::sync::oneshot;

use crate::{carry::CarriedRows, drain::InFlight};

/// Where the answer to a call goes. Closed when the one who asked went away.
pub(crate) type Reply = oneshot::Sender<Result<Settlement, CallError>>;

/// An outcome whose revalidations are published.
pub(crate) struct Settlement {
    pub(crate) outcome: Outcome,
    pub(crate) published: Published,
    /// Set if it is what an earlier call with the same idempotency key ended in.
    pub(crate) replayed: Option<Replayed>,
    /// The rows that follow, if the answer goes on.
    pub(crate) rest: Option<Rows>,
}

/// Rows that are still made.
pub(crate) enum Rows {
    /// By this node.
    Made(Box<Rest>, Held),
    /// By another one.
    Carried(CarriedRows),
}

/// How much of an earlier call's answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replayed {
    /// All.
    Whole,
    /// Status and headers: the body was too large to be kept, or streamed.
    BodyNotKept,
}

/// What is known of a call's revalidations.
#[derive(Debug)]
pub(crate) enum Published {
    /// There were none, or none that anybody waits for.
    Nothing,
    /// What they waited for has come true, and their place in the order.
    At(LogPosition),
    /// Not confirmed in time; they may yet apply, unless this node has left.
    Unconfirmed,
}

impl Published {
    /// Of what the log said, or of what the cluster's core carries.
    pub(crate) fn of(position: Option<LogPosition>) -> Self {
        match position {
            None => Self::Nothing,
            Some(UNCONFIRMED) => Self::Unconfirmed,
            Some(position) => Self::At(position),
        }
    }

    /// Whether nothing of it is left to be waited for.
    pub(crate) fn is_confirmed(&self) -> bool {
        !matches!(self, Self::Unconfirmed)
    }

    /// As the cluster's core carries it.
    pub(crate) fn position(&self) -> Option<LogPosition> {
        match self {
            Self::Nothing => None,
            Self::At(position) => Some(*position),
            Self::Unconfirmed => Some(UNCONFIRMED),
        }
    }
}

/// The place of a call among those that run: kept until its answer ended.
///
/// Its line is not kept: the next call of the same key begins when the function of this one returned, as what it
/// streams is not part of what the key protects.
pub(crate) struct Held {
    pub(super) _permit: Permit,
    pub(super) _in_flight: InFlight,
}

/// One running call of an action, counted until it ended.
pub(crate) struct Permit(&'static AtomicUsize);

impl Permit {
    pub(super) fn take(running: &'static AtomicUsize, calls_max: usize) -> Option<Self> {
        let permit = Self(running);
        (running.fetch_add(1, Ordering::Relaxed) < calls_max).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Settlement {
    /// Of a call that ran on this node, and holds its place as long as its answer goes on.
    pub(super) fn of(mut outcome: Outcome, published: Published, held: Held) -> Self {
        let rest = rest_of(&mut outcome).map(|rest| Rows::Made(Box::new(rest), held));
        Self { outcome, published, replayed: None, rest }
    }
}

/// Takes the rows that are still to be made.
pub(super) fn rest_of(outcome: &mut Outcome) -> Option<Rest> {
    match &mut outcome.settled {
        Settled::Value(answer) => answer.rest.take(),
        _ => None,
    }
}
