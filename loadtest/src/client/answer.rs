//! An answer is read to its end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use hyper::{
    HeaderMap, Response,
    body::{Body as _, Incoming},
};

use super::{ANSWER_BYTES_MAX, Broken};
use crate::observation::Answer;

/// An answer whose head came.
pub(super) struct Reading {
    status: u16,
    headers: HeaderMap,
    incoming: Incoming,
    received: Received,
}

/// Most answers are one piece, which is not copied.
enum Received {
    Nothing,
    One(Bytes),
    Many(BytesMut),
}

impl Reading {
    pub(super) fn new(response: Response<Incoming>) -> Self {
        let (head, incoming) = response.into_parts();
        Self { status: head.status.as_u16(), headers: head.headers, incoming, received: Received::Nothing }
    }

    /// Takes what came; ready when that was all.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Answer, Broken>> {
        loop {
            if self.incoming.is_end_stream() {
                return Poll::Ready(Ok(self.finish()));
            }
            match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(self.finish())),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers say nothing that anybody here asks for.
                    if let Ok(piece) = frame.into_data()
                        && !self.received.add(piece)
                    {
                        return Poll::Ready(Err(Broken::TooLarge));
                    }
                }
            }
        }
    }

    fn finish(&mut self) -> Answer {
        let body = match std::mem::replace(&mut self.received, Received::Nothing) {
            Received::Nothing => Bytes::new(),
            Received::One(bytes) => bytes,
            Received::Many(bytes) => bytes.freeze(),
        };
        Answer { status: self.status, headers: std::mem::take(&mut self.headers), body }
    }
}

impl Received {
    /// Whether there was room for it.
    fn add(&mut self, piece: Bytes) -> bool {
        match self {
            Self::Nothing => *self = Self::One(piece),
            Self::One(first) => {
                let mut bytes = BytesMut::with_capacity((first.len() + piece.len()) * 2);
                bytes.extend_from_slice(first);
                bytes.extend_from_slice(&piece);
                *self = Self::Many(bytes);
            }
            Self::Many(bytes) => bytes.extend_from_slice(&piece),
        }
        let length = match self {
            Self::Nothing => 0,
            Self::One(bytes) => bytes.len(),
            Self::Many(bytes) => bytes.len(),
        };
        length <= ANSWER_BYTES_MAX
    }
}
