//! What goes into the core and what comes out: data, performed by an actor or by a simulation.

use std::sync::Arc;

pub use callboard_protocol::revalidation::Wait;
use callboard_protocol::revalidation::{LogPosition, Tag};

use super::store::{Answer, Command, Mark, Push};
use crate::store::Failure;

/// Something happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time passed.
    Tick,
    /// A connection is there.
    Connected(Connection),
    /// A connection is gone, or was never made.
    Disconnected(Connection),
    /// What came of a command.
    Answered(RequestId, Result<Answer, Failure>),
    /// The store told it to all.
    Pushed(Push),
    /// Append marks to the log; repeated until it is certain. Answered by [`Output::Published`].
    Publish(PublicationId, Arc<[Mark]>, Wait),
    /// Nobody waits for a publication any more. It is published all the same.
    Forget(PublicationId),
    /// A reader wants to see this position and cannot: read the log now.
    CatchUp(LogPosition),
    /// Go in order: publish what is left, and be registered no more.
    Leave,
}

/// Do this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Make a connection, to a master only.
    Connect(Connection),
    /// Close a connection. Nothing of it is awaited any more; commands in flight may still be executed.
    Disconnect(Connection),
    /// Ask the store.
    Perform(RequestId, Command),
    /// It stands in the log, on as many replicas as are wanted; what is waited for may not have come true. Comes again if
    /// an epoch loses it.
    Placed(PublicationId),
    /// What was waited for has come true. The position is where it stands, in the epoch that confirmed it; nothing where
    /// nothing was waited for.
    Published(PublicationId, Option<LogPosition>),
    /// Nothing comes of this publication: this node has left.
    Refused(PublicationId),
    /// Leases are granted by an epoch that began now, and whether renders were kept from the one before.
    Epoch {
        /// Whether they were.
        carried_over: bool,
    },
    /// This node is registered no more.
    Left,
}

/// Which connection to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Connection {
    /// For commands.
    Commands,
    /// For what is pushed.
    Pushes,
}

/// Names a command that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names marks on their way to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicationId(pub u64);

/// What is stale if this node dies while an action runs: the tags that its actions declare.
pub type Declared = Arc<[Tag]>;
