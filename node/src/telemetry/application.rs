//! Spans that an application opens while an action or a page runs: recorded in the timeline of its request, below the phase
//! or the span in which they were opened.
//!
//! They are recorded of every request, before anybody knows whether its spans are sent, and so within limits; of a node
//! that sends none, nothing is: there is no layer then, and no span has a place.

use std::{
    fmt::{self, Write as _},
    sync::Weak,
    time::Instant,
};

use opentelemetry::{KeyValue, Value};
use tracing::{
    Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, Registry,
    filter::filter_fn,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

use super::{Phase, Timeline};

/// Most spans of one request. Nobody reads more, and a loop that opens one for each row of a table is to cost neither the
/// memory of the node nor the room of others on their way to the collector.
const SPANS_MAX: usize = 64;

/// Most fields of one span: as many as the widest instrumented function has arguments, twice over.
const FIELDS_MAX: usize = 16;

/// Longest text of a field, in bytes: a key, a URL or the beginning of an error. `#[instrument]` writes whole arguments.
const TEXT_BYTES_MAX: usize = 256;

/// The least severe spans that are told. Libraries open finer ones for each frame of a connection.
const LEVEL: Level = Level::INFO;

/// In what a span was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    Phase(Phase),
    /// Another span of the same request, by its number.
    Span(usize),
}

/// A span that was opened, and maybe closed.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) name: &'static str,
    pub(super) within: Within,
    pub(super) begun: Instant,
    pub(super) ended: Option<Instant>,
    pub(super) fields: Vec<KeyValue>,
}

/// Those of one request, in the order in which they were opened.
#[derive(Debug, Default)]
pub(super) struct AllOpened {
    pub(super) spans: Vec<Opened>,
    /// How many there were beside them.
    pub(super) left_out: i64,
}

impl AllOpened {
    /// Adds one, if there is room, and says its number.
    fn add(&mut self, span: Opened) -> Option<usize> {
        if self.spans.len() == SPANS_MAX {
            self.left_out += 1;
            return None;
        }
        self.spans.push(span);
        Some(self.spans.len() - 1)
    }

    fn set(&mut self, number: usize, fields: Vec<KeyValue>) {
        let Some(span) = self.spans.get_mut(number) else { return };
        for field in fields {
            if let Some(known) = span.fields.iter_mut().find(|known| known.key == field.key) {
                *known = field;
            } else if span.fields.len() < FIELDS_MAX {
                span.fields.push(field);
            }
        }
    }

    fn close(&mut self, number: usize) {
        if let Some(span) = self.spans.get_mut(number) {
            span.ended = Some(Instant::now());
        }
    }
}

/// Where what is opened within a span belongs. It does not keep the timeline: what an action started and left behind goes on
/// after its request is over, and is told as far as it had come.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) timeline: Weak<Timeline>,
    pub(super) within: Within,
}

impl Place {
    /// What is opened within this span has this place.
    pub(super) fn give(self, span: &tracing::Span) {
        span.with_subscriber(|(id, dispatch)| {
            let registry = dispatch.downcast_ref::<Registry>();
            if let Some(span) = registry.and_then(|registry| registry.span(id)) {
                span.extensions_mut().insert(self);
            }
        });
    }

    fn of<S: for<'s> LookupSpan<'s>>(span: &SpanRef<'_, S>) -> Option<Self> {
        span.extensions().get::<Self>().cloned()
    }

    fn change(&self, change: impl FnOnce(&mut AllOpened, usize)) {
        let Within::Span(number) = self.within else { return };
        if let Some(timeline) = self.timeline.upgrade() {
            timeline.opened(|all| change(all, number));
        }
    }
}

/// What hears of spans. It looks for no node, as several may be in one process: whose a span is, is said by the one that
/// it was opened in.
pub(super) struct ApplicationSpans;

impl ApplicationSpans {
    /// The layer, whatever is logged.
    pub(super) fn layer() -> impl Layer<Registry> {
        let is_told = |metadata: &Metadata<'_>| metadata.is_span() && *metadata.level() <= LEVEL;
        Self.with_filter(filter_fn(is_told).with_max_level_hint(LevelFilter::from_level(LEVEL)))
    }
}

impl<S> Layer<S> for ApplicationSpans
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        // One for which there was no room has no place.
        let Some(outer) = span.scope().skip(1).find_map(|outer| Place::of(&outer)) else { return };
        let Some(timeline) = outer.timeline.upgrade() else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let opened = Opened {
            name: attributes.metadata().name(),
            within: outer.within,
            begun: Instant::now(),
            ended: None,
            fields: fields.0,
        };
        if let Some(number) = timeline.opened(|all| all.add(opened)) {
            span.extensions_mut().insert(Place { within: Within::Span(number), ..outer });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(place) = context.span(id).and_then(|span| Place::of(&span)) else { return };
        // Before the timeline is held: how a value is written is the application's own.
        let mut fields = Fields::default();
        values.record(&mut fields);
        place.change(|all, number| all.set(number, fields.0));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(place) = context.span(&id).and_then(|span| Place::of(&span)) else { return };
        place.change(AllOpened::close);
    }
}

/// Fields of a span, as a collector takes them.
#[derive(Default)]
struct Fields(Vec<KeyValue>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        if self.0.len() < FIELDS_MAX {
            self.0.push(KeyValue::new(field.name(), value));
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.add(field, value),
            // A collector knows none that are larger.
            Err(_) => self.add(field, value.to_string()),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value[..value.floor_char_boundary(TEXT_BYTES_MAX)].to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.0.len() == FIELDS_MAX {
            return;
        }
        let mut text = Short(String::new());
        // It ends with an error where it is too long.
        let _cut = write!(text, "{value:?}");
        self.add(field, text.0);
    }
}

/// Takes the beginning of a text, and no more of it.
struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX - self.0.len());
        self.0.push_str(&text[..end]);
        if end == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(name: &'static str) -> Opened {
        let within = Within::Phase(Phase::Run);
        Opened { name, within, begun: Instant::now(), ended: None, fields: Vec::new() }
    }

    #[test]
    fn a_request_has_no_more_spans_than_there_is_room_for() {
        let mut all = AllOpened::default();
        for number in 0..SPANS_MAX {
            assert_eq!(all.add(opened("row")), Some(number));
        }
        assert_eq!((all.add(opened("row")), all.add(opened("row"))), (None, None));
        assert_eq!((all.spans.len(), all.left_out), (SPANS_MAX, 2));
    }

    #[test]
    fn a_field_that_is_told_again_is_there_once() {
        let mut all = AllOpened::default();
        let number = all.add(opened("query")).expect("room");
        for rows in 0..3_i64 {
            all.set(number, vec![KeyValue::new("rows", rows)]);
        }
        assert_eq!(all.spans[number].fields, [KeyValue::new("rows", 2_i64)]);
        for name in ["a", "b", "c"].into_iter().cycle().take(3 * FIELDS_MAX) {
            let name = format!("{name}{}", all.spans[number].fields.len());
            all.set(number, vec![KeyValue::new(name, true)]);
        }
        assert_eq!(all.spans[number].fields.len(), FIELDS_MAX);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let mut text = Short(String::new());
        assert!(write!(text, "a{}", "é".repeat(TEXT_BYTES_MAX)).is_err());
        assert_eq!(text.0.len(), TEXT_BYTES_MAX - 1);
        assert!(text.0.ends_with('é'));
    }
}
