//! The admin port: how the node stands, is it alive, does it take calls, what can be called, what is kept and why.

use std::{net::IpAddr, sync::Arc};

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{header, uri::Authority},
    middleware::Next,
    web,
};
use subtle::ConstantTimeEq as _;

use super::{explain::explain, status, webhook::revalidate};
use crate::{manifest, node::Node, settings::Secret};

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

/// What anybody may ask for: whether the node is well, by what cannot hold a token, and what is signed.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/revalidate"];

/// Lets in who knows the token, and where there is none and only this machine comes, who means this machine.
pub(super) async fn let_in<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match refusal(request.request()) {
        None => Ok(next.call(request).await?.map_into_left_body()),
        Some(refused) => Ok(request.into_response(refused).map_into_right_body()),
    }
}

fn refusal(request: &HttpRequest) -> Option<HttpResponse> {
    if OPEN.contains(&request.path()) {
        return None;
    }
    let settings = &node(request).settings;
    match &settings.admin_token {
        Some(token) => (!knows(request, token)).then(|| {
            HttpResponse::Unauthorized()
                // On lines of their own: browsers take what follows a comma for a part of the first.
                .append_header((header::WWW_AUTHENTICATE, "Basic realm=\"Callboard: admin_token as password\""))
                .append_header((header::WWW_AUTHENTICATE, "Bearer"))
                .body("the admin port asks for `authorization: Bearer TOKEN`, or for TOKEN as password (setting admin_token)\n")
        }),
        None if settings.admin_insecure || means_this_machine(request, &settings.admin) => None,
        None => Some(HttpResponse::MisdirectedRequest().body(
            "without a token the admin port answers only under an address, `localhost` or the name in the setting \
             admin: for any other name set admin_token\n",
        )),
    }
}

/// Whether it brings the token, as a program does or as a browser that asked a person.
fn knows(request: &HttpRequest, token: &Secret) -> bool {
    let is_it = |given: &[u8]| token.as_bytes().ct_eq(given).into();
    let asked = request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    asked.is_some_and(|text| match text.strip_prefix(b"Bearer ") {
        Some(given) => is_it(given),
        None => password(text).is_some_and(|given| is_it(&given)),
    })
}

/// Whether it names a host that only this machine can be. A page from anywhere may have its own name lead to 127.0.0.1
/// once it is loaded (DNS rebinding): the browser of whoever runs a node then takes that node for the page's server, and
/// has the page read what it answers. It asks under the page's name, as it does not know better.
fn means_this_machine(request: &HttpRequest, admin: &str) -> bool {
    // Whoever names none is no browser.
    let Some(named) = request.headers().get(header::HOST) else { return true };
    let Some(host) = named.to_str().ok().and_then(host_of) else { return false };
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    is_address
        || host.eq_ignore_ascii_case("localhost")
        || host_of(admin).is_some_and(|own| own.eq_ignore_ascii_case(&host))
}

/// The host in `HOST[:PORT]`.
fn host_of(text: &str) -> Option<String> {
    text.parse::<Authority>().ok().map(|authority| authority.host().to_owned())
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

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn is_let_in(host: &str, admin: &str) -> bool {
        let request = TestRequest::default().insert_header((header::HOST, host)).to_http_request();
        means_this_machine(&request, admin)
    }

    #[test]
    fn this_machine_is_meant_by_an_address_by_localhost_and_by_the_name_that_was_set() {
        for host in ["127.0.0.1", "127.0.0.1:3001", "[::1]:3001", "10.1.2.3:3001", "localhost:1", "LocalHost"]
        {
            assert!(is_let_in(host, "127.0.0.1:3001"), "{host}");
        }
        assert!(is_let_in("Box.Example:8000", "box.example:3001"));
        assert!(
            means_this_machine(&TestRequest::default().to_http_request(), "127.0.0.1:3001"),
            "no browser"
        );
    }

    #[test]
    fn a_name_that_others_can_lead_here_is_not_this_machine() {
        for host in [
            "rebound.example",
            "rebound.example:3001",
            "127.0.0.1.rebound.example",
            "localhost.rebound.example",
        ] {
            assert!(!is_let_in(host, "127.0.0.1:3001"), "{host}");
        }
        for host in ["", "127.0.0.1, rebound.example", "rebound.example/127.0.0.1", "::1:3001:x"] {
            assert!(!is_let_in(host, "127.0.0.1:3001"), "{host}");
        }
    }
}
