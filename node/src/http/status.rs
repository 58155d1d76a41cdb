//! How the node stands: as a page, as JSON, and as a stream of what has changed on the page.

use std::{convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, RETRY_AFTER},
    web::Bytes,
};
use futures_util::{Stream, stream};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Interval, MissedTickBehavior, interval},
};

use super::admin::node;
use crate::{
    node::Node,
    status::{Page, Section, Status},
};

/// How often a page that is watched is made anew. As often as the actors tell how they stand.
const EACH: Duration = Duration::from_secs(1);

/// `GET /status`
pub(super) async fn json(request: HttpRequest) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Status::of(node(&request)))
}

/// `GET /`
pub(super) async fn page(request: HttpRequest) -> HttpResponse {
    let nonce = faster_hex::hex_string(&rand::random::<[u8; 16]>());
    let made = Page::of(&Status::of(node(&request))).and_then(|page| page.html(&nonce));
    match made {
        Ok(html) => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((
                CONTENT_SECURITY_POLICY,
                format!(
                    "default-src 'none'; connect-src 'self'; img-src data:; style-src 'nonce-{nonce}'; \
                     script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                ),
            ))
            .body(html),
        Err(error) => HttpResponse::InternalServerError().body(format!("{error}\n")),
    }
}

/// `GET /status/events`: each second the sections that are not as they were, as an object of their HTML by id.
pub(super) async fn events(request: HttpRequest) -> HttpResponse {
    let site = request.headers().get("sec-fetch-site");
    if site.is_some_and(|site| site == "cross-site") {
        // It could not read them, and would take the places of those who may.
        return HttpResponse::Forbidden().body("these events are for the page of this node\n");
    }
    let node = node(&request);
    let Ok(permit) = Arc::clone(&node.status.watchers).try_acquire_owned() else {
        return HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "10"))
            .body("as many status pages of this node are watched as may be\n");
    };
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(changes(Watching::new(Arc::clone(node), permit)))
}

/// One page that is watched.
struct Watching {
    node: Arc<Node>,
    _permit: OwnedSemaphorePermit,
    each: Interval,
    sent: Vec<Section>,
}

impl Watching {
    fn new(node: Arc<Node>, permit: OwnedSemaphorePermit) -> Self {
        let mut each = interval(EACH);
        each.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { node, _permit: permit, each, sent: Vec::new() }
    }

    /// What is not as it was sent. Where all is, it is nothing: whoever listens hears that the node lives.
    fn change(&mut self) -> Result<String, askama::Error> {
        let now = Page::of(&Status::of(&self.node))?.sections;
        let changed: serde_json::Map<_, _> = now
            .iter()
            .filter(|section| !self.sent.contains(section))
            .map(|section| (section.id.to_owned(), section.html.as_str().into()))
            .collect();
        self.sent = now;
        // On one line, as JSON escapes the others.
        Ok(format!("data: {}\n\n", serde_json::Value::Object(changed)))
    }
}

fn changes(watching: Watching) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(watching, async |mut watching| {
        watching.each.tick().await;
        // A page that cannot be made ends the stream, and the browser asks again.
        let change = watching.change().ok()?;
        Some((Ok(change.into()), watching))
    })
}
