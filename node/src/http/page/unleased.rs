//! What a node does that has no lease, or has not what its client has seen.

use actix_web::{body::to_bytes, test::TestRequest};
use callboard_cluster::cache::Arrived;
use callboard_protocol::{headers::CALLBOARD_SESSION, revalidation::LogPosition};

use super::*;
use crate::{App, Html, PageContext, page, session, settings::Sources};

#[page("/unit/render")]
async fn rendering(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

#[page("/unit/refuse", fenced = 503)]
async fn refusing(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

#[page("/unit/stale", fenced = stale, ttl = "1h", stale_if_error = "1h")]
async fn stale(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

/// A node that is alone, and so has everything.
async fn node(state: &tempfile::TempDir) -> Arc<Node> {
    let folder = state.path().to_str().expect("text").to_owned();
    let texts = [("state_dir".to_owned(), folder), ("log".to_owned(), "off".to_owned())];
    let settings = Sources::of_test(texts).expect("settings");
    crate::app::start(App::new("unit"), settings).await.expect("the node starts")
}

fn request(path: &str) -> HttpRequest {
    TestRequest::get().uri(path).to_http_request()
}

fn fenced(node: &Node) -> Asked {
    let asked = Asked::at(node, clock::core_now());
    Asked { fenced: true, arrived: Arrived { leased: false, ..asked.arrived }, ..asked }
}

async fn ask(node: &Arc<Node>, path: &str, asked: Asked) -> (u16, String, String) {
    let request = request(path);
    let key = PageKeyRef { host: "", path, query: "" };
    let response = answer(&request, node, key, asked).await;
    let status = response.status().as_u16();
    let cache = response.headers().get(headers::CACHE_STATUS);
    let cache = cache.map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default();
    let body = to_bytes(response.into_body()).await.expect("a body");
    (status, cache, String::from_utf8(body.to_vec()).expect("text"))
}

#[actix_web::test]
async fn a_page_is_rendered_for_whoever_asks_a_node_without_a_lease() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state).await;
    let leased = || Asked::at(&node, clock::core_now());
    let kept = ask(&node, "/unit/render", leased()).await;
    assert_eq!(ask(&node, "/unit/render", leased()).await.1, "callboard; hit");

    let (status, cache, body) = ask(&node, "/unit/render", fenced(&node)).await;
    assert_eq!((status, cache.as_str()), (200, "callboard; fwd=miss; detail=fenced"));
    assert_ne!(body, kept.2);
    // What it rendered meanwhile is as good as any once it has a lease again.
    assert_eq!(ask(&node, "/unit/render", leased()).await, (200, "callboard; hit".into(), body));
}

#[actix_web::test]
async fn a_page_may_rather_be_refused_by_a_node_without_a_lease() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state).await;
    assert_eq!(ask(&node, "/unit/refuse", fenced(&node)).await.0, 503);
    assert_eq!(ask(&node, "/unit/refuse", Asked::at(&node, clock::core_now())).await.0, 200);
    assert_eq!(ask(&node, "/unit/refuse", fenced(&node)).await.0, 503);
}

#[actix_web::test]
async fn a_page_may_be_stale_at_a_node_without_a_lease_and_says_so() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state).await;
    let first = ask(&node, "/unit/stale", fenced(&node)).await;
    assert_eq!(first.1, "callboard; fwd=miss; detail=fenced");
    let second = ask(&node, "/unit/stale", fenced(&node)).await;
    assert_eq!((second.1.as_str(), second.2), ("callboard; hit; detail=fenced", first.2));
    // It is for the node's sake, and not for a client that saw something newer.
    let ahead = Asked { fenced: false, ..fenced(&node) };
    assert_eq!(ask(&node, "/unit/stale", ahead).await.1, "callboard; fwd=miss; detail=fenced");
    let key = PageKeyRef { host: "", path: "/unit/stale", query: "" };
    assert!(found::spare(&node, key, Asked::at(&node, clock::core_now())).is_some());
    assert!(found::spare(&node, key, ahead).is_none());
}

#[actix_web::test]
async fn a_client_that_saw_more_than_the_node_is_served_nothing_that_is_kept() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state).await;
    let ahead = LogPosition::from_u64(node.versions.applied().as_u64() + 1);
    let asked = Asked::at(&node, clock::core_now()).having_seen(&[ahead], &node).await;
    assert!(!asked.arrived.leased && !asked.fenced);
    // What is applied already is not waited for.
    let asked = asked.having_seen(&[node.versions.applied()], &node).await;
    assert!(asked.arrived.leased);
}

#[actix_web::test]
async fn a_token_counts_if_this_cluster_signed_it_and_not_otherwise() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state).await;
    let leased_by = async |token: String| {
        let request = TestRequest::get().uri("/").insert_header((CALLBOARD_SESSION, token)).to_http_request();
        Asked::of(&request, &node).await.arrived.leased
    };
    let future = session::token(&node.keys, LogPosition::from_u64(u64::MAX));
    assert!(!leased_by(future.clone()).await, "nobody knows what there is up to there");
    assert!(leased_by(format!("{future}x")).await);
    assert!(leased_by(future.replacen('1', "2", 1)).await);
    assert!(leased_by(session::token(&node.keys, node.versions.applied())).await);
}
