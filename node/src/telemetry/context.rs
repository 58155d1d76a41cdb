//! The trace that a request belongs to, as W3C's headers have it.

use actix_web::http::header::{HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// Which trace, and which span of it made the request.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What other tracing systems add.
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Longest `tracestate` that is handed on, in bytes: what W3C asks for at least. A longer one is left out.
const STATE_BYTES_MAX: usize = 512;

/// What a request says, for the parser.
struct Said<'h> {
    parent: &'h str,
    state: Option<&'h str>,
}

impl Extractor for Said<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        if name == TRACEPARENT.as_str() { Some(self.parent) } else { self.state }
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// The span that made a request, if it names one; what is malformed names none.
pub(crate) fn caller<'h>(header: impl Fn(&HeaderName) -> Option<&'h HeaderValue>) -> Option<SpanContext> {
    let text = |name| header(name)?.to_str().ok().filter(|value| value.len() <= STATE_BYTES_MAX);
    let said = Said { parent: text(&TRACEPARENT)?, state: text(&TRACESTATE) };
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &said);
    let caller = context.span().span_context().clone();
    caller.is_valid().then_some(caller)
}

/// A span of the same trace, or of a new one.
pub(crate) fn child_of(caller: Option<&SpanContext>, is_sampled: bool) -> SpanContext {
    let trace = caller.map_or_else(|| TraceId::from(rand::random::<u128>() | 1), SpanContext::trace_id);
    let flags = if is_sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let state = caller.map_or_else(TraceState::default, |caller| caller.trace_state().clone());
    SpanContext::new(trace, new_span(), flags, false, state)
}

/// A name for a span.
pub(crate) fn new_span() -> SpanId {
    // 0 is none.
    SpanId::from(rand::random::<u64>() | 1)
}

/// What a request that a span makes says of it.
pub(crate) fn traceparent(trace: &SpanContext, span: SpanId) -> String {
    format!("00-{}-{span}-{:02x}", trace.trace_id(), trace.trace_flags() & TraceFlags::SAMPLED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parent: &str, state: &str) -> Option<SpanContext> {
        let headers = [(TRACEPARENT, parent), (TRACESTATE, state)]
            .map(|(name, value)| (name, HeaderValue::from_str(value).expect("text")));
        caller(|name| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value))
    }

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_a_caller_says_goes_on() {
        let caller = of(PARENT, "vendor=x").expect("well-formed");
        let span = child_of(Some(&caller), caller.is_sampled());
        assert_eq!(span.trace_id(), caller.trace_id());
        assert_ne!(span.span_id(), caller.span_id());
        assert_eq!(span.trace_state().header(), "vendor=x");
        let text = traceparent(&span, span.span_id());
        let told = of(&text, "").expect("our own");
        assert_eq!(
            (told.trace_id(), told.span_id(), told.is_sampled()),
            (span.trace_id(), span.span_id(), true)
        );
    }

    #[test]
    fn what_is_malformed_names_no_caller() {
        let long = "0".repeat(64 << 10);
        for parent in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-zz-01",
            long.as_str(),
        ] {
            assert!(of(parent, "").is_none(), "{parent:.60}");
        }
    }

    #[test]
    fn a_long_state_is_left_out() {
        let state = format!("vendor={}", "x".repeat(STATE_BYTES_MAX));
        assert_eq!(of(PARENT, &state).expect("well-formed").trace_state().header(), "");
    }
}
