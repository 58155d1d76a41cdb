//! Calls by the client: who may, with what, and what comes of it.

use std::time::Duration;

use callboard::{
    ActionContext, ActionError, Cookie, Failure, GuardContext, Html, PageContext, PageError, Principal,
    Refusal, action, page,
};
use serde::Serialize;

use crate::client::{Answer, Caller};

async fn signed_in(request: &GuardContext) -> Result<Principal, Refusal> {
    match request.signed_cookie("session") {
        Some(name) if name == "banned" => Err(Refusal::forbidden()),
        Some(name) => Ok(Principal::new(name)),
        None => Err(Refusal::unauthorized().sign_in_at("/sign-in")),
    }
}

#[action(public, name = "sign_in")]
async fn sign_in(cx: &ActionContext, name: String) {
    cx.set_signed_cookie(Cookie::new("session", name));
}

#[action(guard = signed_in, name = "whoami")]
async fn whoami(cx: &ActionContext) -> Option<String> {
    cx.principal().map(|principal| principal.id().to_owned())
}

#[action(public, name = "nothing")]
async fn nothing(_cx: &ActionContext) {}

#[derive(Debug, Serialize, thiserror::Error)]
#[error("the drawer {drawer} is locked")]
struct Locked {
    drawer: u32,
}

impl ActionError for Locked {
    fn code(&self) -> std::borrow::Cow<'static, str> {
        "locked".into()
    }
}

#[action(public, name = "open_thrown")]
async fn open_thrown(_cx: &ActionContext, drawer: u32) -> Result<u32, Locked> {
    if drawer == 1 { Ok(drawer) } else { Err(Locked { drawer }) }
}

#[action(public, name = "open_value", errors = "value")]
async fn open_value(_cx: &ActionContext, drawer: u32) -> Result<u32, Locked> {
    if drawer == 1 { Ok(drawer) } else { Err(Locked { drawer }) }
}

#[action(public, name = "slow", timeout = "50ms", revalidates = ["slow"])]
async fn slow(cx: &ActionContext) -> Result<(), Failure> {
    cx.cancelled().await;
    cx.state::<crate::order::Journal>().note("slow went on");
    Ok(())
}

#[page("/slow", tags = ["slow"])]
async fn slow_page(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(cx.render_id().to_string()))
}

#[action(public, name = "wait")]
async fn wait(cx: &ActionContext) {
    let journal = cx.state::<crate::order::Journal>();
    journal.note("waiting");
    journal.released().await;
}

#[action(public, name = "refresh")]
async fn refresh(cx: &ActionContext) {
    cx.refresh();
}

async fn broken_guard(_request: &GuardContext) -> Result<Principal, Refusal> {
    panic!("on purpose")
}

#[action(guard = broken_guard, name = "behind_broken_guard")]
async fn behind_broken_guard(_cx: &ActionContext) {}

async fn slow_guard(_request: &GuardContext) -> Result<Principal, Refusal> {
    std::future::pending().await
}

#[action(guard = slow_guard, name = "behind_slow_guard")]
async fn behind_slow_guard(_cx: &ActionContext) {}

#[action(public, name = "keyed_badly", key = list[0])]
async fn keyed_badly(_cx: &ActionContext, list: Vec<u32>) -> usize {
    list.len()
}

#[action(public, name = "redirects_and_fails")]
async fn redirects_and_fails(cx: &ActionContext) -> Result<(), Failure> {
    cx.redirect("/slow");
    Err(Failure::public("no", "no"))
}

fn session(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().expect("a cookie").to_owned()
}

fn call_as(caller: &Caller, cookie: &str, action: &str) -> Answer {
    let request = caller.http.post(caller.url("/")).header("next-action", caller.reference(action));
    let request = request.header("cookie", cookie).header("sec-fetch-site", "same-origin");
    Answer::of(request.header("content-type", "text/plain").body("[]").send())
}

#[test]
fn a_guard_lets_in_whom_it_knows_and_nobody_else() {
    let caller = Caller::start(&[]);
    let stranger = caller.call("whoami", "[]");
    assert_eq!((stranger.status, stranger.row()), (401, r#"E{"digest":"NEXT_HTTP_ERROR_FALLBACK;401"}"#));
    assert_eq!(stranger.header("callboard-outcome"), "not-run");

    let ann = session(&caller.call("sign_in", r#"["ann"]"#));
    let known = call_as(&caller, &ann, "whoami");
    assert_eq!((known.status, known.row()), (200, "\"ann\""));

    let banned = session(&caller.call("sign_in", r#"["banned"]"#));
    assert_eq!(call_as(&caller, &banned, "whoami").status, 403);

    let forged = ann.replace("ann", "bob");
    assert_eq!(call_as(&caller, &forged, "whoami").status, 401);
}

#[test]
fn a_guard_is_asked_before_the_arguments_are_decoded() {
    let caller = Caller::start(&[]);
    assert_eq!(caller.call("whoami", "no JSON at all").status, 401);
}

#[test]
fn a_function_without_a_value_gives_undefined() {
    let caller = Caller::start(&[]);
    assert_eq!(caller.call("nothing", "[]").row(), "\"$undefined\"");
}

#[test]
fn the_author_chooses_whether_an_error_is_thrown_or_a_value() {
    let caller = Caller::start(&[]);
    assert_eq!(caller.call("open_thrown", "[1]").row(), "1");
    let thrown = caller.call("open_thrown", "[2]");
    assert_eq!((thrown.status, thrown.row()), (500, r#"E{"digest":"locked"}"#));
    assert_eq!(thrown.header("callboard-outcome"), "failed");

    assert_eq!(caller.call("open_value", "[1]").row(), r#"{"ok":true,"value":1}"#);
    let value = caller.call("open_value", "[2]");
    assert_eq!((value.status, value.row()), (200, r#"{"ok":false,"error":{"drawer":2}}"#));
    assert_eq!(value.header("callboard-outcome"), "done");
}

/// Goal: at its deadline an action's client is told the truth, and the action goes on and still revalidates.
#[test]
fn at_its_deadline_an_action_goes_on_and_its_client_hears_unknown() {
    let caller = Caller::start(&[]);
    let before = caller.get("/slow").body;

    let answer = caller.call("slow", "[]");

    assert_eq!((answer.status, answer.header("callboard-outcome")), (504, "unknown"));
    assert_eq!(answer.body, "the action still ran after 50ms");
    assert_eq!(answer.header("callboard-call-id").len(), 32);
    // It revalidates at its end, soon after the answer: the page is asked until it shows it.
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while caller.get("/slow").body == before {
        assert!(std::time::Instant::now() < until, "the action did not go on");
    }
}

#[test]
fn more_calls_than_permitted_are_refused_and_did_not_run() {
    let caller = Caller::start(&[("calls_max", "1")]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| caller.call("wait", "[]"));
        let journal = caller.journal.clone();
        journal.wait_for("waiting");

        let second = caller.call("wait", "[]");
        assert_eq!((second.status, second.header("callboard-outcome")), (503, "not-run"));
        assert_eq!((second.header("retry-after"), second.body.as_str()), ("1", "calls_max is full at 1"));

        journal.release();
        assert_eq!(first.join().expect("an answer").status, 200);
    });
}

#[test]
fn a_panic_before_the_action_is_answered_and_nothing_ran() {
    let caller = Caller::start(&[]);
    for (action, arguments) in [("behind_broken_guard", "[]"), ("keyed_badly", "[[]]")] {
        let answer = caller.call(action, arguments);
        assert_eq!((answer.status, answer.header("callboard-outcome")), (500, "not-run"));
        assert_eq!(answer.header("callboard-error"), "refusal-failed");
        assert!(!answer.body.contains("on purpose"));
    }
    assert_eq!(caller.call("keyed_badly", "[[7]]").row(), "1");
}

#[test]
fn a_guard_that_does_not_answer_is_not_waited_for() {
    let caller = Caller::start(&[("guard_timeout", "20ms")]);
    let answer = caller.call("behind_slow_guard", "[]");
    assert_eq!((answer.status, answer.header("callboard-outcome")), (503, "not-run"));
    assert_eq!(answer.body, "the guard did not answer within 20ms");
}

#[test]
fn a_failed_action_leads_nowhere() {
    let caller = Caller::start(&[]);
    let answer = caller.call("redirects_and_fails", "[]");
    assert_eq!((answer.status, answer.header("x-action-redirect")), (500, ""));
    assert_eq!(answer.header("callboard-error"), "action-failed");
    assert_eq!(answer.header("callboard-call-id").len(), 32);
}

#[test]
fn refreshing_is_told_apart_from_revalidating() {
    let caller = Caller::start(&[]);
    let refreshed = caller.call("refresh", "[]");
    assert_eq!(
        (refreshed.header("x-action-revalidated"), refreshed.header("callboard-revalidated-at")),
        ("2", "")
    );
    // A cookie alone revalidates nothing.
    assert_eq!(caller.call("sign_in", r#"["ann"]"#).header("x-action-revalidated"), "");
}
