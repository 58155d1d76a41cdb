//! The webhook on the admin port, by which others revalidate pages: what publishes a shop's prices, say.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use callboard_protocol::{
    headers,
    revalidation::{Profile, Revalidation, Wait},
    webhook,
};
use serde::Deserialize;
use serde_json::json;
use tracing::{info, warn};

use crate::{
    actors::{Published, publish},
    clock,
    node::Node,
};

/// Largest body.
const BODY_BYTES_MAX: usize = 256 << 10;

/// Most tags and paths of one request: what one entry of the log holds.
const REVALIDATIONS_MAX: usize = 4096;

#[derive(Deserialize)]
pub(super) struct Options {
    #[serde(default)]
    dry_run: Option<String>,
}

/// What is stale.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    layouts: Vec<String>,
    #[serde(default)]
    soft: Soft,
}

/// Whether renders are served while new ones are made.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Soft {
    /// `true`: for ever.
    Is(bool),
    /// For so many seconds.
    Seconds(u32),
}

impl Default for Soft {
    fn default() -> Self {
        Self::Is(false)
    }
}

impl Order {
    fn parse(body: &[u8]) -> Result<Self, String> {
        // Serde takes a list for a struct, too.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err("expected a JSON object with tags, paths, layouts and soft".to_owned());
        }
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }

    fn revalidations(self) -> Result<Vec<Revalidation>, String> {
        let profile = match self.soft {
            Soft::Is(false) => Profile::seconds(0),
            Soft::Is(true) => Profile::max(),
            Soft::Seconds(seconds) => Profile::seconds(seconds),
        };
        let tags = self.tags.into_iter().map(Revalidation::of_tag);
        let paths = self.paths.into_iter().map(Revalidation::of_path);
        let layouts = self.layouts.into_iter().map(Revalidation::of_layout);
        let all = tags.chain(paths).chain(layouts).map(|one| one.soft(profile));
        // Whoever orders it wants to know where it stands.
        let all: Vec<_> = all.map(|one| Revalidation { wait: one.wait.max(Wait::Session), ..one }).collect();
        if all.len() > REVALIDATIONS_MAX {
            return Err(format!("{} tags and paths; at most {REVALIDATIONS_MAX} are allowed", all.len()));
        }
        match all.iter().find_map(|one| one.check().err()) {
            Some(too_long) => Err(too_long.to_string()),
            None => Ok(all),
        }
    }
}

/// `POST /revalidate`: answered once no node serves anything older, or of what is soft once it stands in the log.
pub(super) async fn revalidate(
    request: HttpRequest,
    options: web::Query<Options>,
    payload: web::Payload,
) -> HttpResponse {
    let node: &Arc<Node> = request.app_data().expect("the server was made with a node");
    let Some(secret) = &node.settings.webhook_secret else {
        return refused(StatusCode::NOT_FOUND, "the setting webhook_secret is not set");
    };
    let body = match payload.to_bytes_limited(BODY_BYTES_MAX).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
        Err(_) => {
            return refused(StatusCode::PAYLOAD_TOO_LARGE, &format!("more than {BODY_BYTES_MAX} bytes"));
        }
    };
    let header = request.headers().get(headers::CALLBOARD_SIGNATURE);
    let header = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Err(error) = webhook::verify(secret.as_bytes(), header, &body, clock::unix_ms() / 1000) {
        warn!(%error, "a webhook was refused");
        return refused(StatusCode::UNAUTHORIZED, &error.to_string());
    }
    let revalidations = match Order::parse(&body).and_then(Order::revalidations) {
        Ok(revalidations) => revalidations,
        Err(reason) => return refused(StatusCode::BAD_REQUEST, &reason),
    };
    let dry_run = options.dry_run.as_deref().is_some_and(|text| matches!(text, "" | "1" | "true"));
    let count = revalidations.len();
    let published = if dry_run { Published::Nothing } else { publish(node, revalidations).await };
    let position = match published {
        Published::Nothing => None,
        Published::At(position) => Some(position.to_string()),
        Published::Unconfirmed => {
            return refused(StatusCode::GATEWAY_TIMEOUT, "not confirmed in time; it applies in the end");
        }
    };
    info!(count, dry_run, "revalidated by a webhook");
    HttpResponse::Ok().json(json!({ "revalidated": count, "position": position, "dry_run": dry_run }))
}

fn refused(status: StatusCode, error: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "error": error }))
}
