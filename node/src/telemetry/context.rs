//! The trace that a request belongs to, as W3C's headers have it.

use std::borrow::Cow;

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
/// What a caller wants to be known wherever its trace goes.
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Longest `tracestate` that is handed on, in bytes: what W3C asks for at least. A longer one is left out.
const STATE_BYTES_MAX: usize = 512;

/// Longest `baggage` that is handed on, in bytes: what W3C asks for at least. Of a longer one nothing is.
const BAGGAGE_BYTES_MAX: usize = 8192;

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
pub(crate) fn caller<'h, I>(headers: impl Fn(&HeaderName) -> I) -> Option<SpanContext>
where
    I: Iterator<Item = &'h HeaderValue>,
{
    let mut parents = headers(&TRACEPARENT);
    let parent = parents.next()?.to_str().ok()?;
    if parents.next().is_some() {
        return None;
    }
    let state = list(headers(&TRACESTATE), STATE_BYTES_MAX);
    let said = Said { parent, state: state.as_deref() };
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &said);
    let caller = context.span().span_context().clone();
    caller.is_valid().then_some(caller)
}

/// What a caller wants to be known wherever its trace goes, of these headers.
pub(crate) fn baggage(headers: &[(HeaderName, HeaderValue)]) -> Option<String> {
    let values = headers.iter().filter(|(name, _)| name == BAGGAGE).map(|(_, value)| value);
    let all = list(values, BAGGAGE_BYTES_MAX)?;
    all.split(',').all(is_member).then(|| all.into_owned())
}

/// The lines of a header as one, unless that is too long or no text.
fn list<'h>(mut lines: impl Iterator<Item = &'h HeaderValue>, bytes_max: usize) -> Option<Cow<'h, str>> {
    let mut all = Cow::Borrowed(lines.next()?.to_str().ok()?);
    for line in lines {
        let line = line.to_str().ok()?;
        if all.len() + line.len() < bytes_max {
            let all = all.to_mut();
            all.push(',');
            all.push_str(line);
        } else {
            return None;
        }
    }
    (all.len() <= bytes_max).then_some(all)
}

/// Whether this is `key=value` of a `baggage`, with or without properties. W3C Baggage, section 3.2.1.
fn is_member(member: &str) -> bool {
    let is_token = |text: &str| {
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(is_sign)
    };
    let is_value =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    let is_pair = |(key, value): (&str, &str)| is_token(key.trim()) && is_value(value.trim());
    let mut parts = member.split(';');
    let pair = parts.next().and_then(|pair| pair.split_once('='));
    let is_property = |text: &str| text.split_once('=').map_or_else(|| is_token(text.trim()), is_pair);
    pair.is_some_and(is_pair) && parts.all(is_property)
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
        caller(|name| {
            let name = name.clone();
            headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value)
        })
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

    fn baggage_of(lines: &[&str]) -> Option<String> {
        let line = |line: &&str| (BAGGAGE, HeaderValue::from_str(line).expect("a header"));
        baggage(&lines.iter().map(line).collect::<Vec<_>>())
    }

    #[test]
    fn baggage_goes_on_as_it_came() {
        for text in ["a=1", "tenant=caf%C3%A9, user = 7;secret;ttl=3 ,empty="] {
            assert_eq!(baggage_of(&[text]).as_deref(), Some(text));
        }
        assert_eq!(baggage_of(&["a=1,b=2", "c=3"]).as_deref(), Some("a=1,b=2,c=3"));
        assert_eq!(baggage_of(&[]), None);
    }

    #[test]
    fn baggage_that_is_malformed_or_too_long_is_left_out() {
        let of_length = |bytes: usize| format!("a={}", "x".repeat(bytes - 2));
        assert!(baggage_of(&[&of_length(BAGGAGE_BYTES_MAX)]).is_some());
        assert_eq!(baggage_of(&[&of_length(BAGGAGE_BYTES_MAX + 1)]), None);
        assert_eq!(baggage_of(&[&of_length(BAGGAGE_BYTES_MAX - 3), "b=2"]), None);
        for text in ["", "a", "=1", "a b=1", "a=\"1\"", "a=1,", "a=1;", "a=x y", "é=1", "a=1;b c"] {
            assert_eq!(baggage_of(&[text]), None, "{text}");
        }
    }
}
