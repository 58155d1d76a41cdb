//! What an action, a guard and a page get from the node.

mod action;
mod fragment;
mod guard;
mod page;
mod payload;
mod revalidating;

pub use action::ActionContext;
pub use guard::{GuardContext, Principal, Refusal};
pub(crate) use page::{Facts, FormState, Gathered, Rendering};
pub use page::{PageContext, path_parameter};
pub use revalidating::Revalidating;
