//! Parts of pages that are kept for themselves.

use callboard::{Html, PageContext, PageError, page};

use crate::client::{Answer, Caller};

async fn navigation(cx: &PageContext) -> Result<Html, PageError> {
    cx.fragment("navigation", &["navigation"], None, async || {
        cx.tag("also");
        Ok(Html::raw(format!("navigation {}", cx.render_id())))
    })
    .await
}

#[page("/with/{name}")]
async fn with(cx: &PageContext, name: String) -> Result<Html, PageError> {
    cx.tag("own");
    let navigation = navigation(cx).await?;
    Ok(Html::raw(format!("{name} {}, {navigation}", cx.render_id())))
}

#[page("/nested")]
async fn nested(cx: &PageContext) -> Result<Html, PageError> {
    let outer = cx.fragment("outer", &["outer"], None, async || {
        let inner = cx
            .fragment("inner", &["inner"], None, async || Ok(Html::raw(format!("inner {}", cx.render_id()))));
        Ok(Html::raw(format!("outer {}, {}", cx.render_id(), inner.await?)))
    });
    outer.await
}

#[page("/greeting/{place}")]
async fn greeting(cx: &PageContext, place: String) -> Result<Html, PageError> {
    match place.as_str() {
        "inside" => {
            cx.fragment("greeting inside", &[], None, async || {
                Ok(Html::raw(format!("hello {}", cx.cookie("name").unwrap_or_default())))
            })
            .await
        }
        "before" => {
            let name = cx.cookie("name").unwrap_or_default();
            cx.fragment("greeting before", &[], None, async || Ok(Html::raw(format!("hello {name}")))).await
        }
        _ => {
            let shared = cx.fragment("greeting after", &[], None, async || {
                Ok(Html::raw(format!("render {}", cx.render_id())))
            });
            let shared = shared.await?;
            Ok(Html::raw(format!("hello {}, {shared}", cx.cookie("name").unwrap_or_default())))
        }
    }
}

#[page("/failing-part")]
async fn failing_part(cx: &PageContext) -> Result<Html, PageError> {
    cx.fragment("failing", &[], None, async || Err(PageError::NotFound)).await
}

#[page("/two-at-once")]
async fn two_at_once(cx: &PageContext) -> Result<Html, PageError> {
    let part = async |name: &'static str| {
        cx.fragment(name, &[], None, async || {
            tokio::task::yield_now().await;
            cx.tag(name);
            tokio::task::yield_now().await;
            Ok(Html::raw(format!("{name} {}", cx.render_id())))
        })
        .await
    };
    let (left, right) = tokio::join!(part("left"), part("right"));
    Ok(Html::raw(format!("{}, {}", left?, right?)))
}

fn revalidate(caller: &Caller, tag: &str) {
    assert_eq!(caller.call("publish", &format!("[{tag:?}]")).status, 200);
}

/// The numbers in a page.
fn numbers(page: &str) -> Vec<u64> {
    page.split([' ', ',']).filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn a_fragment_outlives_its_page_and_takes_it_along() {
    let caller = Caller::start(&[]);
    let of = |name: &str| numbers(&caller.get(&format!("/with/{name}")).body);
    let one = of("one");
    let two = of("two");
    assert_eq!(one[0], one[1]);
    assert_eq!(two[1], one[1], "another page has the same fragment");
    assert_ne!(two[0], one[0]);

    // The page anew, and the fragment is still good: the page is kept although that is older than its tags' revalidation.
    revalidate(&caller, "own");
    let again = of("one");
    assert!(again[0] > one[0] && again[1] == one[1]);
    assert_eq!(of("one"), again);

    // Its tags are the page's, those of its call and those that were found while it was rendered.
    for tag in ["navigation", "also"] {
        let before = of("one");
        revalidate(&caller, tag);
        let after = of("one");
        assert!(after[0] > before[0] && after[1] > before[1], "{tag}");
        assert_eq!(of("two")[1], after[1]);
    }
    assert_eq!(caller.get("/with/one").header("cache-groups"), r#""own", "navigation", "also""#);
}

#[test]
fn a_fragment_in_a_fragment_takes_both_along() {
    let caller = Caller::start(&[]);
    let of = || numbers(&caller.get("/nested").body);
    let first = of();
    revalidate(&caller, "outer");
    let second = of();
    assert!(second[0] > first[0] && second[1] == first[1]);
    revalidate(&caller, "inner");
    let third = of();
    assert!(third[0] > second[0] && third[1] > second[1]);
    assert_eq!(of(), third);
}

/// Goal: no fragment carries what one person's page read to another. Method: two people, twice, and a fragment that reads
/// a cookie, one that is made of what was read before it, and one that comes before it.
#[test]
fn a_fragment_with_something_of_one_person_reaches_nobody_else() {
    let caller = Caller::start(&[]);
    let ask = |place: &str, name: &str| {
        let request = caller.http.get(caller.url(&format!("/greeting/{place}")));
        Answer::of(request.header("cookie", format!("name={name}")).send())
    };
    for place in ["inside", "before"] {
        for _ in 0..2 {
            for name in ["ann", "bob"] {
                let answer = ask(place, name);
                assert_eq!(answer.body, format!("hello {name}"), "{place}");
                assert_eq!(answer.header("cache-control"), "private, no-store");
            }
        }
    }
    let (ann, bob) = (ask("after", "ann").body, ask("after", "bob").body);
    assert_eq!(ann.replace("ann", "bob"), bob, "what came before is shared");
}

#[test]
fn what_fails_in_a_fragment_fails_in_its_page_and_is_not_kept() {
    let caller = Caller::start(&[]);
    for _ in 0..2 {
        assert_eq!(caller.get("/failing-part").status, 404);
    }
}

#[test]
fn fragments_that_are_rendered_beside_each_other_have_their_own_tags() {
    let caller = Caller::start(&[]);
    let of = || numbers(&caller.get("/two-at-once").body);
    let first = of();
    revalidate(&caller, "left");
    let second = of();
    assert!(second[0] > first[0] && second[1] == first[1], "{first:?} {second:?}");
    revalidate(&caller, "right");
    let third = of();
    assert!(third[0] == second[0] && third[1] > second[1], "{second:?} {third:?}");
}
