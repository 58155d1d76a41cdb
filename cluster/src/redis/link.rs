//! What every connection to a master has, whatever is asked by it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use callboard_protocol::identity::Incarnation;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, PushInfo, PushKind, RedisError, RedisResult, Value,
    aio::MultiplexedConnection,
};
use tokio::sync::watch;

use super::{
    Settings,
    answers::Unexpected,
    failures::{Meaning, OpenError},
    keys::Tagged,
    resolve::resolve,
    scripts::Script,
};
use crate::store::Failure;

/// What a command needs to be performed. Clones use the same connection.
#[derive(Clone)]
pub(crate) struct Link<K> {
    pub(crate) redis: MultiplexedConnection,
    pub(crate) settings: Arc<Settings>,
    pub(crate) keys: K,
    /// The name of what Redis remembered when the connection was made, if that was asked for.
    pub(crate) memory: Arc<str>,
    /// Why the connection is of no use any more.
    ended: Arc<watch::Sender<Option<Arc<str>>>>,
}

/// A connection that was made, to a master, which knows the scripts.
pub(crate) struct Opened<K> {
    pub(crate) link: Link<K>,
    pub(crate) place: String,
    pub(crate) incarnation: Incarnation,
}

/// How many commands of a connection may wait to be written. Far more than a node ever asks at once: a command that found
/// the queue full would enter it only when its answer is awaited.
const QUEUE_MAX: usize = 1 << 16;

impl Settings {
    /// What is done while a connection is made, in the time that it may take.
    pub(crate) async fn in_time<T>(
        &self,
        opening: impl Future<Output = Result<T, OpenError>>,
    ) -> Result<T, OpenError> {
        tokio::time::timeout(self.open_timeout, Box::pin(opening)).await.unwrap_or_else(|_| {
            let waited_ms = self.open_timeout.as_millis() as u64;
            Err(OpenError::TimedOut { place: self.url.to_string(), waited_ms })
        })
    }
}

impl<K: Tagged> Link<K> {
    /// Finds the master that has the keys, connects to it, and learns which memory it is. `heard` takes what is pushed, and
    /// must not wait.
    pub(crate) async fn open(
        settings: &Arc<Settings>,
        keys: K,
        heard: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<Opened<K>, OpenError> {
        #[cfg(feature = "redis-tls")]
        if settings.url.is_tls() && rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(OpenError::NoCryptography { place: settings.url.to_string() });
        }
        let info = resolve(settings, keys.tag()).await?;
        let place = info.addr().to_string();
        let ended = Arc::new(watch::Sender::new(None));
        let mut redis = connect(info, &ended, heard).await?;
        let failed = |source| OpenError::of(&place, source);

        let server: String =
            redis::cmd("INFO").arg("server").query_async(&mut redis).await.map_err(failed)?;
        let version = server.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default();
        if major < 7 {
            return Err(OpenError::TooOld { place, version: version.to_owned() });
        }
        let _: Vec<String> = Script::load_all().query_async(&mut redis).await.map_err(failed)?;
        let link = Self { redis, settings: Arc::clone(settings), keys, memory: Arc::default(), ended };
        let incarnation = link.incarnation(&place).await?;
        Ok(Opened { link, place, incarnation })
    }

    /// Which memory it is, if it is a master's.
    pub(crate) async fn incarnation(&self, place: &str) -> Result<Incarnation, OpenError> {
        let place = place.to_owned();
        let which: Result<(Option<String>, Option<String>), _> =
            Script::Incarnation.with_keys(&[]).query_async(&mut self.redis.clone()).await;
        match which {
            Ok((_, Some(role))) if role != "master" => Err(OpenError::Replica { place }),
            Ok((Some(incarnation), _)) => Ok(Incarnation::named(&incarnation)),
            Ok((None, _)) => Err(OpenError::NoIncarnation { place, source: None }),
            // What a command in a script raises that may not stand there.
            Err(source) if source.code() == Some("ERR") => {
                Err(OpenError::NoIncarnation { place, source: Some(source) })
            }
            Err(source) => Err(OpenError::of(&place, source)),
        }
    }

    /// Learns the name of what Redis remembers.
    pub(crate) async fn remember(&mut self, key: &str, place: &str) -> Result<(), OpenError> {
        let remember = Script::Remember.with_keys(&[key.to_owned()]);
        let name: RedisResult<String> = remember.query_async(&mut self.redis.clone()).await;
        self.memory = name.map_err(|source| OpenError::of(place, source))?.into();
        Ok(())
    }

    /// Makes sure that the user may do all that the scripts do.
    pub(crate) async fn probe(&self, place: &str) -> Result<(), OpenError> {
        let probe = Script::Probe.with_keys(&self.keys.probes());
        let probed: RedisResult<String> = probe.query_async(&mut self.redis.clone()).await;
        match probed {
            Ok(_) => Ok(()),
            // A script that may not run one of its commands raises `ERR`; this one has no other reason to.
            Err(source) if source.code() == Some("ERR") => {
                Err(OpenError::Forbidden { place: place.to_owned(), source })
            }
            Err(source) => Err(OpenError::of(place, source)),
        }
    }
}

impl<K> Link<K> {
    /// Performs what is asked, which is on its way when this returns: see [`Performing`].
    pub(crate) fn perform<
        T: Send + Unpin + 'static,
        A: Future<Output = Result<T, Failure>> + Send + 'static,
    >(
        &self,
        asked: A,
    ) -> impl Future<Output = Result<T, Failure>> + Send + use<K, T, A> {
        let mut ended = self.ended.subscribe();
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
        let mut ended = self.ended.subscribe();
        tokio::select! {
            biased;
            answer = asked => answer,
            _ = ended.wait_for(Option::is_some) => Err(Failure::Silent),
        }
    }

    /// Asks for one command.
    pub(crate) async fn ask(&self, question: &Cmd) -> RedisResult<Value> {
        self.redis.clone().send_packed_command(question).await?.extract_error()
    }

    /// What a failure means. Scripts that Redis forgot are loaded, but the command is left to whoever asked: sent once
    /// more from here, it would come after commands that were asked later. `whole` is that of [`Meaning::of`].
    pub(crate) async fn failed(&self, error: &RedisError, whole: bool) -> Failure {
        let meaning = Meaning::of(error, whole);
        if meaning.load {
            let loaded: RedisResult<Vec<String>> =
                Script::load_all().query_async(&mut self.redis.clone()).await;
            if let Err(error) = loaded {
                self.end(&error.to_string());
            }
        }
        if let Some(why) = meaning.ends {
            self.end(&why);
        }
        meaning.failure
    }

    /// An answer, unless it is none: then the connection is of no use any more.
    pub(crate) fn understood<T>(&self, answer: Result<T, Unexpected>) -> Result<T, Failure> {
        answer.map_err(|wrong| {
            self.end(&wrong.to_string());
            Failure::Silent
        })
    }

    /// Redis forgot everything and went on: what was asked was not done, or found nothing. Whoever connects again learns
    /// that it is another memory.
    pub(crate) fn forgotten(&self) -> Failure {
        self.end("redis forgot everything");
        Failure::Silent
    }

    /// The connection is of no use any more. The first reason stays.
    pub(crate) fn end(&self, why: &str) {
        end(&self.ended, why);
    }

    /// Waits until the connection is of no use any more, and says why.
    pub(crate) async fn closed(&self) -> String {
        let mut ended = self.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(why) => why.as_deref().unwrap_or_default().to_owned(),
            Err(_) => String::new(),
        }
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
    heard: impl Fn(PushInfo) + Send + Sync + 'static,
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
            } else {
                heard(push);
            }
            Ok::<_, std::convert::Infallible>(())
        });
    let connected = async { Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await };
    connected.await.map_err(|source| OpenError::of(&place, source))
}

/// A command on its way, so that commands arrive in the order in which they are asked; dropping it does not call it back.
struct Performing<F: Future> {
    performing: Pin<Box<F>>,
    /// What the first step came to.
    first: Option<Poll<F::Output>>,
}

impl<F: Future<Output: Unpin>> Future for Performing<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.first.take() {
            Some(Poll::Ready(answer)) => Poll::Ready(answer),
            _ => self.performing.as_mut().poll(context),
        }
    }
}
