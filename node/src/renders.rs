//! How many pages render at the same time, and how many wait for that.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::settings::Settings;

/// The places to render in.
pub(crate) struct Renders {
    places: Semaphore,
    waiting: AtomicUsize,
    waiting_max: usize,
    patience: Duration,
    places_max: usize,
}

/// There was no place to render in, nor did one become free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

/// One that waits, counted until it has a place or is let go of.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Renders {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            places: Semaphore::new(settings.renders_max),
            waiting: AtomicUsize::new(0),
            waiting_max: settings.render_queue_max,
            patience: settings.render_timeout,
            places_max: settings.renders_max,
        }
    }

    /// How many render now.
    pub(crate) fn running(&self) -> usize {
        self.places_max.saturating_sub(self.places.available_permits())
    }

    /// How many wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A place, kept until it is dropped. Whoever asks first gets the next one.
    ///
    /// # Errors
    ///
    /// [`Crowded`] where as many wait as may, and to one that has waited for as long as a page may render.
    pub(crate) async fn begin(&self) -> Result<SemaphorePermit<'_>, Crowded> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if waiting >= self.waiting_max {
            return Err(Crowded);
        }
        match timeout(self.patience, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // The places are never closed: they live as long as the node.
            Ok(Err(_)) | Err(_) => Err(Crowded),
        }
    }
}
