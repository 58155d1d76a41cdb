//! What an action, a guard and a page get from the node.

mod action;
mod guard;
mod page;

pub use action::ActionContext;
pub use guard::{GuardContext, Principal, Refusal};
pub(crate) use page::{Facts, FormState, Rendering};
pub use page::{PageContext, path_parameter};
