//! Loads a cluster of server actions, breaks it, and checks that it kept its word.
//!
//! *Objective*: how much does it carry, what happens when something dies, and was every promise kept? Answered over HTTP
//! alone, so that any server which executes the same calls can be asked.
//!
//! *Non-objective*: nothing of a node is known here but what the public protocol says.
//!
//! Reading order: a [`scenario`] says what is asked and how often; [`arrivals`] when; [`operation`]s ask it of [`target`]s
//! over a [`client`]; the [`engine`] drives them and [`recorder`] counts the [`observation`]s, which [`oracle`]s judge;
//! [`results`] are what is left of a run, and [`report`] shows them. [`chaos`] breaks a cluster meanwhile, [`capacity`]
//! looks for the highest rate that holds.

mod arrivals;
mod capacity;
mod chaos;
mod client;
mod command;
mod engine;
mod generator;
pub mod machine;
mod observation;
mod operation;
mod oracle;
mod recorder;
mod report;
mod results;
mod scenario;
mod target;
mod view;

pub use command::main;
