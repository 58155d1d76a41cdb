//! Arguments one after the other.

use serde_json::json as j;

use super::{
    super::{Arguments, Rest, from_argument, from_rest},
    *,
};
use crate::flight;

fn arguments(array: serde_json::Value) -> Arguments {
    Arguments::new(json(array)).unwrap()
}

#[test]
fn each_argument_has_its_own_type() {
    let mut arguments = arguments(j!(["a", 2, [true]]));
    assert_eq!(arguments.len(), 3);
    assert_eq!(arguments.next(), Ok("a".to_owned()));
    assert_eq!(arguments.next(), Ok(2_u8));
    assert_eq!(arguments.next(), Ok((true,)));
}

#[test]
fn arguments_that_nobody_asked_for_are_ignored() {
    let mut arguments = arguments(j!([1, 2, 3]));
    assert_eq!(arguments.next(), Ok(1));
}

#[test]
fn an_argument_that_was_not_sent_is_none_or_missing() {
    let mut arguments = arguments(j!([1]));
    assert_eq!(arguments.next(), Ok(1));
    assert_eq!(arguments.next::<Option<u8>>(), Ok(None));
    let missing = arguments.next::<String>().unwrap_err();
    assert_eq!(missing.to_string(), "argument 3: missing, expected a string");
    assert_eq!(arguments.rest::<u8>(), Ok(Rest(vec![])));
}

#[test]
fn an_error_names_its_argument() {
    let mut three = arguments(j!([1, "x", [0, "y"]]));
    assert_eq!(three.next(), Ok(1));
    let second = three.next::<u8>().unwrap_err();
    assert_eq!(second.to_string(), "argument 2: expected a whole number from 0 to 255, found a string");
    let third = three.next::<Vec<f32>>().unwrap_err();
    assert_eq!(third.to_string(), "argument 3, [1]: expected a number, found a string");
    let alone = from_argument::<u8>(0, &Value::null()).unwrap_err();
    assert_eq!(alone.to_string(), "argument 1: expected a whole number from 0 to 255, found null");
}

#[test]
fn the_rest_are_all_that_are_left() {
    let mut arguments = arguments(j!([1, 2, "x"]));
    assert_eq!(arguments.next(), Ok(1));
    let wrong = arguments.rest::<u8>().unwrap_err();
    assert_eq!(wrong.to_string(), "argument 3: expected a whole number from 0 to 255, found a string");
    assert_eq!(from_rest(1, &json(j!([1, 2, 3]))), Ok(Rest(vec![2, 3])));
    assert_eq!(from_rest::<u8>(9, &json(j!([1]))), Ok(Rest(vec![])));
}

#[test]
fn only_an_array_holds_arguments() {
    assert_eq!(
        Arguments::new(json(j!({}))).unwrap_err().to_string(),
        "expected an array of arguments, found an object"
    );
    assert!(from_rest::<u8>(0, &Value::undefined()).is_err());
}

#[test]
fn the_rest_as_values_share_what_the_arguments_shared() {
    let sent = built(|builder| {
        let shared = Slot::Node(builder.add(Node::Array(vec![])));
        Slot::Node(builder.add(Node::Array(vec![shared.clone(), shared])))
    });
    let rest: Rest<Value> = from_rest(0, &sent).unwrap();
    let rows = flight::encode(&rest, 0).unwrap();
    let root = flight::parse(&rows, &flight::Limits::default()).unwrap().root;
    assert_eq!(root, Ok(sent));
}
