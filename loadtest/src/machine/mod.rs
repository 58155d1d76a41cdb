//! The processes of a cluster on this machine: nodes, a Redis of their own, and the wires between them.

pub mod http;
pub mod node;
pub mod process;
pub mod proxy;
pub mod redis_server;

use tokio::signal::unix::{SignalKind, signal};

/// Runs to the end on this thread, which holds what is started on a leash.
///
/// # Errors
///
/// What the future fails with, or that there is no runtime to be had.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = tokio::task::LocalSet::new().block_on(&runtime, future);
    // Whoever still reads what a process prints is not waited for.
    runtime.shutdown_background();
    ended
}

/// Returns when this process is to end.
///
/// # Errors
///
/// That signals cannot be listened to.
pub async fn stop_signal() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
