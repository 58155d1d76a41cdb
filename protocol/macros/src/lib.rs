//! The attributes `#[action]` and `#[page]`. Applications name them through the crate `callboard`.
//!
//! *Objective*: a mistake is told by the compiler, at the place where it was made, in words that say what to write
//! instead; all mistakes of one function at once.
//!
//! *Non-objective*: nothing is decided here that a request could decide. What the attributes write is a static entry
//! and a few lines that decode arguments, call the function and hand over what it returned; the types these name
//! live in `callboard::__private`.
//!
//! Reading order: `words` reads the parentheses, `function` the signature; `action` and `page` check what is their
//! own and write the code.

mod action;
mod errors;
mod expand;
mod function;
mod page;
mod type_text;
mod words;

use proc_macro::TokenStream;

/// Makes an `async fn` callable: by React's and Next.js's clients as a server action, and by a plain HTML form.
///
/// ```
/// use callboard::{ActionContext, Failure, GuardContext, Principal, Refusal, action};
///
/// /// Signs the guest book.
/// #[action(public, revalidates = ["guestbook"])]
/// async fn sign(cx: &ActionContext, name: String, message: Option<String>) -> Result<u64, Failure> {
///     if name.is_empty() {
///         return Err(Failure::public("no-name", "who are you?"));
///     }
///     cx.redirect("/thanks");
///     Ok(message.map_or(0, |message| message.len() as u64))
/// }
///
/// /// One transfer at a time for each account, in the order of arrival.
/// #[action(guard = signed_in, key = account, timeout = "2s")]
/// async fn transfer(_cx: &ActionContext, account: String, cents: u64) -> Result<u64, Failure> {
///     Ok(cents)
/// }
///
/// async fn signed_in(cx: &GuardContext) -> Result<Principal, Refusal> {
///     let account = cx.signed_cookie("account").ok_or_else(Refusal::unauthorized)?;
///     Ok(Principal::new(account))
/// }
/// ```
///
/// # Words
///
/// One of the first two is compulsory: nothing is callable by accident.
///
/// | word | meaning |
/// |---|---|
/// | `public` | everybody may call it, signed in or not |
/// | `guard = path` | those may that the function at `path` lets in: `async fn(&GuardContext) -> Result<Principal, Refusal>`. It is asked before the arguments are decoded |
/// | `key = expression` | calls with the same key run one after the other, in the order of arrival. The expression starts with a parameter, as `account` or `order.account.to_lowercase()`; the key is its `to_string()` |
/// | `serial` | all calls run one after the other |
/// | `timeout = "2s"` | how long a client waits; without it, as long as the node's setting says. At most a year |
/// | `body_bytes_max = 10_000_000` | the largest request body, in bytes: a constant expression of type `usize` |
/// | `idempotent` | running it twice is the same as running it once |
/// | `revalidates = ["tag"]` | renders that carry one of these tags are stale after every run |
/// | `name = "guestbook.sign"` | its identity, in place of `crate::module::function`: references stay valid when it moves |
/// | `errors = "value"` | an `Err` is answered as the value `{ok: false, error}` (and an `Ok` as `{ok: true, value}`) in place of being thrown |
///
/// # Parameters and answer
///
/// The first parameter is `cx: &ActionContext`. Then come the arguments, of any type that is `DeserializeOwned`;
/// a last parameter of type `Rest<T>` takes all that are left. The answer is any `Serialize`, or a `Result` of one
/// with an error that is an `ActionError` (`Serialize` under `errors = "value"`).
///
/// A parameter marked `#[bound]` is not sent by the client: a page captures its value, and the client carries it
/// sealed. Such parameters stand before the others, and their types are `Serialize` too.
///
/// ```
/// use callboard::{ActionContext, Html, PageContext, PageError, action, page};
///
/// #[action(public)]
/// async fn publish(_cx: &ActionContext, #[bound] draft: u64, title: String) -> String {
///     format!("{draft}: {title}")
/// }
///
/// #[page("/drafts/{draft}")]
/// async fn draft_page(cx: &PageContext, draft: u64) -> Result<Html, PageError> {
///     cx.form(publish.bind(&draft))
/// }
/// ```
///
/// # What becomes of the function
///
/// A unit struct of the same name and visibility, which implements `Action`: `cx.form(sign)` names it. The function
/// itself is `sign::call(cx, …)`, for tests and other actions; with bound parameters there is `sign.bind(&…)`.
/// Since `sign` is now a value, no variable in the same scope can be called so.
///
/// The code is free of `unsafe`, but for the one attribute that puts the action on a list that the linker gathers:
/// it compiles under `deny(unsafe_code)`, though not under `forbid`.
#[proc_macro_attribute]
pub fn action(attribute: TokenStream, item: TokenStream) -> TokenStream {
    action::expand(attribute.into(), &item.into()).into()
}

/// Makes an `async fn` the page at a path.
///
/// ```
/// use callboard::{Html, PageContext, PageError, page};
///
/// #[page("/posts/{id}", tags = ["posts"], ttl = "10m")]
/// async fn post(cx: &PageContext, id: u64) -> Result<Html, PageError> {
///     cx.tag(format!("post-{id}"));
///     Ok(Html::raw(format!("<h1>Post {id}</h1>")))
/// }
/// ```
///
/// The path comes first. `{name}` stands for a segment or a part of one, and a last segment `{*name}` for all that
/// is left; `{{` and `}}` are braces. The parameters after `cx: &PageContext` are those of the path, by name, in any
/// order; each is parsed by its `FromStr`, and a request whose text it does not take is answered 404.
///
/// | word | meaning |
/// |---|---|
/// | `tags = ["posts"]` | every render carries these tags: it is stale as soon as one of them is revalidated |
/// | `ttl = "10m"` | how long a render is served; without it, until it is revalidated. At most a year |
/// | `stale_while_revalidate = "1m"` | for so long after its `ttl` a render is still served, while a new one is made in the background |
/// | `stale_if_error = "1h"` | for so long after its `ttl` a render is served in place of one that fails. Never one that was revalidated |
/// | `fenced = render` | what a node of a cluster does while it cannot know what others revalidate: `render` the page for whoever asks (the default), answer `503`, or serve what it has as `stale` as that may be |
/// | `uncached` | no render is kept |
///
/// The function becomes a unit struct of the same name; the function itself is its `call`.
#[proc_macro_attribute]
pub fn page(attribute: TokenStream, item: TokenStream) -> TokenStream {
    page::expand(attribute.into(), &item.into()).into()
}
