//! What a client takes: which representation of a page (RFC 9110 §12.5.1), and which encoding of it (§12.5.3).

use actix_web::http::header::{self, HeaderMap};

/// In thousandths, as they have three digits at most; 0 is not taken at all.
type Weight = u16;

const FULL: Weight = 1000;

/// Whether the payload of a page is what the client would rather have: it is named, and HTML is not preferred. Who takes
/// anything means a document.
pub(super) fn takes_payload(headers: &HeaderMap) -> bool {
    let ranges = || headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).flat_map(listed);
    let weight_of = |wanted: &str| ranges().find_map(|(name, weight)| is(name, wanted).then_some(weight));
    let Some(payload) = weight_of("text/x-component") else { return false };
    // Of several ranges that HTML is in, the most specific counts.
    let html = ["text/html", "text/*", "*/*"].into_iter().find_map(weight_of).unwrap_or(0);
    payload > 0 && payload >= html
}

/// Whether gzip is named, or all that is not named, and not at weight 0.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let Some(accepted) = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let weight_of =
        |wanted: &str| listed(accepted).find_map(|(name, weight)| is(name, wanted).then_some(weight));
    weight_of("gzip").or_else(|| weight_of("*")).unwrap_or(0) > 0
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

/// The members of a list, each with its weight. Other parameters say nothing of what there is here.
fn listed(list: &str) -> impl Iterator<Item = (&str, Weight)> {
    list.split(',').map(|member| {
        let mut parameters = member.split(';').map(str::trim);
        let name = parameters.next().unwrap_or_default();
        let weight = parameters.find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            is(key, "q").then(|| thousandths(value))
        });
        (name, weight.unwrap_or(FULL))
    })
}

/// `0.5` is 500. What is no weight is none.
fn thousandths(text: &str) -> Weight {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" if is_number => FULL,
        "0" if is_number => {
            let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
            digits.fold(0, |weight, digit| weight * 10 + Weight::from(digit - b'0'))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn of(name: &header::HeaderName, lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn a_payload_is_sent_to_those_that_name_it_and_like_html_no_more() {
        for text in [
            "text/x-component",
            "TEXT/X-Component ; Q=0.1",
            "text/x-component, */*",
            "text/html, text/x-component",
            "text/html;q=0.9, text/x-component;q=0.95",
            "text/x-component;q=0.5, text/html;q=0, */*",
            "text/x-component;q=0.5, text/*;q=0.4, */*",
            "text/x-component;charset=utf-8;q=1.000, text/html;level=1",
        ] {
            assert!(takes_payload(&of(&header::ACCEPT, &[text])), "{text}");
        }
        for text in [
            "",
            "*/*",
            "text/*",
            "text/html",
            "text/x-component;q=0",
            "text/x-component;q=0.000",
            "text/x-component;q=2",
            "text/x-component;q=0.5, */*",
            "text/x-component;q=0.5, text/html;q=0.501",
            "text/x-components, application/text/x-component",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        ] {
            assert!(!takes_payload(&of(&header::ACCEPT, &[text])), "{text}");
        }
        assert!(!takes_payload(&HeaderMap::new()));
    }

    #[test]
    fn what_is_accepted_may_stand_in_several_lines() {
        assert!(takes_payload(&of(&header::ACCEPT, &["text/html;q=0.5", "text/x-component;q=0.6"])));
        assert!(!takes_payload(&of(&header::ACCEPT, &["text/x-component;q=0.6", "text/html"])));
    }

    #[test]
    fn gzip_is_sent_to_those_that_take_it() {
        let takes = |text: &'static str| takes_gzip(&of(&header::ACCEPT_ENCODING, &[text]));
        for text in ["gzip", "br, GZIP;q=0.5", "deflate,gzip;q=1.0", "*", "br;q=0, *;q=0.1"] {
            assert!(takes(text), "{text}");
        }
        for text in ["", "br", "gzip;q=0", "gzip;q=0.000, *", "identity", "*;q=0", "xgzip", "gzip;q=x"] {
            assert!(!takes(text), "{text}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
