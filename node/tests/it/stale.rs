//! Pages that are served while they are made anew, or in place of one that fails; and what is revalidated how.

use std::sync::atomic::{AtomicBool, Ordering};

use callboard::{ActionContext, Html, PageContext, PageError, Profile, action, page};

use crate::client::{Answer, Caller};

const HIT: &str = "callboard; hit";
const MISS: &str = "callboard; fwd=miss";
const STALE: &str = "callboard; hit; detail=stale";

#[page("/blog/{*rest}", tags = ["blog"])]
async fn blog(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

#[page("/short", tags = ["short"], ttl = "1ms", stale_while_revalidate = "1h")]
async fn short(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

static FAILS: AtomicBool = AtomicBool::new(false);

#[page("/fragile", tags = ["fragile"], ttl = "1ms", stale_if_error = "1h")]
async fn fragile(cx: &PageContext) -> Result<Html, PageError> {
    if FAILS.load(Ordering::SeqCst) {
        return Err(PageError::Failed("on purpose".into()));
    }
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

#[page("/endless")]
async fn endless(_cx: &PageContext) -> Result<Html, PageError> {
    std::future::pending().await
}

#[action(public, name = "revalidate_as")]
async fn revalidate_as(cx: &ActionContext, how: String, what: String) {
    match how.as_str() {
        "layout" => drop(cx.revalidate_path_layout(what)),
        "soft" => drop(cx.revalidate_tag_soft(what, Profile::max())),
        "soft, strictly" => cx.revalidate_tag_soft(what, Profile::hours(1)).strict(),
        "session" => cx.revalidate_tag(what).session(),
        "eventual" => cx.revalidate_tag(what).eventual(),
        _ => drop(cx.revalidate_tag(what)),
    }
}

fn revalidate(caller: &Caller, how: &str, what: &str) -> Answer {
    caller.call("revalidate_as", &format!("[{how:?},{what:?}]"))
}

#[test]
fn a_layout_takes_every_page_below_it_and_no_other() {
    let caller = Caller::start(&[]);
    let paths = ["/blog/a", "/blog/a/b", "/blog/ab", "/news"];
    let before = paths.map(|path| caller.get(path).body);
    revalidate(&caller, "layout", "/blog/a");
    assert_ne!(caller.get("/blog/a").body, before[0]);
    assert_ne!(caller.get("/blog/a/b").body, before[1]);
    assert_eq!(caller.get("/blog/ab").body, before[2]);
    assert_eq!(caller.get("/news").body, before[3]);
    revalidate(&caller, "layout", "/");
    assert_ne!(caller.get("/news").body, before[3]);
}

#[test]
fn what_is_revalidated_softly_is_served_until_a_new_page_is_there() {
    let caller = Caller::start(&[]);
    let first = caller.get("/blog/soft");
    let answer = revalidate(&caller, "soft", "blog");
    // Nobody waited for it, so nothing is said of it.
    assert_eq!((answer.header("x-action-revalidated"), answer.header("callboard-revalidated-at")), ("", ""));
    let stale = caller.get("/blog/soft");
    assert_eq!((stale.header("cache-status"), &stale.body), (STALE, &first.body));
    let next = caller.until(&caller.url("/blog/soft"), |answer| answer.header("cache-status") == HIT);
    assert_ne!(next.body, first.body);
}

#[test]
fn what_is_dead_is_not_revived_by_a_soft_revalidation() {
    let caller = Caller::start(&[]);
    let first = caller.get("/blog/dead");
    revalidate(&caller, "hard", "blog");
    revalidate(&caller, "soft, strictly", "blog");
    let next = caller.get("/blog/dead");
    assert_eq!(next.header("cache-status"), MISS);
    assert_ne!(next.body, first.body);
}

#[test]
fn the_answer_says_where_a_revalidation_stands_if_it_waited_for_that() {
    let caller = Caller::start(&[]);
    let mut last = 0_u64;
    for (how, waits) in
        [("hard", true), ("session", true), ("soft, strictly", true), ("eventual", false), ("hard", true)]
    {
        let answer = revalidate(&caller, how, "blog");
        let position = answer.header("callboard-revalidated-at");
        assert_eq!(answer.header("x-action-revalidated"), if waits { "1" } else { "" }, "{how}");
        assert_eq!(!position.is_empty(), waits, "{how}");
        if waits {
            let position = position.parse().expect("a number");
            assert!(position > last, "{how}");
            last = position;
        }
    }
}

/// Goal: after its time a page is served while one new one is made, and a revalidation ends that at once.
#[test]
fn after_its_time_a_page_is_served_while_a_new_one_is_made() {
    let caller = Caller::start(&[]);
    let first = caller.get("/short");
    assert_eq!(first.header("cache-status"), MISS);
    let stale = caller.until(&caller.url("/short"), |answer| answer.header("cache-status") == STALE);
    assert_eq!(stale.body, first.body);
    caller.until(&caller.url("/short"), |answer| {
        answer.body != first.body && answer.header("cache-status") != MISS
    });

    let before = caller.get("/short").body;
    revalidate(&caller, "hard", "short");
    let after = caller.get("/short");
    assert_eq!(after.header("cache-status"), MISS);
    assert_ne!(after.body, before);
}

#[test]
fn a_page_stands_in_for_one_that_fails_unless_it_was_revalidated() {
    let caller = Caller::start(&[]);
    let first = caller.get("/fragile");
    FAILS.store(true, Ordering::SeqCst);
    let spare = caller.until(&caller.url("/fragile"), |answer| answer.header("cache-status") != HIT);
    assert_eq!((spare.status, spare.header("cache-status")), (200, "callboard; hit; detail=stale-if-error"));
    assert_eq!(spare.body, first.body);

    revalidate(&caller, "hard", "fragile");
    assert_eq!(caller.get("/fragile").status, 500);
    FAILS.store(false, Ordering::SeqCst);
    assert_eq!(caller.get("/fragile").status, 200);
}

#[test]
fn a_page_that_does_not_end_is_answered_and_costs_nobody_else_anything() {
    let caller = Caller::start(&[("render_timeout", "50ms")]);
    let endless = caller.get("/endless");
    assert_eq!((endless.status, endless.header("callboard-error")), (500, "page-failed"));
    assert_eq!(caller.get("/news").status, 200);
}

#[test]
fn a_tag_that_is_too_long_makes_the_call_fail_and_is_revalidated_all_the_same() {
    let caller = Caller::start(&[]);
    let answer = revalidate(&caller, "hard", &"x".repeat(257));
    assert_eq!((answer.status, answer.header("callboard-outcome")), (500, "failed"));
    assert_eq!(answer.row(), r#"E{"digest":"tag-too-long"}"#);
    assert_ne!(answer.header("callboard-revalidated-at"), "");
    assert_eq!(revalidate(&caller, "hard", &"x".repeat(256)).status, 200);
}
