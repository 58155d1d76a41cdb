//! What a call takes along to another node, and what comes back: arguments, the request's head, rows.
//!
//! *Objective*: an action cannot tell whether its call came from this node or from another.

mod chunks;
mod head;
mod rows;
mod shipment;

pub(crate) use chunks::{Chunk, ChunkReader, Room};
pub(crate) use head::{carried_head, request_head};
pub(crate) use rows::{Broken, CarriedRows, FIRST_PIECE_BYTES, first_piece, send_rows};
pub(crate) use shipment::Shipment;
