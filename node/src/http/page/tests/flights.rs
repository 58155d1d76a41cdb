//! Renders that nobody waits for, that cannot begin, that are lost, or that turn out to be for one alone.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;

/// What breaks when it is let go of.
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[page("/unit/lost")]
async fn lost(_cx: &PageContext) -> Result<Html, PageError> {
    let _fragile = Fragile;
    std::future::pending().await
}

#[page("/unit/debugged/{name}", ttl = "1h", stale_while_revalidate = "1h")]
async fn debugged(cx: &PageContext, name: String) -> Result<Html, PageError> {
    let debug = cx.path() == "/unit/debugged/debug" && cx.header("x-debug").is_some();
    Ok(Html::raw(format!("{name} {debug}")))
}

/// Goal: who asks and goes away costs no render. Method: he goes while the only place to render in is taken.
#[actix_web::test]
async fn a_render_that_nobody_waits_for_any_more_does_not_begin() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[("renders_max", "1")]).await;
    let taken = node.renders.begin().await.expect("a place");
    assert!(Box::pin(ask(&node, "/unit/render?gone", leased(&node))).now_or_never().is_none());
    // Of two that wait for one render, one goes: the other gets it.
    let mut stays = Box::pin(ask(&node, "/unit/render?stays", leased(&node)));
    assert!(stays.as_mut().now_or_never().is_none());
    assert!(Box::pin(ask(&node, "/unit/render?stays", leased(&node))).now_or_never().is_none());
    drop(taken);
    assert_eq!(stays.await.2, "render 1", "places are given in order, and the first was not taken");
    assert!(node.cache.page(key("/unit/render?gone")).is_none());
    assert_eq!(ask(&node, "/unit/render?gone", leased(&node)).await.2, "render 2");
}

#[actix_web::test]
async fn a_page_whose_render_was_lost_is_rendered_for_the_next_who_asks() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[("render_timeout", "1ms")]).await;
    for _ in 0..2 {
        let asking = ask(&node, "/unit/lost", leased(&node));
        let answer = tokio::time::timeout(Duration::from_secs(20), asking).await.expect("an answer");
        assert_eq!(answer.0, 500);
    }
}

/// Goal: what a thread had begun is not waited for when it is gone. Method: a thread that begins a render and the new
/// page in place of a stale one, and ends while another thread waits for the first.
#[actix_web::test]
async fn what_a_thread_had_begun_is_given_up_with_it() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[("renders_max", "1")]).await;
    ask(&node, "/unit/debugged/stale", leased(&node)).await;
    let entry = node.cache.page(key("/unit/debugged/stale")).expect("it is kept");
    let taken = node.renders.begin().await.expect("a place");

    let (begun, begins) = tokio::sync::oneshot::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let other = {
        let (node, entry) = (Arc::clone(&node), Arc::clone(&entry));
        std::thread::spawn(move || {
            actix::System::new().block_on(async {
                assert!(Box::pin(ask(&node, "/unit/render", leased(&node))).now_or_never().is_none());
                assert!(entry.begin_refresh());
                let path = "/unit/debugged/stale";
                refresh(&request(path), &node, key(path), &entry, leased(&node).arrived);
                begun.send(()).expect("somebody waits");
                ended.await.expect("it is told to end");
            });
        })
    };
    begins.await.expect("it began");
    let mut waits = Box::pin(ask(&node, "/unit/render", leased(&node)));
    assert!(waits.as_mut().now_or_never().is_none());
    end.send(()).expect("it waits");
    let answer = tokio::time::timeout(Duration::from_secs(20), waits).await.expect("an answer");
    assert_eq!(answer.0, 500);
    other.join().expect("no panic");
    drop(taken);
    assert!(entry.begin_refresh(), "the next who asks makes the new one");
    assert_eq!(ask(&node, "/unit/render", leased(&node)).await.0, 200);
}

/// Goal: one request that made a page its own does not end that others share renders of its route. Method: one that does,
/// then some that ask at once.
#[actix_web::test]
async fn one_private_render_does_not_end_that_others_are_shared() {
    let state = tempfile::tempdir().expect("a folder");
    let node = node(&state, &[]).await;
    let path = "/unit/debugged/a";
    let source = Source::of(&request(path), &node).expect("a page");
    let debug = async || ask(&node, "/unit/debugged/debug", leased(&node)).await.1;
    assert_eq!(debug().await, "callboard; fwd=bypass");
    // Nobody knows yet what the others are.
    assert!(source.registered_private(key(path)));
    assert_eq!(ask(&node, path, leased(&node)).await.1, "callboard; fwd=miss");
    assert!(!source.registered_private(key("/unit/debugged/b")));
    // And of what is kept everybody knows it.
    assert_eq!(debug().await, "callboard; fwd=bypass");
    assert!(source.registered_private(key("/unit/debugged/b")) && !source.registered_private(key(path)));
}

#[actix_web::test]
async fn a_page_without_a_place_to_render_in_is_refused_and_may_be_asked_for_again() {
    let state = tempfile::tempdir().expect("a folder");
    let without_queue = node(&state, &[("renders_max", "1"), ("render_queue_max", "0")]).await;
    let state = tempfile::tempdir().expect("a folder");
    let impatient = node(&state, &[("renders_max", "1"), ("render_timeout", "1ms")]).await;
    for node in [without_queue, impatient] {
        let taken = node.renders.begin().await.expect("a place");
        for path in ["/unit/render", "/unit/own-parts", "/unit/own-parts"] {
            let response = answer(&request(path), &node, key(path), leased(&node)).await;
            let retry_after = response.headers().get(header::RETRY_AFTER).map(HeaderValue::as_bytes);
            assert_eq!((response.status().as_u16(), retry_after), (503, Some(&b"1"[..])), "{path}");
        }
        drop(taken);
        assert_eq!(ask(&node, "/unit/render", leased(&node)).await.0, 200);
    }
}
