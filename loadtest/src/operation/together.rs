//! Several things at once, on one thread.

use std::{future::poll_fn, pin::Pin, task::Poll};

/// Waits for all of a few futures. Each is polled whenever one of them is woken.
pub(super) async fn together<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut open: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    poll_fn(|context| {
        open.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if open.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
