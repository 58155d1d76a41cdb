//! The newtypes in JSON.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, from_value, json, to_value};

use super::*;

fn both_ways<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, json: &Json) {
    assert_eq!(to_value(value).unwrap(), *json);
    assert_eq!(from_value::<T>(json.clone()).unwrap(), *value);
}

#[test]
fn each_is_the_nearest_thing_that_json_has() {
    both_ways(&Date::from_millis(0.0), &json!("1970-01-01T00:00:00.000Z"));
    both_ways(&Date::from_millis(f64::NAN), &json!(null));
    both_ways(&BigInt::from(u128::MAX), &json!("340282366920938463463374607431768211455"));
    both_ways(&JsString::from("x"), &json!("x"));
    both_ways(&ByteArray::from(vec![1, 2]), &json!([1, 2]));
    both_ways(&Map(vec![("a".to_owned(), 1)]), &json!([["a", 1]]));
    both_ways(&Set(vec![1, 2]), &json!([1, 2]));
    both_ways(&Maybe::Some(1), &json!(1));
    both_ways(&Maybe::<u8>::Undefined, &json!(null));
    both_ways(&Undefined, &json!(null));
    both_ways(&file(), &json!({ "name": "a.txt", "type": "text/plain", "bytes": [104, 105] }));
    both_ways(
        &form(),
        &json!([["name", "Ada"], ["photo", { "name": "a.txt", "type": "text/plain", "bytes": [104, 105] }]]),
    );
    let array = TypedArray { kind: ArrayKind::Int16, bytes: vec![1, 0].into() };
    both_ways(&array, &json!({ "type": "Int16Array", "bytes": [1, 0] }));
    assert_eq!(to_value(Maybe::<u8>::Null).unwrap(), json!(null));
    assert_eq!(to_value(lone()).unwrap(), json!("a\u{FFFD}"));
}

#[test]
fn numbers_are_read_as_dates_and_big_integers() {
    assert_eq!(from_value::<Date>(json!(1)).unwrap(), Date::from_millis(1.0));
    assert_eq!(from_value::<BigInt>(json!(-1)).unwrap(), BigInt::from(-1));
    assert!(from_value::<BigInt>(json!(1.5)).is_err());
    assert!(from_value::<Date>(json!("soon")).is_err());
    assert!(from_value::<TypedArray>(json!({ "type": "Int16Array", "bytes": [1] })).is_err());
    assert!(from_value::<TypedArray>(json!({ "type": "Array", "bytes": [] })).is_err());
}

#[test]
fn a_value_is_a_tree() {
    let tree = json!({ "a": [1, -2, 0.5, "x", true, null, { "b": [] }], "big": 9_007_199_254_740_991_i64 });
    both_ways(&from_value::<Value>(tree.clone()).unwrap(), &tree);
    let mut builder = Builder::new();
    let shared = Slot::Node(builder.add(Node::Array(vec![])));
    let items = vec![
        shared.clone(),
        shared,
        Slot::Undefined,
        Slot::Date(Date::from_millis(0.0)),
        Slot::BigInt(1.into()),
        Slot::Number(-0.0),
    ];
    let root = builder.add(Node::Set(items));
    let value = builder.finish(Slot::Node(root));
    assert_eq!(serde_json::to_string(&value).unwrap(), r#"[[],[],null,"1970-01-01T00:00:00.000Z","1",-0.0]"#);
    assert_eq!(
        serde_json::to_string(&object(Node::Error)).unwrap_err().to_string(),
        "an error has no form here"
    );
}

#[test]
fn of_a_key_that_comes_twice_the_last_value_counts() {
    let value: Value = serde_json::from_str(r#"{"a":1,"b":2,"a":3}"#).unwrap();
    assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"a":3,"b":2}"#);
}
