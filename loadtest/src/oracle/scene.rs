//! Histories as tests write them: what is set holds for everything that follows.

use std::{fs::File, io::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use tempfile::TempDir;

use super::{Expectation, Oracles, Settings};
use crate::{
    observation::{Answer, End, LedgerCall, LedgerClass, Observation, Subject, TargetId, Times},
    results,
    target::Kind,
};

/// A history that is being written.
pub(super) struct Scene {
    pub(super) oracles: Oracles,
    file: Option<File>,
    now: Duration,
    pub(super) class: LedgerClass,
    pub(super) account: Arc<str>,
    pub(super) token: Option<u64>,
    pub(super) has_key: bool,
    _folder: TempDir,
}

/// A request that is under way.
pub(super) struct Sent {
    subject: Subject,
    sent: Duration,
    expected: Expectation,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::of(Kind::Callboard, true)
    }

    pub(super) fn of(kind: Kind, has_ledger: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let file = has_ledger.then(|| File::create(&path).unwrap());
        let settings = Settings { ledger: has_ledger.then_some(path), examples_max: 3, kind };
        Self {
            oracles: Oracles::new(settings),
            file,
            now: Duration::ZERO,
            class: LedgerClass::Plain,
            account: "a".into(),
            token: None,
            has_key: false,
            _folder: folder,
        }
    }

    /// A keyed call's token.
    pub(super) fn keyed(token: u64) -> Self {
        Self { class: LedgerClass::Keyed, token: Some(token), ..Self::new() }
    }

    fn tick(&mut self) -> Duration {
        self.now += Duration::from_millis(1);
        self.now
    }

    pub(super) fn call(&self, number: u64) -> Subject {
        let (account, class) = (Arc::clone(&self.account), self.class);
        Subject::Ledger(LedgerCall { number, account, class, has_idempotency_key: self.has_key })
    }

    pub(super) fn sends(&mut self, subject: Subject) -> Sent {
        let sent = self.tick();
        let expected = self.oracles.sending(&subject, sent);
        Sent { subject, sent, expected }
    }

    pub(super) fn ends(&mut self, Sent { subject, sent, expected }: Sent, end: End) {
        let times = Times { intended: sent, sent, ended: self.tick() };
        let observation = Observation { operation: 0, target: TargetId(1), subject, times, end };
        self.oracles.ended(&observation, expected);
    }

    /// Somebody asks, and this is what comes of it.
    pub(super) fn asks(&mut self, subject: Subject, end: End) {
        let sent = self.sends(subject);
        self.ends(sent, end);
    }

    /// Somebody calls, and is answered so.
    pub(super) fn calls(&mut self, number: u64, end: End) {
        self.asks(self.call(number), end);
    }

    /// What is answered by this process about its run of a call.
    pub(super) fn ran(&self, number: u64, process: u32) -> End {
        let token = self.token.map_or_else(|| "null".to_owned(), |token| token.to_string());
        let account = &self.account;
        value(&format!(
            "{{\"account\":\"{account}\",\"number\":{number},\"pid\":{process},\"token\":{token}}}"
        ))
    }

    /// A call that runs in this process and is answered so.
    pub(super) fn runs(&mut self, number: u64, process: u32) {
        let sent = self.sends(self.call(number));
        self.run(number, process);
        self.ends(sent, self.ran(number, process));
    }

    fn line(&mut self, what: &str, number: u64, process: u32) {
        let token = self.token.map_or_else(|| "-".to_owned(), |token| token.to_string());
        let action = match self.class {
            LedgerClass::Plain => "ledger",
            LedgerClass::Keyed => "ledger_keyed",
            LedgerClass::Idempotent => "ledger_idempotent",
        };
        let line =
            format!("{what} c-{number}-{process} {process} {token} {action} {} {number}\n", self.account);
        self.writes(&line);
    }

    pub(super) fn writes(&mut self, line: &str) {
        self.file.as_mut().expect("it has one").write_all(line.as_bytes()).unwrap();
    }

    pub(super) fn start(&mut self, number: u64, process: u32) {
        self.line("start", number, process);
    }

    pub(super) fn end(&mut self, number: u64, process: u32) {
        self.line("end", number, process);
    }

    pub(super) fn run(&mut self, number: u64, process: u32) {
        self.start(number, process);
        self.end(number, process);
    }

    pub(super) fn look(&mut self) {
        self.oracles.look(self.now).unwrap();
    }

    /// Raises the counter of a tag to this.
    pub(super) fn bumps(&mut self, tag: &str, count: i64) {
        self.asks(bump(tag), value(&count.to_string()));
    }

    pub(super) fn finish(self) -> Vec<results::Oracle> {
        self.oracles.finish(self.now).unwrap()
    }

    /// The promises that were broken, each with how often.
    pub(super) fn found(self) -> Vec<(String, u64)> {
        let oracles = self.finish().into_iter().filter(|oracle| oracle.violations > 0);
        oracles.map(|oracle| (oracle.name, oracle.violations)).collect()
    }

    /// Whether this promise alone was broken, once.
    #[track_caller]
    pub(super) fn finds(self, promise: &str) {
        assert_eq!(self.found(), [(promise.to_owned(), 1)]);
    }

    /// Nothing is wrong. What could not be judged, as `promise: why`.
    #[track_caller]
    pub(super) fn passes(self) -> Vec<String> {
        let oracles = self.finish();
        let examples: Vec<_> = oracles.iter().flat_map(|oracle| &oracle.examples).collect();
        assert!(examples.is_empty(), "{examples:#?}");
        let undecided = |oracle: &results::Oracle| {
            oracle.undecided.keys().map(|why| format!("{}: {why}", oracle.name)).collect::<Vec<_>>()
        };
        oracles.iter().flat_map(undecided).collect()
    }
}

pub(super) fn bump(tag: &str) -> Subject {
    Subject::Bump { tag: tag.into() }
}

pub(super) fn page(path: &str) -> Subject {
    Subject::Page { path: path.into() }
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> End {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap()));
    End::Answered(Answer { status, headers: headers.collect::<HeaderMap>(), body: body.into() })
}

/// The answer with this value.
pub(super) fn value(json: &str) -> End {
    rows(&format!("0:{{\"a\":\"$@1\",\"q\":\"\",\"i\":false,\"b\":\"x\"}}\n1:{json}\n"))
}

pub(super) fn rows(body: &str) -> End {
    answer(200, &[("callboard-outcome", "done"), ("content-type", "text/x-component")], body.to_owned())
}

/// An answer in words.
pub(super) fn refusal(status: u16, outcome: &str) -> End {
    answer(status, &[("callboard-outcome", outcome), ("content-type", "text/plain")], "no")
}

/// A page with counters.
pub(super) fn shows(counts: &str) -> End {
    let body = format!(
        "<!doctype html><title>t</title><script type=\"application/json\">{{\"pid\":1,\"render\":2,\"counts\":{counts}}}</script>"
    );
    answer(
        200,
        &[
            ("content-type", "text/html; charset=utf-8"),
            ("etag", &format!("{counts:?}").replace(['"', '\\'], "")),
        ],
        body,
    )
}

/// The same with a header more.
pub(super) fn with(end: End, name: &str, value: &str) -> End {
    let End::Answered(mut answer) = end else { panic!("{end:?} is no answer") };
    answer.headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
    End::Answered(answer)
}

pub(super) fn replayed(end: End) -> End {
    with(end, "callboard-replayed", "1")
}
