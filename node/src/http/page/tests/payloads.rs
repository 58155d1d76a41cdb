//! Pages that are a document to one client and data to another.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use callboard_protocol::{
    Value,
    action_id::{ActionId, InfoByte},
    de, flight,
    revalidation::{Profile, Revalidation},
};
use futures_util::{FutureExt as _, future::join_all};
use serde::{Deserialize, Serialize};

use super::*;
use crate::{actors::publish, js::Later};

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
const PAYLOAD: &str = "text/x-component";

/// What the pages here tell.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    render: u64,
}

fn tell(cx: &PageContext) -> Result<Html, PageError> {
    let render = cx.render_id();
    cx.payload(&Told { render })?;
    Ok(Html::raw(format!("render {render}")))
}

#[page("/unit/told", tags = ["unit told"])]
async fn told(cx: &PageContext) -> Result<Html, PageError> {
    tell(cx)
}

#[page("/unit/told-fenced", fenced = stale)]
async fn told_fenced(cx: &PageContext) -> Result<Html, PageError> {
    tell(cx)
}

#[page("/unit/told-refusing", fenced = 503)]
async fn told_refusing(cx: &PageContext) -> Result<Html, PageError> {
    tell(cx)
}

#[page("/unit/told-uncached", uncached)]
async fn told_uncached(cx: &PageContext) -> Result<Html, PageError> {
    tell(cx)
}

#[page("/unit/told-own")]
async fn told_own(cx: &PageContext) -> Result<Html, PageError> {
    let _name = cx.cookie("name");
    tell(cx)
}

static FAILS: AtomicBool = AtomicBool::new(false);

#[page("/unit/told-fragile", ttl = "1ms", stale_if_error = "1h")]
async fn told_fragile(cx: &PageContext) -> Result<Html, PageError> {
    let html = tell(cx)?;
    if FAILS.load(Ordering::SeqCst) { Err(PageError::Failed("on purpose".into())) } else { Ok(html) }
}

#[page("/unit/told-then-gone/{how}")]
async fn told_then_gone(cx: &PageContext, how: String) -> Result<Html, PageError> {
    if how == "later" {
        cx.payload(&Later::new(std::future::ready(1)))?;
    }
    tell(cx)?;
    match how.as_str() {
        "missing" => Err(PageError::NotFound),
        "elsewhere" => Err(PageError::Redirect("/".into())),
        _ => tell(cx),
    }
}

#[page("/unit/told-in-part")]
async fn told_in_part(cx: &PageContext) -> Result<Html, PageError> {
    cx.fragment("unit told part", &[], None, async || tell(cx)).await
}

#[page("/unit/told-beside-part")]
async fn told_beside_part(cx: &PageContext) -> Result<Html, PageError> {
    let part = cx.fragment("unit told beside", &[], None, async || Ok(Html::raw("part"))).await?;
    tell(cx)?;
    Ok(part)
}

/// What came back.
struct Response {
    status: u16,
    headers: header::HeaderMap,
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn told(&self) -> Told {
        assert_eq!((self.status, self.header("content-type")), (200, "text/x-component"));
        let rows = flight::parse(&self.body, &flight::Limits::default()).expect("rows");
        de::from_value(&rows.root.expect("a value")).expect("what was told")
    }

    fn html(&self) -> &str {
        assert_eq!((self.status, self.header("content-type")), (200, "text/html; charset=utf-8"));
        str::from_utf8(&self.body).expect("text")
    }

    /// The number of the render that it shows, which its header names, too.
    fn render(&self) -> u64 {
        let shown = match self.header("content-type") {
            "text/x-component" => self.told().render,
            _ => {
                self.html().strip_prefix("render ").and_then(|number| number.parse().ok()).expect("a number")
            }
        };
        assert_eq!(self.header("callboard-render"), shown.to_string());
        shown
    }
}

async fn get(node: &Arc<Node>, path: &str, asked: Asked, headers: &[(&str, &str)]) -> Response {
    let request = headers.iter().fold(TestRequest::get().uri(path), |request, header| {
        request.insert_header((header.0.to_owned(), header.1.to_owned()))
    });
    read(answer(&request.to_http_request(), node, key(path), asked).await).await
}

async fn read(response: HttpResponse) -> Response {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Response { status, headers, body: to_bytes(response.into_body()).await.expect("a body").to_vec() }
}

async fn as_html(node: &Arc<Node>, path: &str, asked: Asked) -> Response {
    get(node, path, asked, &[("accept", HTML)]).await
}

async fn as_payload(node: &Arc<Node>, path: &str, asked: Asked) -> Response {
    get(node, path, asked, &[("accept", PAYLOAD)]).await
}

#[actix_web::test]
async fn html_and_payload_are_one_render_whichever_is_asked_for_first() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    for (path, orders) in [("/unit/told?a", [HTML, PAYLOAD]), ("/unit/told?b", [PAYLOAD, HTML])] {
        let first = get(&node, path, leased(&node), &[("accept", orders[0])]).await;
        let second = get(&node, path, leased(&node), &[("accept", orders[1])]).await;
        assert_eq!(first.render(), second.render());
        let said = [first.header("cache-status"), second.header("cache-status")];
        assert_eq!(said, ["callboard; fwd=miss", "callboard; hit"]);
        assert_ne!(first.header("content-type"), second.header("content-type"));
        for header in ["cache-groups", "cache-control", "vary"] {
            assert_eq!(first.header(header), second.header(header), "{header}");
        }
        assert_eq!((first.header("vary"), first.header("cache-groups")), ("accept", "\"unit told\""));
    }
}

/// Goal: who asks for either at the same time gets the same render. Method: all ask while the only place to render in is
/// taken.
#[actix_web::test]
async fn requests_for_both_that_arrive_together_share_one_render() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[("renders_max", "1")]).await;
    let taken = node.renders.begin().await.expect("a place");
    let asked = leased(&node);
    let asking = (0..20).map(|number| {
        let accept = if number % 2 == 0 { HTML } else { PAYLOAD };
        let node = &node;
        async move { get(node, "/unit/told", asked, &[("accept", accept)]).await }
    });
    let mut answers = Box::pin(join_all(asking));
    assert!(answers.as_mut().now_or_never().is_none());
    drop(taken);
    let renders: Vec<u64> = answers.await.iter().map(Response::render).collect();
    assert_eq!(renders, [1; 20]);
    assert_eq!(node.cache.next_render_id(), 2, "nothing else was rendered");
}

#[actix_web::test]
async fn what_revalidates_a_page_revalidates_both() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let first = as_payload(&node, "/unit/told", leased(&node)).await.render();
    assert_eq!(as_html(&node, "/unit/told", leased(&node)).await.render(), first);
    publish(&node, vec![Revalidation::of_tag("unit told")], None).await;
    let second = as_payload(&node, "/unit/told", leased(&node)).await;
    assert_eq!((second.header("cache-status"), second.render() > first), ("callboard; fwd=miss", true));
    let html = as_html(&node, "/unit/told", leased(&node)).await;
    assert_eq!((html.header("cache-status"), html.render()), ("callboard; hit", second.render()));
}

#[actix_web::test]
async fn a_stale_payload_is_served_while_both_are_made_anew() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let old = as_html(&node, "/unit/told", leased(&node)).await.render();
    publish(&node, vec![Revalidation::of_tag("unit told").soft(Profile::max())], None).await;
    let stale = as_payload(&node, "/unit/told", leased(&node)).await;
    assert_eq!((stale.header("cache-status"), stale.render()), ("callboard; hit; detail=stale", old));
    let renewed = async {
        loop {
            let html = as_html(&node, "/unit/told", leased(&node)).await;
            if html.header("cache-status") == "callboard; hit" {
                return html.render();
            }
            tokio::task::yield_now().await;
        }
    };
    let new = tokio::time::timeout(Duration::from_secs(20), renewed).await.expect("it is made anew");
    assert_eq!(as_payload(&node, "/unit/told", leased(&node)).await.render(), new);
    assert_ne!(new, old);
}

#[actix_web::test]
async fn a_kept_payload_stands_in_for_a_render_that_fails() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let last = async {
        loop {
            FAILS.store(false, Ordering::SeqCst);
            let kept = as_html(&node, "/unit/told-fragile", leased(&node)).await.render();
            FAILS.store(true, Ordering::SeqCst);
            let payload = as_payload(&node, "/unit/told-fragile", leased(&node)).await;
            // Until its millisecond is over it is a hit.
            if payload.header("cache-status") == "callboard; hit; detail=stale-if-error" {
                return (kept, payload.render());
            }
        }
    };
    let (kept, shown) = tokio::time::timeout(Duration::from_secs(20), last).await.expect("it expires");
    assert_eq!(kept, shown);
}

#[actix_web::test]
async fn a_node_without_a_lease_does_with_a_payload_what_it_does_with_the_page() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let kept = as_html(&node, "/unit/told-fenced", leased(&node)).await.render();
    let known = as_payload(&node, "/unit/told-fenced", fenced(&node)).await;
    assert_eq!((known.header("cache-status"), known.render()), ("callboard; hit; detail=fenced", kept));
    // A client that saw something newer is served nothing that is kept.
    assert_ne!(as_payload(&node, "/unit/told-fenced", ahead(&node)).await.render(), kept);
    let refused = as_payload(&node, "/unit/told-refusing", fenced(&node)).await;
    assert_eq!((refused.status, refused.header("content-type")), (503, "text/html; charset=utf-8"));
}

#[actix_web::test]
async fn each_representation_has_an_etag_of_its_own_and_is_unchanged_by_that_alone() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let html = as_html(&node, "/unit/told", leased(&node)).await;
    let payload = as_payload(&node, "/unit/told", leased(&node)).await;
    let etags = [html.header("etag"), payload.header("etag")];
    assert!(etags[0] != etags[1] && !etags.contains(&""));
    for (accept, own, other) in [(HTML, etags[0], etags[1]), (PAYLOAD, etags[1], etags[0])] {
        let known = async |etag: &str| {
            get(&node, "/unit/told", leased(&node), &[("accept", accept), ("if-none-match", etag)]).await
        };
        let unchanged = known(own).await;
        assert_eq!((unchanged.status, unchanged.header("etag")), (304, own));
        assert_eq!((unchanged.body.len(), unchanged.header("vary")), (0, "accept"));
        assert_eq!(unchanged.header("callboard-render"), html.header("callboard-render"));
        assert_eq!(known(other).await.status, 200);
        assert_eq!(known(&format!("{other}, {own}")).await.status, 304);
    }
}

#[actix_web::test]
async fn a_page_that_is_one_clients_own_is_told_to_that_client_alone() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    for path in ["/unit/told-own", "/unit/told-uncached"] {
        let mut seen = Vec::new();
        for accept in [HTML, PAYLOAD, PAYLOAD, HTML] {
            let own = get(&node, path, leased(&node), &[("accept", accept)]).await;
            assert_eq!(own.header("content-type") == PAYLOAD, accept == PAYLOAD);
            let said = ["cache-control", "cache-status", "vary", "etag"].map(|name| own.header(name));
            assert_eq!(said, ["private, no-store", "callboard; fwd=bypass", "accept", ""]);
            seen.push(own.render());
        }
        seen.dedup();
        assert_eq!(seen.len(), 4, "each is rendered for its request");
        assert!(node.cache.page(key(path)).is_none());
    }
}

#[actix_web::test]
async fn a_page_without_a_payload_is_html_whatever_is_accepted() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    for accept in [PAYLOAD, HTML, "image/png"] {
        let page = get(&node, "/unit/render", leased(&node), &[("accept", accept)]).await;
        assert_eq!((page.html(), page.header("vary")), ("render 1", ""));
    }
}

#[actix_web::test]
async fn a_document_is_what_everybody_gets_who_does_not_name_the_payload() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let html = as_html(&node, "/unit/told", leased(&node)).await;
    assert_eq!(get(&node, "/unit/told", leased(&node), &[]).await.body, html.body);
    for accept in ["*/*", "text/*", "text/x-component;q=0", "text/x-component;q=0.1, text/html;q=0.2"] {
        assert_eq!(get(&node, "/unit/told", leased(&node), &[("accept", accept)]).await.body, html.body);
    }
    let payload = as_payload(&node, "/unit/told", leased(&node)).await;
    for accept in ["text/x-component, */*", "text/html;q=0.5, text/x-component;q=0.6"] {
        assert_eq!(get(&node, "/unit/told", leased(&node), &[("accept", accept)]).await.body, payload.body);
    }
}

#[actix_web::test]
async fn what_is_no_page_is_what_it_was_whatever_was_told_before() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    for (how, status) in [("missing", 404), ("elsewhere", 303), ("twice", 500), ("later", 500)] {
        let path = format!("/unit/told-then-gone/{how}");
        for accept in [HTML, PAYLOAD] {
            let page = get(&node, &path, leased(&node), &[("accept", accept)]).await;
            assert_eq!((page.status, page.header("vary")), (status, ""), "{how}");
            assert_ne!(page.header("content-type"), "text/x-component");
        }
    }
}

/// Goal: a page has the same payload whether a fragment of it is kept or not.
#[actix_web::test]
async fn a_payload_is_told_beside_fragments_and_not_within_them() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    for _ in 0..2 {
        assert_eq!(as_html(&node, "/unit/told-in-part", leased(&node)).await.status, 500);
    }
    for (path, parts) in [("/unit/told-beside-part?1", "fresh"), ("/unit/told-beside-part?2", "kept")] {
        let payload = as_payload(&node, path, leased(&node)).await.told();
        assert!(payload.render > 0, "with a fragment that is {parts}");
    }
}

#[actix_web::test]
async fn the_page_after_a_form_is_a_document() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let worker = actix::Actor::start(crate::actors::SlotWorker::new(1));
    let frontend = Frontend::new(Arc::clone(&node), worker);
    let action = ActionId::derive(b"salt", "unit", InfoByte::from_byte(0).expect("no arguments"));
    let state = FormState { action, key: String::new(), result: Value::undefined() };
    let request = TestRequest::post().uri("/unit/told").insert_header(("accept", PAYLOAD)).to_http_request();
    let page = read(after_form(&request, &frontend, state, &[], &Published::Nothing).await).await;
    assert!(page.html().starts_with("render "));
}
