//! The webhook on the admin port, by which others revalidate pages: what publishes a shop's prices, say.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use callboard_protocol::{
    headers,
    revalidation::{Profile, Revalidation, Wait},
    webhook,
};
use serde::Deserialize;
use serde_json::json;
use tracing::{info, warn};

use super::body::{Body, Closing, DISCARD_WAIT};
use crate::{
    actors::{Published, publish},
    clock,
    node::Node,
};

/// Largest body.
const BODY_BYTES_MAX: usize = 256 << 10;

/// Most tags and paths of one request: what one entry of the log holds.
const REVALIDATIONS_MAX: usize = 4096;

/// The query, which is not signed. What is none is refused: who asks for a dry run in other words wants no real one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    dry_run: Option<String>,
}

impl Options {
    /// Whether the query asks for a dry run.
    fn dry_run(query: &str) -> Result<bool, String> {
        let Self { dry_run } = serde_urlencoded::from_str(query).map_err(|error| error.to_string())?;
        match dry_run.as_deref() {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(other) => Err(format!("dry_run={other:?}; expected 1, 0, true or false")),
        }
    }
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
    /// Whether nothing is revalidated, whatever the query says: this is signed.
    #[serde(default)]
    dry_run: bool,
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
            return Err("expected a JSON object with tags, paths, layouts, soft and dry_run".to_owned());
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
            Some(mistake) => Err(mistake.to_string()),
            None => Ok(all),
        }
    }
}

/// `POST /revalidate`: answered once no node serves anything older, or of what is soft once it stands in the log.
pub(super) async fn revalidate(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let node: &Arc<Node> = request.app_data().expect("the server was made with a node");
    let Some(secret) = &node.settings.webhook_secret else {
        return refused(StatusCode::NOT_FOUND, "the setting webhook_secret is not set");
    };
    let mut body = Body::new(&request, payload);
    let read = match body.limit(BODY_BYTES_MAX, node.settings.body_timeout) {
        Ok(()) => body.whole().await,
        Err(too_large) => Err(too_large),
    };
    match read {
        Ok(order) => ordered(node, &request, secret.as_bytes(), &order).await,
        Err(unread) => {
            let response = refused(unread.status(), unread.detail());
            let discarded = !unread.ends_connection() && body.discard(DISCARD_WAIT).await;
            if discarded { response } else { Closing::after(response, body) }
        }
    }
}

async fn ordered(node: &Node, request: &HttpRequest, secret: &[u8], body: &[u8]) -> HttpResponse {
    let header = request.headers().get(headers::CALLBOARD_SIGNATURE);
    let header = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Err(error) = webhook::verify(secret, header, body, clock::unix_ms() / 1000) {
        warn!(%error, "a webhook was refused");
        return refused(StatusCode::UNAUTHORIZED, &error.to_string());
    }
    if node.is_draining() {
        return stopping("this node is stopping; nothing was revalidated");
    }
    let parsed = Options::dry_run(request.query_string()).and_then(|asked| {
        let order = Order::parse(body)?;
        Ok((asked || order.dry_run, order.revalidations()?))
    });
    let (dry_run, revalidations) = match parsed {
        Ok(parsed) => parsed,
        Err(reason) => return refused(StatusCode::BAD_REQUEST, &reason),
    };
    let count = revalidations.len();
    let published = if dry_run { Published::Nothing } else { publish(node, revalidations, None).await };
    let position = match published {
        Published::Nothing => None,
        Published::At(position) => Some(position.to_string()),
        Published::Unconfirmed if node.is_draining() => {
            return stopping("not confirmed in time, and this node is stopping; send it again");
        }
        Published::Unconfirmed => {
            return refused(StatusCode::GATEWAY_TIMEOUT, "not confirmed in time; it applies in the end");
        }
    };
    info!(count, dry_run, "revalidated by a webhook");
    HttpResponse::Ok().json(json!({ "revalidated": count, "position": position, "dry_run": dry_run }))
}

/// The same order is for another node, or for this one when it is there again.
fn stopping(error: &str) -> HttpResponse {
    let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, error);
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    response
}

fn refused(status: StatusCode, error: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "error": error }))
}
