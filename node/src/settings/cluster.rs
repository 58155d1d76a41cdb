//! The settings of a cluster, as its core and its Redis take them: what does not fit together is refused here, and what
//! nobody should have to think about follows from the rest.

use std::{sync::Arc, time::Duration};

use callboard_cluster::{
    core,
    redis::{BadNamespace, BadUrl, Findings, Settings as RedisSettings},
};

use super::Settings;

/// How long after the longest lag of a replica a deposed primary may still renew leases.
const REPLICA_GRACE: Duration = Duration::from_secs(1);

/// The same and the lag, where Redis does not tell its `min-replicas-max-lag`: that of the manual, 2 s.
const REPLICA_HOLD: Duration = Duration::from_secs(3);

/// The settings of a node that is one of several.
#[derive(Clone, Debug)]
pub(crate) struct ClusterSettings {
    /// Where the shared store is.
    pub(crate) redis: Arc<RedisSettings>,
    core: core::Settings,
    /// Whether somebody said how long keyed calls wait after a fail-over.
    failover_hold_given: bool,
}

/// Settings that are no settings of a cluster. Each says which, and what would be right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterSettingsError {
    /// Where Redis is.
    #[error("setting redis")]
    Redis(#[from] BadUrl),
    /// What the cluster is called.
    #[error("setting namespace")]
    Namespace(#[from] BadNamespace),
    /// Of nothing, there is nothing to do.
    #[error("setting {0}: it is 0; at least 1 is needed")]
    Zero(&'static str),
    /// A node would lose its lease between two renewals.
    #[error("setting call_renew: {renew:?} is not less than call_hold, {hold:?}; a third of it is right")]
    Renew {
        /// What it is.
        renew: Duration,
        /// What it is held against.
        hold: Duration,
    },
    /// A node could be taken for dead while it starts calls.
    #[error("setting call_fence: {fence:?} is less than {least:?}, which is call_hold and a quarter of it")]
    Fence {
        /// What it is.
        fence: Duration,
        /// What it is at least.
        least: Duration,
    },
    /// A connection that is stuck would cost the lease.
    #[error(
        "setting call_command_timeout: {timeout:?} is not less than call_hold, {hold:?}; three quarters of \
         call_renew are right"
    )]
    CommandTimeout {
        /// What it is.
        timeout: Duration,
        /// What it is held against.
        hold: Duration,
    },
    /// An old owner may still run when keyed calls go on.
    #[error(
        "setting call_failover_hold: {found:?} is less than {least:?}, which is call_fence and a tenth of it"
    )]
    FailoverHold {
        /// What it is.
        found: Duration,
        /// What it is at least.
        least: Duration,
    },
}

impl ClusterSettings {
    /// Of a node of this application; none if it is alone. `timeout_max` is the longest that an action may run.
    ///
    /// # Errors
    ///
    /// [`ClusterSettingsError`] for the first that does not fit.
    pub(crate) fn of(
        settings: &Settings,
        application: &str,
        timeout_max: Duration,
    ) -> Result<Option<Self>, ClusterSettingsError> {
        let Some(url) = &settings.redis else { return Ok(None) };
        let (url, namespace) = (url.parse()?, settings.namespace.as_deref().unwrap_or(application).parse()?);
        check(settings)?;
        let defaults = core::Settings::default();
        let (renew, fence) = (settings.call_renew, settings.call_fence);
        let poll_gap = renew.mul_f64(2.5);
        let core = core::Settings {
            renew,
            hold: settings.call_hold,
            fence,
            poll_gap,
            command_timeout: settings.call_command_timeout,
            block: renew * 2,
            failover_hold: settings.call_failover_hold.unwrap_or_else(|| fence.mul_f64(1.1)),
            // The one that runs stands in its line, too.
            key_queue_max: settings.key_queue_max.saturating_add(1),
            permits_max: settings.call_permits_max,
            attempts_max: u32::try_from(settings.call_attempts_max).unwrap_or(u32::MAX),
            // Long enough for a caller that was fenced to be a member again.
            reply_keep: fence / 2,
            // As long as it takes at most until a node that died is known to be dead.
            transfer_gone: fence + poll_gap,
            ..defaults
        };
        let mut redis = RedisSettings::new(url, namespace);
        redis.inbox_frames_max = settings.inbox_frames_max;
        redis.block = core.block;
        redis.cache_log_entries_max = settings.cache_log_entries_max;
        redis.cache_replicas_wait = u32::try_from(settings.cache_replicas_wait)
            .ok()
            .filter(|replicas| *replicas > 0)
            .map(|replicas| (replicas, settings.cache_lease / 4));
        // What a dead cluster left, nobody may still wait for.
        redis.keys_ttl = redis.keys_ttl.max((timeout_max.max(settings.call_timeout) + core.reply_keep) * 2);
        let failover_hold_given = settings.call_failover_hold.is_some();
        Ok(Some(Self { redis: Arc::new(redis), core, failover_hold_given }))
    }

    /// Those of the core, which depend on whether Redis has replicas: a primary that was deposed and does not know it
    /// goes on renewing leases until it notices that its replicas are gone.
    pub(crate) fn core(&self, findings: &Findings) -> core::Settings {
        let mut core = self.core.clone();
        if !self.failover_hold_given && findings.replicas > 0 {
            let lag = findings.replica_lag_max.map_or(REPLICA_HOLD, |lag| lag + REPLICA_GRACE);
            core.failover_hold += lag.max(REPLICA_HOLD);
        }
        core
    }

    /// The same where nobody has seen Redis yet: it may have replicas.
    pub(crate) fn core_unseen(&self) -> core::Settings {
        let mut core = self.core.clone();
        if !self.failover_hold_given {
            core.failover_hold += REPLICA_HOLD;
        }
        core
    }
}

fn check(settings: &Settings) -> Result<(), ClusterSettingsError> {
    let (renew, hold, fence) = (settings.call_renew, settings.call_hold, settings.call_fence);
    let timeout = settings.call_command_timeout;
    let zero = [
        ("call_renew", renew.is_zero()),
        ("call_command_timeout", timeout.is_zero()),
        ("call_permits_max", settings.call_permits_max == 0),
        ("call_attempts_max", settings.call_attempts_max == 0),
        ("inbox_frames_max", settings.inbox_frames_max == 0),
    ];
    if let Some((name, _)) = zero.into_iter().find(|(_, zero)| *zero) {
        return Err(ClusterSettingsError::Zero(name));
    }
    if renew >= hold {
        return Err(ClusterSettingsError::Renew { renew, hold });
    }
    let least = hold + hold / 4;
    if fence < least {
        return Err(ClusterSettingsError::Fence { fence, least });
    }
    if timeout >= hold {
        return Err(ClusterSettingsError::CommandTimeout { timeout, hold });
    }
    let least = fence + fence / 10;
    match settings.call_failover_hold {
        Some(found) if found < least => Err(ClusterSettingsError::FailoverHold { found, least }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Sources;

    fn of(texts: &[(&str, &str)]) -> Result<ClusterSettings, String> {
        let mut all = vec![("redis", "redis://u:s3cret@host")];
        all.extend_from_slice(texts);
        let texts = all.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
        let settings = Sources::of_test(texts).expect("values");
        let cluster = ClusterSettings::of(&settings, "guestbook", Duration::ZERO);
        // As a person reads it.
        Ok(cluster.map_err(|error| format!("{:#}", anyhow::Error::from(error)))?.expect("a cluster"))
    }

    fn findings(replicas: u32, replica_lag_max: Option<u64>) -> Findings {
        Findings {
            version: "7.0.15".to_owned(),
            eviction_policy: None,
            memory_bytes_max: 0,
            append_only: true,
            append_works: true,
            append_fsync: None,
            replicas,
            needs_replicas: true,
            replica_lag_max: replica_lag_max.map(Duration::from_secs),
            round_trip: Duration::ZERO,
            clock_ahead_ms: 0,
        }
    }

    #[test]
    fn the_defaults_are_those_that_were_simulated() {
        let cluster = of(&[]).expect("fits");
        assert_eq!(cluster.redis.namespace.to_string(), "guestbook");
        let simulated = core::Settings { key_queue_max: 65, ..core::Settings::default() };
        let core = cluster.core(&findings(0, None));
        assert_eq!(format!("{core:?}"), format!("{simulated:?}"));
        let stored =
            RedisSettings::new("redis://host".parse().expect("a URL"), cluster.redis.namespace.clone());
        assert_eq!(format!("{:?}", cluster.redis), format!("{stored:?}"));
    }

    #[test]
    fn times_follow_from_those_that_are_given() {
        let times = [("call_renew", "80ms"), ("call_hold", "240ms"), ("call_fence", "300ms")];
        let texts = [&times[..], &[("call_command_timeout", "60ms")]].concat();
        let core = of(&texts).expect("fits").core(&findings(0, None));
        let ms = Duration::from_millis;
        assert_eq!((core.poll_gap, core.block), (ms(200), ms(160)));
        assert_eq!((core.failover_hold, core.transfer_gone, core.reply_keep), (ms(330), ms(500), ms(150)));
    }

    #[test]
    fn replicas_prolong_the_hold_unless_it_is_given() {
        let hold =
            |texts: &[(&str, &str)], lag| of(texts).expect("fits").core(&findings(1, lag)).failover_hold;
        let ms = Duration::from_millis;
        assert_eq!(hold(&[], None), ms(6300));
        assert_eq!(hold(&[], Some(1)), ms(6300));
        assert_eq!(hold(&[], Some(10)), ms(14_300));
        assert_eq!(hold(&[("call_failover_hold", "4s")], Some(10)), ms(4000));
    }

    #[test]
    fn keys_outlive_the_longest_call() {
        let cluster = of(&[("call_timeout", "2h")]).expect("fits");
        assert!(cluster.redis.keys_ttl > Duration::from_hours(4));
    }

    #[test]
    fn what_does_not_fit_is_refused_by_the_name_of_its_setting() {
        for (texts, message) in [
            (&[("redis", "redes://u:s3cret@host")][..], "setting redis: the Redis URL begins with none of"),
            (&[("redis", "redis://u:s3cret@ho st")], "setting redis: the Redis URL has a wrong address"),
            (&[("namespace", "a b")], "setting namespace: \"a b\" is no namespace"),
            (&[("call_renew", "0s")], "setting call_renew: it is 0"),
            (&[("call_renew", "2400ms")], "setting call_renew: 2.4s is not less than call_hold, 2.4s"),
            (&[("call_hold", "2401ms")], "setting call_fence: 3s is less than 3.00125s"),
            (&[("call_command_timeout", "0s")], "setting call_command_timeout: it is 0"),
            (
                &[("call_command_timeout", "3s")],
                "setting call_command_timeout: 3s is not less than call_hold",
            ),
            (&[("call_failover_hold", "3s")], "setting call_failover_hold: 3s is less than 3.3s"),
            (&[("call_permits_max", "0")], "setting call_permits_max: it is 0"),
            (&[("call_attempts_max", "0")], "setting call_attempts_max: it is 0"),
            (&[("inbox_frames_max", "0")], "setting inbox_frames_max: it is 0"),
        ] {
            let error = of(texts).expect_err(message);
            assert!(error.starts_with(message), "{error}");
            let reason = message.split_once(": ").expect("says why").1;
            assert_eq!(error.matches(reason).count(), 1, "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_manual_lists_the_settings_of_a_cluster() {
        let manual = include_str!("../../../docs/OPERATIONS.md");
        let table = manual.split("| setting of a cluster |").nth(1).expect("the table of the settings");
        let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| `"));
        let told = rows.map(|row| {
            let mut cells = row.split(" | ").map(|cell| cell.trim_matches('`'));
            (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
        });
        let ours = |name: &str| {
            (name.starts_with("call_") && name != "call_timeout")
                || (name.starts_with("cache_") && name != "cache_debug_header")
                || ["redis", "namespace", "inbox_frames_max", "ship_bytes_max"].contains(&name)
        };
        let known = Settings::TABLE.iter().filter(|setting| ours(setting.name));
        let known = known
            .map(|setting| (setting.name, if setting.default.is_empty() { "none" } else { setting.default }));
        assert_eq!(told.collect::<Vec<_>>(), known.collect::<Vec<_>>());
    }

    #[test]
    fn a_node_without_redis_is_alone_whatever_else_is_set() {
        let texts = [("call_renew".to_owned(), "0s".to_owned())];
        let settings = Sources::of_test(texts).expect("values");
        assert!(
            ClusterSettings::of(&settings, "guestbook", Duration::ZERO)
                .is_ok_and(|cluster| cluster.is_none())
        );
    }

    #[test]
    fn the_password_is_not_printed() {
        assert!(!format!("{:?}", of(&[]).expect("fits")).contains("s3cret"));
    }
}
