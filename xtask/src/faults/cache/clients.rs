//! Clients that read and write whether or not anybody answers, and remember everything.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    io,
    rc::Rc,
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    super::{
        history::{Answer, Outcome, returned},
        targets::Targets,
    },
    history::{Origin, Read, Shown, Wait, Write},
};
use crate::cluster::http;

/// Pages, and tags that they share.
const PAGES: u32 = 12;

/// The page with the tag that an action declares, and that tag.
pub(crate) const DECLARED_PAGE: &str = "/declared";
pub(crate) const DECLARED: &str = "declared";

/// The counter that holds the process which ran that action last.
pub(crate) const DECLARED_BY: &str = "declared-by";

/// Clients that wait for each answer and have a token.
const SESSIONS: usize = 6;

/// One of so many steps of theirs is a write.
const READS_PER_WRITE: u32 = 12;

/// How long a client waits for an answer; far longer than any may take.
const PATIENCE: Duration = Duration::from_secs(25);

/// Most reads that wait for one node.
const WAITING_MAX: u64 = 400;

/// What clients do to a tag, each by an action of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Strict,
    Session,
    Eventual,
    Soft,
    Declared,
    Read,
}

/// What clients saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) reads: Vec<Read>,
    pub(crate) writes: Vec<Write>,
    /// Reads that were answered otherwise than with a page: how.
    pub(crate) refused: Vec<String>,
    /// Reads that were not answered.
    pub(crate) broken: u64,
    /// Writes that were not done, or of which nobody knows: what was answered.
    pub(crate) undone: Vec<String>,
}

/// The clients.
pub(crate) struct Clients {
    targets: Rc<Targets>,
    references: HashMap<&'static str, String>,
    began: Instant,
    pub(crate) seen: RefCell<Seen>,
    random: RefCell<SmallRng>,
    /// Requests of each node that wait for their end.
    waiting: RefCell<HashMap<u32, u64>>,
    under_way: Cell<usize>,
    stopped: Cell<bool>,
}

/// Cookies that a client was given, by their names.
type Cookies = BTreeMap<String, String>;

impl Deed {
    pub(crate) const ALL: [Self; 6] =
        [Self::Strict, Self::Session, Self::Eventual, Self::Soft, Self::Declared, Self::Read];

    /// The action's name in the manifest.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Strict => "bump",
            Self::Session => "bump_for_session",
            Self::Eventual => "bump_eventually",
            Self::Soft => "bump_softly",
            Self::Declared => "bump_declared",
            Self::Read => "read_counter",
        }
    }

    fn wait(self) -> Wait {
        match self {
            Self::Strict => Wait::Strict,
            Self::Session => Wait::Session,
            Self::Eventual | Self::Soft | Self::Declared | Self::Read => Wait::Nothing,
        }
    }
}

impl Clients {
    pub(crate) fn new(
        targets: Rc<Targets>,
        references: HashMap<&'static str, String>,
        seed: u64,
    ) -> Rc<Self> {
        Rc::new(Self {
            targets,
            references,
            began: Instant::now(),
            seen: RefCell::default(),
            random: RefCell::new(SmallRng::seed_from_u64(seed)),
            waiting: RefCell::default(),
            under_way: Cell::new(0),
            stopped: Cell::new(false),
        })
    }

    /// Microseconds since it began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Reads and writes so often, until it is stopped.
    pub(crate) fn start(self: &Rc<Self>, reads_per_second: u32, writes_per_second: u32) {
        self.stopped.set(false);
        self.repeat(reads_per_second, Self::read_somewhere);
        self.repeat(writes_per_second, Self::write_somewhere);
        for client in 0..SESSIONS {
            self.spawn(|clients| async move { clients.be_a_session(client).await });
        }
    }

    fn repeat(self: &Rc<Self>, per_second: u32, step: fn(&Rc<Self>)) {
        let clients = Rc::clone(self);
        let pause = Duration::from_secs(1) / per_second;
        spawn_local(async move {
            let mut next = Instant::now();
            while !clients.stopped.get() {
                step(&clients);
                next += pause;
                sleep_until(next).await;
            }
        });
    }

    /// Does something that is waited for when clients stop.
    fn spawn<F: Future<Output = ()> + 'static>(self: &Rc<Self>, does: impl FnOnce(Rc<Self>) -> F) {
        let (clients, does) = (Rc::clone(self), does(Rc::clone(self)));
        self.under_way.set(self.under_way.get() + 1);
        spawn_local(async move {
            does.await;
            clients.under_way.set(clients.under_way.get() - 1);
        });
    }

    /// Asks nothing more.
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
    }

    /// Waits until no client waits any more.
    pub(crate) async fn quiet(&self) {
        while self.under_way.get() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// What clients saw since this was asked last.
    pub(crate) fn take(&self) -> Seen {
        self.seen.take()
    }

    fn somewhere(&self) -> Option<u32> {
        let serving = self.targets.serving();
        let place = self.random.borrow_mut().random_range(0..serving.len().max(1));
        serving.get(place).copied()
    }

    fn some_path(&self) -> String {
        match self.random.borrow_mut().random_range(0..=PAGES) {
            PAGES => DECLARED_PAGE.to_owned(),
            page => format!("/tagged/{page}"),
        }
    }

    fn some_tag(&self) -> String {
        format!("tagged-{}", self.random.borrow_mut().random_range(0..PAGES))
    }

    fn read_somewhere(self: &Rc<Self>) {
        let Some(pid) = self.somewhere() else { return };
        if self.waiting.borrow().get(&pid).is_some_and(|waiting| *waiting >= WAITING_MAX) {
            return;
        }
        let path = self.some_path();
        self.spawn(|clients| async move {
            clients.read(pid, &path, None, &mut Cookies::new()).await;
        });
    }

    fn write_somewhere(self: &Rc<Self>) {
        let Some(pid) = self.somewhere() else { return };
        let tag = self.some_tag();
        let deed = match self.random.borrow_mut().random_range(0..10) {
            0 => Deed::Eventual,
            1 => Deed::Soft,
            2 => Deed::Session,
            _ => Deed::Strict,
        };
        self.spawn(|clients| async move {
            clients.write(pid, deed, &tag, None, &mut Cookies::new()).await;
        });
    }

    /// Reads and writes through one node after the other, with what it was given.
    async fn be_a_session(&self, client: usize) {
        let mut cookies = Cookies::new();
        while !self.stopped.get() {
            let Some(pid) = self.somewhere() else { return };
            if self.random.borrow_mut().random_ratio(1, READS_PER_WRITE) {
                let tag = self.some_tag();
                let is_strict = self.random.borrow_mut().random_ratio(1, 3);
                let deed = if is_strict { Deed::Strict } else { Deed::Session };
                self.write(pid, deed, &tag, Some(client), &mut cookies).await;
            } else {
                let path = self.some_path();
                self.read(pid, &path, Some(client), &mut cookies).await;
            }
            let pause = self.random.borrow_mut().random_range(1..20);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Reads a page of a node, and writes down what it shows. Where it came from, if it came.
    pub(crate) async fn read(
        &self,
        pid: u32,
        path: &str,
        client: Option<usize>,
        cookies: &mut Cookies,
    ) -> Option<Origin> {
        let sent = self.now();
        let answer = self.exchange(pid, "GET", path, &[], "", cookies).await;
        let ended = self.now();
        let mut seen = self.seen.borrow_mut();
        let Ok(answer) = answer else {
            seen.broken += 1;
            return None;
        };
        let Some(shown) = Shown::of(&answer.body).filter(|_| answer.status == 200) else {
            let status = answer.header("cache-status").unwrap_or_default();
            seen.refused.push(format!("{path} from process {pid} is {} {status}", answer.status));
            return None;
        };
        let origin = Origin::of(answer.header("cache-status"));
        seen.reads.push(Read { client, asked: pid, path: path.to_owned(), sent, ended, origin, shown });
        Some(origin)
    }

    /// Raises the counter of a tag, and writes down what is certain then. Whether it was done.
    pub(crate) async fn write(
        &self,
        pid: u32,
        deed: Deed,
        tag: &str,
        client: Option<usize>,
        cookies: &mut Cookies,
    ) -> bool {
        let sent = self.now();
        let count = self.act(pid, deed, &format!("[\"{tag}\"]"), cookies).await;
        let (tag, ended) = (tag.to_owned(), self.now());
        let write = Write { client, tag, wait: deed.wait(), sent, ended, count };
        self.seen.borrow_mut().writes.push(write);
        count.is_some()
    }

    /// Writes down what nobody was told.
    pub(crate) fn note(&self, write: Write) {
        self.seen.borrow_mut().writes.push(write);
    }

    /// What an action gave, if it was done.
    pub(crate) async fn act(
        &self,
        pid: u32,
        deed: Deed,
        arguments: &str,
        cookies: &mut Cookies,
    ) -> Option<i64> {
        let headers = [
            ("next-action", self.references[deed.action()].as_str()),
            ("content-type", "text/plain;charset=UTF-8"),
            ("accept", "text/x-component"),
        ];
        let answer = match self.exchange(pid, "POST", "/", &headers, arguments, cookies).await {
            Ok(answer) => Answer::of(answer),
            Err(error) => {
                self.undone(pid, deed, &error.to_string());
                return None;
            }
        };
        if answer.outcome == Outcome::Done {
            return returned(&answer.http.body);
        }
        let body = String::from_utf8_lossy(&answer.http.body);
        self.undone(pid, deed, &format!("{} {:?} {body}", answer.http.status, answer.outcome));
        None
    }

    fn undone(&self, pid: u32, deed: Deed, why: &str) {
        let what = format!("{} of process {pid}, at {} us: {why}", deed.action(), self.now());
        self.seen.borrow_mut().undone.push(what);
    }

    async fn exchange(
        &self,
        pid: u32,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        cookies: &mut Cookies,
    ) -> io::Result<http::Answer> {
        *self.waiting.borrow_mut().entry(pid).or_default() += 1;
        let cookie =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let mut headers = headers.to_vec();
        if !cookie.is_empty() {
            headers.push(("cookie", &cookie));
        }
        let request = http::request(method, path, &headers, body);
        let answer = timeout(PATIENCE, self.targets.ask(pid, &request)).await;
        if let Some(waiting) = self.waiting.borrow_mut().get_mut(&pid) {
            *waiting -= 1;
        }
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        for (_, value) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = value.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(answer)
    }
}
