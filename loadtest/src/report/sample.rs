//! Runs that never were, the same each time: what reports are tested with. `tests/golden/results.json` is [`results`].

use std::collections::BTreeMap;

use data_encoding::BASE64;
use hdrhistogram::{
    Histogram,
    serialization::{Serializer as _, V2Serializer},
};

use crate::results::{
    Fault, Generator, Latency, Mark, Objective, Operation, Oracle, Outcome, Results, SCHEMA, Second, Target,
    Violation,
};

const WARM_UP_S: u64 = 5;
const DURATION_S: u64 = 60;
/// A node is killed, and another takes over.
const KILL: std::ops::Range<u64> = 25..29;
/// Another is stopped for a while.
const PAUSE: std::ops::Range<u64> = 44..47;
/// What a name may be, and must not become.
const HOSTILE: &str = r#"</title><script>alert("x")</script>&'"#;

/// A run in which nodes died and a promise was broken, with hostile names.
pub(crate) fn results() -> Results {
    let mut results = calm();
    results.scenario = format!("mixed {HOSTILE}");
    results.operations[3].name = format!("form <b>{HOSTILE}");
    results.seconds = seconds(true);
    results.marks = vec![
        Mark { at_s: 25.2, until_s: Some(28.6), what: "kill node-2".to_owned() },
        Mark { at_s: 44.0, until_s: Some(47.0), what: "pause node-3 <i>".to_owned() },
        Mark { at_s: 55.0, until_s: None, what: "redis restarted".to_owned() },
    ];
    results.faults = faults();
    results.generator.warnings =
        vec!["requests were sent 2.10 ms late at p99: use another machine for the load".to_owned()];
    results.oracles[0].violations = 2;
    results.oracles[0].examples = vec![Violation {
        oracle: "at-most-once".to_owned(),
        what: "call 4711 was begun twice".to_owned(),
        history: vec![
            "25.104 s  call 4711 of account <a&b> sent to node-2".to_owned(),
            "25.106 s  ledger: begun by process 812".to_owned(),
            "28.611 s  ledger: begun by process 940".to_owned(),
            "28.615 s  answered 200 done".to_owned(),
        ],
    }];
    results.objectives[1] =
        Objective { wanted: "errors<0.1%".to_owned(), measured: "0.23 %".to_owned(), held: false };
    results
}

/// A run without faults in which everything was as promised.
pub(crate) fn calm() -> Results {
    let operations = vec![
        operation("echo", "action", 36_000, 900.0),
        operation("ledger keyed", "action", 12_000, 2_400.0),
        operation("page", "page", 9_000, 600.0),
        operation("sign the guestbook", "form", 3_000, 3_800.0),
    ];
    let mut total = operation("total", "", 60_000, 1_100.0);
    total.outcomes.clear();
    for (outcome, count) in operations.iter().flat_map(|operation| &operation.outcomes) {
        *total.outcomes.entry(*outcome).or_default() += count;
    }
    Results {
        schema: SCHEMA.to_owned(),
        scenario: "mixed".to_owned(),
        about: "Actions, pages and forms as an application would see them.".to_owned(),
        command: "callboard-loadtest run mixed --seed 7 --target http://127.0.0.1:8080".to_owned(),
        seed: 7,
        began: "2026-03-14T09:26:53Z".to_owned(),
        duration_s: DURATION_S as f64,
        partial: None,
        targets: [("node-1", 22_400), ("node-2", 16_100), ("node-3", 21_500)].map(target).to_vec(),
        total,
        operations,
        seconds: seconds(false),
        marks: Vec::new(),
        generator: Generator {
            lag: latency(60_000, 60.0),
            cpu_share: 0.41,
            held_back: 12,
            warnings: Vec::new(),
        },
        oracles: vec![
            oracle("at-most-once", "No call is begun twice.", 12_000),
            oracle("truthful-outcomes", "What an answer says of a call is so.", 60_000),
            oracle(
                "fresh-pages",
                "No page is older than what was revalidated before it was asked for.",
                9_000,
            ),
        ],
        objectives: vec![
            Objective { wanted: "p99<20ms".to_owned(), measured: "8.96 ms".to_owned(), held: true },
            Objective { wanted: "errors<0.1%".to_owned(), measured: "0.07 %".to_owned(), held: true },
        ],
        faults: Vec::new(),
    }
}

/// The same, half as fast again.
pub(crate) fn slower() -> Results {
    let mut results = calm();
    "2026-03-15T09:26:53Z".clone_into(&mut results.began);
    for operation in results.operations.iter_mut().chain([&mut results.total]) {
        let Latency { p50_us, p99_us, .. } = operation.latency;
        operation.latency = latency(operation.requests, p50_us as f64 * 1.5);
        // A histogram rounds; these are what ratios are made of.
        (operation.latency.p50_us, operation.latency.p99_us) = (p50_us * 3 / 2, p99_us * 3 / 2);
        operation.rate_achieved *= 0.97;
    }
    for second in &mut results.seconds {
        (second.p50_us, second.p99_us) = (second.p50_us * 3 / 2, second.p99_us * 3 / 2);
        second.max_us = second.max_us * 3 / 2;
    }
    results
}

fn target((name, requests): (&str, u64)) -> Target {
    let url = format!("http://127.0.0.1:80{}", requests % 90 + 10);
    Target { name: name.to_owned(), kind: "callboard".to_owned(), url, requests }
}

fn oracle(name: &str, promise: &str, checked: u64) -> Oracle {
    let undecided = BTreeMap::from([("it had not ended when the run did".to_owned(), 3)]);
    Oracle {
        name: name.to_owned(),
        promise: promise.to_owned(),
        checked,
        undecided,
        violations: 0,
        examples: Vec::new(),
    }
}

fn operation(name: &str, kind: &str, requests: u64, median_us: f64) -> Operation {
    let missed = requests / 1_500;
    Operation {
        name: name.to_owned(),
        kind: kind.to_owned(),
        requests,
        outcomes: BTreeMap::from([(Outcome::Done, requests - missed), (Outcome::NotRun, missed)]),
        statuses: BTreeMap::from([(200, requests - missed), (503, missed)]),
        error_codes: BTreeMap::from([("draining".to_owned(), missed)]),
        rate_asked: requests as f64 / DURATION_S as f64,
        rate_achieved: requests as f64 / DURATION_S as f64 * 0.999,
        bytes_received: requests * 812,
        latency: latency(requests, median_us),
        service: latency(requests, median_us * 0.8),
    }
}

/// Log-logistic: like what servers do, with a tail.
fn latency(requests: u64, median_us: f64) -> Latency {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).unwrap();
    // Closer to each other towards the tail, so that few are enough.
    let share_below = |step: u32| 1.0 - 10_f64.powf(-4.5 * f64::from(step) / 250.0);
    for step in 0..250 {
        let (from, until) = (share_below(step), share_below(step + 1));
        let middle = f64::midpoint(from, until);
        let value = median_us * (middle / (1.0 - middle)).powf(0.45);
        let many = ((until - from) * requests as f64).round().max(1.0);
        histogram.saturating_record_n(value as u64, many as u64);
    }
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(&histogram, &mut bytes).unwrap();
    let at = |quantile| histogram.value_at_quantile(quantile);
    Latency {
        count: histogram.len(),
        min_us: histogram.min(),
        mean_us: histogram.mean().round(),
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: histogram.max(),
        histogram: BASE64.encode(&bytes),
    }
}

fn seconds(with_faults: bool) -> Vec<Second> {
    (0..WARM_UP_S + DURATION_S).map(|at_s| second(at_s, with_faults)).collect()
}

fn second(at_s: u64, with_faults: bool) -> Second {
    // Looks like noise, and is the same each time.
    let noise = |salt: u64| ((at_s + 1) * (salt * 2 + 31) * 7_919 % 1_009) as f64 / 1_009.0;
    let is_killed = with_faults && KILL.contains(&at_s);
    let is_paused = with_faults && PAUSE.contains(&at_s);
    let slow = if is_killed {
        30.0
    } else if is_paused {
        12.0
    } else {
        1.0
    };
    let ended = if is_killed {
        640
    } else if is_paused {
        820
    } else {
        985 + (noise(3) * 30.0) as u64
    };
    let lost = if is_killed { 45 } else { 0 };
    let by_target = match (is_killed, is_paused) {
        (true, _) => vec![ended / 2, 0, ended - ended / 2],
        (_, true) => vec![ended * 2 / 3, ended - ended * 2 / 3, 0],
        _ => vec![ended * 2 / 5, ended / 4, ended - ended * 2 / 5 - ended / 4],
    };
    let mut outcomes = BTreeMap::from([(Outcome::Done, ended - lost)]);
    if lost > 0 {
        outcomes.extend([(Outcome::Unknown, 12), (Outcome::NotRun, 25), (Outcome::Broken, 8)]);
    }
    Second {
        at_s,
        is_warm_up: at_s < WARM_UP_S,
        asked: 1_000,
        sent: 1_000,
        ended,
        in_flight: (4.0 * slow) as u64,
        outcomes,
        p50_us: ((1_050.0 + 200.0 * noise(1)) * if slow > 1.0 { 2.0 } else { 1.0 }) as u64,
        p99_us: ((8_000.0 + 2_500.0 * noise(2)) * slow) as u64,
        max_us: ((17_000.0 + 30_000.0 * noise(4)) * slow) as u64,
        by_target,
    }
}

fn faults() -> Vec<Fault> {
    let kill = Fault {
        fault: "kill".to_owned(),
        victim: "node-2".to_owned(),
        at_s: 25.2,
        until_s: 28.6,
        landed: BTreeMap::from([("answers lost".to_owned(), 8), ("runs taken over".to_owned(), 21)]),
        missed: Vec::new(),
        detection_s: Some(1.21),
        takeover_s: Some(1.3),
        harm_s: Some(2.4),
        recovery_s: Some(3.4),
        in_flight: 31,
        outcomes: BTreeMap::from([
            (Outcome::Done, 2_380),
            (Outcome::Unknown, 48),
            (Outcome::NotRun, 100),
            (Outcome::Broken, 32),
        ]),
        fenced_pages: 2,
    };
    let pause = Fault {
        fault: "pause".to_owned(),
        victim: "node-3 <i>".to_owned(),
        at_s: 44.0,
        until_s: 47.0,
        landed: BTreeMap::from([("members lost".to_owned(), 1)]),
        outcomes: BTreeMap::from([(Outcome::Done, 2_460)]),
        in_flight: 18,
        detection_s: Some(1.3),
        ..Fault::default()
    };
    vec![kill, pause]
}

/// What is made has to be what was agreed on. `UPDATE_GOLDEN=1` agrees to what is made now.
pub(crate) fn golden(name: &str, made: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, made).unwrap();
    }
    let agreed = std::fs::read_to_string(&file).unwrap();
    assert!(made == agreed, "{name} differs; UPDATE_GOLDEN=1 writes what is made now:\n{made}");
}

#[test]
fn the_golden_results_are_these() {
    let made = serde_json::to_string_pretty(&results()).unwrap() + "\n";
    golden("results.json", &made);
    let kept: Results = serde_json::from_str(&made).unwrap();
    assert_eq!(kept, results());
}
