//! Actions as (parts of) answers: the client gets what it can call.

use std::time::Duration;

use callboard::{ActionContext, Bound, Failure, Value, action};
use serde::Serialize;

use crate::{arriving::Wire, client::Caller, order::Journal};

#[action(public, name = "returned_add")]
async fn returned_add(_cx: &ActionContext, a: u32, b: u32) -> u32 {
    a + b
}

#[action(public, name = "returned_secret")]
async fn returned_secret(_cx: &ActionContext, #[bound] secret: String, guess: String) -> bool {
    secret == guess
}

#[action(public, name = "returned_reader")]
async fn returned_reader(cx: &ActionContext, #[bound] secret: String, _items: Value) -> String {
    cx.state::<Journal>().note("reading");
    secret
}

#[action(public, name = "reader")]
async fn reader(_cx: &ActionContext, secret: String) -> Bound<returned_reader> {
    returned_reader.bind(&secret)
}

/// Two functions for the client.
#[derive(Serialize)]
struct Functions {
    add: returned_add,
    guess: Bound<returned_secret>,
}

#[action(public, name = "functions")]
async fn functions(_cx: &ActionContext, secret: String) -> Functions {
    Functions { add: returned_add, guess: returned_secret.bind(&secret) }
}

#[action(public, name = "stale_function")]
async fn stale_function(_cx: &ActionContext) -> Result<Bound<returned_secret>, Failure> {
    Ok(returned_secret.bind(&"x".to_owned()).expires_in(Duration::ZERO))
}

#[action(public, name = "incomplete_function")]
async fn incomplete_function(_cx: &ActionContext) -> returned_secret {
    returned_secret
}

/// The text in quotes that begins somewhere after this one.
fn quoted_after<'a>(text: &'a str, marker: &str) -> &'a str {
    let (_, after) = text.split_once(marker).unwrap_or_else(|| panic!("no {marker} in {text}"));
    after.split_once('"').expect("an end").0
}

/// What an answer binds to the one action of this name in it.
fn sealed(caller: &Caller, answer: &str, action: &str) -> String {
    let bound = format!(r#"{{"id":"{}","bound":"$@"#, caller.reference(action));
    let row = quoted_after(answer, &bound);
    quoted_after(answer, &format!("\n{row}:[\"")).to_owned()
}

#[test]
fn an_action_that_is_returned_can_be_called_with_what_was_bound_to_it() {
    let caller = Caller::start(&[]);
    let answer = caller.call("functions", r#"["swordfish"]"#);

    let plain = format!(r#"{{"id":"{}","bound":null}}"#, caller.reference("returned_add"));
    assert!(answer.body.contains(&plain), "{}", answer.body);
    assert!(!answer.body.contains("swordfish"), "what is bound can be read: {}", answer.body);

    let sealed = sealed(&caller, &answer.body, "returned_secret");
    for (guess, right) in [("swordfish", "true"), ("carp", "false")] {
        let arguments = serde_json::json!([sealed, guess]).to_string();
        assert_eq!(caller.call("returned_secret", &arguments).row(), right);
    }
}

#[test]
fn what_was_bound_to_a_returned_action_may_expire() {
    let caller = Caller::start(&[]);
    let body = caller.call("stale_function", "[]").body;
    let arguments = serde_json::json!([sealed(&caller, &body, "returned_secret"), "x"]).to_string();
    assert_eq!(caller.call("returned_secret", &arguments).header("callboard-error"), "bad-seal");
}

/// Goal: a client that encodes what was bound as a promise calls as one that sends the text, however late it is kept.
#[test]
fn what_was_bound_may_be_sent_as_a_promise() {
    let caller = Caller::start(&[]);
    let answer = caller.call("functions", r#"["swordfish"]"#);
    let sealed = format!("{:?}", sealed(&caller, &answer.body, "returned_secret"));
    let root = r#"["$@1","swordfish"]"#;
    for parts in [[("1", &*sealed), ("0", root)], [("0", root), ("1", &*sealed)]] {
        let mut wire = Wire::open(&caller, "returned_secret");
        for (name, text) in parts {
            wire.part(name, text);
        }
        wire.end();
        wire.read_until("1:true\n");
    }
}

#[test]
fn a_promise_of_anything_but_what_was_bound_is_refused_and_nothing_ran() {
    let caller = Caller::start(&[]);
    let answer = caller.call("reader", r#"["swordfish"]"#);
    let sealed = sealed(&caller, &answer.body, "returned_reader");
    let altered = format!("\"{sealed}x\"");
    let in_a_list = format!("[\"{sealed}\"]");
    let of_the_clients_choice = r#""carp""#.to_owned();
    for kept in [Some(altered), Some(in_a_list), Some(of_the_clients_choice), Some("not JSON".into()), None] {
        let mut wire = Wire::form(&caller, "returned_reader", r#"["$@1",null]"#);
        if let Some(text) = &kept {
            wire.part("1", text);
        }
        wire.end();
        let head = wire.read_until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 400"), "{kept:?}: {head}");
        assert!(head.contains("callboard-error: bad-seal"), "{kept:?}: {head}");
        assert!(head.contains("callboard-outcome: not-run"), "{kept:?}: {head}");
    }
    assert!(caller.journal.notes().is_empty());
}

/// Goal: no limit of what is read ahead of an action holds up what it needs to start. Method: the promise of what was
/// bound is kept behind more of a stream than may be read ahead.
#[test]
fn what_was_bound_may_be_sent_behind_a_stream() {
    let caller = Caller::start(&[("stream_ahead_bytes", "100"), ("stream_ahead_bytes_max", "1000")]);
    let answer = caller.call("reader", r#"["swordfish"]"#);
    let sealed = format!("{:?}", sealed(&caller, &answer.body, "returned_reader"));
    let mut wire = Wire::form(&caller, "returned_reader", r#"["$@1","$R2"]"#);
    for _ in 0..20 {
        wire.part("S2", &format!("\"{}\"", "x".repeat(200)));
    }
    wire.part("1", &sealed);
    wire.end();
    wire.read_until("1:\"swordfish\"\n");
}

#[test]
fn an_action_without_its_bound_values_cannot_be_returned() {
    let caller = Caller::start(&[]);
    let answer = caller.call("incomplete_function", "[]");
    assert_eq!((answer.status, answer.row()), (500, r#"E{"digest":"unencodable-value"}"#));
}
