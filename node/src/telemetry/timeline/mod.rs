//! One request, from its head to the head of its answer, as this node sees it: what it is counted by, and what its spans
//! are made of.
//!
//! Every call has one, traced or not, so that one that fails or is slow can be looked at although nobody asked for that
//! before. What is recorded goes to the collector when the last who holds it lets go.

mod phase;
mod remembered;
mod spans;

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
use opentelemetry::trace::{SpanContext, SpanId};
use tracing::{Span, error_span};

pub(crate) use self::phase::Phase;
use super::{
    Traces,
    application::{AllOpened, Place, Within},
    context::{self, caller, child_of, new_span},
};
use crate::{metrics::CallEnd, node::Node, registry::RegisteredAction};

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

/// How many phases a call has that crosses nodes or revalidates something: there is room for them from the beginning.
const STEPS_USUAL: usize = 8;

/// A call that was handed over, to go to another node.
#[derive(Clone, Copy, Debug)]
struct Handed {
    at: Instant,
    /// Names the span of its way before that is over: the other node is told.
    span: SpanId,
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
    carry: Option<Handed>,
    steps: Vec<Step>,
    opened: AllOpened,
    ended: Option<Instant>,
    status: Option<u16>,
    outcome: Option<String>,
    /// What went wrong, as a code of docs/errors.
    error: Option<String>,
}

impl Learned {
    fn has(&self, phase: Phase) -> bool {
        self.steps.iter().any(|step| step.phase == phase)
    }
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
        let caller = caller(|name| request.headers().get_all(name));
        let hop = Hop::Accept { method: request.method().clone(), path: request.path().to_owned() };
        Self::begin(&node.traces, hop, caller, age)
    }

    /// Of a call that came from another node so long ago, with these headers.
    pub(crate) fn receive(node: &Node, headers: &[(HeaderName, HeaderValue)], age: Duration) -> Arc<Self> {
        let caller = caller(|name| {
            let name = name.clone();
            headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value)
        });
        Self::begin(&node.traces, Hop::Receive, caller, age)
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
            learned: Mutex::new(Learned { steps: Vec::with_capacity(STEPS_USUAL), ..Learned::default() }),
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

    /// What the application logs in it names the request, whatever its level.
    pub(crate) fn log_span(&self) -> Span {
        let Learned { action, route: page, call, .. } = *self.learned();
        let action = action.map(|Found(action)| action.entry.name);
        error_span!("request", action, page, call = call.map(display), trace = %self.own.trace_id())
    }

    /// The name of the action that the client named.
    pub(crate) fn action(&self) -> Option<&'static str> {
        self.learned().action.map(|Found(action)| action.entry.name)
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
        self.learned().has(phase)
    }

    /// Its revalidations, which were published from then on, are confirmed or waited for no more; they had their place
    /// at an instant in between, if it is known.
    pub(crate) fn published(&self, begun: Instant, placed: Option<Instant>) {
        let (mut learned, ended) = (self.learned(), Instant::now());
        learned.steps.push(Step { phase: Phase::Publish, begun, ended });
        learned.steps.extend(placed.map(|begun| Step { phase: Phase::AckWait, begun, ended }));
    }

    /// What another node is told of the trace, if the call that is handed over now goes there.
    pub(crate) fn handed(&self) -> String {
        let handed = Handed { at: Instant::now(), span: new_span() };
        let span = self.learned().carry.get_or_insert(handed).span;
        context::traceparent(&self.own, span)
    }

    /// A frame with the call is handed to a connection. It may be for the second time, or to a second node: until the
    /// first it had waited here.
    pub(crate) fn sent(&self, at: Instant) {
        let mut learned = self.learned();
        if let Some(handed) = learned.carry.filter(|_| !learned.has(Phase::Send)) {
            learned.steps.push(Step { phase: Phase::Send, begun: handed.at, ended: at });
        }
    }

    /// What is opened within this span belongs to a phase.
    pub(crate) fn follow(self: &Arc<Self>, span: &tracing::Span, phase: Phase) {
        if self.traces.are_sent() {
            Place { timeline: Arc::downgrade(self), within: Within::Phase(phase) }.give(span);
        }
    }

    /// What the application opened.
    pub(super) fn opened<T>(&self, change: impl FnOnce(&mut AllOpened) -> T) -> T {
        change(&mut self.learned().opened)
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

    /// What was asked for; not its path, of which there may be any number.
    fn asked(&self, learned: &Learned) -> Cow<'static, str> {
        match (&self.hop, learned.action, learned.route) {
            (_, Some(Found(action)), _) => action.entry.name.into(),
            (Hop::Accept { method, .. }, None, Some(route)) => format!("{method} {route}").into(),
            (Hop::Accept { method, .. }, None, None) => method.to_string().into(),
            (Hop::Receive, None, _) => "a call".into(),
        }
    }

    /// Whether the spans are worth sending.
    fn is_kept(&self, learned: &Learned, ended: Instant) -> bool {
        let is_slow = ended.saturating_duration_since(self.begun) >= self.traces.slow;
        self.traces.are_sent() && (self.own.is_sampled() || learned.error.is_some() || is_slow)
    }

    /// When it was over, if it was before this was let go of. What a call of another node streams goes on after it, as what
    /// is streamed to a client does after the head of its answer.
    fn ended(&self, learned: &Learned) -> Option<Instant> {
        let is_carried = matches!(self.hop, Hop::Receive) && learned.has(Phase::Run);
        let last = || learned.steps.iter().filter(|_| is_carried).map(|step| step.ended).max();
        learned.ended.or_else(last)
    }

    fn at(&self, instant: Instant) -> SystemTime {
        self.began_at + instant.saturating_duration_since(self.begun)
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        let learned = self.learned.get_mut().unwrap_or_else(PoisonError::into_inner);
        let learned = std::mem::take(learned);
        let ended = self.ended(&learned).unwrap_or_else(Instant::now);
        self.remember(&learned, ended);
        if self.is_kept(&learned, ended) {
            self.traces.send(self.spans(learned, ended));
        }
    }
}
