//! What a page sees while it renders, and what the node learns of it meanwhile.

use std::{
    cell::{Cell, RefCell},
    str::FromStr,
    sync::Arc,
};

use bytes::Bytes;
use callboard_cluster::{
    cache::{Stamp, flight_table::Takeoff},
    clock::Instant,
};
use callboard_protocol::{
    Value,
    action_id::ActionId,
    de,
    revalidation::{NameTooLong, Tag, check_tag},
};
use serde::{Serialize, de::DeserializeOwned};

use super::guard::{private_cookie, signed_cookie};
use crate::{
    Action, Html, PageError, clock, cookies, form, node::Node, output::Rendered, render_cache::GROUPS_MAX,
    request::RequestHead,
};

/// A page that is being rendered.
///
/// A render is kept and served to others, unless it read something of the one who asked: a cookie, a header, or the
/// state of a form. Then it is private and kept nowhere.
pub struct PageContext {
    pub(super) rendering: Rendering,
    pub(super) private: Cell<bool>,
    /// Of the page, or of the fragment that is rendered at this moment.
    pub(super) gathered: RefCell<Gathered>,
    /// The page's data, as rows.
    pub(super) payload: RefCell<Option<Bytes>>,
    too_long: Cell<Option<NameTooLong>>,
}

/// What a render, or a part of it, turned out to be made of.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Whether it is a fragment's, and not the page's own.
    pub(super) is_fragment: bool,
    pub(crate) tags: Vec<Tag>,
    /// The names of as many as a header can hold.
    pub(crate) tag_names: Vec<String>,
    /// The fragments that were kept before it.
    pub(crate) fragments: Vec<Arc<Stamp>>,
    /// When the first fragment in it expires: then it is stale.
    pub(crate) expires: Option<Instant>,
    /// When the first sealed value in it expires: then it is of no use.
    pub(crate) ends: Option<Instant>,
}

/// What a render turned out to be.
pub(crate) struct Facts {
    pub(crate) private: bool,
    pub(crate) gathered: Gathered,
    pub(crate) payload: Option<Bytes>,
    /// A tag that is none.
    pub(crate) too_long: Option<NameTooLong>,
}

/// What a render starts from.
pub(crate) struct Rendering {
    pub(crate) node: Arc<Node>,
    pub(crate) head: RequestHead,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) form_state: Option<FormState>,
    pub(crate) takeoff: Takeoff,
    /// Names this render, in whatever it produces.
    pub(crate) id: u64,
}

impl Gathered {
    pub(crate) fn name_tag(&mut self, name: &str) {
        self.tags.push(Tag::named(name));
        if self.tag_names.len() < GROUPS_MAX {
            self.tag_names.push(name.to_owned());
        }
    }

    pub(super) fn expire(&mut self, expires: Option<Instant>) {
        self.expires = self.expires.into_iter().chain(expires).min();
    }

    fn end(&mut self, ends: Option<Instant>) {
        self.ends = self.ends.into_iter().chain(ends).min();
    }

    /// Takes in what a part of it was made of.
    pub(super) fn take_in(&mut self, part: Self) {
        self.tags.extend(part.tags);
        let room = GROUPS_MAX.saturating_sub(self.tag_names.len());
        self.tag_names.extend(part.tag_names.into_iter().take(room));
        self.fragments.extend(part.fragments);
        self.expire(part.expires);
        self.end(part.ends);
    }

    /// Every tag that revalidates it: its own and those of the fragments in it.
    pub(crate) fn all_tags(&self) -> Vec<Tag> {
        let of_fragments = self.fragments.iter().flat_map(|fragment| fragment.tags());
        let mut tags: Vec<Tag> = self.tags.iter().chain(of_fragments).copied().collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }
}

/// What the action returned whose form this page answers.
#[derive(Clone, Debug)]
pub(crate) struct FormState {
    pub(crate) action: ActionId,
    pub(crate) key: String,
    pub(crate) result: Value,
}

#[allow(clippy::needless_pass_by_value)] // actions are unit structs: `cx.form(sign)` reads better than `&sign`
impl PageContext {
    pub(crate) fn new(rendering: Rendering) -> Self {
        let private = Cell::new(rendering.form_state.is_some());
        let (gathered, payload) = <(RefCell<Gathered>, RefCell<Option<Bytes>>)>::default();
        Self { rendering, private, gathered, payload, too_long: Cell::default() }
    }

    pub(crate) fn into_facts(self) -> Facts {
        let Self { rendering: _, private, gathered, payload, too_long } = self;
        Facts {
            private: private.get(),
            gathered: gathered.into_inner(),
            payload: payload.into_inner(),
            too_long: too_long.get(),
        }
    }

    /// The request's path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.rendering.head.path
    }

    /// The query, parsed into a struct. Query and path are part of the render's cache key.
    ///
    /// # Errors
    ///
    /// [`PageError::NotFound`] if it is not one of this page's queries.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, PageError> {
        serde_urlencoded::from_str(&self.rendering.head.query).map_err(|_| PageError::NotFound)
    }

    /// Names this render: two answers with the same number are one render.
    #[must_use]
    pub fn render_id(&self) -> u64 {
        self.rendering.id
    }

    /// Adds a tag: revalidating it makes this render stale. Within a [`fragment`](Self::fragment) it is one of the
    /// fragment.
    ///
    /// A tag has at most 256 bytes; with a longer one the page fails, and the log says so. A page with more tags than the
    /// setting `page_tags_max` is served and not kept.
    pub fn tag(&self, name: impl AsRef<str>) {
        let name = name.as_ref();
        if let Err(too_long) = check_tag(name) {
            self.too_long.set(Some(too_long));
            return;
        }
        self.gathered.borrow_mut().name_tag(name);
    }

    pub(super) fn has_too_long_tag(&self) -> bool {
        self.too_long.get().is_some()
    }

    /// A request header, by its lower-case name. Makes the render private.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.private.set(true);
        self.rendering.head.header(name)
    }

    /// A cookie as the browser sent it: anybody can write one. Makes the render private.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.private.set(true);
        self.rendering.head.cookie(name).map(cookies::decode)
    }

    /// A cookie that this application signed. Makes the render private.
    #[must_use]
    pub fn signed_cookie(&self, name: &str) -> Option<String> {
        self.private.set(true);
        signed_cookie(&self.rendering.node, &self.rendering.head, name)
    }

    /// A cookie that this application sealed. Makes the render private.
    #[must_use]
    pub fn private_cookie(&self, name: &str) -> Option<String> {
        self.private.set(true);
        private_cookie(&self.rendering.node, &self.rendering.head, name)
    }

    /// The hidden fields that make a `<form method="post" enctype="multipart/form-data">` call this action.
    ///
    /// # Errors
    ///
    /// If a bound value cannot be encoded.
    ///
    /// # Panics
    ///
    /// If the action is not one of this application's: its crate was not named in `App::allow_actions_from`.
    pub fn form(&self, action: impl Action) -> Result<Html, PageError> {
        self.note_bound(&action);
        form::fields(&self.rendering.node, &action)
    }

    /// As [`form`](Self::form), for an action whose first argument after the bound ones is its previous state, as
    /// React's `useActionState` calls it.
    ///
    /// # Errors
    ///
    /// If the state or a bound value cannot be encoded.
    pub fn form_with_state(&self, action: impl Action, state: &impl Serialize) -> Result<Html, PageError> {
        self.note_bound(&action);
        form::fields_with_state(&self.rendering.node, &action, state)
    }

    /// A sealed value that only one principal may send back is nobody else's page, and one that expires takes the
    /// page with it.
    fn note_bound(&self, action: &impl Action) {
        let Some(captured) = action.captured() else { return };
        if captured.principal.is_some() {
            self.private.set(true);
        }
        let ends = captured.expires_in.map(|expires_in| clock::core_now() + expires_in);
        self.gathered.borrow_mut().end(ends);
    }

    /// What the action returned, if this page answers a form of it.
    #[must_use]
    pub fn form_state<T: DeserializeOwned>(&self, action: impl Action) -> Option<T> {
        let state = self.rendering.form_state.as_ref()?;
        let registered = self.rendering.node.registry.of(&action)?;
        let answers = state.action == registered.id && state.key == form::key(&self.rendering.node, &action);
        answers.then(|| de::from_value(&state.result).ok()).flatten()
    }

    /// The application's state of this type.
    ///
    /// # Panics
    ///
    /// If the application has none.
    #[must_use]
    pub fn state<T: 'static>(&self) -> &T {
        self.rendering.node.state.get()
    }
}

/// A parameter of the route, parsed. Used by generated code.
///
/// # Errors
///
/// The page "not found", if the path's text is not a `T`.
pub fn path_parameter<T: FromStr>(cx: &PageContext, name: &str) -> Result<T, Rendered> {
    let text = cx.rendering.parameters.iter().find(|(known, _)| known == name).map(|(_, text)| text);
    text.and_then(|text| text.parse().ok()).ok_or(Err(PageError::NotFound))
}
