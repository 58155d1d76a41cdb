//! What a client carries from an action's answer to its next page: where the action's revalidations stand, so that no node
//! serves it anything older.
//!
//! It is signed, so that nobody makes nodes look for positions that there are none of. It says nothing about who carries
//! it, and is no secret.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue},
};
use callboard_protocol::{KeyRing, headers::CALLBOARD_SESSION, revalidation::LogPosition, sealing};
use memchr::memmem;

use crate::cookies::Cookie;

/// How long a browser keeps it at least.
const KEPT_MIN: Duration = Duration::from_mins(1);

/// How long a browser keeps it: after a node's lease no node serves anything older to anybody.
pub(crate) fn kept(lease: Duration) -> Duration {
    KEPT_MIN.max(lease * 2)
}

/// How long a request waits for its node to see what its client saw; a reading of the log takes one round trip to Redis.
pub(crate) const PATIENCE: Duration = Duration::from_millis(20);

/// Made once: asked for as text, it would be copied for each request.
static NAME: HeaderName = HeaderName::from_static(CALLBOARD_SESSION);

/// The token of a position.
pub(crate) fn token(keys: &KeyRing, position: LogPosition) -> String {
    sealing::sign_cookie(keys, CALLBOARD_SESSION, &position.to_string())
}

/// The `set-cookie` header for the token of a position.
///
/// Of the last epochs each has its own cookie: a node that knows the later position may not know what its client saw of the
/// epoch before, if that was lost.
pub(crate) fn cookie(token: &str, position: LogPosition, kept: Duration) -> String {
    let name = format!("{CALLBOARD_SESSION}-{}", position.epoch().as_u64() % EPOCHS);
    Cookie::new(&name, token).max_age(kept).header()
}

/// How many epochs have cookies of their own at a time. One begins where Redis loses its memory, and a cookie is kept for a
/// minute.
const EPOCHS: u64 = 4;

/// The positions that the request's client saw, of those for which `is_new`. Signatures of others are not looked at, and a
/// token without a good one is none.
pub(crate) fn seen(
    request: &HttpRequest,
    keys: &KeyRing,
    is_new: impl Fn(LogPosition) -> bool,
) -> Vec<LogPosition> {
    let tokens = tokens(request.headers()).take(TOKENS_MAX);
    let new = tokens.filter(|token| {
        let position = token.split_once('.').and_then(|(position, _)| parse(position));
        position.is_some_and(&is_new)
    });
    new.filter_map(|token| parse(sealing::verify_cookie(keys, CALLBOARD_SESSION, token).ok()?)).collect()
}

/// Most tokens of a request that are looked at: the header, the cookies, and what a sibling domain set.
const TOKENS_MAX: usize = 8;

/// Whether all cookies are tokens: then the request carries nobody's rights.
pub(crate) fn is_only_cookie(headers: &HeaderMap) -> bool {
    let mut cookies = headers.get_all(COOKIE).flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    cookies.all(is_token)
}

/// Whether a cookie is a token; a program may keep the header as one without a number.
fn is_token(pair: &[u8]) -> bool {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
    match name.strip_prefix(CALLBOARD_SESSION.as_bytes()) {
        Some([]) => true,
        Some([b'-', number]) => number.is_ascii_digit() && u64::from(number - b'0') < EPOCHS,
        _ => false,
    }
}

fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let named = headers.get(&NAME).and_then(|value| value.to_str().ok());
    let lines = headers.get_all(COOKIE).map(HeaderValue::as_bytes);
    // Most requests have none: found before anything is split.
    let lines = lines.filter(|line| memmem::find(line, CALLBOARD_SESSION.as_bytes()).is_some());
    let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
    let ours = pairs.filter(|pair| is_token(pair));
    let values = ours.filter_map(|pair| str::from_utf8(pair).ok()?.split_once('='));
    named.into_iter().chain(values.map(|(_, value)| value.trim()))
}

fn parse(position: &str) -> Option<LogPosition> {
    position.parse().ok().map(LogPosition::from_u64)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use callboard_protocol::{key_ring::KeyId, revalidation::Epoch};

    use super::*;

    fn keys(seed: u8) -> KeyRing {
        KeyRing::generate(KeyId::new(1), [seed; 32])
    }

    fn at(position: u64) -> LogPosition {
        LogPosition::from_u64(position)
    }

    fn seen_of(headers: &[(&'static str, String)]) -> Vec<LogPosition> {
        let request = headers.iter().fold(TestRequest::get(), |request, (name, value)| {
            request.append_header((*name, value.as_str()))
        });
        seen(&request.to_http_request(), &keys(1), |position| position > at(5))
    }

    #[test]
    fn a_token_comes_back_as_a_header_or_among_cookies() {
        let token = token(&keys(1), at(7));
        assert_eq!(seen_of(&[(CALLBOARD_SESSION, token.clone())]), [at(7)]);
        assert_eq!(seen_of(&[("cookie", format!("a=1; {CALLBOARD_SESSION}={token}; b=2"))]), [at(7)]);
        let later = super::token(&keys(1), at(9));
        let both = [("cookie", format!("{CALLBOARD_SESSION}={later}")), (CALLBOARD_SESSION, token)];
        assert_eq!(seen_of(&both), [at(7), at(9)]);
        assert_eq!(seen_of(&[]), []);
    }

    #[test]
    fn what_this_cluster_did_not_sign_is_no_token() {
        let good = token(&keys(1), at(7));
        let forged = [
            token(&keys(2), at(7)),
            good.replacen('7', "8", 1),
            sealing::sign_cookie(&keys(1), "other", "7"),
            "7".into(),
            format!("{}.x", u64::MAX),
            String::new(),
        ];
        for forged in forged {
            assert_eq!(seen_of(&[(CALLBOARD_SESSION, forged.clone())]), [], "{forged}");
        }
    }

    #[test]
    fn a_token_of_what_is_applied_is_not_looked_at() {
        assert_eq!(seen_of(&[(CALLBOARD_SESSION, token(&keys(1), at(5)))]), []);
    }

    #[test]
    fn what_was_seen_of_an_epoch_stays_when_the_next_one_begins() {
        let of_epoch = |number| LogPosition::new(Epoch::new(number).expect("small"), 7).expect("small");
        let pair = |position| {
            let cookie = cookie(&token(&keys(1), position), position, KEPT_MIN);
            cookie.split(';').next().expect("a pair").to_owned()
        };
        let both = [6, 7].map(of_epoch);
        assert_eq!(seen_of(&[("cookie", both.map(pair).join("; "))]), both);
        let names =
            [6, 7, 8, 9, 10].map(|number| pair(of_epoch(number)).split('=').next().map(str::to_owned));
        assert_eq!(names[0], names[4]);
        assert_eq!(names[0].as_deref(), Some("callboard-session-2"));
    }

    #[test]
    fn a_token_is_kept_for_longer_than_a_lease() {
        let [short, long] = [1, 90].map(|lease| kept(Duration::from_secs(lease)));
        assert!(cookie("1.x", at(1), short).contains("Max-Age=60"), "{}", cookie("1.x", at(1), short));
        assert!(cookie("1.x", at(1), long).contains("Max-Age=180"));
    }

    #[test]
    fn a_request_with_the_token_alone_carries_no_rights() {
        let only = |line: &str| {
            is_only_cookie(TestRequest::get().append_header(("cookie", line)).to_http_request().headers())
        };
        assert!(only("callboard-session=1.x"));
        assert!(only("callboard-session-0=1.x; callboard-session-3=1.x"));
        assert!(!only("callboard-session-4=1.x") && !only("callboard-session-=1.x"));
        assert!(!only("callboard-session=1.x; account=ann"));
        assert!(!only("callboard-sessions=1"));
    }
}
