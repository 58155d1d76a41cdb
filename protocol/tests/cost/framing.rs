//! Multipart bodies as bytes, in one piece and in single bytes.

use bytes::Bytes;
use callboard_protocol::multipart::{Collector, Limits};

use crate::{Allowed, Cost, assert_linear};

const HEAD: &str = "--cut\r\ncontent-disposition: form-data; name=\"0\"\r\n";

/// A name is copied, a text is not; a part of nothing but a short name is a hundred bytes of memory.
const ALLOWED: Allowed = Allowed { steps_per_byte: 0, peak_per_byte: 8, total_per_byte: 16 };
/// Each byte is a piece of its own, with a place and a count.
const ALLOWED_IN_BYTES: Allowed = Allowed { peak_per_byte: 64, total_per_byte: 256, ..ALLOWED };

fn collect(pieces: impl Iterator<Item = Bytes>) {
    let limits = Limits { parts_max: usize::MAX, header_bytes_max: usize::MAX };
    let mut collector = Collector::new("cut", limits).expect("the boundary is one");
    for piece in pieces {
        if collector.push(piece).is_err() {
            return;
        }
    }
    // Whether it is accepted is not the question here.
    let _ = collector.finish();
}

fn assert_both_linear(name: &str, body: impl Fn(usize) -> String) {
    assert_linear(name, ALLOWED, |n| {
        let body = Bytes::from(body(n));
        Cost::of(body.len(), || {
            collect([body].into_iter());
            0
        })
    });
    assert_linear(&format!("{name}, in bytes"), ALLOWED_IN_BYTES, |n| {
        let body = Bytes::from(body(n));
        Cost::of(body.len(), || {
            collect((0..body.len()).map(|at| Bytes::copy_from_slice(&body[at..=at])));
            0
        })
    });
}

#[test]
fn what_is_almost_a_boundary_costs_no_more_than_its_length() {
    assert_both_linear("almost boundaries", |n| format!("{HEAD}\r\n{}", "\r\n--cu".repeat(n)));
    assert_both_linear("carriage returns", |n| format!("{HEAD}\r\n{}", "\r".repeat(n)));
    assert_both_linear("line ends", |n| format!("{HEAD}\r\n{}", "\r\n".repeat(n)));
    assert_both_linear("hyphens", |n| format!("{HEAD}\r\n\r\n{}", "-".repeat(n)));
}

#[test]
fn headers_cost_no_more_than_their_length() {
    assert_both_linear("a long name", |n| {
        format!("--cut\r\ncontent-disposition: form-data; name=\"{}\"\r\n\r\n", "%22".repeat(n))
    });
    assert_both_linear("a header that never ends", |n| format!("{HEAD}x: {}", "a".repeat(n)));
    assert_both_linear("headers that never end", |n| format!("{HEAD}{}", "x: 1\r\n".repeat(n)));
    assert_both_linear("parameters", |n| {
        format!("--cut\r\ncontent-disposition: form-data{}; name=\"0\"\r\n\r\n", "; a=b".repeat(n))
    });
}

#[test]
fn parts_cost_no_more_than_their_length() {
    assert_both_linear("empty parts", |n| format!("{}--cut--\r\n", format!("{HEAD}\r\n\r\n").repeat(n)));
    assert_both_linear("a long text", |n| format!("{HEAD}\r\n{}\r\n--cut--\r\n", "a".repeat(n)));
}
