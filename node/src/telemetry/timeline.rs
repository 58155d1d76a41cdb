//! One request, from its head to the head of its answer, as this node sees it: what it is counted by, and what its spans
//! are made of.
//!
//! Every call has one, traced or not, so that one that fails or is slow can be looked at although nobody asked for that
//! before. What is recorded goes to the collector when the last who holds it lets go.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
};
use callboard_protocol::{action::CallId, headers};
use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, URL_PATH,
};

use super::{
    Traces,
    context::{self, caller, child_of, new_span},
};
use crate::{
    metrics::CallEnd,
    node::Node,
    registry::RegisteredAction,
    status::{ErrorSeen, PartSeen, SlowSeen},
};

/// A part of what a node does for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Origin, signature and guard.
    Verify,
    /// The body comes, and becomes values.
    Decode,
    /// Bound values are opened, and it is found out who runs it.
    Place,
    /// It waits for its turn.
    QueueWait,
    /// Another node runs it: until its answer is back.
    Carry,
    /// The function runs.
    Run,
    /// What it revalidated gets its place in the log, and every node has it.
    Publish,
    /// The answer is written.
    Respond,
    /// The cache is asked.
    Cache,
    /// A page is rendered.
    Render,
    /// A page is rendered for a request that came before.
    Join,
}

impl Phase {
    /// The name of its span.
    fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Decode => "decode",
            Self::Place => "place",
            Self::QueueWait => "queue wait",
            Self::Carry => "carry",
            Self::Run => "run",
            Self::Publish => "publish",
            Self::Respond => "respond",
            Self::Cache => "cache",
            Self::Render => "render",
            Self::Join => "join",
        }
    }

    fn kind(self) -> SpanKind {
        if self == Self::Carry { SpanKind::Producer } else { SpanKind::Internal }
    }
}

/// How a request came.
#[derive(Clone, Debug)]
enum Hop {
    /// By HTTP, with this method to this path.
    Accept { method: Method, path: String },
    /// From another node.
    Receive,
}

/// A phase that is over.
#[derive(Clone, Debug)]
struct Step {
    phase: Phase,
    begun: Instant,
    ended: Instant,
}

/// What is remembered of a request while it is answered.
pub(crate) struct Timeline {
    traces: Arc<Traces>,
    hop: Hop,
    own: SpanContext,
    caller: Option<SpanContext>,
    begun: Instant,
    began_at: SystemTime,
    learned: Mutex<Learned>,
}

#[derive(Debug, Default)]
struct Learned {
    action: Option<Found>,
    route: Option<&'static str>,
    call: Option<CallId>,
    /// Names the span of its way to another node before that is begun: the other node is told.
    carry: Option<SpanId>,
    steps: Vec<Step>,
    ended: Option<Instant>,
    status: Option<u16>,
    outcome: Option<String>,
    /// What went wrong, as a code of docs/errors.
    error: Option<String>,
}

#[derive(Clone, Copy)]
struct Found(&'static RegisteredAction);

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.entry.name)
    }
}

impl Timeline {
    /// Of a request that came so long ago.
    pub(crate) fn accept(node: &Node, request: &HttpRequest, age: Duration) -> Arc<Self> {
        let caller = caller(|name| request.headers().get(name));
        let hop = Hop::Accept { method: request.method().clone(), path: request.path().to_owned() };
        Self::begin(&node.traces, hop, caller, age)
    }

    /// Of a call that came from another node so long ago, with these headers.
    pub(crate) fn receive(node: &Node, headers: &[(HeaderName, HeaderValue)], age: Duration) -> Arc<Self> {
        let header =
            |name: &HeaderName| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        Self::begin(&node.traces, Hop::Receive, caller(header), age)
    }

    fn begin(traces: &Arc<Traces>, hop: Hop, caller: Option<SpanContext>, age: Duration) -> Arc<Self> {
        let own = child_of(caller.as_ref(), traces.is_sampled(caller.as_ref()));
        let (now, at) = (Instant::now(), SystemTime::now());
        Arc::new(Self {
            traces: Arc::clone(traces),
            hop,
            own,
            caller,
            begun: now.checked_sub(age).unwrap_or(now),
            began_at: at.checked_sub(age).unwrap_or(at),
            learned: Mutex::default(),
        })
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the trace, in logs and for whoever looks for it.
    pub(crate) fn trace_id(&self) -> String {
        self.own.trace_id().to_string()
    }

    /// When the request came.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// The client named this action, and we signed that.
    pub(crate) fn found(&self, action: &'static RegisteredAction) {
        self.learned().action = Some(Found(action));
    }

    /// The request is for this page.
    pub(crate) fn is_page(&self, route: &'static str) {
        self.learned().route = Some(route);
    }

    /// Whatever the call is, this is its name.
    pub(crate) fn is_call(&self, call: CallId) {
        self.learned().call = Some(call);
    }

    /// A phase that began then is over.
    pub(crate) fn over(&self, phase: Phase, begun: Instant) {
        self.learned().steps.push(Step { phase, begun, ended: Instant::now() });
    }

    /// Whether a phase is over.
    pub(crate) fn has(&self, phase: Phase) -> bool {
        self.learned().steps.iter().any(|step| step.phase == phase)
    }

    /// What another node is told of the trace, to which the call is carried now.
    pub(crate) fn carried(&self) -> String {
        let span = *self.learned().carry.get_or_insert_with(new_span);
        context::traceparent(&self.own, span)
    }

    /// What a request says of the trace that an action makes.
    pub(crate) fn traceparent(&self) -> String {
        context::traceparent(&self.own, self.own.span_id())
    }

    /// What other tracing systems added to the trace.
    pub(crate) fn tracestate(&self) -> String {
        self.own.trace_state().header()
    }

    /// The head of a call's answer is there.
    pub(crate) fn answered(&self, node: &Node, response: &HttpResponse) {
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        // A page that answers a form names none where it could not be rendered: the call itself is done.
        let outcome = text(headers::CALLBOARD_OUTCOME).unwrap_or("done");
        let error = text(headers::CALLBOARD_ERROR);
        let mut learned = self.learned();
        let ended = *learned.ended.insert(Instant::now());
        learned.status = Some(response.status().as_u16());
        learned.outcome = Some(outcome.to_owned());
        learned.error = error.map(str::to_owned);
        let action = learned.action.map(|Found(action)| action);
        drop(learned);
        node.metrics.call(CallEnd { action, outcome }, ended - self.begun);
        if let Some(error) = error {
            node.metrics.error(error);
        }
    }

    /// The head of a page is there.
    pub(crate) fn shown(&self, response: &HttpResponse) {
        let mut learned = self.learned();
        learned.ended = Some(Instant::now());
        learned.status = Some(response.status().as_u16());
        let error = response.headers().get(headers::CALLBOARD_ERROR);
        learned.error = error.and_then(|error| error.to_str().ok()).map(str::to_owned);
    }

    /// A call of another node ran here, and this went wrong.
    pub(crate) fn failed(&self, error: &str) {
        self.learned().error = Some(error.to_owned());
    }

    /// For whoever looks at the status page.
    fn remember(&self, learned: &Learned, ended: Instant) {
        let took = ended.saturating_duration_since(self.begun);
        let (recent, trace) = (self.traces.recent(), || self.trace_id());
        let at_ms =
            |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let call = || learned.call.map(|call| call.to_string());
        if let Some(code) = &learned.error {
            recent.failed(ErrorSeen {
                code: code.clone(),
                what: self.what(learned),
                count: 1,
                at_ms: at_ms(self.at(ended)),
                trace: trace(),
                call: call(),
            });
        }
        if recent.is_slow(took) {
            let since = |at: Instant| at.saturating_duration_since(self.begun).as_secs_f64() * 1000.0;
            let parts = learned.steps.iter().map(|step| PartSeen {
                name: step.phase.name(),
                from_ms: since(step.begun),
                took_ms: since(step.ended) - since(step.begun),
            });
            recent.slow(SlowSeen {
                what: self.what(learned),
                at_ms: at_ms(self.began_at),
                took_ms: took.as_secs_f64() * 1000.0,
                outcome: learned.outcome.clone(),
                trace: trace(),
                call: call(),
                parts: parts.collect(),
            });
        }
    }

    /// What was asked for; not its path, of which there may be any number.
    fn what(&self, learned: &Learned) -> String {
        match (&self.hop, learned.action, learned.route) {
            (Hop::Receive, Some(Found(action)), _) => format!("{} (for another node)", action.entry.name),
            (Hop::Accept { .. }, Some(Found(action)), _) => action.entry.name.to_owned(),
            (Hop::Accept { method, .. }, None, Some(route)) => format!("{method} {route}"),
            (Hop::Accept { method, .. }, None, None) => format!("{method}, no action"),
            (Hop::Receive, None, _) => "a call of another node".to_owned(),
        }
    }

    /// Whether the spans are worth sending.
    fn is_kept(&self, learned: &Learned, ended: Instant) -> bool {
        let is_slow = ended.saturating_duration_since(self.begun) >= self.traces.slow;
        self.traces.are_sent() && (self.own.is_sampled() || learned.error.is_some() || is_slow)
    }

    fn at(&self, instant: Instant) -> SystemTime {
        self.began_at + instant.saturating_duration_since(self.begun)
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
        let (name, kind) = match (&self.hop, learned.action, learned.route) {
            (Hop::Receive, ..) => ("receive".into(), SpanKind::Consumer),
            (Hop::Accept { .. }, Some(Found(action)), _) => (action.entry.name.into(), SpanKind::Server),
            (Hop::Accept { method, .. }, None, Some(route)) => {
                (format!("{method} {route}"), SpanKind::Server)
            }
            (Hop::Accept { method, .. }, None, None) => (method.to_string(), SpanKind::Server),
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
        if let Some(status) = learned.status {
            root.attributes.push(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status)));
        }
        if let Some(error) = &learned.error {
            root.status = Status::error(error.clone());
        }
        root
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        let learned = self.learned.get_mut().unwrap_or_else(PoisonError::into_inner);
        let learned = std::mem::take(learned);
        let ended = learned.ended.unwrap_or_else(Instant::now);
        self.remember(&learned, ended);
        if !self.is_kept(&learned, ended) {
            return;
        }
        let mut spans = vec![self.root(&learned, ended)];
        spans.extend(learned.steps.iter().map(|step| {
            let carry = learned.carry.filter(|_| step.phase == Phase::Carry);
            let span = carry.unwrap_or_else(new_span);
            let mut span = self.span(step.phase.name(), span, step.begun, step.ended);
            span.span_kind = step.phase.kind();
            span
        }));
        self.traces.send(spans);
    }
}
