//! What a small call must not make of itself.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{
    super::{Arguments, DEPTH_MAX, Form, Limits, Problem},
    *,
};
use crate::js::{BigInt, Date, Set};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only whether it can be read is looked at")]
enum Tree {
    List(Vec<Tree>),
    Leaf(f64),
}

/// More than a level of hand-written data holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wide {
    texts: [String; 4],
    numbers: (f64, f64, u8, i128),
    dates: (Option<Date>, Option<Date>),
    values: Vec<Value>,
    named: HashMap<String, Option<Choice>>,
    next: Option<Choice>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only whether it can be read is looked at")]
enum Choice {
    Next(Box<Wide>),
    Other { left: String, right: String },
}

/// Objects in each other.
fn chain(levels: usize) -> Value {
    built(|builder| {
        (0..levels)
            .fold(Slot::Null, |inner, _| Slot::Node(builder.add(Node::Object(vec![("next".into(), inner)]))))
    })
}

/// Arrays of which each holds the next as often as it is wide.
fn doubling(levels: usize, width: usize, leaf: Slot) -> Value {
    built(|builder| {
        (0..levels).fold(leaf, |inner, _| Slot::Node(builder.add(Node::Array(vec![inner; width]))))
    })
}

fn cycle(make: impl FnOnce(Slot) -> Node) -> Value {
    built(|builder| {
        let id = builder.add(Node::Array(vec![]));
        *builder.node_mut(id) = make(Slot::Node(id));
        Slot::Node(id)
    })
}

fn problem<T: DeserializeOwned>(value: &Value) -> Problem {
    // Not `unwrap_err`, which would print what was read.
    read::<T>(value).err().expect("it is refused").problem().clone()
}

const EXPANDED: Problem = Problem::TooManyExpansions { expansions_max: 1_000_000 };

#[test]
fn nesting_is_read_up_to_the_limit() {
    assert!(read::<Chain>(&chain(DEPTH_MAX)).is_ok());
    assert_eq!(problem::<Chain>(&chain(DEPTH_MAX + 1)), Problem::TooDeep { depth_max: DEPTH_MAX });
    assert!(read::<Tree>(&doubling(DEPTH_MAX, 1, Slot::Number(0.0))).is_ok());
    assert_eq!(
        problem::<Tree>(&doubling(DEPTH_MAX + 1, 1, Slot::Number(0.0))),
        Problem::TooDeep { depth_max: DEPTH_MAX }
    );
    // What nobody reads may be of any depth, and so may what is taken whole.
    assert!(read::<serde::de::IgnoredAny>(&chain(100_000)).is_ok());
    assert!(read::<HashMap<String, Value>>(&chain(100_000)).is_ok());
}

#[test]
fn the_depth_fits_into_the_stack_of_a_small_thread() {
    // Worker threads have 2 MiB.
    let read = || {
        assert!(read::<Chain>(&chain(DEPTH_MAX)).is_ok());
        assert!(read::<Wide>(&chain(DEPTH_MAX - 1)).is_ok());
        assert!(read::<Tree>(&doubling(DEPTH_MAX, 1, Slot::Number(0.0))).is_ok());
        assert!(serde_json::to_string(&chain(DEPTH_MAX)).is_ok());
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(read).unwrap().join().unwrap();
}

#[test]
fn cycles_are_refused_by_name() {
    let object = cycle(|own| Node::Object(vec![("next".into(), own)]));
    let error = read::<Chain>(&object).unwrap_err();
    let steps = ".next".repeat(8);
    assert_eq!(error.to_string(), format!("{steps}…{steps}: a cycle; take a Value to accept it"));
    assert_eq!(problem::<Tree>(&cycle(|own| Node::Array(vec![own.clone(), own]))), Problem::Cycle);
    assert_eq!(problem::<u8>(&cycle(|own| Node::Promise(Promise::Fulfilled(own)))), Problem::Cycle);
    assert_eq!(read::<Value>(&object), Ok(object.clone()));
}

#[test]
fn shared_objects_are_charged_each_time() {
    assert_eq!(problem::<Tree>(&doubling(40, 2, Slot::Number(0.0))), EXPANDED);
    // The scalars in a shared array count too, and so do the objects around empty arrays.
    assert_eq!(problem::<Vec<Vec<Vec<u8>>>>(&doubling(3, 1000, Slot::Number(0.0))), EXPANDED);
    assert_eq!(problem::<Vec<Vec<()>>>(&doubling(2, 2000, Slot::Null)), EXPANDED);
    assert!(read::<Vec<Vec<u8>>>(&doubling(2, 900, Slot::Number(0.0))).is_ok());
}

#[test]
fn shared_texts_and_bytes_are_charged_by_length() {
    let long = "x".repeat(1 << 20);
    assert_eq!(problem::<Vec<String>>(&doubling(1, 100, text(&long))), EXPANDED);
    let keyed = built(|builder| {
        let object = builder.add(Node::Object(vec![(long.as_str().into(), Slot::Bool(true))]));
        Slot::Node(builder.add(Node::Array(vec![Slot::Node(object); 100])))
    });
    assert_eq!(problem::<Vec<HashMap<String, bool>>>(&keyed), EXPANDED);
    let binary = built(|builder| {
        let array = TypedArray { kind: ArrayKind::Uint8, bytes: vec![0; 1 << 20].into() };
        let array = Slot::Node(builder.add(Node::Bytes(array)));
        Slot::Node(builder.add(Node::Array(vec![array; 100])))
    });
    assert_eq!(problem::<Vec<bytes::Bytes>>(&binary), EXPANDED);
    assert_eq!(problem::<Vec<Vec<u8>>>(&binary), EXPANDED);
    assert_eq!(read::<Vec<crate::js::ByteArray>>(&binary).unwrap().len(), 100);
    let big = Slot::BigInt(BigInt::from_decimal(&"9".repeat(1 << 16)).unwrap());
    assert_eq!(problem::<Vec<Vec<BigInt>>>(&doubling(2, 40, big)), EXPANDED);
}

#[test]
fn what_was_sent_once_is_never_too_much() {
    let numbers = doubling(1, 3_000_000, Slot::Number(1.0));
    assert_eq!(read::<Vec<u8>>(&numbers).unwrap().len(), 3_000_000);
    let long = "x".repeat(100 << 20);
    assert_eq!(read::<Vec<String>>(&doubling(1, 1, text(&long))).unwrap()[0].len(), 100 << 20);
    let array = bytes(ArrayKind::Uint8, &vec![0; 3_000_000]);
    assert_eq!(read::<Vec<u8>>(&array).unwrap().len(), 3_000_000);
}

#[test]
fn all_arguments_share_one_budget() {
    let value = built(|builder| {
        let shared = Slot::Node(builder.add(Node::Array(vec![Slot::Null; 600])));
        Slot::Node(builder.add(Node::Array(vec![shared; 3])))
    });
    // The graph itself weighs 605; beyond it two more copies of 600 would be made.
    let mut arguments = Arguments::with_limits(value, Limits { expansions_max: 1000 }).unwrap();
    assert!(arguments.next::<Vec<()>>().is_ok());
    assert!(arguments.next::<Vec<()>>().is_ok());
    let third = arguments.next::<Vec<()>>().unwrap_err();
    assert_eq!(third.to_string(), "argument 3: shared objects expand to more than 1000 values");
}

#[test]
fn forms_are_charged_too() {
    let value = built(|builder| {
        let form = builder.add(Node::FormData(vec![("a".into(), text("1")); 2000]));
        Slot::Node(builder.add(Node::Array(vec![Slot::Node(form); 2000])))
    });
    assert_eq!(problem::<Vec<Form<HashMap<String, Value>>>>(&value), EXPANDED);
}

#[test]
fn other_formats_are_spared_cycles_and_endless_sharing() {
    let refused = |value: &Value| serde_json::to_string(value).unwrap_err().to_string();
    let own = cycle(|own| Node::Array(vec![own]));
    assert_eq!(refused(&own), "a value that contains itself has no form here");
    let endless = doubling(40, 2, Slot::Null);
    assert_eq!(refused(&endless), "shared objects expand to more than 1000000 values");
    assert!(refused(&chain(DEPTH_MAX + 1)).starts_with("nested deeper than"));
}

#[test]
fn a_set_in_itself_ends() {
    #[derive(Debug, Deserialize, Serialize)]
    #[serde(transparent)]
    struct Nest(Set<Nest>);
    assert_eq!(problem::<Nest>(&cycle(|own| Node::Set(vec![own]))), Problem::Cycle);
}
