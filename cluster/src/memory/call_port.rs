//! Calls carried through bounded queues, one per inbox.

use callboard_protocol::action::CallError;
use tokio::sync::{mpsc, oneshot};

use crate::{CallPort, Slot};

/// Carries calls to the inboxes of this process; slot `n` belongs to inbox `n % inboxes`.
#[derive(Debug)]
pub struct MemoryCallPort<C, O> {
    inboxes: Vec<mpsc::Sender<Carried<C, O>>>,
    waiting_max: usize,
}

/// Where the calls of one inbox come out.
pub type Inbox<C, O> = mpsc::Receiver<Carried<C, O>>;

/// A call that was carried here, and where its outcome goes.
#[derive(Debug)]
pub struct Carried<C, O> {
    /// The slot it was sent to.
    pub slot: Slot,
    /// The call.
    pub call: C,
    /// Where the caller waits. Closed when the caller went away.
    pub reply: oneshot::Sender<Result<O, CallError>>,
}

impl<C, O> MemoryCallPort<C, O> {
    /// A port with this many inboxes, each of which holds at most `waiting_max` calls.
    ///
    /// # Panics
    ///
    /// If there are no inboxes or no room in them.
    #[must_use]
    pub fn new(inboxes: usize, waiting_max: usize) -> (Self, Vec<Inbox<C, O>>) {
        assert!(inboxes > 0, "somebody must own the slots");
        let (inboxes, receivers) = (0..inboxes).map(|_| mpsc::channel(waiting_max)).unzip();
        (Self { inboxes, waiting_max }, receivers)
    }
}

impl<C, O> CallPort<C, O> for MemoryCallPort<C, O> {
    async fn call(&self, slot: Slot, call: C) -> Result<O, CallError> {
        let inbox = &self.inboxes[slot.index() % self.inboxes.len()];
        let (reply, outcome) = oneshot::channel();
        match inbox.try_send(Carried { slot, call, reply }) {
            Ok(()) => outcome.await.unwrap_or(Err(CallError::OutcomeUnknown)),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(CallError::Overloaded { what: "inbox_calls_max", limit: self.waiting_max })
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(CallError::Draining),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn slot(index: usize) -> Slot {
        Slot::all().nth(index).expect("within the slots")
    }

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_call_comes_out_at_the_inbox_of_its_slot_and_its_outcome_comes_back() {
        let (port, mut inboxes) = MemoryCallPort::new(2, 8);
        let mut calling = pin!(port.call(slot(3), "call"));
        assert!(poll(calling.as_mut()).is_pending());

        let carried = inboxes[1].try_recv().expect("carried");
        assert_eq!((carried.slot, carried.call), (slot(3), "call"));
        carried.reply.send(Ok("outcome")).expect("the caller waits");

        assert_eq!(poll(calling.as_mut()), Poll::Ready(Ok("outcome")));
    }

    #[test]
    fn a_full_inbox_refuses_and_a_lost_call_is_unknown() {
        let (port, mut inboxes) = MemoryCallPort::<_, ()>::new(1, 1);
        let mut first = pin!(port.call(slot(0), 1));
        assert!(poll(first.as_mut()).is_pending());

        let mut second = pin!(port.call(slot(0), 2));
        let full = CallError::Overloaded { what: "inbox_calls_max", limit: 1 };
        assert_eq!(poll(second.as_mut()), Poll::Ready(Err(full)));

        drop(inboxes[0].try_recv().expect("carried"));
        assert_eq!(poll(first.as_mut()), Poll::Ready(Err(CallError::OutcomeUnknown)));

        drop(inboxes);
        assert_eq!(poll(pin!(port.call(slot(0), 3))), Poll::Ready(Err(CallError::Draining)));
    }
}
