//! A multipart body that arrives in pieces of any length.

use bytes::Bytes;
use callboard_protocol::{
    multipart::{self, Collector, MultipartError, Part},
    reply::{Body, decode_counted},
};

use super::{arriving, checks};

/// The boundary of every body here; a fuzzer would need long to find it.
pub(crate) const BOUNDARY: &str = "cut";

/// The first byte says how the rest is cut into pieces.
pub fn run(bytes: &[u8]) {
    let Some((&cuts, body)) = bytes.split_first() else { return };
    let limits = multipart::Limits { header_bytes_max: 256, ..multipart::Limits::default() };
    let whole = multipart::collect(Bytes::copy_from_slice(body), BOUNDARY, limits);
    assert!(whole == pieces(body, cuts, limits), "the parts depend on where the body was cut");
    let parts = match whole {
        Ok(parts) => parts,
        Err(error) => return checks::short(&error),
    };
    // A part takes more than its name and content on the wire.
    assert!(checks::bytes(&parts) <= 8 * body.len(), "{} bytes of {}", checks::bytes(&parts), body.len());

    let limits = checks::limits(body.len());
    let (result, steps) = decode_counted(Body::Parts(&parts), &limits, &checks::resolve);
    checks::linear(steps, body.len());
    checks::decoded(&result, &limits, body.len());
    arriving::check(&parts, &limits);
}

/// The same body in pieces: their lengths follow from one byte, so that an input says how it was cut.
fn pieces(body: &[u8], cuts: u8, limits: multipart::Limits) -> Result<Vec<Part>, MultipartError> {
    let mut collector = Collector::new(BOUNDARY, limits)?;
    let (mut rest, mut state) = (body, u32::from(cuts) | 1);
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = match cuts {
            0 => 1,
            _ => (state >> 24) as usize % (usize::from(cuts) + 1),
        };
        let (piece, after) = rest.split_at(length.min(rest.len()));
        collector.push(Bytes::copy_from_slice(piece))?;
        rest = after;
    }
    collector.finish()
}
