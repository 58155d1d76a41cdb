//! The body of a request on its way.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// How often a slow client sends a piece.
const PIECE_INTERVAL: Duration = Duration::from_millis(20);

/// What is still to be sent.
pub(super) struct Outgoing {
    bytes: Bytes,
    slow: Option<Slow>,
}

struct Slow {
    bytes_per_piece: usize,
    interval: Duration,
    pause: Pin<Box<Sleep>>,
}

impl Outgoing {
    pub(super) fn new(body: super::Body) -> Self {
        match body {
            super::Body::Whole(bytes) => Self { bytes, slow: None },
            super::Body::Slow { bytes, bytes_per_second } => {
                let per_piece = f64::from(bytes_per_second) * PIECE_INTERVAL.as_secs_f64();
                let interval = if per_piece < 1.0 {
                    // A byte at a time, and less often.
                    Duration::from_secs_f64(1.0 / f64::from(bytes_per_second.max(1)))
                } else {
                    PIECE_INTERVAL
                };
                let slow = Slow {
                    bytes_per_piece: per_piece.max(1.0) as usize,
                    interval,
                    pause: Box::pin(sleep(interval)),
                };
                Self { bytes, slow: Some(slow) }
            }
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let body = self.get_mut();
        if body.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let Some(slow) = &mut body.slow else {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut body.bytes)))));
        };
        ready!(slow.pause.as_mut().poll(context));
        slow.pause.as_mut().reset(tokio::time::Instant::now() + slow.interval);
        let length = slow.bytes_per_piece.min(body.bytes.len());
        Poll::Ready(Some(Ok(Frame::data(body.bytes.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
