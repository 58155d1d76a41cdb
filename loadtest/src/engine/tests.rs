//! Runs against a server in this process that writes down its own times.

mod server;

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use tokio::{
    runtime::{Builder, LocalOptions},
    task::spawn_local,
};

use super::*;
use crate::{
    client::{Body, Request, Trust},
    observation::Subject,
    operation::{Asked, Asks as _},
    oracle::Settings,
    results::Outcome,
    scenario::{Http, Kind, Load, Operation, Page, Picks, Rate, Spacing},
    target::{self, Place},
};
use server::{Manner, Server};

/// Gets a page, over and over.
struct Gets {
    abort_after: Option<Duration>,
    body: Body,
}

impl Gets {
    fn plain() -> Self {
        Self { abort_after: None, body: Body::Whole(Bytes::new()) }
    }
}

impl Performs for Gets {
    fn draw(&self) -> usize {
        0
    }

    async fn perform(&self, operation: usize, intended: Duration, asks: &Asking) {
        let Some(target) = asks.choose() else { return };
        let request = Request {
            method: Method::POST,
            path: "/".to_owned(),
            headers: HeaderMap::new(),
            body: self.body.clone(),
            abort_after: self.abort_after,
        };
        let subject = Subject::Plain;
        asks.ask(Asked { operation, target, intended, subject, is_preparation: false }, request).await;
    }
}

fn scenario(rate: f64, duration: Duration, connections_max: usize) -> Scenario {
    Scenario {
        name: "test".to_owned(),
        about: String::new(),
        load: Load {
            rate: Rate::Constant(rate),
            spacing: Spacing::Even,
            warm_up: Duration::ZERO,
            duration,
            connections_max,
            http: Http::One,
            timeout: Duration::from_secs(20),
        },
        operations: vec![Operation {
            name: "get".to_owned(),
            weight: 1.0,
            picks: Picks { below: 1, first_share: None },
            kind: Kind::Page(Page { path: "/".to_owned(), conditional: false, shows_counters: false }),
        }],
    }
}

fn plan(scenario: Scenario, server: &Server, operations: Gets) -> Plan<Gets> {
    let targets = Targets::new(&scenario.load, target::Kind::Next, Trust::System);
    targets.add(Place::parse(&server.url).unwrap()).unwrap();
    Plan {
        scenario,
        targets,
        operations,
        oracles: Oracles::new(Settings { kind: target::Kind::Next, ..Settings::default() }),
        seed: 1,
        command: String::new(),
        pace: Pace::Open,
        in_flight_max: IN_FLIGHT_MAX,
    }
}

fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(test)
}

fn run(scenario: Scenario, manner: Manner, operations: Gets) -> (Results, Rc<Server>) {
    on_one_thread(async {
        let server = Server::start(manner).await;
        let results = Run::new(plan(scenario, &server, operations)).drive().await.unwrap();
        (results, server)
    })
}

/// What the server saw of a request is a part of what its client saw, so no client's time can be shorter; the rest is what
/// the system needs to wake both: of half of them, less than as long again as the server takes.
#[test]
fn counts_and_times_agree_with_those_of_the_server() {
    let (results, server) = run(
        scenario(200.0, Duration::from_secs(1), 8),
        Manner::After(Duration::from_millis(20)),
        Gets::plain(),
    );
    assert_eq!((results.total.requests, server.answered()), (200, 200));
    assert_eq!(results.total.outcomes.into_iter().collect::<Vec<_>>(), [(Outcome::Done, 200)]);
    let (ours, theirs) = (results.total.service, server.times());
    assert_eq!(ours.count, theirs.len() as u64);
    let shortest = theirs.iter().min().unwrap();
    // Histograms are within a thousandth.
    assert!(u128::from(ours.min_us) * 1001 / 1000 >= shortest.as_micros(), "{ours:?}, {shortest:?}");
    let mean_us = theirs.iter().sum::<Duration>().as_micros() as f64 / theirs.len() as f64;
    assert!(ours.mean_us >= mean_us * 0.999, "{} {mean_us}", ours.mean_us);
    let mut theirs_us: Vec<_> = theirs.iter().map(Duration::as_micros).collect();
    theirs_us.sort_unstable();
    let median_us = theirs_us[theirs_us.len() / 2];
    assert!(u128::from(ours.p50_us) < median_us + 20_000, "{} {median_us}", ours.p50_us);
}

/// The one connection is busy for a second, in which 50 requests should be sent. A client that only starts its clock when it
/// sends would report one slow request of them.
#[test]
fn a_stall_is_felt_by_all_who_should_have_been_served_meanwhile() {
    let manner = Manner::StallsOnce(Duration::from_secs(1));
    let (results, _) = run(scenario(50.0, Duration::from_secs(2), 1), manner, Gets::plain());
    assert_eq!(results.total.requests, 100);
    let (latency, service) = (&results.total.latency, &results.total.service);
    // Requests that were due in the first half of the stall waited for the other half at least: a quarter of all.
    assert!(latency.p90_us >= 500_000, "{latency:?}");
    assert!(service.p90_us < latency.p90_us / 2, "{service:?}");
    assert!(service.max_us >= 1_000_000 && latency.max_us >= 1_000_000);
    assert!(results.generator.held_back >= 49, "{}", results.generator.held_back);
    assert!(results.generator.warnings.iter().any(|warning| warning.contains("connections_max = 1")));
}

#[test]
fn an_answer_that_is_none_breaks_the_request_and_says_why() {
    let (results, _) = run(scenario(20.0, Duration::from_millis(500), 4), Manner::Garbage, Gets::plain());
    assert_eq!(results.total.outcomes.get(&Outcome::Broken), Some(&10));
}

/// A request that was sent on a connection which then ended may have been acted upon: it must not be sent again.
#[test]
fn a_request_whose_connection_ends_is_not_sent_again() {
    let (results, server) =
        run(scenario(20.0, Duration::from_millis(500), 4), Manner::HangsUp, Gets::plain());
    assert_eq!(results.total.outcomes.get(&Outcome::Broken), Some(&10));
    assert_eq!(server.requests(), 10);
}

/// Closed by the server while nobody used them, they are found out before a request is lost.
#[test]
fn connections_that_were_closed_while_idle_are_not_used() {
    let (results, server) =
        run(scenario(20.0, Duration::from_secs(1), 4), Manner::ClosesAfterEach, Gets::plain());
    assert_eq!(results.total.outcomes.get(&Outcome::Done), Some(&20));
    assert_eq!(server.connections(), 20);
}

#[test]
fn a_client_that_hangs_up_is_no_failure_of_the_server() {
    let operations = Gets { abort_after: Some(Duration::from_millis(5)), ..Gets::plain() };
    let manner = Manner::After(Duration::from_secs(5));
    let (results, server) = run(scenario(20.0, Duration::from_millis(500), 20), manner, operations);
    assert_eq!(results.total.outcomes.get(&Outcome::HungUp), Some(&10));
    assert_eq!(server.answered(), 0);
}

#[test]
fn no_answer_in_time_is_no_answer() {
    let mut scenario = scenario(20.0, Duration::from_millis(500), 20);
    scenario.load.timeout = Duration::from_millis(30);
    let (results, _) = run(scenario, Manner::After(Duration::from_secs(5)), Gets::plain());
    assert_eq!(results.total.outcomes.get(&Outcome::TimedOut), Some(&10));
}

/// 100 bytes at 500 a second.
#[test]
fn a_slow_client_takes_its_time() {
    let body = Body::Slow { bytes: Bytes::from(vec![b'x'; 100]), bytes_per_second: 500 };
    let operations = Gets { body, ..Gets::plain() };
    let (results, server) = run(scenario(4.0, Duration::from_millis(500), 4), Manner::At, operations);
    assert_eq!((results.total.requests, server.body_bytes()), (2, 200));
    assert!(results.total.service.min_us >= 190_000, "{:?}", results.total.service);
}

#[test]
fn a_limit_on_what_is_under_way_delays_and_says_so() {
    on_one_thread(async {
        let server = Server::start(Manner::After(Duration::from_millis(100))).await;
        let scenario = scenario(1000.0, Duration::from_millis(500), 100);
        let plan = Plan { in_flight_max: 2, ..plan(scenario, &server, Gets::plain()) };
        let results = Run::new(plan).drive().await.unwrap();
        let warnings = results.generator.warnings.join("\n");
        assert!(warnings.contains("as 2 were under way: --in-flight-max"), "{warnings}");
        assert!(warnings.contains("were never sent"), "{warnings}");
        assert_eq!(results.seconds.iter().map(|second| second.asked).sum::<u64>(), 500);
    });
}

#[test]
fn a_run_that_is_stopped_says_so_and_keeps_what_it_has() {
    on_one_thread(async {
        let server = Server::start(Manner::At).await;
        let run = Run::new(plan(scenario(100.0, Duration::from_hours(1), 4), &server, Gets::plain()));
        let (handle, mut snapshots) = (run.handle(), run.snapshots());
        spawn_local(async move {
            snapshots.wait_for(|snapshot| snapshot.requests >= 10).await.unwrap();
            handle.mark(handle.now(), None, "enough");
            handle.stop("stopped by hand");
        });
        let results = run.drive().await.unwrap();
        assert_eq!(results.partial.as_deref(), Some("stopped by hand"));
        assert!(results.total.requests >= 10);
        assert_eq!(results.marks[0].what, "enough");
    });
}

#[test]
fn what_waits_for_a_target_that_goes_is_told_so() {
    on_one_thread(async {
        let server = Server::start(Manner::After(Duration::from_millis(300))).await;
        let plan = plan(scenario(100.0, Duration::from_millis(200), 1), &server, Gets::plain());
        let targets = plan.targets.clone();
        let run = Run::new(plan);
        let (handle, mut snapshots) = (run.handle(), run.snapshots());
        spawn_local(async move {
            while handle.under_way() < 2 {
                snapshots.changed().await.unwrap();
            }
            targets.remove(targets.choose().unwrap());
        });
        let results = run.drive().await.unwrap();
        // What was sent goes on; what was not sent is not.
        assert_eq!((server.requests(), results.total.outcomes.get(&Outcome::Done)), (1, Some(&1)));
        assert!(results.total.outcomes.contains_key(&Outcome::Broken));
    });
}
