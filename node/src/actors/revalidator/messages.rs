//! What others tell the revalidator.

use std::sync::Arc;

use actix::Message;
use callboard_cluster::cache::store::Mark;
use callboard_protocol::revalidation::{LogPosition, Revalidation};
use tokio::sync::oneshot;

/// Give these revalidations their place in the log. Answered once what they wait for has come true, with the place if
/// there is one by then.
#[derive(Message)]
#[rtype(result = "Option<LogPosition>")]
pub(crate) struct Publish {
    pub(crate) revalidations: Vec<Revalidation>,
}

impl Publish {
    /// What is written into the log.
    pub(super) fn marks(&self) -> Arc<[Mark]> {
        let mark =
            |revalidation: &Revalidation| Mark { tag: revalidation.tag(), staleness: revalidation.staleness };
        self.revalidations.iter().map(mark).collect()
    }
}

/// Somebody has seen this position: see it, too. Answered once that is so; the one who asks gives up when it takes too
/// long.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CatchUp(pub(crate) LogPosition);

/// The node stops: publish what is left, and be waited for by nobody any more. Answered once that is so.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Retire(pub(crate) oneshot::Sender<()>);
