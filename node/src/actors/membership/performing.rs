//! What the core asks for, performed.

use std::{sync::Arc, time::Instant};

use actix::{ActorFutureExt as _, AsyncContext as _, Context, Handler, WrapFuture as _};
use callboard_cluster::{
    core::{Connection, Ended, Input, Output, Publication, PublicationId, RequestId, RunId, SessionState},
    store::{Command, Stream},
};
use callboard_protocol::{envelope::Answer, identity::RedisMillis, revalidation::Revalidation};
use tracing::{error, info, warn};

use super::{Leave, Membership, RunEnded, RunResult, SharedStore, Unreachable};
use crate::{
    actors::{Confirmation, Publish, Tell as _},
    clock,
    telemetry::Timeline,
};

impl Membership {
    pub(super) fn perform(&mut self, output: Output, context: &mut Context<Self>) {
        match output {
            Output::Connect(connection) => self.connect(connection),
            Output::Disconnect(connection) => {
                if let SharedStore::Redis(links) = &mut self.store {
                    links.close(connection);
                }
            }
            Output::Perform(request, connection, command) => self.ask(request, connection, command),
            Output::Start(start) => self.start(start, context),
            Output::CancelRun(run) => {
                if let Some(cancellation) = self.runs.get(&run) {
                    cancellation.cancel();
                }
            }
            Output::Answer(answered) => self.answer(&answered, context),
            Output::Publish(id, publication) => self.publish(id, publication, context),
            Output::Deliver(transfer, bytes, end) => self.deliver(transfer, bytes, end),
            Output::Room(transfer, chunks) => self.give_room(transfer, chunks, context),
            Output::Stopped(transfer) => self.stop_writer(transfer),
            Output::BadFrame(frame) => {
                let dropped = self.core.counters().bad_frames;
                warn!(%frame, dropped, "a frame from another node was dropped");
            }
            Output::Session(state) => self.session(state),
            Output::Refused(refusal) => error!(%refusal, "this node cannot be a member"),
        }
    }

    /// Whether it was told to leave, or has left.
    pub(super) fn leaves(&self) -> bool {
        !self.leaving.is_empty() || self.state == SessionState::Left
    }

    /// Whether there is no cluster.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self.store, SharedStore::Memory(_))
    }

    fn connect(&mut self, connection: Connection) {
        match &mut self.store {
            SharedStore::Memory(store) => {
                self.inputs.push(Input::Connected(connection, store.incarnation().clone()));
            }
            SharedStore::Redis(links) => links.open(connection),
        }
    }

    fn ask(&mut self, request: RequestId, connection: Connection, command: Command) {
        let carried = self.carried_by(&command);
        match &mut self.store {
            SharedStore::Memory(store) => {
                let time = RedisMillis::from_u64(clock::core_now().as_micros() / 1000);
                // A read that finds nothing waits for ever: nobody else writes there.
                if let Some(answer) = store.execute(time, &command) {
                    self.inputs.push(Input::Answered(request, Ok(answer)));
                }
            }
            SharedStore::Redis(links) => links.perform(request, connection, command, carried),
        }
    }

    /// What is remembered of the calls that a command takes to another node, where somebody is told.
    fn carried_by(&self, command: &Command) -> Vec<Arc<Timeline>> {
        let Command::Send { to, stream: Stream::Requests, .. } = command else { return Vec::new() };
        if !self.node.as_ref().is_some_and(|node| node.traces.are_sent()) {
            return Vec::new();
        }
        let waiting = self.core.calls_in_flight(*to).iter().filter_map(|call| self.calls.get(call));
        let calls = waiting.filter_map(|waiting| waiting.call.as_ref());
        calls.map(|call| Arc::clone(&call.info.timeline)).collect()
    }

    fn publish(&mut self, id: PublicationId, publication: Publication, context: &mut Context<Self>) {
        let Some(node) = &self.node else { return };
        let (revalidations, timeline) = match publication {
            Publication::Of(run) => self.revalidations.remove(&run).unwrap_or_default(),
            Publication::Declared(tags) => (tags.into_iter().map(Revalidation::of_tag).collect(), None),
        };
        if revalidations.is_empty() {
            return self.feed(Input::Published(id, None), context);
        }
        let (metrics, begun) = (Arc::clone(&node.metrics), Instant::now());
        let (publish, published) = Publish::new(revalidations);
        node.revalidator.tell(publish);
        context.spawn(published.into_actor(self).map(move |published, membership, context| {
            let Confirmation { published, placed } = published.unwrap_or(Confirmation::NONE);
            metrics.revalidated(published.is_confirmed(), begun.elapsed());
            if let Some(timeline) = &timeline {
                timeline.published(begun, placed);
            }
            membership.feed(Input::Published(id, published.position()), context);
        }));
    }

    fn session(&mut self, state: SessionState) {
        self.state = state;
        if state == SessionState::Left {
            for waiting in std::mem::take(&mut self.leaving) {
                let _gone = waiting.send(());
            }
        }
        if self.is_alone() {
            return;
        }
        if let (SessionState::Serving, SharedStore::Redis(links)) = (state, &self.store) {
            links.joined();
        }
        let members = self.core.view().map_or(0, |view| view.members.len());
        match state {
            SessionState::Serving => info!(members, "session: serving"),
            SessionState::Silent => {
                warn!("session: Redis is silent; nothing is started that others could run")
            }
            SessionState::Away => info!("session: not a member at the moment"),
            SessionState::Draining => info!("session: draining"),
            SessionState::Left => info!("session: left the cluster"),
        }
    }

    /// A run that the core allowed does not begin.
    pub(super) fn not_started(&mut self, run: RunId, answer: Answer, context: &mut Context<Self>) {
        self.feed(Input::Ended(run, Ended::NotStarted(answer)), context);
    }
}

impl Handler<RunEnded> for Membership {
    type Result = ();

    fn handle(&mut self, RunEnded { run, ended, result }: RunEnded, context: &mut Self::Context) {
        let RunResult { call, unstarted, revalidations, settled, full, room, timeline } = result;
        self.runs.remove(&run);
        if !revalidations.is_empty() {
            self.revalidations.insert(run, (revalidations, timeline));
        }
        if let Some((transfer, writer)) = room {
            self.writers.insert(transfer, writer);
        }
        if let Some(waiting) = self.waiting(call) {
            (waiting.settled, waiting.full) = (settled, full);
            if unstarted.is_some() {
                waiting.call = unstarted;
            }
        }
        self.feed(Input::Ended(run, ended), context);
    }
}

impl Handler<Unreachable> for Membership {
    type Result = ();

    fn handle(&mut self, Unreachable(reason): Unreachable, _: &mut Self::Context) {
        warn!(reason, "Redis cannot be reached; this is tried again and again");
    }
}

impl Handler<Leave> for Membership {
    type Result = ();

    fn handle(&mut self, Leave(left): Leave, context: &mut Self::Context) {
        if self.state == SessionState::Left {
            let _gone = left.send(());
            return;
        }
        self.leaving.push(left);
        self.feed(Input::Drain, context);
    }
}
