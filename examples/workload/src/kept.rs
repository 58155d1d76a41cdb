//! What benchmarks of kept pages ask for.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use callboard::{ActionContext, Html, PageContext, PageError, action, page};

/// Makes these tags stale without changing anything. Of none, it is the same action without a revalidation.
#[action(public, name = "revalidate_tags")]
async fn revalidate_tags(cx: &ActionContext, tags: Vec<String>) {
    for tag in tags {
        cx.revalidate_tag(tag);
    }
}

/// A small page of eight tags.
#[page("/eight-tags/{number}", tags = ["a1", "b2", "c3", "d4", "e5", "f6", "g7", "h8"])]
async fn eight_tags(_cx: &PageContext, number: u64) -> Result<Html, PageError> {
    Ok(Html::raw(number.to_string()))
}

/// How often `/counted` was rendered.
static RENDERS: AtomicU64 = AtomicU64::new(0);

/// A page that takes its time, and shows how many renders of it had begun with this one.
#[page("/counted/{ms}", tags = ["counted"])]
async fn counted(_cx: &PageContext, ms: u64) -> Result<Html, PageError> {
    let render = RENDERS.fetch_add(1, Ordering::SeqCst) + 1;
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Ok(Html::raw(render.to_string()))
}

/// How many have begun.
#[page("/renders", uncached)]
async fn renders(_cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(RENDERS.load(Ordering::SeqCst).to_string()))
}
