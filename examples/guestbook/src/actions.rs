//! What the forms call. Each action sends the browser on when it succeeded (303), so that a reload repeats nothing.

use callboard::{ActionContext, Failure, Form, action};
use serde::{Deserialize, Serialize};

use crate::{
    book::{Book, Removal},
    entry::{Message, Name},
    session::{self, signed_in},
};

/// The tag of every page that shows entries.
pub(crate) const ENTRIES: &str = "guestbook";

/// What the sign form sends. A field that is missing counts as empty, so that its error is shown beside it.
#[derive(Deserialize)]
pub(crate) struct NewEntry {
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
}

/// The sign form after it was sent: what was typed, and what is wrong with it.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignState {
    pub(crate) name: String,
    pub(crate) name_error: Option<String>,
    pub(crate) message: String,
    pub(crate) message_error: Option<String>,
}

/// What the sign-in form sends.
#[derive(Deserialize)]
pub(crate) struct Visitor {
    #[serde(default)]
    name: String,
}

/// The sign-in form after it was sent.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignInState {
    pub(crate) name: String,
    pub(crate) name_error: Option<String>,
}

/// Writes into the book. Whoever is signed in may delete the entry later.
#[action(public)]
pub(crate) async fn sign(
    cx: &ActionContext,
    _previous: Option<SignState>,
    entry: Form<NewEntry>,
) -> Result<SignState, Failure> {
    let Form(NewEntry { name, message }) = entry;
    match (Name::parse(&name), Message::parse(&message)) {
        (Ok(name), Ok(message)) => {
            cx.state::<Book>().write(&name, &message, session::caller(cx).as_deref()).await?;
            cx.revalidate_tag(ENTRIES);
            cx.redirect("/");
            Ok(SignState::default())
        }
        (name_checked, message_checked) => Ok(SignState {
            name_error: name_checked.err().map(|fault| fault.advice("name")),
            message_error: message_checked.err().map(|fault| fault.advice("message")),
            name,
            message,
        }),
    }
}

/// Deletes an entry of the one who calls. The guard knows who that is; whose the entry is, the book knows.
#[action(guard = signed_in)]
pub(crate) async fn delete_entry(cx: &ActionContext, #[bound] entry: i64) -> Result<(), Failure> {
    let Some(owner) = cx.principal() else {
        cx.unauthorized();
        return Ok(());
    };
    match cx.state::<Book>().remove(entry, owner.id()).await? {
        Removal::Forbidden => cx.forbidden(),
        // Gone already, by another tab perhaps: what was asked for is so.
        Removal::Done | Removal::Missing => {
            cx.revalidate_tag(ENTRIES);
            cx.redirect("/mine");
        }
    }
    Ok(())
}

/// Signs in under a name.
#[action(public)]
pub(crate) async fn sign_in(
    cx: &ActionContext,
    _previous: Option<SignInState>,
    visitor: Form<Visitor>,
) -> SignInState {
    let Form(Visitor { name }) = visitor;
    match Name::parse(&name) {
        Ok(name) => {
            session::begin(cx, &name);
            cx.redirect("/mine");
            SignInState::default()
        }
        Err(fault) => SignInState { name_error: Some(fault.advice("name")), name },
    }
}

/// Signs out.
#[action(public)]
pub(crate) async fn sign_out(cx: &ActionContext) {
    session::end(cx);
    cx.redirect("/");
}
