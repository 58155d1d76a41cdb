//! Every setting of a node: one table of name, default, unit and reason, read from flags, environment and a file.

pub(crate) mod cache;
pub(crate) mod cluster;
mod sources;
mod value;

use std::{path::PathBuf, time::Duration};

/// Names the rule that a build with the feature `mutants` leaves out.
#[cfg(feature = "mutants")]
pub(crate) const TEST_MUTANT: &str = "CALLBOARD_TEST_MUTANT";

pub use sources::{SettingError, Sources};
pub(crate) use value::SettingValue;

/// What the documentation and `--help` say of a setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in a file; `--body-bytes-max` as a flag and `CALLBOARD_BODY_BYTES_MAX` in the environment.
    pub name: &'static str,
    /// The default as a person would write it; empty where there is none.
    pub default: &'static str,
    /// Unit or form of the value.
    pub unit: &'static str,
    /// What it does, what happens beyond it, and why the default is what it is.
    pub doc: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
}

impl Setting {
    /// The flag, without dashes in front.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("CALLBOARD_{}", self.name.to_uppercase())
    }
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:literal, $unit:literal $(, $secret:ident)?;)*) => {
        /// The settings of a node, all of them checked.
        #[derive(Clone)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $name: $type,)*
            /// What was written for each of them, in the order of the table; of a secret, nothing.
            written: Vec<String>,
        }

        impl Settings {
            /// Every setting, in the order of the documentation.
            pub const TABLE: &'static [Setting] = &[$(Setting {
                name: stringify!($name),
                default: $default,
                unit: $unit,
                doc: concat!($($doc, "\n"),+),
                secret: settings!(@secret $($secret)?),
            }),*];

            /// The settings that these texts give; a name without a text takes its default.
            ///
            /// # Errors
            ///
            /// The name of a setting and why its text is not a value of it.
            fn from_texts(text: impl Fn(&str) -> Option<String>) -> Result<Self, (&'static str, String)> {
                let mut written = Vec::with_capacity(Self::TABLE.len());
                Ok(Self {
                    $($name: {
                        let text = text(stringify!($name)).unwrap_or_else(|| $default.to_owned());
                        let value = SettingValue::parse(&text).map_err(|reason| (stringify!($name), reason))?;
                        written.push(if settings!(@secret $($secret)?) { hidden(&text) } else { text });
                        value
                    },)*
                    written,
                })
            }
        }
    };
    (@secret) => { false };
    (@secret secret) => { true };
}

/// What is shown of a secret: whether there is one.
fn hidden(text: &str) -> String {
    if text.is_empty() { String::new() } else { "(hidden)".to_owned() }
}

settings! {
    /// Where calls and pages are served. Port 0 takes a free one; the first line printed names it.
    listen: String = "127.0.0.1:3000", "HOST:PORT";
    /// Where the node tells about itself: a page at `/`, `/status`, `/healthz`, `/readyz`, `/actions`, `/explain`,
    /// `/metrics`; and takes `/revalidate`. Keep it away from the public.
    admin: String = "127.0.0.1:3001", "HOST:PORT";
    /// What whoever asks the admin port has to know, in `authorization: Bearer …`, or in a browser as the password: a text of
    /// 16 characters or more. Not asked for by `/healthz`, `/readyz`, and `/revalidate`, which is signed. Needed where `admin`
    /// is no loopback address. Without it, requests for another host than an address, `localhost` or that of `admin` are
    /// answered 421.
    admin_token: Option<value::Secret> = "", "TEXT", secret;
    /// Whether the admin port may be on another than a loopback address, and asked for by any name, without `admin_token`:
    /// only where a network keeps strangers from it.
    admin_insecure: bool = "false", "true or false";
    /// Folder for what one node keeps between runs: its keys, and whatever the application stores there.
    /// Default: `$XDG_STATE_HOME/<application>`, else `~/.local/state/<application>`.
    state_dir: Option<PathBuf> = "", "PATH";
    /// Key ring: comma-separated `id:base64`, id 0 to 255, 32 bytes each; the first signs, all verify. `keys new`
    /// prints one. Without it every build makes its own key, and pages of an earlier build are answered 409.
    keys: Option<String> = "", "ID:BASE64,…", secret;
    /// How long references of an earlier build are recognised as such (409, "reload") instead of as forged (400),
    /// where no key ring is configured. A day covers a tab left open overnight.
    skew_window: Duration = "24h", "duration";
    /// HTTP worker threads; 0 takes one per core.
    workers: usize = "0", "threads";
    /// Connections per HTTP worker thread; more wait in the kernel's queue. The default is actix-web's.
    connections_max: usize = "25000", "connections";
    /// Largest body of a call, framing included; a larger one is answered 413. The default is what Next.js applies
    /// where `serverActions.bodySizeLimit` is unset. An action's own `body_bytes_max` goes before it; of a form without
    /// JavaScript no more than this is read until it has named such an action.
    body_bytes_max: usize = "1048576", "bytes";
    /// How long a body may take to arrive; a slower one is answered 400 and its connection closed.
    /// 30 s carries 1 MiB over a bad telephone line (280 kbit/s); raise it with `body_bytes_max`. Once the action runs
    /// while its body still arrives, it is how long the body may pause.
    body_timeout: Duration = "30s", "duration";
    /// Memory for the files of one call; what is beyond it goes to a temporary file. By default a quarter of what a
    /// body of the usual limit may hold anyway, and enough that small pictures touch no disk.
    spill_bytes: usize = "262144", "bytes";
    /// Folder for the temporary files of large uploads. They have no name there, so that nothing is left behind
    /// whatever happens to the node. Default: the system's temporary folder. One that is missing, or that the node may not
    /// write to, keeps it from starting.
    spill_dir: Option<PathBuf> = "", "PATH";
    /// How much of a body is decoded ahead of an action that reads its streams; beyond it the sender has to wait.
    /// The default keeps a fast reader busy, and is small against the buffers of a connection.
    stream_ahead_bytes: usize = "262144", "bytes";
    /// The same while the action waits for something that has not arrived, behind a stream that it does not read yet.
    /// An action that wants more of a body before it reads what is there waits until its deadline.
    stream_ahead_bytes_max: usize = "16777216", "bytes";
    /// How long an answer may go on after its action returned: streams and later values that are still open then end
    /// with the digest `deadline-exceeded`. Ten minutes are long for a page that somebody looks at, and short enough
    /// that what was forgotten ends.
    stream_timeout: Duration = "10m", "duration";
    /// How long a connection may take to send its request headers. The default is actix-web's.
    headers_timeout: Duration = "5s", "duration";
    /// How long an idle connection is kept. The default is above that of common load balancers (60 s), so that
    /// they, and not the node, close it.
    keep_alive: Duration = "75s", "duration";
    /// How long a client waits for an action; one that still runs then goes on, and its client is answered 504
    /// `unknown`. An action's own `timeout` goes before it.
    call_timeout: Duration = "30s", "duration";
    /// Calls of one action that run at the same time on this node; more are answered 503.
    calls_max: usize = "10000", "calls";
    /// Calls that wait behind another one of the same key; more are answered 503.
    key_queue_max: usize = "64", "calls";
    /// Calls that are handed to a worker and not yet looked at; more are answered 503. It fills only when an
    /// action blocks its thread.
    inbox_calls_max: usize = "4096", "calls";
    /// Deepest nesting of arguments. The reference decoder has no stated limit and overflows near 4,600; data
    /// made by people stays below 50.
    decode_depth_max: usize = "512", "levels";
    /// Objects in the arguments of one call; more are answered 400. A body of 1 MiB of ordinary data has a tenth.
    decode_nodes_max: usize = "262144", "objects";
    /// Parts of a multipart body, or fields of a form; more are answered 400. About what fits into 1 MiB as the
    /// smallest parts that a browser writes.
    decode_parts_max: usize = "16384", "parts";
    /// References inside the arguments of one call; more are answered 400. Half as many fit into 1 MiB.
    decode_references_max: usize = "262144", "references";
    /// Bytes that the decoder copies out of a body (strings with escapes, and the like); more are answered 400.
    /// Escapes shrink, so a body of the default limit cannot come near it honestly. Raise it with `body_bytes_max`.
    decode_bytes_max: usize = "16777216", "bytes";
    /// Slots of arrays nested directly in each other, with the text and bytes in them; more are answered 400.
    /// React's own limit, counted as React counts it, except that what a reference leads to counts without the
    /// references in it.
    decode_array_slots_max: usize = "1000000", "slots";
    /// Text of a big integer; a longer one is answered 400. React's own limit: parsing takes quadratic time.
    decode_bigint_chars_max: usize = "300", "characters";
    /// Arguments bound to one reference or form; more are answered 400. React's own limit.
    decode_bound_arguments_max: usize = "1000", "arguments";
    /// Arguments of one call; more are answered 400. The limit of Next.js.
    decode_arguments_max: usize = "1000", "arguments";
    /// Elementary steps of decoding the arguments of one call; more are answered 400. 16 for each byte of the default
    /// `body_bytes_max`, where the worst body known takes less than 8; raise both together. Files do not count.
    decode_work_max: usize = "16777216", "steps";
    /// Whether the encodings of React 19.0 to 19.2 are read too, which today's clients do not write. Off, as they
    /// overlap: what such a client means by a server reference, today's mean by an ordinary one.
    old_clients: bool = "false", "true or false";
    /// Hosts besides the node's own whose pages may call actions, such as `app.example.com` or `*.example.com`.
    allowed_origins: Vec<String> = "", "HOST[:PORT],…";
    /// Whether `x-forwarded-host` names the public host. Only behind a proxy that sets it itself.
    trust_forwarded_host: bool = "false", "true or false";
    /// Whether a call with cookies but without `Origin` and `Sec-Fetch-Site` is let in. Browsers send them; a
    /// program that calls with cookies may not.
    allow_missing_origin: bool = "false", "true or false";
    /// Memory for rendered pages. Beyond it the least useful are dropped.
    render_cache_bytes_max: usize = "67108864", "bytes";
    /// Tags of one page, besides those that its path gives it; a page with more is served and not kept, and the log says
    /// so. The default is that of Next.js; each costs 8 bytes, and some nanoseconds after a revalidation.
    page_tags_max: usize = "128", "tags";
    /// Whether each page says in the header `callboard-cache` how it was found: for whoever wonders, and not for the
    /// public.
    cache_debug_header: bool = "false", "true or false";
    /// What signs `POST /revalidate` on the admin port, by which others revalidate pages: a text of 16 characters or more
    /// that both know. Without it there is no such route.
    webhook_secret: Option<value::Secret> = "", "TEXT", secret;
    /// Pages that render at the same time on this node; more wait.
    renders_max: usize = "256", "renders";
    /// Renders that wait for another one to end; more are answered 503. By default sixteen rounds of `renders_max`: a crowd
    /// for one page is one render, so only different pages fill it.
    render_queue_max: usize = "4096", "renders";
    /// How long a page may take to render; one that takes longer is answered 500. One that waits as long for another one
    /// to end is answered 503.
    render_timeout: Duration = "30s", "duration";
    /// How long a guard may take; a call whose guard takes longer is answered 503 and did not run.
    guard_timeout: Duration = "10s", "duration";
    /// How long to wait for a revalidation to be published before the call is answered 504 `unknown`.
    publish_timeout: Duration = "5s", "duration";
    /// How long calls may go on after SIGTERM before the node stops without them. Half of it is for bodies that still
    /// arrive, of calls whose reference was verified before: later than that they are answered 503 and did not run.
    drain_timeout: Duration = "30s", "duration";
    /// Redis of a cluster: `redis://[user:password@]host:port`, `rediss://` for TLS, `redis-cluster://host:port,…`,
    /// `redis-sentinel://host:port,…/master`. Every node that names the same one and the same `namespace` is a
    /// member. Without it the node is alone and needs nothing.
    redis: Option<String> = "", "URL", secret;
    /// What tells this cluster from others on the same Redis; letters, digits, `.`, `-` and `_`. Default: the
    /// application's name.
    namespace: Option<String> = "", "NAME";
    /// How often a node renews its lease. What was checked by simulation is the ratio 1 : 3 : 3.75 of renewal, hold and
    /// fence: change the three together.
    call_renew: Duration = "800ms", "duration";
    /// How long after it sent its last successful renewal a node may start calls of others, and such with a key.
    call_hold: Duration = "2400ms", "duration";
    /// How long a lease must have stood still before its node is taken for dead: its calls then move, or are answered
    /// `unknown`. At least a quarter more than `call_hold`, for clocks that drift.
    call_fence: Duration = "3s", "duration";
    /// How long keyed calls, and those with an idempotency key, wait after Redis lost its memory or was replaced. Default:
    /// `call_fence` and a tenth; 3 s more where Redis has replicas.
    call_failover_hold: Option<Duration> = "", "duration";
    /// How long Redis may leave a command unanswered before its connection is opened anew.
    call_command_timeout: Duration = "600ms", "duration";
    /// Calls of other nodes that this node takes in and has not answered; more wait at their senders. An action's
    /// `calls_max` comes on top of it.
    call_permits_max: usize = "1024", "calls";
    /// How often one call is tried at all, if the nodes that it belonged to leave or die before they start it; then it
    /// is answered 503 `moved`.
    call_attempts_max: usize = "8", "attempts";
    /// Frames of calls that wait in Redis for one node, of up to 64 calls each; beyond them senders try another node
    /// or answer 503.
    inbox_frames_max: usize = "256", "frames";
    /// Arguments larger than this are run where they arrived, if their action has no key, and do not cross Redis.
    /// Those of an action with a key cross in pieces.
    ship_bytes_max: usize = "262144", "bytes";
    /// How long after it asked for it a node of a cluster may serve kept pages. It asks four times as often; one that
    /// cannot reach Redis renders its pages from then on. A revalidation waits this long, at most, for a node that does
    /// not answer.
    cache_lease: Duration = "1s", "duration";
    /// Revalidations that Redis keeps for nodes that missed them; a node that missed more keeps no page.
    cache_log_entries_max: usize = "100000", "entries";
    /// Replicas of Redis that must have a revalidation, and a lease, before either counts. With 0, pages may be old for a
    /// few seconds after a fail-over to a replica that lags; with as many as could be promoted, they are not.
    cache_replicas_wait: usize = "0", "replicas";
    /// How long the outcome of a call is kept for its `idempotency-key`. A day covers a client that retries overnight.
    idempotency_retention: Duration = "24h", "duration";
    /// How long the outcome of a form is kept, so that the same form sent again is answered and not run: an hour
    /// covers a browser that restores its tabs.
    nonce_retention: Duration = "1h", "duration";
    /// Idempotency keys and forms that are kept at a time, counted by the node that they arrive at; more are answered
    /// 503. Each takes some 300 bytes and its outcome.
    idempotency_keys_max: usize = "250000", "keys";
    /// Outcomes that are kept at a time, by the node that they arrived at. Beyond it, of later ones status and headers
    /// are kept alone.
    idempotency_bytes_max: usize = "268435456", "bytes";
    /// Largest outcome that is kept for its idempotency key; of a larger one, or one that is streamed, status and
    /// headers are kept alone, and its replay says `callboard-replayed: body-not-kept`.
    replay_bytes_max: usize = "262144", "bytes";
    /// Actions, and pages, that are counted each under its own name; the rest are `other`, in the order of their names.
    /// Each action has some 70 series; Prometheus is at ease with 100,000 of one node.
    metrics_actions_max: usize = "500", "names";
    /// Where spans and metrics are sent by OTLP over HTTP, such as `http://collector:4318`; a name and a password belong in
    /// `otlp_headers`. Without it none are sent; `/metrics` of the admin port is there either way.
    otlp_endpoint: Option<String> = "", "URL";
    /// What the collector wants to see in each request: comma-separated `name=value`.
    otlp_headers: Vec<String> = "", "NAME=VALUE,…", secret;
    /// Share of the calls that are traced, of those whose client does not say in `traceparent` whether it is. Each traced
    /// call has some eight spans, twelve where it crosses nodes, and those that its code opens.
    trace_ratio: f64 = "0.01", "0 to 1";
    /// From when on a call is slow, and its spans are sent although it was not traced; those of one that fails are, too.
    trace_slow: Duration = "1s", "duration";
    /// Spans that wait for the collector; more are dropped, and counted. A collector that is away for a second costs none
    /// at 1,000 traced calls a second.
    trace_buffer_spans_max: usize = "8192", "spans";
    /// How often metrics are sent.
    otlp_metrics_interval: Duration = "15s", "duration";
    /// What is logged, as `tracing` filters: `info`, `callboard=debug,warn`.
    log: String = "info,actix_server=warn", "filter";
    /// `pretty` for people, `json` for programs.
    log_format: value::LogFormat = "pretty", "pretty or json";
}

impl Settings {
    /// Each setting and what was written for it, or its default; of a secret no more than whether there is one.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&'static Setting, &str)> {
        Self::TABLE.iter().zip(self.written.iter().map(String::as_str))
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("listen", &self.listen).finish_non_exhaustive()
    }
}

pub use value::{LogFormat, Secret};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value() {
        let settings = Settings::from_texts(|_| None).expect("defaults parse");
        assert_eq!(settings.body_bytes_max, 1024 * 1024);
        assert_eq!(settings.call_timeout, Duration::from_secs(30));
        assert!(settings.keys.is_none() && settings.allowed_origins.is_empty());
    }

    #[test]
    fn a_secret_is_not_printed() {
        let settings =
            Settings::from_texts(|name| (name == "keys").then(|| "1:c2VjcmV0".into())).expect("parses");
        assert!(!format!("{settings:?}").contains("c2VjcmV0"));
        let shown: Vec<_> = settings.shown().collect();
        assert!(shown.iter().all(|(_, text)| !text.contains("c2VjcmV0")));
        let of = |name: &str| shown.iter().find(|(setting, _)| setting.name == name).expect("is one").1;
        assert_eq!((of("keys"), of("admin_token"), of("calls_max")), ("(hidden)", "", "10000"));
    }
}
