//! POST: a call by React's or Next's client, or by a form.

use std::{
    future::poll_fn,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use callboard_protocol::{
    ErrorCode, headers,
    idempotency::{BodyDigest, FormDigest},
    multipart,
};

use super::{
    Refused,
    body::{Body, Closing, DISCARD_WAIT},
    error_response::Asker,
    form, idempotency,
    intake::Intake,
    origin,
    parts::Parts,
    respond,
};
use crate::{
    actors::{Admitted, Answered, Frontend, Sent},
    carry::Shipment,
    registry::Class,
    request::RequestHead,
    telemetry::{Phase, Timeline},
};

/// Answers a POST.
pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    frontend: Rc<Frontend>,
) -> HttpResponse {
    let node = &frontend.node;
    let timeline = Timeline::accept(node, &request, Duration::ZERO);
    let mut body = Body::new(&request, payload);
    let is_fetch = request.headers().contains_key(headers::NEXT_ACTION);
    let answer = if is_fetch {
        fetch(&request, &mut body, &frontend, &timeline).await.map(|(answered, intake)| {
            let begun = Instant::now();
            let response = respond::to_fetch(node, answered, intake);
            timeline.over(Phase::Respond, begun);
            response
        })
    } else {
        form::submit(&request, &mut body, &frontend, &timeline).await
    };
    let asker = if is_fetch { Asker::Fetch } else { Asker::Browser };
    let (response, discarded) = match answer {
        // An answer does not wait for what nobody reads.
        Ok(response) => (response, body.discard(Duration::ZERO).await),
        Err(refused) => {
            let discarded = !refused.ends_connection() && body.discard(DISCARD_WAIT).await;
            (refused.response(node, asker), discarded)
        }
    };
    timeline.answered(node, &response);
    if discarded { response } else { Closing::after(response, body) }
}

/// Who may not call is told before anything of the body is read. What is still to be read of it comes along where the
/// answer goes on.
async fn fetch(
    request: &HttpRequest,
    body: &mut Body,
    frontend: &Frontend,
    timeline: &Arc<Timeline>,
) -> Result<(Answered, Option<Intake>), Refused> {
    let begun = timeline.begun();
    origin::check(&frontend.node, request)?;
    let reference = request.headers().get(headers::NEXT_ACTION).and_then(|value| value.to_str().ok());
    let resolved = frontend.resolve(reference.unwrap_or_default())?;
    timeline.found(resolved.action);
    let accepted = frontend.accept()?;
    let key = idempotency::key(request)?;
    let kind = BodyKind::of(request)?;
    let settings = &frontend.node.settings;
    let bytes_max = resolved.action.entry.body_bytes_max.unwrap_or(settings.body_bytes_max);
    body.limit(bytes_max, settings.body_timeout)?;
    let admitted = frontend.admit(resolved, accepted, RequestHead::of(request), timeline).await?;
    timeline.over(Phase::Verify, begun);
    let begun = Instant::now();
    match kind {
        BodyKind::Text => {
            let text = frontend.read(body.whole()).await?;
            let idempotency = key
                .map(|key| idempotency::of_key(&frontend.node, &admitted, key, BodyDigest::of_text(&text)));
            let arguments = frontend.decode(text.clone())?;
            timeline.over(Phase::Decode, begun);
            let shipment = frontend.node.is_clustered().then(|| Shipment::text(text));
            let sent = Sent { arguments, arriving: None, idempotency, shipment };
            Ok((frontend.call(admitted, sent, timeline).await?, None))
        }
        BodyKind::Multipart(boundary) => {
            let parts = Parts::new(&boundary, &frontend.node)?;
            let mut intake = Intake::new(body.take(), parts, &frontend.node);
            let answered = call_beside(&mut intake, admitted, key, frontend, timeline).await;
            if matches!(&answered, Ok(answered) if answered.settlement.rest.is_some()) {
                return answered.map(|answered| (answered, Some(intake)));
            }
            *body = intake.into_body();
            answered.map(|answered| (answered, None))
        }
    }
}

/// Runs a call whose body may still arrive.
async fn call_beside(
    intake: &mut Intake,
    admitted: Admitted,
    key: Option<&str>,
    frontend: &Frontend,
    timeline: &Arc<Timeline>,
) -> Result<Answered, Refused> {
    let begun = Instant::now();
    // Whoever waits in line has to bring all that he needs: a slow client must not hold up those behind it. And whether
    // a key came before with another body is known at the end of this one.
    let early = matches!(admitted.resolved.action.entry.class, Class::Plain) && key.is_none();
    let mut digest = FormDigest::default();
    let (arguments, arriving) = frontend.read(intake.arguments(early, key.map(|_| &mut digest))).await?;
    let idempotency = key.map(|key| idempotency::of_key(&frontend.node, &admitted, key, digest.finish()));
    let shipment = intake.take_parts().map(|parts| Shipment::parts(&parts));
    let sent = Sent { arguments, arriving, idempotency, shipment };
    timeline.over(Phase::Decode, begun);
    let mut call = pin!(frontend.call(admitted, sent, timeline));
    poll_fn(|context| {
        // Ready or not: the call goes on either way.
        let _read = intake.poll_beside(context);
        call.as_mut().poll(context)
    })
    .await
}

/// How the arguments of a fetch call are framed.
enum BodyKind {
    Text,
    Multipart(String),
}

impl BodyKind {
    fn of(request: &HttpRequest) -> Result<Self, Refused> {
        let Some(value) = request.headers().get(header::CONTENT_TYPE) else {
            return Ok(Self::Text);
        };
        let value = value.to_str().unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "multipart/form-data" => boundary(value).map(Self::Multipart),
            // What `fetch` says of a string, and what people write by hand.
            "text/plain" | "application/json" => Ok(Self::Text),
            _ => Err(Refused::new(
                ErrorCode::ContentType,
                "arguments come as text/plain or multipart/form-data, as encodeReply gives them",
            )),
        }
    }
}

/// The boundary that a multipart content type names.
pub(super) fn boundary(content_type: &str) -> Result<String, Refused> {
    let boundary = multipart::boundary(content_type).map(str::to_owned);
    boundary.ok_or_else(|| Refused::new(ErrorCode::MalformedMultipart, "the content type names no boundary"))
}
