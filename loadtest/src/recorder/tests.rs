//! The recorder is fed with times that are known.

use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;

use super::*;
use crate::{
    observation::{Answer, End, Subject, TargetId, Times},
    results::Outcome,
    scenario::{Http, Kind, Load, Operation, Page, Picks, Rate, Spacing},
};

fn scenario(warm_up_s: u64, duration_s: u64) -> Scenario {
    Scenario {
        name: "synthetic".to_owned(),
        about: String::new(),
        load: Load {
            rate: Rate::Constant(1.0),
            spacing: Spacing::Even,
            warm_up: Duration::from_secs(warm_up_s),
            duration: Duration::from_secs(duration_s),
            connections_max: 1,
            http: Http::One,
            timeout: Duration::from_secs(1),
        },
        operations: vec![Operation {
            name: "page".to_owned(),
            weight: 1.0,
            picks: Picks { below: 1, first_share: None },
            kind: Kind::Page(Page { path: "/".to_owned(), conditional: false, shows_counters: false }),
        }],
    }
}

fn observation(intended_us: u64, sent_us: u64, ended_us: u64, end: End) -> Observation {
    Observation {
        operation: 0,
        target: TargetId(0),
        subject: Subject::Plain,
        times: Times {
            intended: Duration::from_micros(intended_us),
            sent: Duration::from_micros(sent_us),
            ended: Duration::from_micros(ended_us),
        },
        end,
    }
}

fn answered(status: u16, body: &'static str) -> End {
    End::Answered(Answer { status, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) })
}

fn is_near(found_us: u64, truth_us: f64) -> bool {
    (found_us as f64 / truth_us - 1.0).abs() < 0.01
}

/// Times over six orders of magnitude, each as often as any other on a logarithmic scale.
#[test]
fn percentiles_are_within_a_hundredth_of_the_truth() {
    let mut recorder = Recorder::new(&scenario(0, 1000));
    let count = 100_000_u32;
    let mut truth: Vec<u64> =
        (0..count).map(|n| (10.0 * 1e6_f64.powf(f64::from(n) / f64::from(count))) as u64).collect();
    for us in &truth {
        // Sent in the middle of it: service is half of latency.
        recorder.ended(&observation(0, us / 2, *us, answered(200, "")));
    }
    let operation = recorder.finish(Duration::from_secs(1000)).total;
    truth.sort_unstable();
    let at = |share: f64| truth[((f64::from(count) * share).ceil() as usize).max(1) - 1] as f64;
    let latency = &operation.latency;
    for (found_us, share) in
        [(latency.p50_us, 0.5), (latency.p90_us, 0.9), (latency.p99_us, 0.99), (latency.p999_us, 0.999)]
    {
        assert!(is_near(found_us, at(share)), "{share}: {found_us} is not {}", at(share));
    }
    assert!(is_near(operation.service.p50_us, at(0.5) / 2.0));
    let mean = truth.iter().sum::<u64>() as f64 / f64::from(count);
    assert!((latency.mean_us / mean - 1.0).abs() < 0.01);
    assert!(is_near(latency.max_us, at(1.0)) && latency.min_us == truth[0]);
}

#[test]
fn what_warms_up_is_in_the_seconds_alone() {
    let mut recorder = Recorder::new(&scenario(1, 1));
    for intended_us in [0, 500_000, 1_000_000, 1_500_000] {
        recorder.asked(0, Duration::from_micros(intended_us));
        recorder.sent(Duration::from_micros(intended_us));
        recorder.ended(&observation(intended_us, intended_us, intended_us + 100, answered(200, "abc")));
    }
    let result = recorder.finish(Duration::from_secs(2));
    assert_eq!((result.total.requests, result.total.bytes_received), (2, 6));
    assert_eq!((result.total.rate_asked, result.total.rate_achieved), (2.0, 2.0));
    let ended: Vec<_> = result.seconds.iter().map(|second| (second.is_warm_up, second.ended)).collect();
    assert_eq!(ended[..2], [(true, 2), (false, 2)]);
    assert_eq!(result.by_target, [4]);
}

#[test]
fn every_end_is_counted_as_what_it_is() {
    let mut recorder = Recorder::new(&scenario(0, 1));
    let ends =
        [answered(200, ""), answered(503, ""), answered(404, ""), End::TimedOut, End::Broken("x".to_owned())];
    for (place, end) in ends.into_iter().enumerate() {
        recorder.ended(&observation(0, 0, 1000 + place as u64, end));
    }
    let total = recorder.finish(Duration::from_secs(1)).total;
    let outcomes: Vec<_> = total.outcomes.into_iter().collect();
    let one = |outcome| (outcome, 1);
    let expected =
        [Outcome::Done, Outcome::Failed, Outcome::NotRun, Outcome::Broken, Outcome::TimedOut].map(one);
    assert_eq!(outcomes, expected);
    assert_eq!(total.statuses.into_iter().collect::<Vec<_>>(), [(200, 1), (404, 1), (503, 1)]);
}

/// Operations say which error codes came, and a server cannot fill memory with its own.
#[test]
fn error_codes_are_counted_and_bounded() {
    let mut recorder = Recorder::new(&scenario(0, 1));
    let mut refused = |code: &str| {
        let headers = HeaderMap::from_iter([(
            hyper::header::HeaderName::from_static("callboard-error"),
            code.parse().unwrap(),
        )]);
        let answer = Answer { status: 503, headers, body: Bytes::new() };
        recorder.ended(&observation(0, 0, 1000, End::Answered(answer)));
    };
    for code in ["draining", "overloaded", "draining"] {
        refused(code);
    }
    (0..1000).for_each(|number| refused(&format!("made-up-{number}")));
    let codes = recorder.finish(Duration::from_secs(1)).total.error_codes;
    assert_eq!((codes["draining"], codes["overloaded"], codes.values().sum()), (2, 1, 1003));
    assert!(codes.len() <= 101, "{}", codes.len());
}

/// What ends after the load did was not carried in that time.
#[test]
fn what_ends_too_late_is_no_throughput() {
    let mut recorder = Recorder::new(&scenario(0, 1));
    recorder.asked(0, Duration::ZERO);
    recorder.asked(0, Duration::ZERO);
    recorder.ended(&observation(0, 0, 900_000, answered(200, "")));
    recorder.ended(&observation(0, 0, 1_500_000, answered(200, "")));
    let total = recorder.finish(Duration::from_secs(2)).total;
    assert_eq!((total.requests, total.rate_asked, total.rate_achieved), (2, 2.0, 1.0));
}

#[test]
fn a_snapshot_tells_of_the_last_whole_second() {
    let mut recorder = Recorder::new(&scenario(0, 10));
    for ended_us in [100_000, 200_000, 1_100_000] {
        recorder.asked(0, Duration::from_micros(ended_us - 5_000));
        recorder.sent(Duration::from_micros(ended_us - 5_000));
        recorder.ended(&observation(ended_us - 5_000, ended_us - 5_000, ended_us, answered(200, "")));
    }
    let snapshot = recorder.snapshot(Duration::from_millis(1_200));
    assert_eq!((snapshot.rate_asked, snapshot.rate_achieved, snapshot.requests), (2.0, 2.0, 3));
    assert!(is_near(snapshot.p50_us, 5_000.0), "{snapshot:?}");
    assert_eq!(snapshot.outcomes.get(&Outcome::Done), Some(&3));
    assert_eq!((snapshot.rates, recorder.by_target()), (vec![2], &[2][..]));
}
