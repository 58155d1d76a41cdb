//! What became of a request.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::HeaderMap;

use crate::results::Outcome;

/// A request that has ended: what it was for, when, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// Its place in [`crate::scenario::Scenario::operations`].
    pub(crate) operation: usize,
    /// Who was asked; numbers are never used again within a run.
    pub(crate) target: TargetId,
    pub(crate) subject: Subject,
    pub(crate) times: Times,
    pub(crate) end: End,
}

/// A server that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TargetId(pub(crate) usize);

/// When it was, in time since the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// When it should have been sent. Latency counts from here, so that a client that was held up by a slow server does not
    /// hide how slow it was.
    pub(crate) intended: Duration,
    pub(crate) sent: Duration,
    pub(crate) ended: Duration,
}

/// What an oracle has to know about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Nothing: it is counted, and no more is asked of its answer than of that of any request.
    Plain,
    /// A call of an action that is not looked into: its answer says what became of it, and is made of rows.
    Call,
    /// A call that writes itself down: actions `ledger`, `ledger_keyed` and `ledger_idempotent` of the workload.
    Ledger(LedgerCall),
    /// Raises the counter of a tag by one and makes its pages stale: the action `bump`.
    Bump { tag: Arc<str> },
    /// A page that shows the counters of its tags: `/tagged/N` and `/tag/T`, or what a Next.js peer has in their place.
    Page { path: Arc<str> },
    /// A form sent without JavaScript, possibly twice: requests with one number are of one form as a browser was given it.
    Form { number: u64 },
    /// A request that no server may do anything for.
    Hostile,
}

/// A call that writes itself down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LedgerCall {
    /// Stands in the ledger. Requests with one idempotency key have one number, all others have their own.
    pub(crate) number: u64,
    /// Calls of one account of a keyed action run one at a time.
    pub(crate) account: Arc<str>,
    pub(crate) class: LedgerClass,
    pub(crate) has_idempotency_key: bool,
}

/// Which of the actions that write themselves down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LedgerClass {
    Plain,
    Keyed,
    Idempotent,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Answered(Answer),
    /// The client hung up, as it was meant to.
    HungUp,
    /// There was no connection, or it ended before the answer did: why.
    Broken(String),
    /// No whole answer within the scenario's `timeout`.
    TimedOut,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The value of a header, if it is text.
    #[must_use]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl End {
    /// What it counts as. Servers that say nothing of it are believed by their status.
    #[must_use]
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(answer) => match (answer.header("callboard-outcome"), answer.status) {
                (Some("done"), _) | (None, 200..=399) => Outcome::Done,
                (Some("not-run"), _) | (None, 400..=499) => Outcome::NotRun,
                (Some("failed"), _) | (None, 500..) => Outcome::Failed,
                (Some("unknown"), _) => Outcome::Unknown,
                (Some(_), _) | (None, 0..=199) => Outcome::Malformed,
            },
            Self::HungUp => Outcome::HungUp,
            Self::Broken(_) => Outcome::Broken,
            Self::TimedOut => Outcome::TimedOut,
        }
    }
}
