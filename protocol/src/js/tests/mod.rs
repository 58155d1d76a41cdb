//! The newtypes as other formats see them, and what our own serializers are handed.

mod arriving;
mod conversions;
mod other_formats;
mod recorder;

use self::recorder::{Record, record};
use super::{
    BigInt, Blob, ByteArray, Date, File, FormData, FormEntry, JsString, Map, Maybe, Set, TypedArray,
    Undefined, handover,
};
use crate::{
    Value,
    value::{ArrayKind, Builder, Node, Slot},
};

fn object(node: Node) -> Value {
    let mut builder = Builder::new();
    let id = builder.add(node);
    builder.finish(Slot::Node(id))
}

fn lone() -> JsString {
    JsString::from_units(&[0x61, 0xD800])
}

fn file() -> File {
    File { name: "a.txt".into(), media_type: "text/plain".into(), content: b"hi".to_vec().into() }
}

fn form() -> FormData {
    FormData {
        entries: vec![
            ("name".into(), FormEntry::Text("Ada".into())),
            ("photo".into(), FormEntry::File(file())),
        ],
    }
}

#[test]
fn what_is_no_json_is_handed_over_whole() {
    let array = TypedArray { kind: ArrayKind::Float32, bytes: vec![0; 4].into() };
    let date = Date::from_millis(1.5);
    let handed = |value: Value| Record::Handed(value);
    assert_eq!(record(&date), handed(Slot::Date(date).into()));
    assert_eq!(record(&Date::from_millis(f64::NAN)), handed(Slot::Date(Date::from_millis(f64::NAN)).into()));
    assert_eq!(record(&BigInt::from(7)), handed(Slot::BigInt(7.into()).into()));
    assert_eq!(record(&lone()), handed(Slot::String(lone()).into()));
    assert_eq!(record(&Undefined), handed(Value::undefined()));
    assert_eq!(record(&Maybe::<u8>::Undefined), handed(Value::undefined()));
    assert_eq!(record(&array), handed(object(Node::Bytes(array.clone()))));
    assert_eq!(record(&Blob::from(file())), handed(object(Node::Blob(file().into()))));
    assert_eq!(record(&file()), handed(object(Node::Blob(file().into()))));
    let mut builder = Builder::new();
    let photo = builder.add(Node::Blob(file().into()));
    let entries = vec![("name".into(), Slot::String("Ada".into())), ("photo".into(), Slot::Node(photo))];
    let whole = builder.add(Node::FormData(entries));
    assert_eq!(record(&form()), handed(builder.finish(Slot::Node(whole))));
}

#[test]
fn a_value_is_handed_over_with_its_cycles() {
    let mut builder = Builder::new();
    let id = builder.add(Node::Array(vec![]));
    *builder.node_mut(id) = Node::Array(vec![Slot::Node(id)]);
    let value = builder.finish(Slot::Node(id));
    assert_eq!(record(&value), Record::Handed(value));
}

#[test]
fn what_json_has_goes_through_serde() {
    assert_eq!(record(&JsString::from("x")), Record::Text("x".into()));
    assert_eq!(record(&Maybe::<u8>::Null), Record::None);
    assert_eq!(record(&Maybe::Some(7_u8)), Record::Number(7));
    assert_eq!(record(&ByteArray::from(vec![1, 2])), Record::Bytes(vec![1, 2]));
}

#[test]
fn maps_and_sets_are_named() {
    let pair = Record::List(vec![Record::Number(1), Record::Text("a".into())]);
    assert_eq!(
        record(&Map(vec![(1_u8, "a")])),
        Record::Named(handover::MAP, Box::new(Record::List(vec![pair])))
    );
    let date = Date::from_millis(0.0);
    assert_eq!(
        record(&Set(vec![date])),
        Record::Named(handover::SET, Box::new(Record::List(vec![Record::Handed(Slot::Date(date).into())])))
    );
}

#[test]
fn nothing_is_left_for_the_next() {
    serde_json::to_string(&(Date::from_millis(0.0), BigInt::from(1), Undefined, lone())).unwrap();
    assert!(handover::take().is_none());
    serde_json::to_string(&object(Node::Error)).unwrap_err();
    assert!(handover::take().is_none());
    // A value that was refused where a key is wanted was never looked at.
    let keyed: std::collections::BTreeMap<Vec<u8>, Date> = [(vec![], Date::from_millis(0.0))].into();
    serde_json::to_string(&keyed).unwrap_err();
    assert!(handover::take().is_none());
    crate::de::from_value::<Date>(&Value::null()).unwrap_err();
    assert!(handover::take().is_none());
}
