//! Arguments as Rust types, which cannot share and so have to copy.

use std::collections::BTreeMap;

use callboard_protocol::{
    Value,
    de::{self, Problem},
    js::JsString,
    reply::{Limits, Resolution, decode_text},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{Cost, println_cost};

/// A million values of some hundred bytes, which is where copying ends.
const PEAK_BYTES_MAX: usize = 256 << 20;
/// With the lists that grew on the way.
const TOTAL_BYTES_MAX: usize = 2 * PEAK_BYTES_MAX;

#[derive(Deserialize)]
struct Item {
    #[expect(dead_code, reason = "it is made, and not looked at")]
    price: f64,
}

#[derive(Deserialize)]
struct Tree(#[expect(dead_code, reason = "it is made, and not looked at")] Vec<Tree>);

fn decoded(body: String) -> Value {
    let limits = Limits { array_slots_max: u64::MAX, ..Limits::default() };
    decode_text(body.into(), &limits, &|_: &JsString| Resolution::Known).expect("it is shared, and small")
}

/// Goal: a shared object costs no more than the limit on copies, however long it is and however often it is used.
fn assert_bounded<T: DeserializeOwned>(name: &str, body: String) {
    let length = body.len();
    let value = decoded(body);
    let cost = Cost::of(length, || {
        let read = de::from_value::<T>(&value);
        let refused = |error: &de::DeError| matches!(error.problem(), Problem::TooManyExpansions { .. });
        assert!(
            read.is_ok() || read.is_err_and(|error| refused(&error)),
            "{name}: refused for another reason"
        );
        0
    });
    println_cost(name, &cost);
    assert!(cost.heap.peak_bytes <= PEAK_BYTES_MAX, "{name}: {cost:?}");
    assert!(cost.heap.total_bytes <= TOTAL_BYTES_MAX, "{name}: {cost:?}");
}

/// A list of one object and many references to it.
fn shared(first: &str, times: usize) -> String {
    format!("[{first}{}]", ",\"$0:0\"".repeat(times))
}

#[test]
fn shared_objects_are_copied_up_to_a_limit() {
    let wide = (0..10_000).map(|at| format!("\"key{at}\":1")).collect::<Vec<_>>().join(",");
    assert_bounded::<Vec<Item>>("a wide object", shared(&format!("{{{wide},\"price\":1}}"), 100_000));
    assert_bounded::<Vec<BTreeMap<String, f64>>>("a wide map", shared(&format!("{{{wide}}}"), 100_000));
    assert_bounded::<Vec<Vec<f64>>>("a long list", shared(&format!("[1{}]", ",1".repeat(100_000)), 100_000));
    assert_bounded::<Vec<String>>("a long text", shared(&format!("\"{}\"", "x".repeat(400_000)), 50_000));
}

#[test]
fn long_keys_are_not_copied_for_each_use() {
    let long = "x".repeat(400_000);
    let half = format!("{{\"\\ud800{long}\":1,\"price\":1}}");
    assert_bounded::<Vec<Item>>("a key with half of a pair", shared(&half, 50_000));
    assert_bounded::<Vec<Item>>("a long key", shared(&format!("{{\"{long}\":1,\"price\":1}}"), 50_000));
    assert_bounded::<Vec<BTreeMap<String, f64>>>(
        "a long key of a map",
        shared(&format!("{{\"{long}\":1}}"), 50_000),
    );
    assert_bounded::<Vec<BTreeMap<i128, f64>>>(
        "digits as a key",
        shared(&format!("{{\"{}1\":1}}", "0".repeat(400_000)), 50_000),
    );
}

#[test]
fn lists_that_hold_the_next_one_twice_are_not_unpacked() {
    let lists = (0..60).map(|at| format!("[\"$0:{0}\",\"$0:{0}\"]", at + 1)).collect::<Vec<_>>().join(",");
    assert_bounded::<Vec<Tree>>("doubling lists", format!("[{lists},[]]"));
}
