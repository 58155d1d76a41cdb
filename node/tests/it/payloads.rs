//! Pages that are data to a client that accepts those, over HTTP: their encodings, their forms, and who is told of them.

use callboard::{ActionContext, Html, PageContext, PageError, action, js::FormData, page};
use reqwest::Method;

use crate::client::{Answer, Caller, Raw};

const PAYLOAD: (&str, &str) = ("accept", "text/x-component");

#[page("/told", tags = ["told"])]
async fn told(cx: &PageContext) -> Result<Html, PageError> {
    cx.payload(&(cx.render_id(), "x".repeat(5000)))?;
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

#[action(public, name = "count_fields")]
async fn count_fields(_cx: &ActionContext, form: FormData) -> usize {
    form.iter().count()
}

#[page("/told-form")]
async fn told_form(cx: &PageContext) -> Result<Html, PageError> {
    let form = cx.form(count_fields)?;
    cx.payload(&format!("{form}{}", "x".repeat(5000)))?;
    Ok(form)
}

fn get(caller: &Caller, path: &str, headers: &[(&str, &str)]) -> Raw {
    caller.ask(Method::GET, path, headers)
}

#[test]
fn head_says_of_each_representation_what_get_does() {
    let caller = Caller::start(&[]);
    for accepted in [&[][..], &[PAYLOAD]] {
        let whole = get(&caller, "/told", accepted);
        let head = caller.ask(Method::HEAD, "/told", accepted);
        assert!(head.body.is_empty() && !whole.body.is_empty());
        for name in ["content-type", "content-length", "etag", "vary", "callboard-render"] {
            assert_eq!(head.header(name), whole.header(name), "{name}");
        }
        assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    }
}

#[test]
fn a_payload_is_compressed_for_those_that_take_it_and_has_another_etag_then() {
    let caller = Caller::start(&[]);
    let plain = get(&caller, "/told", &[PAYLOAD]);
    assert_eq!((plain.header("vary"), plain.header("content-encoding")), ("accept, accept-encoding", ""));
    let gzip = caller.compressed("/told", &[PAYLOAD, ("accept-encoding", "gzip")], &plain.body);
    assert_eq!((gzip.decompressed(), gzip.body.len() < 1000), (plain.body.clone(), true));
    assert_eq!(gzip.header("callboard-render"), plain.header("callboard-render"));
    assert_eq!(
        (gzip.header("content-type"), gzip.header("vary")),
        ("text/x-component", plain.header("vary"))
    );
    assert_ne!(gzip.header("etag"), plain.header("etag"));
    for known in [gzip.header("etag"), plain.header("etag")] {
        let unchanged =
            get(&caller, "/told", &[PAYLOAD, ("accept-encoding", "gzip"), ("if-none-match", known)]);
        assert_eq!((unchanged.status, unchanged.header("etag")), (304, known));
        assert_eq!(unchanged.header("vary"), "accept, accept-encoding");
    }
    // The HTML is too short to be compressed.
    let html = get(&caller, "/told", &[("accept-encoding", "gzip")]);
    assert_eq!((html.header("vary"), html.header("content-encoding")), ("accept", ""));
}

/// Goal: a form in a payload works as one in HTML. Method: it is submitted as each response has it, twice.
#[test]
fn each_payload_has_a_nonce_of_its_own_in_its_forms() {
    let caller = Caller::start(&[]);
    let mut nonces = Vec::new();
    for accepted in [&[PAYLOAD][..], &[PAYLOAD], &[]] {
        let page = get(&caller, "/told-form", accepted);
        assert_eq!((page.status, page.header("etag"), page.header("vary")), (200, "", "accept"));
        let text = page.text();
        // Row 0 is a string with the hidden fields.
        let read = |row: &str| serde_json::from_str(row.trim_end()).expect("a string");
        let html: String = text.strip_prefix("0:").map_or_else(|| text.to_owned(), read);
        let fields = Answer { status: 200, headers: page.headers, body: html }.hidden_fields();
        let submitted = [(); 2].map(|()| {
            let sent = caller.http.post(caller.url("/told-form")).form(&fields).send();
            let answer = Answer::of(sent);
            assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
            answer.header("callboard-replayed").to_owned()
        });
        assert_eq!(submitted, ["", "1"]);
        nonces.extend(fields.into_iter().filter(|(name, _)| name == "$CALLBOARD_NONCE"));
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
}

#[test]
fn explain_says_how_large_a_payload_is() {
    let caller = Caller::start(&[]);
    let payload = get(&caller, "/told", &[PAYLOAD]);
    caller.get("/news");
    let explained = |path: &str| {
        let url = format!("http://{}/explain?path={path}", caller.node.admin());
        let told: serde_json::Value =
            caller.http.get(url).send().and_then(reqwest::blocking::Response::json).expect("JSON");
        told["entries"][0]["payload_bytes"].clone()
    };
    assert_eq!(explained("/told"), payload.body.len());
    assert!(explained("/news").is_null());
}
