//! The head of a request, on its way to another node and back.

use actix_web::http::header::{HeaderName, HeaderValue};
use callboard_protocol::carried::{CarriedHead, CarriedPrincipal, Framing};

use crate::{call::CallInfo, context::Principal, request::RequestHead, telemetry::TRACEPARENT};

/// What crosses of a call's request.
pub(crate) fn carried_head(info: &CallInfo, reference: &str, framing: Framing) -> CarriedHead {
    let header = |(name, value): &(HeaderName, HeaderValue)| (name.to_string(), value.as_bytes().to_vec());
    let headers = info.head.headers.iter().filter(|(name, _)| name != TRACEPARENT);
    let traceparent = (TRACEPARENT.to_string(), info.timeline.handed().into_bytes());
    CarriedHead {
        reference: reference.to_owned(),
        principal: info.principal.as_ref().map(|principal| CarriedPrincipal {
            id: principal.id().to_owned(),
            claims: principal.claims().map(|(claim, value)| (claim.to_owned(), value.to_owned())).collect(),
        }),
        path: info.head.path.clone(),
        query: info.head.query.clone(),
        headers: headers.map(header).chain([traceparent]).collect(),
        timeout_ms: info.timeout.as_millis() as u64,
        framing,
    }
}

/// The request and its principal again. What cannot be a header is left out: no client sent it.
pub(crate) fn request_head(head: CarriedHead) -> (RequestHead, Option<Principal>) {
    let headers = head.headers.into_iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(&value).ok()?))
    });
    let principal = head.principal.map(|CarriedPrincipal { id, claims }| {
        claims.into_iter().fold(Principal::new(id), |principal, (claim, value)| principal.with(claim, value))
    });
    (RequestHead { path: head.path, query: head.query, headers: headers.collect() }, principal)
}
