//! Which sites' pages may call: a form of another site carries this site's cookies.

use actix_web::HttpRequest;
use actix_web::http::header;
use callboard_protocol::origin::{self, OriginCheck, OriginRefused};

use super::Refused;
use crate::{node::Node, session};

/// Most bytes of one header that a refusal repeats.
const ECHO_BYTES_MAX: usize = 64;

/// Lets a POST in if it comes from a page of this site or of an allowed one.
pub(super) fn check(node: &Node, request: &HttpRequest) -> Result<(), Refused> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let settings = &node.settings;
    let origin = match request.headers().get(header::ORIGIN) {
        // What is no text is no URL.
        Some(value) => Some(value.to_str().unwrap_or("\u{FFFD}")),
        None => None,
    };
    let checked = origin::decide(OriginCheck {
        origin,
        sec_fetch_site: text("sec-fetch-site"),
        x_forwarded_host: settings.trust_forwarded_host.then(|| text("x-forwarded-host")).flatten(),
        host: text("host"),
        has_cookie: !session::is_only_cookie(request.headers()),
        allowed: &node.origins,
        allow_missing: settings.allow_missing_origin,
    });
    checked.map_err(|refused| {
        let code = refused.code();
        match refused {
            OriginRefused::Malformed(_) => Refused::new(code, "the Origin header is not a URL"),
            OriginRefused::Foreign { origin, host } => {
                let (origin, host) = (cut(origin), cut(host));
                Refused::new(code, OriginRefused::Foreign { origin, host }.to_string())
            }
            other => Refused::new(code, other.to_string()),
        }
    })
}

/// No more of a header is sent back than it takes to see which one it was.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(ECHO_BYTES_MAX));
    text
}
