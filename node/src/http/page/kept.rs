//! A page that is kept, as a response.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
};
use callboard_cluster::{cache::Arrived, clock::Instant};
use callboard_protocol::headers;

use super::{ASK_FIRST, html};
use crate::{
    node::Node,
    render_cache::{Entry, Etag, Shown},
};

// Made once: a name of ours that is given as text is copied for each response.
static CACHE_GROUPS: HeaderName = HeaderName::from_static(headers::CACHE_GROUPS);
static CACHE_STATUS: HeaderName = HeaderName::from_static(headers::CACHE_STATUS);
static RENDER: HeaderName = HeaderName::from_static(headers::CALLBOARD_RENDER);
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// The response, compressed where it is there compressed and the client takes that.
pub(super) fn kept(
    request: &HttpRequest,
    node: &Node,
    entry: &Arc<Entry>,
    cache_status: HeaderValue,
    now: Instant,
) -> HttpResponse {
    let varies = entry.varies();
    let gzip = if varies && takes_gzip(request.headers()) { entry.gzip() } else { None };
    let (shown, etag) = (Shown::new(Arc::clone(entry)), entry.etag());
    let known = request.headers().get(header::IF_NONE_MATCH);
    let is_known = |etag: &str| known.is_some_and(|known| matches_etag(known, etag));
    // Either encoding is the same page: whoever has one needs no other.
    let unchanged = match gzip {
        Some(gzip) if gzip.etag.to_str().is_ok_and(is_known) => Some(gzip.etag.clone()),
        _ => etag.filter(|etag| is_known(etag.as_str())).map(Etag::to_header),
    };
    let is_unchanged = unchanged.is_some();
    let mut head =
        if is_unchanged { HttpResponse::build(StatusCode::NOT_MODIFIED) } else { html(StatusCode::OK) };
    let of_body = || gzip.map_or_else(|| etag.map(Etag::to_header), |gzip| Some(gzip.etag.clone()));
    if let Some(etag) = unchanged.or_else(of_body) {
        head.insert_header((header::ETAG, etag));
    }
    if varies {
        head.insert_header((header::VARY, ACCEPT_ENCODING));
    }
    if let Some(groups) = shown.groups() {
        head.insert_header((&CACHE_GROUPS, groups));
    }
    head.insert_header((header::CACHE_CONTROL, ASK_FIRST))
        .insert_header((&RENDER, HeaderValue::from(entry.render)))
        .insert_header((&CACHE_STATUS, cache_status));
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

/// How the page was found, for whoever wonders.
fn debug(head: &mut HttpResponseBuilder, node: &Node, entry: &Entry, now: Instant) {
    let Arrived { applied, leased } = node.versions.arrive(now);
    let age = now.since(entry.made).as_millis();
    let birth = entry.birth();
    let text = format!("birth={birth}; applied={applied}; leased={}; age_ms={age}", u8::from(leased));
    head.insert_header((headers::CALLBOARD_CACHE, text));
}

/// RFC 9110 §12.5.3: named, or all that are not named, and not at weight 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let Some(accepted) = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let weights = |wanted: &str| {
        accepted.split(',').find_map(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            name.trim().eq_ignore_ascii_case(wanted).then(|| !is_zero(weight))
        })
    };
    weights("gzip").or_else(|| weights("*")).unwrap_or(false)
}

fn is_zero(weight: &str) -> bool {
    let digits = weight.trim().strip_prefix("q=").or_else(|| weight.trim().strip_prefix("Q="));
    digits.is_some_and(|digits| {
        digits.starts_with('0') && digits.bytes().all(|byte| matches!(byte, b'0' | b'.'))
    })
}

/// RFC 9110 §13.1.2: a list of tags, compared weakly.
fn matches_etag(known: &HeaderValue, etag: &str) -> bool {
    let Ok(known) = known.to_str() else { return false };
    known
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_that_take_it() {
        let takes = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
            takes_gzip(&headers)
        };
        for text in ["gzip", "br, GZIP;q=0.5", "deflate,gzip;q=1.0", "*", "br;q=0, *;q=0.1"] {
            assert!(takes(text), "{text}");
        }
        for text in ["", "br", "gzip;q=0", "gzip;q=0.000, *", "identity", "*;q=0", "xgzip"] {
            assert!(!takes(text), "{text}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
