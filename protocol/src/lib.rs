//! What crosses a wire in Callboard, and what it means.
//!
//! *Objective*: React's encoded arguments become inert values, outcomes become Flight rows, references are
//! signed and captured arguments are sealed; all of it to the byte of the unmodified clients.
//!
//! *Non-objective*: no IO, no clock, no async runtime. Time, randomness and bodies are passed in.
//!
//! Reading order: a call names its action by an action reference, checked against a key ring before
//! anything else is read; [`reply`] turns its body into a [`Value`]; [`de`] turns that into Rust types; [`flight`]
//! writes what the action gave back.

pub mod action;
pub mod action_error;
pub mod action_id;
pub mod carried;
pub mod de;
pub mod envelope;
pub mod error;
pub mod flight;
pub mod form_action;
pub mod headers;
pub mod idempotency;
pub mod identity;
pub mod js;
pub mod key_ring;
mod list;
mod message;
pub mod multipart;
pub mod origin;
pub mod reference;
pub mod reply;
pub mod revalidation;
pub mod sealing;
pub mod value;
pub mod webhook;

pub use action_id::ActionId;
pub use error::ErrorCode;
pub use key_ring::KeyRing;
pub use reference::{ActionReference, Verified};
pub use value::Value;
