//! Spans on their way to a collector: a bounded buffer, and a thread that empties it. Calls are never held up by it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use opentelemetry::trace::SpanContext;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanExporter as _},
};
use rand::RngExt as _;
use tracing::warn;

use super::Collector;
use crate::{metrics::Metrics, settings::Settings, status::Recent};

/// Spans of one request to the collector.
const BATCH_MAX: usize = 512;

/// How long a span waits for others.
const DELAY: Duration = Duration::from_secs(1);

/// Which calls are traced, and where their spans go.
pub(crate) struct Traces {
    /// Share of the calls that are traced, of those whose client says nothing of it.
    ratio: f64,
    /// From when on a call is traced whatever was decided before.
    pub(super) slow: Duration,
    /// Whether there is a buffer: asked for each call, on every thread.
    are_sent: AtomicBool,
    buffer: Mutex<Option<SyncSender<SpanData>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    metrics: Arc<Metrics>,
}

impl Traces {
    /// Starts what sends them, where there is a collector.
    pub(crate) fn start(
        settings: &Settings,
        resource: &Resource,
        metrics: &Arc<Metrics>,
    ) -> anyhow::Result<Arc<Self>> {
        let mut traces = Self {
            ratio: settings.trace_ratio,
            slow: settings.trace_slow,
            are_sent: AtomicBool::default(),
            buffer: Mutex::default(),
            thread: Mutex::default(),
            metrics: Arc::clone(metrics),
        };
        if let Some(collector) = Collector::of(settings)? {
            let mut exporter = SpanExporter::builder()
                .with_http()
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(collector.url("traces"))
                .with_headers(collector.headers())
                .with_timeout(Collector::TIMEOUT)
                .build()
                .context("setting otlp_endpoint: no exporter of spans can be made")?;
            exporter.set_resource(resource);
            let (buffer, spans) = sync_channel(settings.trace_buffer_spans_max.max(1));
            let sending = Sending { exporter, spans, metrics: Arc::clone(metrics) };
            let thread = std::thread::Builder::new().name("spans".into()).spawn(move || sending.run())?;
            (traces.buffer, traces.thread) = (Mutex::new(Some(buffer)), Mutex::new(Some(thread)));
            traces.are_sent = AtomicBool::new(true);
        }
        Ok(Arc::new(traces))
    }

    /// Whether a call is traced from its beginning: as its caller says, else by chance.
    pub(super) fn is_sampled(&self, caller: Option<&SpanContext>) -> bool {
        caller.map_or_else(|| rand::rng().random_bool(self.ratio), SpanContext::is_sampled)
    }

    /// What is remembered of requests, traced or not.
    pub(super) fn recent(&self) -> &Recent {
        &self.metrics.recent
    }

    /// Whether there is anybody to tell.
    pub(crate) fn are_sent(&self) -> bool {
        self.are_sent.load(Ordering::Relaxed)
    }

    /// Sends spans, or drops and counts those for which there is no room.
    pub(super) fn send(&self, spans: Vec<SpanData>) {
        let buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(buffer) = &*buffer else { return };
        let dropped = spans.into_iter().filter_map(|span| buffer.try_send(span).err()).count();
        self.metrics.tally.spans_dropped.fetch_add(dropped as u64, Ordering::Relaxed);
    }

    /// Sends what was not sent yet. Blocks: not for a thread that answers.
    pub(crate) fn shut_down(&self) {
        self.are_sent.store(false, Ordering::Relaxed);
        drop(self.buffer.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // One that panicked has said so.
            drop(thread.join());
        }
    }
}

/// What the thread has.
struct Sending {
    exporter: SpanExporter,
    spans: Receiver<SpanData>,
    metrics: Arc<Metrics>,
}

impl Sending {
    fn run(self) {
        let mut is_open = true;
        while is_open {
            let Ok(first) = self.spans.recv() else { return };
            let mut batch = vec![first];
            let until = Instant::now() + DELAY;
            while batch.len() < BATCH_MAX {
                match self.spans.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(span) => batch.push(span),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => {
                        is_open = false;
                        break;
                    }
                }
            }
            if !self.export(batch) && !is_open {
                // The node stops, and nobody takes them.
                let left = self.spans.try_iter().count();
                self.metrics.tally.spans_dropped.fetch_add(left as u64, Ordering::Relaxed);
            }
        }
    }

    /// Whether the collector took them.
    fn export(&self, batch: Vec<SpanData>) -> bool {
        let spans = batch.len() as u64;
        let taken = futures_executor::block_on(self.exporter.export(batch));
        let tally = &self.metrics.tally;
        match &taken {
            Ok(()) => tally.spans_exported.fetch_add(spans, Ordering::Relaxed),
            Err(error) => {
                warn!(%error, "the collector (setting otlp_endpoint) does not take spans; they are dropped");
                tally.spans_dropped.fetch_add(spans, Ordering::Relaxed)
            }
        };
        taken.is_ok()
    }
}
