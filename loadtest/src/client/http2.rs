//! Connections that carry many requests at a time.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
};

use hyper::{Uri, client::conn::http2};
use tokio::{sync::OnceCell, task::spawn_local};

use super::{Broken, Endpoint, Request, answer::Reading, body::Outgoing};
use crate::observation::Answer;

/// How many requests one connection carries at once.
///
/// 100: what RFC 9113 recommends servers to allow at least; where one allows fewer, the rest waits within the connection.
pub(super) const STREAMS_MAX: usize = 100;

/// Those to one server.
pub(super) struct Connections {
    endpoint: Endpoint,
    open: RefCell<Vec<Rc<Connection>>>,
}

#[derive(Default)]
struct Connection {
    /// Empty while it is being opened.
    sender: OnceCell<http2::SendRequest<Outgoing>>,
    requests: Cell<usize>,
}

/// A request on a connection.
struct Stream(Rc<Connection>);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.requests.update(|requests| requests - 1);
    }
}

impl Connections {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, open: RefCell::default() }
    }

    pub(super) async fn exchange(&self, request: Request) -> Result<Answer, Broken> {
        let request = self.prepare(request)?;
        let stream = self.stream();
        let sender = stream.0.sender.get_or_try_init(|| self.connect()).await;
        let mut sender = sender.inspect_err(|_| self.forget(&stream.0))?.clone();
        let response = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        let response = response.await.inspect_err(|_| {
            if sender.is_closed() {
                self.forget(&stream.0);
            }
        });
        let mut reading = Reading::new(response?);
        poll_fn(|context| reading.poll(context)).await
    }

    /// On the first connection that has room, or on a new one. The seats see to it that there are not too many.
    fn stream(&self) -> Stream {
        let mut open = self.open.borrow_mut();
        open.retain(|connection| connection.sender.get().is_none_or(|sender| !sender.is_closed()));
        let with_room = open.iter().find(|connection| connection.requests.get() < STREAMS_MAX);
        let connection = match with_room {
            Some(connection) => Rc::clone(connection),
            None => {
                open.push(Rc::default());
                Rc::clone(&open[open.len() - 1])
            }
        };
        connection.requests.update(|requests| requests + 1);
        Stream(connection)
    }

    fn forget(&self, lost: &Rc<Connection>) {
        self.open.borrow_mut().retain(|connection| !Rc::ptr_eq(connection, lost));
    }

    async fn connect(&self) -> Result<http2::SendRequest<Outgoing>, Broken> {
        let stream = self.endpoint.connect().await?;
        let no_http2 = |why: String| Broken::NoHttp2 { place: self.endpoint.authority.clone(), why };
        if stream.inner().refuses_http2() {
            return Err(no_http2("it did not agree to it by ALPN".to_owned()));
        }
        let (sender, driver) =
            http2::handshake(Local, stream).await.map_err(|error| no_http2(error.to_string()))?;
        // Why it ended, those whose requests it carried are told, too.
        spawn_local(async move { drop(driver.await) });
        Ok(sender)
    }

    fn prepare(&self, request: Request) -> Result<hyper::Request<Outgoing>, Broken> {
        let uri = Uri::builder()
            .scheme(self.endpoint.scheme())
            .authority(self.endpoint.authority.as_str())
            .path_and_query(request.path)
            .build()
            .map_err(|error| Broken::Path(error.to_string()))?;
        let mut prepared = hyper::Request::new(Outgoing::new(request.body));
        *prepared.method_mut() = request.method;
        *prepared.uri_mut() = uri;
        *prepared.headers_mut() = request.headers;
        Ok(prepared)
    }
}

/// Runs what hyper needs run beside the connection on this thread.
#[derive(Clone, Copy)]
pub(super) struct Local;

impl<F> hyper::rt::Executor<F> for Local
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}
