//! Pages revalidated from outside, over the admin port.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use callboard_protocol::webhook::sign;
use serde_json::Value;

use crate::client::{Answer, Caller};

const SECRET: &str = "a secret of sixteen or more";

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn start() -> Caller {
    Caller::start(&[("webhook_secret", SECRET)])
}

fn send(caller: &Caller, query: &str, signature: &str, body: &str) -> (u16, Value) {
    let url = format!("http://{}/revalidate{query}", caller.node.admin());
    let request = caller.http.post(url).header("callboard-signature", signature).body(body.to_owned());
    let answer = Answer::of(request.send());
    (answer.status, serde_json::from_str(&answer.body).expect("JSON"))
}

fn order(caller: &Caller, query: &str, body: &str) -> (u16, Value) {
    send(caller, query, &sign(SECRET.as_bytes(), body.as_bytes(), now_s()), body)
}

#[test]
fn what_is_ordered_is_revalidated_and_the_answer_says_where_it_stands() {
    let caller = start();
    let (news, blog) = (caller.get("/news").body, caller.get("/blog/a").body);
    let (status, answer) = order(&caller, "", r#"{"tags":["news"],"paths":["/x"],"layouts":["/blog"]}"#);
    let position = answer["position"].as_str().and_then(|text| text.parse::<u64>().ok());
    assert_eq!((status, &answer["dry_run"], &answer["revalidated"]), (200, &false.into(), &3.into()));
    assert!(position.is_some_and(|position| position > 0), "{answer}");
    assert_ne!(caller.get("/news").body, news);
    assert_ne!(caller.get("/blog/a").body, blog);
}

#[test]
fn softly_ordered_pages_are_served_until_new_ones_are_there() {
    let caller = start();
    caller.get("/news");
    for (soft, expected) in [
        ("true", "callboard; hit; detail=stale"),
        ("3600", "callboard; hit; detail=stale"),
        ("false", "callboard; fwd=miss"),
    ] {
        let (status, answer) = order(&caller, "", &format!(r#"{{"tags":["news"],"soft":{soft}}}"#));
        assert_eq!(status, 200);
        assert!(answer["position"].is_string());
        assert_eq!(caller.get("/news").header("cache-status"), expected, "{soft}");
        // A new one is on its way.
        while caller.get("/news").header("cache-status") != "callboard; hit" {}
    }
}

#[test]
fn a_dry_run_revalidates_nothing_and_the_same_order_twice_does_no_harm() {
    let caller = start();
    let first = caller.get("/news").body;
    let body = r#"{"tags":["news"]}"#;
    let (status, answer) = order(&caller, "?dry_run=1", body);
    assert_eq!((status, &answer["dry_run"], &answer["revalidated"]), (200, &true.into(), &1.into()));
    assert_eq!(answer["position"], Value::Null);
    assert_eq!(caller.get("/news").body, first);

    let signature = sign(SECRET.as_bytes(), body.as_bytes(), now_s());
    for _ in 0..2 {
        let (status, answer) = send(&caller, "", &signature, body);
        assert_eq!((status, answer["position"].is_string()), (200, true));
    }
}

#[test]
fn what_is_not_signed_is_refused_and_does_nothing() {
    let caller = start();
    let first = caller.get("/news").body;
    let body = r#"{"tags":["news"]}"#;
    let signed = |secret: &str, body: &str, at| sign(secret.as_bytes(), body.as_bytes(), at);
    for signature in [
        String::new(),
        "t=1,v1=00".into(),
        signed("another secret of sixteen", body, now_s()),
        signed(SECRET, r#"{"tags":["other"]}"#, now_s()),
        signed(SECRET, body, now_s() - 301),
        signed(SECRET, body, now_s() + 400),
    ] {
        let (status, answer) = send(&caller, "", &signature, body);
        assert_eq!(status, 401, "{signature}");
        assert!(answer["error"].is_string());
    }
    assert_eq!(caller.get("/news").body, first);
}

#[test]
fn an_order_that_is_none_is_refused() {
    let caller = start();
    let long = format!(r#"{{"tags":["{}"]}}"#, "x".repeat(257));
    let many = format!(r#"{{"tags":[{}]}}"#, vec![r#""a""#; 4097].join(","));
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"tag":["a"]}"#,
        r#"{"tags":"a"}"#,
        r#"{"soft":-1}"#,
        r#"{"soft":"max"}"#,
        r#"{"dry_run":"yes"}"#,
        r#"{"paths":["news"]}"#,
        r#"{"layouts":[""]}"#,
        &long,
        &many,
    ] {
        let (status, answer) = order(&caller, "", body);
        assert_eq!(status, 400, "{answer} {}", &body[..body.len().min(40)]);
    }
    let large = format!(r#"{{"tags":["a"]{}}}"#, " ".repeat(256 << 10));
    assert_eq!(order(&caller, "", &large).0, 413);
    assert_eq!(order(&caller, "", "{}").0, 200);
}

#[test]
fn a_dry_run_that_is_asked_for_in_another_word_is_refused_and_revalidates_nothing() {
    let caller = start();
    let first = caller.get("/news").body;
    for query in ["?dry_run=True", "?dry_run=yes", "?dry_run=", "?dryrun=1", "?dry_run=1&dry_run=0"] {
        let (status, answer) = order(&caller, query, r#"{"tags":["news"]}"#);
        assert_eq!((status, answer["error"].is_string()), (400, true), "{query}");
    }
    assert_eq!(caller.get("/news").body, first);
    for (query, expected) in [("?dry_run=true", true), ("?dry_run=false", false), ("?dry_run=0", false)] {
        assert_eq!(order(&caller, query, r#"{"tags":["news"]}"#).1["dry_run"], expected, "{query}");
    }
}

/// Goal: who listens to a dry run cannot make a real one of it. Method: the same body and signature without the query.
#[test]
fn a_dry_run_that_is_signed_stays_one_whatever_the_query_says() {
    let caller = start();
    let first = caller.get("/news").body;
    let body = r#"{"tags":["news"],"dry_run":true}"#;
    let signature = sign(SECRET.as_bytes(), body.as_bytes(), now_s());
    for query in ["?dry_run=1", "", "?dry_run=0"] {
        let (status, answer) = send(&caller, query, &signature, body);
        assert_eq!((status, &answer["dry_run"], &answer["position"]), (200, &true.into(), &Value::Null));
    }
    assert_eq!(caller.get("/news").body, first);
}

#[test]
fn an_order_whose_body_does_not_come_is_refused_in_time() {
    let caller = Caller::start(&[("webhook_secret", SECRET), ("body_timeout", "50ms")]);
    let mut connection = TcpStream::connect(caller.node.admin()).expect("a connection");
    connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let head = "POST /revalidate HTTP/1.1\r\nhost: node\r\ncontent-length: 10\r\n\r\n{";
    connection.write_all(head.as_bytes()).expect("somebody reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer, and the end of the connection");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn a_node_that_stops_takes_no_order_and_says_that_it_may_come_again() {
    let mut caller = start();
    let (url, http) = (caller.url("/"), caller.http.clone());
    let reference = caller.reference("wait").to_owned();
    let call = std::thread::spawn(move || http.post(url).header("next-action", reference).body("[]").send());
    caller.journal.wait_for("waiting");
    caller.node.begin_stop();
    let ready = format!("http://{}/readyz", caller.node.admin());
    caller.until(&ready, |answer| answer.status == 503);

    let body = r#"{"tags":["news"]}"#;
    let url = format!("http://{}/revalidate", caller.node.admin());
    let signature = sign(SECRET.as_bytes(), body.as_bytes(), now_s());
    let refused =
        Answer::of(caller.http.post(url).header("callboard-signature", signature).body(body).send());
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    caller.journal.release();
    assert_eq!(call.join().expect("no panic").expect("an answer").status(), 200);
}

#[test]
fn without_a_secret_there_is_no_webhook() {
    let caller = Caller::start(&[]);
    assert_eq!(order(&caller, "", r#"{"tags":["news"]}"#).0, 404);
    // Nor is it on the public port.
    assert_eq!(start().post("/revalidate", &[], "{}").status, 400);
}
