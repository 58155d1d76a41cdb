//! What serialises.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{Limits, Problem, action_root, encode, encode_into, error_row, parse_action},
    Handed, Serialize, read, text,
};
use crate::{
    Value,
    js::{BigInt, JsString, handover},
    value::{Builder, Node, Slot},
};

/// The value that JSON is.
fn value(json: &serde_json::Value) -> Value {
    let mut builder = Builder::new();
    let slot = place(&mut builder, json);
    builder.finish(slot)
}

fn place(builder: &mut Builder, json: &serde_json::Value) -> Slot {
    let node = match json {
        serde_json::Value::Null => return Slot::Null,
        serde_json::Value::Bool(truth) => return Slot::Bool(*truth),
        serde_json::Value::Number(number) => return Slot::Number(number.as_f64().unwrap()),
        serde_json::Value::String(text) => return Slot::String(text.as_str().into()),
        serde_json::Value::Array(items) => {
            Node::Array(items.iter().map(|item| place(builder, item)).collect())
        }
        serde_json::Value::Object(members) => Node::Object(
            members.iter().map(|(key, json)| (key.as_str().into(), place(builder, json))).collect(),
        ),
    };
    Slot::Node(builder.add(node))
}

#[derive(Clone, Debug, Serialize)]
enum Tree {
    Empty,
    Leaf(String),
    Pair(i32, f64),
    Named { first: Option<Box<Tree>>, second: bool },
    Items(Vec<Tree>),
    Members(BTreeMap<String, Tree>),
    Numbered(BTreeMap<i64, bool>),
    Flags(BTreeMap<bool, char>),
    Short(f32),
    Tuple((u8, i16, u32), Unit, Newtype),
}

#[derive(Clone, Debug, Serialize)]
struct Unit;

#[derive(Clone, Debug, Serialize)]
struct Newtype(u64);

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Empty),
        "(?s).{0,20}".prop_map(Tree::Leaf),
        (any::<i32>(), -1e300..1e300).prop_map(|(whole, number)| Tree::Pair(whole, number)),
        prop::collection::btree_map(any::<i64>(), any::<bool>(), 0..3).prop_map(Tree::Numbered),
        prop::collection::btree_map(any::<bool>(), any::<char>(), 0..3).prop_map(Tree::Flags),
        (-1e30_f32..1e30).prop_map(Tree::Short),
        (any::<(u8, i16, u32)>(), 0..1_u64 << 53).prop_map(|(tuple, number)| Tree::Tuple(
            tuple,
            Unit,
            Newtype(number)
        )),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            (prop::option::of(inner.clone().prop_map(Box::new)), any::<bool>())
                .prop_map(|(first, second)| Tree::Named { first, second }),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::Items),
            prop::collection::btree_map("[$a\"]{0,3}", inner, 0..4).prop_map(Tree::Members),
        ]
    })
}

proptest! {
    #[test]
    fn plain_types_are_written_as_json(tree in tree()) {
        let rows = encode(&tree, 0).unwrap();
        let json = serde_json::to_string(&tree).unwrap();
        prop_assert_eq!(read(&rows), value(&serde_json::from_str(&json).unwrap()));
    }

    #[test]
    fn integers_beyond_a_double_are_big(number: i64) {
        let expected = if number.unsigned_abs() < 1 << 53 {
            Slot::Number(number as f64)
        } else {
            Slot::BigInt(BigInt::from(i128::from(number)))
        };
        prop_assert_eq!(read(&encode(&number, 0).unwrap()), Value::from(expected));
    }
}

#[test]
fn each_part_of_the_data_model_has_its_text() {
    assert_eq!(text(&json!({"n": [1, null, -2.5], "ok": true})), "1:{\"n\":[1,null,-2.5],\"ok\":true}\n");
    assert_eq!(text(&"$x\n"), "1:\"$$x\\n\"\n");
    assert_eq!(text(&()), "1:null\n");
    assert_eq!(text(&i128::from(3)), "1:\"$n3\"\n");
    assert_eq!(text(&9_007_199_254_740_991_u64), "1:9007199254740991\n");
    assert_eq!(text(&9_007_199_254_740_992_u64), "1:\"$n9007199254740992\"\n");
    assert_eq!(
        text(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.5]),
        "1:[\"$NaN\",\"$Infinity\",\"$-Infinity\",\"$-0\",0.5]\n"
    );
    assert_eq!(text(&Tree::Pair(1, 2.0)), "1:{\"Pair\":[1,2]}\n");
    assert_eq!(text(&Tree::Empty), "1:\"Empty\"\n");
}

/// Bytes, as `serde_bytes` serialises them.
struct Bytes(&'static [u8]);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// A map or set of JavaScript, by the name of its newtype.
struct Named<T>(&'static str, T);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(self.0, &self.1)
    }
}

#[test]
fn bytes_maps_and_sets_have_rows_before_the_value() {
    let set = Named(handover::SET, [Bytes(b"\n")]);
    let map = Named(handover::MAP, [("key", set)]);
    assert_eq!(text(&(map, 1)), "4:o1,\n3:[\"$4\"]\n2:[[\"key\",\"$W3\"]]\n1:[\"$Q2\",1]\n");
}

#[test]
fn values_in_maps_and_sets_are_handed_over() {
    let mut builder = Builder::new();
    let node = builder.add(Node::Array(vec![Slot::Bool(true)]));
    let shared = builder.finish(Slot::Node(node));
    let set = Named(handover::SET, [Handed(shared.clone())]);
    assert_eq!(text(&(set, Handed(shared))), "2:[\"$3\"]\n3:[true]\n1:[\"$W2\",\"$3\"]\n");
}

#[test]
fn a_handed_over_string_is_a_key() {
    struct Lone;
    impl Serialize for Lone {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            Handed(Slot::String(JsString::from_units(&[0xD800])).into()).serialize(serializer)
        }
    }
    impl PartialEq for Lone {
        fn eq(&self, _: &Self) -> bool {
            true
        }
    }
    impl Eq for Lone {}
    impl std::hash::Hash for Lone {
        fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
    }
    assert_eq!(text(&HashMap::from([(Lone, 1)])), "1:{\"\\ud800\":1}\n");
}

#[test]
fn errors_say_where_they_are() {
    #[derive(Serialize)]
    struct Outer {
        inner: Vec<BTreeMap<&'static str, Tagged>>,
    }
    #[derive(Serialize)]
    enum Tagged {
        Some { keys: BTreeMap<Option<u8>, u8> },
    }
    let keys = BTreeMap::from([(None, 1)]);
    let value = Outer { inner: vec![BTreeMap::from([("a b", Tagged::Some { keys })])] };

    let error = encode(&value, 1).unwrap_err();

    assert_eq!(error.problem(), &Problem::Key { kind: "null" });
    assert_eq!(error.path().to_string(), "inner[0][\"a b\"].Some.keys[0]");
}

#[test]
fn endless_types_end_in_an_error() {
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq([Endless])
        }
    }
    let error = encode(&Endless, 1).unwrap_err();
    assert_eq!(error.problem(), &Problem::TooDeep { levels_max: 512 });
}

#[test]
fn an_answer_is_a_root_and_a_value() {
    let mut out = action_root("b\"1", 1).to_vec();
    assert_eq!(out, b"0:{\"a\":\"$@1\",\"q\":\"\",\"i\":false,\"b\":\"b\\\"1\"}\n");

    assert_eq!(encode_into(&mut out, &("x", Bytes(b"y")), 1).unwrap(), 3);

    let answer = parse_action(&out).unwrap();
    assert_eq!(answer.build.as_deref(), Some("b\"1"));
    assert_eq!(answer.result.unwrap().as_array().unwrap().len(), 2);
}

#[test]
fn an_error_row_rejects_the_answer() {
    let rows = [action_root("b", 1), error_row(1, "$digest\n")].concat();
    assert!(rows.ends_with(b"1:E{\"digest\":\"$digest\\n\"}\n"));
    assert_eq!(parse_action(&rows).unwrap().result.unwrap_err().digest.as_deref(), Some("$digest\n"));
}

#[test]
fn the_reading_limits_have_room_for_what_is_written() {
    let rows = encode(&"x".repeat(1 << 20), 0).unwrap();
    assert!(Limits::default().row_bytes_max > rows.len());
    assert_eq!(read(&rows).as_str().unwrap().len(), 1 << 20);
}
