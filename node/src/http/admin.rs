//! The admin port: is the node alive, does it take calls, what can be called, what is kept and why.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};

use super::{explain::explain, webhook::revalidate};
use crate::{manifest, node::Node};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/healthz", web::get().to(healthz))
        .route("/readyz", web::get().to(readyz))
        .route("/actions", web::get().to(actions))
        .route("/explain", web::get().to(explain))
        .route("/revalidate", web::post().to(revalidate));
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

fn node(request: &HttpRequest) -> &Arc<Node> {
    request.app_data().expect("the server was made with a node")
}
