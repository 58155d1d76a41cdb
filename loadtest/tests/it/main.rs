//! The harness against servers that lie, to see that it finds each lie, and against what is no server at all.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod command;
mod liar;
mod lies;
mod targets;
