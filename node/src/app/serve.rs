//! Starting, running and stopping a node. The order of both is on this screen.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Context as _;
use callboard_cluster::core::Input;
use callboard_protocol::{action::VALUE_ROW, flight, multipart, origin::AllowedOrigins, reply};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};
use tracing::{debug, info, warn};

use super::{App, Setup, Start, members};
use crate::{
    actors::{Begin, Feed, Leave, Retire, Standing, Tell as _},
    build_id::BuildId,
    drain::Drain,
    http::Servers,
    metrics::{self, Metrics},
    node::Node,
    registry::{ActionEntry, Registry},
    render_cache::RenderCache,
    renders::Renders,
    retained::Retained,
    settings::Settings,
    state::State,
    status::Kept,
    telemetry::{self, Traces},
};

/// Serves until a signal comes.
pub(super) fn run(app: App, settings: Settings) -> anyhow::Result<()> {
    actix::System::new().block_on(async {
        let node = start(app, settings).await?;
        let servers = Servers::bind(&node)?;
        println!("{}", announcement(&node, &servers));
        serve(node, servers, stop_signal()).await
    })
}

/// The first line on standard output; programs read it.
fn announcement(node: &Node, servers: &Servers) -> String {
    format!(
        "listening on http://{} admin http://{} build {} actions {}",
        servers.public_address,
        servers.admin_address,
        node.build,
        node.registry.actions().len()
    )
}

/// Everything but the sockets: identity, keys, registry, the application's state, actors.
pub(crate) async fn start(app: App, settings: Settings) -> anyhow::Result<Arc<Node>> {
    let build = BuildId::of_executable().context("cannot read this program's own file")?;
    let state_dir = state_dir(app.name, &settings)?;
    let spill_dir = spill_dir(&settings)?;
    let (keys, cluster) = members::keys(&app, &settings, &state_dir, build).await?;
    let (allowed, refused) = app.actions();
    log_actions(&allowed, &refused);
    let form_bytes_max = allowed.iter().filter_map(|entry| entry.body_bytes_max).max().unwrap_or(0);
    let pages = super::pages();
    let private_pages = pages.iter().map(|page| (page.pattern, AtomicBool::new(false))).collect();
    let registry = Registry::new(allowed, pages, &keys.salt, &keys.ring, settings.metrics_actions_max)?;
    let begun = Start { state_dir: state_dir.clone(), settings: settings.clone() };
    let state = installed(app.state, app.setups, &begun).await?;

    let standing = Arc::new(Standing::default());
    let resource = telemetry::resource(app.name, build);
    let metrics = Metrics::new(&settings, resource.clone(), registry.labels())?;
    let traces = Traces::start(&settings, &resource, &metrics)?;
    let redis = cluster.as_ref().map(|cluster| Arc::clone(&cluster.redis));
    let (revalidator, versions) = members::start_revalidator(&settings, &registry, redis, &metrics).await?;
    let member = members::Member {
        application: app.name,
        settings: &settings,
        build,
        registry: &registry,
        keys: &keys.ring,
        standing: &standing,
        metrics: &metrics,
        cluster,
    };
    let membership = member.start();
    info!(
        application = app.name,
        actions = registry.actions().len(),
        pages = registry.page_count(),
        "starting"
    );
    let node = Arc::new(Node {
        build,
        root_row: flight::action_root(&build.to_string(), VALUE_ROW).to_vec(),
        keys: keys.ring,
        registry,
        state,
        origins: AllowedOrigins::parse(settings.allowed_origins.iter().map(String::as_str))
            .context("setting allowed_origins")?,
        decode_limits: decode_limits(&settings),
        multipart_limits: multipart_limits(&settings),
        form_bytes_max: form_bytes_max.max(settings.body_bytes_max),
        spill_dir,
        revalidator,
        versions,
        cache: RenderCache::new(settings.render_cache_bytes_max),
        renders: Renders::new(&settings),
        private_pages,
        membership,
        standing,
        metrics,
        traces,
        retained: Retained::new(&settings),
        drain: Drain::default(),
        status: Kept::new(app.name),
        settings,
    });
    let workers = members::start_slot_workers(&node.settings);
    node.membership.tell(Begin { node: Arc::clone(&node), workers });
    serves_if_alone(&node).await?;
    metrics::observe(&node);
    actix::spawn(metrics::report_each_second(Arc::downgrade(&node)));
    Ok(node)
}

/// What the application gives to its functions, once its setups have run, in their order.
async fn installed(mut state: State, setups: Vec<Setup>, begun: &Start) -> anyhow::Result<State> {
    for setup in setups {
        let install = setup(begun.clone()).await.map_err(|error| anyhow::anyhow!(error))?;
        install(&mut state);
    }
    Ok(state)
}

/// Returns once a node that is alone is a member of its own cluster, which takes a few turns of its membership: a call that
/// came before would be turned away.
async fn serves_if_alone(node: &Node) -> anyhow::Result<()> {
    while !node.is_clustered() && !node.standing.serves() {
        node.membership.send(Feed(Input::Tick)).await.context("the membership ended before it began")?;
    }
    Ok(())
}

/// At start each action is named with its package, so that nobody publishes what he did not mean to.
fn log_actions(allowed: &[&'static ActionEntry], refused: &[&'static ActionEntry]) {
    for entry in allowed {
        let guard = entry.guard.as_ref().map_or("public", |guard| guard.name);
        debug!(action = entry.name, package = entry.krate, guard, "callable");
    }
    for entry in refused {
        let (action, package) = (entry.name, entry.krate);
        warn!(action, package, "not callable: name its package in App::allow_actions_from");
    }
}

fn multipart_limits(settings: &Settings) -> multipart::Limits {
    multipart::Limits { parts_max: settings.decode_parts_max, ..multipart::Limits::default() }
}

fn decode_limits(settings: &Settings) -> reply::Limits {
    reply::Limits {
        depth_max: settings.decode_depth_max,
        nodes_max: settings.decode_nodes_max,
        parts_max: settings.decode_parts_max,
        references_max: settings.decode_references_max,
        bytes_max: settings.decode_bytes_max,
        array_slots_max: settings.decode_array_slots_max as u64,
        bigint_chars_max: settings.decode_bigint_chars_max,
        bound_arguments_max: settings.decode_bound_arguments_max,
        arguments_max: settings.decode_arguments_max,
        work_max: settings.decode_work_max as u64,
        old_clients: settings.old_clients,
        temporary_references: true,
    }
}

/// Runs the servers until `stop`, then takes no more calls, sees the running ones through, and stops.
async fn serve(node: Arc<Node>, servers: Servers, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let (public, admin) = servers.handles();
    let public_server = actix::spawn(servers.public);
    let admin_server = actix::spawn(servers.admin);
    stop.await;
    info!("draining");
    node.drain.begin();
    let end = Instant::now() + node.settings.drain_timeout;
    let drained = timeout_at(end, drained(&node)).await;
    if drained.is_err() {
        warn!(calls = node.drain.in_flight(), "stopping although calls still run");
    }
    // Connections that are still being answered have the rest of the time, and no more.
    if timeout_at(end, public.stop(true)).await.is_err() {
        public.stop(false).await;
    }
    admin.stop(false).await;
    let (traces, metrics) = (Arc::clone(&node.traces), Arc::clone(&node.metrics));
    let told = tokio::task::spawn_blocking(move || {
        traces.shut_down();
        metrics.shut_down();
    });
    drop(told.await);
    public_server.await??;
    admin_server.await??;
    info!("stopped");
    Ok(())
}

/// Returns once no call runs. A member of a cluster hands over what has not started, and leaves.
async fn drained(node: &Node) {
    // A call whose body still arrives was accepted, and may need its line or another node: as long as it does, this one
    // stays a member. Half of the time is left for leaving.
    if timeout(node.settings.drain_timeout / 2, node.drain.arrived()).await.is_err() {
        info!("bodies that still arrive are not waited for any longer");
    }
    node.drain.give_up_bodies();
    if node.is_clustered() {
        let (leave, left) = oneshot::channel();
        node.membership.tell(Leave(leave));
        node.drain.idle().await;
        // Dropped only with the membership, and then there is nothing to wait for.
        drop(left.await);
        let (retire, retired) = oneshot::channel();
        node.revalidator.tell(Retire(retire));
        drop(retired.await);
    } else {
        node.drain.idle().await;
    }
}

/// SIGTERM, or Ctrl-C.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    match (terminate, interrupt) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        (terminate, interrupt) => {
            warn!(?terminate, ?interrupt, "signals cannot be watched; the node stops only when it is killed");
            std::future::pending().await
        }
    }
}

/// `--state-dir`, or the place that the XDG specification names for it.
pub(super) fn state_dir_path(application: &str, settings: &Settings) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &settings.state_dir {
        return Ok(folder.clone());
    }
    let absolute =
        |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    Ok(base.context("neither XDG_STATE_HOME nor HOME is set: pass --state-dir")?.join(application))
}

/// The same, created if it is missing.
pub(super) fn state_dir(application: &str, settings: &Settings) -> anyhow::Result<PathBuf> {
    let folder = state_dir_path(application, settings)?;
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create the state directory {}", folder.display()))?;
    Ok(folder)
}

/// `--spill-dir`, or the system's temporary folder; in which a file can be made, as it is for large uploads.
fn spill_dir(settings: &Settings) -> anyhow::Result<PathBuf> {
    let folder = settings.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
    tempfile::tempfile_in(&folder).with_context(|| {
        format!(
            "no temporary file can be made in {} (setting spill_dir): name a folder that exists and that this user \
             may write to",
            folder.display()
        )
    })?;
    Ok(folder)
}

/// A node that runs in a thread of this process, for an application's own tests.
pub struct Running {
    address: SocketAddr,
    admin: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<anyhow::Result<()>>>,
}

impl App {
    /// Starts the application in a thread of this process, on free ports, with settings as texts by name (as in a
    /// file). It stops when the answer is dropped.
    ///
    /// # Errors
    ///
    /// What `serve` would print.
    pub fn start(
        self,
        settings: &[(&str, &str)],
    ) -> Result<Running, Box<dyn std::error::Error + Send + Sync>> {
        let texts: HashMap<_, _> =
            settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let settings = crate::settings::Sources::of_test(texts)?;
        // Another node of this process may send spans.
        let logs = crate::telemetry::start(&settings, true)?;
        let (ready, started) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _logs = logs;
            actix::System::new().block_on(async {
                let begun = async {
                    let node = start(self, settings).await?;
                    let servers = Servers::bind(&node)?;
                    anyhow::Ok((node, servers))
                };
                let (node, servers) = match begun.await {
                    Ok(begun) => begun,
                    Err(error) => {
                        drop(ready.send(Err(anyhow::anyhow!("{error:#}"))));
                        return Ok(());
                    }
                };
                drop(ready.send(Ok((servers.public_address, servers.admin_address))));
                let stop = async {
                    // A dropped handle means stop, too.
                    drop(stopped.await);
                };
                serve(node, servers, stop).await
            })
        });
        let (address, admin) = started.recv()??;
        Ok(Running { address, admin, stop: Some(stop), thread: Some(thread) })
    }
}

impl Running {
    /// Where calls and pages are served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The admin port.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Begins what SIGTERM begins: running calls are seen through, others refused. Dropping waits for its end.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What went wrong while stopping was logged; a test has what it asked for.
            drop(thread.join());
        }
    }
}
