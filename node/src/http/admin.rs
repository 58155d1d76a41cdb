//! The admin port: how the node stands, is it alive, does it take calls, what can be called, what is kept and why.

use std::sync::Arc;

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web,
};
use subtle::ConstantTimeEq as _;

use super::{explain::explain, status, webhook::revalidate};
use crate::{manifest, node::Node};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(status::page))
        .route("/status", web::get().to(status::json))
        .route("/status/events", web::get().to(status::events))
        .route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readyz))
        .route("/metrics", web::get().to(metrics))
        .route("/actions", web::get().to(actions))
        .route("/explain", web::get().to(explain))
        .route("/revalidate", web::post().to(revalidate));
}

/// What is asked for without a token: whether the node is well, by what cannot hold one, and what is signed.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/revalidate"];

/// Asks for the token, if there is one.
pub(super) async fn ask_for_token<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let token = node(request.request()).settings.admin_token.as_ref();
    let is_let_in = token.is_none_or(|token| {
        let asked = request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
        let is_it = |given: &[u8]| token.as_bytes().ct_eq(given).into();
        let is_known = asked.is_some_and(|text| match text.strip_prefix(b"Bearer ") {
            Some(given) => is_it(given),
            None => password(text).is_some_and(|given| is_it(&given)),
        });
        OPEN.contains(&request.path()) || is_known
    });
    if is_let_in {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let refused = HttpResponse::Unauthorized()
        // On lines of their own: browsers take what follows a comma for a part of the first.
        .append_header((header::WWW_AUTHENTICATE, "Basic realm=\"Callboard: admin_token as password\""))
        .append_header((header::WWW_AUTHENTICATE, "Bearer"))
        .body("the admin port asks for `authorization: Bearer TOKEN`, or for TOKEN as password (setting admin_token)\n");
    Ok(request.into_response(refused).map_into_right_body())
}

/// What a browser sends that asked a person, under whatever name.
fn password(authorization: &[u8]) -> Option<Vec<u8>> {
    let credentials = data_encoding::BASE64.decode(authorization.strip_prefix(b"Basic ")?).ok()?;
    let colon = memchr::memchr(b':', &credentials)?;
    Some(credentials[colon + 1..].to_vec())
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The node takes calls.
async fn readyz(request: HttpRequest) -> HttpResponse {
    if node(&request).is_draining() {
        HttpResponse::ServiceUnavailable().body("draining\n")
    } else if !node(&request).standing.serves() {
        HttpResponse::ServiceUnavailable().body("no member of its cluster at the moment\n")
    } else {
        HttpResponse::Ok().body("ready\n")
    }
}

/// What can be called: the same as `actions --json`.
async fn actions(request: HttpRequest) -> HttpResponse {
    let node = node(&request);
    HttpResponse::Ok().json(manifest::Manifest::of(&node.registry, node.build))
}

/// Everything that is counted, in Prometheus' text format.
async fn metrics(request: HttpRequest) -> HttpResponse {
    let node = node(&request);
    node.refresh_metrics().await;
    match node.metrics.text() {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(error) => HttpResponse::InternalServerError().body(format!("{error:#}\n")),
    }
}

pub(super) fn node(request: &HttpRequest) -> &Arc<Node> {
    request.app_data().expect("the server was made with a node")
}
