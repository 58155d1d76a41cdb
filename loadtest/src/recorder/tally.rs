//! What became of the requests of an operation.

use std::{collections::BTreeMap, time::Duration};

use super::Histogram;
use crate::{
    observation::End,
    results::{self, Outcome},
    scenario::{self, Kind},
};

/// Most error codes that are told apart: more than there are pages in docs/errors.
const ERROR_CODES_MAX: usize = 100;

/// What stands for those beyond.
const OTHER_CODES: &str = "other codes";

/// Counts of one operation, or of all.
pub(super) struct Tally {
    name: String,
    kind: &'static str,
    pub(super) asked: u64,
    /// Ended before load did.
    pub(super) in_time: u64,
    outcomes: Outcomes,
    /// Few, and mostly the first.
    statuses: Vec<(u16, u64)>,
    /// As few.
    error_codes: Vec<(String, u64)>,
    bytes_received: u64,
    latency: Histogram,
    service: Histogram,
}

impl Tally {
    pub(super) fn new(operation: &scenario::Operation) -> Self {
        let kind = match operation.kind {
            Kind::Action(_) => "action",
            Kind::Form(_) => "form",
            Kind::Page(_) => "page",
            Kind::Hostile(_) => "hostile",
        };
        Self::named(operation.name.clone(), kind)
    }

    /// Of all operations.
    pub(super) fn total() -> Self {
        Self::named("total".to_owned(), "total")
    }

    fn named(name: String, kind: &'static str) -> Self {
        Self {
            name,
            kind,
            asked: 0,
            in_time: 0,
            outcomes: Outcomes::default(),
            statuses: Vec::new(),
            error_codes: Vec::new(),
            bytes_received: 0,
            latency: Histogram::default(),
            service: Histogram::default(),
        }
    }

    pub(super) fn ended(&mut self, end: &End, outcome: Outcome, latency_us: u64, service_us: u64) {
        self.outcomes.count(outcome);
        self.latency.record(latency_us);
        self.service.record(service_us);
        if let End::Answered(answer) = end {
            self.bytes_received += answer.body.len() as u64;
            self.count_status(answer.status, 1);
            if let Some(code) = answer.header("callboard-error") {
                self.count_error_code(code, 1);
            }
        }
    }

    /// A server may say what it likes: of too many, the others are one.
    fn count_error_code(&mut self, code: &str, count: u64) {
        let is_new = self.error_codes.iter().all(|(known, _)| known != code);
        let code = if is_new && self.error_codes.len() >= ERROR_CODES_MAX { OTHER_CODES } else { code };
        match self.error_codes.iter_mut().find(|(known, _)| known == code) {
            Some((_, known)) => *known += count,
            None => self.error_codes.push((code.to_owned(), count)),
        }
    }

    fn count_status(&mut self, status: u16, count: u64) {
        match self.statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, known)) => *known += count,
            None => self.statuses.push((status, count)),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.in_time += other.in_time;
        self.bytes_received += other.bytes_received;
        self.outcomes.add(&other.outcomes);
        self.latency.add(&other.latency);
        self.service.add(&other.service);
        for (status, count) in &other.statuses {
            self.count_status(*status, *count);
        }
        for (code, count) in &other.error_codes {
            self.count_error_code(code, *count);
        }
    }

    pub(super) fn finish(self, measured: Duration) -> results::Operation {
        let per_second = |count: u64| {
            let seconds = measured.as_secs_f64();
            if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
        };
        let latency = self.latency.latency();
        results::Operation {
            name: self.name,
            kind: self.kind.to_owned(),
            requests: latency.count,
            outcomes: self.outcomes.map(),
            statuses: self.statuses.into_iter().collect(),
            error_codes: self.error_codes.into_iter().collect(),
            rate_asked: per_second(self.asked),
            rate_achieved: per_second(self.in_time),
            bytes_received: self.bytes_received,
            latency,
            service: self.service.latency(),
        }
    }
}

/// How many ended in which way.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcomes([u64; Self::ALL.len()]);

impl Outcomes {
    /// In the order of their numbers.
    const ALL: [Outcome; 8] = [
        Outcome::Done,
        Outcome::Failed,
        Outcome::NotRun,
        Outcome::Unknown,
        Outcome::HungUp,
        Outcome::Broken,
        Outcome::TimedOut,
        Outcome::Malformed,
    ];

    pub(super) fn count(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (count, other) in self.0.iter_mut().zip(other.0) {
            *count += other;
        }
    }

    /// Those that there were.
    pub(super) fn map(&self) -> BTreeMap<Outcome, u64> {
        Self::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0).collect()
    }
}
