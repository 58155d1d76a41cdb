//! Requests that are one call: answered once, and then with the same.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::verdict::{Verdict, told};
use crate::{
    observation::{Answer, End, Observation},
    results::Outcome,
};

/// Numbers without a request under way that are remembered with their first answer.
pub(super) const NUMBERS_KEPT_MAX: usize = 8192;

/// Bodies that are remembered to be compared; of larger ones the length is.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Headers in which a replay may differ: they are of the answer, and not of the outcome.
const OF_THE_ANSWER: &[&str] = &["callboard-replayed", "connection", "date"];

/// What has to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Same {
    /// Everything, to the byte.
    All,
    /// What a person sees: status, where it leads, and the page without the hidden fields, which are another in each
    /// response.
    Seen,
}

/// What is known of the answers to each number.
pub(super) struct Replays {
    same: Same,
    known: HashMap<u64, Known>,
    kept: VecDeque<u64>,
    /// The highest number that was let go of; numbers grow.
    forgotten: Option<u64>,
}

#[derive(Default)]
struct Known {
    in_flight: usize,
    /// The answer that all others are compared with.
    first: Option<Said>,
    /// The answer that says that it is no replay.
    original: Option<String>,
}

/// What an answer said.
struct Said {
    told: String,
    status: u16,
    headers: Vec<(String, Bytes)>,
    /// Nothing where only a replay without a body has come so far.
    body: Option<Body>,
}

#[derive(PartialEq, Eq)]
enum Body {
    Whole(Bytes),
    Long(usize),
}

impl Replays {
    pub(super) fn new(same: Same) -> Self {
        Self { same, known: HashMap::new(), kept: VecDeque::new(), forgotten: None }
    }

    /// A request with this number is sent.
    pub(super) fn sending(&mut self, number: u64, verdict: &mut Verdict) {
        if !self.known.contains_key(&number) && self.forgotten.is_some_and(|forgotten| number <= forgotten) {
            verdict.undecided("the first answer was forgotten");
        }
        self.known.entry(number).or_default().in_flight += 1;
    }

    /// It has ended.
    pub(super) fn ended(&mut self, number: u64, observation: &Observation, verdict: &mut Verdict) {
        let Some(known) = self.known.get_mut(&number) else { return };
        known.in_flight = known.in_flight.saturating_sub(1);
        if known.in_flight == 0 {
            self.kept.push_back(number);
        }
        match (&observation.end, observation.end.outcome()) {
            (End::Answered(answer), Outcome::Done | Outcome::Failed) => {
                verdict.judged();
                known.judge(number, self.same, observation, answer, verdict);
            }
            (_, Outcome::NotRun) => verdict.judged(),
            (_, Outcome::Unknown) => verdict.undecided("answered unknown"),
            (_, Outcome::HungUp) => verdict.undecided("the client hung up"),
            _ => verdict.undecided("not answered"),
        }
        while self.kept.len() > NUMBERS_KEPT_MAX {
            let oldest = self.kept.pop_front();
            let is_idle = |oldest: &u64| self.known.get(oldest).is_some_and(|known| known.in_flight == 0);
            if let Some(oldest) = oldest.filter(is_idle) {
                self.known.remove(&oldest);
                self.forgotten = self.forgotten.max(Some(oldest));
            }
        }
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.known.len(), self.kept.len())
    }
}

impl Known {
    fn judge(
        &mut self,
        number: u64,
        same: Same,
        observation: &Observation,
        answer: &Answer,
        verdict: &mut Verdict,
    ) {
        let this = told(observation);
        if answer.header("callboard-replayed").is_none() {
            match &self.original {
                Some(before) => {
                    let what = || format!("two answers to number {number} say that they are no replay");
                    verdict.broken(what, || vec![before.clone(), this.clone()]);
                }
                None => self.original = Some(this.clone()),
            }
        }
        let said = Said::of(answer, same, this);
        let Some(first) = &mut self.first else {
            self.first = Some(said);
            return;
        };
        if let Some(difference) = first.difference(&said) {
            let what = || format!("two answers to number {number} differ in {difference}");
            verdict.broken(what, || vec![first.told.clone(), said.told]);
        } else if first.body.is_none() {
            *first = said;
        }
    }
}

impl Said {
    fn of(answer: &Answer, same: Same, told: String) -> Self {
        let counts = |name: &str| match same {
            Same::All => !OF_THE_ANSWER.contains(&name),
            Same::Seen => name == "location",
        };
        let headers = answer.headers.iter().filter(|(name, _)| counts(name.as_str()));
        let mut headers: Vec<_> = headers
            .map(|(name, value)| (name.to_string(), Bytes::copy_from_slice(value.as_bytes())))
            .collect();
        headers.sort();
        let body = match same {
            Same::All => answer.body.clone(),
            Same::Seen => without_hidden_fields(&answer.body),
        };
        let body = if body.len() > BODY_BYTES_MAX { Body::Long(body.len()) } else { Body::Whole(body) };
        let is_kept = answer.header("callboard-replayed") != Some("body-not-kept");
        Self { told, status: answer.status, headers, body: is_kept.then_some(body) }
    }

    /// In what they differ. Of one without its body nothing else is compared: a form is then answered with another page.
    fn difference(&self, other: &Self) -> Option<String> {
        let (Some(body), Some(others)) = (&self.body, &other.body) else { return None };
        if self.status != other.status {
            return Some("their statuses".to_owned());
        }
        if self.headers != other.headers {
            let mut of_one = self.headers.iter().filter(|header| !other.headers.contains(header));
            let mut of_other = other.headers.iter().filter(|header| !self.headers.contains(header));
            let name = of_one.next().or_else(|| of_other.next()).map_or("", |(name, _)| name);
            return Some(format!("the header {name}"));
        }
        (body != others).then(|| "their bodies".to_owned())
    }
}

/// A page without `<input type="hidden" …>`.
fn without_hidden_fields(page: &Bytes) -> Bytes {
    const FIELD: &[u8] = b"<input type=\"hidden\"";
    let mut rest = &page[..];
    let mut seen = Vec::with_capacity(page.len());
    while let Some(at) = rest.windows(FIELD.len()).position(|part| part == FIELD) {
        seen.extend_from_slice(&rest[..at]);
        let end = rest[at..].iter().position(|byte| *byte == b'>').map_or(rest.len(), |end| at + end + 1);
        rest = &rest[end..];
    }
    seen.extend_from_slice(rest);
    seen.into()
}
