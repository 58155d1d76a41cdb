//! Numbers that are read when somebody asks for them.

use std::sync::{Arc, Weak, atomic::Ordering};

use callboard_cluster::{
    cache,
    clock::Instant,
    core::{self, SessionState},
};
use opentelemetry::{KeyValue, metrics::Meter, metrics::MeterProvider as _};

use super::{
    Metric, MetricKind, Told, definitions as d, first_sentence, process,
    report::{Miss, Moved, PageResult, Tally},
};
use crate::{clock, node::Node};

/// Takes a number and its labels.
type See<'a> = &'a dyn Fn(f64, &[KeyValue]);

/// Makes the instruments that look at a node when they are read, as long as there is one.
pub(crate) fn observe(node: &Arc<Node>) {
    let observed = Observed { meter: node.metrics.provider.meter("callboard"), node: Arc::downgrade(node) };
    observed.calls();
    observed.cluster();
    observed.links();
    observed.pages();
    observed.log();
    observed.process();
}

struct Observed {
    meter: Meter,
    node: Weak<Node>,
}

impl Observed {
    /// An instrument that is read by looking at the node.
    fn add(&self, metric: &'static Metric, look: impl Fn(&Node, See<'_>) + Send + Sync + 'static) {
        let node = Weak::clone(&self.node);
        let (name, unit, text) = (metric.name, metric.unit, first_sentence(metric));
        match metric.kind {
            MetricKind::Counter => {
                let built = self.meter.f64_observable_counter(name).with_unit(unit).with_description(text);
                built
                    .with_callback(move |observer| {
                        see(&node, &look, &|number, labels| {
                            observer.observe(number, labels);
                        })
                    })
                    .build();
            }
            MetricKind::Gauge => {
                let built = self.meter.f64_observable_gauge(name).with_unit(unit).with_description(text);
                built
                    .with_callback(move |observer| {
                        see(&node, &look, &|number, labels| {
                            observer.observe(number, labels);
                        })
                    })
                    .build();
            }
            MetricKind::Histogram => unreachable!("{name}: a histogram is recorded, and not read"),
        }
    }

    /// One number without labels.
    fn one(&self, metric: &'static Metric, look: impl Fn(&Node) -> f64 + Send + Sync + 'static) {
        self.add(metric, move |node, see| see(look(node), &[]));
    }

    /// One number of what the actors told last.
    fn told(&self, metric: &'static Metric, look: impl Fn(&Told) -> f64 + Send + Sync + 'static) {
        self.one(metric, move |node| look(&node.metrics.told()));
    }

    fn of_core(&self, metric: &'static Metric, look: fn(&core::Counters) -> u64) {
        self.told(metric, move |told| look(&told.membership.counters) as f64);
    }

    fn of_log(&self, metric: &'static Metric, look: fn(&cache::core::Counters) -> u64) {
        self.told(metric, move |told| look(&told.log.counters) as f64);
    }

    fn calls(&self) {
        self.told(&d::QUEUE_AGE, |told| told.membership.oldest.map_or(0.0, seconds_since));
        self.told(&d::CALLS_WAITING, |told| told.membership.waiting as f64);
        self.one(&d::CALLS_IN_FLIGHT, |node| node.drain.in_flight() as f64);
        self.one(&d::PERMITS_LIMIT, |node| node.settings.calls_max as f64);
        self.add(&d::PERMITS_USED, |node, see| {
            let mut others = None;
            for action in node.registry.actions() {
                let running = action.running.load(Ordering::Relaxed);
                if action.label == super::OTHER {
                    *others.get_or_insert(0) += running;
                } else {
                    see(running as f64, &[KeyValue::new("action", action.label)]);
                }
            }
            if let Some(running) = others {
                see(running as f64, &[KeyValue::new("action", super::OTHER)]);
            }
        });
        self.of_core(&d::CALLS_MOVED, |counters| counters.moved);
        self.of_core(&d::CALLS_RESENT, |counters| counters.resent);
        self.of_core(&d::CALLS_LOST, |counters| counters.unknown);
    }

    fn cluster(&self) {
        self.told(&d::MEMBERS, |told| told.membership.seen.members.len() as f64);
        self.told(&d::VIEW_VERSION, |told| {
            told.membership.view_version.map_or(0.0, |version| version.as_u64() as f64)
        });
        self.add(&d::SESSION_STATE, |node, see| {
            let now = node.metrics.told().membership.state;
            for state in SessionState::ALL {
                let is_now = f64::from(u8::from(now == Some(state)));
                see(is_now, &[KeyValue::new("state", state.name())]);
            }
        });
        self.told(&d::SLOTS_OWNED, |told| told.membership.slots_owned as f64);
        self.told(&d::SLOT_MOVES, |told| told.membership.slot_moves as f64);
        self.told(&d::HOLD_LEFT, |told| told.membership.hold_until.map_or(0.0, seconds_until));
        self.of_core(&d::FENCED, |counters| counters.fenced);
        self.of_core(&d::SESSIONS_LOST, |counters| counters.sessions_lost);
        self.told(&d::INBOX_INPUTS, |told| told.membership.inputs as f64);
        self.told(&d::INBOX_TURNS, |told| told.membership.turns as f64);
        self.told(&d::INBOX_DEPTH, |told| told.membership.depth as f64);
        self.told(&d::VIOLATIONS, |told| {
            (told.membership.counters.violations + told.log.counters.violations) as f64
        });
    }

    fn links(&self) {
        let frames = |look: fn(&Moved) -> u64| {
            move |node: &Node, see: See<'_>| {
                let Tally { sent, received, .. } = &node.metrics.tally;
                for (direction, moved) in [("sent", sent), ("received", received)] {
                    see(look(moved) as f64, &[KeyValue::new("direction", direction)]);
                }
            }
        };
        self.add(&d::FRAMES, frames(|moved| moved.frames.load(Ordering::Relaxed)));
        self.add(&d::FRAME_BYTES, frames(|moved| moved.bytes.load(Ordering::Relaxed)));
        self.of_core(&d::FRAME_MESSAGES, |counters| counters.messages);
        self.of_core(&d::BAD_FRAMES, |counters| counters.bad_frames);
        let spans = |look: fn(&Tally) -> u64| {
            move |node: &Node, see: See<'_>| {
                see(look(&node.metrics.tally) as f64, &[KeyValue::new("signal", "spans")]);
            }
        };
        self.add(&d::EXPORTED, spans(|tally| tally.spans_exported.load(Ordering::Relaxed)));
        self.add(&d::DROPPED, spans(|tally| tally.spans_dropped.load(Ordering::Relaxed)));
    }

    fn pages(&self) {
        self.add(&d::PAGES, |node, see| {
            for result in PageResult::ALL {
                let count = node.metrics.tally.pages[result as usize].load(Ordering::Relaxed);
                see(count as f64, &[KeyValue::new("result", result.name())]);
            }
        });
        self.add(&d::PAGE_MISSES, |node, see| {
            for why in Miss::ALL {
                let count = node.metrics.tally.misses[why as usize].load(Ordering::Relaxed);
                see(count as f64, &[KeyValue::new("reason", why.name())]);
            }
        });
        self.one(&d::RENDERS_COALESCED, |node| node.metrics.tally.coalesced.load(Ordering::Relaxed) as f64);
        self.one(&d::RENDERS_RUNNING, |node| node.renders.running() as f64);
        self.one(&d::RENDERS_WAITING, |node| node.renders.waiting() as f64);
        self.one(&d::RENDERS_LIMIT, |node| node.settings.renders_max as f64);
        self.one(&d::CACHE_BYTES, |node| node.cache.bytes() as f64);
        self.one(&d::CACHE_ENTRIES, |node| node.cache.len() as f64);
        self.one(&d::CACHE_LIMIT, |node| node.settings.render_cache_bytes_max as f64);
    }

    fn log(&self) {
        self.one(&d::CACHE_LEASED, |node| f64::from(u8::from(node.versions.is_leased(clock::core_now()))));
        self.one(&d::CACHE_LEASE_LEFT, |node| seconds_until(node.versions.lease_until()));
        self.one(&d::LOG_POSITION, |node| node.versions.applied().sequence() as f64);
        self.of_log(&d::CACHE_LAPSES, |counters| counters.lapses);
        self.of_log(&d::LOG_APPLIED, |counters| counters.applied);
        self.of_log(&d::LOG_PUBLISHED, |counters| counters.published);
        self.of_log(&d::LOG_GAPS, |counters| counters.gaps);
        self.of_log(&d::LOG_FLUSHES, |counters| counters.flushes);
        self.of_log(&d::LOG_REAPED, |counters| counters.reaped);
    }

    fn process(&self) {
        self.add(&d::BUILD_INFO, |node, see| see(1.0, &[KeyValue::new("build", node.build.to_string())]));
        self.one(&d::DRAINING, |node| f64::from(u8::from(node.is_draining())));
        self.one(&d::PROCESS_CPU, |_| process::cpu_seconds());
        let began = process::unix_seconds();
        self.one(&d::PROCESS_START, move |_| began);
        let known = |look: fn() -> Option<u64>| {
            move |_: &Node, see: See<'_>| {
                if let Some(number) = look() {
                    see(number as f64, &[]);
                }
            }
        };
        self.add(&d::PROCESS_MEMORY, known(process::resident_bytes));
        self.add(&d::PROCESS_FILES, known(|| process::open_files().map(|files| files as u64)));
        self.add(&d::PROCESS_FILES_LIMIT, known(process::open_files_max));
    }
}

fn see(node: &Weak<Node>, look: &impl Fn(&Node, See<'_>), see: See<'_>) {
    if let Some(node) = node.upgrade() {
        look(&node, see);
    }
}

fn seconds_since(at: Instant) -> f64 {
    clock::core_now().since(at).as_secs_f64()
}

/// Below 0 what is over. What never ends has a year.
fn seconds_until(at: Instant) -> f64 {
    const MOST: f64 = 365.0 * 86400.0;
    let now = clock::core_now();
    let left = if at >= now { at.since(now).as_secs_f64() } else { -now.since(at).as_secs_f64() };
    left.min(MOST)
}
