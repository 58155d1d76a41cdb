//! The start of a node's membership: of a cluster, or of the one that it is alone.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use actix::{Actor as _, Addr, Arbiter};
use callboard_cluster::{
    cache::{self, Versions},
    core::{Core, Settings as CoreSettings},
    memory::Store,
    mutant::Mutants,
    placement::lined_action,
    redis::{self, CacheStore},
    store::Profile,
};
use callboard_protocol::{
    KeyRing,
    envelope::Namespace,
    identity::{Incarnation, ProcessId},
    revalidation::{Epoch, LogPosition, Tag},
};

use super::App;
use crate::{
    actors::{
        CacheLinks, CatchUp, Links, Membership, Revalidator, SharedLog, SharedStore, SlotWorker, Standing,
    },
    build_id::BuildId,
    clock,
    doctor::{self, Presence},
    keys::{Keys, Purpose, shared::Remembered},
    metrics::Metrics,
    registry::{Class, Registry},
    settings::Settings,
};

/// What a node needs to be a member.
pub(super) struct Member<'a> {
    pub(super) application: &'a str,
    pub(super) settings: &'a Settings,
    pub(super) build: BuildId,
    pub(super) registry: &'a Registry,
    pub(super) keys: &'a KeyRing,
    pub(super) standing: &'a Arc<Standing>,
    pub(super) metrics: &'a Arc<Metrics>,
    /// Of a node that is one of several.
    pub(super) cluster: Option<Clustered>,
}

/// What the membership of a cluster is made with.
pub(super) struct Clustered {
    pub(super) redis: Arc<redis::Settings>,
    pub(super) core: CoreSettings,
    /// What is put back into a Redis that lost it.
    pub(super) remembered: Option<Remembered>,
}

/// The keys of a node, and its cluster if it is one of several: where no key ring is configured, the nodes of a cluster
/// share one in their Redis.
pub(super) async fn keys(
    app: &App,
    settings: &Settings,
    state_dir: &Path,
    build: BuildId,
) -> anyhow::Result<(Keys, Option<Clustered>)> {
    let Some(cluster) = super::commands::cluster(app, settings)? else {
        return Ok((Keys::load(app.name, settings, state_dir, build, Purpose::Serve)?, None));
    };
    let (keys, remembered, presence) = match Keys::configured(app.name, settings)? {
        Some(keys) => (keys, None, Presence::Hoped),
        None => {
            let (keys, remembered) =
                Keys::load_shared(&cluster.redis, settings, build, Purpose::Serve).await?;
            (keys, Some(remembered), Presence::Needed)
        }
    };
    let core = doctor::look_at_start(&cluster, presence).await?;
    Ok((keys, Some(Clustered { redis: cluster.redis, core, remembered })))
}

impl Member<'_> {
    /// Starts the membership on a thread of its own. It does nothing before it knows the node.
    pub(super) fn start(self) -> Addr<Membership> {
        let process = ProcessId::from_u128(rand::random());
        let name = self.settings.namespace.as_deref().unwrap_or(self.application);
        let (namespace, profile) = (Namespace::named(name), self.profile());
        let standing = Arc::clone(self.standing);
        let (mailbox_max, metrics) = (self.settings.inbox_calls_max, Arc::clone(self.metrics));
        let (settings, redis) = match self.cluster {
            None => (alone(self.settings), None),
            Some(Clustered { redis, core, remembered }) => (core, Some((redis, remembered))),
        };
        let core = Core::new(process, namespace, profile, Arc::new(settings), mutants());
        Membership::start_in_arbiter(&Arbiter::new().handle(), move |_| {
            let store = match redis {
                None => SharedStore::Memory(Box::new(Store::new(
                    Incarnation::named("memory"),
                    usize::MAX,
                    Mutants::default(),
                ))),
                Some((redis, remembered)) => SharedStore::Redis(Links::new(redis, remembered, metrics)),
            };
            Membership::new(core, store, standing, mailbox_max)
        })
    }

    /// What others are told of this node.
    fn profile(&self) -> Profile {
        let lined = self.registry.actions().filter(|action| !matches!(action.entry.class, Class::Plain));
        Profile {
            build: self.build.as_u128(),
            lined: lined.map(|action| lined_action(&action.id)).collect(),
            keys: self
                .keys
                .fingerprints()
                .map(|(id, fingerprint)| (id.as_u8(), fingerprint.as_u64()))
                .collect(),
        }
    }
}

/// Workers on arbiters of their own, one per core, for the calls that the membership places here.
pub(super) fn start_slot_workers(settings: &Settings) -> Vec<Addr<SlotWorker>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mailbox_max = settings.inbox_calls_max;
    let start =
        |_| SlotWorker::start_in_arbiter(&Arbiter::new().handle(), move |_| SlotWorker::new(mailbox_max));
    (0..workers).map(start).collect()
}

/// The node's copy of the log of revalidations: of its cluster's, or of its own. Gives what readers need of it, too.
pub(super) async fn start_revalidator(
    settings: &Settings,
    registry: &Registry,
    redis: Option<Arc<redis::Settings>>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Addr<Revalidator>, Arc<Versions>)> {
    let process = ProcessId::from_u128(rand::random());
    let declared = registry.actions().flat_map(|action| action.entry.revalidates);
    let declared: BTreeSet<Tag> = declared.map(|tag| Tag::named(tag)).collect();
    let core =
        cache::Core::new(process, declared.into_iter().collect(), Arc::new(settings.cache()?), mutants());
    let log = match redis {
        // Positions go on growing: browsers may hold one of an earlier run.
        None => SharedLog::Memory(Box::new(
            cache::memory::Store::new(mutants()).after(Epoch::at(clock::unix_ms())),
        )),
        Some(redis) => SharedLog::Redis(CacheLinks::new(CacheStore::new(redis), Arc::clone(metrics))),
    };
    let versions = Arc::clone(core.versions());
    let revalidator = Revalidator::new(core, log, settings.publish_timeout).start();
    // Once it answers it has begun, and a node that is alone has its lease.
    revalidator.send(CatchUp(LogPosition::default())).await?;
    Ok((revalidator, versions))
}

/// Nobody else sees the store of a node that is alone, so nothing there gets old.
fn alone(settings: &Settings) -> CoreSettings {
    const FOR_EVER: Duration = Duration::from_hours(24 * 365 * 10);
    CoreSettings {
        renew: FOR_EVER,
        hold: FOR_EVER,
        fence: FOR_EVER,
        poll_gap: FOR_EVER,
        command_timeout: FOR_EVER,
        block: FOR_EVER,
        failover_hold: Duration::ZERO,
        permits_max: usize::MAX,
        // The one that runs stands in its line, too.
        key_queue_max: settings.key_queue_max.saturating_add(1),
        ..CoreSettings::default()
    }
}

/// The rule that is left out: none, but in a build for the tests that must notice the lack of it.
#[cfg(feature = "mutants")]
fn mutants() -> Mutants {
    use callboard_cluster::mutant::Mutant;

    let Ok(name) = std::env::var(crate::settings::TEST_MUTANT) else { return Mutants::NONE };
    let mutant = Mutant::all().find(|mutant| mutant.id() == name || format!("{mutant:?}") == name);
    let mutant = mutant.unwrap_or_else(|| panic!("there is no mutant {name:?}"));
    tracing::error!(%name, about = mutant.about(), "a rule is left out: this is a test");
    Mutants::only(mutant)
}

#[cfg(not(feature = "mutants"))]
fn mutants() -> Mutants {
    Mutants::NONE
}
