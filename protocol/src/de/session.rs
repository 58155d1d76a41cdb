//! How deep a value is and how much of it was visited, counted over one argument.
//!
//! The counters belong to the thread and not to a deserializer, because newtypes that take a whole [`Value`] past serde
//! start over with a deserializer of their own, and must not start over with a budget of their own.

use std::cell::Cell;

use super::DeError;

/// Deepest nesting of a value that becomes a Rust type: what the decoder of arguments lets in by default.
///
/// Every level takes stack of the serde code of the type, so this may not be unlimited.
pub const DEPTH_MAX: usize = 512;

/// Most values visited for one argument. A shared object counts each time it is met: without a limit, thirty arrays
/// that each hold the next one twice would be a billion.
pub const VISITS_MAX: usize = 1_000_000;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static VISITS: Cell<usize> = const { Cell::new(0) };
}

/// One argument that is being deserialised.
pub(super) struct Session;

impl Session {
    /// Begins a count, unless one runs: then this is a part of it.
    pub(super) fn begin() -> Self {
        if DEPTH.get() == 0 {
            VISITS.set(0);
        }
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// One level deeper, until it is dropped.
pub(super) struct Level;

impl Level {
    /// Enters an object.
    pub(super) fn enter() -> Result<Self, DeError> {
        if DEPTH.get() > DEPTH_MAX {
            return Err(DeError::problem(format!("nested deeper than {DEPTH_MAX} levels, or a cycle")));
        }
        DEPTH.set(DEPTH.get() + 1);
        Ok(Self)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Pays for the visit of one value.
pub(super) fn visit() -> Result<(), DeError> {
    let visits = VISITS.get() + 1;
    VISITS.set(visits);
    if visits > VISITS_MAX {
        return Err(DeError::problem(format!(
            "more than {VISITS_MAX} values, shared ones counted each time"
        )));
    }
    Ok(())
}
