//! Who is calling: a session in a signed cookie.
//!
//! The cookie holds the name that a visitor signed in with. Nobody can change it without the node's keys, but
//! anybody may sign in with any name: this is a demonstration. Where names are worth something, check a password or
//! ask an identity provider before [`begin`], and keep a random session number here that the server can revoke.

use std::time::Duration;

use callboard::{ActionContext, Cookie, GuardContext, PageContext, Principal, Refusal};

use crate::entry::Name;

/// The cookie's name.
const COOKIE: &str = "guestbook_session";
/// How long a visitor stays signed in.
const LIFETIME: Duration = Duration::from_hours(30 * 24);

/// The guard of what only signed-in visitors may do. It says who is calling, not what is theirs.
///
/// # Errors
///
/// 401 without a session; a plain form is sent to the sign-in page instead.
pub(crate) async fn signed_in(cx: &GuardContext) -> Result<Principal, Refusal> {
    match cx.signed_cookie(COOKIE) {
        Some(name) => Ok(Principal::new(name)),
        None => Err(Refusal::unauthorized().sign_in_at("/sign-in")),
    }
}

/// The name of the one who calls, for actions that strangers may call, too.
pub(crate) fn caller(cx: &ActionContext) -> Option<String> {
    cx.signed_cookie(COOKIE)
}

/// The name of the one who looks at a page, which thereby becomes private.
pub(crate) fn visitor(cx: &PageContext) -> Option<String> {
    cx.signed_cookie(COOKIE)
}

/// Signs a visitor in.
pub(crate) fn begin(cx: &ActionContext, name: &Name) {
    cx.set_signed_cookie(Cookie::new(COOKIE, name.as_str()).max_age(LIFETIME));
}

/// Signs the visitor out.
pub(crate) fn end(cx: &ActionContext) {
    cx.remove_cookie(COOKIE);
}
