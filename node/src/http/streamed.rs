//! An answer whose rows are written as they become ready.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_web::{
    body::{BodySize, MessageBody},
    rt::task::JoinHandle,
};
use bytes::Bytes;
use callboard_protocol::ErrorCode;
use tokio::time::sleep;
use tracing::Span;

use super::intake::Intake;
use crate::{
    actors::{Rows, Waiting},
    carry::Broken,
    handle::answering,
};

/// The body of a response. When the client goes away it is dropped, and with it whatever the application was making.
pub(super) struct StreamedAnswer {
    rows: Rc<RefCell<Written>>,
    /// Ends what is open in time, also when the client takes nothing and so nobody asks for rows.
    timer: JoinHandle<()>,
}

/// What is still to be written.
struct Written {
    head: Option<Bytes>,
    /// Nothing once all rows are made.
    open: Option<Open>,
    /// What is written in place of rows that took too long.
    last: Option<Result<Bytes, Broken>>,
    /// Whoever waits for rows.
    waiting: Option<Waker>,
}

/// What there is as long as rows are still to come.
pub(super) struct Open {
    rest: Rows,
    /// What the client still sends, if it does: rows may come of it.
    intake: Option<Intake>,
    /// Tells the call when its client goes away.
    waiting: Waiting,
    /// What the application logs while it writes rows names the call.
    span: Span,
}

impl StreamedAnswer {
    pub(super) fn new(head: Bytes, open: Open) -> Self {
        let timeout = open.waiting.info().node.settings.stream_timeout;
        let rows = Written { head: Some(head), open: Some(open), last: None, waiting: None };
        let rows = Rc::new(RefCell::new(rows));
        let timer = actix::spawn(expire(Rc::clone(&rows), timeout));
        Self { rows, timer }
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

async fn expire(rows: Rc<RefCell<Written>>, timeout: Duration) {
    sleep(timeout).await;
    let open = rows.borrow_mut().open.take();
    if let Some(open) = open {
        open.waiting.info().log_expired();
        let last = open.expire();
        let mut rows = rows.borrow_mut();
        // Written as a piece, nothing would be the end.
        rows.last = Some(last).filter(|last| !matches!(last, Ok(rows) if rows.is_empty()));
        if let Some(waiting) = rows.waiting.take() {
            waiting.wake();
        }
    }
}

impl Open {
    pub(super) fn new(rest: Rows, intake: Option<Intake>, waiting: Waiting) -> Self {
        let span = waiting.info().timeline.log_span();
        Self { rest, intake, waiting, span }
    }

    /// Ends what is still open, as it took too long.
    pub(super) fn expire(self) -> Result<Bytes, Broken> {
        match self.rest {
            Rows::Made(rest, _held) => Ok(rest.abort(ErrorCode::DeadlineExceeded.as_str())),
            Rows::Carried(rows) => rows.abort(ErrorCode::DeadlineExceeded),
        }
    }

    /// The rows that are ready.
    pub(super) fn poll_rows(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(intake) = &mut self.intake
            && intake.poll_beside(context).is_ready()
        {
            self.intake = None;
        }
        let info = self.waiting.info();
        match &mut self.rest {
            Rows::Made(rest, _held) => {
                let rows = self.span.in_scope(|| answering(&info.node, || rest.poll_rows(context)));
                info.log_failed(rest);
                rows.map(|rows| rows.map(Ok))
            }
            Rows::Carried(rows) => rows.poll_rows(info, context),
        }
    }
}

impl MessageBody for StreamedAnswer {
    type Error = Broken;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut rows = self.rows.borrow_mut();
        if let Some(head) = rows.head.take() {
            return Poll::Ready(Some(Ok(head)));
        }
        let Some(open) = &mut rows.open else { return Poll::Ready(rows.last.take()) };
        match open.poll_rows(context) {
            Poll::Ready(made) => {
                if made.is_none() {
                    rows.open = None;
                }
                Poll::Ready(made)
            }
            Poll::Pending => {
                rows.waiting = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
