//! Pages: kept, shared, made stale, and never given to the wrong one.

use std::sync::atomic::{AtomicUsize, Ordering};

use callboard::{ActionContext, Html, PageContext, PageError, action, page};

use crate::client::{Answer, Caller};

#[page("/news", tags = ["news"])]
async fn news(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

#[page("/news/{id}")]
async fn article(cx: &PageContext, id: u32) -> Result<Html, PageError> {
    cx.tag(format!("article:{id}"));
    Ok(Html::raw(format!("article {id} render {}", cx.render_id())))
}

#[page("/words/{word}")]
async fn spelled(cx: &PageContext, word: String) -> Result<Html, PageError> {
    Ok(Html::raw(format!("{} {}", Html::escape(&word), cx.render_id())))
}

#[page("/hello")]
async fn hello(cx: &PageContext) -> Result<Html, PageError> {
    let name = cx.cookie("name").unwrap_or_default();
    Ok(Html::raw(format!("hello {}", Html::escape(&name))))
}

#[page("/brief", ttl = "1ms")]
async fn brief(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("render {}", cx.render_id())))
}

static RENDERS: AtomicUsize = AtomicUsize::new(0);

#[page("/wanted")]
async fn wanted(cx: &PageContext) -> Result<Html, PageError> {
    RENDERS.fetch_add(1, Ordering::SeqCst);
    let journal = cx.state::<crate::order::Journal>();
    journal.note("rendering");
    journal.released().await;
    Ok(Html::raw("wanted"))
}

#[page("/broken")]
async fn broken(_cx: &PageContext) -> Result<Html, PageError> {
    panic!("on purpose")
}

#[page("/moved")]
async fn moved(_cx: &PageContext) -> Result<Html, PageError> {
    Err(PageError::Redirect("/news".into()))
}

#[action(public, name = "publish")]
pub(crate) async fn publish(cx: &ActionContext, tag: Option<String>, path: Option<String>) {
    if let Some(tag) = tag {
        cx.revalidate_tag(tag);
    }
    if let Some(path) = path {
        cx.revalidate_path(path);
    }
}

fn status_and_cache(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("cache-status"))
}

#[test]
fn a_page_is_kept_until_its_tag_is_revalidated() {
    let caller = Caller::start(&[]);
    let first = caller.get("/news");
    assert_eq!(status_and_cache(&first), (200, "callboard; fwd=miss"));
    assert_eq!(first.header("cache-control"), "private, no-cache");

    let second = caller.get("/news");
    assert_eq!((status_and_cache(&second), &second.body), ((200, "callboard; hit"), &first.body));

    let other = caller.call("publish", r#"["other"]"#);
    assert_eq!(other.header("x-action-revalidated"), "1");
    assert_eq!(caller.get("/news").body, first.body);

    let published = caller.call("publish", r#"["news"]"#);
    let position =
        |answer: &Answer| answer.header("callboard-revalidated-at").parse::<u64>().expect("a number");
    assert_eq!(position(&published), position(&other) + 1);
    let third = caller.get("/news");
    assert_eq!(third.header("cache-status"), "callboard; fwd=miss");
    assert_ne!(third.body, first.body);
}

#[test]
fn a_tag_found_while_rendering_and_the_path_make_a_page_stale() {
    let caller = Caller::start(&[]);
    let (one, two) = (caller.get("/news/1").body, caller.get("/news/2").body);

    caller.call("publish", r#"["article:1"]"#);
    let again = caller.get("/news/1").body;
    assert_ne!(again, one);
    assert_eq!(caller.get("/news/2").body, two);

    caller.call("publish", r#"[null,"/news/1"]"#);
    assert_ne!(caller.get("/news/1").body, again);
    assert_eq!(caller.get("/news/2").body, two);
}

#[test]
fn a_path_is_revalidated_however_it_is_escaped() {
    let caller = Caller::start(&[]);
    for (revalidated, asked) in [
        ("/words/café", "/words/caf%C3%A9"),
        ("/words/a b", "/words/a%20b"),
        ("/words/abc", "/words/%61bc"),
        // The word is "a%41", and whoever writes it into a path may not know that it has to be escaped.
        ("/words/a%41", "/words/a%2541"),
    ] {
        let before = caller.get(asked).body;
        assert_eq!(caller.get(asked).body, before);
        caller.call("publish", &format!("[null,{revalidated:?}]"));
        assert_ne!(caller.get(asked).body, before, "{revalidated}");
    }
}

#[test]
fn a_path_that_does_not_begin_with_a_slash_makes_the_call_fail() {
    let caller = Caller::start(&[]);
    let answer = caller.call("publish", r#"[null,"news"]"#);
    assert_eq!((answer.status, answer.header("callboard-outcome")), (500, "failed"));
    assert_eq!(answer.row(), r#"E{"digest":"path-without-slash"}"#);
}

#[test]
fn an_unchanged_page_is_not_sent_again() {
    let caller = Caller::start(&[]);
    let etag = caller.get("/news").header("etag").to_owned();
    let ask =
        |etag: &str| Answer::of(caller.http.get(caller.url("/news")).header("if-none-match", etag).send());

    let unchanged = ask(&etag);
    assert_eq!(
        (unchanged.status, unchanged.body.as_str(), unchanged.header("etag")),
        (304, "", etag.as_str())
    );
    assert_eq!(ask(&format!("\"x\", W/{etag}")).status, 304);
    assert_eq!(ask("\"x\"").status, 200);

    let head = Answer::of(caller.http.head(caller.url("/news")).send());
    assert_eq!((head.status, head.body.as_str(), head.header("etag")), (200, "", etag.as_str()));
}

/// Goal: what a page read of one person reaches nobody else. Method: two people and one without a cookie, twice.
#[test]
fn a_page_that_reads_a_cookie_is_nobody_elses() {
    let caller = Caller::start(&[]);
    for _ in 0..2 {
        for name in ["ann", "bob", ""] {
            let request = caller.http.get(caller.url("/hello"));
            let request =
                if name.is_empty() { request } else { request.header("cookie", format!("name={name}")) };
            let answer = Answer::of(request.send());
            assert_eq!(answer.body, format!("hello {name}"));
            assert_eq!(answer.header("cache-control"), "private, no-store");
            assert_eq!(answer.header("etag"), "");
        }
    }
}

#[test]
fn a_page_ends_with_its_time_to_live() {
    let caller = Caller::start(&[]);
    let first = caller.get("/brief").body;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while caller.get("/brief").body == first {
        assert!(std::time::Instant::now() < until, "the page did not end");
    }
}

#[test]
fn however_many_ask_one_render_runs() {
    let caller = Caller::start(&[]);
    let journal = caller.journal.clone();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| caller.get("/wanted"));
        journal.wait_for("rendering");
        let others: Vec<_> = (0..8).map(|_| scope.spawn(|| caller.get("/wanted"))).collect();
        journal.release();
        assert_eq!(first.join().expect("an answer").body, "wanted");
        for other in others {
            assert_eq!(other.join().expect("an answer").body, "wanted");
        }
    });
    assert_eq!(RENDERS.load(Ordering::SeqCst), 1);
}

#[test]
fn a_page_that_goes_wrong_costs_nobody_else_anything() {
    let caller = Caller::start(&[]);
    let broken = caller.get("/broken");
    assert_eq!((broken.status, broken.header("callboard-error")), (500, "page-failed"));
    assert!(!broken.body.contains("on purpose"));
    assert_eq!(caller.get("/news").status, 200);
}

#[test]
fn other_paths_and_methods_are_answered() {
    let caller = Caller::start(&[]);
    assert_eq!(caller.get("/nowhere").status, 404);
    assert_eq!(caller.get("/news/x").status, 404);
    let moved = caller.get("/moved");
    assert_eq!((moved.status, moved.header("location")), (303, "/news"));
    let delete = Answer::of(caller.http.delete(caller.url("/news")).send());
    assert_eq!((delete.status, delete.header("allow")), (405, "GET, HEAD, POST"));
    // A GET is a page request, whatever its headers say.
    let get = caller.http.get(caller.url("/news")).header("next-action", caller.reference("publish"));
    assert_eq!(Answer::of(get.send()).status, 200);
}

#[test]
fn pages_of_other_hosts_are_other_pages() {
    let caller = Caller::start(&[]);
    let of = |host: &str| {
        Answer::of(caller.http.get(caller.url("/news")).header("host", host.to_owned()).send()).body
    };
    assert_ne!(of("one.example"), of("two.example"));
    assert_eq!(of("one.example"), of("one.example"));
}
