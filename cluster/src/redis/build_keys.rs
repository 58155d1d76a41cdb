//! The record of the keys of builds: one value for the whole cluster, which nodes replace as a whole, each only if it is
//! still the one that it read. What stands in it is up to them.

use callboard_protocol::identity::RedisMillis;
use redis::Value;

use super::{answers, connection::Connection, keys::Keys, link::Link, scripts::Script};
use crate::store::Failure;

/// The record as it stood at a time of Redis' clock, the one that all nodes share.
pub struct BuildKeys {
    /// When it was read.
    pub time: RedisMillis,
    /// The bytes that a node wrote; none if none did, or Redis lost them. They hold secrets.
    pub record: Option<Vec<u8>>,
}

/// Without the record, which is secret.
impl std::fmt::Debug for BuildKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuildKeys").field("time", &self.time).finish_non_exhaustive()
    }
}

impl Connection {
    /// Reads the record.
    ///
    /// # Errors
    ///
    /// [`Failure`], as for every command.
    pub async fn build_keys(&self) -> Result<BuildKeys, Failure> {
        self.link
            .until_end(async {
                let value =
                    run(&self.link, &Script::BuildKeys.with_keys(&[self.link.keys.build_keys()])).await?;
                self.link.understood(answers::build_keys(value))
            })
            .await
    }

    /// Puts `new` in the place of the record that was `read`, and says whether it stands there now. If it does not,
    /// somebody else was faster: read again. Asking twice for the same does no harm.
    ///
    /// # Errors
    ///
    /// [`Failure`], as for every command.
    pub async fn replace_build_keys(&self, read: Option<&[u8]>, new: &[u8]) -> Result<bool, Failure> {
        let mut replace = Script::ReplaceBuildKeys.with_keys(&[self.link.keys.build_keys()]);
        // No record is empty.
        replace.arg(read.unwrap_or_default()).arg(new);
        self.link
            .until_end(async { self.link.understood(answers::flag(&run(&self.link, &replace).await?)) })
            .await
    }
}

async fn run(link: &Link<Keys>, script: &redis::Cmd) -> Result<Value, Failure> {
    match link.ask(script).await {
        Ok(value) => Ok(value),
        Err(error) => Err(link.failed(&error, false).await),
    }
}
