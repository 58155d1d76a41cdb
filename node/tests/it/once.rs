//! Calls that are one: the action runs once, and everybody gets its one answer, on one node and over several.

use std::{io::Write as _, net::TcpStream, sync::mpsc};

use callboard::{
    ActionContext, Cookie, Form, GuardContext, Html, PageContext, PageError, Principal, Refusal, action,
    js::Stream, page,
};
use futures_util::stream;
use serde::Deserialize;

use crate::{
    client::{Answer, Caller},
    cluster::Cluster,
    order::Journal,
};

const KEY: &str = "idempotency-key";
const REPLAYED: &str = "callboard-replayed";

async fn by_name(cx: &GuardContext) -> Result<Principal, Refusal> {
    cx.header("x-name").map(Principal::new).ok_or_else(Refusal::unauthorized)
}

#[action(guard = by_name, name = "once", revalidates = ["once"])]
async fn once(cx: &ActionContext, text: String, hold: bool) -> String {
    let journal = cx.state::<Journal>();
    journal.note(format!("{text} runs"));
    if hold {
        journal.released().await;
    }
    cx.set_cookie(&Cookie::new("ran", &text));
    cx.redirect("/there");
    let name = cx.principal().map_or("nobody", Principal::id);
    if hold {
        format!("{text} of {name}, who waits: {}", !cx.is_cancelled())
    } else {
        format!("{text} of {name}")
    }
}

#[action(public, name = "once_streamed")]
async fn once_streamed(cx: &ActionContext) -> Stream<u32> {
    cx.state::<Journal>().note("streams");
    Stream::new(stream::iter([1, 2, 3]))
}

#[derive(Deserialize)]
struct Words {
    words: String,
}

#[action(public, name = "once_by_form")]
async fn once_by_form(cx: &ActionContext, form: Form<Words>) -> String {
    let words = form.0.words;
    cx.state::<Journal>().note(format!("{words} written"));
    words
}

#[page("/once")]
async fn once_page(cx: &PageContext) -> Result<Html, PageError> {
    let written: Option<String> = cx.form_state(once_by_form);
    let form = cx.form(once_by_form)?;
    Ok(Html::raw(format!("<p>{}</p><form>{form}</form>", Html::escape(&written.unwrap_or_default()))))
}

/// On one node, and on the third of three.
fn both(settings: &[(&str, &str)], test: impl Fn(&[&Caller], &Journal)) {
    let alone = Caller::start(settings);
    test(&[&alone, &alone, &alone], &alone.journal);
    let cluster = Cluster::start_with(3, settings);
    test(&cluster.nodes.iter().collect::<Vec<_>>(), &cluster.journal);
}

fn send(node: &Caller, action: &str, name: &str, key: &str, body: &str) -> Answer {
    let reference = node.reference(action);
    let headers = [("next-action", reference), ("content-type", "text/plain"), ("x-name", name), (KEY, key)];
    node.post("/", &headers, body.to_owned())
}

fn runs(journal: &Journal, note: &str) -> usize {
    journal.notes().iter().filter(|noted| *noted == note).count()
}

/// Everything of an answer but what says when it was given, and that it is a replay.
fn lasting(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | REPLAYED))
        .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
        .collect();
    headers.sort();
    (answer.status, headers, answer.body.clone())
}

#[test]
fn a_call_that_comes_again_while_it_runs_or_later_runs_once() {
    both(&[], |nodes, journal| {
        let body = r#"["tea",true]"#;
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| send(nodes[0], "once", "Ada", "k", body));
            journal.wait_for("tea runs");
            let second = scope.spawn(|| send(nodes[1], "once", "Ada", "k", body));
            // A call that is no duplicate overtakes both.
            assert_eq!(send(nodes[2], "once", "Ada", "other", r#"["milk",false]"#).status, 200);
            journal.release();
            (first.join().expect("no panic"), second.join().expect("no panic"))
        });
        let third = send(nodes[2], "once", "Ada", "k", body);
        assert_eq!((first.status, first.row()), (200, "\"tea of Ada, who waits: true\""));
        assert_eq!((first.header(REPLAYED), second.header(REPLAYED), third.header(REPLAYED)), ("", "1", "1"));
        assert_eq!(lasting(&second), lasting(&first));
        assert_eq!(lasting(&third), lasting(&first));
        assert!(first.header("set-cookie").starts_with("ran=tea"));
        assert_eq!((first.header("x-action-revalidated"), runs(journal, "tea runs")), ("1", 1));
    });
}

/// Goal: a browser that sends a form twice drops its first request; the run is not told that nobody waits.
#[test]
fn a_client_that_goes_away_does_not_cancel_what_its_second_request_waits_for() {
    both(&[], |nodes, journal| {
        let body = r#"["cup",true]"#;
        let second = std::thread::scope(|scope| {
            let mut first = TcpStream::connect(nodes[0].node.address()).expect("a connection");
            let request = format!(
                "POST / HTTP/1.1\r\nhost: x\r\nnext-action: {}\r\nx-name: Ada\r\n{KEY}: c\r\n\
                 content-length: {}\r\n\r\n{body}",
                nodes[0].reference("once"),
                body.len()
            );
            first.write_all(request.as_bytes()).expect("written");
            journal.wait_for("cup runs");
            let second = scope.spawn(|| send(nodes[1], "once", "Ada", "c", body));
            drop(first);
            // Whatever the node learnt of that by now, this call came after it.
            assert_eq!(send(nodes[0], "once", "Ada", "d", r#"["jug",false]"#).status, 200);
            journal.release();
            second.join().expect("no panic")
        });
        assert_eq!((second.row(), second.header(REPLAYED)), ("\"cup of Ada, who waits: true\"", "1"));
    });
}

/// Goal: nobody is told that his call will never run while it runs. Method: it is sent again, and both outlast their time.
#[test]
fn a_call_that_waits_for_itself_is_not_said_not_to_have_run() {
    both(&[("call_timeout", "3s")], |nodes, journal| {
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| send(nodes[0], "once", "Ada", "k", r#"["slow",true]"#));
            journal.wait_for("slow runs");
            let second = scope.spawn(|| send(nodes[1], "once", "Ada", "k", r#"["slow",true]"#));
            (first.join().expect("no panic"), second.join().expect("no panic"))
        });
        for answer in [&first, &second] {
            assert_eq!((answer.status, answer.header("callboard-outcome")), (504, "unknown"), "{answer:?}");
        }
        journal.release();
        // And it is what it came to in the end.
        let third = send(nodes[2], "once", "Ada", "k", r#"["slow",true]"#);
        assert_eq!(
            (third.status, third.row(), third.header(REPLAYED)),
            (200, "\"slow of Ada, who waits: false\"", "1")
        );
    });
}

#[test]
fn the_same_key_with_another_body_is_refused_and_of_another_principal_is_another_call() {
    both(&[], |nodes, journal| {
        assert_eq!(send(nodes[0], "once", "Ada", "k", r#"["a",false]"#).status, 200);
        let other = send(nodes[1], "once", "Ada", "k", r#"["b",false]"#);
        assert_eq!((other.status, other.header("callboard-error")), (422, "idempotency-conflict"));
        assert_eq!(other.header("callboard-outcome"), "not-run");
        let bob = send(nodes[1], "once", "Bob", "k", r#"["a",false]"#);
        assert_eq!((bob.row(), bob.header(REPLAYED)), ("\"a of Bob\"", ""));
        assert_eq!((runs(journal, "a runs"), runs(journal, "b runs")), (2, 0));
    });
}

#[test]
fn what_is_too_large_or_streamed_is_replayed_without_its_body() {
    both(&[("replay_bytes_max", "16")], |nodes, journal| {
        let long = format!(r#"["{}",false]"#, "l".repeat(40));
        let first = send(nodes[0], "once", "Ada", "long", &long);
        let again = send(nodes[1], "once", "Ada", "long", &long);
        assert_eq!(
            (again.status, again.header(REPLAYED), again.row()),
            (200, "body-not-kept", "\"$undefined\"")
        );
        assert_eq!(again.header("set-cookie"), first.header("set-cookie"));

        let first = send(nodes[0], "once_streamed", "Ada", "s", "[]");
        let again = send(nodes[1], "once_streamed", "Ada", "s", "[]");
        assert_eq!((first.status, first.header(REPLAYED)), (200, ""));
        assert_eq!((again.status, again.header(REPLAYED)), (200, "body-not-kept"));
        assert_eq!(runs(journal, "streams"), 1);
    });
}

#[test]
fn a_form_that_is_sent_twice_runs_once_and_both_requests_see_the_same() {
    both(&[], |nodes, journal| {
        let page = nodes[0].get("/once");
        let mut fields = page.hidden_fields();
        fields.push(("words".into(), "once upon".into()));
        let first = nodes[0].submit("/once", &fields, None);
        let second = nodes[1].submit("/once", &fields, None);
        assert_eq!((first.status, first.header(REPLAYED)), (200, ""));
        assert_eq!((second.status, second.header(REPLAYED)), (200, "1"));
        assert!(first.body.contains("<p>once upon</p>") && second.body.contains("<p>once upon</p>"));
        assert_eq!(runs(journal, "once upon written"), 1);

        // Another text in the same form is another call, and so is the same text in a new page.
        fields.last_mut().expect("just pushed").1 = "a time".into();
        assert_eq!(nodes[1].submit("/once", &fields, None).header(REPLAYED), "");
        let mut anew = nodes[2].get("/once").hidden_fields();
        anew.push(("words".into(), "once upon".into()));
        assert_eq!(nodes[2].submit("/once", &anew, None).header(REPLAYED), "");
        assert_eq!((runs(journal, "a time written"), runs(journal, "once upon written")), (1, 2));
    });
}

/// Goal: calls that are refused use nothing up for those that come later. Method: there is room for three keys; two calls
/// fill a line, and more are refused than there is room for.
#[test]
fn a_key_of_a_call_that_was_refused_does_not_count() {
    let caller = Caller::start(&[("idempotency_keys_max", "3"), ("key_queue_max", "1")]);
    let line = |key: &str, body: &str| send(&caller, "line", "Ada", key, body);
    let (answered, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        let background = |key: &'static str, body: &'static str| {
            let answered = answered.clone();
            scope.spawn(move || answered.send(line(key, body).status).expect("somebody waits"));
        };
        background("1", r#"["a",1,true]"#);
        caller.journal.wait_for("a begins 1");
        // Of two more, one finds room in the line; when the other is refused, it stands there.
        background("2", r#"["a",2,false]"#);
        background("3", r#"["a",2,false]"#);
        assert_eq!(answers.recv(), Ok(503));
        for key in ["4", "5", "6"] {
            let refused = line(key, r#"["a",2,false]"#);
            assert_eq!((refused.status, refused.body.as_str()), (503, "key_queue_max is full at 1"));
        }
        caller.journal.release();
        assert_eq!([answers.recv(), answers.recv()], [Ok(200), Ok(200)]);
    });
    assert_eq!(line("new", r#"["a",3,false]"#).status, 200);
    assert_eq!(line("one-too-many", r#"["a",3,false]"#).body, "idempotency_keys_max is full at 3");
}

#[test]
fn more_keys_than_are_kept_are_refused_and_nothing_ran() {
    let caller = Caller::start(&[("idempotency_keys_max", "2")]);
    let send = |key: &str| send(&caller, "once", "Ada", key, r#"["x",false]"#);
    assert_eq!([send("1").status, send("2").status, send("1").status], [200; 3]);
    let full = send("3");
    assert_eq!((full.status, full.body.as_str()), (503, "idempotency_keys_max is full at 2"));
    assert_eq!((full.header("callboard-outcome"), runs(&caller.journal, "x runs")), ("not-run", 2));
}
