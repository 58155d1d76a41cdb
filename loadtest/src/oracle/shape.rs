//! Whether an answer is one: its rows can be read, and its status and type are those of what was asked.

use std::collections::HashMap;

use bytes::Bytes;
use callboard_protocol::flight::{self, Parser, RowKind, Thrown};

use super::verdict::{Verdict, told};
use crate::{
    observation::{Answer, End, Observation, Subject},
    results::Outcome,
    target::Kind,
};

/// Answers that are read; one that is larger is counted and left alone, as reading it would hold the load up.
const BODY_BYTES_MAX: usize = 4 << 20;

/// Answers that are remembered because the next one is probably the same: one for each operation.
const REMEMBERED_BYTES_MAX: usize = 64 << 10;
pub(super) const REMEMBERED_MAX: usize = 256;

/// The row of an answer that holds the action's value.
const VALUE_ROW: u32 = 1;

/// What an action gave back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// JSON, with what it refers to left out.
    Value(Bytes),
    /// Nothing, or something that is no JSON.
    Nothing,
    /// Nobody knows.
    Unreadable,
}

/// Judges answers.
#[derive(Default)]
pub(super) struct Shape {
    kind: Kind,
    /// The last body of rows that could be read, by operation.
    read: HashMap<usize, (Bytes, Given)>,
}

impl Shape {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, read: HashMap::new() }
    }

    /// Judges an answer, and gives what its rows hold. `shows` says whether a page showed what it should.
    pub(super) fn check(&mut self, observation: &Observation, shows: bool, verdict: &mut Verdict) -> Given {
        let End::Answered(answer) = &observation.end else {
            if observation.subject == Subject::Hostile {
                verdict.undecided("a hostile request was not answered");
            }
            return Given::Nothing;
        };
        verdict.judged();
        let (given, rows) = self.rows(observation.operation, answer, verdict);
        let outcome = observation.end.outcome();
        let checked = rows.and_then(|()| match observation.subject {
            Subject::Plain => Ok(()),
            Subject::Call | Subject::Ledger(_) | Subject::Bump { .. } => self.call(answer, outcome),
            Subject::Form { .. } => self.form(answer, outcome),
            Subject::Page { .. } => page(answer, shows),
            Subject::Hostile => self.hostile(answer, outcome, verdict),
        });
        if let Err(what) = checked {
            verdict.broken(|| what, || vec![told(observation), excerpt(&answer.body)]);
            return Given::Unreadable;
        }
        given
    }

    /// Reads rows, if there are any.
    fn rows(
        &mut self,
        operation: usize,
        answer: &Answer,
        verdict: &mut Verdict,
    ) -> (Given, Result<(), String>) {
        if media_type(answer) != "text/x-component" {
            return (Given::Nothing, Ok(()));
        }
        if answer.body.len() > BODY_BYTES_MAX {
            verdict.undecided("an answer was too large to be read");
            return (Given::Unreadable, Ok(()));
        }
        if let Some((body, given)) = self.read.get(&operation)
            && *body == answer.body
        {
            return (given.clone(), Ok(()));
        }
        match read(&answer.body) {
            Ok(given) => {
                let is_known = self.read.contains_key(&operation) || self.read.len() < REMEMBERED_MAX;
                if is_known && answer.body.len() <= REMEMBERED_BYTES_MAX {
                    self.read.insert(operation, (answer.body.clone(), given.clone()));
                }
                (given, Ok(()))
            }
            Err(what) => (Given::Unreadable, Err(what)),
        }
    }

    fn call(&self, answer: &Answer, outcome: Outcome) -> Result<(), String> {
        if self.kind == Kind::Next {
            return Ok(());
        }
        fits(answer.status, outcome, false)?;
        match (media_type(answer), outcome) {
            ("text/x-component", _) | ("text/plain", Outcome::NotRun | Outcome::Unknown) => Ok(()),
            // It says no outcome, which is for somebody else to tell.
            _ if outcome == Outcome::Malformed || answer.header("callboard-outcome").is_none() => Ok(()),
            (other, _) => Err(format!("a call was answered with {other:?}")),
        }
    }

    fn form(&self, answer: &Answer, outcome: Outcome) -> Result<(), String> {
        if self.kind == Kind::Next {
            return Ok(());
        }
        fits(answer.status, outcome, true)?;
        match (answer.status, media_type(answer)) {
            (303, _) if answer.header("location").is_none() => Err("a redirect leads nowhere".to_owned()),
            (200, other) if other != "text/html" => Err(format!("a form was answered with {other:?}")),
            _ => Ok(()),
        }
    }

    fn hostile(&self, answer: &Answer, outcome: Outcome, verdict: &mut Verdict) -> Result<(), String> {
        match (answer.status, outcome) {
            (_, Outcome::Done | Outcome::Failed) if answer.header("callboard-outcome").is_some() => {
                Err("a hostile request was executed".to_owned())
            }
            (400..=499, _) => Ok(()),
            (503, Outcome::NotRun) => {
                verdict.undecided("a hostile request found no room");
                Ok(())
            }
            (500..=599, _) if self.kind == Kind::Next => {
                verdict.undecided("the target promises nothing about hostile requests");
                Ok(())
            }
            (status, _) => Err(format!("a hostile request was answered {status}")),
        }
    }
}

/// Whether a status is one of those that an outcome comes with; docs/PROTOCOL.md has the table.
fn fits(status: u16, outcome: Outcome, is_form: bool) -> Result<(), String> {
    let fits = match outcome {
        Outcome::Done => matches!(status, 200 | 401 | 403 | 404) || is_form && status == 303,
        Outcome::Failed => status == 500,
        Outcome::NotRun => {
            matches!(status, 400 | 401 | 403 | 404 | 405 | 409 | 413 | 422 | 500 | 503)
                || is_form && status == 303
        }
        Outcome::Unknown => matches!(status, 500 | 504),
        _ => true,
    };
    if fits { Ok(()) } else { Err(format!("an answer that says {outcome:?} has status {status}")) }
}

fn page(answer: &Answer, shows: bool) -> Result<(), String> {
    match answer.status {
        200 if media_type(answer) != "text/html" => Err(format!("a page is {:?}", media_type(answer))),
        200 if !shows => Err("a page does not show the counters of its tags".to_owned()),
        200 | 303 | 304 | 404 | 503 => Ok(()),
        status => Err(format!("a page was answered {status}")),
    }
}

/// The type without its parameters.
fn media_type(answer: &Answer) -> &str {
    answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

/// Reads every row of an answer, and then the answer as its client would.
fn read(body: &Bytes) -> Result<Given, String> {
    let Some((last, all)) = body.split_last() else { return Err("an answer of rows is empty".to_owned()) };
    let mut parser = Parser::new(BODY_BYTES_MAX);
    let mut given = Given::Nothing;
    let mut ends = 0;
    for piece in [all, &[*last]] {
        ends = 0;
        parser.push(piece);
        while let Some(row) = parser.next_row().map_err(|error| format!("an answer is no rows: {error}"))? {
            ends += 1;
            if !matches!(row.kind, RowKind::Model | RowKind::Error) {
                continue;
            }
            serde_json::from_slice::<serde::de::IgnoredAny>(&row.body)
                .map_err(|error| format!("row {:x} of an answer is no JSON: {error}", row.id))?;
            if row.id == VALUE_ROW && row.kind == RowKind::Model {
                given = Given::Value(row.body);
            }
        }
    }
    // The last byte has to end a row, or it was cut off.
    if ends != 1 {
        return Err("the last row of an answer was cut off".to_owned());
    }
    match flight::parse_action(body) {
        Err(error) => Err(format!("an answer cannot be read: {error}")),
        Ok(response) if response.result == Err(Thrown { digest: None }) => {
            Err("the value of an answer never comes".to_owned())
        }
        Ok(_) => Ok(given),
    }
}

/// The beginning of a body, for people.
fn excerpt(body: &Bytes) -> String {
    const BYTES_MAX: usize = 200;
    let more = if body.len() > BYTES_MAX { "…" } else { "" };
    format!("its body: {:?}{more}", String::from_utf8_lossy(&body[..body.len().min(BYTES_MAX)]))
}
