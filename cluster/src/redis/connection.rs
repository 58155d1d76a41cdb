//! One connection to a master.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use callboard_protocol::identity::Incarnation;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, PushInfo, PushKind, aio::MultiplexedConnection};
use tokio::sync::watch;

use super::{Settings, failures::OpenError, keys::Keys, resolve::resolve, scripts::Script, store};
use crate::{
    core,
    store::{Answer, Command, Failure},
};

/// A connection to the master that has the keys. It does not come back by itself: once it is
/// [`closed`](Self::closed), open another.
pub struct Connection {
    pub(crate) link: Link,
    place: String,
}

/// What a command needs to be performed. Clones use the same connection.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) redis: MultiplexedConnection,
    pub(crate) settings: Arc<Settings>,
    pub(crate) keys: Keys,
    /// Why the connection is of no use any more.
    ended: Arc<watch::Sender<Option<Arc<str>>>>,
}

/// How many commands of a connection may wait to be written. Far more than a node ever asks at once: a command that found
/// the queue full would enter it only when its answer is awaited.
const QUEUE_MAX: usize = 1 << 16;

impl Connection {
    /// Finds the master, connects to it, and learns which memory it is. `role` is what the connection is for: a read that
    /// waits holds up whatever is asked after it, so each of the two readers has its own.
    ///
    /// # Errors
    ///
    /// [`OpenError`], which says what to do about it. None of them is for ever: the master may be back in a moment.
    pub async fn open(
        settings: &Arc<Settings>,
        role: core::Connection,
    ) -> Result<(Self, Incarnation), OpenError> {
        let opening = Box::pin(Self::open_at_leisure(settings, role));
        tokio::time::timeout(settings.open_timeout, opening).await.unwrap_or_else(|_| {
            let waited_ms = settings.open_timeout.as_millis() as u64;
            Err(OpenError::TimedOut { place: settings.url.to_string(), waited_ms })
        })
    }

    async fn open_at_leisure(
        settings: &Arc<Settings>,
        role: core::Connection,
    ) -> Result<(Self, Incarnation), OpenError> {
        #[cfg(feature = "redis-tls")]
        if settings.url.is_tls() && rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(OpenError::NoCryptography { place: settings.url.to_string() });
        }
        let info = resolve(settings).await?;
        let place = info.addr().to_string();
        let ended = Arc::new(watch::Sender::new(None));
        let mut redis = connect(info, &ended).await?;
        let failed = |source| OpenError::of(&place, source);

        let server: String =
            redis::cmd("INFO").arg("server").query_async(&mut redis).await.map_err(failed)?;
        let version = server.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default();
        if major < 7 {
            return Err(OpenError::TooOld { place, version: version.to_owned() });
        }
        let _: Vec<String> = Script::load_all().query_async(&mut redis).await.map_err(failed)?;
        let which: Result<(Option<String>, Option<String>), _> =
            Script::Incarnation.with_keys(&[]).query_async(&mut redis).await;
        let incarnation = match which {
            Ok((_, Some(role))) if role != "master" => return Err(OpenError::Replica { place }),
            Ok((Some(incarnation), _)) => Incarnation::named(&incarnation),
            Ok((None, _)) => return Err(OpenError::NoIncarnation { place, source: None }),
            // What a command in a script raises that may not stand there.
            Err(source) if source.code() == Some("ERR") => {
                return Err(OpenError::NoIncarnation { place, source: Some(source) });
            }
            Err(source) => return Err(failed(source)),
        };
        let keys = Keys::new(&settings.namespace, settings.lane);
        if role == core::Connection::Commands {
            let probe = Script::Probe.with_keys(&keys.probes());
            // A script that may not run one of its commands raises `ERR`; this one has no other reason to.
            let _: String = probe.query_async(&mut redis).await.map_err(|source| match source.code() {
                Some("ERR") => OpenError::Forbidden { place: place.clone(), source },
                _ => failed(source),
            })?;
        }
        let link = Link { redis, settings: Arc::clone(settings), keys, ended };
        Ok((Self { link, place }, incarnation))
    }

    /// Performs a command. It is on its way when this returns, so commands arrive in the order of these calls; dropping
    /// the future does not call it back.
    ///
    /// Reads wait for [`Settings::block`]; nothing else has a limit in time, as whoever asks has one.
    ///
    /// # Errors
    ///
    /// The future gives [`Failure::Refused`] where Redis certainly did not execute the command, and [`Failure::Silent`]
    /// where that is not known. After either, the connection may be [`closed`](Self::closed).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn perform(&self, command: Command) -> impl Future<Output = Result<Answer, Failure>> + Send + use<> {
        let mut ended = self.link.ended.subscribe();
        let asked = store::perform(self.link.clone(), command);
        let mut performing = Box::pin(async move {
            tokio::select! {
                // An answer that came before the end is an answer.
                biased;
                answer = asked => answer,
                _ = ended.wait_for(Option::is_some) => Err(Failure::Silent),
            }
        });
        // The first step puts the command into the queue of the connection; only the answer is awaited later.
        let first = tokio::task::unconstrained(performing.as_mut());
        let first = Box::pin(first).as_mut().poll(&mut Context::from_waker(Waker::noop()));
        Performing { performing, first: Some(first) }
    }

    /// What something comes to that is asked of Redis, unless the connection ends before.
    pub(crate) async fn until_end<T>(
        &self,
        asked: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut ended = self.link.ended.subscribe();
        tokio::select! {
            biased;
            answer = asked => answer,
            _ = ended.wait_for(Option::is_some) => Err(Failure::Silent),
        }
    }

    /// Waits until the connection is of no use any more, and says why: it broke, or the other side is the master no more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn closed(&self) -> String {
        let mut ended = self.link.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(why) => why.as_deref().unwrap_or_default().to_owned(),
            Err(_) => String::new(),
        }
    }
}

/// Commands that were not answered are [`Failure::Silent`].
impl Drop for Connection {
    fn drop(&mut self) {
        self.link.end("closed by this node");
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Link {
    /// The connection is of no use any more. The first reason stays.
    pub(crate) fn end(&self, why: &str) {
        end(&self.ended, why);
    }
}

fn end(ended: &watch::Sender<Option<Arc<str>>>, why: &str) {
    ended.send_if_modified(|there| {
        let first = there.is_none();
        there.get_or_insert_with(|| why.into());
        first
    });
}

async fn connect(
    info: ConnectionInfo,
    ended: &Arc<watch::Sender<Option<Arc<str>>>>,
) -> Result<MultiplexedConnection, OpenError> {
    let place = info.addr().to_string();
    let ended = Arc::clone(ended);
    let config = AsyncConnectionConfig::new()
        // The whole has its own.
        .set_connection_timeout(None)
        // A read that waits longer than this would break off and leave its answer to the next command.
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE_MAX)
        .set_push_sender(move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                end(&ended, "redis closed the connection");
            }
            Ok::<_, std::convert::Infallible>(())
        });
    let connected = async { Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await };
    connected.await.map_err(|source| OpenError::of(&place, source))
}

/// A command on its way.
struct Performing<F> {
    performing: Pin<Box<F>>,
    /// What the first step came to.
    first: Option<Poll<Result<Answer, Failure>>>,
}

impl<F: Future<Output = Result<Answer, Failure>>> Future for Performing<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.first.take() {
            Some(Poll::Ready(answer)) => Poll::Ready(answer),
            _ => self.performing.as_mut().poll(context),
        }
    }
}
