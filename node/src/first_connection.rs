//! What a node asks of Redis while it starts: with patience, as Redis may be starting, too, or being replaced.

use std::{sync::Arc, time::Duration};

use callboard_cluster::{
    core,
    redis::{Connection, Settings},
    store::Failure,
};
use tracing::warn;

/// How long a node that starts waits for its Redis.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Pause before Redis is asked again.
const AGAIN: Duration = Duration::from_millis(250);

/// Redis did not do what it was asked, or nobody knows: worth another attempt.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unanswered(String);

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self(match failure {
            Failure::Refused(why) => format!("redis refused: {why}"),
            Failure::Silent => "redis did not answer".to_owned(),
        })
    }
}

/// It was asked until nobody waited any more.
#[derive(Debug, thiserror::Error)]
#[error(
    "redis at {place} (setting redis) could not be used within {patience:?}; the last attempt said: {last}"
)]
pub(crate) struct OutOfPatience {
    place: String,
    patience: Duration,
    last: String,
}

/// Asks something on a connection of its own, and again on another one where that was [`Unanswered`], so it has to be
/// safe to ask twice. The log says once that it waits.
///
/// # Errors
///
/// What was asked failed in another way, Redis refuses this node, or `patience` is over. The message names Redis without
/// its password.
pub(crate) async fn patiently<T>(
    redis: &Arc<Settings>,
    patience: Duration,
    mut ask: impl AsyncFnMut(&Connection) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut last: Option<String> = None;
    let attempts = async {
        loop {
            let why = match Connection::open(redis, core::Connection::Commands).await {
                Ok((connection, _)) => match ask(&connection).await {
                    Err(error) if error.is::<Unanswered>() => format!("{error:#}"),
                    answer => return answer,
                },
                Err(error) if error.may_pass() => format!("{:#}", anyhow::Error::new(error)),
                Err(error) => return Err(error.into()),
            };
            if last.is_none() {
                warn!(why, "waiting for redis");
            }
            last = Some(why);
            tokio::time::sleep(AGAIN).await;
        }
    };
    match tokio::time::timeout(patience, attempts).await {
        Ok(answer) => answer,
        Err(_) => {
            let (place, last) = (redis.url.to_string(), last.unwrap_or_else(|| "nothing".to_owned()));
            Err(OutOfPatience { place, patience, last }.into())
        }
    }
}
