//! What a client carries from an action's answer to its next page.

use crate::client::{Answer, Caller};

fn get(caller: &Caller, name: &str, value: &str) -> Answer {
    Answer::of(caller.http.get(caller.url("/news")).header(name, value).send())
}

/// Goal: the answer's token, as a header or as a cookie, costs its client nothing where its node has applied it. Method:
/// pages before and after.
#[test]
fn the_answer_of_an_action_carries_a_token_that_pages_take() {
    let caller = Caller::start(&[]);
    let answer = caller.call("publish", r#"["news"]"#);
    let token = answer.header("callboard-session").to_owned();
    let position = answer.header("callboard-revalidated-at");
    assert!(token.starts_with(&format!("{position}.")), "{token}");
    let (name, rest) = answer.header("set-cookie").split_once('=').expect("a cookie");
    assert!(name.starts_with("callboard-session-"), "{name}");
    assert_eq!(rest, format!("{token}; Path=/; Max-Age=60; SameSite=Lax; HttpOnly"));
    let first = caller.get("/news").body;
    let cookies = [format!("a=b; callboard-session={token}"), format!("a=b; {name}={token}")];
    let cookies = cookies.map(|cookies| ("cookie", cookies));
    for (name, value) in cookies.into_iter().chain([("callboard-session", token.clone())]) {
        let page = get(&caller, name, &value);
        assert_eq!((page.header("cache-status"), &page.body), ("callboard; hit", &first));
    }
}

#[test]
fn an_answer_without_revalidations_carries_none() {
    let caller = Caller::start(&[]);
    for answer in [caller.call("publish", "[]"), caller.call("revalidate_as", r#"["eventual","news"]"#)] {
        assert_eq!((answer.header("callboard-session"), answer.header("set-cookie")), ("", ""));
    }
}

#[test]
fn a_token_that_nobody_signed_is_none() {
    let caller = Caller::start(&[]);
    let first = caller.get("/news").body;
    let token = caller.call("publish", r#"["other"]"#).header("callboard-session").to_owned();
    let (position, signature) = token.split_once('.').expect("a dot");
    let later = position.parse::<u64>().expect("a number") + 1;
    for forged in [
        "",
        ".",
        "1",
        "99",
        "99.",
        &format!("{later}.{signature}"),
        &format!("{}.{signature}", u64::MAX),
        "é",
    ] {
        for page in [
            get(&caller, "callboard-session", forged),
            get(&caller, "cookie", &format!("callboard-session={forged}")),
        ] {
            assert_eq!((page.header("cache-status"), &page.body), ("callboard; hit", &first), "{forged}");
        }
    }
}

/// A program that keeps cookies sends no `Origin`; the token alone is nobody's right to anything.
#[test]
fn a_call_with_the_token_alone_is_no_call_with_cookies() {
    let caller = Caller::start(&[]);
    let call = |cookie: &str| {
        let headers = [("next-action", caller.reference("publish")), ("cookie", cookie)];
        caller.post("/", &headers, "[]").status
    };
    assert_eq!(call("callboard-session=1.x"), 200);
    assert_eq!(call("callboard-session=1.x; account=ann"), 403);
}
