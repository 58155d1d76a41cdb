//! Guards: who is calling, and may they?

use std::{collections::BTreeMap, sync::Arc};

use callboard_protocol::{ErrorCode, sealing};

use crate::{cookies, node::Node, request::RequestHead};

/// Who is calling, as a guard established it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    id: String,
    claims: BTreeMap<String, String>,
}

impl Principal {
    /// The principal with this id: unique and stable, such as an account number.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), claims: BTreeMap::new() }
    }

    /// Adds something else that the guard knows, such as a display name or a role.
    #[must_use]
    pub fn with(mut self, claim: impl Into<String>, value: impl Into<String>) -> Self {
        self.claims.insert(claim.into(), value.into());
        self
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Everything else that the guard knew.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (&str, &str)> {
        self.claims.iter().map(|(claim, value)| (claim.as_str(), value.as_str()))
    }

    /// What the guard knew under this name.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).map(String::as_str)
    }
}

/// A guard's no: the call is answered before its arguments are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: ErrorCode,
    sign_in: Option<String>,
}

impl Refusal {
    /// 401: nobody is signed in.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self { code: ErrorCode::Unauthorized, sign_in: None }
    }

    /// 403: whoever is signed in may not.
    #[must_use]
    pub fn forbidden() -> Self {
        Self { code: ErrorCode::Forbidden, sign_in: None }
    }

    /// Where a plain form is sent instead (303).
    #[must_use]
    pub fn sign_in_at(mut self, url: impl Into<String>) -> Self {
        self.sign_in = Some(url.into());
        self
    }

    pub(crate) fn code(&self) -> ErrorCode {
        self.code
    }

    pub(crate) fn sign_in_url(&self) -> Option<&str> {
        self.sign_in.as_deref()
    }
}

/// What a guard may look at: the request's head and the application's state, never the arguments.
pub struct GuardContext {
    node: Arc<Node>,
    head: RequestHead,
}

impl GuardContext {
    pub(crate) fn new(node: Arc<Node>, head: RequestHead) -> Self {
        Self { node, head }
    }

    pub(crate) fn into_head(self) -> RequestHead {
        self.head
    }

    /// The path that was posted to.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.head.path
    }

    /// A request header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// A cookie as the browser sent it: anybody can write one.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.head.cookie(name).map(cookies::decode)
    }

    /// A cookie that this application signed.
    #[must_use]
    pub fn signed_cookie(&self, name: &str) -> Option<String> {
        signed_cookie(&self.node, &self.head, name)
    }

    /// A cookie that this application sealed.
    #[must_use]
    pub fn private_cookie(&self, name: &str) -> Option<String> {
        private_cookie(&self.node, &self.head, name)
    }

    /// The application's state of this type.
    ///
    /// # Panics
    ///
    /// If the application has none.
    #[must_use]
    pub fn state<T: 'static>(&self) -> &T {
        self.node.state.get()
    }
}

pub(super) fn signed_cookie(node: &Node, head: &RequestHead, name: &str) -> Option<String> {
    head.cookies(name)
        .find_map(|text| sealing::verify_cookie(&node.keys, name, text).ok())
        .map(cookies::decode)
}

pub(super) fn private_cookie(node: &Node, head: &RequestHead, name: &str) -> Option<String> {
    let opened = head.cookies(name).find_map(|text| sealing::open_cookie(&node.keys, name, text).ok());
    String::from_utf8(opened?).ok()
}
