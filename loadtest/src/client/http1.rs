//! Connections that carry one request at a time.
//!
//! A connection is driven by whoever uses it, in the same task, and by nobody while it is idle: a task of its own would cost
//! two switches per request.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use hyper::{
    Uri,
    client::conn::http1,
    header::{CONNECTION, HOST},
};
use hyper_util::rt::TokioIo;

use super::{Broken, Endpoint, Request, answer::Reading, body::Outgoing, connect::Stream};
use crate::observation::Answer;

/// Those to one server that nobody uses.
pub(super) struct Connections {
    endpoint: Endpoint,
    idle: RefCell<Vec<Connection>>,
}

struct Connection {
    sender: http1::SendRequest<Outgoing>,
    driver: http1::Connection<TokioIo<Stream>, Outgoing>,
}

impl Connections {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, idle: RefCell::default() }
    }

    pub(super) async fn exchange(&self, request: Request) -> Result<Answer, Broken> {
        let request = self.prepare(request)?;
        let mut connection = match self.take_idle().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answer = connection.exchange(request).await?;
        let is_last = answer.header(CONNECTION.as_str()).is_some_and(|how| how.eq_ignore_ascii_case("close"));
        if !is_last {
            self.idle.borrow_mut().push(connection);
        }
        Ok(answer)
    }

    /// The one that was used last, of those that the server did not close.
    async fn take_idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.borrow_mut().pop()?;
            if poll_fn(|context| Poll::Ready(connection.is_open(context))).await {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Broken> {
        let stream = self.endpoint.connect().await?;
        let (sender, driver) = http1::handshake(stream).await?;
        let mut connection = Connection { sender, driver };
        poll_fn(|context| Poll::Ready(connection.is_open(context))).await;
        Ok(connection)
    }

    fn prepare(&self, request: Request) -> Result<hyper::Request<Outgoing>, Broken> {
        let uri = Uri::try_from(request.path).map_err(|error| Broken::Path(error.to_string()))?;
        let mut prepared = hyper::Request::new(Outgoing::new(request.body));
        *prepared.method_mut() = request.method;
        *prepared.uri_mut() = uri;
        *prepared.headers_mut() = request.headers;
        prepared.headers_mut().insert(HOST, self.endpoint.host.clone());
        Ok(prepared)
    }
}

impl Connection {
    /// Whether a request can be sent on it.
    fn is_open(&mut self, context: &mut Context<'_>) -> bool {
        Pin::new(&mut self.driver).poll(context).is_pending() && self.sender.is_ready()
    }

    async fn exchange(&mut self, request: hyper::Request<Outgoing>) -> Result<Answer, Broken> {
        let mut response = pin!(self.sender.send_request(request));
        let mut driver = Driver { connection: Pin::new(&mut self.driver), ended: None };
        let response = poll_fn(|context| {
            driver.poll(context);
            match response.as_mut().poll(context) {
                Poll::Ready(response) => Poll::Ready(response.map_err(Broken::from)),
                Poll::Pending => driver.poll_end().map(Err),
            }
        });
        let mut reading = Reading::new(response.await?);
        poll_fn(|context| {
            if let Poll::Ready(answer) = reading.poll(context) {
                return Poll::Ready(answer);
            }
            driver.poll(context);
            match reading.poll(context) {
                Poll::Ready(answer) => Poll::Ready(answer),
                Poll::Pending => driver.poll_end().map(Err),
            }
        })
        .await
    }
}

/// What moves the bytes of a connection.
struct Driver<'a> {
    connection: Pin<&'a mut http1::Connection<TokioIo<Stream>, Outgoing>>,
    /// It has ended; it must not be polled again.
    ended: Option<hyper::Result<()>>,
}

impl Driver<'_> {
    fn poll(&mut self, context: &mut Context<'_>) {
        if self.ended.is_none()
            && let Poll::Ready(end) = self.connection.as_mut().poll(context)
        {
            self.ended = Some(end);
        }
    }

    /// Why nothing more will come.
    fn poll_end(&mut self) -> Poll<Broken> {
        match &mut self.ended {
            None => Poll::Pending,
            Some(end) => match std::mem::replace(end, Ok(())) {
                Ok(()) => Poll::Ready(Broken::Closed("the server closed it".to_owned())),
                Err(error) => Poll::Ready(error.into()),
            },
        }
    }
}
