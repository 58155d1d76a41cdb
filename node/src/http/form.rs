//! POST by a form without JavaScript.

use std::{future::poll_fn, sync::Arc, time::Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use callboard_protocol::{
    ErrorCode, Value,
    action::Settled,
    flight,
    form_action::{self, FormCall},
    headers,
    idempotency::{BodyDigest, FormDigest},
    js::JsString,
    multipart::Part,
    value::{Builder, Node as ValueNode, Slot},
};
use tokio::time::timeout_at;
use tracing::error;

use super::{
    Refused,
    body::Body,
    error_response::{Asker, error_page},
    idempotency, page,
    parts::Parts,
    respond,
    streamed::Open,
};
use crate::{
    actors::{Answered, Frontend, Published, Replayed, Resolved, Sent, Settlement, known},
    carry::{Broken, Shipment},
    context::FormState,
    drain::InFlight,
    node::Node,
    request::RequestHead,
    telemetry::{Phase, Timeline},
};

/// Runs the action that a form names, and answers with a page or a redirect.
pub(super) async fn submit(
    request: &HttpRequest,
    body: &mut Body,
    frontend: &Frontend,
    timeline: &Arc<Timeline>,
) -> Result<HttpResponse, Refused> {
    super::origin::check(&frontend.node, request)?;
    let node = &frontend.node;
    let key = idempotency::key(request)?;
    let kind = FormKind::of(request)?;
    // Which action it is stands in the body; only files, and so multipart, need more than the usual limit.
    let bytes_max = match kind {
        FormKind::Multipart(_) => node.form_bytes_max,
        FormKind::UrlEncoded => node.settings.body_bytes_max,
    };
    body.limit(bytes_max, node.settings.body_timeout)?;
    let begun = Instant::now();
    let Fields { parts, digest, accepted } = frontend.read(kind.parts(body, frontend)).await?;
    let Some(call) = form_action::find(&parts, &node.decode_limits)? else {
        return Err(Refused::new(ErrorCode::NotAnAction, "the form names no action"));
    };
    timeline.over(Phase::Decode, begun);
    let begun = Instant::now();
    let resolved = frontend.resolve(call.reference())?;
    timeline.found(resolved.action);
    let accepted = accepted.map_or_else(|| frontend.accept(), Ok)?;
    let bytes_max = action_bytes_max(&resolved, node);
    if body.read_bytes() > bytes_max {
        return Err(Refused::new(
            ErrorCode::BodyTooLarge,
            format!("the body is larger than {bytes_max} bytes"),
        ));
    }
    let admitted = frontend.admit(resolved, accepted, RequestHead::of(request), timeline).await?;
    timeline.over(Phase::Verify, begun);
    let action = admitted.resolved.action;
    let idempotency = idempotency::of_form(node, &admitted, key, call.nonce(), digest)?;
    let arguments = decode(&call, node)?;
    let key = call.key().unwrap_or_default().to_owned();
    let shipment = node.is_clustered().then(|| Shipment::form(&parts));
    let sent = Sent { arguments, arriving: None, idempotency, shipment };
    let settled = frontend.call(admitted, sent, timeline).await?;
    let begun = Instant::now();
    let state = |result| FormState { action: action.id, key, result };
    let response = answer(request, frontend, settled, state).await;
    timeline.over(Phase::Respond, begun);
    response
}

/// How large the body of a call may be.
fn action_bytes_max(resolved: &Resolved, node: &Node) -> usize {
    resolved.action.entry.body_bytes_max.unwrap_or(node.settings.body_bytes_max)
}

/// How many of the fields that name an action are looked at before all of them are there. React writes up to four for
/// one action, and a form may have one and its button another.
const NAMING_FIELDS_MAX: usize = 8;

/// The parts of a multipart form. As much as its action takes is read only once an action is named that we signed, and
/// until then no more than the usual limit: nobody fills a disk who has seen no page.
async fn named_parts(mut parts: Parts, body: &mut Body, frontend: &Frontend) -> Result<Fields, Refused> {
    let node = &frontend.node;
    body.allow(node.settings.body_bytes_max);
    let (mut all, mut naming_fields, mut digest) = (Vec::new(), 0, FormDigest::default());
    let mut accepted = None;
    while let Some(part) = poll_fn(|context| parts.poll_part(body, Some(&mut digest), context)).await? {
        let names = part.name.starts_with(form_action::FIELD);
        all.push(part);
        if names && naming_fields < NAMING_FIELDS_MAX {
            naming_fields += 1;
            // What is wrong with it is told when all of it is there.
            let call = form_action::find(&all, &node.decode_limits).ok().flatten();
            if let Some(resolved) = call.and_then(|call| frontend.resolve(call.reference()).ok()) {
                body.allow(action_bytes_max(&resolved, node).max(node.settings.body_bytes_max));
                accepted = accepted.or_else(|| frontend.accept().ok());
            }
        }
    }
    Ok(Fields { parts: all, digest: digest.finish(), accepted })
}

/// The arguments of a form: those that the page bound, then the form itself.
pub(super) fn decode(call: &FormCall<'_>, node: &Node) -> Result<Value, Refused> {
    let bound = call.bound(&node.decode_limits, &|id: &JsString| known(node, id))?;
    let mut builder = Builder::new();
    builder.import(&bound);
    let form = builder.import(&call.form_data());
    let mut arguments = bound.as_array().unwrap_or_default().to_vec();
    arguments.push(form);
    let arguments = builder.add(ValueNode::Array(arguments));
    Ok(builder.finish(Slot::Node(arguments)))
}

/// A form that was answered by its own page, a redirect, or an error page.
async fn answer(
    request: &HttpRequest,
    frontend: &Frontend,
    Answered { call, deadline, settlement, waiting }: Answered,
    form_state: impl FnOnce(Value) -> FormState,
) -> Result<HttpResponse, Refused> {
    let Settlement { mut outcome, published, replayed, rest } = settlement;
    let info = Arc::clone(waiting.info());
    if let Published::Unconfirmed = published {
        return Ok(respond::unconfirmed(&frontend.node, call, &outcome, Asker::Browser));
    }
    let mut response = match &mut outcome.settled {
        Settled::Mismatch(detail) => return Err(Refused::new(ErrorCode::ArgumentMismatch, detail.clone())),
        Settled::Thrown(_) => html_error(500, "something went wrong; it is in the log of the application"),
        _ if outcome.effects.fallback.is_some() => html_error(
            outcome.effects.fallback.map_or(404, |fallback| fallback.code().status()),
            "there is nothing here for you",
        ),
        _ if outcome.effects.redirect.is_some() => HttpResponse::build(StatusCode::SEE_OTHER).finish(),
        Settled::Value(_) if replayed == Some(Replayed::BodyNotKept) => {
            page::without_state(request, frontend)
        }
        Settled::Value(answer) => {
            let mut rows = [&frontend.node.root_row[..], &answer.head].concat();
            if let Some(rest) = rest {
                let open = Open::new(rest, None, waiting);
                complete(&mut rows, open, deadline).await.map_err(|broken| {
                    Refused::new(ErrorCode::OutcomeUnknown, broken.to_string()).of_call(call)
                })?;
            }
            let answer = flight::parse_action(&rows);
            let result = answer.ok().and_then(|answer| answer.result.ok());
            let unreadable = || {
                let trace = info.timeline.trace_id();
                error!(%call, trace, "an action's value cannot be read back for its form");
                Refused::new(ErrorCode::Internal, "the action's value cannot be read back").of_call(call)
            };
            let state = form_state(result.ok_or_else(unreadable)?);
            page::after_form(request, frontend, state, &outcome.effects.cookies, &published).await
        }
    };
    if let Some(redirect) = respond::redirect(&outcome) {
        respond::location(&mut response, &redirect.url);
    }
    respond::effects(&mut response, &frontend.node, call, &outcome, &published, Asker::Browser);
    respond::replayed(&mut response, replayed);
    Ok(response)
}

/// Largest state that is waited for, in bytes: it goes into a page, and nobody sends the page of a stream without end.
const STATE_BYTES_MAX: usize = 1 << 20;

/// Waits for the rows of a form's state, which the page shows as it is when all of it is there. What is still open at
/// the call's deadline ends with an error, as it does for React's client.
async fn complete(rows: &mut Vec<u8>, mut open: Open, deadline: Instant) -> Result<(), Broken> {
    let completing = async {
        while let Some(more) = poll_fn(|context| open.poll_rows(context)).await {
            rows.extend_from_slice(&more?);
            if rows.len() > STATE_BYTES_MAX {
                return Ok(false);
            }
        }
        Ok(true)
    };
    if !timeout_at(deadline.into(), completing).await.unwrap_or(Ok(false))? {
        rows.extend_from_slice(&open.expire()?);
    }
    Ok(())
}

fn html_error(status: u16, detail: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status).expect("the table holds valid statuses");
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .body(error_page(status.as_u16(), detail))
}

/// What a form says.
struct Fields {
    parts: Vec<Part>,
    digest: BodyDigest,
    /// If the action that it names was known before the end of it.
    accepted: Option<InFlight>,
}

/// How a form's fields are framed.
enum FormKind {
    Multipart(String),
    UrlEncoded,
}

impl FormKind {
    fn of(request: &HttpRequest) -> Result<Self, Refused> {
        let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let value = value.unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "multipart/form-data" => super::action::boundary(value).map(Self::Multipart),
            "application/x-www-form-urlencoded" => Ok(Self::UrlEncoded),
            _ => Err(Refused::new(
                ErrorCode::NotAnAction,
                format!("a call needs a {} header, or a form's content type", headers::NEXT_ACTION),
            )),
        }
    }

    async fn parts(&self, body: &mut Body, frontend: &Frontend) -> Result<Fields, Refused> {
        let node = &frontend.node;
        match self {
            Self::Multipart(boundary) => named_parts(Parts::new(boundary, node)?, body, frontend).await,
            Self::UrlEncoded => {
                let body = body.whole().await?;
                // Counted before anything is made of them.
                let fields_max = node.settings.decode_parts_max;
                if body.split(|byte| *byte == b'&').nth(fields_max).is_some() {
                    let detail = format!("more than decode_parts_max = {fields_max}");
                    return Err(Refused::new(ErrorCode::ReplyLimit, detail));
                }
                let fields = url_encoded(&body)?;
                let mut digest = FormDigest::default();
                for (name, value) in &fields {
                    digest.text(name, value);
                }
                let parts = fields.into_iter().map(|(name, value)| Part::text(name, value)).collect();
                Ok(Fields { parts, digest: digest.finish(), accepted: None })
            }
        }
    }
}

/// The fields of an `application/x-www-form-urlencoded` body. What is not UTF-8 is refused, not mended.
fn url_encoded(body: &[u8]) -> Result<Vec<(String, String)>, Refused> {
    let decoded = |text: &[u8]| {
        let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        let bytes = percent_encoding::percent_decode(&spaced).collect();
        String::from_utf8(bytes)
            .map_err(|_| Refused::new(ErrorCode::MalformedReply, "a field of the form is not UTF-8"))
    };
    body.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
            Ok((decoded(name)?, decoded(value)?))
        })
        .collect()
}
