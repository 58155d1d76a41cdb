//! The connection on which the log is asked.

use std::fmt;

use super::{CacheLink, CacheStore, commands};
use crate::{
    cache::store::{Answer, Command},
    redis::{
        failures::OpenError,
        keys::CacheKeys,
        link::{Link, Opened},
    },
    store::Failure,
};

/// A connection to the master that has the log. It does not come back by itself: once it is [`closed`](Self::closed), open
/// another.
pub struct CacheConnection {
    link: CacheLink,
    store: CacheStore,
    place: String,
}

impl CacheConnection {
    /// Finds the master, connects to it, and makes sure that it can do and holds what is needed.
    ///
    /// # Errors
    ///
    /// [`OpenError`], which says what to do about it. None of them is for ever: the master may be back in a moment.
    pub async fn open(store: &CacheStore) -> Result<Self, OpenError> {
        let settings = &store.settings;
        let opening = async {
            let keys = CacheKeys::new(&settings.namespace, settings.url.login.db());
            let Opened { link, place, .. } = Link::open(settings, keys, |_| {}).await?;
            link.probe(&place).await?;
            check_kinds(&link, &place).await?;
            if let Some((_, time)) = settings.cache_replicas_wait {
                // Answered at once, as it waits for none.
                let allowed = link.ask(&commands::wait(0, time)).await;
                allowed.map_err(|source| OpenError::of(&place, source))?;
            }
            Ok(Self { link, store: store.clone(), place })
        };
        settings.in_time(opening).await
    }

    /// Performs a command. It is on its way when this returns, so commands arrive in the order of these calls; dropping
    /// the future does not call it back. It has no limit in time, as whoever asks has one.
    ///
    /// Whatever names an epoch that no connection of this store has opened is answered [`Answer::Superseded`].
    ///
    /// # Errors
    ///
    /// The future gives [`Failure::Refused`] where Redis certainly did not execute the command, and [`Failure::Silent`]
    /// where that is not known. After either, the connection may be
    /// [`closed`](Self::closed).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn perform(&self, command: Command) -> impl Future<Output = Result<Answer, Failure>> + Send + use<> {
        self.link.perform(commands::perform(self.link.clone(), self.store.clone(), command))
    }

    /// Waits until the connection is of no use any more, and says why: it broke, or the other side is the master no more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn closed(&self) -> String {
        self.link.closed().await
    }
}

/// Commands that were not answered are [`Failure::Silent`].
impl Drop for CacheConnection {
    fn drop(&mut self) {
        self.link.end("closed by this node");
    }
}

impl fmt::Debug for CacheConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheConnection").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A script that finds something else at a key ends the connection; whoever opens the next learns which key it is.
async fn check_kinds(link: &CacheLink, place: &str) -> Result<(), OpenError> {
    for (key, expected) in link.keys.all().iter().zip(CacheKeys::KINDS) {
        let kind = redis::cmd("TYPE").arg(key).query_async(&mut link.redis.clone()).await;
        let found: String = kind.map_err(|source| OpenError::of(place, source))?;
        if found != expected && found != "none" {
            return Err(OpenError::OtherKind { place: place.to_owned(), key: key.clone(), found, expected });
        }
    }
    Ok(())
}
