//! Times and limits of the log of revalidations. What was simulated is the ratio of the times, so they are changed
//! together.

use std::time::Duration;

/// Times and limits of the render cache's consistency.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long after it asked for it a node may trust a lease. Default 1 s.
    pub lease: Duration,
    /// How often a lease is renewed. Default 250 ms: a quarter of it.
    pub renew: Duration,
    /// How much longer others wait for a lease to end, for two clocks that drift. Default 1 ms per second of the lease,
    /// rounded up to a millisecond.
    pub margin: Duration,
    /// How long a command may go without an answer before its connection is closed. Default 500 ms.
    pub command_timeout: Duration,
    /// Pause after a command that was refused, or a connection that could not be made. Default 50 ms.
    pub retry: Duration,
    /// How long a hole in what was pushed may stand before the log is read. Default 2 ms.
    pub gap_repair: Duration,
    /// Most marks that are on their way out of this node. Default 65,536.
    pub outbox_marks_max: usize,
    /// Most marks of one entry. Default 4,096.
    pub entry_marks_max: usize,
    /// Most pushes that are kept while an earlier one is missing. Default 1,024.
    pub early_entries_max: usize,
    /// Most soft marks that wait for the time at which they become hard; more become hard at once. Default 65,536.
    pub expiring_max: usize,
    /// Cells of each of the two tables of tags, rounded up to a power of two. Default 2^20, 8 MiB: with 10,000 tags that are
    /// revalidated within a render's life, 0.3 % of renders are dropped needlessly.
    pub tag_cells: usize,
    /// Whether others share the store. A node that is alone has a lease that never ends.
    pub shared: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(1),
            renew: Duration::from_millis(250),
            margin: Duration::from_millis(1),
            command_timeout: Duration::from_millis(500),
            retry: Duration::from_millis(50),
            gap_repair: Duration::from_millis(2),
            outbox_marks_max: 65_536,
            entry_marks_max: 4096,
            early_entries_max: 1024,
            expiring_max: 65_536,
            tag_cells: 1 << 20,
            shared: true,
        }
    }
}
