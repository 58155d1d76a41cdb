//! What an action may still say of a revalidation that it asked for.

use std::cell::RefCell;

use callboard_protocol::{
    action::Effects,
    revalidation::{Revalidation, Wait},
};

/// A revalidation that was asked for. As it is, it stands; its methods say what the action's answer waits for.
///
/// ```
/// use callboard::{ActionContext, Profile, action};
///
/// #[action(public)]
/// async fn publish(cx: &ActionContext, post: String) {
///     cx.revalidate_tag("posts");
///     cx.revalidate_path_layout(format!("/posts/{post}")).session();
///     cx.revalidate_tag_soft("feed", Profile::max());
/// }
/// ```
///
/// Those of one call are published together, and its answer waits for the strictest of them.
pub struct Revalidating<'a> {
    effects: &'a RefCell<Effects>,
    at: usize,
}

impl<'a> Revalidating<'a> {
    pub(super) fn note(effects: &'a RefCell<Effects>, revalidation: Revalidation) -> Self {
        let revalidations = &mut effects.borrow_mut().revalidations;
        revalidations.push(revalidation);
        Self { effects, at: revalidations.len() - 1 }
    }

    /// The answer waits until no node serves anything older: two round trips to Redis, or as long as a node's lease where
    /// one of them is gone. Of what is hard, the default.
    pub fn strict(self) {
        self.wait(Wait::Strict);
    }

    /// The answer waits until it stands in the log, one round trip. Whoever called sees it on every node, by the cookie of
    /// the answer; others may be served what is older for as long as a lease, a second.
    pub fn session(self) {
        self.wait(Wait::Session);
    }

    /// The answer waits for nothing, and the client is told of no revalidation. All nodes have it about a second later,
    /// if this one lives. Of what is soft, the default.
    pub fn eventual(self) {
        self.wait(Wait::Eventual);
    }

    fn wait(self, wait: Wait) {
        if let Some(revalidation) = self.effects.borrow_mut().revalidations.get_mut(self.at) {
            revalidation.wait = wait;
        }
    }
}
