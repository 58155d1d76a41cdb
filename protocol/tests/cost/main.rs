//! What hostile bodies cost: elementary steps, memory, and time, which is printed and proves nothing.
//!
//! A binary of its own, because its allocator counts.

#[expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]
mod allocator;
mod deserialised;
mod envelopes;
mod families;
mod forms;
mod framing;
#[path = "../support/limits.rs"]
mod limits;
mod replies;

use std::{fmt::Write as _, time::Instant};

use allocator::{Heap, measure};

/// How often a body's size is doubled.
const DOUBLINGS: u32 = 8;

/// What one body cost.
#[derive(Clone, Copy, Debug)]
struct Cost {
    body_bytes: usize,
    /// Elementary steps, where there is a counter.
    steps: u64,
    heap: Heap,
    micros: u128,
}

impl Cost {
    /// Runs what gives a number of steps, or 0.
    fn of(body_bytes: usize, run: impl FnOnce() -> u64) -> Self {
        let started = Instant::now();
        let (steps, heap) = measure(run);
        Self { body_bytes, steps, heap, micros: started.elapsed().as_micros() }
    }
}

/// What a family of bodies may cost.
#[derive(Clone, Copy, Debug)]
struct Allowed {
    steps_per_byte: u64,
    peak_per_byte: usize,
    total_per_byte: usize,
}

/// What does not grow with the body.
const FIXED_BYTES: usize = 64 << 10;
const FIXED_STEPS: u64 = 256;

/// Goal: cost is linear. Method: the body doubles eight times; what it takes may double each time, and stays below a
/// multiple of its length at every size.
fn assert_linear(name: &str, allowed: Allowed, cost: impl Fn(usize) -> Cost) {
    let costs: Vec<_> = (0..=DOUBLINGS).map(|doubled| cost(64 << doubled)).collect();
    let mut table = String::new();
    for Cost { body_bytes, steps, heap, micros } in &costs {
        let Heap { peak_bytes, total_bytes } = heap;
        writeln!(table, "{body_bytes:>9} bytes {steps:>10} steps {peak_bytes:>11} peak {total_bytes:>11} in all {micros:>8} µs")
            .expect("a string takes all that is written");
    }
    for cost in &costs {
        let Cost { body_bytes, steps, heap, .. } = *cost;
        let fits = |taken: usize, per_byte: usize| taken <= per_byte * body_bytes + FIXED_BYTES;
        assert!(steps <= allowed.steps_per_byte * body_bytes as u64 + FIXED_STEPS, "{name}: steps\n{table}");
        assert!(fits(heap.peak_bytes, allowed.peak_per_byte), "{name}: memory at one time\n{table}");
        assert!(fits(heap.total_bytes, allowed.total_per_byte), "{name}: memory in all\n{table}");
    }
    for pair in costs.windows(2) {
        let grown = |small: u64, large: u64, fixed: u64| large <= small * 5 / 2 + fixed;
        assert!(grown(pair[0].steps, pair[1].steps, FIXED_STEPS), "{name}: steps more than doubled\n{table}");
        let (small, large) = (pair[0].heap.total_bytes as u64, pair[1].heap.total_bytes as u64);
        assert!(grown(small, large, FIXED_BYTES as u64), "{name}: memory more than doubled\n{table}");
    }
    let largest = costs.last().expect("there are nine");
    println_cost(name, largest);
}

/// For whoever runs the tests with `--nocapture`.
fn println_cost(name: &str, cost: &Cost) {
    let per_byte = |count: usize| count as f64 / cost.body_bytes as f64;
    println!(
        "{name}: {} bytes, {:.1} steps and {:.1} bytes of memory for each, {} µs",
        cost.body_bytes,
        per_byte(usize::try_from(cost.steps).unwrap_or(usize::MAX)),
        per_byte(cost.heap.peak_bytes),
        cost.micros
    );
}
