//! A store of either kind, and what tests ask of it.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use callboard_cluster::{
    Slot,
    core::Connection as Role,
    memory,
    mutant::Mutants,
    redis::{Connection, Settings},
    store::{Answer, Command, EntryId, Failure, Profile, Sent, Stream, View},
};
use callboard_protocol::{
    action::CallId,
    envelope::Idempotency,
    identity::{Boot, Incarnation, ProcessId, RedisMillis},
};

use crate::server::Server;

/// How many frames fit into an inbox here.
pub(crate) const INBOX_FRAMES_MAX: usize = 3;

/// A store.
pub(crate) enum World {
    Memory {
        store: RefCell<memory::Store>,
        clock_ms: Cell<u64>,
    },
    Redis {
        server: RefCell<Server>,
        user: &'static str,
        block: Duration,
        connections: RefCell<Option<Connections>>,
    },
}

/// One for each of its roles, as a node has them.
pub(crate) struct Connections {
    commands: Connection,
    requests: Connection,
    replies: Connection,
    incarnation: Incarnation,
}

impl World {
    pub(crate) fn memory() -> Self {
        let store = memory::Store::new(Incarnation::named("first"), INBOX_FRAMES_MAX, Mutants::NONE);
        Self::Memory { store: RefCell::new(store), clock_ms: Cell::new(1_700_000_000_000) }
    }

    /// `user` is what stands before the host in the URL.
    pub(crate) async fn redis(server: Server, user: &'static str) -> Self {
        Self::redis_that_waits(server, user, Duration::from_millis(300)).await
    }

    /// Whose reads wait this long.
    pub(crate) async fn redis_that_waits(server: Server, user: &'static str, block: Duration) -> Self {
        let connections = RefCell::new(Some(connect(server.port, user, block).await));
        Self::Redis { server: RefCell::new(server), user, block, connections }
    }

    /// As if nothing had ever happened.
    pub(crate) fn forget(&self) {
        match self {
            Self::Memory { store, .. } => {
                let incarnation = store.borrow().incarnation().clone();
                store.replace(memory::Store::new(incarnation, INBOX_FRAMES_MAX, Mutants::NONE));
            }
            Self::Redis { server, .. } => {
                let server = server.borrow();
                // It goes on as the memory that the connections know.
                let name = server.command("GET {cb:test:0}:memory");
                assert_eq!(server.command("FLUSHALL"), "+OK");
                assert_eq!(server.command(&format!("SET {{cb:test:0}}:memory {name}")), "+OK");
            }
        }
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        match self {
            Self::Memory { store, .. } => store.borrow().incarnation().clone(),
            Self::Redis { connections, .. } => connections.borrow().as_ref().unwrap().incarnation.clone(),
        }
    }

    /// Ends it and starts it again with its data.
    pub(crate) async fn restart(&self) {
        match self {
            Self::Memory { store, .. } => {
                let reborn = store.borrow().reborn(Incarnation::named("second"));
                store.replace(reborn);
            }
            Self::Redis { server, user, block, connections } => {
                server.borrow_mut().restart();
                let again = {
                    let port = server.borrow().port;
                    connect(port, user, *block).await
                };
                connections.replace(Some(again));
            }
        }
    }

    /// Performs a command on the connection that a node would use.
    pub(crate) async fn ask(&self, command: Command) -> Result<Answer, Failure> {
        match self {
            Self::Memory { store, clock_ms } => {
                // A read that finds nothing waits for what others do meanwhile, but not for ever.
                for _ in 0..100 {
                    clock_ms.set(clock_ms.get() + 1);
                    let time = RedisMillis::from_u64(clock_ms.get());
                    if let Some(answer) = store.borrow_mut().execute(time, &command) {
                        return Ok(answer);
                    }
                    tokio::task::yield_now().await;
                }
                Ok(Answer::Frames(Vec::new()))
            }
            Self::Redis { connections, .. } => {
                let performing = {
                    let connections = connections.borrow();
                    let connections = connections.as_ref().unwrap();
                    let connection = match command {
                        Command::ReadRequests { .. } | Command::ReadClaimed { .. } => &connections.requests,
                        Command::ReadReplies { .. } => &connections.replies,
                        _ => &connections.commands,
                    };
                    connection.perform(command)
                };
                tokio::time::timeout(Duration::from_secs(20), performing).await.expect("answers in time")
            }
        }
    }

    pub(crate) async fn perform(&self, command: Command) -> Answer {
        self.ask(command.clone()).await.unwrap_or_else(|failure| panic!("{command:?}: {failure:?}"))
    }

    // What most cases begin with.

    pub(crate) async fn open_inbox(&self, boot: Boot) -> bool {
        self.perform(Command::OpenInbox { boot }).await == Answer::Opened(true)
    }

    pub(crate) async fn join(&self, boot: Boot) -> View {
        assert!(self.open_inbox(boot).await);
        let answer = self.perform(self.joining(boot)).await;
        let Answer::Joined { view, .. } = answer else { panic!("{answer:?}") };
        view
    }

    pub(crate) fn joining(&self, boot: Boot) -> Command {
        let busy = BTreeSet::from([Slot::from_index(5)]);
        Command::Join { boot, profile: profile(), incarnation: self.incarnation(), busy }
    }

    pub(crate) async fn view(&self) -> View {
        let answer = self.perform(Command::View).await;
        let Answer::View(Some(view)) = answer else { panic!("{answer:?}") };
        view
    }

    pub(crate) async fn send(&self, to: Boot, stream: Stream, number: u64, frame: &'static str) -> Sent {
        self.send_as(1, to, stream, number, frame).await
    }

    pub(crate) async fn send_as(
        &self,
        sender: u128,
        to: Boot,
        stream: Stream,
        number: u64,
        frame: &'static str,
    ) -> Sent {
        let (sender, frame) = (ProcessId::from_u128(sender), Bytes::from_static(frame.as_bytes()));
        let answer = self.perform(Command::Send { to, stream, sender, number, frame }).await;
        let Answer::Sent(sent) = answer else { panic!("{answer:?}") };
        sent
    }

    pub(crate) async fn read(&self, boot: Boot, frames_max: usize) -> Vec<(EntryId, Bytes)> {
        frames(self.perform(Command::ReadRequests { boot, frames_max }).await)
    }

    pub(crate) async fn claimed(
        &self,
        boot: Boot,
        after: EntryId,
        frames_max: usize,
    ) -> Vec<(EntryId, Bytes)> {
        frames(self.perform(Command::ReadClaimed { boot, after, frames_max }).await)
    }

    pub(crate) async fn fence(&self, boot: Boot, counter: u64) -> bool {
        self.perform(Command::Fence { boot, counter }).await == Answer::Fencing(true)
    }

    /// Joins, and is fenced and evicted.
    pub(crate) async fn lose(&self, boot: Boot) {
        assert!(self.fence(boot, 1).await);
        self.perform(Command::Evict { boot }).await;
    }
}

async fn connect(port: u16, user: &str, block: Duration) -> Connections {
    let url = format!("redis://{user}127.0.0.1:{port}");
    let settings = Arc::new(Settings { block, ..settings(&url) });
    let open = async |role| {
        Connection::open(&settings, role).await.unwrap_or_else(|error| panic!("{error}: {error:?}"))
    };
    let (commands, incarnation) = open(Role::Commands).await;
    let (requests, same) = open(Role::Requests).await;
    assert_eq!(same, incarnation);
    let (replies, _) = open(Role::Replies).await;
    Connections { commands, requests, replies, incarnation }
}

pub(crate) fn settings(url: &str) -> Settings {
    Settings {
        inbox_frames_max: INBOX_FRAMES_MAX,
        block: Duration::from_millis(300),
        open_timeout: Duration::from_secs(10),
        ..Settings::new(url.parse().unwrap(), "test".parse().unwrap())
    }
}

pub(crate) fn frames(answer: Answer) -> Vec<(EntryId, Bytes)> {
    let Answer::Frames(frames) = answer else { panic!("{answer:?}") };
    frames
}

pub(crate) fn texts(frames: &[(EntryId, Bytes)]) -> Vec<&str> {
    frames.iter().map(|(_, frame)| std::str::from_utf8(frame).unwrap()).collect()
}

pub(crate) fn ids(frames: &[(EntryId, Bytes)]) -> Vec<EntryId> {
    frames.iter().map(|(entry, _)| *entry).collect()
}

/// The session of this number.
pub(crate) fn boot(session: u32) -> Boot {
    Boot { process: ProcessId::from_u128(0xb007), session }
}

pub(crate) fn call(number: u128) -> CallId {
    CallId::from_u128(number)
}

pub(crate) fn profile() -> Profile {
    Profile { build: u128::MAX, lined: BTreeSet::from([1, u64::MAX]), keys: [(1, 0xa), (7, u64::MAX)].into() }
}

/// A key with a body.
pub(crate) fn idempotency(digest: u128) -> Idempotency {
    Idempotency { key: 0x1de4, digest, retention_s: 86_400 }
}

/// Everything that a session left, in one piece.
pub(crate) fn all_of_orphan(boot: Boot) -> Command {
    let start = EntryId::default();
    Command::Orphan { boot, requests_after: start, replies_after: start, frames_max: 1000 }
}
