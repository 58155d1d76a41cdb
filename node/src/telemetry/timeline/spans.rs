//! The spans of a request that is over.

use std::{borrow::Cow, time::Instant};

use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, URL_PATH,
};

use super::{Found, Hop, Learned, Phase, Step, Timeline};
use crate::telemetry::{application::Within, context::new_span};

impl Timeline {
    /// All of them, each below the one that it is a part of.
    pub(super) fn spans(&self, mut learned: Learned, ended: Instant) -> Vec<SpanData> {
        let mut spans = vec![self.root(&learned, ended)];
        if let Some(handed) = learned.carry.filter(|_| learned.has(Phase::Send) && !learned.has(Phase::Carry))
        {
            // Its client went away meanwhile.
            learned.steps.push(Step { phase: Phase::Carry, begun: handed.at, ended });
        }
        let named = |step: &Step| match (step.phase, learned.carry) {
            (Phase::Carry, Some(handed)) => (step.phase, handed.span),
            _ => (step.phase, new_span()),
        };
        let phases: Vec<_> = learned.steps.iter().map(named).collect();
        let below = |whole: Phase| {
            let found = phases.iter().find(|(phase, _)| *phase == whole);
            found.map_or(self.own.span_id(), |(_, span)| *span)
        };
        spans.extend(learned.steps.iter().zip(&phases).map(|(step, (phase, span))| {
            let mut span = self.span(phase.name(), *span, step.begun, step.ended);
            span.parent_span_id = phase.whole().map_or(span.parent_span_id, below);
            span.span_kind = phase.kind();
            span
        }));
        let opened = learned.opened.spans;
        let ids: Vec<_> = opened.iter().map(|_| new_span()).collect();
        spans.extend(opened.into_iter().zip(&ids).map(|(opened, id)| {
            let mut span = self.span(opened.name, *id, opened.begun, opened.ended.unwrap_or(ended));
            span.parent_span_id = match opened.within {
                Within::Phase(phase) => below(phase),
                Within::Span(outer) => ids[outer],
            };
            span.attributes = opened.fields;
            span
        }));
        spans
    }

    fn span(
        &self,
        name: impl Into<Cow<'static, str>>,
        span: SpanId,
        begun: Instant,
        ended: Instant,
    ) -> SpanData {
        // Whatever was decided at first: it is sent, so whoever gets it is to keep it.
        let state = self.own.trace_state().clone();
        let context = SpanContext::new(self.own.trace_id(), span, TraceFlags::SAMPLED, false, state);
        SpanData {
            span_context: context,
            parent_span_id: self.own.span_id(),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: self.at(begun),
            end_time: self.at(ended),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("callboard").build(),
        }
    }

    /// The span of the whole, under the one that made the request.
    fn root(&self, learned: &Learned, ended: Instant) -> SpanData {
        let (name, kind) = match &self.hop {
            Hop::Receive => ("receive".into(), SpanKind::Consumer),
            Hop::Accept { .. } => (self.asked(learned), SpanKind::Server),
        };
        let mut root = self.span(name, self.own.span_id(), self.begun, ended);
        root.span_kind = kind;
        root.parent_span_id = self.caller.as_ref().map_or(SpanId::INVALID, SpanContext::span_id);
        root.parent_span_is_remote = self.caller.is_some();
        let mut add = |name: &'static str, value: Option<String>| {
            root.attributes.extend(value.map(|value| KeyValue::new(name, value)));
        };
        if let Hop::Accept { method, path } = &self.hop {
            add(HTTP_REQUEST_METHOD, Some(method.to_string()));
            add(URL_PATH, Some(path.clone()));
        }
        add(HTTP_ROUTE, learned.route.map(str::to_owned));
        add("callboard.action", learned.action.map(|Found(action)| action.entry.name.to_owned()));
        add("callboard.class", learned.action.map(|Found(action)| action.entry.class.as_str().to_owned()));
        add("callboard.call_id", learned.call.map(|call| call.to_string()));
        add("callboard.outcome", learned.outcome.clone());
        add(ERROR_TYPE, learned.error.clone());
        if learned.opened.left_out > 0 {
            root.attributes.push(KeyValue::new("callboard.spans_left_out", learned.opened.left_out));
        }
        if let Some(status) = learned.status {
            root.attributes.push(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status)));
        }
        if let Some(error) = &learned.error {
            root.status = Status::error(error.clone());
        }
        root
    }
}
