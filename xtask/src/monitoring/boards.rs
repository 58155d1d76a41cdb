//! What the dashboards show: one table, of which `monitoring/grafana/dashboards` is made.

/// A dashboard.
pub(crate) struct Board {
    /// Names its file and its address.
    pub(crate) uid: &'static str,
    pub(crate) title: &'static str,
    /// Variables: name and query of its values.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    pub(crate) panels: &'static [Panel],
}

/// A plot.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    /// What it is good for.
    pub(crate) about: &'static str,
    /// As Grafana names units.
    pub(crate) unit: &'static str,
    pub(crate) queries: &'static [Query],
}

/// What is asked of Prometheus, and how a series is named.
pub(crate) struct Query(pub(crate) &'static str, pub(crate) &'static str);

const fn panel(
    title: &'static str,
    about: &'static str,
    unit: &'static str,
    queries: &'static [Query],
) -> Panel {
    Panel { title, about, unit, queries }
}

pub(crate) const BOARDS: &[Board] = &[
    Board {
        uid: "callboard-overview",
        title: "Overview",
        variables: &[],
        panels: &[
            panel(
                "Calls",
                "By what they came to. Everything but done is worth a look.",
                "reqps",
                &[Query("sum by (outcome) (rate(callboard_call_duration_seconds_count[1m]))", "{{outcome}}")],
            ),
            panel(
                "How long calls take",
                "From the head of a call to the head of its answer.",
                "s",
                &[
                    Query(
                        "histogram_quantile(0.5, sum by (le) (rate(callboard_call_duration_seconds_bucket[1m])))",
                        "half",
                    ),
                    Query(
                        "histogram_quantile(0.99, sum by (le) (rate(callboard_call_duration_seconds_bucket[1m])))",
                        "99 of 100",
                    ),
                ],
            ),
            panel(
                "Errors",
                "Answers that name an error, by code: docs/errors says what each means.",
                "reqps",
                &[Query("sum by (code) (rate(callboard_errors_total[1m]))", "{{code}}")],
            ),
            panel(
                "Pages",
                "By what the cache said.",
                "reqps",
                &[Query("sum by (result) (rate(callboard_pages_total[1m]))", "{{result}}")],
            ),
            panel(
                "The busiest actions",
                "Calls a second.",
                "reqps",
                &[Query(
                    "topk(10, sum by (action) (rate(callboard_call_duration_seconds_count[1m])))",
                    "{{action}}",
                )],
            ),
            panel(
                "Members",
                "As each node sees it: lines that differ for long are a cut network.",
                "none",
                &[Query("callboard_cluster_members", "{{instance}}")],
            ),
        ],
    },
    Board {
        uid: "callboard-action",
        title: "One action",
        variables: &[("action", "label_values(callboard_call_duration_seconds_count, action)")],
        panels: &[
            panel(
                "Calls",
                "By what they came to.",
                "reqps",
                &[Query(
                    "sum by (outcome) (rate(callboard_call_duration_seconds_count{action=~\"$action\"}[1m]))",
                    "{{outcome}}",
                )],
            ),
            panel(
                "How long calls take",
                "What its clients wait for.",
                "s",
                &[
                    Query(
                        "histogram_quantile(0.5, sum by (le) (rate(callboard_call_duration_seconds_bucket{action=~\"$action\"}[1m])))",
                        "half",
                    ),
                    Query(
                        "histogram_quantile(0.99, sum by (le) (rate(callboard_call_duration_seconds_bucket{action=~\"$action\"}[1m])))",
                        "99 of 100",
                    ),
                ],
            ),
            panel(
                "How long its function runs",
                "What is left of the time above is waiting, carrying and revalidating.",
                "s",
                &[Query(
                    "histogram_quantile(0.99, sum by (le) (rate(callboard_run_duration_seconds_bucket{action=~\"$action\"}[1m])))",
                    "99 of 100",
                )],
            ),
            panel(
                "Running now",
                "Of calls_max on each node.",
                "none",
                &[Query("callboard_permits_used{action=~\"$action\"}", "{{instance}}")],
            ),
        ],
    },
    Board {
        uid: "callboard-cache",
        title: "Cache and revalidation",
        variables: &[],
        panels: &[
            panel(
                "Served from the cache",
                "Share of the requests for pages.",
                "percentunit",
                &[Query(
                    "sum by (instance) (rate(callboard_pages_total{result=~\"hit|stale|stale-if-error|fenced-hit\"}[1m])) / sum by (instance) (rate(callboard_pages_total[1m]))",
                    "{{instance}}",
                )],
            ),
            panel(
                "Why not",
                "Revalidated (dead), its time was over, not kept, or no lease.",
                "reqps",
                &[Query("sum by (reason) (rate(callboard_page_misses_total[1m]))", "{{reason}}")],
            ),
            panel(
                "How long pages render",
                "99 of 100, by route.",
                "s",
                &[Query(
                    "histogram_quantile(0.99, sum by (le, page) (rate(callboard_render_duration_seconds_bucket[1m])))",
                    "{{page}}",
                )],
            ),
            panel(
                "How long answers wait for revalidations",
                "Until every node has what an action revalidated.",
                "s",
                &[Query(
                    "histogram_quantile(0.99, sum by (le, confirmed) (rate(callboard_revalidation_wait_seconds_bucket[1m])))",
                    "confirmed: {{confirmed}}",
                )],
            ),
            panel(
                "How far nodes are behind",
                "Revalidations that others have applied and this node has not.",
                "none",
                &[Query(
                    "max(callboard_log_position) - on () group_right () callboard_log_position",
                    "{{instance}}",
                )],
            ),
            panel(
                "What is left of the lease",
                "Below 0 a node serves nothing that it keeps.",
                "s",
                &[Query("callboard_cache_lease_left_seconds", "{{instance}}")],
            ),
            panel(
                "Memory of what is kept",
                "Beyond the limit the least useful is dropped.",
                "bytes",
                &[
                    Query("callboard_cache_size_bytes", "{{instance}}"),
                    Query("max(callboard_cache_limit_bytes)", "limit"),
                ],
            ),
            panel(
                "Renders",
                "Requests that were served by the render of another are renders saved.",
                "ops",
                &[
                    Query("sum(rate(callboard_render_duration_seconds_count[1m]))", "renders"),
                    Query("sum(rate(callboard_renders_coalesced_total[1m]))", "served by another's"),
                ],
            ),
        ],
    },
    Board {
        uid: "callboard-cluster",
        title: "Cluster and slots",
        variables: &[],
        panels: &[
            panel(
                "Slots",
                "Each node owns about the same share.",
                "none",
                &[Query("callboard_cluster_slots_owned", "{{instance}}")],
            ),
            panel(
                "Slots that move",
                "When nodes come, leave or die.",
                "ops",
                &[Query("sum by (instance) (rate(callboard_cluster_slot_moves_total[1m]))", "{{instance}}")],
            ),
            panel(
                "Sessions",
                "1 for the state that a node is in.",
                "none",
                &[Query("callboard_cluster_session == 1", "{{instance}} {{state}}")],
            ),
            panel(
                "What is left of the hold",
                "Below 0 a node starts no calls of others.",
                "s",
                &[Query("callboard_cluster_hold_left_seconds", "{{instance}}")],
            ),
            panel(
                "Views",
                "Lines that differ for minutes are a node that is cut off.",
                "none",
                &[Query("callboard_cluster_view_version", "{{instance}}")],
            ),
            panel(
                "Calls moved, sent again, lost",
                "What deaths and departures cost.",
                "ops",
                &[
                    Query("sum(rate(callboard_calls_moved_total[1m]))", "moved"),
                    Query("sum(rate(callboard_calls_resent_total[1m]))", "sent again"),
                    Query("sum(rate(callboard_calls_lost_total[1m]))", "lost"),
                ],
            ),
            panel(
                "The oldest call that waits",
                "For its turn, or for another node.",
                "s",
                &[Query("callboard_queue_age_seconds", "{{instance}}")],
            ),
            panel(
                "Calls in a frame",
                "Inputs that a membership takes at a time grow with load.",
                "none",
                &[Query(
                    "rate(callboard_inbox_inputs_total[1m]) / rate(callboard_inbox_turns_total[1m])",
                    "{{instance}}",
                )],
            ),
        ],
    },
    Board {
        uid: "callboard-redis",
        title: "Redis",
        variables: &[],
        panels: &[
            panel(
                "Commands",
                "By what they are for. Reads that wait are not among them.",
                "ops",
                &[Query(
                    "sum by (command) (rate(callboard_redis_duration_seconds_count[1m]))",
                    "{{command}}",
                )],
            ),
            panel(
                "How long they take",
                "99 of 100, by what they are for: round trip and script.",
                "s",
                &[Query(
                    "histogram_quantile(0.99, sum by (le, command) (rate(callboard_redis_duration_seconds_bucket[1m])))",
                    "{{command}}",
                )],
            ),
            panel(
                "Not answered, or refused",
                "The log says why.",
                "ops",
                &[Query("sum(rate(callboard_redis_failures_total[1m])) or vector(0)", "failures")],
            ),
            panel(
                "Frames between nodes",
                "Each is one command to send and part of one to read.",
                "ops",
                &[Query("sum by (direction) (rate(callboard_frames_total[1m]))", "{{direction}}")],
            ),
            panel(
                "Calls and answers in a frame",
                "The busier the nodes, the more share one command.",
                "short",
                &[Query(
                    "sum(rate(callboard_frame_messages_total[1m])) / sum(rate(callboard_frames_total{direction=\"sent\"}[1m]))",
                    "in a frame",
                )],
            ),
            panel(
                "Bytes between nodes",
                "Arguments, answers and streams.",
                "Bps",
                &[Query("sum by (direction) (rate(callboard_frame_size_bytes_total[1m]))", "{{direction}}")],
            ),
        ],
    },
    Board {
        uid: "callboard-nodes",
        title: "Nodes",
        variables: &[],
        panels: &[
            panel(
                "Processor",
                "Cores in use.",
                "none",
                &[Query("rate(process_cpu_seconds_total{job=\"callboard\"}[1m])", "{{instance}}")],
            ),
            panel(
                "Memory",
                "In RAM.",
                "bytes",
                &[Query("process_resident_memory_bytes{job=\"callboard\"}", "{{instance}}")],
            ),
            panel(
                "Files and sockets",
                "Of those that may be open.",
                "percentunit",
                &[Query("process_open_fds{job=\"callboard\"} / process_max_fds", "{{instance}}")],
            ),
            panel(
                "Calls in flight",
                "That run, or whose answer goes on.",
                "none",
                &[Query("callboard_calls_in_flight", "{{instance}}")],
            ),
            panel(
                "Renders",
                "That run now, and that wait for a place.",
                "none",
                &[
                    Query("callboard_renders_running", "{{instance}} running"),
                    Query("callboard_renders_waiting", "{{instance}} waiting"),
                ],
            ),
            panel(
                "Builds",
                "More than one for long is a deployment that stands still.",
                "none",
                &[Query("count by (build) (callboard_build)", "{{build}}")],
            ),
            panel(
                "Spans",
                "Sent, and dropped as the collector did not take them.",
                "ops",
                &[
                    Query("sum(rate(callboard_telemetry_exported_total[1m]))", "sent"),
                    Query("sum(rate(callboard_telemetry_dropped_total[1m]))", "dropped"),
                ],
            ),
        ],
    },
];
