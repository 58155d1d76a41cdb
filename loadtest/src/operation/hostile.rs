//! Requests that no server may act on. They are from the corpus in `tests/hostile`, which says more about each.

use std::time::Duration;

use bytes::Bytes;
use callboard_protocol::multipart::media_type;
use hyper::{
    HeaderMap, Method,
    header::{ACCEPT, CONTENT_TYPE, HeaderValue},
};

use super::{Asked, Asks, call::NEXT_ACTION, draws::Draws};
use crate::{
    client::{Body, Request},
    observation::Subject,
};

/// What separates the parts; no text here holds it.
const BOUNDARY: &str = "cut";

/// A request, and whose name it gives.
struct Case {
    reference: Reference,
    sent: Sent,
}

/// The name of the action that a case gives.
#[derive(Clone, Copy)]
enum Reference {
    /// The one that there is.
    Known,
    /// The one that there is, with another last digit.
    Forged,
    /// The one that there is, without its last digit.
    Cut,
    /// This one.
    Of(&'static str),
    /// None, as in a form without JavaScript.
    Missing,
}

enum Sent {
    /// A text, which is repeated so often, and what follows.
    Text(&'static [u8], usize, &'static [u8]),
    /// Parts by name.
    Parts(&'static [(&'static str, &'static str)]),
    /// The bytes of a form.
    Raw(&'static str),
    /// Something of another type.
    Typed(&'static str, &'static str),
}

const fn text(text: &'static [u8]) -> Case {
    Case { reference: Reference::Known, sent: Sent::Text(text, 1, b"") }
}

const fn parts(parts: &'static [(&'static str, &'static str)]) -> Case {
    Case { reference: Reference::Known, sent: Sent::Parts(parts) }
}

const fn raw(body: &'static str) -> Case {
    Case { reference: Reference::Known, sent: Sent::Raw(body) }
}

const fn named(reference: Reference) -> Case {
    Case { reference, sent: Sent::Text(b"[1]", 1, b"") }
}

/// Each is answered with a status from 400 to 499.
const CASES: &[Case] = &[
    // Names that nobody signed.
    named(Reference::Forged),
    named(Reference::Cut),
    named(Reference::Of("x")),
    named(Reference::Of("7faaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
    named(Reference::Of("__proto__")),
    named(Reference::Missing),
    // Text that is none.
    text(b""),
    text(b"[\"\xc3\x28\"]"),
    text(b"[\"\xf0\x9f\x98"),
    text(b"[1,2"),
    text(b"{\"length\":1}"),
    text(b"\"$R1\""),
    // What unpacks to more than it is, or is deeper than a stack.
    Case { reference: Reference::Known, sent: Sent::Text(b"[", 2000, b"") },
    Case { reference: Reference::Known, sent: Sent::Text(b"[{\"\":", 300, b"1") },
    Case { reference: Reference::Known, sent: Sent::Text(b"[[[[[[[[", 100, b"]") },
    text(b"[\"$n1e9\"]"),
    text(b"[\"$n-0x1f\"]"),
    // Paths that reach for what was not sent (CVE-2025-55182).
    parts(&[("1", "{}"), ("0", "[\"$1:__proto__:then\"]")]),
    parts(&[("1", "{}"), ("0", "[\"$1:constructor:constructor\"]")]),
    parts(&[("1", "[5]"), ("0", "[\"$1:map\"]")]),
    text(b"[[],\"$0:0:__proto__:push\"]"),
    // Promises that wait for each other (CVE-2025-55184).
    parts(&[("0", "\"$@0\"")]),
    parts(&[("0", "\"$@1\""), ("1", "\"$@0\"")]),
    // Parts that are used twice, or are something else (CVE-2026-23869).
    parts(&[("1", "[]"), ("0", "[\"$Q1\",\"$Q1\"]")]),
    parts(&[("1", "{}"), ("0", "[\"$W1\"]")]),
    parts(&[("0", "[\"$R1\",\"$x1\"]")]),
    parts(&[("00", "[\"x\"]")]),
    parts(&[("01", "1"), ("0", "[\"$1\"]")]),
    // Forms that name no action, or too many (CVE-2026-44907).
    Case { reference: Reference::Missing, sent: Sent::Parts(&[("title", "x")]) },
    Case { reference: Reference::Missing, sent: Sent::Parts(&[("$ACTION_ID_x", "")]) },
    Case { reference: Reference::Missing, sent: Sent::Parts(&[("$ACTION_ID___proto__", "")]) },
    Case {
        reference: Reference::Missing,
        sent: Sent::Parts(&[
            ("$ACTION_REF_1", ""),
            ("$ACTION_REF_2", ""),
            ("$ACTION_REF_3", ""),
            ("$ACTION_1:0", "{}"),
        ]),
    },
    // Bodies that are not what a browser writes.
    raw(""),
    raw("hello\r\n--cut\r\ncontent-disposition: form-data; name=\"0\"\r\n\r\n[1]\r\n--cut--\r\n"),
    raw("--cut\r\ncontent-disposition: form-data; name=\"0\"\r\n\r\n[1]\r\n"),
    raw("--cut\r\ncontent-disposition: form-data; name=\"0\"\r\n\r\n[1]\r\n--cutter\r\n"),
    Case { reference: Reference::Known, sent: Sent::Typed("text/html", "[1]") },
    Case { reference: Reference::Known, sent: Sent::Typed("multipart/form-data", "[1]") },
    Case { reference: Reference::Known, sent: Sent::Typed("application/x-www-form-urlencoded", "0=[1]") },
];

/// Hostile requests to one action, ready to be sent.
pub(super) struct Attacks(Vec<Request>);

impl Attacks {
    /// On the action with this reference.
    pub(super) fn new(reference: &HeaderValue) -> Self {
        Self(CASES.iter().map(|case| case.request(reference)).collect())
    }

    /// Sends one of them.
    pub(super) async fn perform<A: Asks>(
        &self,
        operation: usize,
        intended: Duration,
        draws: &Draws,
        asks: &A,
    ) {
        let Some(target) = asks.choose() else { return };
        let request = self.0[draws.below(self.0.len())].clone();
        let asked = Asked { operation, target, intended, subject: Subject::Hostile, is_preparation: false };
        asks.ask(asked, request).await;
    }

    #[cfg(test)]
    pub(super) fn requests(&self) -> &[Request] {
        &self.0
    }
}

impl Case {
    fn request(&self, known: &HeaderValue) -> Request {
        let (content_type, bytes) = match &self.sent {
            Sent::Text(text, count, end) => {
                ("text/plain;charset=UTF-8".to_owned(), [&text.repeat(*count), *end].concat().into())
            }
            Sent::Parts(parts) => (media_type(BOUNDARY), written(parts)),
            Sent::Raw(body) => (media_type(BOUNDARY), Bytes::from_static(body.as_bytes())),
            Sent::Typed(content_type, body) => {
                ((*content_type).to_owned(), Bytes::from_static(body.as_bytes()))
            }
        };
        let content_type = HeaderValue::try_from(content_type).expect("a type is ASCII");
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        headers.insert(ACCEPT, HeaderValue::from_static("text/x-component"));
        headers.extend(self.reference.header(known).map(|reference| (NEXT_ACTION, reference)));
        let body = Body::Whole(bytes);
        Request { method: Method::POST, path: "/".into(), headers, body, abort_after: None }
    }
}

impl Reference {
    fn header(self, known: &HeaderValue) -> Option<HeaderValue> {
        let (rest, last) = known.as_bytes().split_at(known.len().saturating_sub(1));
        let forged = if last == b"0" { b"1" } else { b"0" };
        let made = match self {
            Self::Known => return Some(known.clone()),
            Self::Forged => HeaderValue::from_bytes(&[rest, forged].concat()),
            Self::Cut => HeaderValue::from_bytes(rest),
            Self::Of(name) => return Some(HeaderValue::from_static(name)),
            Self::Missing => return None,
        };
        Some(made.expect("the digits of a reference fit a header"))
    }
}

/// The parts of a form, byte by byte: what renders forms for browsers would put some of them right.
fn written(parts: &[(&str, &str)]) -> Bytes {
    let part = |(name, text): &(&str, &str)| {
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let end = format!("--{BOUNDARY}--\r\n");
    parts.iter().map(part).chain([end]).collect::<String>().into()
}
