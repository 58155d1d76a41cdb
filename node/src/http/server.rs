//! The two HTTP servers of a node: one for the public, one for whoever runs it.

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    rc::Rc,
    sync::Arc,
};

use actix::Actor as _;
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    http::Method,
    middleware::from_fn,
    web,
};
use anyhow::{Context as _, bail};

use super::{action, admin, page};
use crate::{
    actors::{Frontend, SlotWorker},
    node::Node,
    settings::Settings,
};

/// Both servers, bound and not yet running.
pub(crate) struct Servers {
    pub(crate) public: Server,
    pub(crate) public_address: SocketAddr,
    pub(crate) admin: Server,
    pub(crate) admin_address: SocketAddr,
}

impl Servers {
    /// Binds both addresses.
    ///
    /// # Errors
    ///
    /// If an address is taken or is none; the message says which and which setting it comes from.
    pub(crate) fn bind(node: &Arc<Node>) -> anyhow::Result<Self> {
        let settings = &node.settings;
        keep_strangers_out(settings)?;
        let workers = match settings.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let public = HttpServer::new({
            let node = Arc::clone(node);
            move || {
                // Once per HTTP worker thread, in that thread: its own front end and worker.
                let worker = SlotWorker::new(node.settings.inbox_calls_max).start();
                let frontend = Rc::new(Frontend::new(Arc::clone(&node), worker));
                App::new().app_data(frontend).default_service(web::to(answer))
            }
        })
        .workers(workers)
        .max_connections(settings.connections_max)
        .keep_alive(settings.keep_alive)
        .client_request_timeout(settings.headers_timeout)
        // Else a client that goes away is not noticed before its answer is written, and its call never cancelled.
        .h1_allow_half_closed(false)
        .shutdown_timeout(settings.drain_timeout.as_secs().max(1))
        .disable_signals()
        .bind(&settings.listen)
        .with_context(|| format!("cannot listen on {} (setting listen)", settings.listen))?;
        let admin = HttpServer::new({
            let node = Arc::clone(node);
            move || {
                App::new().app_data(Arc::clone(&node)).wrap(from_fn(admin::let_in)).configure(admin::routes)
            }
        })
        .workers(1)
        .disable_signals()
        .bind(&settings.admin)
        .with_context(|| format!("cannot listen on {} (setting admin)", settings.admin))?;
        Ok(Self {
            public_address: first(&public.addrs())?,
            public: public.run(),
            admin_address: first(&admin.addrs())?,
            admin: admin.run(),
        })
    }

    /// What stops them.
    pub(crate) fn handles(&self) -> (ServerHandle, ServerHandle) {
        (self.public.handle(), self.admin.handle())
    }
}

/// Whoever reaches the admin port sees what the application does, and much of what is in it.
fn keep_strangers_out(settings: &Settings) -> anyhow::Result<()> {
    if settings.admin_token.is_some() || settings.admin_insecure {
        return Ok(());
    }
    // What is no address is told where it is bound.
    let addresses = settings.admin.to_socket_addrs().into_iter().flatten();
    if let Some(address) = addresses.into_iter().find(|address| !address.ip().is_loopback()) {
        bail!(
            "setting admin: {address} can be reached from other machines, and admin_token is not set: set it, use a \
             loopback address, or set admin_insecure where a network keeps strangers from it"
        );
    }
    Ok(())
}

fn first(addresses: &[SocketAddr]) -> anyhow::Result<SocketAddr> {
    addresses.first().copied().context("the server is bound to no address")
}

async fn answer(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let frontend =
        Rc::clone(request.app_data::<Rc<Frontend>>().expect("every worker thread has a front end"));
    match *request.method() {
        // Boxed, so that a page from the cache does not pay for the room that a call needs.
        Method::POST => Box::pin(action::post(request, payload, frontend)).await,
        Method::GET | Method::HEAD => page::get(request, frontend).await,
        _ => page::method_not_allowed(&frontend.node),
    }
}
