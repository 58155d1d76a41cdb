//! GET and HEAD: a page from the render cache, or rendered now.

use std::{
    panic::AssertUnwindSafe,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderValue},
        uri::PathAndQuery,
    },
};
use callboard_cluster::flight_table::Arrival;
use callboard_protocol::{
    ErrorCode, headers,
    revalidation::{LogPosition, Tag},
};
use futures_util::FutureExt as _;
use tokio::sync::oneshot;
use tracing::error;

use super::{Refused, error_response::error_page};
use crate::{
    PageError,
    actors::Frontend,
    context::{Facts, FormState, PageContext, Rendering},
    node::Node,
    page_body::PageBody,
    registry::PageEntry,
    render_cache::{Entry, Flown, PageKey, PageKeyRef},
    request::RequestHead,
};

/// What the answer says of the cache (RFC 9211).
const HIT: HeaderValue = HeaderValue::from_static("callboard; hit");
const MISS: HeaderValue = HeaderValue::from_static("callboard; fwd=miss");
const BYPASS: HeaderValue = HeaderValue::from_static("callboard; fwd=bypass");
/// Browsers may keep a page and must ask before they show it; shared caches may not: they are told of no
/// revalidation.
const ASK_FIRST: HeaderValue = HeaderValue::from_static("private, no-cache");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");

/// Answers a GET or HEAD.
pub(super) async fn get(request: HttpRequest, frontend: Rc<Frontend>) -> HttpResponse {
    let node = &frontend.node;
    let key = PageKeyRef { host: host(&request), path: request.path(), query: request.query_string() };
    if let Some(entry) = node.cache.fresh(&key, &node.versions) {
        return kept(&request, node, &entry, HIT);
    }
    Box::pin(rendered(&request, node, key)).await
}

/// A page that is not in the cache.
async fn rendered(request: &HttpRequest, node: &Arc<Node>, key: PageKeyRef<'_>) -> HttpResponse {
    let Some((page, parameters)) = node.registry.page(request.path()) else {
        return refused(&PageError::NotFound);
    };
    let source = Source { node: Arc::clone(node), page, parameters, head: RequestHead::of(request) };
    if source.keeps() && !source.registered_private() {
        match shared(source.clone(), key.to_key()).await {
            Flown::Page(entry) => return kept(request, node, &entry, MISS),
            Flown::Failed(error) => return refused(&error),
            Flown::Private => {}
        }
    }
    alone(request, source, key).await
}

/// The page again, as the answer to a form that was posted to it.
pub(super) async fn after_form(
    request: &HttpRequest,
    frontend: &Frontend,
    state: FormState,
    cookies: &[String],
) -> HttpResponse {
    let node = &frontend.node;
    let Some((page, parameters)) = node.registry.page(request.path()) else {
        return no_page(request);
    };
    let mut head = RequestHead::of(request);
    head.set_cookies(cookies);
    let source = Source { node: Arc::clone(node), page, parameters, head };
    match source.render(Some(state)).await.page {
        Ok(body) => html(StatusCode::OK)
            .insert_header((header::CACHE_CONTROL, PRIVATE))
            .body(body.for_response(&node.keys)),
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

/// A render that others may use, too: one runs per key, and at most one more waits.
async fn shared(source: Source, key: PageKey) -> Flown {
    let (sender, flown) = oneshot::channel();
    let node = Arc::clone(&source.node);
    // The position is read after the request arrived and before anything is rendered.
    let arrival = node.cache.flights().arrive(&key, node.versions.applied(), sender);
    if let Arrival::Render(birth) = arrival {
        // Spawned: others wait for it, whatever becomes of this request.
        actix::spawn(fly(source, key, birth));
    }
    flown.await.unwrap_or_else(|_| Flown::Failed(Arc::new(PageError::Failed("the render was lost".into()))))
}

/// Renders until nobody waits.
async fn fly(source: Source, key: PageKey, mut birth: LogPosition) {
    let node = &source.node;
    loop {
        let Render { page, private, tags, ttl } = source.render(None).await;
        let flown = match page {
            _ if private => Flown::Private,
            Ok(body) => {
                let entry = Arc::new(Entry::new(body, birth, tags.clone(), ttl));
                node.cache.keep(key.clone(), Arc::clone(&entry));
                Flown::Page(entry)
            }
            // "Not found" may be stale, too: it is shared by the same rule, and kept nowhere.
            Err(error) => Flown::Failed(Arc::new(error)),
        };
        if matches!(flown, Flown::Private) {
            source.register_private();
            for waiting in node.cache.flights().disband(&key) {
                drop(waiting.send(Flown::Private));
            }
            return;
        }
        let landing = node.cache.flights().land(&key, &tags, &node.versions);
        for waiting in landing.served {
            // A request that went away is owed nothing.
            drop(waiting.send(flown.clone()));
        }
        match landing.again {
            Some(next) => birth = next,
            None => return,
        }
    }
}

/// A render for this request only.
async fn alone(request: &HttpRequest, source: Source, key: PageKeyRef<'_>) -> HttpResponse {
    let birth = source.node.versions.applied();
    let Render { page, private, tags, ttl } = source.render(None).await;
    match page {
        Ok(body) if private || !source.keeps() => html(StatusCode::OK)
            .insert_header((header::CACHE_CONTROL, PRIVATE))
            .insert_header((headers::CACHE_STATUS, BYPASS))
            .body(body.for_response(&source.node.keys)),
        Ok(body) => {
            let entry = Arc::new(Entry::new(body, birth, tags, ttl));
            source.node.cache.keep(key.to_key(), Arc::clone(&entry));
            kept(request, &source.node, &entry, MISS)
        }
        Err(error) => refused(&error),
    }
}

/// Where a render comes from.
#[derive(Clone)]
struct Source {
    node: Arc<Node>,
    page: &'static PageEntry,
    parameters: Vec<(String, String)>,
    head: RequestHead,
}

/// A finished render. Private or not, and under which tags, whatever it ended in.
struct Render {
    page: Result<PageBody, PageError>,
    private: bool,
    tags: Vec<Tag>,
    /// How long it may be served: what the page says, or less where something in it expires.
    ttl: Option<Duration>,
}

impl Source {
    async fn render(&self, form_state: Option<FormState>) -> Render {
        // Closed never: the semaphore lives as long as the node.
        let _permit = self.node.renders.acquire().await;
        let cx = PageContext::new(Rendering {
            node: Arc::clone(&self.node),
            head: self.head.clone(),
            parameters: self.parameters.clone(),
            form_state,
            id: self.node.cache.next_render_id(),
        });
        // The inner block makes a panic before the first await one of the page's, too.
        let rendering = AssertUnwindSafe(async { (self.page.render)(&cx).await }).catch_unwind();
        let page = match tokio::time::timeout(self.node.settings.render_timeout, rendering).await {
            Ok(rendered) => rendered.unwrap_or_else(|_| Err(PageError::Failed("panicked".into()))),
            Err(_) => Err(PageError::Failed("took longer than render_timeout".into())),
        };
        if let Err(PageError::Failed(reason)) = &page {
            error!(page = self.page.pattern, reason, "page failed");
        }
        let Facts { private, mut tags, expires_in } = cx.into_facts();
        tags.extend(self.tags());
        tags.sort_unstable();
        tags.dedup();
        // Boxed: the spare room of a string that grew would count for nothing in the cache's limit.
        let page =
            page.map(|html| PageBody::new(html.into_string().into_boxed_str().into_boxed_bytes().into()));
        let ttl = self.page.ttl.into_iter().chain(expires_in).min();
        Render { page, private, tags, ttl }
    }

    /// Whether renders are kept. Not in a cluster: what other nodes revalidate is not known here, and no page may be
    /// older than that.
    fn keeps(&self) -> bool {
        self.page.cached && !self.node.is_clustered()
    }

    /// The tags known before anything is rendered.
    fn tags(&self) -> Vec<Tag> {
        let named = self.page.tags.iter().map(|tag| Tag::named(tag));
        named.chain([Tag::path(&self.head.path)]).collect()
    }

    /// A page that was private once is rendered for each request alone from then on, so that nobody waits for a
    /// render that he may not use. It is still kept when it turns out to be for everybody.
    fn register_private(&self) {
        if let Some(seen) = self.node.private_pages.get(self.page.pattern) {
            seen.store(true, Ordering::Relaxed);
        }
    }

    fn registered_private(&self) -> bool {
        self.node.private_pages.get(self.page.pattern).is_some_and(|seen| seen.load(Ordering::Relaxed))
    }
}

fn kept(request: &HttpRequest, node: &Node, entry: &Entry, cache_status: HeaderValue) -> HttpResponse {
    let known = request.headers().get(header::IF_NONE_MATCH);
    let unchanged = entry.etag.as_ref().zip(known).is_some_and(|(etag, known)| matches_etag(known, etag));
    let mut head =
        if unchanged { HttpResponse::build(StatusCode::NOT_MODIFIED) } else { html(StatusCode::OK) };
    if let Some(etag) = &entry.etag {
        head.insert_header((header::ETAG, etag.clone()));
    }
    head.insert_header((header::CACHE_CONTROL, ASK_FIRST))
        .insert_header((headers::CACHE_STATUS, cache_status));
    if unchanged { head.finish() } else { head.body(entry.body.for_response(&node.keys)) }
}

/// RFC 9110 §13.1.2: a list of tags, compared weakly.
fn matches_etag(known: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(known), Ok(etag)) = (known.to_str(), etag.to_str()) else { return false };
    known
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
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
    html(status)
        .insert_header((header::CACHE_CONTROL, PRIVATE))
        .insert_header((headers::CALLBOARD_ERROR, code.as_str()))
        .body(error_page(code.status(), detail))
}

/// Neither GET, HEAD nor POST.
pub(super) fn method_not_allowed(node: &Node) -> HttpResponse {
    Refused::new(ErrorCode::MethodNotAllowed, "pages take GET and HEAD, actions take POST")
        .response(node, super::error_response::Asker::Browser)
}

fn html(status: StatusCode) -> HttpResponseBuilder {
    let mut head = HttpResponse::build(status);
    head.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")));
    head
}

fn host(request: &HttpRequest) -> &str {
    request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_a_browser_takes_for_another_host_does_not_stay_here() {
        for path in ["/", "/a", "/a//b", "/?next=//x"] {
            assert!(stays_here(path), "{path}");
        }
        for path in ["", "a", "//x", "/\\x", "https://x"] {
            assert!(!stays_here(path), "{path}");
        }
    }
}
