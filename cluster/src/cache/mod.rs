//! Which renders are fresh: this node's copy of the one log of revalidations, and until when it may trust it.
//!
//! *Objective*: after an action was answered no node serves a render that is older than what the action revalidated. The
//! [`Core`] takes inputs and gives outputs; what readers need of it stands in [`Versions`], which they share.
//!
//! *Non-objective*: no sockets, no clocks, no actors, and no renders: who keeps them asks [`Versions`].

pub mod core;
pub mod flight_table;
#[cfg(all(test, callboard_loom))]
mod interleavings;
pub mod io;
pub mod memory;
pub mod settings;
pub mod stamp;
pub mod store;
mod sync;
pub mod versions;

pub use self::core::Core;
pub use flight_table::FlightTable;
pub use io::{Connection, Input, Output, PublicationId, RequestId, Wait};
pub use settings::Settings;
pub use stamp::Stamp;
pub use versions::{Arrived, Freshness, Newest, Versions};
