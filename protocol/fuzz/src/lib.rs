//! What must hold for any bytes, however they were made up.
//!
//! *Objective*: one function per reader of outside bytes; each panics if one of its claims does not hold. libFuzzer
//! calls them in `fuzz_targets/`, and the tests of callboard-protocol include this file and call them with the corpus
//! and seeded mutations of it, so that both check the same claims.
//!
//! *Non-objective*: nothing here knows what a body means; that is what the golden vectors are for.

pub(crate) mod arriving;
mod checks;
pub mod corpus;
pub(crate) mod drained;
pub mod envelope;
pub mod form_action;
pub mod mutation;
pub mod origin;
mod parts;
pub mod reference;
pub mod reply_incoming;
pub mod reply_parts;
pub mod reply_text;
pub mod response;
pub mod sealed;
mod seeds;

/// One reader of outside bytes.
pub struct Target {
    /// What it is called on the command line, and its corpus in the tree.
    pub name: &'static str,
    /// Its claims.
    pub run: fn(&[u8]),
    /// The inputs that the golden vectors give it.
    pub seeds: fn(&seeds::Golden) -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "reply_text", run: reply_text::run, seeds: seeds::reply_text },
    Target { name: "reply_parts", run: reply_parts::run, seeds: seeds::reply_parts },
    Target { name: "reply_incoming", run: reply_incoming::run, seeds: seeds::reply_incoming },
    Target { name: "form_action", run: form_action::run, seeds: seeds::form_action },
    Target { name: "reference", run: reference::run, seeds: seeds::reference },
    Target { name: "sealed", run: sealed::run, seeds: seeds::sealed },
    Target { name: "response", run: response::run, seeds: seeds::response },
    Target { name: "origin", run: origin::run, seeds: seeds::origin },
    Target { name: "envelope", run: envelope::run, seeds: seeds::envelope },
];

pub use seeds::Golden;
