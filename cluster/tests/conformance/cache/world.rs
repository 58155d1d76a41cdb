//! A log of either kind, and what tests ask of it.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::Duration,
};

use callboard_cluster::{
    cache::{
        memory::{self, Limits},
        store::{Answer, Command, Entry, Following, Mark, Push, Staleness},
    },
    mutant::Mutants,
    redis::{CacheConnection, CacheStore, Pushes, Settings},
};
use callboard_protocol::{
    identity::ProcessId,
    revalidation::{Epoch, LogPosition, Tag},
};

use crate::{server::Server, world::settings};

/// How many entries fit into an answer here.
pub(super) const ANSWER_ENTRIES_MAX: usize = 4;

/// A log.
pub(super) enum World {
    Memory(Box<RefCell<memory::Store>>),
    Redis(Box<Redis>),
}

pub(super) struct Redis {
    server: RefCell<Server>,
    store: CacheStore,
    connections: RefCell<Option<(CacheConnection, Pushes)>>,
    /// How often it was asked for pushes.
    asked: Cell<u64>,
}

impl World {
    pub(super) fn memory() -> Self {
        let limits = Limits { answer_entries_max: ANSWER_ENTRIES_MAX, ..Limits::default() };
        Self::Memory(Box::new(RefCell::new(memory::Store::new(Mutants::NONE).limited(limits))))
    }

    /// `user` is what stands before the host in the URL.
    pub(super) async fn redis(server: Server, user: &str) -> Self {
        let store = store(&server, user);
        let connections = RefCell::new(Some(connect(&store).await));
        Self::Redis(Box::new(Redis { server: RefCell::new(server), store, connections, asked: Cell::new(0) }))
    }

    /// As if nothing had ever happened.
    pub(super) fn forget(&self) {
        match self {
            Self::Memory(store) => store.borrow_mut().flush(),
            Self::Redis(redis) => assert_eq!(redis.server.borrow().command("FLUSHALL"), "+OK"),
        }
    }

    /// Ends it and starts it again with its data.
    pub(super) async fn restart(&self) {
        match self {
            Self::Memory(_) => self.become_another_memory(),
            Self::Redis(redis) => {
                redis.server.borrow_mut().restart();
                let again = connect(&redis.store).await;
                redis.connections.replace(Some(again));
            }
        }
    }

    /// What a restart comes to, but without one.
    pub(super) fn become_another_memory(&self) {
        match self {
            Self::Memory(store) => {
                let there = store.borrow().clone();
                store.borrow_mut().restart(&there);
            }
            Self::Redis(redis) => {
                redis.server.borrow().command("HSET {cb:test:rc}:inc memory another");
            }
        }
    }

    /// Forgets all entries but the last.
    pub(super) fn trim(&self, keep: usize) {
        match self {
            Self::Memory(store) => store.borrow_mut().trim(keep),
            Self::Redis(redis) => {
                redis.server.borrow().command(&format!("XTRIM {{cb:test:rc}}:log MAXLEN {keep}"));
            }
        }
    }

    pub(super) async fn perform(&self, command: Command) -> Answer {
        match self {
            Self::Memory(store) => store.borrow_mut().execute(&command),
            Self::Redis(redis) => {
                let performing = redis.connections.borrow().as_ref().unwrap().0.perform(command.clone());
                let answer = tokio::time::timeout(Duration::from_secs(20), performing).await;
                answer.expect("answers in time").unwrap_or_else(|failure| panic!("{command:?}: {failure:?}"))
            }
        }
    }

    /// What was pushed since this was asked last.
    pub(super) async fn pushes(&self) -> Vec<Push> {
        let redis = match self {
            Self::Memory(store) => return store.borrow_mut().take_pushes(),
            Self::Redis(redis) => redis,
        };
        // What is pushed in order comes in order: after this one nothing is on its way.
        redis.asked.set(redis.asked.get() + 1);
        redis.server.borrow().command(&format!("PUBLISH {{cb:test:rc}}:push:0 w0-0-{}", redis.asked.get()));
        let last = Push::Watermark(at(Epoch::default(), redis.asked.get()));
        let (commands, mut listening) = redis.connections.take().unwrap();
        let mut pushes = Vec::new();
        loop {
            let push = tokio::time::timeout(Duration::from_secs(20), listening.next()).await;
            match push.expect("pushed in time").expect("listens") {
                push if push == last => break,
                push => pushes.push(push),
            }
        }
        redis.connections.replace(Some((commands, listening)));
        pushes
    }

    // What most cases begin with.

    pub(super) async fn open_knowing(&self, known: Epoch, seen: LogPosition) -> (Epoch, LogPosition) {
        let answer = self.perform(Command::Open { known, seen }).await;
        let Answer::Opened { epoch, tail } = answer else { panic!("{answer:?}") };
        (epoch, tail)
    }

    pub(super) async fn open(&self) -> Epoch {
        self.open_knowing(Epoch::default(), LogPosition::default()).await.0
    }

    /// What follows, and the watermark.
    pub(super) async fn renew(
        &self,
        process: u128,
        after: LogPosition,
    ) -> (LogPosition, Following, LogPosition) {
        match self.perform(renew(process, after)).await {
            Answer::Renewed { tail, following, watermark } => (tail, following, watermark),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn publish(&self, process: u128, after: LogPosition) -> (LogPosition, Following, bool) {
        match self.perform(publish(process, after)).await {
            Answer::Published { position, following, has_others } => (position, following, has_others),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn acknowledge(&self, process: u128, applied: LogPosition) -> LogPosition {
        let (process, epoch) = (self::process(process), applied.epoch());
        match self.perform(Command::Acknowledge { process, epoch, applied }).await {
            Answer::Acknowledged { watermark } => watermark,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn reap(&self, epoch: Epoch, process: u128, grants: u64) -> bool {
        let answer = self.perform(Command::Reap { epoch, process: self::process(process), grants }).await;
        let Answer::Reaped(reaped) = answer else { panic!("{answer:?}") };
        reaped
    }

    pub(super) async fn leave(&self, epoch: Epoch, process: u128) {
        let leave = Command::Leave { epoch, process: self::process(process) };
        assert_eq!(self.perform(leave).await, Answer::Left);
    }

    /// In order.
    pub(super) async fn registered(&self, epoch: Epoch) -> Vec<(ProcessId, u64)> {
        let answer = self.perform(Command::Registered { epoch }).await;
        let Answer::Registered(mut registered) = answer else { panic!("{answer:?}") };
        registered.sort_unstable();
        registered
    }
}

pub(super) fn store(server: &Server, user: &str) -> CacheStore {
    let url = format!("redis://{user}127.0.0.1:{}", server.port);
    CacheStore::new(Arc::new(Settings { cache_read_entries_max: ANSWER_ENTRIES_MAX, ..settings(&url) }))
}

async fn connect(store: &CacheStore) -> (CacheConnection, Pushes) {
    let commands = CacheConnection::open(store).await;
    let pushes = Pushes::open(store).await;
    (commands.unwrap_or_else(|error| panic!("{error}: {error:?}")), pushes.unwrap())
}

pub(super) fn process(number: u128) -> ProcessId {
    ProcessId::from_u128(number)
}

pub(super) fn at(epoch: Epoch, sequence: u64) -> LogPosition {
    LogPosition::new(epoch, sequence).unwrap()
}

/// What process `number` declares.
pub(super) fn declared(number: u128) -> Tag {
    Tag::named(&format!("declared by {number}"))
}

pub(super) fn renew(process: u128, after: LogPosition) -> Command {
    let declared = Arc::new([declared(process)]);
    Command::Renew { process: self::process(process), epoch: after.epoch(), after, declared }
}

pub(super) fn publish(process: u128, after: LogPosition) -> Command {
    let marks = Some([hard(&format!("published by {process}"))].into());
    Command::Publish { process: self::process(process), epoch: after.epoch(), after, marks }
}

pub(super) fn hard(name: &str) -> Mark {
    Mark { tag: Tag::named(name), staleness: Staleness::Hard }
}

/// An entry that [`publish`] appends.
pub(super) fn entry(process: u128, position: LogPosition) -> Entry {
    let marks = Arc::new([hard(&format!("published by {process}"))]);
    Entry { position, marks: Some(marks) }
}
