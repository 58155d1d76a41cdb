//! The parts of a form, in any order and with any names.

use callboard_protocol::{
    Value, de,
    reply::{Body, decode_counted, decode_parts},
};
use serde::Deserialize;

use super::{arriving, checks, parts};

/// Decodes, with everything that must hold for it.
pub fn run(bytes: &[u8]) {
    let parts = parts::read(bytes);
    let limits = checks::limits(checks::bytes(&parts));
    let (result, steps) = decode_counted(Body::Parts(&parts), &limits, &checks::resolve);
    checks::linear(steps, checks::bytes(&parts));
    checks::decoded(&result, &limits, checks::bytes(&parts));
    arriving::check(&parts, &limits);
    let Ok(value) = result else { return };

    checks::only_refused(decode_parts(&parts, "", &checks::tight(), &checks::resolve), &value);
    checks::survives_the_way_back(&value);
    read_as_types(&value);
}

/// A tree: where the client shares, Rust has to copy.
#[derive(Deserialize)]
struct Tree(#[expect(dead_code, reason = "it is made, and not looked at")] Vec<Tree>);

/// What an action may ask for.
#[derive(Deserialize)]
#[expect(dead_code, reason = "it is made, and not looked at")]
struct Record {
    a: Option<String>,
    id: Option<u64>,
    then: Option<Box<Record>>,
}

fn read_as_types(value: &Value) {
    let read = [
        de::from_value::<Tree>(value).err(),
        de::from_value::<Record>(value).err(),
        de::from_value::<Vec<Option<Record>>>(value).err(),
        de::from_value::<(String, f64)>(value).err(),
    ];
    for error in read.into_iter().flatten() {
        assert!(error.to_string().len() <= 4096, "{error}");
    }
}
