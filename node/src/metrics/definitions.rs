//! Every metric of a node: one table of name, unit, labels and meaning. The instruments are made from it, and so is
//! `docs/metrics.md`.

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many were of which size: with a sum and a count.
    Histogram,
}

impl MetricKind {
    /// As the documentation has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label, and which values it takes. No label takes what a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricLabel {
    /// Its name.
    pub name: &'static str,
    /// Its values, or where they come from.
    pub values: &'static str,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name in OpenTelemetry.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: MetricKind,
    /// Its unit, in UCUM: `s`, `By`, `1` for a ratio, or what is counted in braces.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [MetricLabel],
    /// What it is, and what it is good for.
    pub doc: &'static str,
}

impl Metric {
    /// Bounds of the buckets of a histogram.
    #[must_use]
    pub fn buckets(&self) -> &'static [f64] {
        &SECONDS
    }

    /// Its name in Prometheus: with the unit, and `_total` behind what only grows.
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            "1" => "_ratio",
            _ => "",
        };
        let mut name = self.name.replace('.', "_");
        name.push_str(unit);
        if self.kind == MetricKind::Counter {
            name.push_str("_total");
        }
        name
    }
}

/// Bounds of the buckets of times, in seconds: from a page out of the cache to an action that takes its time.
const SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

const ACTION: MetricLabel = MetricLabel {
    name: "action",
    values: "the action's name; `other` for those beyond the setting `metrics_actions_max`, and `none` where no action was named",
};
const CLASS: MetricLabel = MetricLabel { name: "class", values: "`plain`, `keyed`, `serial`, `none`" };
const OUTCOME: MetricLabel =
    MetricLabel { name: "outcome", values: "`done`, `failed`, `not-run`, `unknown`" };
const CODE: MetricLabel = MetricLabel { name: "code", values: "a code of docs/errors" };
const PAGE: MetricLabel = MetricLabel {
    name: "page",
    values: "the page's route; `other` for those beyond the setting `metrics_actions_max`",
};
const RESULT: MetricLabel = MetricLabel {
    name: "result",
    values: "`hit`, `stale`, `stale-if-error`, `fenced-hit`, `miss`, `fenced-miss`, `bypass`, and `none` for a redirect, not found or an error",
};
const WHY: MetricLabel = MetricLabel { name: "reason", values: "`dead`, `expired`, `absent`, `fenced`" };
const DIRECTION: MetricLabel = MetricLabel { name: "direction", values: "`sent`, `received`" };
const COMMAND: MetricLabel =
    MetricLabel { name: "command", values: "a command of the cluster's store or of the log" };
const STATE: MetricLabel =
    MetricLabel { name: "state", values: "`away`, `serving`, `silent`, `draining`, `left`" };
const BUILD: MetricLabel = MetricLabel { name: "build", values: "the build's id" };
const WAITED: MetricLabel = MetricLabel { name: "confirmed", values: "`yes`, `no`" };
const SIGNAL: MetricLabel = MetricLabel { name: "signal", values: "`spans`" };

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $constant:ident: $kind:ident = $name:literal, $unit:literal, [$($label:ident),*];)*) => {
        $(pub(crate) const $constant: Metric = Metric {
            name: $name,
            kind: MetricKind::$kind,
            unit: $unit,
            labels: &[$($label),*],
            doc: concat!($($doc, "\n"),+),
        };)*

        impl Metric {
            /// Every metric, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$($constant),*];
        }
    };
}

metrics! {
    /// How long a call took at the node that its client asked: from its head to the head of its answer. Its count is the
    /// rate of calls, by outcome the share of errors.
    CALL_DURATION: Histogram = "callboard.call.duration", "s", [ACTION, CLASS, OUTCOME];
    /// Answers that name an error, of calls and of pages. What the check of signatures and the decoder refused is among them,
    /// each reason under its code.
    ERRORS: Counter = "callboard.errors", "{answer}", [CODE];
    /// How long the function of an action ran, at the node that ran it.
    RUN_DURATION: Histogram = "callboard.run.duration", "s", [ACTION];
    /// How long a call waited from its acceptance until its function began, where client and function were on one node.
    QUEUE_WAIT: Histogram = "callboard.queue.wait", "s", [CLASS];
    /// The age of the call that waits longest at this node for its turn or for another node; 0 where none waits.
    QUEUE_AGE: Gauge = "callboard.queue.age", "s", [];
    /// Calls of this node's clients that wait for their turn, or for another node.
    CALLS_WAITING: Gauge = "callboard.calls.waiting", "{call}", [];
    /// Calls that run, or whose answer goes on; the node waits for them when it stops.
    CALLS_IN_FLIGHT: Gauge = "callboard.calls.in_flight", "{call}", [];
    /// Permits that are taken: calls of an action that run.
    PERMITS_USED: Gauge = "callboard.permits.used", "{call}", [ACTION];
    /// Permits there are for each action: the setting `calls_max`.
    PERMITS_LIMIT: Gauge = "callboard.permits.limit", "{call}", [];
    /// Calls that were answered as moved: the node that owned them left or died before it started them.
    CALLS_MOVED: Counter = "callboard.calls.moved", "{call}", [];
    /// Calls that this node sent again, to another owner.
    CALLS_RESENT: Counter = "callboard.calls.resent", "{call}", [];
    /// Calls that were answered `unknown` because the node that had them died.
    CALLS_LOST: Counter = "callboard.calls.lost", "{call}", [];
    /// Members of the cluster, as this node sees it.
    MEMBERS: Gauge = "callboard.cluster.members", "{node}", [];
    /// The version of the view that this node applies; where nodes differ for long, one of them is cut off.
    VIEW_VERSION: Gauge = "callboard.cluster.view_version", "{version}", [];
    /// 1 for the state of this node's session, 0 for the others.
    SESSION_STATE: Gauge = "callboard.cluster.session", "{session}", [STATE];
    /// Slots that this node owns first.
    SLOTS_OWNED: Gauge = "callboard.cluster.slots_owned", "{slot}", [];
    /// Slots that came to this node or went from it, by any change of the view.
    SLOT_MOVES: Counter = "callboard.cluster.slot_moves", "{slot}", [];
    /// For how long this node may still start calls if it hears nothing more from Redis; below 0 it may not.
    HOLD_LEFT: Gauge = "callboard.cluster.hold_left", "s", [];
    /// Nodes that this one fenced because they were silent.
    FENCED: Counter = "callboard.cluster.fenced", "{node}", [];
    /// Sessions of this node that ended although nobody asked for it.
    SESSIONS_LOST: Counter = "callboard.cluster.sessions_lost", "{session}", [];
    /// Inputs that the membership took. Divided by its turns: how many it takes at a time.
    INBOX_INPUTS: Counter = "callboard.inbox.inputs", "{input}", [];
    /// Turns of the membership.
    INBOX_TURNS: Counter = "callboard.inbox.turns", "{turn}", [];
    /// The most inputs that the membership found waiting at once, since the last second.
    INBOX_DEPTH: Gauge = "callboard.inbox.depth", "{input}", [];
    /// Frames between nodes.
    FRAMES: Counter = "callboard.frames", "{frame}", [DIRECTION];
    /// Bytes of frames between nodes.
    FRAME_BYTES: Counter = "callboard.frame.size", "By", [DIRECTION];
    /// Calls and answers in the frames that this node sent. Divided by these frames: how many share one command.
    FRAME_MESSAGES: Counter = "callboard.frame.messages", "{message}", [];
    /// Frames that were no frames of this cluster, and were dropped.
    BAD_FRAMES: Counter = "callboard.frames.bad", "{frame}", [];
    /// How long Redis took to answer a command, as this node sees it: the round trip and the script. Its count is the rate
    /// of commands. Reads that wait for something to come are not among them.
    REDIS_DURATION: Histogram = "callboard.redis.duration", "s", [COMMAND];
    /// Commands that Redis did not answer, or refused.
    REDIS_FAILURES: Counter = "callboard.redis.failures", "{command}", [COMMAND];
    /// Invariants that did not hold, as seen from within this node: a mistake in Callboard. Tell us.
    VIOLATIONS: Counter = "callboard.invariant.violations", "{violation}", [];
    /// Requests for pages, by what the cache said.
    PAGES: Counter = "callboard.pages", "{request}", [RESULT];
    /// Requests for pages that were not served from the cache, by why: what was kept was revalidated (`dead`) or its time
    /// was over (`expired`), nothing was kept (`absent`), or the node had no lease (`fenced`).
    PAGE_MISSES: Counter = "callboard.page.misses", "{request}", [WHY];
    /// How long a page took to render.
    RENDER_DURATION: Histogram = "callboard.render.duration", "s", [PAGE];
    /// Requests that were served by a render that another request began.
    RENDERS_COALESCED: Counter = "callboard.renders.coalesced", "{request}", [];
    /// Pages that render now.
    RENDERS_RUNNING: Gauge = "callboard.renders.running", "{render}", [];
    /// Renders there may be at a time: the setting `renders_max`.
    RENDERS_LIMIT: Gauge = "callboard.renders.limit", "{render}", [];
    /// Renders that wait for another one to end.
    RENDERS_WAITING: Gauge = "callboard.renders.waiting", "{render}", [];
    /// Memory that kept pages and fragments take.
    CACHE_BYTES: Gauge = "callboard.cache.size", "By", [];
    /// Memory that they may take: the setting `render_cache_bytes_max`.
    CACHE_LIMIT: Gauge = "callboard.cache.limit", "By", [];
    /// Pages and fragments that are kept.
    CACHE_ENTRIES: Gauge = "callboard.cache.entries", "{entry}", [];
    /// 1 as long as this node may serve what it keeps.
    CACHE_LEASED: Gauge = "callboard.cache.leased", "{lease}", [];
    /// For how long it still may, if it hears nothing more from Redis; below 0 it may not.
    CACHE_LEASE_LEFT: Gauge = "callboard.cache.lease_left", "s", [];
    /// Leases that ended before the next one was there.
    CACHE_LAPSES: Counter = "callboard.cache.lapses", "{lease}", [];
    /// Entries of the log of revalidations that this node applied.
    LOG_APPLIED: Counter = "callboard.log.applied", "{entry}", [];
    /// The position up to which this node applied the log, within its epoch. How far it is behind another node's is what
    /// it has not applied.
    LOG_POSITION: Gauge = "callboard.log.position", "{entry}", [];
    /// Entries that this node published.
    LOG_PUBLISHED: Counter = "callboard.log.published", "{entry}", [];
    /// Holes in what was pushed that had to be read from the log.
    LOG_GAPS: Counter = "callboard.log.gaps", "{gap}", [];
    /// Times that everything that was kept became stale: another memory of Redis, or a log that was trimmed.
    LOG_FLUSHES: Counter = "callboard.log.flushes", "{flush}", [];
    /// Nodes that this one found dead, whose declared tags it revalidated.
    LOG_REAPED: Counter = "callboard.log.reaped", "{node}", [];
    /// How long an action's answer waited for what it revalidated to be everywhere.
    REVALIDATION_WAIT: Histogram = "callboard.revalidation.wait", "s", [WAITED];
    /// Spans that were sent to the collector.
    EXPORTED: Counter = "callboard.telemetry.exported", "{span}", [SIGNAL];
    /// Spans that were dropped: the buffer was full, or the collector did not take them.
    DROPPED: Counter = "callboard.telemetry.dropped", "{span}", [SIGNAL];
    /// 1, with the build of this node.
    BUILD_INFO: Gauge = "callboard.build", "{node}", [BUILD];
    /// 1 from when the node was told to stop.
    DRAINING: Gauge = "callboard.draining", "{node}", [];
    /// Processor time of the process, user and system.
    PROCESS_CPU: Counter = "process.cpu", "s", [];
    /// Memory of the process that is in RAM.
    PROCESS_MEMORY: Gauge = "process.resident_memory", "By", [];
    /// Files and sockets that the process has open.
    PROCESS_FILES: Gauge = "process.open_fds", "{file}", [];
    /// Files and sockets that it may have open.
    PROCESS_FILES_LIMIT: Gauge = "process.max_fds", "{file}", [];
    /// When the process began, in seconds since 1970.
    PROCESS_START: Gauge = "process.start_time", "s", [];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_say_what_they_are() {
        let mut names: Vec<_> = Metric::ALL.iter().map(Metric::prometheus_name).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        for metric in Metric::ALL {
            assert!(metric.doc.ends_with(".\n"), "{}", metric.name);
            let is_ours = metric.name.starts_with("callboard.") || metric.name.starts_with("process.");
            assert!(is_ours, "{}", metric.name);
        }
        assert_eq!(CALL_DURATION.prometheus_name(), "callboard_call_duration_seconds");
        assert_eq!(FRAME_BYTES.prometheus_name(), "callboard_frame_size_bytes_total");
        assert_eq!(PROCESS_CPU.prometheus_name(), "process_cpu_seconds_total");
        assert_eq!(PROCESS_FILES.prometheus_name(), "process_open_fds");
    }
}
