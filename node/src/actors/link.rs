//! The connections to Redis: one outbox for everything that answers at once, and two inboxes that wait for calls and for
//! answers. Each is an actor of its own, and none of them comes back by itself: the membership's core says when.

use std::{rc::Rc, sync::Arc, time::Instant};

use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, Message, WrapFuture as _,
};
use callboard_cluster::{
    core::{self, Input, RequestId},
    redis::{Connection, OpenError, Settings},
    store::{Answer, Command, Failure},
};
use callboard_protocol::identity::Incarnation;
use tokio::sync::{Mutex, watch};
use tracing::{error, info, warn};

use super::{Feed, Membership, Tell as _};
use crate::{
    keys::shared::Remembered,
    metrics::Metrics,
    telemetry::{Phase, Timeline},
};

/// The three links of a node.
pub(crate) struct Links {
    settings: Arc<Settings>,
    links: Vec<Addr<Link>>,
    remembered: Option<Rc<Mutex<Remembered>>>,
    metrics: Arc<Metrics>,
}

impl Links {
    /// `remembered` is what is put back where Redis lost it.
    pub(crate) fn new(
        settings: Arc<Settings>,
        remembered: Option<Remembered>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let remembered = remembered.map(|remembered| Rc::new(Mutex::new(remembered)));
        Self { settings, links: Vec::new(), remembered, metrics }
    }

    /// The node is a member: what Redis should know beside its membership, it knows again.
    pub(super) fn joined(&self) {
        let Some(remembered) = self.remembered.clone() else { return };
        let settings = Arc::clone(&self.settings);
        actix::spawn(async move {
            if let Err(error) = remembered.lock().await.put_back(&settings).await {
                error!(error = format!("{error:#}"), "the keys of this build cannot be put back into Redis");
            }
        });
    }

    /// Starts them, on this thread.
    pub(super) fn start(&mut self, membership: &Addr<Membership>) {
        let roles = [core::Connection::Commands, core::Connection::Requests, core::Connection::Replies];
        self.links = roles
            .map(|role| {
                let (settings, membership) = (Arc::clone(&self.settings), membership.clone());
                let metrics = Arc::clone(&self.metrics);
                Link { role, settings, membership, metrics, opening: 0, open: None }.start()
            })
            .into();
    }

    pub(super) fn open(&self, role: core::Connection) {
        self.links[role as usize].tell(Open);
    }

    pub(super) fn close(&self, role: core::Connection) {
        self.links[role as usize].tell(Close);
    }

    /// Asks. `carried` is what is remembered of the calls in it, if that is told to anybody.
    pub(super) fn perform(
        &self,
        request: RequestId,
        role: core::Connection,
        command: Command,
        carried: Vec<Arc<Timeline>>,
    ) {
        self.links[role as usize].tell(Perform { request, command, carried });
    }
}

/// One connection.
pub(super) struct Link {
    role: core::Connection,
    settings: Arc<Settings>,
    membership: Addr<Membership>,
    metrics: Arc<Metrics>,
    /// Which attempt at opening it is the current one.
    opening: u64,
    open: Option<Opened>,
}

struct Opened {
    connection: Rc<Connection>,
    /// Dropped with it: whoever waits for an answer waits no more.
    alive: watch::Sender<()>,
}

/// Connect, to a master only.
#[derive(Message)]
#[rtype(result = "()")]
struct Open;

/// Nothing of this connection is wanted any more.
#[derive(Message)]
#[rtype(result = "()")]
struct Close;

/// Ask the store.
#[derive(Message)]
#[rtype(result = "()")]
struct Perform {
    request: RequestId,
    command: Command,
    /// Of the calls that it carries.
    carried: Vec<Arc<Timeline>>,
}

impl Link {
    fn feed(&self, input: Input) {
        self.membership.tell(Feed(input));
    }

    fn opened(
        &mut self,
        opening: u64,
        opened: Result<(Connection, Incarnation), OpenError>,
        context: &mut Context<Self>,
    ) {
        if opening != self.opening {
            return;
        }
        match opened {
            Ok((connection, incarnation)) => {
                info!(link = ?self.role, "connected to Redis");
                let (connection, alive) = (Rc::new(connection), watch::Sender::new(()));
                let (watched, mut gone) = (Rc::clone(&connection), alive.subscribe());
                let closed = async move {
                    tokio::select! {
                        reason = watched.closed() => Some(reason),
                        _ = gone.changed() => None,
                    }
                };
                context.spawn(closed.into_actor(self).map(move |reason, link, _| {
                    let Some(reason) = reason.filter(|_| opening == link.opening) else { return };
                    warn!(link = ?link.role, reason, "the connection to Redis is lost");
                    link.open = None;
                    link.feed(Input::Disconnected(link.role));
                }));
                self.open = Some(Opened { connection, alive });
                self.feed(Input::Connected(self.role, incarnation));
            }
            Err(error) => {
                if self.role == core::Connection::Commands {
                    self.membership.tell(super::Unreachable(error.to_string()));
                }
                self.feed(Input::Disconnected(self.role));
            }
        }
    }
}

impl Actor for Link {
    type Context = Context<Self>;
}

impl Handler<Open> for Link {
    type Result = ();

    fn handle(&mut self, _: Open, context: &mut Self::Context) {
        self.opening += 1;
        self.open = None;
        let (opening, settings, role) = (self.opening, Arc::clone(&self.settings), self.role);
        let opened = async move { Connection::open(&settings, role).await }.into_actor(self);
        context.spawn(opened.map(move |opened, link, context| link.opened(opening, opened, context)));
    }
}

impl Handler<Close> for Link {
    type Result = ();

    fn handle(&mut self, _: Close, _: &mut Self::Context) {
        self.opening += 1;
        self.open = None;
    }
}

impl Handler<Perform> for Link {
    type Result = ();

    fn handle(&mut self, perform: Perform, _: &mut Self::Context) {
        let Perform { request, command, carried } = perform;
        let Some(Opened { connection, alive }) = &self.open else {
            return self.feed(Input::Answered(request, Err(Failure::Silent)));
        };
        if let Command::Send { frame, .. } = &command {
            self.metrics.tally.sent.add(frame.len());
        }
        let (name, waits, asked) = (command.name(), command.waits(), Instant::now());
        for timeline in &carried {
            timeline.sent(asked);
        }
        // On its way when this returns; only its answer is awaited.
        let answer = connection.perform(command);
        let (membership, mut alive) = (self.membership.clone(), alive.subscribe());
        let metrics = Arc::clone(&self.metrics);
        actix::spawn(async move {
            tokio::select! {
                biased;
                answer = answer => {
                    if !waits {
                        metrics.redis(name, asked.elapsed(), answer.is_ok());
                    }
                    if let Ok(Answer::Frames(frames)) = &answer {
                        for (_, frame) in frames {
                            metrics.tally.received.add(frame.len());
                        }
                    }
                    membership.tell(Feed(Input::Answered(request, answer)));
                }
                _ = alive.changed() => {}
            }
            for timeline in carried {
                timeline.over(Phase::Redis, asked);
            }
        });
    }
}
