//! The start of a node's membership: of a cluster, or of the one that it is alone.

use std::{sync::Arc, time::Duration};

use actix::{Actor as _, Addr, Arbiter};
use anyhow::Context as _;
use callboard_cluster::{
    core::{Core, Settings as CoreSettings},
    memory::Store,
    mutant::Mutants,
    placement::lined_action,
    redis,
    store::Profile,
};
use callboard_protocol::{
    KeyRing,
    envelope::Namespace,
    identity::{Incarnation, ProcessId},
};

use crate::{
    actors::{Links, Membership, SharedStore, SlotWorker, Standing},
    build_id::BuildId,
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
}

impl Member<'_> {
    /// Starts the membership on a thread of its own. It does nothing before it knows the node.
    pub(super) fn start(&self) -> anyhow::Result<Addr<Membership>> {
        let process = ProcessId::from_u128(rand::random());
        let name = self.settings.namespace.as_deref().unwrap_or(self.application);
        let (settings, store) = match &self.settings.redis {
            None => (alone(self.settings), StoreKind::Memory),
            Some(url) => (clustered(self.settings), StoreKind::Redis(redis_settings(url, name)?)),
        };
        let namespace = Namespace::named(name);
        let core = Core::new(process, namespace, self.profile(), Arc::new(settings), mutants());
        let (standing, limits) = (Arc::clone(self.standing), self.settings.clone());
        Ok(Membership::start_in_arbiter(&Arbiter::new().handle(), move |_| {
            Membership::new(core, store.open(), standing, &limits)
        }))
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

/// Which store a membership opens on its own thread.
enum StoreKind {
    Memory,
    Redis(Arc<redis::Settings>),
}

impl StoreKind {
    fn open(self) -> SharedStore {
        match self {
            Self::Memory => {
                let store = Store::new(Incarnation::named("memory"), usize::MAX, Mutants::default());
                SharedStore::Memory(Box::new(store))
            }
            Self::Redis(settings) => SharedStore::Redis(Links::new(settings)),
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

fn clustered(settings: &Settings) -> CoreSettings {
    CoreSettings {
        renew: settings.call_renew,
        hold: settings.call_hold,
        fence: settings.call_fence,
        poll_gap: settings.call_renew * 5 / 2,
        command_timeout: settings.call_command_timeout,
        block: settings.call_renew * 2,
        failover_hold: settings.call_failover_hold.unwrap_or(settings.call_fence * 11 / 10),
        permits_max: settings.call_permits_max,
        key_queue_max: settings.key_queue_max.saturating_add(1),
        attempts_max: settings.call_attempts_max as u32,
        ..CoreSettings::default()
    }
}

fn redis_settings(url: &str, name: &str) -> anyhow::Result<Arc<redis::Settings>> {
    let url = url.parse().context("setting redis")?;
    let namespace = name.parse().context("setting namespace")?;
    Ok(Arc::new(redis::Settings::new(url, namespace)))
}

/// The rule that is left out: none, but in a build for the tests that must notice the lack of it.
#[cfg(feature = "mutants")]
fn mutants() -> Mutants {
    use callboard_cluster::mutant::Mutant;

    let Ok(name) = std::env::var(crate::settings::TEST_MUTANT) else { return Mutants::NONE };
    let mutant = Mutant::ALL.iter().find(|mutant| mutant.id() == name || format!("{mutant:?}") == name);
    let mutant = mutant.unwrap_or_else(|| panic!("there is no mutant {name:?}"));
    tracing::error!(%name, about = mutant.about(), "a rule is left out: this is a test");
    Mutants::only(*mutant)
}

#[cfg(not(feature = "mutants"))]
fn mutants() -> Mutants {
    Mutants::NONE
}
