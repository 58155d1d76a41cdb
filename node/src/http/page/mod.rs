//! GET and HEAD: a page from the render cache, or rendered now.

mod accepted;
mod flight;
mod found;
mod kept;
mod source;
#[cfg(test)]
mod tests;

use std::{rc::Rc, sync::Arc, time::Instant};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderValue},
        uri::PathAndQuery,
    },
};
use callboard_cluster::cache::flight_table::Takeoff;
use callboard_protocol::{ErrorCode, headers};

pub(super) use self::found::Asked;
use self::{
    accepted::takes_payload,
    flight::{refresh, shared},
    found::{Lookup, look_up},
    kept::{cache_status, kept},
    source::{Bodies, Source},
};
use super::{Refused, error_response::error_page};
use crate::{
    PageError,
    actors::{Frontend, Published},
    clock,
    context::FormState,
    metrics::PageResult,
    node::Node,
    registry::Fenced,
    render_cache::{Flown, PageKeyRef, Representation},
    request::RequestHead,
    telemetry::{Phase, Timeline},
};

/// Browsers may keep a page and must ask before they show it; shared caches may not: they are told of no
/// revalidation.
const ASK_FIRST: HeaderValue = HeaderValue::from_static("private, no-cache");
/// What a page with a payload depends on, besides what it is kept under.
const ACCEPT: HeaderValue = HeaderValue::from_static("accept");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");

/// Answers a GET or HEAD.
pub(super) async fn get(request: HttpRequest, frontend: Rc<Frontend>) -> HttpResponse {
    let node = &frontend.node;
    let key = PageKeyRef { host: host(&request), path: request.path(), query: request.query_string() };
    let asked = Asked::of(&request, node).await;
    let response = answer(&request, node, key, asked).await;
    if !response.status().is_success() && response.status() != StatusCode::NOT_MODIFIED {
        node.metrics.tally.page(PageResult::None);
        let code = response.headers().get(headers::CALLBOARD_ERROR).and_then(|code| code.to_str().ok());
        if let Some(code) = code {
            node.metrics.error(code);
        }
    }
    response
}

async fn answer(request: &HttpRequest, node: &Arc<Node>, key: PageKeyRef<'_>, asked: Asked) -> HttpResponse {
    match look_up(node, key, asked) {
        Lookup::Fresh(entry) => kept(request, node, &entry, PageResult::Hit, asked.now),
        Lookup::Stale(entry) => {
            if entry.begin_refresh() {
                refresh(request, node, key, &entry, asked.arrived);
            }
            kept(request, node, &entry, PageResult::Stale, asked.now)
        }
        Lookup::Nothing => Box::pin(rendered(request, node, key, asked)).await,
    }
}

/// A page of which nothing may be served that is kept.
async fn rendered(
    request: &HttpRequest,
    node: &Arc<Node>,
    key: PageKeyRef<'_>,
    asked: Asked,
) -> HttpResponse {
    let Some(source) = Source::of(request, node) else {
        return refused(&PageError::NotFound);
    };
    let timeline = source.timed(request, asked.now);
    let source = Source { timeline: Some(Arc::clone(&timeline)), ..source };
    let response = made(request, key, asked, source, &timeline).await;
    timeline.shown(&response);
    response
}

async fn made(
    request: &HttpRequest,
    key: PageKeyRef<'_>,
    asked: Asked,
    source: Source,
    timeline: &Timeline,
) -> HttpResponse {
    let node = &Arc::clone(&source.node);
    if asked.fenced {
        match source.page.fenced {
            Fenced::Refuse => {
                return page_error(ErrorCode::Fenced, "this page cannot be shown at the moment");
            }
            // It is for the node's sake, and not for a client that has seen something newer.
            Fenced::Stale if asked.ahead => {}
            Fenced::Stale => {
                if let Some(entry) = found::known(node, key, asked) {
                    return kept(request, node, &entry, PageResult::FencedHit, asked.now);
                }
            }
            Fenced::Render => {}
        }
    }
    let miss = if asked.arrived.leased { PageResult::Miss } else { PageResult::FencedMiss };
    if source.page.cached && !source.registered_private(key) {
        let begun = Instant::now();
        let flown = shared(source.clone(), key.to_key(), asked.arrived).await;
        if !timeline.has(Phase::Render) {
            timeline.over(Phase::Join, begun);
        }
        match flown {
            Flown::Page(entry) => return kept(request, node, &entry, miss, asked.now),
            Flown::Failed(error) => return failed(request, node, key, asked, &error),
            Flown::Crowded => return crowded(request, node, key, asked),
            Flown::Private => {}
        }
    }
    alone(request, source, key, asked, miss).await
}

/// A render for this request only.
async fn alone(
    request: &HttpRequest,
    source: Source,
    key: PageKeyRef<'_>,
    asked: Asked,
    miss: PageResult,
) -> HttpResponse {
    let node = &source.node;
    let Ok(place) = node.renders.begin().await else {
        return crowded(request, node, key, asked);
    };
    let render = source.render(place, takeoff(node, asked), None).await;
    let is_private = render.private || !source.page.cached;
    match render.page {
        Ok(page) if is_private => private(request, node, page, render.made_of.id),
        Ok(page) => {
            let entry = source.keep(key, page, render.made_of);
            kept(request, node, &entry, miss, asked.now)
        }
        Err(error) if is_private => refused(&error),
        Err(error) => failed(request, node, key, asked, &error),
    }
}

/// A page that is for this request alone.
fn private(request: &HttpRequest, node: &Node, page: Bodies, render: u64) -> HttpResponse {
    let Bodies { html, payload } = page;
    node.metrics.tally.page(PageResult::Bypass);
    let varies = payload.is_some();
    let (representation, body) = match payload.filter(|_| takes_payload(request.headers())) {
        Some(payload) => (Representation::Payload, payload),
        None => (Representation::Html, html),
    };
    let mut head = ok(representation);
    if varies {
        head.insert_header((header::VARY, ACCEPT));
    }
    head.insert_header((header::CACHE_CONTROL, PRIVATE))
        .insert_header((headers::CACHE_STATUS, cache_status(PageResult::Bypass)))
        .insert_header((headers::CALLBOARD_RENDER, render))
        .body(body.for_response(&node.keys))
}

/// What a render for one request begins with.
fn takeoff(node: &Node, asked: Asked) -> Takeoff {
    Takeoff { birth: node.versions.applied(), kept_parts: asked.arrived.leased }
}

/// A page that there was no place to render in: what is kept of it, as for one that went wrong.
fn crowded(request: &HttpRequest, node: &Node, key: PageKeyRef<'_>, asked: Asked) -> HttpResponse {
    match found::spare(node, key, asked) {
        Some(entry) => kept(request, node, &entry, PageResult::StaleIfError, clock::core_now()),
        None => page_error(ErrorCode::Overloaded, "too many pages are made at the moment; try again"),
    }
}

/// A page that went wrong: what is kept of it, if it says that it may be served then, and nothing of it was revalidated.
fn failed(
    request: &HttpRequest,
    node: &Node,
    key: PageKeyRef<'_>,
    asked: Asked,
    error: &PageError,
) -> HttpResponse {
    let is_failure = matches!(error, PageError::Failed(_));
    let spare = if is_failure { found::spare(node, key, asked) } else { None };
    match spare {
        Some(entry) => kept(request, node, &entry, PageResult::StaleIfError, clock::core_now()),
        None => refused(error),
    }
}

/// The page again, as the answer to a form that was posted to it. It shows what the form's action did, also where that ran
/// on another node.
pub(super) async fn after_form(
    request: &HttpRequest,
    frontend: &Frontend,
    state: FormState,
    cookies: &[String],
    published: &Published,
) -> HttpResponse {
    let node = &frontend.node;
    let Some((page, parameters)) = node.registry.page(request.path()) else {
        return no_page(request);
    };
    let mut head = RequestHead::of(request);
    head.set_cookies(cookies);
    let own = if let Published::At(position) = published { Some(*position) } else { None };
    let asked = Asked::after(request, own, node).await;
    let source = Source { node: Arc::clone(node), page, parameters, head, timeline: None };
    let Ok(place) = node.renders.begin().await else {
        let detail = "the form was taken, but too many pages are made at the moment; reload to see this one";
        return page_error(ErrorCode::Overloaded, detail);
    };
    match source.render(place, takeoff(node, asked), Some(state)).await.page {
        // A browser that posted a form shows a document.
        Ok(page) => html(StatusCode::OK)
            .insert_header((header::CACHE_CONTROL, PRIVATE))
            .body(page.html.for_response(&node.keys)),
        Err(error) => refused(&error),
    }
}

/// A form that was posted to a path without a page: back to where it came from, or a plain word.
fn no_page(request: &HttpRequest) -> HttpResponse {
    let referer = request.headers().get(header::REFERER).and_then(|value| value.to_str().ok());
    // Only to this site: the path and query of a URL whose host is ours.
    let back = referer.and_then(|url| {
        let (_, rest) = url.split_once("://")?;
        rest.strip_prefix(host(request)).filter(|path| stays_here(path))
    });
    match back {
        Some(path) => HttpResponse::SeeOther().insert_header((header::LOCATION, path)).finish(),
        None => html(StatusCode::OK).body(error_page(200, "done")),
    }
}

/// A form that was submitted before, whose action's value is not kept: the page as it is now, without a state. The
/// browser asks for it, so that reloading it submits nothing.
pub(super) fn without_state(request: &HttpRequest, frontend: &Frontend) -> HttpResponse {
    let path = request.uri().path_and_query().map(PathAndQuery::as_str).filter(|path| stays_here(path));
    match path {
        Some(path) if frontend.node.registry.page(request.path()).is_some() => {
            let mut response = HttpResponse::SeeOther().finish();
            super::respond::location(&mut response, path);
            response
        }
        _ => no_page(request),
    }
}

/// Whether a browser that is sent to this path asks the same host.
fn stays_here(path: &str) -> bool {
    // It takes a backslash for a slash, and two of either for another host.
    path.strip_prefix('/').is_some_and(|rest| !rest.starts_with(['/', '\\']))
}

fn refused(error: &PageError) -> HttpResponse {
    match error {
        PageError::Redirect(url) => {
            let mut response = HttpResponse::SeeOther().finish();
            super::respond::location(&mut response, url);
            response
        }
        PageError::NotFound => page_error(ErrorCode::NotFound, "there is no such page"),
        PageError::Failed(_) => {
            page_error(ErrorCode::PageFailed, "something went wrong; it is in the log of the application")
        }
    }
}

fn page_error(code: ErrorCode, detail: &str) -> HttpResponse {
    let status = StatusCode::from_u16(code.status()).expect("the table holds valid statuses");
    let mut head = html(status);
    head.insert_header((header::CACHE_CONTROL, PRIVATE))
        .insert_header((headers::CALLBOARD_ERROR, code.as_str()));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        head.insert_header((header::RETRY_AFTER, "1"));
    }
    head.body(error_page(code.status(), detail))
}

/// Neither GET, HEAD nor POST.
pub(super) fn method_not_allowed(node: &Node) -> HttpResponse {
    Refused::new(ErrorCode::MethodNotAllowed, "pages take GET and HEAD, actions take POST")
        .response(node, super::error_response::Asker::Browser)
}

fn ok(representation: Representation) -> HttpResponseBuilder {
    match representation {
        Representation::Html => html(StatusCode::OK),
        Representation::Payload => {
            let mut head = HttpResponse::build(StatusCode::OK);
            head.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("text/x-component")));
            head
        }
    }
}

fn html(status: StatusCode) -> HttpResponseBuilder {
    let mut head = HttpResponse::build(status);
    head.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")));
    head
}

fn host(request: &HttpRequest) -> &str {
    request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
