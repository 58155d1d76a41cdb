//! Histories as tests write them.

use callboard_cluster::core::Invariant;

use super::check;
use crate::{
    cluster::http,
    faults::{
        history::{Answer, End, Outcome, Request, Returned},
        ledger::{Action, Line, Run},
    },
};

/// A history that is being written: what is set holds for everything that follows.
pub(super) struct Scene {
    requests: Vec<Request>,
    lines: Vec<Line>,
    happened: u64,
    /// The process that is asked.
    pub(super) asked: u32,
    action: Action,
    account: String,
    token: Option<u64>,
    call: Option<String>,
    has_idempotency_key: bool,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            requests: Vec::new(),
            lines: Vec::new(),
            happened: 0,
            asked: 1,
            action: Action::Plain,
            account: "a".to_owned(),
            token: None,
            call: None,
            has_idempotency_key: false,
        }
    }
}

impl Scene {
    pub(super) fn action(&mut self, action: Action) -> &mut Self {
        self.action = action;
        self
    }

    pub(super) fn account(&mut self, account: &str) -> &mut Self {
        account.clone_into(&mut self.account);
        self
    }

    pub(super) fn token(&mut self, token: u64) -> &mut Self {
        self.token = Some(token);
        self
    }

    pub(super) fn idempotency_key(&mut self) -> &mut Self {
        self.has_idempotency_key = true;
        self
    }

    /// The call ID of what follows; otherwise it is that of the number.
    pub(super) fn call(&mut self, call: &str) -> &mut Self {
        self.call = Some(call.to_owned());
        self
    }

    /// Somebody calls; what he is answered follows.
    pub(super) fn ask(&mut self, number: u64) -> &mut Self {
        self.happened += 2;
        self.requests.push(Request {
            number,
            action: self.action,
            account: self.account.clone(),
            client: 1,
            asked: self.asked,
            has_idempotency_key: self.has_idempotency_key,
            sent: self.happened - 1,
            ended: self.happened,
            end: End::Silence,
        });
        self
    }

    pub(super) fn ends(&mut self, end: End) -> &mut Self {
        self.requests.last_mut().expect("somebody asked").end = end;
        self
    }

    pub(super) fn answers(&mut self, outcome: Outcome) -> &mut Self {
        let http = http::Answer { status: 200, ..http::Answer::default() };
        self.ends(End::Answered(Answer { outcome, call: None, replayed: false, returned: None, http }))
    }

    /// The last request is answered by what this process ran.
    pub(super) fn done(&mut self, pid: u32) -> &mut Self {
        let (number, account, token) = (self.last().number, self.account.clone(), self.token);
        self.answers(Outcome::Done);
        self.answer().returned = Some(Returned { account, number, pid, token });
        self
    }

    pub(super) fn replays(&mut self, pid: u32) -> &mut Self {
        self.done(pid).header("callboard-replayed", "1");
        self.answer().replayed = true;
        self
    }

    /// The last answer has a header more.
    pub(super) fn header(&mut self, name: &str, value: &str) -> &mut Self {
        self.answer().http.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn last(&mut self) -> &mut Request {
        self.requests.last_mut().expect("somebody asked")
    }

    fn answer(&mut self) -> &mut Answer {
        match &mut self.last().end {
            End::Answered(answer) => answer,
            other => panic!("{other:?} is no answer"),
        }
    }

    fn of(&mut self, number: u64, pid: u32) -> Run {
        let call = self.call.take().unwrap_or_else(|| format!("call-{number}"));
        Run { call, pid, token: self.token, action: self.action, account: self.account.clone(), number }
    }

    pub(super) fn start(&mut self, number: u64, pid: u32) {
        let run = self.of(number, pid);
        self.lines.push(Line::Start(run));
    }

    pub(super) fn run(&mut self, number: u64, pid: u32) {
        let run = self.of(number, pid);
        self.lines.extend([Line::Start(run.clone()), Line::End(run)]);
    }

    pub(super) fn killed(&mut self, pid: u32) {
        self.lines.push(Line::Killed(pid));
    }

    /// The promises that are broken.
    pub(super) fn found(&self) -> Vec<Invariant> {
        check(&self.requests, &self.lines).into_iter().map(|violation| violation.invariant).collect()
    }
}
