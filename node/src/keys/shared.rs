//! The record of the keys of builds in the Redis that the nodes of a cluster share.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use callboard_cluster::{
    redis::{Connection, Settings as RedisSettings},
    store::{Answer, Command},
};
use callboard_protocol::KeyRing;
use tracing::info;
use zeroize::Zeroizing;

use super::{Keys, Purpose, Record};
use crate::{
    build_id::BuildId,
    first_connection::{PATIENCE, Unanswered, patiently},
    settings::Settings,
};

/// What a node keeps of the shared record while it runs, to put it back where Redis lost it.
pub(crate) struct Remembered {
    build: String,
    record: Record,
}

impl Keys {
    /// The key of this build that all its nodes share, made by the first of them, with those of other builds for
    /// verification only; and what to remember of them. For nodes of a cluster without the setting `keys`.
    ///
    /// # Errors
    ///
    /// Redis refuses this node, cannot be used for 30 s, or has something else where the keys belong. The message names
    /// it without its password, and says what to do.
    pub(crate) async fn load_shared(
        redis: &Arc<RedisSettings>,
        settings: &Settings,
        build: BuildId,
        purpose: Purpose,
    ) -> anyhow::Result<(Self, Remembered)> {
        load(redis, settings.skew_window, &build.to_string(), purpose, PATIENCE).await
    }

    /// Those that Redis has for this build, if it has any; nothing is changed.
    ///
    /// # Errors
    ///
    /// Redis does not answer, or has something else where the keys belong.
    pub(crate) async fn look_up(connection: &Connection, build: BuildId) -> anyhow::Result<Option<Self>> {
        let build = build.to_string();
        let there = connection.build_keys().await.map_err(Unanswered::from)?;
        let record = parse(there.record.map(Zeroizing::new).as_deref())?;
        record.knows(&build).then(|| record.keys(&build)).transpose()
    }
}

impl Remembered {
    /// Makes sure that Redis has what this node knows; for whenever it joined, as Redis may have come back without it.
    /// Gives the ring with the keys of all builds that Redis knows now.
    ///
    /// # Errors
    ///
    /// As for [`Keys::load_shared`], and [`Contradiction`](super::record::Contradiction) where Redis has another key for
    /// this build: then somebody has to restart this node.
    pub(crate) async fn put_back(&mut self, redis: &Arc<RedisSettings>) -> anyhow::Result<KeyRing> {
        let (build, known) = (&self.build, &self.record);
        let put_back = async |_: &Connection, record: &mut Record, _| Ok(record.put_back(build, known)?);
        let record = change(redis, PATIENCE, put_back).await?;
        let keys = record.keys(&self.build)?;
        self.record = record;
        Ok(keys.ring)
    }
}

async fn load(
    redis: &Arc<RedisSettings>,
    skew_window: Duration,
    build: &str,
    purpose: Purpose,
    patience: Duration,
) -> anyhow::Result<(Keys, Remembered)> {
    let enter = async |connection: &Connection, record: &mut Record, now_ms| {
        match purpose {
            Purpose::Serve => record.enter(build, &running(connection).await?, now_ms, skew_window),
            Purpose::Print => record.add(build),
        }
        Ok(())
    };
    let record = change(redis, patience, enter).await?;
    info!(redis = %redis.url, "no key ring is configured: the nodes of this build sign with a key of their own");
    let keys = record.keys(build).with_context(|| format!("the keys in redis at {}", redis.url))?;
    Ok((keys, Remembered { build: build.to_owned(), record }))
}

/// The builds of the members.
async fn running(connection: &Connection) -> Result<Vec<String>, Unanswered> {
    match connection.perform(Command::View).await? {
        Answer::View(Some(view)) => {
            Ok(view.members.values().map(|member| format!("{:032x}", member.profile.build)).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// Changes the record, as often as it takes until nobody else did at the same time, and gives what it is now.
async fn change(
    redis: &Arc<RedisSettings>,
    patience: Duration,
    mut how: impl AsyncFnMut(&Connection, &mut Record, u64) -> anyhow::Result<()>,
) -> anyhow::Result<Record> {
    let changed = patiently(redis, patience, async |connection| {
        loop {
            let there = connection.build_keys().await.map_err(Unanswered::from)?;
            let read = there.record.map(Zeroizing::new);
            let before = parse(read.as_deref())?;
            let mut record = before.clone();
            how(connection, &mut record, there.time.as_u64()).await?;
            if record == before {
                return Ok(record);
            }
            let (read, json) = (read.as_ref().map(|read| read.as_slice()), record.to_json()?);
            if connection.replace_build_keys(read, &json).await.map_err(Unanswered::from)? {
                return Ok(record);
            }
        }
    });
    changed.await.with_context(|| format!("the keys of this cluster in redis at {}", redis.url))
}

fn parse(read: Option<&Vec<u8>>) -> anyhow::Result<Record> {
    let Some(bytes) = read else { return Ok(Record::default()) };
    Record::parse(bytes).context(
        "they are damaged, or written by a later version: delete the key whose name ends with `:keys` to start with \
         new ones, and restart all nodes",
    )
}

#[cfg(test)]
mod tests;
