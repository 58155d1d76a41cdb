//! What a node does that has no lease, or has not what its client has seen.

use actix::Actor as _;
use callboard_protocol::{
    Value,
    action_id::{ActionId, InfoByte},
    headers::CALLBOARD_SESSION,
    revalidation::LogPosition,
};

use super::*;
use crate::{actors::SlotWorker, session};

#[page("/unit/refuse", fenced = 503)]
async fn refusing(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

#[page("/unit/stale", fenced = stale, ttl = "1h", stale_if_error = "1h")]
async fn stale(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

#[page("/unit/parts")]
async fn parts(cx: &PageContext) -> Result<Html, PageError> {
    cx.fragment("unit part", &[], None, async || Ok(Html::raw(format!("part of {}", cx.render_id())))).await
}

#[page("/unit/own-parts")]
async fn own_parts(cx: &PageContext) -> Result<Html, PageError> {
    let part =
        cx.fragment("unit part", &[], None, async || Ok(Html::raw(format!("part of {}", cx.render_id()))));
    let part = part.await?;
    let _name = cx.cookie("name");
    Ok(part)
}

#[actix_web::test]
async fn a_page_is_rendered_for_whoever_asks_a_node_without_a_lease() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let kept = ask(&node, "/unit/render", leased(&node)).await;
    assert_eq!(ask(&node, "/unit/render", leased(&node)).await.1, "callboard; hit");

    let (status, cache, body) = ask(&node, "/unit/render", fenced(&node)).await;
    assert_eq!((status, cache.as_str()), (200, "callboard; fwd=miss; detail=fenced"));
    assert_ne!(body, kept.2);
    // What it rendered meanwhile is as good as any once it has a lease again.
    assert_eq!(ask(&node, "/unit/render", leased(&node)).await, (200, "callboard; hit".into(), body));
}

#[actix_web::test]
async fn a_page_may_rather_be_refused_by_a_node_without_a_lease() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    assert_eq!(ask(&node, "/unit/refuse", fenced(&node)).await.0, 503);
    assert_eq!(ask(&node, "/unit/refuse", leased(&node)).await.0, 200);
    assert_eq!(ask(&node, "/unit/refuse", fenced(&node)).await.0, 503);
}

#[actix_web::test]
async fn a_page_may_be_stale_at_a_node_without_a_lease_and_says_so() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let first = ask(&node, "/unit/stale", fenced(&node)).await;
    assert_eq!(first.1, "callboard; fwd=miss; detail=fenced");
    let second = ask(&node, "/unit/stale", fenced(&node)).await;
    assert_eq!((second.1.as_str(), second.2), ("callboard; hit; detail=fenced", first.2));
    // It is for the node's sake, and not for a client that saw something newer.
    for ahead in [ahead(&node), Asked { ahead: true, ..fenced(&node) }] {
        assert_eq!(ask(&node, "/unit/stale", ahead).await.1, "callboard; fwd=miss; detail=fenced");
    }
    assert!(found::spare(&node, key("/unit/stale"), leased(&node)).is_some());
    assert!(found::spare(&node, key("/unit/stale"), ahead(&node)).is_none());
}

#[actix_web::test]
async fn a_client_that_saw_more_than_the_node_is_served_nothing_that_is_kept() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let later = LogPosition::from_u64(node.versions.applied().as_u64() + 1);
    let asked = leased(&node).having_seen(&[later], &node).await;
    assert!(!asked.arrived.leased && !asked.fenced && asked.ahead);
    // What is applied already is not waited for.
    let asked = asked.having_seen(&[node.versions.applied()], &node).await;
    assert!(asked.arrived.leased && !asked.ahead);
    // What its own action revalidated it saw, too.
    let own = async |own| Asked::after(&request("/"), Some(own), &node).await.ahead;
    assert!(own(later).await && !own(node.versions.applied()).await);
}

#[actix_web::test]
async fn a_token_counts_if_this_cluster_signed_it_and_not_otherwise() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
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

/// Goal: a client is given its own writes also within a page that is rendered for it. Method: one that saw more than the
/// node, of a page that is kept and of one that never is.
#[actix_web::test]
async fn a_page_for_a_client_that_saw_more_than_the_node_is_made_of_nothing_that_is_kept() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let kept = ask(&node, "/unit/parts", leased(&node)).await.2;
    assert_eq!(ask(&node, "/unit/own-parts", leased(&node)).await.2, kept);
    for path in ["/unit/parts", "/unit/own-parts"] {
        let own = ask(&node, path, ahead(&node)).await.2;
        assert_ne!(own, kept, "{path}");
    }
}

/// Goal: who posted a form sees what its action did, although that ran on another node. Method: the page after a form, at a
/// node that has applied it or has not.
#[actix_web::test]
async fn the_page_after_a_form_is_made_of_nothing_older_than_what_the_form_did() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let worker = SlotWorker::new(1).start();
    let frontend = Frontend::new(Arc::clone(&node), worker);
    let kept = ask(&node, "/unit/parts", leased(&node)).await.2;
    let after = async |position: LogPosition| {
        let action = ActionId::derive(b"salt", "unit", InfoByte::from_byte(0).expect("no arguments"));
        let state = FormState { action, key: String::new(), result: Value::undefined() };
        let published = Published::At(position);
        let response = after_form(&request("/unit/parts"), &frontend, state, &[], &published).await;
        let body = to_bytes(response.into_body()).await.expect("a body");
        String::from_utf8(body.to_vec()).expect("text")
    };
    let applied = node.versions.applied();
    assert_eq!(after(applied).await, kept);
    assert_ne!(after(LogPosition::from_u64(applied.as_u64() + 1)).await, kept);
}
