//! The body of a request: its chunks as they arrive, under its limits.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_http::ConnectionType;
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev,
    http::header,
    web,
};
use bytes::{Bytes, BytesMut};
use callboard_protocol::ErrorCode;
use futures_util::Stream as _;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Refused;

/// How much of a refused body is read and thrown away, so that the connection can be used again. More than that, and
/// closing the connection is cheaper for both.
const DISCARD_BYTES_MAX: usize = 8 << 20;

/// How long a refusal waits for the rest of its body, for the same reason. A body that is on its way is there by
/// then; a client that sends none is not waited for.
pub(super) const DISCARD_WAIT: Duration = Duration::from_millis(500);

/// A body that is being read.
pub(super) struct Body {
    payload: dev::Payload,
    announced_bytes: Option<u64>,
    bytes_max: usize,
    read_bytes: usize,
    timeout: Duration,
    pace: Pace,
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

/// What a body's timeout is about.
#[derive(Clone, Copy)]
enum Pace {
    /// All of it has to be there by then.
    Whole(Instant),
    /// It may take as long as it likes, as long as something of it arrives.
    Gaps,
    /// Whoever sends it has a timeout of his own.
    Carried,
}

impl Body {
    /// The body of a request, of which nothing may be read yet.
    pub(super) fn new(request: &HttpRequest, payload: web::Payload) -> Self {
        let announced = request.headers().get(header::CONTENT_LENGTH);
        Self {
            payload: payload.into_inner(),
            announced_bytes: announced
                .and_then(|value| value.to_str().ok())
                .and_then(|text| text.parse().ok()),
            bytes_max: 0,
            read_bytes: 0,
            timeout: Duration::ZERO,
            pace: Pace::Gaps,
            timer: None,
            ended: false,
        }
    }

    /// What another node has read of a request already, under its limits: it comes as fast as that node sends it.
    pub(super) fn carried(payload: dev::Payload, bytes_max: usize) -> Self {
        Self {
            payload,
            announced_bytes: None,
            bytes_max,
            read_bytes: 0,
            timeout: Duration::MAX,
            pace: Pace::Carried,
            timer: None,
            ended: false,
        }
    }

    /// Lets it be read, up to this size and within this time; refuses what says that it is larger.
    pub(super) fn limit(&mut self, bytes_max: usize, timeout: Duration) -> Result<(), Refused> {
        self.bytes_max = bytes_max;
        self.timeout = timeout;
        self.pace = Pace::Whole(Instant::now() + timeout);
        match self.announced_bytes {
            Some(announced) if announced > bytes_max as u64 => Err(too_large(bytes_max)),
            _ => Ok(()),
        }
    }

    /// Changes how much of it may be read.
    pub(super) fn allow(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// How much was read.
    pub(super) fn read_bytes(&self) -> usize {
        self.read_bytes
    }

    /// What is left of it, to be read elsewhere.
    pub(super) fn take(&mut self) -> Self {
        let taken = Self {
            payload: self.payload.take(),
            announced_bytes: self.announced_bytes,
            bytes_max: self.bytes_max,
            read_bytes: self.read_bytes,
            timeout: self.timeout,
            pace: self.pace,
            timer: None,
            ended: self.ended,
        };
        self.ended = true;
        taken
    }

    /// From now on whoever reads it may take his time, and the timeout is about what the client does alone.
    pub(super) fn allow_pauses(&mut self) {
        self.pace = Pace::Gaps;
        self.timer = None;
    }

    /// Not read at the moment: what the client does not send now is not its fault.
    pub(super) fn pause(&mut self) {
        if matches!(self.pace, Pace::Gaps) {
            self.timer = None;
        }
    }

    /// The next chunk; `None` at the end.
    pub(super) fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Refused>> {
        // Refused is what is asked for beyond the limit: what a form says in the chunk that passes it may raise it.
        if self.read_bytes > self.bytes_max {
            return Poll::Ready(Err(too_large(self.bytes_max)));
        }
        match Pin::new(&mut self.payload).poll_next(context) {
            Poll::Ready(None) => {
                self.ended = true;
                Poll::Ready(Ok(None))
            }
            Poll::Ready(Some(Ok(chunk))) => {
                self.pause();
                self.read_bytes += chunk.len();
                Poll::Ready(Ok(Some(chunk)))
            }
            Poll::Ready(Some(Err(_))) => {
                self.ended = true;
                Poll::Ready(Err(Refused::new(ErrorCode::BodyIncomplete, "the body ended early")))
            }
            Poll::Pending => self.poll_timeout(context).map(Err),
        }
    }

    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<Refused> {
        // Most bodies came with their head; only what did not is waited for.
        let timeout = self.timeout;
        let (end, detail) = match self.pace {
            Pace::Whole(deadline) => (deadline, "the body did not arrive within"),
            Pace::Gaps => (Instant::now() + timeout, "nothing of the body arrived for"),
            Pace::Carried => return Poll::Pending,
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        ready!(timer.as_mut().poll(context));
        let detail = format!("{detail} {timeout:?}");
        Poll::Ready(Refused::new(ErrorCode::BodyIncomplete, detail))
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Refused> {
        poll_fn(|context| self.poll_chunk(context)).await
    }

    /// All of it, in memory.
    pub(super) async fn whole(&mut self) -> Result<Bytes, Refused> {
        let first = self.chunk().await?.unwrap_or_default();
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity((first.len() + second.len()) * 2);
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Reads on without keeping anything, for so long. Answers whether the connection can be used again.
    pub(super) async fn discard(&mut self, wait: Duration) -> bool {
        if self.ended {
            return true;
        }
        if self.announced_bytes.is_some_and(|announced| announced > DISCARD_BYTES_MAX as u64) {
            return false;
        }
        let discarding = async {
            let mut discarded = 0;
            while let Some(chunk) = poll_fn(|context| Pin::new(&mut self.payload).poll_next(context)).await {
                let Ok(chunk) = chunk else { return false };
                discarded += chunk.len();
                if discarded > DISCARD_BYTES_MAX {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(wait, discarding).await.unwrap_or(false)
    }
}

/// The body of a response after which the connection is closed, as nobody reads the rest of the request's.
///
/// It keeps hold of that rest: what was let go of, the server would read on for as long as the client sends.
pub(super) struct Closing {
    response: BoxBody,
    _unread: Body,
}

impl Closing {
    /// Makes a response the last one of its connection.
    pub(super) fn after(response: HttpResponse, unread: Body) -> HttpResponse {
        let mut response = response.map_body(|_, response| Self { response, _unread: unread }.boxed());
        response.head_mut().set_connection_type(ConnectionType::Close);
        response
    }
}

impl MessageBody for Closing {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.response.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.response).poll_next(context)
    }
}

fn too_large(bytes_max: usize) -> Refused {
    Refused::new(ErrorCode::BodyTooLarge, format!("the body is larger than {bytes_max} bytes"))
}
