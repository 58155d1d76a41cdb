//! The settings of the log of revalidations, as its core takes them.

use std::time::Duration;

use callboard_cluster::cache;

use super::Settings;

/// Shortest lease: four renewals of it have to get through while a machine is busy.
const LEASE_MIN: Duration = Duration::from_millis(100);

/// A lease of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadLease {
    /// No node could keep it.
    #[error(
        "setting cache_lease: {found:?} is less than {LEASE_MIN:?}, in which a busy node could not renew it"
    )]
    TooShort { found: Duration },
    /// Nobody could wait for its end.
    #[error(
        "setting cache_lease: {waits:?}, which is how long a revalidation waits for a node that died, does not fit into \
         publish_timeout, {publish_timeout:?}: lower cache_lease, or raise publish_timeout"
    )]
    TooLong { waits: Duration, publish_timeout: Duration },
}

impl Settings {
    /// Those of the cache's core.
    ///
    /// # Errors
    ///
    /// [`BadLease`].
    pub(crate) fn cache(&self) -> Result<cache::Settings, BadLease> {
        let lease = self.cache_lease;
        if lease < LEASE_MIN {
            return Err(BadLease::TooShort { found: lease });
        }
        // One in a thousand for clocks that drift, in whole milliseconds.
        let margin =
            Duration::from_millis(u64::try_from(lease.as_micros().div_ceil(1_000_000)).unwrap_or(u64::MAX));
        let (waits, publish_timeout) = (lease + margin, self.publish_timeout);
        if self.redis.is_some() && waits >= publish_timeout {
            return Err(BadLease::TooLong { waits, publish_timeout });
        }
        Ok(cache::Settings {
            lease,
            renew: lease / 4,
            margin,
            command_timeout: lease / 2,
            shared: self.redis.is_some(),
            ..cache::Settings::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Sources;

    fn settings(texts: &[(&str, &str)]) -> Settings {
        let texts = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Sources::of_test(texts).expect("values")
    }

    #[test]
    fn the_defaults_are_those_that_were_simulated() {
        let cache = settings(&[("redis", "redis://host")]).cache().expect("fits");
        assert_eq!(format!("{cache:?}"), format!("{:?}", cache::Settings::default()));
    }

    #[test]
    fn times_follow_from_the_lease() {
        let cache = settings(&[("cache_lease", "2500ms")]).cache().expect("fits");
        assert_eq!((cache.renew, cache.margin), (Duration::from_millis(625), Duration::from_millis(3)));
        assert!(!cache.shared);
    }

    #[test]
    fn a_lease_that_no_node_could_keep_is_refused() {
        let refused = settings(&[("cache_lease", "99ms")]).cache().expect_err("too short").to_string();
        assert!(refused.starts_with("setting cache_lease: 99ms is less than 100ms"), "{refused}");
    }

    #[test]
    fn a_lease_that_no_revalidation_could_wait_for_is_refused() {
        let refused =
            |redis: &str, lease: &str| settings(&[("redis", redis), ("cache_lease", lease)]).cache().err();
        let error = refused("redis://host", "5s").expect("too long").to_string();
        assert!(error.contains("cache_lease: 5.005s") && error.contains("publish_timeout, 5s"), "{error}");
        assert!(refused("redis://host", "4900ms").is_none());
        assert!(refused("", "5s").is_none(), "nobody waits for a node that is alone");
    }
}
