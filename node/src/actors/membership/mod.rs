//! This node's part in its cluster: the one actor that feeds the core and performs what it asks for.
//!
//! It decides nothing. A node that is alone has the same core over a store in memory.

mod calls;
mod messages;
mod performing;
mod reporting;
#[cfg(test)]
mod tests;
mod transfers;

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use actix::{Actor, Addr, AsyncContext as _, Context, Handler};
use callboard_cluster::{
    clock::Instant,
    core::{Core, Input, RunId, SessionState},
    memory::Store,
};
use callboard_protocol::{
    ActionId,
    action::CallId,
    envelope::TransferId,
    identity::{Boot, ViewVersion},
    revalidation::Revalidation,
};
use tracing::error;

use self::{calls::Waiting, messages::Flush, reporting::Counted, transfers::Reader};
pub(crate) use self::{
    messages::{Begin, Feed, Leave, RunEnded, RunResult, Submit, Unreachable},
    reporting::Report,
};
use super::{Links, SlotWorker, alarm::Alarm};
use crate::{call::Cancellation, clock, node::Node, telemetry::Timeline};

/// Drives the core.
pub(crate) struct Membership {
    core: Core,
    store: SharedStore,
    shared: Arc<Standing>,
    state: SessionState,
    /// What other threads were told last.
    told: Option<(SessionState, Option<ViewVersion>)>,
    mailbox_max: usize,
    node: Option<Arc<Node>>,
    workers: Vec<Addr<SlotWorker>>,
    next_worker: usize,
    /// What came and was not taken yet: a busy node takes what has piled up at once.
    inputs: Vec<Input>,
    flushing: bool,
    alarm: Alarm,
    calls: HashMap<CallId, Waiting>,
    runs: HashMap<RunId, Arc<Cancellation>>,
    /// What runs that ended asked for, until it is published.
    revalidations: HashMap<RunId, (Vec<Revalidation>, Option<Arc<Timeline>>)>,
    writers: HashMap<TransferId, transfers::Writer>,
    readers: HashMap<TransferId, Reader>,
    leaving: Vec<tokio::sync::oneshot::Sender<()>>,
    counted: Counted,
}

/// Where the store is.
pub(crate) enum SharedStore {
    /// In this process.
    Memory(Box<Store>),
    /// In Redis.
    Redis(Links),
}

/// What other threads may know of this node's membership.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Option<SessionState>,
    /// The session, and until when it may start calls.
    hold: Option<(Boot, Instant)>,
    /// Actions without a key whose first choice is another node.
    elsewhere: Arc<std::collections::HashSet<ActionId>>,
}

impl Standing {
    /// Whether the node is a member that serves.
    pub(crate) fn serves(&self) -> bool {
        self.read(|inner| inner.state == Some(SessionState::Serving))
    }

    /// Whether a call of this action, if it waits for no other, is for another node to run. As long as this one is no
    /// member that serves, it runs what arrives here: no copy of it is anywhere else.
    pub(crate) fn is_elsewhere(&self, action: &ActionId) -> bool {
        self.read(|inner| inner.state == Some(SessionState::Serving) && inner.elsewhere.contains(action))
    }

    /// Whether a run that was allowed in this session may start now.
    pub(crate) fn may_start(&self, boot: Boot, now: Instant) -> bool {
        self.read(|inner| inner.hold.is_some_and(|(current, until)| current == boot && now < until))
    }

    fn read<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        look(&self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Membership {
    pub(crate) fn new(core: Core, store: SharedStore, shared: Arc<Standing>, mailbox_max: usize) -> Self {
        Self {
            core,
            store,
            shared,
            state: SessionState::Away,
            told: None,
            mailbox_max,
            node: None,
            workers: Vec::new(),
            next_worker: 0,
            inputs: Vec::new(),
            flushing: false,
            alarm: Alarm::default(),
            calls: HashMap::new(),
            runs: HashMap::new(),
            revalidations: HashMap::new(),
            writers: HashMap::new(),
            readers: HashMap::new(),
            leaving: Vec::new(),
            counted: Counted::default(),
        }
    }

    /// Takes an input, together with those that wait already.
    fn feed(&mut self, input: Input, context: &mut Context<Self>) {
        self.inputs.push(input);
        if !self.flushing {
            self.flushing = true;
            context.notify(Flush);
        }
    }

    fn flush(&mut self, context: &mut Context<Self>) {
        // A store in memory answers at once, and that is more to take.
        while !self.inputs.is_empty() {
            let inputs = std::mem::take(&mut self.inputs);
            self.counted.turn(inputs.len());
            let stopped: Vec<TransferId> = inputs
                .iter()
                .filter_map(|input| if let Input::Stop(transfer) = input { Some(*transfer) } else { None })
                .collect();
            for output in self.core.step_all(clock::core_now(), inputs) {
                self.perform(output, context);
            }
            // Only now, as something may have come for them before the core heard that they stopped.
            for transfer in stopped {
                self.forget_reader(transfer);
            }
        }
        self.flushing = false;
        self.share();
        self.alarm.set(self.core.next_timer(), context, |membership, context| {
            membership.alarm.rang();
            membership.feed(Input::Tick, context);
        });
    }

    /// Tells other threads how this node stands.
    fn share(&mut self) {
        let hold = self.core.hold();
        if self.shared.read(|inner| inner.hold != hold) {
            self.shared.change(|inner| inner.hold = hold);
        }
        let seen = (self.state, self.core.view().map(|view| view.version));
        if self.told != Some(seen) {
            self.told = Some(seen);
            self.counted.slots(self.core.slot_owners(), self.core.boot());
            self.share_places();
        }
    }

    /// There is another session or view: who runs what may have changed.
    fn share_places(&self) {
        let elsewhere = self.node.as_ref().map_or_else(Default::default, |node| {
            let actions = node.registry.actions().map(|action| action.id);
            actions.filter(|action| self.core.is_elsewhere(action)).collect()
        });
        self.shared.change(|inner| {
            inner.state = Some(self.state);
            inner.elsewhere = Arc::new(elsewhere);
        });
    }
}

/// Without it this node is no member, whatever the last that others heard of it: it panicked, or the process ends.
impl Drop for Membership {
    fn drop(&mut self) {
        self.shared.change(|inner| *inner = Inner::default());
        if std::thread::panicking() {
            error!(
                "the membership of this node broke down: it is no member any more and has to be started again"
            );
        }
    }
}

impl Actor for Membership {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(self.mailbox_max);
        if let SharedStore::Redis(links) = &mut self.store {
            links.start(&context.address());
        }
    }
}

impl Handler<Begin> for Membership {
    type Result = ();

    fn handle(&mut self, Begin { node, workers }: Begin, context: &mut Self::Context) {
        (self.node, self.workers) = (Some(node), workers);
        self.feed(Input::Tick, context);
    }
}

impl Handler<Feed> for Membership {
    type Result = ();

    fn handle(&mut self, Feed(input): Feed, context: &mut Self::Context) {
        self.feed(input, context);
    }
}

impl Handler<Flush> for Membership {
    type Result = ();

    fn handle(&mut self, _: Flush, context: &mut Self::Context) {
        self.flush(context);
    }
}
