//! Servers that never were, whose capacity is known.

use super::*;
use crate::results::{Generator, Latency, Operation, Outcome, SCHEMA};

/// Answers slower the closer it is to its capacity, and with noise.
struct Server {
    capacity: f64,
    /// The generator can do no more.
    generator_max: f64,
    noise: u64,
    asked: u32,
}

impl Server {
    fn of(capacity: f64) -> Self {
        Self { capacity, generator_max: f64::INFINITY, noise: 88_172_645_463_325_252, asked: 0 }
    }

    /// From -1 to 1: xorshift, so that each run is the same.
    fn draw(&mut self) -> f64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        (self.noise % 2_001) as f64 / 1_000.0 - 1.0
    }
}

impl Measures for Server {
    async fn measure(&mut self, rate: f64) -> anyhow::Result<Results> {
        self.asked += 1;
        // This time it carries up to 3 % more or less.
        let capacity = self.capacity * (1.0 + 0.03 * self.draw());
        let load = rate / capacity;
        let p99_us = if load < 1.0 { (2_000.0 / (1.0 - load)).min(15_000.0) } else { 2_000_000.0 };
        let cpu_share = if rate > self.generator_max { 0.97 } else { 0.3 };
        Ok(run(rate, rate.min(capacity), p99_us as u64, cpu_share))
    }
}

fn run(asked: f64, achieved: f64, p99_us: u64, cpu_share: f64) -> Results {
    let requests = (achieved * 10.0) as u64;
    let total = Operation {
        requests,
        outcomes: [(Outcome::Done, requests)].into(),
        rate_asked: asked,
        rate_achieved: achieved,
        latency: Latency { p99_us, ..Latency::default() },
        ..Operation::default()
    };
    Results {
        schema: SCHEMA.to_owned(),
        scenario: String::new(),
        about: String::new(),
        command: String::new(),
        seed: 0,
        began: String::new(),
        duration_s: 10.0,
        partial: None,
        targets: Vec::new(),
        total,
        operations: Vec::new(),
        seconds: Vec::new(),
        marks: Vec::new(),
        generator: Generator { cpu_share, ..Generator::default() },
        oracles: Vec::new(),
        objectives: Vec::new(),
        faults: Vec::new(),
    }
}

fn slo() -> Slo {
    "p99<20ms,errors<0.1%".parse().unwrap()
}

async fn found(server: &mut Server) -> Capacity {
    Search::default().run(&slo(), server).await.unwrap()
}

#[tokio::test]
async fn a_capacity_is_found_within_five_per_cent_in_spite_of_noise() {
    for seed in 1..50 {
        for capacity in [1_234.0, 57.0, 40.0, 88_000.0] {
            let mut server = Server::of(capacity);
            server.noise ^= seed << 32;
            let result = found(&mut server).await;
            let rate = result.rate.unwrap();
            assert!((rate / capacity - 1.0).abs() < 0.05, "{capacity}: {rate}, seed {seed}");
            assert_eq!(result.end, EndOfSearch::Found);
            assert!(server.asked < 70, "{} trials", server.asked);
        }
    }
}

#[tokio::test]
async fn a_rate_is_accepted_by_most_of_its_trials_and_that_is_said() {
    let result = found(&mut Server::of(1_234.0)).await;
    let rate = result.rate.unwrap();
    let (agreeing, of) = result.agreement(rate, TrialVerdict::Held);
    assert!(of == 3 && agreeing >= 2);
    let text = result.text();
    assert!(text.contains(&format!("holds, in {agreeing} of 3 trials")), "{text}");
    assert!(text.contains("It does not hold at"), "{text}");
    assert!(text.contains("p99<20ms") && text.contains("achieved>=0.98"), "{text}");
    assert_eq!(text.lines().count(), result.trials.len() + 3);
}

#[tokio::test]
async fn no_rate_is_accepted_that_the_generator_could_not_ask_for() {
    let mut server = Server::of(10_000.0);
    server.generator_max = 3_000.0;
    let result = found(&mut server).await;
    assert_eq!(result.end, EndOfSearch::Generator);
    assert!(result.rate.unwrap() <= 3_000.0 && result.rate.unwrap() > 2_800.0, "{:?}", result.rate);
    assert!(result.sentence().contains("The target may carry more"), "{}", result.sentence());
}

#[tokio::test]
async fn a_server_that_holds_nothing_is_told_as_such() {
    let mut server = Server::of(0.4);
    let result = found(&mut server).await;
    assert_eq!((result.rate, result.end), (None, EndOfSearch::Nothing));
    assert!(
        result.sentence().contains("at no rate: not at 1.00/s in 3 of 3 trials"),
        "{}",
        result.sentence()
    );
}

#[tokio::test]
async fn the_highest_rate_that_may_be_tried_ends_the_search() {
    let search = Search { rate_max: 500.0, ..Search::default() };
    let result = search.run(&slo(), &mut Server::of(10_000.0)).await.unwrap();
    assert_eq!((result.rate, result.beyond, result.end), (Some(500.0), None, EndOfSearch::RateMax));
}

#[tokio::test]
async fn what_cannot_be_measured_ends_the_search_with_its_reason() {
    /// Nobody is there.
    struct Gone;
    impl Measures for Gone {
        async fn measure(&mut self, _rate: f64) -> anyhow::Result<Results> {
            anyhow::bail!("connection refused")
        }
    }
    let error = Search::default().run(&slo(), &mut Gone).await.unwrap_err();
    assert_eq!(error.to_string(), "connection refused");
}

#[tokio::test]
async fn a_search_that_is_stopped_says_what_it_has() {
    /// Somebody has enough of it at the second rate.
    struct Stopped(u32);
    impl Measures for Stopped {
        async fn measure(&mut self, rate: f64) -> anyhow::Result<Results> {
            self.0 += 1;
            let partial = (self.0 > Search::default().repeats).then(|| "stopped by hand".to_owned());
            Ok(Results { partial, ..run(rate, rate, 1_000, 0.1) })
        }
    }
    let found = Search::default().run(&slo(), &mut Stopped(0)).await.unwrap();
    assert_eq!((found.rate, found.trials.len(), found.passes()), (Some(100.0), 3, false));
    assert!(found.sentence().contains("stopped by hand"), "{}", found.sentence());
}

#[test]
fn a_run_in_which_nothing_ended_holds_nothing() {
    assert!(slo().judge(&run(100.0, 0.0, 0, 0.0)).iter().all(|objective| !objective.held));
}
