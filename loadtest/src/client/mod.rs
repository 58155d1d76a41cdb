//! Requests over connections that stay open.
//!
//! Nothing is ever sent a second time: a request whose connection ends is [`End::Broken`], as what became of it at the
//! server is not known here. Nothing is followed: a redirect is an answer.

mod answer;
mod body;
mod connect;
mod http1;
mod http2;
mod request;
mod seats;
#[cfg(test)]
mod tests;
mod tls;

use std::time::Duration;

use tokio::time::Instant;

pub(crate) use connect::Endpoint;
pub(crate) use request::{Body, Request};
pub(crate) use seats::Seat;
pub(crate) use tls::{Tls, Trust};

use crate::{observation::End, scenario::Http};
use seats::Seats;

/// Largest answer that is read, in bytes; one that is larger is [`End::Broken`].
///
/// 64 MiB: far above what an action or a page answers, and thousands of connections that receive such answers at once are
/// no use of this program.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 20;

/// How connections are made, and how many.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) http: Http,
    pub(crate) connections_max: usize,
}

/// Sends requests to one server.
pub(crate) struct Client {
    seats: Seats,
    connections: Connections,
}

enum Connections {
    One(http1::Connections),
    Two(http2::Connections),
}

impl Client {
    pub(crate) fn new(endpoint: Endpoint, settings: &Settings) -> Self {
        match settings.http {
            Http::One => Self {
                seats: Seats::new(settings.connections_max),
                connections: Connections::One(http1::Connections::new(endpoint)),
            },
            Http::Two => Self {
                seats: Seats::new(settings.connections_max * http2::STREAMS_MAX),
                connections: Connections::Two(http2::Connections::new(endpoint)),
            },
        }
    }

    /// A place on a connection; those who wait for one get it in their order.
    ///
    /// # Errors
    ///
    /// How it ended for those who got none.
    pub(crate) async fn seat(&self, timeout: Instant) -> Result<Seat, End> {
        let none = || End::Broken("the target was removed before the request was sent".to_owned());
        match self.seats.take_now() {
            Ok(Some(seat)) => Ok(seat),
            Ok(None) => match tokio::time::timeout_at(timeout, self.seats.wait()).await {
                Ok(seat) => seat.ok_or_else(none),
                Err(_) => Err(End::TimedOut),
            },
            Err(_closed) => Err(none()),
        }
    }

    /// No more seats: what is under way goes on, what waits for a seat gets none.
    pub(crate) fn close(&self) {
        self.seats.close();
    }

    /// Sends a request on the connection of a seat, and waits for its end.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the client hangs up.
    pub(crate) async fn exchange(&self, _seat: Seat, request: Request, timeout: Instant) -> End {
        let hang_up = request.abort_after.map(|after| Instant::now() + after);
        let exchange = async {
            let answer = match &self.connections {
                Connections::One(connections) => connections.exchange(request).await,
                Connections::Two(connections) => connections.exchange(request).await,
            };
            answer.map_or_else(|broken| End::Broken(broken.to_string()), End::Answered)
        };
        match hang_up {
            Some(hang_up) if hang_up < timeout => {
                tokio::time::timeout_at(hang_up, exchange).await.unwrap_or(End::HungUp)
            }
            _ => tokio::time::timeout_at(timeout, exchange).await.unwrap_or(End::TimedOut),
        }
    }
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("cannot connect to {place}: {source}")]
    Connect { place: String, source: std::io::Error },
    #[error("{place} speaks no HTTP/2: {why}")]
    NoHttp2 { place: String, why: String },
    #[error("{0:?} is no path")]
    Path(String),
    #[error("the answer is no HTTP: {0}")]
    Garbage(String),
    #[error("the connection ended before the answer did: {0}")]
    Closed(String),
    #[error("the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
}

impl From<hyper::Error> for Broken {
    fn from(error: hyper::Error) -> Self {
        use std::error::Error as _;
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            why = format!("{why}: {cause}");
            source = cause.source();
        }
        if error.is_parse() { Self::Garbage(why) } else { Self::Closed(why) }
    }
}

/// How long connecting to a server that does not answer may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
