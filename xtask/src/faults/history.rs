//! What clients asked, and what they were answered.

use serde::{Deserialize, de::DeserializeOwned};

use super::ledger::Action;
use crate::cluster::http;

/// A request, as its client saw it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Names the call. Only requests with the same idempotency key share one.
    pub(crate) number: u64,
    pub(crate) action: Action,
    pub(crate) account: String,
    pub(crate) client: usize,
    /// The process that was asked.
    pub(crate) asked: u32,
    pub(crate) has_idempotency_key: bool,
    /// When it was sent, and when its end came: one count of everything that happens to clients, and no time.
    pub(crate) sent: u64,
    pub(crate) ended: u64,
    pub(crate) end: End,
}

/// How a request ended for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client waited in vain.
    Silence,
    /// The client went away.
    HungUp,
    /// The connection broke.
    Broken(String),
    /// An answer.
    Answered(Answer),
}

/// What an answer says became of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Done,
    Failed,
    NotRun,
    Unknown,
    /// The answer does not say it.
    Missing,
}

/// What the action returned.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Returned {
    pub(crate) account: String,
    pub(crate) number: u64,
    pub(crate) pid: u32,
    pub(crate) token: Option<u64>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    /// The call ID, where the answer names it.
    pub(crate) call: Option<String>,
    /// Whether it is the outcome of an earlier call with the same idempotency key.
    pub(crate) replayed: bool,
    pub(crate) returned: Option<Returned>,
    pub(crate) http: http::Answer,
}

impl Answer {
    pub(crate) fn of(http: http::Answer) -> Self {
        let outcome = match http.header("callboard-outcome") {
            Some("done") => Outcome::Done,
            Some("failed") => Outcome::Failed,
            Some("not-run") => Outcome::NotRun,
            Some("unknown") => Outcome::Unknown,
            _ => Outcome::Missing,
        };
        Self {
            outcome,
            call: http.header("callboard-call-id").map(str::to_owned),
            replayed: http.header("callboard-replayed").is_some(),
            returned: returned(&http.body),
            http,
        }
    }
}

/// The value, which is the second row of the answer.
pub(crate) fn returned<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(body).ok()?;
    let row = text.lines().find_map(|line| line.strip_prefix("1:"))?;
    serde_json::from_str(row).ok()
}

impl Request {
    pub(crate) fn answer(&self) -> Option<&Answer> {
        match &self.end {
            End::Answered(answer) => Some(answer),
            _ => None,
        }
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.answer().map(|answer| answer.outcome)
    }

    /// Whether another process ran it than the one that was asked.
    pub(crate) fn was_routed(&self) -> bool {
        let answer = self.answer().filter(|answer| !answer.replayed);
        let returned = answer.and_then(|answer| answer.returned.as_ref());
        returned.is_some_and(|returned| returned.pid != self.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_became_of_the_call_and_what_it_returned() {
        let headers =
            [("callboard-outcome", "done"), ("callboard-replayed", "1"), ("callboard-call-id", "c")];
        let http = http::Answer {
            status: 200,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: b"0:{\"a\":\"$@1\",\"b\":\"x\"}\n1:{\"account\":\"a\",\"number\":3,\"pid\":7,\"token\":null}\n".to_vec(),
        };
        let answer = Answer::of(http);
        assert_eq!(
            (answer.outcome, answer.replayed, answer.call.as_deref()),
            (Outcome::Done, true, Some("c"))
        );
        let returned = Returned { account: "a".into(), number: 3, pid: 7, token: None };
        assert_eq!(answer.returned, Some(returned));
        assert_eq!(Answer::of(http::Answer::default()).outcome, Outcome::Missing);
    }
}
