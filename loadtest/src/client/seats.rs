//! Who may use a connection: at most as many at once as there may be.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Places on the connections to a server.
pub(super) struct Seats(Arc<Semaphore>);

/// A place, given back when dropped.
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
    /// It had to be waited for.
    pub(crate) was_held_back: bool,
}

/// Nobody gets one any more.
pub(super) struct Closed;

impl Seats {
    pub(super) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// One, if there is one now.
    pub(super) fn take_now(&self) -> Result<Option<Seat>, Closed> {
        match Arc::clone(&self.0).try_acquire_owned() {
            Ok(permit) => Ok(Some(Seat { _permit: permit, was_held_back: false })),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(Closed),
        }
    }

    /// The next one, in the order of asking; none if nobody gets one any more.
    pub(super) async fn wait(&self) -> Option<Seat> {
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        Some(Seat { _permit: permit, was_held_back: true })
    }

    pub(super) fn close(&self) {
        self.0.close();
    }
}
