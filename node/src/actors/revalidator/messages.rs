//! What others tell the revalidator.

use std::{sync::Arc, time::Instant};

use actix::Message;
use callboard_cluster::cache::store::Mark;
use callboard_protocol::revalidation::{LogPosition, Revalidation, Wait};
use tokio::sync::oneshot;

use crate::{actors::Published, metrics::LogReport};

/// What came of a publication.
pub(crate) struct Confirmation {
    pub(crate) published: Published,
    /// Since when it had its place in the log, if it got one while it was waited for: from then on it was other nodes that
    /// it waited for.
    pub(crate) placed: Option<Instant>,
}

impl Confirmation {
    /// Of a log that is gone.
    pub(crate) const NONE: Self = Self { published: Published::Unconfirmed, placed: None };
}

/// Give these revalidations their place in the log, whether somebody still waits for that or not.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Publish {
    revalidations: Vec<Revalidation>,
    /// Told once what they wait for has come true, or after `publish_timeout`: they are published all the same.
    pub(super) published: oneshot::Sender<Confirmation>,
}

impl Publish {
    /// The message, and who is told. The answer goes straight to the thread that waits for it.
    pub(crate) fn new(revalidations: Vec<Revalidation>) -> (Self, oneshot::Receiver<Confirmation>) {
        let (published, waiting) = oneshot::channel();
        (Self { revalidations, published }, waiting)
    }

    /// What is waited for, of the strictest of them.
    pub(super) fn wait(&self) -> Wait {
        Revalidation::wait_of(&self.revalidations)
    }

    /// What is written into the log.
    pub(super) fn marks(&self) -> Arc<[Mark]> {
        self.revalidations.iter().map(Mark::from).collect()
    }
}

/// Somebody has seen this position: see it, too. Answered once that is so; the one who asks gives up when it takes too
/// long.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CatchUp(pub(crate) LogPosition);

/// Tell how the copy of the log stands.
#[derive(Message)]
#[rtype(result = "LogReport")]
pub(crate) struct ReportLog;

/// The node stops: publish what is left, and be waited for by nobody any more. Answered once that is so.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Retire(pub(crate) oneshot::Sender<()>);
