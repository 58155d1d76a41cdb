//! An allocator that counts what the current thread takes.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// What something took of the heap.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heap {
    /// Most bytes at one time.
    pub(crate) peak_bytes: usize,
    /// Bytes of all allocations together: what was copied shows here, even if nobody counted it.
    pub(crate) total_bytes: usize,
}

#[derive(Clone, Copy)]
struct Counts {
    now: isize,
    peak: isize,
    total: usize,
}

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { now: 0, peak: 0, total: 0 }) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn note(taken: usize, given_back: usize) {
    // A thread that ends has no counts any more, and nobody asks for them.
    let _ = COUNTS.try_with(|counts| {
        let Counts { now, peak, total } = counts.get();
        let now = now + taken.cast_signed() - given_back.cast_signed();
        counts.set(Counts { now, peak: peak.max(now), total: total + taken });
    });
}

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        note(0, layout.size());
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size, layout.size());
        unsafe { System.realloc(place, layout, size) }
    }
}

/// Runs something and says what it took, its result included.
pub(crate) fn measure<T>(run: impl FnOnce() -> T) -> (T, Heap) {
    let before = COUNTS.with(|counts| {
        let before = Counts { peak: counts.get().now, ..counts.get() };
        counts.set(before);
        before
    });
    let result = run();
    let after = COUNTS.get();
    let peak_bytes = usize::try_from(after.peak - before.now).unwrap_or(0);
    (result, Heap { peak_bytes, total_bytes: after.total - before.total })
}

#[test]
fn what_is_taken_and_given_back_is_counted() {
    let (kept, heap) = measure(|| {
        drop(vec![0_u8; 1 << 20]);
        vec![0_u8; 1 << 10]
    });
    assert_eq!(kept.len(), 1 << 10);
    assert_eq!((heap.peak_bytes, heap.total_bytes), (1 << 20, (1 << 20) + (1 << 10)));
}
