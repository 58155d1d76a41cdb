//! Clients that call whether or not anybody answers, and remember everything.

use std::{
    cell::{Cell, Ref, RefCell},
    collections::{HashMap, HashSet},
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
    history::{Answer, End, Outcome, Request},
    ledger::Action,
    targets::Targets,
};
use crate::cluster::http;

/// Accounts that keyed calls are about.
const ACCOUNTS: u64 = 20;

/// Clients; each asks one node at a time.
const CLIENTS: usize = 24;

/// How long a client waits for an answer; far longer than any call may take.
const PATIENCE: Duration = Duration::from_secs(25);

/// The clients.
pub(crate) struct Load {
    references: HashMap<&'static str, String>,
    targets: Rc<Targets>,
    requests: RefCell<Vec<Request>>,
    random: RefCell<SmallRng>,
    /// One count of everything that happens to clients.
    happened: Cell<u64>,
    /// Calls so far; the next one has this number.
    numbers: Cell<u64>,
    under_way: Cell<usize>,
    /// Which client waits for an answer about which account.
    waiting: RefCell<HashSet<(usize, String)>>,
    stopped: Cell<bool>,
}

/// A call that clients make, once or more often.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) number: u64,
    pub(crate) action: Action,
    pub(crate) account: String,
    pub(crate) ms: u64,
    pub(crate) has_idempotency_key: bool,
    /// When its client goes away, if it does.
    hangs_up: Option<Duration>,
}

impl Load {
    pub(crate) fn new(
        targets: Rc<Targets>,
        references: HashMap<&'static str, String>,
        seed: u64,
    ) -> Rc<Self> {
        Rc::new(Self {
            references,
            targets,
            requests: RefCell::default(),
            random: RefCell::new(SmallRng::seed_from_u64(seed)),
            happened: Cell::new(0),
            numbers: Cell::new(0),
            under_way: Cell::new(0),
            waiting: RefCell::default(),
            stopped: Cell::new(false),
        })
    }

    pub(crate) fn requests(&self) -> Ref<'_, Vec<Request>> {
        self.requests.borrow()
    }

    /// The number that the next call gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.get()
    }

    /// How many things have happened to clients.
    pub(crate) fn happened(&self) -> u64 {
        self.happened.get()
    }

    /// Calls so often, until it is stopped.
    pub(crate) fn start(self: &Rc<Self>, calls_per_second: u32) {
        self.stopped.set(false);
        let load = Rc::clone(self);
        let pause = Duration::from_secs(1) / calls_per_second;
        spawn_local(async move {
            let mut next = Instant::now();
            while !load.stopped.get() {
                load.arrive();
                next += pause;
                sleep_until(next).await;
            }
        });
    }

    /// Makes no more calls.
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
    }

    /// Waits until no client waits any more.
    pub(crate) async fn quiet(&self) {
        while self.under_way.get() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// A call comes.
    fn arrive(self: &Rc<Self>) {
        let (call, client, twin, again) = {
            let mut random = self.random.borrow_mut();
            let (action, has_idempotency_key) = match random.random_range(0..100) {
                0..35 => (Action::Plain, false),
                35..65 => (Action::Keyed, false),
                65..80 => (Action::Idempotent, false),
                80..90 => (Action::Plain, true),
                _ => (Action::Keyed, true),
            };
            let ms = match random.random_range(0..100) {
                0..70 => random.random_range(1..30),
                70..96 => random.random_range(30..120),
                _ => random.random_range(200..400),
            };
            let account = format!("account-{}", random.random_range(0..ACCOUNTS));
            let hangs_up =
                random.random_bool(0.03).then(|| Duration::from_millis(random.random_range(0..50)));
            let call = Call { number: self.number(), action, account, ms, has_idempotency_key, hangs_up };
            let again = Duration::from_millis(random.random_range(50..700));
            (
                call,
                random.random_range(0..CLIENTS),
                random.random_bool(0.5),
                random.random_bool(0.5).then_some(again),
            )
        };
        let is_keyed = call.action == Action::Keyed;
        // Each client waits for its answer before it calls about the same account again.
        let free =
            |client: &usize| !is_keyed || !self.waiting.borrow().contains(&(*client, call.account.clone()));
        let client = (0..CLIENTS).map(|step| (client + step) % CLIENTS).find(free).unwrap_or(client);
        self.make(call.clone(), client);
        if call.has_idempotency_key {
            let call = Call { hangs_up: None, ..call };
            if twin {
                self.make(call.clone(), client + 1);
            }
            if let Some(wait) = again {
                let load = Rc::clone(self);
                self.under_way.set(self.under_way.get() + 1);
                spawn_local(async move {
                    sleep(wait).await;
                    load.make(call, client + 2);
                    load.under_way.set(load.under_way.get() - 1);
                });
            }
        }
    }

    fn number(&self) -> u64 {
        self.numbers.replace(self.numbers.get() + 1)
    }

    fn tick(&self) -> u64 {
        self.happened.replace(self.happened.get() + 1)
    }

    /// Slow calls through every node but one, some of which that one runs.
    pub(crate) fn make_slow(self: &Rc<Self>, avoided: Option<u32>, calls: u64, ms: u64) {
        let pids: Vec<_> = self.targets.serving().into_iter().filter(|pid| Some(*pid) != avoided).collect();
        for place in 0..calls {
            // A call without a key may run wherever it comes in.
            let action = if place % 4 == 0 { Action::Plain } else { Action::Keyed };
            let number = self.number();
            // Each has an account of its own, so that none waits for another.
            let account = format!("slow-{number}");
            let call = Call { number, action, account, ms, has_idempotency_key: false, hangs_up: None };
            if let Some(pid) = pids.get(place as usize % pids.len().max(1)) {
                self.send(call, CLIENTS + place as usize, *pid);
            }
        }
    }

    /// A slow call about every account, so that whoever takes one over has something to wait for.
    pub(crate) fn occupy(self: &Rc<Self>, ms: u64) {
        for place in 0..ACCOUNTS {
            let (number, account) = (self.number(), format!("account-{place}"));
            let action = Action::Keyed;
            let call = Call { number, action, account, ms, has_idempotency_key: false, hangs_up: None };
            self.make(call, CLIENTS + place as usize);
        }
    }

    /// Asks a node, and says what became of it.
    pub(crate) async fn ask_once(self: &Rc<Self>, pid: u32, action: Action) -> Option<Outcome> {
        let number = self.number();
        let account = format!("account-{}", number % ACCOUNTS);
        let call = Call { number, action, account, ms: 1, has_idempotency_key: false, hangs_up: None };
        let end = self.exchange(&call, CLIENTS, pid).await;
        match end {
            End::Answered(answer) => Some(answer.outcome),
            _ => None,
        }
    }

    /// Makes a call through the node that this client asks now.
    fn make(self: &Rc<Self>, call: Call, client: usize) {
        let serving = self.targets.serving();
        if let Some(pid) = serving.get(client % serving.len().max(1)) {
            self.send(call, client, *pid);
        }
    }

    fn send(self: &Rc<Self>, call: Call, client: usize, pid: u32) {
        let load = Rc::clone(self);
        self.under_way.set(self.under_way.get() + 1);
        let line = (client, call.account.clone());
        self.waiting.borrow_mut().insert(line.clone());
        spawn_local(async move {
            load.exchange(&call, client, pid).await;
            load.waiting.borrow_mut().remove(&line);
            load.under_way.set(load.under_way.get() - 1);
        });
    }

    /// Sends a request, waits for its end, and writes both down.
    async fn exchange(&self, call: &Call, client: usize, pid: u32) -> End {
        let sent = self.tick();
        let asks = timeout(PATIENCE, self.ask(call, pid));
        let end = tokio::select! {
            answered = asks => match answered {
                Ok(Ok(answer)) => End::Answered(Answer::of(answer)),
                Ok(Err(error)) => End::Broken(error.to_string()),
                Err(_) => End::Silence,
            },
            () = sleep(call.hangs_up.unwrap_or(PATIENCE * 2)) => End::HungUp,
        };
        self.requests.borrow_mut().push(Request {
            number: call.number,
            action: call.action,
            account: call.account.clone(),
            client,
            asked: pid,
            has_idempotency_key: call.has_idempotency_key,
            sent,
            ended: self.tick(),
            end: end.clone(),
        });
        end
    }

    async fn ask(&self, call: &Call, pid: u32) -> io::Result<http::Answer> {
        let body = format!("[\"{}\",{},{}]", call.account, call.number, call.ms);
        let key = format!("key-{}", call.number);
        let mut headers = vec![
            ("next-action", self.references[call.action.name()].as_str()),
            ("content-type", "text/plain;charset=UTF-8"),
            ("accept", "text/x-component"),
        ];
        if call.has_idempotency_key {
            headers.push(("idempotency-key", &key));
        }
        self.targets.ask(pid, &http::request("POST", "/", &headers, &body)).await
    }
}
