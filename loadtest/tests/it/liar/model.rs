//! What the workload does, and the lies.

use std::{
    collections::{BTreeMap, HashMap},
    fs::OpenOptions,
    io::{self, Write as _},
    path::PathBuf,
};

use serde_json::{Value, json};

use super::{
    Lie, TRUTHS,
    http::{Answer, Request},
};

/// The actions; each one's reference is its place here in 42 digits.
const ACTIONS: &[&str] = &["echo", "ledger", "ledger_keyed", "ledger_idempotent", "bump"];

/// Pages at `/tagged/N`, and tags that they share.
const PAGES: u32 = 12;

/// Keyed calls have a token.
const TOKEN: u64 = 1;

/// The server's memory.
pub(super) struct Model {
    lie: Lie,
    /// Answers that could have been lies.
    candidates: usize,
    ledger: PathBuf,
    counters: HashMap<String, i64>,
    /// What each page was first.
    pages: HashMap<String, Answer>,
    /// Answers to idempotency keys.
    answered: HashMap<String, Answer>,
    /// Lines of calls that run after the next one of their account.
    held: HashMap<String, String>,
    calls: u64,
}

pub(super) fn reference(action: &str) -> String {
    let place = ACTIONS.iter().position(|known| *known == action).expect("it is one of them");
    format!("{place:042x}")
}

impl Model {
    pub(super) fn new(lie: Lie, ledger: PathBuf) -> Self {
        Self {
            lie,
            candidates: 0,
            ledger,
            counters: HashMap::new(),
            pages: HashMap::new(),
            answered: HashMap::new(),
            held: HashMap::new(),
            calls: 0,
        }
    }

    pub(super) fn answer(&mut self, request: &Request) -> io::Result<Answer> {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/actions") => Ok(actions()),
            ("GET", path) => Ok(self.page(path)),
            ("POST", _) => self.post(request),
            _ => Ok(refused(405, "method-not-allowed")),
        }
    }

    /// Whether to lie now, where that is possible.
    fn lies(&mut self, lie: Lie) -> bool {
        self.candidates += usize::from(self.lie == lie);
        self.lie == lie && self.candidates.is_multiple_of(TRUTHS)
    }

    fn page(&mut self, path: &str) -> Answer {
        let tags = match path.trim_start_matches('/').split_once('/') {
            Some(("tagged", number)) => {
                let Some(number) = number.parse::<u32>().ok().filter(|number| *number < PAGES) else {
                    return Answer::new(404, "text/html", "");
                };
                [number, (number + 1) % PAGES].map(|number| format!("tagged-{number}")).to_vec()
            }
            Some(("tag", tag)) => vec![tag.to_owned()],
            _ => return Answer::new(404, "text/html", ""),
        };
        let counts: BTreeMap<_, _> =
            tags.iter().map(|tag| (tag, self.counters.get(tag).copied().unwrap_or(0))).collect();
        let shown = json!({ "pid": std::process::id(), "render": self.calls, "counts": counts });
        let body =
            format!("<!doctype html><title>t</title><script type=\"application/json\">{shown}</script>");
        let page = Answer::new(200, "text/html; charset=utf-8", body);
        let first = self.pages.entry(path.to_owned()).or_insert_with(|| page.clone()).clone();
        if first != page && self.lies(Lie::StalePage) { first } else { page }
    }

    fn post(&mut self, request: &Request) -> io::Result<Answer> {
        let Some(named) = request.header("next-action") else { return Ok(refused(400, "not-an-action")) };
        let Some(action) = ACTIONS.iter().find(|action| reference(action) == named) else {
            return Ok(refused(400, "bad-signature"));
        };
        let Some(arguments) = arguments(request) else { return Ok(refused(400, "malformed-reply")) };
        let key = request.header("idempotency-key").map(|key| format!("{action} {key}"));
        if let Some(answer) = key.as_ref().and_then(|key| self.answered.get(key)) {
            return Ok(answer.clone().with("callboard-replayed", "1"));
        }
        self.calls += 1;
        let answer = match (*action, &arguments[..]) {
            ("echo", [value, ..]) => done(value),
            ("echo", []) => done(&Value::Null),
            ("bump", [Value::String(tag)]) => {
                let count = self.counters.entry(tag.clone()).or_default();
                *count += 1;
                done(&json!(*count))
            }
            (action, [Value::String(account), Value::Number(number), _]) if action.starts_with("ledger") => {
                self.run(action, account, &number.to_string())?
            }
            _ => return Ok(refused(400, "argument-mismatch")),
        };
        if let Some(key) = key {
            self.answered.insert(key, answer.clone());
        }
        Ok(answer)
    }

    /// Writes down a run, and says so, unless it lies.
    fn run(&mut self, action: &str, account: &str, number: &str) -> io::Result<Answer> {
        let token = (action == "ledger_keyed").then_some(TOKEN);
        let call = self.calls;
        let pid = std::process::id();
        let lines = |call: u64, pid: u32| {
            let token = token.map_or_else(|| "-".to_owned(), |token| token.to_string());
            let words = format!("call-{call} {pid} {token} {action} {account} {number}\n");
            format!("start {words}end {words}")
        };
        let number: Value = serde_json::from_str(number)?;
        let told = done(&json!({ "account": account, "number": number, "pid": pid, "token": token }));
        let mut lines_now = lines(call, pid);
        if self.lies(Lie::LostCall) {
            return Ok(told);
        }
        if action != "ledger_idempotent" && self.lies(Lie::DuplicateStart) {
            lines_now.push_str(&lines(call, pid + 1));
        }
        if let Some(held) = self.held.remove(account) {
            lines_now.push_str(&held);
        } else if token.is_some() && self.lies(Lie::ReorderedKey) {
            self.held.insert(account.to_owned(), lines_now);
            return Ok(told);
        }
        OpenOptions::new().append(true).create(true).open(&self.ledger)?.write_all(lines_now.as_bytes())?;
        Ok(if self.lies(Lie::FalseNotRun) { refused(503, "overloaded") } else { told })
    }
}

/// What the admin port says.
fn actions() -> Answer {
    let actions: Vec<_> = ACTIONS
        .iter()
        .map(|name| json!({ "reference": reference(name), "id": reference(name), "name": name }))
        .collect();
    Answer::new(200, "application/json", json!({ "build": "liar", "actions": actions }).to_string())
}

fn done(value: &Value) -> Answer {
    let rows = format!("0:{{\"a\":\"$@1\",\"q\":\"\",\"i\":false,\"b\":\"liar\"}}\n1:{value}\n");
    Answer::new(200, "text/x-component", rows).with("callboard-outcome", "done")
}

fn refused(status: u16, code: &str) -> Answer {
    Answer::new(status, "text/plain", code).with("callboard-outcome", "not-run").with("callboard-error", code)
}

/// The arguments, which are the body or the part named 0, if they are JSON without anything that refers to other parts.
fn arguments(request: &Request) -> Option<Vec<Value>> {
    let body = std::str::from_utf8(&request.body).ok()?;
    if !request.header("content-type")?.starts_with("multipart/form-data") {
        return serde_json::from_str(body).ok();
    }
    let (_, part) = body.split_once("name=\"0\"")?;
    let (_, part) = part.split_once("\r\n\r\n")?;
    let (part, _) = part.split_once("\r\n--")?;
    serde_json::from_str(part).ok()
}
