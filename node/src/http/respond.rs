//! A settlement as a response.

use std::{fmt::Write as _, sync::Arc};

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use callboard_protocol::{
    ErrorCode,
    action::{CallId, Outcome, Redirect, RedirectKind, Settled, VALUE_ROW},
    flight, headers,
};

use super::{
    Refused,
    error_response::Asker,
    intake::Intake,
    streamed::{Open, StreamedAnswer},
};
use crate::{
    actors::{Answered, Published, Replayed, Settlement},
    node::Node,
    session,
};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-cache, no-store, max-age=0, must-revalidate");

/// The answer to React's or Next's client: row 0 names the row of the value, whatever became of it. `intake` is what
/// is still to be read of the body, if the answer goes on.
pub(super) fn to_fetch(node: &Arc<Node>, answered: Answered, intake: Option<Intake>) -> HttpResponse {
    let Answered { call, settlement, waiting, .. } = answered;
    let Settlement { outcome, published, replayed: earlier, rest } = settlement;
    if let Published::Unconfirmed = published {
        return unconfirmed(node, call, &outcome, Asker::Fetch);
    }
    let mut body = Vec::with_capacity(256);
    body.extend_from_slice(&node.root_row);
    let mut goes_on = None;
    let status = match (&outcome.settled, outcome.effects.fallback) {
        (Settled::Mismatch(detail), _) => {
            return Refused::new(ErrorCode::ArgumentMismatch, detail.clone()).response(node, Asker::Fetch);
        }
        (Settled::Thrown(thrown), _) => {
            body.extend_from_slice(&flight::error_row(VALUE_ROW, &thrown.digest));
            thrown.code.status()
        }
        (_, Some(fallback)) => {
            body.extend_from_slice(&flight::error_row(VALUE_ROW, &fallback.digest()));
            fallback.code().status()
        }
        (Settled::Value(answer), None) => {
            body.extend_from_slice(&answer.head);
            goes_on = rest;
            200
        }
    };
    let status = StatusCode::from_u16(status).expect("the table holds valid statuses");
    let mut head = HttpResponse::build(status);
    head.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("text/x-component")));
    let mut response = match goes_on {
        None => head.body(body),
        Some(rest) => {
            let open = Open::new(rest, intake, waiting);
            head.body(StreamedAnswer::new(body.into(), open))
        }
    };
    if let Some(redirect) = redirect(&outcome) {
        let kind = match redirect.kind {
            RedirectKind::Push => "push",
            RedirectKind::Replace => "replace",
        };
        // The client cuts at the first semicolon.
        set(
            &mut response,
            headers::X_ACTION_REDIRECT,
            &format!("{};{kind}", encoded_url(&redirect.url).replace(';', "%3B")),
        );
    }
    effects(&mut response, node, call, &outcome, &published, Asker::Fetch);
    replayed(&mut response, earlier);
    response
}

/// The redirect that is followed: only where the action neither failed nor answered with a fallback.
pub(super) fn redirect(outcome: &Outcome) -> Option<&Redirect> {
    let returned = matches!(outcome.settled, Settled::Value(_)) && outcome.effects.fallback.is_none();
    outcome.effects.redirect.as_ref().filter(|_| returned)
}

/// The action ended, and nobody knows whether what it revalidated is.
pub(super) fn unconfirmed(node: &Node, call: CallId, outcome: &Outcome, asker: Asker) -> HttpResponse {
    let detail = "the action ended, but what it revalidated is not confirmed; pages may be old for a while";
    let mut response = Refused::new(ErrorCode::OutcomeUnknown, detail).of_call(call).response(node, asker);
    set(&mut response, headers::CALLBOARD_REVALIDATION, "unconfirmed");
    cookies(&mut response, outcome);
    response
}

/// Headers that follow from what the action ended in and what it asked for.
pub(super) fn effects(
    response: &mut HttpResponse,
    node: &Node,
    call: CallId,
    outcome: &Outcome,
    published: &Published,
    asker: Asker,
) {
    let failure = match (&outcome.settled, outcome.effects.fallback) {
        (Settled::Thrown(thrown), _) => Some(thrown.code),
        (_, Some(fallback)) => Some(fallback.code()),
        _ => None,
    };
    let settled = if matches!(outcome.settled, Settled::Thrown(_)) { "failed" } else { "done" };
    set(response, headers::CALLBOARD_OUTCOME, settled);
    if let Some(code) = failure {
        set(response, headers::CALLBOARD_ERROR, code.as_str());
        set(response, headers::CALLBOARD_CALL_ID, &call.to_string());
    }
    if !response.headers().contains_key(header::CACHE_CONTROL) {
        response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    }
    cookies(response, outcome);
    if let Published::At(position) = published {
        set(response, headers::CALLBOARD_REVALIDATED_AT, &position.to_string());
        let token = session::token(&node.keys, *position);
        set(response, headers::CALLBOARD_SESSION, &token);
        let kept = session::kept(node.settings.cache_lease);
        add_cookie(response, &session::cookie(&token, *position, kept));
    }
    if asker == Asker::Fetch {
        match published {
            Published::Nothing if outcome.effects.refresh => {
                set(response, headers::X_ACTION_REVALIDATED, "2")
            }
            Published::Nothing => {}
            Published::At(_) | Published::Unconfirmed => set(response, headers::X_ACTION_REVALIDATED, "1"),
        }
    }
}

/// Says so if this is what an earlier call ended in.
pub(super) fn replayed(response: &mut HttpResponse, earlier: Option<Replayed>) {
    match earlier {
        None => {}
        Some(Replayed::Whole) => set(response, headers::CALLBOARD_REPLAYED, "1"),
        Some(Replayed::BodyNotKept) => set(response, headers::CALLBOARD_REPLAYED, "body-not-kept"),
    }
}

fn cookies(response: &mut HttpResponse, outcome: &Outcome) {
    for cookie in &outcome.effects.cookies {
        add_cookie(response, cookie);
    }
}

fn add_cookie(response: &mut HttpResponse, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Where a browser goes next.
pub(super) fn location(response: &mut HttpResponse, url: &str) {
    set(response, "location", &encoded_url(url));
}

/// A URL as a header can carry it: what is no visible ASCII is percent-encoded, so that a line end in it is not the
/// start of another header.
fn encoded_url(url: &str) -> String {
    let mut encoded = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            0x21..=0x7E => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
    }
    encoded
}

/// Sets a header whose value is visible ASCII.
fn set(response: &mut HttpResponse, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_says_how_much_of_it_there_is() {
        for (earlier, expected) in [
            (None, None),
            (Some(Replayed::Whole), Some("1")),
            (Some(Replayed::BodyNotKept), Some("body-not-kept")),
        ] {
            let mut response = HttpResponse::Ok().finish();
            replayed(&mut response, earlier);
            let header = response.headers().get(headers::CALLBOARD_REPLAYED);
            assert_eq!(header.map(|value| value.to_str().expect("text")), expected);
        }
    }
}
