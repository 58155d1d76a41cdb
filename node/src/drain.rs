//! What a node that is to stop still waits for.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use crate::node::Node;

/// Counts a node's calls, and knows whether it takes more of them.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    begun: AtomicBool,
    gave_up_bodies: AtomicBool,
    /// Calls that were accepted and did not end, on all threads, whether somebody waits for them or not.
    in_flight: AtomicUsize,
    /// Those of them that are neither placed nor started, as something of them is still to come.
    arriving: AtomicUsize,
    /// Told whenever one of these becomes what a node that stops may wait for.
    changed: Notify,
}

impl Drain {
    /// No call is taken any more but those that were accepted before.
    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// How many calls did not end.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Returns once nothing of an accepted call is still to come. Meant for a node that accepts no more of them.
    pub(crate) async fn arrived(&self) {
        self.until(|drain| drain.arriving.load(Ordering::SeqCst) == 0).await;
    }

    /// Whoever reads a body now is told that it is not waited for.
    pub(crate) fn give_up_bodies(&self) {
        self.gave_up_bodies.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Returns once bodies are not waited for any more.
    pub(crate) async fn bodies_given_up(&self) {
        self.until(|drain| drain.gave_up_bodies.load(Ordering::SeqCst)).await;
    }

    /// Returns once no call runs. Meant for a node that starts no more of them.
    pub(crate) async fn idle(&self) {
        self.until(|drain| drain.in_flight() == 0).await;
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            // Made before it is looked: from here on nothing is missed.
            let changed = self.changed.notified();
            if is_so(self) {
                return;
            }
            changed.await;
        }
    }

    fn one_less(&self, of: &AtomicUsize) {
        if of.fetch_sub(1, Ordering::SeqCst) == 1 && self.has_begun() {
            self.changed.notify_waiters();
        }
    }
}

/// One accepted call, which a node that stops waits for.
pub(crate) struct InFlight {
    node: Arc<Node>,
    arrives: bool,
}

impl InFlight {
    /// A call that is all there.
    pub(crate) fn begin(node: &Arc<Node>) -> Self {
        node.drain.in_flight.fetch_add(1, Ordering::SeqCst);
        Self { node: Arc::clone(node), arrives: false }
    }

    /// A call of which something is still to come; or none at all, if the node takes no more. It counts from before that
    /// is looked at, so that a node that stops either refuses it or waits for it.
    pub(crate) fn accept(node: &Arc<Node>) -> Option<Self> {
        let mut accepted = Self::begin(node);
        accepted.arrives = true;
        node.drain.arriving.fetch_add(1, Ordering::SeqCst);
        (!node.is_draining()).then_some(accepted)
    }

    /// Nothing is to come any more: it has its place, and its node may see to it that it can leave.
    pub(crate) fn has_arrived(&mut self) {
        if std::mem::take(&mut self.arrives) {
            self.node.drain.one_less(&self.node.drain.arriving);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.has_arrived();
        self.node.drain.one_less(&self.node.drain.in_flight);
    }
}
