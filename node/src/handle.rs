//! Actions as values of an answer: the client gets a function that calls them.

use std::{cell::RefCell, sync::Arc};

use callboard_protocol::value::{Builder, Node as ValueNode, Slot};
use serde::{Serialize, Serializer, ser::Error as _};

use crate::{Action, PageError, form::Bound, form::sealed, node::Node};

thread_local! {
    /// The node whose answer is being written by this thread: its keys sign and seal.
    static NODE: RefCell<Option<Arc<Node>>> = const { RefCell::new(None) };
}

/// Takes back what [`answering`] put there, also after a panic.
struct Before(Option<Arc<Node>>);

impl Drop for Before {
    fn drop(&mut self) {
        NODE.set(self.0.take());
    }
}

/// Writes some of an answer of this node.
pub(crate) fn answering<T>(node: &Arc<Node>, write: impl FnOnce() -> T) -> T {
    let _before = Before(NODE.replace(Some(Arc::clone(node))));
    write()
}

/// Writes an action as what the client can call. Used by generated code.
///
/// # Errors
///
/// If it is not written into an answer of a node, cannot be called there, or lacks its bound values.
pub fn serialize_action<S: Serializer>(action: &impl Action, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(node) = NODE.with_borrow(Clone::clone) else {
        return Err(S::Error::custom("an action can be sent as (part of) an action's answer alone"));
    };
    let name = action.entry().name;
    let Some(registered) = node.registry.of(action) else {
        let message = format!("action {name} is not callable: name its crate in App::allow_actions_from");
        return Err(S::Error::custom(message));
    };
    let sealed = sealed(&node, action).map_err(|error| match error {
        PageError::Failed(reason) => S::Error::custom(reason),
        PageError::NotFound | PageError::Redirect(_) => S::Error::custom("not callable"),
    })?;
    let mut builder = Builder::new();
    let reference = builder.add(ValueNode::ServerReference {
        id: registered.reference.to_string().into(),
        bound: sealed.map(|sealed| vec![Slot::String(sealed.into())]),
    });
    builder.finish(Slot::Node(reference)).serialize(serializer)
}

/// The client gets a function that calls the action with these values, which it can neither read nor change.
impl<A: Action> Serialize for Bound<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_action(self, serializer)
    }
}
