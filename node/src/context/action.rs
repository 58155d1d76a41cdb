//! What a running action sees, and how it asks for effects.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Instant};

use callboard_protocol::{
    action::{CallId, Effects, Fallback, Redirect, RedirectKind},
    revalidation::{Profile, Revalidation},
    sealing,
};

use super::{
    guard::{private_cookie, signed_cookie},
    revalidating::Revalidating,
};
use crate::{call::CallInfo, context::Principal, cookies, cookies::Cookie, node::Node, telemetry};

/// A running call: who calls, with what, and what is to happen after it.
///
/// Everything it is asked for (cookies, redirect, revalidation) is recorded and performed once the action ended,
/// whatever it ended in.
pub struct ActionContext {
    info: Arc<CallInfo>,
    /// Shared with the worker, which keeps them when the action panics.
    effects: Rc<RefCell<Effects>>,
}

impl ActionContext {
    pub(crate) fn new(info: Arc<CallInfo>) -> Self {
        Self { info, effects: Rc::default() }
    }

    pub(crate) fn effects(&self) -> Rc<RefCell<Effects>> {
        Rc::clone(&self.effects)
    }

    pub(crate) fn into_effects(self) -> Effects {
        self.effects.take()
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.info.node
    }

    /// Names this call, in logs and answers.
    #[must_use]
    pub fn call_id(&self) -> CallId {
        self.info.id
    }

    /// Who is calling, if the action has a guard.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.info.principal.as_ref()
    }

    /// The path that was posted to.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.info.head.path
    }

    /// A request header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.info.head.header(name)
    }

    /// Headers for a request that the action makes, so that what it causes belongs to the trace of this call: W3C's
    /// `traceparent`, and `tracestate` and `baggage` if the client sent any that is well-formed and not too long.
    #[must_use]
    pub fn trace_headers(&self) -> Vec<(&'static str, String)> {
        let baggage = telemetry::baggage(&self.info.head.headers).unwrap_or_default();
        let state = self.info.timeline.tracestate();
        let all =
            [("traceparent", self.info.timeline.traceparent()), ("tracestate", state), ("baggage", baggage)];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// A cookie as the browser sent it: anybody can write one.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.info.head.cookie(name).map(cookies::decode)
    }

    /// A cookie that this application signed.
    #[must_use]
    pub fn signed_cookie(&self, name: &str) -> Option<String> {
        signed_cookie(&self.info.node, &self.info.head, name)
    }

    /// A cookie that this application sealed.
    #[must_use]
    pub fn private_cookie(&self, name: &str) -> Option<String> {
        private_cookie(&self.info.node, &self.info.head, name)
    }

    /// Sets a cookie that anybody can read and change.
    pub fn set_cookie(&self, cookie: &Cookie) {
        self.effects.borrow_mut().cookies.push(cookie.header());
    }

    /// Sets a cookie that anybody can read and nobody can change.
    pub fn set_signed_cookie(&self, cookie: Cookie) {
        let name = cookie.name().to_owned();
        self.set_cookie(&cookie.with_value(|value| sealing::sign_cookie(&self.info.node.keys, &name, value)));
    }

    /// Sets a cookie that nobody can read or change.
    pub fn set_private_cookie(&self, cookie: Cookie) {
        let name = cookie.name().to_owned();
        let nonce = rand::random();
        self.set_cookie(&cookie.with_value(|value| {
            sealing::seal_cookie(&self.info.node.keys, &name, cookies::decode(value).as_bytes(), nonce)
        }));
    }

    /// Makes the browser forget a cookie.
    pub fn remove_cookie(&self, name: &str) {
        self.set_cookie(&Cookie::new(name, "").max_age(std::time::Duration::ZERO));
    }

    /// Sends the client to another page; the browser's history gets a new entry.
    pub fn redirect(&self, url: impl Into<String>) {
        self.effects.borrow_mut().redirect = Some(Redirect { url: url.into(), kind: RedirectKind::Push });
    }

    /// Sends the client to another page in place of the current one.
    pub fn redirect_replace(&self, url: impl Into<String>) {
        self.effects.borrow_mut().redirect = Some(Redirect { url: url.into(), kind: RedirectKind::Replace });
    }

    /// Answers "there is no such thing" (404) instead of the action's value.
    pub fn not_found(&self) {
        self.effects.borrow_mut().fallback = Some(Fallback::NotFound);
    }

    /// Answers "you may not" (403) instead of the action's value.
    pub fn forbidden(&self) {
        self.effects.borrow_mut().fallback = Some(Fallback::Forbidden);
    }

    /// Answers "sign in first" (401) instead of the action's value.
    pub fn unauthorized(&self) {
        self.effects.borrow_mut().fallback = Some(Fallback::Unauthorized);
    }

    /// No render that carries this tag is served after this action's answer, by any node.
    ///
    /// What it gives says how else it may be: `cx.revalidate_tag("posts").session()`. A tag of more than 256 bytes makes
    /// the call fail (`tag-too-long`), although it is revalidated.
    pub fn revalidate_tag(&self, tag: impl Into<String>) -> Revalidating<'_> {
        self.revalidate(Revalidation::of_tag(tag))
    }

    /// Renders that carry this tag are served while new ones are made, for as long as the profile says. The answer does
    /// not wait for it, and the client is not told to read its page again.
    pub fn revalidate_tag_soft(&self, tag: impl Into<String>, profile: Profile) -> Revalidating<'_> {
        self.revalidate(Revalidation::of_tag(tag).soft(profile))
    }

    /// No render of this path, whatever its query, is served after this action's answer. It may be
    /// escaped as in a URL or not. A path of more than 1,024 bytes makes the call fail, and one that does not begin with a
    /// slash (`path-without-slash`).
    pub fn revalidate_path(&self, path: impl Into<String>) -> Revalidating<'_> {
        self.revalidate(Revalidation::of_path(path))
    }

    /// No render of this path and of any path below it is served after this action's answer: of `/` none at all. It costs
    /// the same however many there are.
    pub fn revalidate_path_layout(&self, path: impl Into<String>) -> Revalidating<'_> {
        self.revalidate(Revalidation::of_layout(path))
    }

    fn revalidate(&self, revalidation: Revalidation) -> Revalidating<'_> {
        Revalidating::note(&self.effects, revalidation)
    }

    /// The client reads its page again, although nothing that is cached became stale.
    pub fn refresh(&self) {
        self.effects.borrow_mut().refresh = true;
    }

    /// Of a call with a key, or of a `serial` action: a number that grows with each change of the node that runs calls of
    /// this key. Whatever the action writes to can keep the largest it saw and refuse a smaller one: that is from a node
    /// that was taken for dead and went on. `None` where nothing is kept in order.
    #[must_use]
    pub fn fencing_token(&self) -> Option<u64> {
        self.info.token.get().map(|token| token.as_u64())
    }

    /// When the client stops waiting.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.info.deadline
    }

    /// Whether nobody waits for the answer any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.info.cancellation.is_cancelled()
    }

    /// Returns once nobody waits for the answer any more: the client went away, or the deadline passed. The action
    /// is not stopped by that; it may stop itself.
    pub async fn cancelled(&self) {
        self.info.cancellation.cancelled().await;
    }

    /// The application's state of this type.
    ///
    /// # Panics
    ///
    /// If the application has none.
    #[must_use]
    pub fn state<T: 'static>(&self) -> &T {
        self.info.node.state.get()
    }
}
