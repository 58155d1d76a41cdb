//! Actions as (parts of) answers: the client gets what it can call.

use std::time::Duration;

use callboard::{ActionContext, Bound, Failure, action};
use serde::Serialize;

use crate::client::Caller;

#[action(public, name = "returned_add")]
async fn returned_add(_cx: &ActionContext, a: u32, b: u32) -> u32 {
    a + b
}

#[action(public, name = "returned_secret")]
async fn returned_secret(_cx: &ActionContext, #[bound] secret: String, guess: String) -> bool {
    secret == guess
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

#[test]
fn an_action_that_is_returned_can_be_called_with_what_was_bound_to_it() {
    let caller = Caller::start(&[]);
    let answer = caller.call("functions", r#"["swordfish"]"#);

    let plain = format!(r#"{{"id":"{}","bound":null}}"#, caller.reference("returned_add"));
    assert!(answer.body.contains(&plain), "{}", answer.body);
    assert!(!answer.body.contains("swordfish"), "what is bound can be read: {}", answer.body);

    let bound = format!(r#"{{"id":"{}","bound":"$@"#, caller.reference("returned_secret"));
    let row = quoted_after(&answer.body, &bound);
    let sealed = quoted_after(&answer.body, &format!("\n{row}:[\""));
    for (guess, right) in [("swordfish", "true"), ("carp", "false")] {
        let arguments = serde_json::json!([sealed, guess]).to_string();
        assert_eq!(caller.call("returned_secret", &arguments).row(), right);
    }
}

#[test]
fn what_was_bound_to_a_returned_action_may_expire() {
    let caller = Caller::start(&[]);
    let body = caller.call("stale_function", "[]").body;
    let row = quoted_after(&body, r#""bound":"$@"#);
    let arguments = serde_json::json!([quoted_after(&body, &format!("{row}:[\"")), "x"]).to_string();
    assert_eq!(caller.call("returned_secret", &arguments).header("callboard-error"), "bad-seal");
}

#[test]
fn an_action_without_its_bound_values_cannot_be_returned() {
    let caller = Caller::start(&[]);
    let answer = caller.call("incomplete_function", "[]");
    assert_eq!((answer.status, answer.row()), (500, r#"E{"digest":"unencodable-value"}"#));
}
