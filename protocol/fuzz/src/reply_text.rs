//! A body that is one text.

use bytes::Bytes;
use callboard_protocol::{
    multipart::Part,
    reply::{Body, decode_counted, decode_parts, decode_text},
};

use super::checks;

/// Decodes, with everything that must hold for it.
pub fn run(bytes: &[u8]) {
    let limits = checks::limits(bytes.len());
    let body = Bytes::copy_from_slice(bytes);
    let (result, steps) = decode_counted(Body::Text(body.clone()), &limits, &checks::resolve);
    checks::linear(steps, bytes.len());
    checks::decoded(&result, &limits, bytes.len());
    let Ok(value) = result else { return };

    checks::only_refused(decode_text(body, &checks::tight(), &checks::resolve), &value);
    checks::survives_the_way_back(&value);
    let text = std::str::from_utf8(bytes).expect("only text is accepted");
    let part = decode_parts(&[Part::text("0", text)], "", &limits, &checks::resolve);
    assert!(part.as_ref() == Ok(&value), "as a part it is {part:?} and not {value:?}");
}
