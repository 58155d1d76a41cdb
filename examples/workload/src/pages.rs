//! Pages to load, to make stale, and to post forms at.

use callboard::{Form, Html, PageContext, PageError, action, page};
use serde::{Deserialize, Serialize};

use crate::counters::Counters;

/// The largest page that `/page/{bytes}` gives.
const PAGE_BYTES_MAX: usize = 16 << 20;

/// A page of this many bytes, for all tagged `page`.
#[page("/page/{bytes}", tags = ["page"])]
async fn sized(_cx: &PageContext, bytes: usize) -> Result<Html, PageError> {
    if bytes > PAGE_BYTES_MAX {
        return Err(PageError::NotFound);
    }
    Ok(Html::raw("x".repeat(bytes)))
}

/// The counter of a tag, as it was when the page was rendered.
#[page("/tag/{tag}")]
async fn tagged(cx: &PageContext, tag: String) -> Result<Html, PageError> {
    cx.tag(&tag);
    let count = cx.state::<Counters>().read(&tag).await?;
    let render = cx.render_id();
    Ok(Html::raw(format!(
        "<!doctype html><title>tag</title><p id=\"count\">{count}</p><p id=\"render\">{render}</p>"
    )))
}

/// A page that is rendered for every request.
#[page("/live", uncached)]
async fn live(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("<!doctype html><title>live</title><p id=\"render\">{}</p>", cx.render_id())))
}

/// A page that greets whoever asks, and so is nobody else's.
#[page("/whoami")]
async fn whoami(cx: &PageContext) -> Result<Html, PageError> {
    let name = cx.cookie("name").unwrap_or_else(|| "nobody".into());
    Ok(Html::raw(format!("<!doctype html><title>who</title><p>{}</p>", Html::escape(&name))))
}

/// A page that goes wrong.
#[page("/panic", uncached)]
async fn panics(_cx: &PageContext) -> Result<Html, PageError> {
    panic!("asked to")
}

/// What the form on `/form` sends.
#[derive(Deserialize)]
struct Greeting {
    name: String,
}

/// What the form's action answers.
#[derive(Serialize, Deserialize)]
struct Greeted {
    text: String,
    draft: u32,
}

/// Greets; `draft` was captured when the page was rendered.
#[action(public, name = "greet")]
async fn greet(
    cx: &callboard::ActionContext,
    #[bound] draft: u32,
    _previous: Option<Greeted>,
    greeting: Form<Greeting>,
) -> Greeted {
    if greeting.name == "elsewhere" {
        cx.redirect("/live");
    }
    Greeted { text: format!("hello {}", greeting.name), draft }
}

/// A form that keeps its state without JavaScript.
#[page("/form", tags = ["form"])]
async fn form(cx: &PageContext) -> Result<Html, PageError> {
    let draft = greet.bind(&7);
    let state: Option<Greeted> = cx.form_state(draft.clone());
    let said = state
        .as_ref()
        .map_or_else(String::new, |greeted| format!("{} (draft {})", greeted.text, greeted.draft));
    let fields = cx.form_with_state(draft, &state)?;
    let said = Html::escape(&said);
    Ok(Html::raw(format!(
        "<!doctype html><title>form</title><p id=\"said\">{said}</p><form method=\"post\" \
         enctype=\"multipart/form-data\">{fields}<input name=\"name\"><button>Greet</button></form>"
    )))
}
