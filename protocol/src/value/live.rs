//! What is settled later, and what comes in pieces: the ends that a decoder fills and those who wait hold.
//!
//! No runtime is needed: whoever waits leaves a [`Waker`]. Items and results are [`Slot`]s of the graph that the promise
//! or stream lives in; whoever holds it holds the graph.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use super::{Promise, Slot, StreamEnd};

/// A promise that was not settled when its value was handed out. Clones are the same promise.
#[derive(Clone)]
pub struct Pending(Arc<PendingCell>);

struct PendingCell {
    settled: OnceLock<Promise>,
    waiting: Mutex<Vec<Waiter>>,
    flow: Flow,
}

/// The unread items of a stream that may still grow. Clones are the same stream; an item is read once.
#[derive(Clone)]
pub struct Live(Arc<LiveCell>);

struct LiveCell {
    queue: Mutex<Queue>,
    /// Whether somebody reads it.
    is_claimed: AtomicBool,
    flow: Flow,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<(Slot, usize)>,
    end: Option<StreamEnd>,
    waiting: Vec<Waiter>,
}

/// How much of one call's body is decoded ahead of whoever reads it, and whether somebody waits for more of it.
#[derive(Clone, Debug, Default)]
pub struct Flow(Arc<FlowCell>);

#[derive(Debug, Default)]
struct FlowCell {
    unread_bytes: AtomicUsize,
    /// Wakers that wait for something that has not arrived.
    starving: AtomicUsize,
    /// Whoever reads the body, while it waits for room.
    reader: Mutex<Option<Waker>>,
}

/// A waker that is counted as starving as long as it waits.
struct Waiter {
    waker: Waker,
    flow: Flow,
}

impl Waiter {
    /// Leaves a waker, unless it waits already.
    fn leave(waiting: &mut Vec<Self>, flow: &Flow, context: &Context<'_>) {
        // Those who went away without taking their waker with them make room for those who come back.
        if waiting.iter().any(|waiter| waiter.waker.will_wake(context.waker())) {
            return;
        }
        if waiting.len() == WAITERS_MAX {
            waiting.remove(0).wake();
        }
        flow.0.starving.fetch_add(1, Ordering::AcqRel);
        flow.wake_reader();
        waiting.push(Self { waker: context.waker().clone(), flow: flow.clone() });
    }

    fn wake(self) {
        self.waker.wake_by_ref();
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.flow.0.starving.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Most wakers that one promise or stream keeps. One too many wakes the oldest, which comes back if it still waits.
const WAITERS_MAX: usize = 64;

impl Pending {
    /// A promise of a call with this flow.
    #[must_use]
    pub fn new(flow: &Flow) -> Self {
        let flow = flow.clone();
        Self(Arc::new(PendingCell { settled: OnceLock::new(), waiting: Mutex::default(), flow }))
    }

    /// What it was settled to.
    #[must_use]
    pub fn settled(&self) -> Option<&Promise> {
        self.0.settled.get()
    }

    /// What it was settled to, as soon as it is.
    pub fn poll_settled(&self, context: &Context<'_>) -> Poll<&Promise> {
        if self.settled().is_none() {
            let mut waiting = lock(&self.0.waiting);
            // It may have been settled since; whoever settles it takes the wakers afterwards.
            if self.settled().is_none() {
                Waiter::leave(&mut waiting, &self.0.flow, context);
            }
        }
        self.settled().map_or(Poll::Pending, Poll::Ready)
    }

    /// Settles it, to anything but a pending promise. Only the first time counts.
    pub fn settle(&self, promise: Promise) {
        debug_assert!(!matches!(promise, Promise::Pending(_)), "that would settle nothing");
        if self.0.settled.set(promise).is_ok() {
            let waiting = std::mem::take(&mut *lock(&self.0.waiting));
            waiting.into_iter().for_each(Waiter::wake);
        }
    }
}

impl Live {
    /// A stream of a call with this flow.
    #[must_use]
    pub fn new(flow: &Flow) -> Self {
        Self(Arc::new(LiveCell {
            queue: Mutex::default(),
            is_claimed: AtomicBool::new(false),
            flow: flow.clone(),
        }))
    }

    /// Adds an item that takes this many bytes.
    pub fn push(&self, item: Slot, bytes: usize) {
        let waiting = {
            let mut queue = lock(&self.0.queue);
            if queue.end.is_some() {
                return;
            }
            self.0.flow.0.unread_bytes.fetch_add(bytes, Ordering::AcqRel);
            queue.items.push_back((item, bytes));
            std::mem::take(&mut queue.waiting)
        };
        waiting.into_iter().for_each(Waiter::wake);
    }

    /// Ends it. Only the first time counts.
    pub fn end(&self, end: StreamEnd) {
        let waiting = {
            let mut queue = lock(&self.0.queue);
            queue.end.get_or_insert(end);
            std::mem::take(&mut queue.waiting)
        };
        waiting.into_iter().for_each(Waiter::wake);
    }

    /// Whether nothing more will be added.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        lock(&self.0.queue).end.is_some()
    }

    /// Makes the caller the one who reads it; not if there is one.
    #[must_use]
    pub fn claim(&self) -> bool {
        !self.0.is_claimed.swap(true, Ordering::AcqRel)
    }

    /// Leaves what is unread to the next who claims it.
    pub fn release(&self) {
        self.0.is_claimed.store(false, Ordering::Release);
    }

    /// Takes the next item, or says how the stream ended.
    pub fn poll_next(&self, context: &Context<'_>) -> Poll<Result<Slot, StreamEnd>> {
        let mut queue = lock(&self.0.queue);
        if let Some((item, bytes)) = queue.items.pop_front() {
            drop(queue);
            self.0.flow.read(bytes);
            return Poll::Ready(Ok(item));
        }
        match &queue.end {
            Some(end) => Poll::Ready(Err(end.clone())),
            None => {
                Waiter::leave(&mut queue.waiting, &self.0.flow, context);
                Poll::Pending
            }
        }
    }
}

impl Drop for LiveCell {
    fn drop(&mut self) {
        let queue = self.queue.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.flow.read(queue.items.iter().map(|(_, bytes)| bytes).sum());
    }
}

impl Flow {
    /// Ready when more of the body should be read: little is unread, or somebody waits and not too much is.
    pub fn poll_wanted(&self, context: &Context<'_>, ahead_bytes: usize, ahead_bytes_max: usize) -> Poll<()> {
        if self.is_wanted(ahead_bytes, ahead_bytes_max) {
            return Poll::Ready(());
        }
        *lock(&self.0.reader) = Some(context.waker().clone());
        // What was read since woke nobody.
        if self.is_wanted(ahead_bytes, ahead_bytes_max) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Bytes that were decoded and not read.
    #[must_use]
    pub fn unread_bytes(&self) -> usize {
        self.0.unread_bytes.load(Ordering::Acquire)
    }

    fn is_wanted(&self, ahead_bytes: usize, ahead_bytes_max: usize) -> bool {
        let starving = self.0.starving.load(Ordering::Acquire) > 0;
        self.unread_bytes() < if starving { ahead_bytes_max } else { ahead_bytes }
    }

    fn read(&self, bytes: usize) {
        self.0.unread_bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.wake_reader();
    }

    fn wake_reader(&self) {
        let reader = lock(&self.0.reader).take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// Nothing is left half-done under these locks, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether both are one promise.
impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Pending {}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pending").field(&self.settled()).finish()
    }
}

/// Whether both are one stream.
impl PartialEq for Live {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Live {}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = lock(&self.0.queue);
        f.debug_struct("Live").field("unread", &queue.items.len()).field("end", &queue.end).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Flag(AtomicBool);

    impl std::task::Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn waker() -> (Arc<Flag>, Waker) {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        (Arc::clone(&flag), flag.into())
    }

    #[test]
    fn whoever_waits_for_a_promise_is_woken_when_it_is_settled() {
        let pending = Pending::new(&Flow::default());
        let (woken, waker) = waker();
        let context = Context::from_waker(&waker);
        assert!(pending.poll_settled(&context).is_pending());
        assert!(pending.poll_settled(&context).is_pending());

        pending.settle(Promise::Fulfilled(Slot::Null));
        pending.settle(Promise::Rejected { digest: None });

        assert!(woken.0.load(Ordering::SeqCst));
        assert!(matches!(pending.poll_settled(&context), Poll::Ready(Promise::Fulfilled(Slot::Null))));
    }

    #[test]
    fn items_come_in_order_and_the_end_after_them() {
        let live = Live::new(&Flow::default());
        let (woken, waker) = waker();
        let context = Context::from_waker(&waker);
        assert!(live.poll_next(&context).is_pending());
        live.push(Slot::Bool(true), 4);
        assert!(woken.0.load(Ordering::SeqCst));
        live.push(Slot::Null, 4);
        live.end(StreamEnd::Closed);
        live.push(Slot::Undefined, 4);

        assert!(matches!(live.poll_next(&context), Poll::Ready(Ok(Slot::Bool(true)))));
        assert!(matches!(live.poll_next(&context), Poll::Ready(Ok(Slot::Null))));
        assert!(matches!(live.poll_next(&context), Poll::Ready(Err(StreamEnd::Closed))));
    }

    #[test]
    fn a_body_is_read_ahead_a_little_and_further_only_for_those_who_wait() {
        let flow = Flow::default();
        let (live, other) = (Live::new(&flow), Pending::new(&flow));
        let (reader_woken, reader) = waker();
        let reader = Context::from_waker(&reader);
        let (_, waiter) = waker();
        let waiter = Context::from_waker(&waiter);
        live.push(Slot::Null, 100);
        assert!(flow.poll_wanted(&reader, 100, 1000).is_pending());

        assert!(other.poll_settled(&waiter).is_pending());
        assert!(reader_woken.0.load(Ordering::SeqCst), "somebody waits for what has not arrived");
        assert!(flow.poll_wanted(&reader, 100, 1000).is_ready());
        live.push(Slot::Null, 900);
        assert!(flow.poll_wanted(&reader, 100, 1000).is_pending(), "there is a limit to that");

        other.settle(Promise::Fulfilled(Slot::Null));
        assert!(live.poll_next(&waiter).is_ready());
        assert!(flow.poll_wanted(&reader, 901, 1000).is_ready());
        drop(live);
        assert_eq!(flow.unread_bytes(), 0);
    }
}
