//! POST: a call by React's or Next's client, or by a form.

use std::rc::Rc;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use callboard_protocol::{ErrorCode, headers, multipart};

use super::{Refused, body::Body, error_response::Asker, form, origin, parts::Parts, respond};
use crate::{
    actors::{Answered, EncodedArguments, Frontend},
    request::RequestHead,
};

/// Answers a POST.
pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    frontend: Rc<Frontend>,
) -> HttpResponse {
    let node = &frontend.node;
    let mut body = Body::new(&request, payload);
    let is_fetch = request.headers().contains_key(headers::NEXT_ACTION);
    let answer = if is_fetch {
        fetch(&request, &mut body, &frontend)
            .await
            .map(|Answered { call, settlement }| respond::to_fetch(node, call, settlement))
    } else {
        form::submit(&request, &mut body, &frontend).await
    };
    match answer {
        Ok(response) => response,
        Err(refused) => {
            let asker = if is_fetch { Asker::Fetch } else { Asker::Browser };
            let mut response = refused.response(node, asker);
            if refused.ends_connection() || !body.discard().await {
                response.head_mut().set_connection_type(actix_http::ConnectionType::Close);
            }
            response
        }
    }
}

/// Who may not call is told before anything of the body is read.
async fn fetch(request: &HttpRequest, body: &mut Body, frontend: &Frontend) -> Result<Answered, Refused> {
    origin::check(&frontend.node, request)?;
    let reference = request.headers().get(headers::NEXT_ACTION).and_then(|value| value.to_str().ok());
    let resolved = frontend.resolve(reference.unwrap_or_default())?;
    let kind = BodyKind::of(request)?;
    let settings = &frontend.node.settings;
    let bytes_max = resolved.action.entry.body_bytes_max.unwrap_or(settings.body_bytes_max);
    body.limit(bytes_max, settings.body_timeout)?;
    let admitted = frontend.admit(resolved, RequestHead::of(request)).await?;
    let encoded = match kind {
        BodyKind::Text => EncodedArguments::Text(body.whole().await?),
        BodyKind::Multipart(boundary) => {
            EncodedArguments::Parts(Parts::new(&boundary, &frontend.node)?.all(body).await?)
        }
    };
    let arguments = frontend.decode(&encoded)?;
    frontend.call(admitted, arguments, None).await
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
