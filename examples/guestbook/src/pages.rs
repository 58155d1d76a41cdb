//! What a visitor sees. The book and the sign-in page are the same for everybody and come from the render cache;
//! who is signed in matters on `/mine` alone, which is rendered for each request.

use std::num::NonZeroU32;

use askama::Template;
use callboard::{Html, PageContext, PageError, page};
use serde::Deserialize;

use crate::{
    actions::{SignInState, SignState, delete_entry, sign, sign_in, sign_out},
    book::{Book, Leaf},
    entry::{Entry, MESSAGE_CHARS_MAX},
    session,
};

/// The state that forms send along. The actions here do not look at their previous state, and the real one would
/// carry everything that was typed a second time.
const NO_STATE: Option<()> = None;

/// Which leaf a URL names.
#[derive(Deserialize)]
struct Query {
    page: Option<NonZeroU32>,
}

/// `/`
#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    fields: Html,
    state: SignState,
    leaf: Leaf,
    chars_max: usize,
}

/// `/mine`
#[derive(Template)]
#[template(path = "mine.html")]
struct Mine {
    name: String,
    fields: Html,
    state: SignState,
    chars_max: usize,
    sign_out_fields: Html,
    leaf: Leaf,
    entries: Vec<OwnEntry>,
}

/// An entry that the one who looks at it may delete.
struct OwnEntry {
    entry: Entry,
    delete_fields: Html,
}

/// `/sign-in`
#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    fields: Html,
    state: SignInState,
}

/// The book, and the form to sign it; as data, the leaf of the book that it shows.
#[page("/", tags = ["guestbook"])]
async fn home(cx: &PageContext) -> Result<Html, PageError> {
    let leaf = existing("/", cx.state::<Book>().leaf(number(cx)?).await?)?;
    cx.payload(&leaf)?;
    let state = cx.form_state::<SignState>(sign).unwrap_or_default();
    let fields = cx.form_with_state(sign, &NO_STATE)?;
    rendered(&Home { fields, state, leaf, chars_max: MESSAGE_CHARS_MAX })
}

/// What the visitor wrote, which is also its data, each entry with a button to delete it, and the form with their name filled in.
#[page("/mine", uncached)]
async fn mine(cx: &PageContext) -> Result<Html, PageError> {
    let name = session::visitor(cx).ok_or_else(|| PageError::Redirect("/sign-in".into()))?;
    let mut leaf = existing("/mine", cx.state::<Book>().leaf_of(&name, number(cx)?).await?)?;
    cx.payload(&leaf)?;
    let own = std::mem::take(&mut leaf.entries).into_iter().map(|entry| {
        let delete_fields = cx.form(delete_entry.bind(&entry.id))?;
        Ok(OwnEntry { entry, delete_fields })
    });
    let entries = own.collect::<Result<_, PageError>>()?;
    let unsent = || SignState { name: name.clone(), ..SignState::default() };
    let state = cx.form_state::<SignState>(sign).unwrap_or_else(unsent);
    let fields = cx.form_with_state(sign, &NO_STATE)?;
    let sign_out_fields = cx.form(sign_out)?;
    rendered(&Mine { name, fields, state, chars_max: MESSAGE_CHARS_MAX, sign_out_fields, leaf, entries })
}

/// Where a visitor says who they are.
#[page("/sign-in")]
async fn sign_in_page(cx: &PageContext) -> Result<Html, PageError> {
    let state = cx.form_state::<SignInState>(sign_in).unwrap_or_default();
    let fields = cx.form_with_state(sign_in, &NO_STATE)?;
    rendered(&SignIn { fields, state })
}

/// The leaf that was asked for; the first if none was.
fn number(cx: &PageContext) -> Result<NonZeroU32, PageError> {
    Ok(cx.query::<Query>()?.page.unwrap_or(NonZeroU32::MIN))
}

/// The leaf, if there is one of this number; else the visitor is sent to the last. Leaves vanish when entries do.
fn existing(path: &str, leaf: Leaf) -> Result<Leaf, PageError> {
    match leaf.last {
        last if leaf.number <= last => Ok(leaf),
        1 => Err(PageError::Redirect(path.into())),
        last => Err(PageError::Redirect(format!("{path}?page={last}"))),
    }
}

fn rendered(template: &impl Template) -> Result<Html, PageError> {
    Ok(Html::raw(template.render()?))
}
