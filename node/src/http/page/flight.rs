//! Renders that others may use, too.

use std::sync::Arc;

use actix_web::HttpRequest;
use callboard_cluster::cache::{
    Arrived,
    flight_table::{Arrival, Takeoff},
};
use tokio::sync::oneshot;
use tracing::warn;

use super::source::Source;
use crate::{
    PageError,
    node::Node,
    render_cache::{Entry, Flown, PageKey, PageKeyRef},
};

/// A render that others may use, too: one runs per key, and at most one more waits.
pub(super) async fn shared(source: Source, key: PageKey, arrived: Arrived) -> Flown {
    let (sender, flown) = oneshot::channel();
    let node = Arc::clone(&source.node);
    // The position is read after the request arrived and before anything is rendered.
    let arrival = node.cache.flights().arrive(&key, arrived, node.versions.applied(), sender);
    match arrival {
        // Spawned: others wait for it, whatever becomes of this request.
        Arrival::Render(takeoff) => {
            drop(actix::spawn(fly(source, Flying { node, key, has_ended: false }, takeoff)));
        }
        Arrival::Wait => node.metrics.tally.coalesced(),
    }
    flown.await.unwrap_or_else(|_| Flown::Failed(Arc::new(PageError::Failed("the render was lost".into()))))
}

/// Makes a new page in the background, in place of one that is still served meanwhile. Call it where
/// [`Entry::begin_refresh`] said so.
pub(super) fn refresh(
    request: &HttpRequest,
    node: &Arc<Node>,
    key: PageKeyRef<'_>,
    entry: &Arc<Entry>,
    arrived: Arrived,
) {
    let refreshing = Refreshing(Arc::clone(entry));
    let Some(source) = Source::of(request, node) else { return };
    let key = key.to_key();
    actix::spawn(async move {
        let _refreshing = refreshing;
        // Whatever it comes to is kept, or says so in the log.
        shared(source, key, arrived).await;
    });
}

/// A new page that is being made in place of one that is stale: until it is dropped, nobody else makes it.
struct Refreshing(Arc<Entry>);

impl Drop for Refreshing {
    fn drop(&mut self) {
        self.0.end_refresh();
    }
}

/// A render that others wait for. If it is lost, by a panic or with its thread, they are told, and the next who asks for
/// its page begins another.
struct Flying {
    node: Arc<Node>,
    key: PageKey,
    /// Whether the key is another's by now, or nobody's.
    has_ended: bool,
}

impl Flying {
    /// Whether it is over before it begins, as nobody waits for it any more.
    fn is_abandoned(&mut self) -> bool {
        self.has_ended = self.node.cache.flights().abandon(&self.key, oneshot::Sender::is_closed);
        self.has_ended
    }

    /// It comes to nothing that can be shared: everybody is told.
    fn disband(mut self, flown: &Flown) {
        // Bound first: nobody is woken while the table is locked.
        let waiting = self.node.cache.flights().disband(&self.key);
        self.has_ended = true;
        for waiting in waiting {
            // A request that went away is owed nothing.
            drop(waiting.send(flown.clone()));
        }
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        warn!(path = &*self.key.path, "a render was lost");
        let waiting = self.node.cache.flights().disband(&self.key);
        drop(waiting);
    }
}

/// Renders until nobody waits.
async fn fly(source: Source, mut flying: Flying, mut takeoff: Takeoff) {
    let node = &source.node;
    loop {
        let Ok(place) = node.renders.begin().await else { return flying.disband(&Flown::Crowded) };
        if flying.is_abandoned() {
            return;
        }
        let mut render = source.render(place, takeoff, None).await;
        if render.private {
            source.register_private();
            // It became somebody's own: nobody gets an old one any more.
            node.cache.forget(flying.key.as_ref());
            return flying.disband(&Flown::Private);
        }
        let tags = std::mem::take(&mut render.made_of.all_tags);
        let flown = match render.page {
            Ok(page) => Flown::Page(source.keep(flying.key.as_ref(), page, render.made_of)),
            // "Not found" may be stale, too: it is shared by the same rule, and kept nowhere.
            Err(error) => Flown::Failed(Arc::new(error)),
        };
        let landing = node.cache.flights().land(&flying.key, &tags, &node.versions);
        flying.has_ended = landing.again.is_none();
        for waiting in landing.served {
            drop(waiting.send(flown.clone()));
        }
        match landing.again {
            Some(next) => takeoff = next,
            None => return,
        }
    }
}
