//! A page that is kept, as a response.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use callboard_cluster::{cache::Arrived, clock::Instant};
use callboard_protocol::headers;

use super::{
    ACCEPT, ASK_FIRST,
    accepted::{takes_gzip, takes_payload},
    ok,
};
use crate::{
    metrics::PageResult,
    node::Node,
    render_cache::{Entry, Etag, Shown},
};

// Made once: a name of ours that is given as text is copied for each response.
static CACHE_GROUPS: HeaderName = HeaderName::from_static(headers::CACHE_GROUPS);
static CACHE_STATUS: HeaderName = HeaderName::from_static(headers::CACHE_STATUS);
static RENDER: HeaderName = HeaderName::from_static(headers::CALLBOARD_RENDER);
const ACCEPT_AND_ENCODING: HeaderValue = HeaderValue::from_static("accept, accept-encoding");
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// The response: its HTML or its payload, compressed where it is there compressed and the client takes that.
pub(super) fn kept(
    request: &HttpRequest,
    node: &Node,
    entry: &Arc<Entry>,
    result: PageResult,
    now: Instant,
) -> HttpResponse {
    node.metrics.tally.page(result);
    let shown = Shown::new(Arc::clone(entry), || takes_payload(request.headers()));
    let varies = shown.varies();
    let gzip = if varies && takes_gzip(request.headers()) { shown.gzip() } else { None };
    let etag = shown.etag();
    let known = request.headers().get(header::IF_NONE_MATCH);
    let is_known = |etag: &str| known.is_some_and(|known| matches_etag(known, etag));
    // Either encoding is the same page: whoever has one needs no other.
    let unchanged = match gzip {
        Some(gzip) if gzip.etag.to_str().is_ok_and(is_known) => Some(gzip.etag.clone()),
        _ => etag.filter(|etag| is_known(etag.as_str())).map(Etag::to_header),
    };
    let is_unchanged = unchanged.is_some();
    let mut head =
        if is_unchanged { HttpResponse::build(StatusCode::NOT_MODIFIED) } else { ok(shown.representation()) };
    let of_body = || gzip.map_or_else(|| etag.map(Etag::to_header), |gzip| Some(gzip.etag.clone()));
    if let Some(etag) = unchanged.or_else(of_body) {
        head.insert_header((header::ETAG, etag));
    }
    if let Some(on) = vary(entry, varies) {
        head.insert_header((header::VARY, on));
    }
    if let Some(groups) = shown.groups() {
        head.insert_header((&CACHE_GROUPS, groups));
    }
    head.insert_header((header::CACHE_CONTROL, ASK_FIRST))
        .insert_header((&RENDER, HeaderValue::from(entry.render)))
        .insert_header((&CACHE_STATUS, cache_status(result)));
    if node.settings.cache_debug_header {
        debug(&mut head, node, entry, now);
    }
    match gzip {
        _ if is_unchanged => head.finish(),
        Some(gzip) => {
            head.insert_header((header::CONTENT_ENCODING, GZIP));
            head.body(gzip.body.clone())
        }
        None => head.body(shown.body(&node.keys)),
    }
}

/// What the answer says of the cache (RFC 9211).
pub(super) fn cache_status(result: PageResult) -> HeaderValue {
    HeaderValue::from_static(match result {
        PageResult::Hit => "callboard; hit",
        PageResult::Stale => "callboard; hit; detail=stale",
        PageResult::StaleIfError => "callboard; hit; detail=stale-if-error",
        PageResult::FencedHit => "callboard; hit; detail=fenced",
        PageResult::Miss => "callboard; fwd=miss",
        PageResult::FencedMiss => "callboard; fwd=miss; detail=fenced",
        PageResult::Bypass | PageResult::None => "callboard; fwd=bypass",
    })
}

/// What the response depends on, besides what the page is kept under.
fn vary(entry: &Entry, by_encoding: bool) -> Option<HeaderValue> {
    match (entry.has_payload(), by_encoding) {
        (true, true) => Some(ACCEPT_AND_ENCODING),
        (true, false) => Some(ACCEPT),
        (false, true) => Some(ACCEPT_ENCODING),
        (false, false) => None,
    }
}

/// How the page was found, for whoever wonders.
fn debug(head: &mut HttpResponseBuilder, node: &Node, entry: &Entry, now: Instant) {
    let Arrived { applied, leased } = node.versions.arrive(now);
    let age = now.since(entry.made).as_millis();
    let birth = entry.birth();
    let text = format!("birth={birth}; applied={applied}; leased={}; age_ms={age}", u8::from(leased));
    head.insert_header((headers::CALLBOARD_CACHE, text));
}

/// RFC 9110 §13.1.2: a list of tags, compared weakly.
fn matches_etag(known: &HeaderValue, etag: &str) -> bool {
    let Ok(known) = known.to_str() else { return false };
    known
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}
