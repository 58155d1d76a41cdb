//! This node's copy of the log of revalidations: the one actor that feeds the cache's core and performs what it asks for.
//!
//! It decides nothing. A node that is alone has the same core over a log in memory.

mod links;
mod messages;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use actix::{Actor, Context, Handler, MessageResult, ResponseFuture};
use callboard_cluster::{
    cache::{
        Connection, Core, Input, Output, PublicationId, RequestId, Versions, memory::Store, store::Command,
    },
    clock::Instant,
    store::Failure,
};
use callboard_protocol::revalidation::LogPosition;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

pub(crate) use self::{
    links::CacheLinks,
    messages::{CatchUp, Confirmation, Publish, ReportLog, Retire},
};
use super::{Published, alarm::Alarm};
use crate::{clock, metrics::LogReport};

/// Drives the cache's core.
pub(crate) struct Revalidator {
    core: Core,
    log: SharedLog,
    /// What came and was not taken yet.
    inputs: Vec<Input>,
    taking: bool,
    alarm: Alarm,
    publications: HashMap<PublicationId, Waiting>,
    last_publication: u64,
    publish_timeout: Duration,
    /// When the wait for a publication ends, the first first, as all wait equally long. Some were answered before.
    ends: VecDeque<(Instant, PublicationId)>,
    next_end: Alarm,
    /// Readers that wait for a position.
    behind: Vec<(LogPosition, oneshot::Sender<()>)>,
    retiring: Vec<oneshot::Sender<()>>,
}

/// Who waits for what is published.
struct Waiting {
    published: oneshot::Sender<Confirmation>,
    /// When it was known to stand in the log.
    placed: Option<std::time::Instant>,
}

/// Where the log is.
pub(crate) enum SharedLog {
    /// In this process.
    Memory(Box<Store>),
    /// In Redis.
    Redis(CacheLinks),
}

impl Revalidator {
    pub(crate) fn new(core: Core, log: SharedLog, publish_timeout: Duration) -> Self {
        Self {
            core,
            log,
            inputs: Vec::new(),
            taking: false,
            alarm: Alarm::default(),
            publications: HashMap::new(),
            last_publication: 0,
            publish_timeout,
            ends: VecDeque::new(),
            next_end: Alarm::default(),
            behind: Vec::new(),
            retiring: Vec::new(),
        }
    }

    /// What readers on other threads need.
    pub(crate) fn versions(&self) -> &Arc<Versions> {
        self.core.versions()
    }

    /// Takes an input, and those that follow from it.
    fn feed(&mut self, input: Input, context: &mut Context<Self>) {
        self.inputs.push(input);
        if self.taking {
            return;
        }
        self.taking = true;
        // A log in memory answers at once, and that is more to take.
        while !self.inputs.is_empty() {
            for input in std::mem::take(&mut self.inputs) {
                for output in self.core.step(clock::core_now(), input) {
                    self.perform(output, context);
                }
            }
        }
        self.taking = false;
        self.wake_readers();
        self.alarm.set(self.core.next_timer(), context, |revalidator, context| {
            revalidator.alarm.rang();
            revalidator.feed(Input::Tick, context);
        });
    }

    fn perform(&mut self, output: Output, context: &mut Context<Self>) {
        match output {
            Output::Connect(connection) => self.connect(connection, context),
            Output::Disconnect(connection) => {
                if let SharedLog::Redis(links) = &mut self.log {
                    links.close(connection, context);
                }
            }
            Output::Perform(request, command) => self.ask(request, command, context),
            Output::Placed(id) => {
                if let Some(waiting) = self.publications.get_mut(&id) {
                    waiting.placed = Some(std::time::Instant::now());
                }
            }
            Output::Published(id, position) => {
                self.tell(id, Published::of(position));
            }
            Output::Refused(id) => {
                error!("revalidations came after this node had left the log: they are not published");
                self.tell(id, Published::Unconfirmed);
            }
            // Alone it begins with the node, and nothing was kept before.
            Output::Epoch { .. } if matches!(self.log, SharedLog::Memory(_)) => {}
            Output::Epoch { carried_over: true } => info!("pages: the log began anew; what is kept stays"),
            Output::Epoch { carried_over: false } => {
                info!("pages: the log began; nothing of before is served")
            }
            Output::Left => {
                for waiting in std::mem::take(&mut self.retiring) {
                    let _gone = waiting.send(());
                }
            }
        }
    }

    fn connect(&mut self, connection: Connection, context: &mut Context<Self>) {
        match &mut self.log {
            SharedLog::Memory(_) => self.inputs.push(Input::Connected(connection)),
            SharedLog::Redis(links) => links.open(connection, context),
        }
    }

    fn ask(&mut self, request: RequestId, command: Command, context: &mut Context<Self>) {
        match &mut self.log {
            SharedLog::Memory(store) => {
                let answer = store.execute(&command);
                self.inputs.push(Input::Answered(request, Ok(answer)));
                self.inputs.extend(store.take_pushes().into_iter().map(Input::Pushed));
            }
            SharedLog::Redis(links) => {
                if !links.perform(request, command, context) {
                    self.inputs.push(Input::Answered(request, Err(Failure::Silent)));
                }
            }
        }
    }

    /// Ends a wait; whether there was one. Whoever waited may have had enough of it.
    fn tell(&mut self, id: PublicationId, published: Published) -> bool {
        let Some(waiting) = self.publications.remove(&id) else { return false };
        let _gone = waiting.published.send(Confirmation { published, placed: waiting.placed });
        true
    }

    /// Ends every wait that has lasted for `publish_timeout`.
    fn end_waits(&mut self, context: &mut Context<Self>) {
        let now = clock::core_now();
        while let Some((_, id)) = self.ends.pop_front_if(|(end, _)| *end <= now) {
            if self.tell(id, Published::Unconfirmed) {
                error!(waited = ?self.publish_timeout, "revalidations were not confirmed");
                self.feed(Input::Forget(id), context);
            }
        }
        self.watch_ends(context);
    }

    fn watch_ends(&mut self, context: &mut Context<Self>) {
        let next = self.ends.front().map(|(end, _)| *end);
        self.next_end.set(next, context, |revalidator, context| {
            revalidator.next_end.rang();
            revalidator.end_waits(context);
        });
    }

    fn wake_readers(&mut self) {
        let applied = self.versions().applied();
        for (_, waiting) in self.behind.extract_if(.., |(position, _)| *position <= applied) {
            let _gone = waiting.send(());
        }
        self.behind.retain(|(_, waiting)| !waiting.is_closed());
    }
}

impl Actor for Revalidator {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.feed(Input::Tick, context);
    }
}

impl Handler<Publish> for Revalidator {
    type Result = ();

    fn handle(&mut self, publish: Publish, context: &mut Self::Context) {
        let (marks, wait) = (publish.marks(), publish.wait());
        self.last_publication += 1;
        let id = PublicationId(self.last_publication);
        self.publications.insert(id, Waiting { published: publish.published, placed: None });
        self.feed(Input::Publish(id, marks, wait), context);
        // A log in memory has answered by now.
        if self.publications.contains_key(&id) {
            self.ends.push_back((clock::core_now() + self.publish_timeout, id));
            self.watch_ends(context);
        }
    }
}

impl Handler<CatchUp> for Revalidator {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, CatchUp(position): CatchUp, context: &mut Self::Context) -> Self::Result {
        let (seen, waiting) = oneshot::channel();
        self.behind.push((position, seen));
        self.feed(Input::CatchUp(position), context);
        Box::pin(async move {
            if waiting.await.is_err() {
                std::future::pending().await
            }
        })
    }
}

impl Handler<ReportLog> for Revalidator {
    type Result = MessageResult<ReportLog>;

    fn handle(&mut self, _: ReportLog, _: &mut Self::Context) -> Self::Result {
        MessageResult(LogReport { counters: self.core.counters().clone() })
    }
}

impl Handler<Retire> for Revalidator {
    type Result = ();

    fn handle(&mut self, Retire(retired): Retire, context: &mut Self::Context) {
        self.retiring.push(retired);
        self.feed(Input::Leave, context);
    }
}

impl Revalidator {
    /// A connection is gone that the core may count on.
    fn lost(&mut self, connection: Connection, reason: &str, context: &mut Context<Self>) {
        warn!(link = ?connection, reason, "pages: the connection to Redis is lost");
        self.feed(Input::Disconnected(connection), context);
    }
}
