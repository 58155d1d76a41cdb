//! What the answer of a kept page says: its render, its groups, its encoding; and which pages are not kept.

use callboard::{Html, PageContext, PageError, page};
use reqwest::Method;

use crate::client::{Answer, Caller, Raw};

#[page("/tagged/{count}", tags = ["tagged"])]
async fn tagged(cx: &PageContext, count: usize) -> Result<Html, PageError> {
    for number in 0..count {
        cx.tag(format!("number {number}"));
    }
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

#[page("/long-tag")]
async fn long_tag(cx: &PageContext) -> Result<Html, PageError> {
    cx.tag("x".repeat(1 << 20));
    Ok(Html::raw("never"))
}

#[page("/large")]
async fn large(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("{} {}", cx.render_id(), "<li>an entry</li>".repeat(1000))))
}

#[page("/large-form")]
async fn large_form(cx: &PageContext) -> Result<Html, PageError> {
    let form = cx.form(crate::pages::publish)?;
    Ok(Html::raw(format!("{form}{}", "<li>an entry</li>".repeat(1000))))
}

fn ask(caller: &Caller, path: &str, headers: &[(&str, &str)]) -> Raw {
    caller.ask(Method::GET, path, headers)
}

#[test]
fn a_page_is_compressed_once_for_those_that_take_it() {
    let caller = Caller::start(&[]);
    let plain = ask(&caller, "/large", &[]);
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
    let gzip = caller.compressed("/large", &[("accept-encoding", "br, gzip")], &plain.body);
    assert_eq!(gzip.decompressed(), plain.body);
    assert!(gzip.body.len() < plain.body.len() / 5);
    assert_eq!((gzip.header("vary"), gzip.header("cache-status")), ("accept-encoding", "callboard; hit"));

    // One page in two encodings, each with its own tag; whoever has one needs no other.
    let (etag, other) = (gzip.header("etag"), plain.header("etag"));
    assert_ne!(etag, other);
    for (known, accepted, expected) in
        [(etag, "gzip", etag), (other, "gzip", other), (other, "identity", other)]
    {
        let unchanged = ask(&caller, "/large", &[("accept-encoding", accepted), ("if-none-match", known)]);
        assert_eq!((unchanged.status, unchanged.header("etag")), (304, expected));
        assert_eq!((unchanged.body.len(), unchanged.header("vary")), (0, "accept-encoding"));
    }
    assert_eq!(ask(&caller, "/large", &[]).body, plain.body);
}

#[test]
fn a_page_that_is_another_in_each_response_or_somebodys_own_is_not_compressed() {
    let caller = Caller::start(&[]);
    for path in ["/large-form", "/hello", "/news"] {
        for _ in 0..5 {
            let answer = ask(&caller, path, &[("accept-encoding", "gzip")]);
            assert_eq!((answer.header("content-encoding"), answer.header("vary")), ("", ""), "{path}");
        }
    }
}

#[test]
fn every_answer_of_a_page_names_its_render() {
    let caller = Caller::start(&[]);
    let first = caller.get("/news");
    assert_eq!(first.body, format!("render {}", first.header("callboard-render")));
    assert_eq!(caller.get("/news").header("callboard-render"), first.header("callboard-render"));
    assert_ne!(caller.get("/hello").header("callboard-render"), "");
}

#[test]
fn tags_are_groups_of_the_answer() {
    let caller = Caller::start(&[]);
    let groups = r#""tagged", "number 0", "number 1""#;
    for _ in 0..2 {
        assert_eq!(caller.get("/tagged/2").header("cache-groups"), groups);
    }
    assert_eq!(caller.get("/tagged/100").header("cache-groups").split(", ").count(), 32);
    assert_eq!(caller.get("/words/a").header("cache-groups"), "");
    let etag = caller.get("/tagged/2").header("etag").to_owned();
    let unchanged = Answer::of(caller.http.get(caller.url("/tagged/2")).header("if-none-match", etag).send());
    assert_eq!((unchanged.status, unchanged.header("cache-groups")), (304, groups));
}

#[test]
fn a_page_with_too_many_tags_is_served_and_not_kept() {
    let caller = Caller::start(&[("page_tags_max", "10")]);
    let statuses = |path: &str| [(); 2].map(|()| caller.get(path).header("cache-status").to_owned());
    assert_eq!(statuses("/tagged/9"), ["callboard; fwd=miss", "callboard; hit"]);
    for path in ["/tagged/10", "/tagged/10000"] {
        assert_eq!(statuses(path), ["callboard; fwd=miss", "callboard; fwd=miss"]);
    }
}

#[test]
fn a_page_with_a_tag_that_is_too_long_fails() {
    let caller = Caller::start(&[]);
    let answer = caller.get("/long-tag");
    assert_eq!((answer.status, answer.header("callboard-error")), (500, "page-failed"));
}

#[test]
fn how_a_page_was_found_is_told_where_that_is_asked_for() {
    let told = Caller::start(&[("cache_debug_header", "true")]);
    told.get("/news");
    let text = told.get("/news").header("callboard-cache").to_owned();
    let position = text.split(['=', ';']).nth(1).expect("a position");
    assert!(text.starts_with(&format!("birth={position}; applied={position}; leased=1; age_ms=")), "{text}");
    let silent = Caller::start(&[]);
    assert_eq!(silent.get("/news").header("callboard-cache"), "");
}
