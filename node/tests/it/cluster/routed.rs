//! Calls that run on another node than they came to.

use std::{io::Write as _, net::TcpStream};

use callboard::{
    ActionContext, Cookie, Failure, GuardContext, Principal, Refusal, action,
    js::{Later, Stream},
};
use futures_util::stream;

use super::Cluster;
use crate::{
    client::{Answer, NodeName},
    order::Journal,
};

async fn by_header(cx: &GuardContext) -> Result<Principal, Refusal> {
    let name = cx.header("x-name").ok_or_else(Refusal::unauthorized)?;
    Ok(Principal::new(name).with("role", "guest"))
}

/// Everything that an action sees of its request, with a key so that it has one owner.
#[action(guard = by_header, name = "seen", key = key)]
async fn seen(cx: &ActionContext, key: String, value: Vec<u32>) -> String {
    let principal = cx.principal().expect("there is a guard");
    let header = cx.header("x-name").unwrap_or_default();
    let (path, token) = (cx.path(), cx.fencing_token().is_some());
    format!("{key} {value:?} {} {:?} {header} {path} {token}", principal.id(), principal.claim("role"))
}

#[action(public, name = "effects", revalidates = ["effects"])]
async fn effects(cx: &ActionContext) -> &'static str {
    cx.set_cookie(&Cookie::new("ran", "yes"));
    cx.redirect("/elsewhere");
    cx.state::<NodeName>().0
}

#[action(public, name = "fails")]
async fn fails(_cx: &ActionContext) -> Result<(), Failure> {
    Err(Failure::public("full", "the book is full"))
}

#[action(public, name = "panics")]
async fn panics(_cx: &ActionContext) {
    panic!("on purpose")
}

#[action(public, name = "large", key = key)]
async fn large(cx: &ActionContext, key: String, text: String) -> String {
    format!("{} {key} {}", cx.state::<NodeName>().0, text.repeat(2))
}

#[action(public, name = "ticks", key = key)]
async fn ticks(cx: &ActionContext, key: String) -> Stream<String> {
    let journal = cx.state::<Journal>().clone();
    Stream::new(stream::unfold((0, journal, key), |(number, journal, key)| async move {
        journal.released().await;
        (number < 3).then(|| (format!("{key}{number}"), (number + 1, journal, key)))
    }))
}

#[action(public, name = "later", key = key)]
async fn later(cx: &ActionContext, key: String) -> (&'static str, Later<String>) {
    let journal = cx.state::<Journal>().clone();
    let name = cx.state::<NodeName>().0;
    let value = Later::new(async move {
        journal.released().await;
        key
    });
    (name, value)
}

#[action(public, name = "until_gone_elsewhere", key = key)]
async fn until_gone_elsewhere(cx: &ActionContext, key: String) {
    let journal = cx.state::<Journal>();
    journal.note(format!("{key} waits"));
    cx.cancelled().await;
    journal.note(format!("{key} is gone"));
}

fn headers(answer: &Answer) -> Vec<(String, String)> {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| {
            let others = ["date", "callboard-revalidated-at", "callboard-call-id", "callboard-session"];
            !others.contains(&name.as_str())
        })
        .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
        .filter(|(_, value)| !value.starts_with("callboard-session-"))
        .collect();
    headers.sort();
    headers
}

/// Goal: whatever an action ends in, and whatever it asks for, its client gets the same from every node. Method: all of them
/// agree which node runs a call, as [`Cluster::start`] waited for that, so two of three answers come from elsewhere. A node
/// that a busy machine held up is no member for a moment, and another runs its calls: then they are asked once more.
#[test]
fn an_answer_is_the_same_from_every_node() {
    let cluster = Cluster::start(3);
    for (action, arguments) in [("effects", "[]"), ("fails", "[]"), ("panics", "[]"), ("large", r#"["k",7]"#)]
    {
        let answers = || -> Vec<_> {
            cluster.wait_until_agreed();
            let answers = cluster.nodes.iter().map(|node| node.call(action, arguments));
            answers.map(|answer| (answer.status, headers(&answer), answer.body)).collect()
        };
        let is_same = |answers: &Vec<_>| answers.iter().all(|answer| *answer == answers[0]);
        let tried: Vec<_> = std::iter::repeat_with(answers).take(3).collect();
        assert!(tried.iter().any(is_same), "{action}: {tried:?}");
    }
    let answer = cluster.nodes[0].call("effects", "[]");
    assert_eq!((answer.status, answer.header("x-action-redirect")), (200, "/elsewhere;push"));
    assert!(answer.header("set-cookie").starts_with("ran=yes"), "{answer:?}");
}

#[test]
fn an_action_sees_its_request_wherever_it_runs() {
    let cluster = Cluster::start(3);
    for node in &cluster.nodes {
        let reference = node.reference("seen");
        let headers = [("next-action", reference), ("x-name", "Ada"), ("content-type", "text/plain")];
        let answer = node.post("/here?a=b", &headers, r#"["k",[1,2]]"#);
        assert_eq!(answer.row(), r#""k [1, 2] Ada Some(\"guest\") Ada /here true""#);
    }
}

#[test]
fn large_arguments_and_values_cross_in_pieces() {
    let cluster = Cluster::start(3);
    // More than a few windows of pieces, each way.
    let text = "0123456789abcdef".repeat(60_000);
    let values: Vec<_> =
        cluster.nodes.iter().map(|node| node.call("large", &format!(r#"["k","{text}"]"#)).body).collect();
    assert!(values[0].contains(&text.repeat(2)));
    assert!(values.iter().all(|value| *value == values[0]));
}

#[test]
fn rows_cross_as_soon_as_they_are_ready() {
    let cluster = Cluster::start(3);
    std::thread::scope(|scope| {
        let calls: Vec<_> =
            cluster.nodes.iter().map(|node| scope.spawn(|| node.call("later", r#"["k"]"#))).collect();
        // Released one by one, as nobody waits for two of them at once.
        for _ in 0..3 {
            cluster.journal.release_waiting();
        }
        let bodies: Vec<_> = calls.into_iter().map(|call| call.join().expect("no panic").body).collect();
        assert!(bodies.iter().all(|body| *body == bodies[0] && body.contains("\"k\"")), "{bodies:?}");
    });
}

#[test]
fn a_client_that_goes_away_cancels_its_call_on_another_node() {
    let cluster = Cluster::start(3);
    for (node, key) in cluster.nodes.iter().zip(["x", "y", "z"]) {
        let (reference, body) = (node.reference("until_gone_elsewhere"), format!("[\"{key}\"]"));
        let mut client = TcpStream::connect(node.node.address()).expect("a connection");
        let request = format!(
            "POST / HTTP/1.1\r\nhost: x\r\nnext-action: {reference}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        client.write_all(request.as_bytes()).expect("written");
        cluster.journal.wait_for(&format!("{key} waits"));
        drop(client);
        cluster.journal.wait_for(&format!("{key} is gone"));
    }
}
