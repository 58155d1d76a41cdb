//! Pages that show what they were made of, so that somebody else can tell afterwards whether one was too old.
//!
//! The action `bump` makes each of them stale, and those below do so in other ways. All nodes share the counters if
//! `DATABASE_URL` says so.

use std::{collections::BTreeMap, time::Duration};

use callboard::{ActionContext, Failure, Html, PageContext, PageError, Profile, action, page};
use serde::Serialize;

use crate::counters::Counters;

/// How many pages there are at `/tagged/{number}`, and tags that they share.
const PAGES: u32 = 12;

/// The tag that `bump_declared` declares, and its counter.
const DECLARED: &str = "declared";

/// The counter that holds the process which ran it last.
const DECLARED_BY: &str = "declared-by";

/// What a page shows.
#[derive(Serialize)]
struct Shown<'a> {
    /// The process that rendered it.
    pid: u32,
    render: u64,
    /// The counter of each of its tags.
    counts: BTreeMap<&'a str, i64>,
}

/// A page with two tags, each of which another page has, too.
#[page("/tagged/{number}")]
async fn tagged(cx: &PageContext, number: u32) -> Result<Html, PageError> {
    if number >= PAGES {
        return Err(PageError::NotFound);
    }
    let tags = [number, (number + 1) % PAGES].map(|number| format!("tagged-{number}"));
    // Some take longer, so that a tag becomes stale while a page is being made that has read it.
    let pause = Duration::from_millis(u64::from(number % 4) * 5);
    shown(cx, &number.to_string(), &tags.each_ref().map(String::as_str), pause).await
}

/// A page with the tag that `bump_declared` declares.
#[page("/declared")]
async fn declared(cx: &PageContext) -> Result<Html, PageError> {
    shown(cx, DECLARED, &[DECLARED], Duration::ZERO).await
}

async fn shown(cx: &PageContext, title: &str, tags: &[&str], pause: Duration) -> Result<Html, PageError> {
    let mut counts = BTreeMap::new();
    for tag in tags {
        cx.tag(tag);
        counts.insert(*tag, cx.state::<Counters>().read(tag).await?);
    }
    tokio::time::sleep(pause).await;
    let shown = Shown { pid: std::process::id(), render: cx.render_id(), counts };
    let shown = serde_json::to_string(&shown).map_err(|error| PageError::Failed(error.to_string()))?;
    // Digits and the names of tags, of which nothing ends a script.
    Ok(Html::raw(format!(
        "<!doctype html><title>tagged {title}</title><script type=\"application/json\">{shown}</script>"
    )))
}

/// Counts under `tag`, and whoever called sees it on every page.
#[action(public, name = "bump_for_session")]
async fn bump_for_session(cx: &ActionContext, tag: String) -> Result<i64, Failure> {
    let count = cx.state::<Counters>().add(&tag, 1).await?;
    cx.revalidate_tag(tag).session();
    Ok(count)
}

/// Counts under `tag`, and pages show it sooner or later.
#[action(public, name = "bump_eventually")]
async fn bump_eventually(cx: &ActionContext, tag: String) -> Result<i64, Failure> {
    let count = cx.state::<Counters>().add(&tag, 1).await?;
    cx.revalidate_tag(tag).eventual();
    Ok(count)
}

/// Counts under `tag`, and pages are served as they are until they are made again.
#[action(public, name = "bump_softly")]
async fn bump_softly(cx: &ActionContext, tag: String) -> Result<i64, Failure> {
    let count = cx.state::<Counters>().add(&tag, 1).await?;
    cx.revalidate_tag_soft(tag, Profile::max());
    Ok(count)
}

/// Counts under `declared`, and takes its time: whoever ends the process meanwhile leaves behind what was counted.
#[action(public, name = "bump_declared", revalidates = ["declared"])]
async fn bump_declared(cx: &ActionContext, ms: u64) -> Result<i64, Failure> {
    let counters = cx.state::<Counters>();
    counters.set(DECLARED_BY, std::process::id().into()).await?;
    let count = counters.add(DECLARED, 1).await?;
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Ok(count)
}
