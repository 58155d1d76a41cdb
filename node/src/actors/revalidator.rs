//! The one writer of the order of revalidations.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, MessageResult};
use callboard_cluster::{RevalidationLog, Versions};
use callboard_protocol::revalidation::{LogPosition, Revalidation};

/// Give these revalidations their place in the order. Answered once this node has applied them.
#[derive(Message)]
#[rtype(result = "LogPosition")]
pub(crate) struct Publish {
    pub(crate) revalidations: Vec<Revalidation>,
}

/// Numbers and applies revalidations, one after the other.
pub(crate) struct Revalidator {
    log: RevalidationLog,
    versions: Arc<Versions>,
}

impl Revalidator {
    pub(crate) fn new(versions: Arc<Versions>) -> Self {
        Self { log: RevalidationLog::default(), versions }
    }
}

impl Actor for Revalidator {
    type Context = Context<Self>;
}

impl Handler<Publish> for Revalidator {
    type Result = MessageResult<Publish>;

    fn handle(&mut self, Publish { revalidations }: Publish, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.log.publish(&revalidations, &self.versions))
    }
}
