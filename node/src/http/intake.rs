//! A multipart body that is decoded while it arrives, before its call and beside it.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

use callboard_protocol::{
    ErrorCode, Value,
    idempotency::FormDigest,
    js::JsString,
    multipart::Part,
    reply::{Incoming, check_arguments},
    value::Flow,
};
use tracing::debug;

use super::{Refused, body::Body, parts::Parts};
use crate::{actors::known, arguments::Arriving, node::Node};

/// Feeds a body to the decoder. Dropping it rejects every promise and ends every stream that is still open.
pub(super) struct Intake {
    node: Arc<Node>,
    body: Body,
    parts: Parts,
    /// `None` once nothing more is read.
    incoming: Option<Incoming>,
    flow: Flow,
    arriving: Arriving,
    /// What came, as long as the call may yet go to another node.
    read: Option<Vec<Part>>,
    /// Whether somebody reads the streams, who is not to be overtaken by more than the settings say.
    paced: bool,
}

/// The arguments of a call, and what is known of its body if it still arrives.
pub(super) type Arguments = (Value, Option<Arriving>);

impl Intake {
    pub(super) fn new(body: Body, parts: Parts, node: &Arc<Node>) -> Self {
        let flow = Flow::default();
        let resolver = {
            let node = Arc::clone(node);
            move |id: &JsString| known(&node, id)
        };
        let incoming = Incoming::new(node.decode_limits, flow.clone(), Box::new(resolver));
        Self {
            node: Arc::clone(node),
            body,
            parts,
            incoming: Some(incoming),
            arriving: Arriving::new(&flow),
            flow,
            read: node.is_clustered().then(Vec::new),
            paced: false,
        }
    }

    /// What is left of the body.
    pub(super) fn into_body(mut self) -> Body {
        self.body.take()
    }

    /// Reads until the arguments can be handed to their action.
    ///
    /// That is at the end of the body: one that is cut off or malformed is refused, and nothing ran. `early` makes an
    /// exception of arguments that hold what is still to come, as it may not come before somebody answers. `digest`
    /// hears of what was read.
    pub(super) async fn arguments(
        &mut self,
        early: bool,
        mut digest: Option<&mut FormDigest>,
    ) -> Result<Arguments, Refused> {
        let (root, arriving) = poll_fn(|context| match self.poll_root(digest.as_deref_mut(), context) {
            Poll::Pending if early => self.poll_early().map(Ok),
            polled => polled.map_ok(|root| (root, None)),
        })
        .await?;
        if arriving.is_some() {
            // What is not all there runs where it arrives.
            self.read = None;
            self.paced = true;
            self.body.allow_pauses();
        }
        Ok((check_arguments(root, &self.node.decode_limits)?, arriving))
    }

    /// All that came, if it may go to another node.
    pub(super) fn take_parts(&mut self) -> Option<Vec<Part>> {
        self.read.take()
    }

    /// The root, before the end of the body, if something that it holds is still to come.
    fn poll_early(&self) -> Poll<Arguments> {
        match &self.incoming {
            Some(incoming) if !incoming.is_settled() => match incoming.root() {
                Some(root) => Poll::Ready((root, Some(self.arriving.clone()))),
                None => Poll::Pending,
            },
            _ => Poll::Pending,
        }
    }

    /// Reads on while a call runs. Ready when nothing more is read.
    pub(super) fn poll_beside(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.incoming.is_none() {
            return Poll::Ready(());
        }
        if let Err(refused) = ready!(self.poll_root(None, context)) {
            // The action hears of it from what it reads.
            debug!(reason = refused.detail(), "the body of a running call broke off");
        }
        Poll::Ready(())
    }

    /// Reads to the end: the root, with everything settled.
    fn poll_root(
        &mut self,
        mut digest: Option<&mut FormDigest>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Value, Refused>> {
        loop {
            let polled = ready!(self.poll_step(digest.as_deref_mut(), context));
            if let Some(ended) = polled.transpose() {
                self.incoming = None;
                self.arriving.end();
                return Poll::Ready(ended);
            }
        }
    }

    /// Reads one part; `Some` at the end of the body.
    fn poll_step(
        &mut self,
        digest: Option<&mut FormDigest>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Value>, Refused>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(Err(Refused::new(ErrorCode::Internal, "the body was read before")));
        };
        if self.paced {
            let settings = &self.node.settings;
            let (ahead, ahead_max) = (settings.stream_ahead_bytes, settings.stream_ahead_bytes_max);
            // An action that has not started reads nothing, and needs what comes: the body's own limit is enough.
            if self.flow.poll_wanted(context, ahead, ahead_max).is_pending() && !self.arriving.is_awaited() {
                self.body.pause();
                return Poll::Pending;
            }
        }
        Poll::Ready(match ready!(self.parts.poll_part(&mut self.body, digest, context))? {
            Some(part) => {
                if let Some(read) = &mut self.read {
                    read.push(part.clone());
                }
                incoming.push(part).map(|()| None).map_err(Refused::from)
            }
            None => incoming.finish().map(Some).map_err(Refused::from),
        })
    }
}

/// Whoever waits for the end of the body does not wait for ever.
impl Drop for Intake {
    fn drop(&mut self) {
        self.incoming = None;
        self.arriving.end();
    }
}
