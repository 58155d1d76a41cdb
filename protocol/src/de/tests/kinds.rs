//! What each kind of value can become.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json as j;

use super::*;
use crate::js::{BigInt, ByteArray, Date, File, FormData, FormEntry, JsString, Map, Maybe, Set, Undefined};

#[derive(Debug, Deserialize, PartialEq)]
struct Item {
    name: String,
    price: f64,
    #[serde(default)]
    tags: Vec<String>,
    note: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
enum Shape {
    Point,
    Circle(f64),
    Line(i8, i8),
    Box { width: u32 },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Loose {
    Count(i64),
    Ratio(f64),
    Flag(bool),
    Text(String),
    List(Vec<Loose>),
    Named(BTreeMap<String, Loose>),
    Nothing,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Tagged {
    Dated { at: Date },
    Counted { count: BigInt },
}

#[test]
fn a_whole_number_is_any_integer_and_float() {
    let seven = Value::from(Slot::Number(7.0));
    assert_eq!(read::<u8>(&seven), Ok(7));
    assert_eq!(read::<i64>(&seven), Ok(7));
    assert_eq!(read::<u128>(&seven), Ok(7));
    assert_eq!(read::<i128>(&seven), Ok(7));
    assert_eq!(read::<f32>(&seven), Ok(7.0));
    assert_eq!(read::<f64>(&seven), Ok(7.0));
    assert_eq!(read::<i8>(&Slot::Number(-128.0).into()), Ok(-128));
    assert_eq!(read::<u64>(&Slot::Number(1e18).into()), Ok(1_000_000_000_000_000_000));
    assert_eq!(read::<u8>(&Slot::Number(-0.0).into()), Ok(0));
    assert!(read::<f64>(&Slot::Number(f64::NAN).into()).unwrap().is_nan());
}

#[test]
fn a_big_integer_is_an_integer_but_no_float() {
    let big = |digits: &str| Value::from(Slot::BigInt(BigInt::from_decimal(digits).unwrap()));
    assert_eq!(read::<u64>(&big("18446744073709551615")), Ok(u64::MAX));
    assert_eq!(read::<i64>(&big("-9223372036854775808")), Ok(i64::MIN));
    assert_eq!(read::<u128>(&big(&u128::MAX.to_string())), Ok(u128::MAX));
    assert_eq!(read::<i128>(&big(&i128::MIN.to_string())), Ok(i128::MIN));
    assert_eq!(read::<u8>(&big("255")), Ok(255));
    assert_eq!(refused::<f64>(&big("1")), "expected a number, found a big integer");
    assert_eq!(refused::<u8>(&big("256")), "expected a whole number from 0 to 255, found 256");
}

#[test]
fn undefined_null_and_absent_are_none() {
    assert_eq!(read::<Option<u8>>(&Value::undefined()), Ok(None));
    assert_eq!(read::<Option<u8>>(&Value::null()), Ok(None));
    assert_eq!(read::<()>(&Value::undefined()), Ok(()));
    assert_eq!(read::<()>(&Value::null()), Ok(()));
    let item: Item = read(&json(j!({ "name": "tea", "price": 1.5 }))).unwrap();
    assert_eq!(item, Item { name: "tea".into(), price: 1.5, tags: vec![], note: None });
    let members = vec![("name".into(), text("tea")), ("price".into(), Slot::Undefined)];
    assert_eq!(refused::<Item>(&object(Node::Object(members))), ".price: missing");
}

#[test]
fn maybe_tells_undefined_null_and_absent_apart() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Patch {
        title: Maybe<String>,
        gone: Undefined,
    }
    let title = |value| read::<Patch>(&json(value)).map(|patch| patch.title);
    assert_eq!(title(j!({})), Ok(Maybe::Undefined));
    assert_eq!(title(j!({ "title": null })), Ok(Maybe::Null));
    assert_eq!(title(j!({ "title": "x" })), Ok(Maybe::Some("x".into())));
    assert_eq!(read::<Maybe<u8>>(&Value::undefined()), Ok(Maybe::Undefined));
    assert_eq!(refused::<Patch>(&json(j!({ "gone": 1 }))), ".gone: expected undefined, found 1");
}

#[test]
fn arrays_sets_iterators_and_typed_arrays_are_sequences() {
    let items = || vec![Slot::Number(1.0), Slot::Number(2.0)];
    for node in [Node::Array(items()), Node::Set(items()), Node::Iterator(items())] {
        let value = object(node);
        assert_eq!(read::<Vec<u8>>(&value), Ok(vec![1, 2]));
        assert_eq!(read::<(u8, f64)>(&value), Ok((1, 2.0)));
        assert_eq!(read::<[i32; 2]>(&value), Ok([1, 2]));
    }
    assert_eq!(read::<Vec<u8>>(&bytes(ArrayKind::Uint8, &[1, 2])), Ok(vec![1, 2]));
    assert_eq!(read::<Vec<u8>>(&bytes(ArrayKind::ArrayBuffer, &[1, 2])), Ok(vec![1, 2]));
    assert_eq!(read::<Vec<i16>>(&bytes(ArrayKind::Int16, &[1, 0, 255, 255])), Ok(vec![1, -1]));
    assert_eq!(read::<Vec<f32>>(&bytes(ArrayKind::Float32, &1.5_f32.to_le_bytes())), Ok(vec![1.5]));
    assert_eq!(read::<Vec<u64>>(&bytes(ArrayKind::BigUint64, &[255; 8])), Ok(vec![u64::MAX]));
}

#[test]
fn bytes_are_taken_from_whatever_holds_them() {
    for value in [bytes(ArrayKind::DataView, b"ab"), object(blob(None, b"ab"))] {
        assert_eq!(read::<ByteArray>(&value), Ok(ByteArray::from(b"ab".to_vec())));
        assert_eq!(read::<Bytes>(&value), Ok(Bytes::from_static(b"ab")));
    }
    assert_eq!(read::<Bytes>(&json(j!([1, 2]))), Ok(Bytes::from_static(&[1, 2])));
    let floats = bytes(ArrayKind::Float32, &[0; 8]);
    let Some(Node::Bytes(array)) = floats.node() else { panic!("a typed array") };
    assert_eq!(read::<TypedArray>(&floats), Ok(array.clone()));
}

#[test]
fn a_byte_array_is_not_copied() {
    let value = bytes(ArrayKind::Uint8, &[7; 1000]);
    let Some(Node::Bytes(array)) = value.node() else { panic!("a typed array") };
    assert_eq!(read::<ByteArray>(&value).unwrap().as_ptr(), array.bytes.as_ptr());
}

#[test]
fn objects_are_structs_and_maps() {
    let value = json(j!({ "1": "a", "2": "b" }));
    assert_eq!(read::<HashMap<String, String>>(&value).unwrap()["1"], "a");
    assert_eq!(read::<HashMap<u8, String>>(&value).unwrap()[&2], "b");
    assert_eq!(read::<HashMap<JsString, JsString>>(&value).unwrap()[&"1".into()], "a");
    assert_eq!(
        refused::<HashMap<u8, u8>>(&json(j!({ "x": 1 }))),
        r#".x: expected a whole number from 0 to 255, found "x""#
    );
    let lone = object(Node::Object(vec![(JsString::from_units(&[0xD800]), Slot::Bool(true))]));
    assert_eq!(read::<HashMap<JsString, bool>>(&lone).unwrap().len(), 1);
    assert!(refused::<HashMap<String, bool>>(&lone).ends_with("take JsString to accept it"));
}

#[test]
fn a_map_is_a_map_of_any_keys() {
    let strings = object(Node::Map(vec![(text("a"), Slot::Number(1.0)), (text("b"), Slot::Number(2.0))]));
    assert_eq!(read::<HashMap<String, u8>>(&strings).unwrap()["b"], 2);
    assert_eq!(read::<Map<String, u8>>(&strings), Ok(Map(vec![("a".into(), 1), ("b".into(), 2)])));
    assert_eq!(read::<Vec<(String, u8)>>(&strings), Ok(vec![("a".into(), 1), ("b".into(), 2)]));
    let numbers = object(Node::Map(vec![(Slot::Number(1.0), text("a"))]));
    assert_eq!(read::<HashMap<u8, String>>(&numbers).unwrap()[&1], "a");
    assert_eq!(refused::<Map<u8, u8>>(&json(j!({}))), "expected a Map, found an object");
    assert_eq!(refused::<Map<String, String>>(&strings), "[0][1]: expected a string, found a number");
    assert_eq!(
        refused::<HashMap<String, String>>(&strings),
        r#".get("a"): expected a string, found a number"#
    );
}

#[test]
fn a_set_is_a_set() {
    let set = object(Node::Set(vec![Slot::Number(1.0)]));
    assert_eq!(read::<Set<u8>>(&set), Ok(Set(vec![1])));
    assert_eq!(refused::<Set<u8>>(&json(j!([1]))), "expected a Set, found an array");
}

#[test]
fn enums_are_names_or_objects_with_one_member() {
    assert_eq!(read::<Shape>(&json(j!("Point"))), Ok(Shape::Point));
    assert_eq!(read::<Shape>(&json(j!({ "Point": null }))), Ok(Shape::Point));
    assert_eq!(read::<Shape>(&json(j!({ "Circle": 2 }))), Ok(Shape::Circle(2.0)));
    assert_eq!(read::<Shape>(&json(j!({ "Line": [1, 2] }))), Ok(Shape::Line(1, 2)));
    assert_eq!(read::<Shape>(&json(j!({ "Box": { "width": 3 } }))), Ok(Shape::Box { width: 3 }));
}

#[test]
fn untagged_and_tagged_enums_look_at_what_there_is() {
    let value = json(j!([1, -1, 0.5, true, "x", null, { "a": [] }]));
    let expected = vec![
        Loose::Count(1),
        Loose::Count(-1),
        Loose::Ratio(0.5),
        Loose::Flag(true),
        Loose::Text("x".into()),
        Loose::Nothing,
        Loose::Named([("a".into(), Loose::List(vec![]))].into()),
    ];
    assert_eq!(read::<Vec<Loose>>(&value), Ok(expected));
    let date = Date::from_millis(86_400_000.0);
    let dated = object(Node::Object(vec![("kind".into(), text("dated")), ("at".into(), Slot::Date(date))]));
    assert_eq!(read::<Tagged>(&dated), Ok(Tagged::Dated { at: date }));
    let count = BigInt::from(u128::MAX);
    let members = vec![("count".into(), Slot::BigInt(count.clone())), ("kind".into(), text("counted"))];
    assert_eq!(read::<Tagged>(&object(Node::Object(members))), Ok(Tagged::Counted { count }));
}

#[test]
fn dates_and_big_integers_keep_their_kind() {
    let date = Date::from_millis(1.0);
    assert_eq!(read::<Date>(&Slot::Date(date).into()), Ok(date));
    assert_eq!(read::<Date>(&Slot::Date(Date::from_millis(f64::NAN)).into()).unwrap().millis(), None);
    assert_eq!(read::<BigInt>(&Slot::BigInt(5.into()).into()), Ok(5.into()));
    assert_eq!(refused::<BigInt>(&Slot::Number(5.0).into()), "expected a big integer, found a number");
    assert_eq!(refused::<Date>(&text("1970-01-01").into()), "expected a date, found a string");
}

#[test]
fn a_kept_promise_is_looked_through_and_a_value_keeps_it() {
    let value = built(|builder| {
        let inner = kept(builder, Slot::Date(Date::from_millis(0.0)));
        kept(builder, inner)
    });
    assert_eq!(read::<Date>(&value), Ok(Date::from_millis(0.0)));
    assert_eq!(read::<Option<Date>>(&value), Ok(Some(Date::from_millis(0.0))));
    assert_eq!(read::<Value>(&value), Ok(value.clone()));
    let nothing = built(|builder| kept(builder, Slot::Undefined));
    assert_eq!(read::<Option<u8>>(&nothing), Ok(None));
    let broken = object(Node::Promise(Promise::Rejected { digest: None }));
    assert_eq!(refused::<u8>(&broken), "a rejected promise");
}

#[test]
fn a_value_inside_a_type_keeps_its_sharing() {
    #[derive(Debug, Deserialize)]
    struct Both {
        left: Value,
        right: Value,
    }
    let value = built(|builder| {
        let shared = Slot::Node(builder.add(Node::Array(vec![])));
        let members = vec![("left".into(), shared.clone()), ("right".into(), shared)];
        Slot::Node(builder.add(Node::Object(members)))
    });
    let both: Both = read(&value).unwrap();
    assert!(std::ptr::eq(both.left.node().unwrap(), both.right.node().unwrap()));
}

#[test]
fn files_and_forms_are_taken_whole() {
    let file = object(blob(Some("../a.txt"), b"hi"));
    let read_file: File = read(&file).unwrap();
    assert_eq!((&*read_file.name, &*read_file.media_type), ("../a.txt", "text/plain"));
    assert_eq!(read::<File>(&object(blob(None, b""))).unwrap().name, "blob");
    assert!(read::<Blob>(&file).is_ok());
    let form = built(|builder| {
        let file = Slot::Node(builder.add(blob(Some("a.txt"), b"hi")));
        let entries =
            vec![("name".into(), text("Ada")), ("name".into(), text("Bea")), ("photo".into(), file)];
        Slot::Node(builder.add(Node::FormData(entries)))
    });
    let form: FormData = read(&form).unwrap();
    assert_eq!(form.text("name"), Some("Ada"));
    assert_eq!(form.get_all("name").count(), 2);
    assert_eq!(form.file("photo").map(|file| &*file.name), Some("a.txt"));
    assert_eq!((form.text("photo"), form.file("name")), (None, None));
    assert_eq!(form.get("name"), Some(&FormEntry::Text("Ada".into())));
}

#[test]
fn a_type_without_a_shape_of_its_own_sees_what_json_would_hold() {
    let value = built(|builder| {
        let map = Slot::Node(builder.add(Node::Map(vec![(Slot::Bool(true), Slot::BigInt(7.into()))])));
        let items = vec![Slot::Date(Date::from_millis(0.0)), map, Slot::Undefined, Slot::Number(0.5)];
        Slot::Node(builder.add(Node::Array(items)))
    });
    let seen: serde_json::Value = read(&value).unwrap();
    assert_eq!(seen, j!(["1970-01-01T00:00:00.000Z", [[true, 7]], null, 0.5]));
}
