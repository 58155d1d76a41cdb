//! An answer whose rows are written as they become ready.

use std::{
    cell::RefCell,
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_web::{
    body::{BodySize, MessageBody},
    rt::task::JoinHandle,
};
use bytes::Bytes;
use callboard_protocol::{ErrorCode, action::CallId, flight::Rest};
use tokio::time::sleep;
use tracing::warn;

use super::intake::Intake;
use crate::{
    actors::{Held, Waiting},
    handle::answering,
    node::Node,
};

/// The body of a response. When the client goes away it is dropped, and with it whatever the application was making.
pub(super) struct StreamedAnswer {
    node: Arc<Node>,
    call: CallId,
    rows: Rc<RefCell<Rows>>,
    /// Ends what is open in time, also when the client takes nothing and so nobody asks for rows.
    timer: JoinHandle<()>,
}

/// What is still to be written.
struct Rows {
    head: Option<Bytes>,
    /// Nothing once all rows are made.
    open: Option<Open>,
    /// What is written in place of rows that took too long.
    last: Option<Bytes>,
    /// Whoever waits for rows.
    waiting: Option<Waker>,
}

/// What there is as long as rows are still to come.
pub(super) struct Open {
    rest: Rest,
    /// What the client still sends, if it does: rows may come of it.
    intake: Option<Intake>,
    /// The call's place among those that run.
    _held: Option<Held>,
    /// Tells the call when its client goes away.
    _waiting: Waiting,
}

impl StreamedAnswer {
    pub(super) fn new(node: &Arc<Node>, call: CallId, head: Bytes, open: Open) -> Self {
        let rows = Rows { head: Some(head), open: Some(open), last: None, waiting: None };
        let rows = Rc::new(RefCell::new(rows));
        let timer = actix::spawn(expire(Rc::clone(&rows), call, node.settings.stream_timeout));
        Self { node: Arc::clone(node), call, rows, timer }
    }
}

impl Drop for StreamedAnswer {
    fn drop(&mut self) {
        self.timer.abort();
        // The timer goes a little later, and must not keep it till then.
        let open = self.rows.borrow_mut().open.take();
        drop(open);
    }
}

async fn expire(rows: Rc<RefCell<Rows>>, call: CallId, timeout: Duration) {
    sleep(timeout).await;
    let open = rows.borrow_mut().open.take();
    if let Some(open) = open {
        warn!(%call, ?timeout, "an answer was still open after stream_timeout and was ended");
        let last = open.expire();
        let mut rows = rows.borrow_mut();
        rows.last = Some(last);
        if let Some(waiting) = rows.waiting.take() {
            waiting.wake();
        }
    }
}

impl Open {
    pub(super) fn new(rest: Rest, intake: Option<Intake>, held: Option<Held>, waiting: Waiting) -> Self {
        Self { rest, intake, _held: held, _waiting: waiting }
    }

    /// Ends what is still open, as it took too long.
    pub(super) fn expire(self) -> Bytes {
        self.rest.abort(ErrorCode::DeadlineExceeded.as_str())
    }

    /// The rows that are ready.
    pub(super) fn poll_rows(
        &mut self,
        node: &Arc<Node>,
        call: CallId,
        context: &mut Context<'_>,
    ) -> Poll<Option<Bytes>> {
        if let Some(intake) = &mut self.intake
            && intake.poll_beside(context).is_ready()
        {
            self.intake = None;
        }
        let rows = answering(node, || self.rest.poll_rows(context));
        for failed in self.rest.failed() {
            warn!(%call, row = failed.row, error = failed.private, "a part of an answer failed");
        }
        rows
    }
}

impl MessageBody for StreamedAnswer {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let mut rows = self.rows.borrow_mut();
        if let Some(head) = rows.head.take() {
            return Poll::Ready(Some(Ok(head)));
        }
        let Some(open) = &mut rows.open else { return Poll::Ready(rows.last.take().map(Ok)) };
        match open.poll_rows(&self.node, self.call, context) {
            Poll::Ready(made) => {
                if made.is_none() {
                    rows.open = None;
                }
                Poll::Ready(made.map(Ok))
            }
            Poll::Pending => {
                rows.waiting = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
