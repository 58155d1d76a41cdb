//! Times and limits of the protocol. What was simulated is the ratio of the times, so they are changed together.

use std::time::Duration;

/// Times and limits of calls between nodes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often a session renews its lease. Default 800 ms.
    pub renew: Duration,
    /// How long after it sent its last successful renewal a session may start calls. Default 2.4 s: three renewals.
    pub hold: Duration,
    /// How long a lease must have stood still before its session is fenced. Default 3 s: a quarter more than the
    /// hold, for two clocks that drift.
    pub fence: Duration,
    /// How far apart the looks at a lease may be, for the standing still to count. Default 2 s.
    pub poll_gap: Duration,
    /// How long a command may go without an answer before its connection is closed. Default 600 ms.
    pub command_timeout: Duration,
    /// How long a read waits for something to come. Default 1.6 s.
    pub block: Duration,
    /// How long keyed calls wait after the store lost its memory. Default 3.3 s; 6.3 s where the store has replicas.
    pub failover_hold: Duration,
    /// Pause after a command that was refused, or a connection that could not be made. Default 50 ms.
    pub retry: Duration,
    /// How long an entry of the inbox that is done with waits for others to be forgotten with. Default 20 ms: one command
    /// of many calls, and little against what a dead node leaves behind anyway.
    pub settle_after: Duration,
    /// Most calls of one frame. Default 64.
    pub frame_calls_max: usize,
    /// A frame is closed once its payload has this many bytes. Default 256 KiB.
    pub frame_bytes_max: usize,
    /// Most calls that a key's line holds at its owner. Default 64.
    pub key_queue_max: usize,
    /// Most calls of other nodes that are taken in and not ended. Default 1,024.
    pub permits_max: usize,
    /// Most attempts at one call. Default 8.
    pub attempts_max: u32,
    /// How long after its deadline a call is answered at latest. Default 50 ms.
    pub answer_grace: Duration,
    /// How long after a call's deadline its reply is kept for a caller that cannot be reached. Default 1.5 s.
    pub reply_keep: Duration,
    /// How often a duplicate of a running call asks for its outcome. Default 100 ms.
    pub idempotency_poll: Duration,
    /// How many records of idempotency keys a node remembers in case the store forgets them. Default 4,096.
    pub idempotency_known_max: usize,
    /// How many bytes of outcomes it remembers for that. Default 16 MiB.
    pub idempotency_known_bytes_max: usize,
    /// Most chunks of a transfer that were written and not yet taken by their reader. Default 8.
    pub transfer_chunks_max: usize,
    /// Largest chunk of a transfer, in bytes. Default 64 KiB.
    pub chunk_bytes_max: usize,
    /// How long the other side of a transfer may be no member before the transfer breaks off. Default 5 s.
    pub transfer_gone: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            renew: Duration::from_millis(800),
            hold: Duration::from_millis(2400),
            fence: Duration::from_secs(3),
            poll_gap: Duration::from_secs(2),
            command_timeout: Duration::from_millis(600),
            block: Duration::from_millis(1600),
            failover_hold: Duration::from_millis(3300),
            retry: Duration::from_millis(50),
            settle_after: Duration::from_millis(20),
            frame_calls_max: 64,
            frame_bytes_max: 256 << 10,
            key_queue_max: 64,
            permits_max: 1024,
            attempts_max: 8,
            answer_grace: Duration::from_millis(50),
            reply_keep: Duration::from_millis(1500),
            idempotency_poll: Duration::from_millis(100),
            idempotency_known_max: 4096,
            idempotency_known_bytes_max: 16 << 20,
            transfer_chunks_max: 8,
            chunk_bytes_max: 64 << 10,
            transfer_gone: Duration::from_secs(5),
        }
    }
}
