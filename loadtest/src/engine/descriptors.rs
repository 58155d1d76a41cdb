//! Every connection takes a file descriptor.

use anyhow::{Context as _, bail};
use rlimit::Resource;

/// Files that are open besides connections: those of the runtime, a ledger, reports.
const OTHERS: u64 = 64;

/// Sees to it that this process may have as many connections.
///
/// # Errors
///
/// If it may not: how many it may have, and how that is changed.
pub(crate) fn raise(connections: u64) -> anyhow::Result<()> {
    let needed = connections.saturating_add(OTHERS);
    let (soft, hard) = Resource::NOFILE.get().context("cannot ask for the limit of open files")?;
    if soft >= needed {
        return Ok(());
    }
    // Whoever may raise the hard limit, may here as well.
    if Resource::NOFILE.set(needed, hard.max(needed)).is_err() {
        bail!(
            "{connections} connections take {needed} open files, and {hard} are allowed at most: allow more with \
             `ulimit -n {needed}` (for good: /etc/security/limits.conf), or ask for fewer with connections_max"
        );
    }
    Ok(())
}
