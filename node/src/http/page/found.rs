//! What of the render cache may be served to a request.

use std::sync::Arc;

use actix_web::HttpRequest;
use callboard_cluster::{cache::Arrived, clock::Instant};
use callboard_protocol::revalidation::LogPosition;

use crate::{
    actors::CatchUp,
    clock,
    metrics::Miss,
    node::Node,
    render_cache::{Entry, PageKeyRef, Verdict},
    session,
};

/// A request for a page, as it arrived.
#[derive(Clone, Copy)]
pub(in crate::http) struct Asked {
    pub(in crate::http) now: Instant,
    /// Without a lease also where the client saw what this node has not: it is served nothing that is kept, neither pages
    /// nor parts of them.
    pub(in crate::http) arrived: Arrived,
    /// Whether the node has no lease.
    pub(in crate::http) fenced: bool,
    /// Whether the client saw what this node has not, with a lease or without.
    pub(in crate::http) ahead: bool,
}

impl Asked {
    /// Of a request that has arrived.
    pub(super) async fn of(request: &HttpRequest, node: &Node) -> Self {
        Self::after(request, None, node).await
    }

    /// Of a request whose client saw, besides what it says, what stands in the log at `own`.
    pub(super) async fn after(request: &HttpRequest, own: Option<LogPosition>, node: &Node) -> Self {
        let asked = Self::at(node, clock::core_now());
        let is_new = |position| !node.versions.has_applied(asked.arrived, position);
        let mut seen = session::seen(request, &node.keys, is_new);
        seen.extend(own.filter(|position| is_new(*position)));
        if seen.is_empty() {
            return asked;
        }
        Box::pin(asked.having_seen(&seen, node)).await
    }

    pub(in crate::http) fn at(node: &Node, now: Instant) -> Self {
        let arrived = node.versions.arrive(now);
        Self { now, arrived, fenced: !arrived.leased, ahead: false }
    }

    /// Waits a little for what the client saw. Some of it may be of a log that is lost: then there is nothing to wait for,
    /// and the page is rendered, of nothing that is kept, which is always right.
    pub(super) async fn having_seen(self, seen: &[LogPosition], node: &Node) -> Self {
        if let Some(last) = seen.iter().max() {
            // Late or not: what is applied by now is asked below.
            let _late = tokio::time::timeout(session::PATIENCE, node.revalidator.send(CatchUp(*last))).await;
        }
        let asked = Self::at(node, clock::core_now());
        if seen.iter().all(|position| node.versions.has_applied(asked.arrived, *position)) {
            return asked;
        }
        Self { arrived: Arrived { leased: false, ..asked.arrived }, ahead: true, ..asked }
    }
}

/// What there is for a request.
pub(super) enum Lookup {
    /// A page to be served.
    Fresh(Arc<Entry>),
    /// A page to be served while a new one is made.
    Stale(Arc<Entry>),
    /// Nothing that may be served.
    Nothing,
}

/// What there is for a request.
pub(super) fn look_up(node: &Node, key: PageKeyRef<'_>, asked: Asked) -> Lookup {
    let nothing = |why| {
        node.metrics.tally.miss(why);
        Lookup::Nothing
    };
    if !asked.arrived.leased {
        return nothing(Miss::Fenced);
    }
    let Some(entry) = node.cache.page(key) else { return nothing(Miss::Absent) };
    match entry.verdict(asked.arrived, &node.versions, asked.now) {
        Verdict::Fresh => Lookup::Fresh(entry),
        Verdict::Stale => Lookup::Stale(entry),
        Verdict::Expired => nothing(Miss::Expired),
        Verdict::Dead => nothing(Miss::Dead),
    }
}

/// A page for a request to a node without a lease, which serves what it knows of no revalidation of. Not for a client that
/// knows of one.
pub(super) fn known(node: &Node, key: PageKeyRef<'_>, asked: Asked) -> Option<Arc<Entry>> {
    let entry = node.cache.page(key)?;
    let verdict = entry.verdict(asked.arrived, &node.versions, asked.now);
    matches!(verdict, Verdict::Fresh | Verdict::Stale).then_some(entry)
}

/// A page in place of one that failed. A request that may be served nothing that is kept gets none, nor does anybody get
/// one of which something was revalidated by now.
pub(super) fn spare(node: &Node, key: PageKeyRef<'_>, asked: Asked) -> Option<Arc<Entry>> {
    let now = Asked::at(node, clock::core_now());
    if !asked.arrived.leased || !now.arrived.leased {
        return None;
    }
    let entry = node.cache.page(key)?;
    let is_dead = entry.verdict(now.arrived, &node.versions, now.now) == Verdict::Dead;
    (!is_dead && now.now < entry.lifetime.error_until).then_some(entry)
}
