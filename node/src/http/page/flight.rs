//! Renders that others may use, too.

use std::sync::Arc;

use actix_web::HttpRequest;
use callboard_cluster::cache::{Arrived, flight_table::Arrival};
use callboard_protocol::revalidation::LogPosition;
use tokio::sync::oneshot;

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
    if let Arrival::Render(birth) = arrival {
        // Spawned: others wait for it, whatever becomes of this request.
        actix::spawn(fly(source, key, birth));
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
    let Some(source) = Source::of(request, node) else { return entry.end_refresh() };
    let (key, entry) = (key.to_key(), Arc::clone(entry));
    actix::spawn(async move {
        let node = Arc::clone(&source.node);
        if let Flown::Private = shared(source, key.clone(), arrived).await {
            // It became somebody's own: nobody gets the old one any more.
            node.cache.forget(key.as_ref());
        }
        entry.end_refresh();
    });
}

/// Renders until nobody waits.
async fn fly(source: Source, key: PageKey, mut birth: LogPosition) {
    let node = &source.node;
    loop {
        let render = source.render(birth, None).await;
        let tags = render.made_of.all_tags();
        let flown = match render.page {
            _ if render.private => Flown::Private,
            Ok(body) => Flown::Page(source.keep(key.clone(), body, render.made_of)),
            // "Not found" may be stale, too: it is shared by the same rule, and kept nowhere.
            Err(error) => Flown::Failed(Arc::new(error)),
        };
        if matches!(flown, Flown::Private) {
            source.register_private();
            for waiting in node.cache.flights().disband(&key) {
                drop(waiting.send(Flown::Private));
            }
            return;
        }
        let landing = node.cache.flights().land(&key, &tags, &node.versions);
        for waiting in landing.served {
            // A request that went away is owed nothing.
            drop(waiting.send(flown.clone()));
        }
        match landing.again {
            Some(next) => birth = next,
            None => return,
        }
    }
}
