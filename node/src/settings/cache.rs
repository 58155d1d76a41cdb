//! The settings of the log of revalidations, as its core takes them.

use std::time::Duration;

use callboard_cluster::cache;

use super::Settings;

/// Shortest lease: four renewals of it have to get through while a machine is busy.
const LEASE_MIN: Duration = Duration::from_millis(100);

/// A lease that no node could keep.
#[derive(Debug, thiserror::Error)]
#[error("setting cache_lease: {found:?} is less than {LEASE_MIN:?}, in which a busy node could not renew it")]
pub(crate) struct LeaseTooShort {
    found: Duration,
}

impl Settings {
    /// Those of the cache's core.
    ///
    /// # Errors
    ///
    /// [`LeaseTooShort`].
    pub(crate) fn cache(&self) -> Result<cache::Settings, LeaseTooShort> {
        let lease = self.cache_lease;
        if lease < LEASE_MIN {
            return Err(LeaseTooShort { found: lease });
        }
        // One in a thousand for clocks that drift, in whole milliseconds.
        let margin =
            Duration::from_millis(u64::try_from(lease.as_micros().div_ceil(1_000_000)).unwrap_or(u64::MAX));
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
}
