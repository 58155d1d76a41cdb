//! The port that carries a call to whoever owns its slot.

use std::future::Future;

use callboard_protocol::action::CallError;

use crate::Slot;

/// Carries calls `C` to the worker that owns their slot, and outcomes `O` back.
pub trait CallPort<C, O> {
    /// Carries one call.
    ///
    /// # Errors
    ///
    /// [`CallError::Overloaded`] where nothing was carried; [`CallError::OutcomeUnknown`] where the call was
    /// carried and nothing came back.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future after the call was carried does not stop the call.
    fn call(&self, slot: Slot, call: C) -> impl Future<Output = Result<O, CallError>>;
}
