//! What every part of the process shares.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use callboard_cluster::cache::Versions;
use callboard_protocol::{KeyRing, multipart, origin::AllowedOrigins, reply};

use crate::{
    actors::{Membership, Revalidator, Standing},
    build_id::BuildId,
    drain::Drain,
    metrics::Metrics,
    registry::Registry,
    render_cache::RenderCache,
    renders::Renders,
    retained::Retained,
    settings::Settings,
    state::State,
    status::Kept,
    telemetry::Traces,
};

/// One node: fixed once it started, but for the counters.
pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) build: BuildId,
    /// Row 0 of every answer to a fetch call; it names the build.
    pub(crate) root_row: Vec<u8>,
    pub(crate) keys: KeyRing,
    pub(crate) registry: Registry,
    pub(crate) state: State,
    pub(crate) origins: AllowedOrigins,
    pub(crate) decode_limits: reply::Limits,
    pub(crate) multipart_limits: multipart::Limits,
    /// The largest form body that any action takes; which one it calls is known when it is read.
    pub(crate) form_bytes_max: usize,
    /// Where the temporary files of large uploads are made.
    pub(crate) spill_dir: PathBuf,
    pub(crate) versions: Arc<Versions>,
    pub(crate) cache: RenderCache,
    pub(crate) renders: Renders,
    /// Pages by pattern: whether the last render that was for everybody or for one alone was for one alone.
    pub(crate) private_pages: HashMap<&'static str, AtomicBool>,
    pub(crate) revalidator: actix::Addr<Revalidator>,
    pub(crate) membership: actix::Addr<Membership>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) traces: Arc<Traces>,
    /// What is kept for idempotency keys.
    pub(crate) retained: Retained,
    pub(crate) drain: Drain,
    pub(crate) status: Kept,
}

impl Node {
    /// Whether there may be other nodes.
    pub(crate) fn is_clustered(&self) -> bool {
        self.settings.redis.is_some()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.drain.has_begun()
    }
}
