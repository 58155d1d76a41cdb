//! What a node counts and measures, for Prometheus and for OpenTelemetry: one set of instruments, two readers.
//!
//! What happens with every page from the cache is counted by plain atomics, which are read when somebody asks; what the
//! actors know is told by them each second and before each scrape; the rest is recorded where it happens.

mod definitions;
mod observed;
pub(crate) mod process;
mod report;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use anyhow::Context as _;
use callboard_protocol::ErrorCode;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter, MeterProvider as _},
};
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    metrics::{Instrument, PeriodicReader, SdkMeterProvider, Stream},
};
use prometheus::{Encoder as _, TextEncoder};

pub use self::definitions::{Metric, MetricKind, MetricLabel};
pub(crate) use self::observed::observe;
pub(crate) use self::report::{
    ClusterSeen, LogReport, MemberSeen, MembershipReport, Miss, PageResult, Tally, report_each_second,
};
use crate::{
    registry::{Class, RegisteredAction},
    settings::Settings,
    status::Recent,
    telemetry::Collector,
};

/// What stands for all that have no label of their own.
pub(crate) const OTHER: &str = "other";
const NONE: &str = "none";

/// Most series of an instrument that names neither actions nor pages: codes and commands are fewer. The SDK makes room for as
/// many from the start.
const SERIES_MAX: usize = 64;

/// The instruments of a node.
pub(crate) struct Metrics {
    provider: SdkMeterProvider,
    registry: prometheus::Registry,
    call_duration: Histogram<f64>,
    errors: Counter<u64>,
    run_duration: Histogram<f64>,
    queue_wait: Histogram<f64>,
    redis_duration: Histogram<f64>,
    redis_failures: Counter<u64>,
    render_duration: Histogram<f64>,
    revalidation_wait: Histogram<f64>,
    /// What is counted without an instrument.
    pub(crate) tally: Tally,
    /// What went wrong and what took long.
    pub(crate) recent: Recent,
    told: Mutex<Told>,
}

/// What the actors told last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) membership: MembershipReport,
    pub(crate) log: LogReport,
}

/// What a call came to, for its client.
#[derive(Clone, Copy)]
pub(crate) struct CallEnd<'a> {
    pub(crate) action: Option<&'static RegisteredAction>,
    pub(crate) outcome: &'a str,
}

impl Metrics {
    /// The instruments, read by `/metrics` and, where there is a collector, sent to it. There are so many names of actions
    /// and of pages.
    pub(crate) fn new(settings: &Settings, resource: Resource, labels: usize) -> anyhow::Result<Arc<Self>> {
        let registry = prometheus::Registry::new();
        let scraped = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .context("the metrics cannot be exported")?;
        let mut provider = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(scraped)
            .with_view(move |instrument: &Instrument| room(instrument, labels));
        if let Some(collector) = Collector::of(settings)? {
            let exporter = MetricExporter::builder()
                .with_http()
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(collector.url("metrics"))
                .with_headers(collector.headers())
                .with_timeout(Collector::TIMEOUT)
                .build()
                .context("setting otlp_endpoint: no exporter of metrics can be made")?;
            let reader =
                PeriodicReader::builder(exporter).with_interval(settings.otlp_metrics_interval).build();
            provider = provider.with_reader(reader);
        }
        let provider = provider.build();
        let meter = provider.meter("callboard");
        let (errors, redis_failures) =
            (counter(&meter, &definitions::ERRORS), counter(&meter, &definitions::REDIS_FAILURES));
        begin_at_zero(&errors, &redis_failures);
        Ok(Arc::new(Self {
            registry,
            call_duration: histogram(&meter, &definitions::CALL_DURATION),
            errors,
            run_duration: histogram(&meter, &definitions::RUN_DURATION),
            queue_wait: histogram(&meter, &definitions::QUEUE_WAIT),
            redis_duration: histogram(&meter, &definitions::REDIS_DURATION),
            redis_failures,
            render_duration: histogram(&meter, &definitions::RENDER_DURATION),
            revalidation_wait: histogram(&meter, &definitions::REVALIDATION_WAIT),
            tally: Tally::default(),
            recent: Recent::default(),
            told: Mutex::default(),
            provider,
        }))
    }

    /// A call was answered, after so long.
    pub(crate) fn call(&self, end: CallEnd<'_>, took: Duration) {
        let (action, class) = match end.action {
            Some(action) => (action.label, action.entry.class.as_str()),
            None => (NONE, NONE),
        };
        let place = Tally::OUTCOMES.iter().position(|known| *known == end.outcome);
        // Whatever else stood there, nobody knows what it came to.
        let place = place.unwrap_or(Tally::OUTCOMES.len() - 1);
        self.tally.outcomes[place].fetch_add(1, Ordering::Relaxed);
        self.tally.call_times.add(took);
        let outcome = Tally::OUTCOMES[place];
        let labels = [
            KeyValue::new("action", action),
            KeyValue::new("class", class),
            KeyValue::new("outcome", outcome),
        ];
        self.call_duration.record(took.as_secs_f64(), &labels);
    }

    /// An answer named an error.
    pub(crate) fn error(&self, code: &str) {
        // As one of the texts that the label may have.
        if let Some(code) = ErrorCode::ALL.iter().find(|known| known.as_str() == code) {
            self.errors.add(1, &[KeyValue::new("code", code.as_str())]);
        }
    }

    /// The function of an action returned.
    pub(crate) fn ran(&self, action: &RegisteredAction, took: Duration) {
        self.run_duration.record(took.as_secs_f64(), &[KeyValue::new("action", action.label)]);
    }

    /// A call of this node's client began, after so long.
    pub(crate) fn waited(&self, class: &Class, took: Duration) {
        self.queue_wait.record(took.as_secs_f64(), &[KeyValue::new("class", class.as_str())]);
    }

    /// Redis answered a command, or did not.
    pub(crate) fn redis(&self, command: &'static str, took: Duration, is_answered: bool) {
        let labels = [KeyValue::new("command", command)];
        if is_answered {
            self.redis_duration.record(took.as_secs_f64(), &labels);
        } else {
            self.redis_failures.add(1, &labels);
        }
    }

    /// A page was rendered, or failed to be.
    pub(crate) fn rendered(&self, page: &'static str, took: Duration) {
        self.render_duration.record(took.as_secs_f64(), &[KeyValue::new("page", page)]);
    }

    /// What an action revalidated is everywhere, or nobody knows.
    pub(crate) fn revalidated(&self, is_confirmed: bool, took: Duration) {
        self.tally.revalidation_times.add(took);
        let confirmed = if is_confirmed { "yes" } else { "no" };
        self.revalidation_wait.record(took.as_secs_f64(), &[KeyValue::new("confirmed", confirmed)]);
    }

    /// What the actors told last.
    pub(crate) fn told(&self) -> Told {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The membership tells how it stands.
    pub(crate) fn tell_membership(&self, report: MembershipReport) {
        self.lock().membership = report;
    }

    /// The revalidator tells how it stands.
    pub(crate) fn tell_log(&self, report: LogReport) {
        self.lock().log = report;
    }

    /// Everything, as Prometheus reads it.
    pub(crate) fn text(&self) -> anyhow::Result<Vec<u8>> {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .context("the metrics cannot be written")?;
        Ok(text)
    }

    /// Sends what was not sent yet. Blocks: not for a thread that answers.
    pub(crate) fn shut_down(&self) {
        // Whoever collects them may be gone; the node stops either way.
        let _gone = self.provider.shutdown();
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// How many series an instrument may have: each label is closed, so that this is never reached.
fn room(instrument: &Instrument, labels: usize) -> Option<Stream> {
    let metric = Metric::ALL.iter().find(|metric| metric.name == instrument.name())?;
    let has = |label: &str| metric.labels.iter().any(|known| known.name == label);
    let series = match (has("action") || has("page"), has("outcome")) {
        // Of each action as many as there are outcomes.
        (true, true) => labels * 4,
        (true, false) => labels,
        (false, _) => SERIES_MAX,
    };
    Stream::builder().with_cardinality_limit(series.max(SERIES_MAX)).build().ok()
}

/// A series that begins with the first error has not grown by it, as Prometheus sees it: an alert would miss that.
fn begin_at_zero(errors: &Counter<u64>, redis_failures: &Counter<u64>) {
    for code in ErrorCode::ALL {
        errors.add(0, &[KeyValue::new("code", code.as_str())]);
    }
    for command in ["renew", "send", "log-renew", "log-publish"] {
        redis_failures.add(0, &[KeyValue::new("command", command)]);
    }
}

fn histogram(meter: &Meter, metric: &Metric) -> Histogram<f64> {
    debug_assert_eq!(metric.kind, MetricKind::Histogram);
    meter
        .f64_histogram(metric.name)
        .with_unit(metric.unit)
        .with_description(first_sentence(metric))
        .with_boundaries(metric.buckets().to_vec())
        .build()
}

fn counter(meter: &Meter, metric: &Metric) -> Counter<u64> {
    debug_assert_eq!(metric.kind, MetricKind::Counter);
    meter.u64_counter(metric.name).with_unit(metric.unit).with_description(first_sentence(metric)).build()
}

/// What stands beside a metric where it is scraped.
fn first_sentence(metric: &Metric) -> String {
    let text = metric.doc.split_whitespace().collect::<Vec<_>>().join(" ");
    text.split_once(". ").map_or(text.clone(), |(first, _)| format!("{first}."))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use callboard_protocol::{KeyRing, key_ring::KeyId};

    use super::*;
    use crate::{
        registry::{ActionEntry, Registry},
        settings::Sources,
    };

    fn action(number: usize) -> &'static ActionEntry {
        let name = String::leak(format!("action_{number}"));
        Box::leak(Box::new(ActionEntry {
            name,
            location: name,
            file: "src/main.rs",
            line: 1,
            krate: "it",
            info: 0,
            guard: None,
            class: Class::Plain,
            arguments: &[],
            timeout: None,
            body_bytes_max: None,
            idempotent: false,
            revalidates: &[],
            run: |_, _| unreachable!("nobody calls it"),
        }))
    }

    /// Goal: an application of any size is scraped in one piece. Method: 10,000 actions, each called once with each outcome.
    #[test]
    fn ten_thousand_actions_have_as_many_labels_as_the_setting_allows_and_are_all_counted() {
        const ACTIONS: usize = 10_000;
        let settings = Sources::of_test([]).expect("the defaults fit");
        let keys = KeyRing::generate(KeyId::new(1), [1; 32]);
        let registry =
            Registry::new((0..ACTIONS).map(action), [], b"salt", &keys, settings.metrics_actions_max)
                .expect("a registry");
        let metrics =
            Metrics::new(&settings, Resource::builder_empty().build(), registry.labels()).expect("made");
        for action in registry.actions() {
            for outcome in ["done", "failed", "not-run", "unknown"] {
                metrics.call(CallEnd { action: Some(action), outcome }, Duration::ZERO);
            }
            metrics.ran(action, Duration::ZERO);
        }

        let text = String::from_utf8(metrics.text().expect("text")).expect("UTF-8");

        let label = |line: &str| Some(line.split_once("action=\"")?.1.split('"').next()?.to_owned());
        let labels: BTreeSet<_> = text.lines().filter_map(label).collect();
        assert_eq!(labels.len(), settings.metrics_actions_max + 1, "and one for all the others");
        let counted = |name: &str| -> f64 {
            let lines = text.lines().filter(|line| line.starts_with(name));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        assert_eq!(counted("callboard_call_duration_seconds_count"), 4.0 * ACTIONS as f64);
        assert_eq!(counted("callboard_run_duration_seconds_count"), ACTIONS as f64);
        assert!(!text.contains("overflow"), "no series was merged by the SDK");
    }
}
