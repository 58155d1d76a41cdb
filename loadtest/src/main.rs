//! The command line of the load-testing harness.

use std::process::ExitCode;

/// Thousands of requests a second are a few allocations each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    callboard_loadtest::main()
}
