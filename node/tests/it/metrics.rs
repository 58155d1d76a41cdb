//! What the admin port tells of a node in numbers, and whom it tells.

use std::collections::{BTreeMap, BTreeSet};

use callboard::{App, Metric};
use reqwest::blocking::Response;

use crate::{client::Caller, cluster::Cluster};

/// What `/metrics` says: each series with its number.
pub(crate) fn scrape(caller: &Caller) -> BTreeMap<String, f64> {
    let url = format!("http://{}/metrics", caller.node.admin());
    let text = caller.http.get(url).send().and_then(Response::text).expect("text");
    let series = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, number) = line.rsplit_once(' ').expect("a series and a number");
        (name.to_owned(), number.parse().unwrap_or_else(|_| panic!("{line}")))
    });
    series.collect()
}

/// The number of a series whose labels hold all of these.
pub(crate) fn number(series: &BTreeMap<String, f64>, name: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    let fits = |found: &str| {
        let (found, labels) = found.split_once('{').unwrap_or((found, ""));
        found == name && wanted.iter().all(|wanted| labels.contains(wanted.as_str()))
    };
    series.iter().filter(|(found, _)| fits(found)).map(|(_, number)| *number).sum()
}

#[test]
fn calls_are_counted_by_action_class_and_outcome() {
    let caller = Caller::start(&[]);
    let before = scrape(&caller);
    assert_eq!(number(&before, "callboard_call_duration_seconds_count", &[]), 0.0);
    for _ in 0..3 {
        assert_eq!(caller.call("where_am_i", "[]").status, 200);
    }
    assert_eq!(caller.call("fails", "[]").status, 500);
    let forged = caller.post("/", &[("next-action", "f".repeat(58).as_str())], "[]");
    assert_eq!(forged.status, 400);

    let series = scrape(&caller);
    let count = |labels: &[(&str, &str)]| number(&series, "callboard_call_duration_seconds_count", labels);
    assert_eq!(
        count(&[("action", "where_am_i"), ("class", "plain"), ("outcome", "done")]),
        3.0,
        "{series:#?}"
    );
    assert_eq!(count(&[("action", "fails"), ("outcome", "failed")]), 1.0);
    assert_eq!(count(&[("action", "none"), ("outcome", "not-run")]), 1.0);
    assert_eq!(number(&series, "callboard_errors_total", &[("code", forged.header("callboard-error"))]), 1.0);
    assert_eq!(number(&series, "callboard_run_duration_seconds_count", &[("action", "where_am_i")]), 3.0);
}

#[test]
fn beyond_the_limit_actions_share_one_label() {
    let caller = Caller::start(&[("metrics_actions_max", "1")]);
    for _ in 0..2 {
        caller.call("where_am_i", "[]");
    }
    let series = scrape(&caller);
    let begun: BTreeSet<_> = series.keys().filter_map(|series| series.split_once("action=\"")).collect();
    let names: BTreeSet<_> =
        begun.iter().filter_map(|(_, rest)| rest.split_once('"')).map(|(name, _)| name).collect();
    assert!(names.len() == 2 && names.contains("other"), "{names:?}");
    assert_eq!(number(&series, "callboard_run_duration_seconds_count", &[("action", "other")]), 2.0);
}

#[test]
fn pages_are_counted_by_what_the_cache_said() {
    let caller = Caller::start(&[]);
    for _ in 0..3 {
        caller.get("/blog/x");
    }
    caller.call("revalidate_as", r#"["hard","blog"]"#);
    caller.get("/blog/x");
    let series = scrape(&caller);
    let pages = |result: &str| number(&series, "callboard_pages_total", &[("result", result)]);
    assert_eq!((pages("hit"), pages("miss"), pages("bypass")), (2.0, 2.0, 0.0), "{series:#?}");
    let misses = |reason: &str| number(&series, "callboard_page_misses_total", &[("reason", reason)]);
    assert_eq!((misses("absent"), misses("dead"), misses("fenced")), (1.0, 1.0, 0.0));
    let renders = number(&series, "callboard_render_duration_seconds_count", &[("page", "/blog/{*rest}")]);
    assert_eq!(renders, 2.0);
    assert_eq!(number(&series, "callboard_cache_entries", &[]), 1.0);
    assert_eq!(number(&series, "callboard_revalidation_wait_seconds_count", &[("confirmed", "yes")]), 1.0);
}

#[test]
fn what_nodes_send_each_other_is_counted_by_frame_and_by_what_is_in_it() {
    const CALLS: usize = 5;
    let cluster = Cluster::start(2);
    let count = || {
        let all: Vec<_> = cluster.nodes.iter().map(scrape).collect();
        let sum = |name: &str, labels: &[(&str, &str)]| {
            all.iter().map(|series| number(series, name, labels)).sum::<f64>()
        };
        (sum("callboard_frames_total", &[("direction", "sent")]), sum("callboard_frame_messages_total", &[]))
    };
    let (frames_before, messages_before) = count();
    // One of the two is the action's own node, and the other has to ask it.
    for _ in 0..CALLS {
        for node in &cluster.nodes {
            assert_eq!(node.call("where_am_i", "[]").status, 200);
        }
    }
    let (frames, messages) = count();
    let (frames, messages) = (frames - frames_before, messages - messages_before);
    assert!(frames >= 2.0 && messages >= frames, "{messages} in {frames}");
    assert!(messages >= 2.0 * CALLS as f64, "each crosses there and back: {messages}");
}

#[test]
fn every_series_is_documented() {
    let caller = Caller::start(&[]);
    caller.call("where_am_i", "[]");
    caller.get("/blog/x");
    let known: BTreeSet<_> = Metric::ALL.iter().map(Metric::prometheus_name).collect();
    for series in scrape(&caller).keys() {
        let name = series.split('{').next().expect("a name");
        let base =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(known.contains(base) || known.contains(name) || name == "target_info", "{name}");
    }
}

#[test]
fn whoever_does_not_know_the_token_is_told_nothing() {
    let token = "a token of some length";
    let caller = Caller::start(&[("admin_token", token)]);
    let status = |path: &str, given: Option<&str>| {
        let mut request = caller.http.get(format!("http://{}{path}", caller.node.admin()));
        if let Some(given) = given {
            request = request.header("authorization", given);
        }
        request.send().expect("an answer").status().as_u16()
    };
    for path in ["/metrics", "/actions", "/explain?path=/", "/nothing"] {
        for wrong in [None, Some("Bearer "), Some("Bearer a token of some lengtH"), Some(token)] {
            assert_eq!(status(path, wrong), 401, "{path} {wrong:?}");
        }
    }
    assert_eq!(status("/metrics", Some(&format!("Bearer {token}"))), 200);
    assert_eq!((status("/healthz", None), status("/readyz", None)), (200, 200));
}

/// Goal: a page that an operator visits reads nothing of the node that runs beside the browser. Method: what a browser asks once
/// the page's name leads to 127.0.0.1, with and without what keeps strangers out otherwise.
#[test]
fn a_page_whose_name_leads_to_the_node_is_told_nothing() {
    let token = "a token of some length";
    let status = |caller: &Caller, path: &str, host: &str| {
        let request = caller.http.get(format!("http://{}{path}", caller.node.admin())).header("host", host);
        request.bearer_auth(token).send().expect("an answer").status().as_u16()
    };
    let caller = Caller::start(&[]);
    for path in ["/", "/status", "/status/events", "/metrics", "/actions", "/explain?path=/", "/nothing"] {
        assert_eq!(status(&caller, path, "rebound.example:3001"), 421, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(&caller, path, "rebound.example:3001"), 200, "{path}");
    }
    for host in ["localhost:3001", "127.0.0.1", "[::1]:3001"] {
        assert_eq!(status(&caller, "/status", host), 200, "{host}");
    }
    // As where Prometheus asks each node by its name.
    for settings in [("admin_insecure", "true"), ("admin_token", token)] {
        assert_eq!(status(&Caller::start(&[settings]), "/metrics", "node-1:3001"), 200, "{settings:?}");
    }
}

#[test]
fn an_admin_port_that_strangers_reach_is_refused_without_a_token() {
    let start = |more: &[(&str, &str)]| {
        let state = tempfile::tempdir().expect("a folder");
        let folder = state.path().to_str().expect("text").to_owned();
        let mut all = vec![("state_dir", folder.as_str()), ("log", "off"), ("admin", "0.0.0.0:0")];
        all.extend_from_slice(more);
        App::new("it").start(&all).map(drop).map_err(|error| error.to_string())
    };
    let refused = start(&[]).expect_err("strangers reach it");
    assert!(refused.contains("setting admin: 0.0.0.0") && refused.contains("admin_token"), "{refused}");
    assert_eq!(start(&[("admin_insecure", "true")]), Ok(()));
    assert_eq!(start(&[("admin_token", "a token of some length")]), Ok(()));
}
