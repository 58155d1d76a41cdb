//! The parts of what a node does for a request, by the names of their spans.

use opentelemetry::trace::SpanKind;

/// A part of what a node does for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Origin, signature and guard.
    Verify,
    /// The body comes, and becomes values.
    Decode,
    /// Bound values are opened, and it is found out who runs it.
    Place,
    /// It waits for its turn.
    QueueWait,
    /// Another node runs it: until its answer is back.
    Carry,
    /// It waits for its place in a frame to that node.
    Send,
    /// Redis takes that frame.
    Redis,
    /// The function runs.
    Run,
    /// What it revalidated gets its place in the log, and every node has it.
    Publish,
    /// That place is known, and other nodes are waited for.
    AckWait,
    /// The answer is written.
    Respond,
    /// The cache is asked.
    Cache,
    /// A page is rendered.
    Render,
    /// A page is rendered for a request that came before.
    Join,
}

impl Phase {
    /// The name of its span.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Decode => "decode",
            Self::Place => "place",
            Self::QueueWait => "queue wait",
            Self::Carry => "carry",
            Self::Send => "send",
            Self::Redis => "redis",
            Self::Run => "run",
            Self::Publish => "publish",
            Self::AckWait => "ack wait",
            Self::Respond => "respond",
            Self::Cache => "cache",
            Self::Render => "render",
            Self::Join => "join",
        }
    }

    pub(super) fn kind(self) -> SpanKind {
        match self {
            Self::Carry => SpanKind::Producer,
            Self::Redis => SpanKind::Client,
            _ => SpanKind::Internal,
        }
    }

    /// The phase that it is a part of, if it is one of a part.
    pub(super) fn whole(self) -> Option<Self> {
        match self {
            Self::Send | Self::Redis => Some(Self::Carry),
            Self::AckWait => Some(Self::Publish),
            _ => None,
        }
    }
}
