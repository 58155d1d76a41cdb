//! What a caller reads who sent the wrong thing.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json as j;

use super::{
    super::{Form, Problem, from_argument},
    *,
};
use crate::{
    ErrorCode,
    js::{Date, JsString},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only what is refused is looked at")]
struct Order {
    items: Vec<Item>,
    kind: Option<Kind>,
    pair: Option<(u8, u8)>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only what is refused is looked at")]
struct Item {
    price: f64,
    count: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only what is refused is looked at")]
enum Kind {
    Small,
    Large(u8),
}

#[test]
fn a_struct_says_where_and_what() {
    let cases = [
        (j!(1), "argument 2: expected an object, found a number"),
        (j!([]), "argument 2: expected an object, found an array"),
        (j!(null), "argument 2: expected an object, found null"),
        (j!({}), "argument 2, .items: missing"),
        (j!({ "items": {} }), "argument 2, .items: expected an array, found an object"),
        (
            j!({ "items": [], "other": 1 }),
            r#"argument 2, .other: unknown, expected one of "items", "kind", "pair""#,
        ),
        (
            j!({ "items": [{ "price": 1 }, { "price": "x" }] }),
            "argument 2, .items[1].price: expected a number, found a string",
        ),
        (
            j!({ "items": [{ "price": 1, "count": 300 }] }),
            "argument 2, .items[0].count: expected an integer from 0 to 255, found 300",
        ),
        (
            j!({ "items": [{ "price": 1, "count": 1.5 }] }),
            "argument 2, .items[0].count: expected an integer from 0 to 255, found 1.5",
        ),
        (
            j!({ "items": [{ "price": 1, "count": -1 }] }),
            "argument 2, .items[0].count: expected an integer from 0 to 255, found -1",
        ),
        (j!({ "kind": "Tiny" }), r#"argument 2, .kind: expected one of "Small", "Large", found "Tiny""#),
        (
            j!({ "kind": "Large" }),
            "argument 2, .kind: expected an object with one member, found only the variant's name",
        ),
        (
            j!({ "kind": 1 }),
            "argument 2, .kind: expected a string, or an object with one member, found a number",
        ),
        (j!({ "kind": {} }), "argument 2, .kind: expected an object with one member, found 0 members"),
        (
            j!({ "kind": { "Small": 1 } }),
            "argument 2, .kind.Small: expected null or undefined, found a number",
        ),
        (
            j!({ "kind": { "Large": "x" } }),
            "argument 2, .kind.Large: expected an integer from 0 to 255, found a string",
        ),
        (j!({ "pair": [1] }), "argument 2, .pair: expected an array of 2 items, found 1"),
        (j!({ "pair": [1, 2, 3] }), "argument 2, .pair: expected an array of 2 items, found 3"),
    ];
    for (value, message) in cases {
        assert_eq!(from_argument::<Order>(1, &json(value)).unwrap_err().to_string(), message);
    }
}

fn scalar<T: DeserializeOwned + std::fmt::Debug>(slot: Slot, message: &str) {
    assert_eq!(refused::<T>(&slot.into()), message);
}

#[test]
fn scalars_say_what_they_expect() {
    let lone = || Slot::String(JsString::from_units(&[0xD800]));
    scalar::<String>(Slot::Null, "expected a string, found null");
    scalar::<String>(
        Slot::Date(Date::from_millis(0.0)),
        "expected a string, found a date; take Date to accept it",
    );
    scalar::<String>(lone(), "a string with a lone surrogate; take JsString to accept it");
    scalar::<JsString>(Slot::Bool(true), "expected a string, found a boolean");
    scalar::<bool>(text("true"), "expected a boolean, found a string");
    scalar::<char>(text("ab"), r#"expected a string of one character, found "ab""#);
    scalar::<()>(Slot::Number(1.0), "expected null or undefined, found a number");
    scalar::<f64>(Slot::Undefined, "expected a number, found undefined");
    scalar::<i8>(Slot::Number(128.0), "expected an integer from -128 to 127, found 128");
    scalar::<u64>(Slot::Number(1e300), "expected an integer from 0 to 18446744073709551615, found 1e+300");
    scalar::<u128>(
        Slot::Number(-1.0),
        "expected an integer from 0 to 340282366920938463463374607431768211455, found -1",
    );
    scalar::<std::num::NonZeroU8>(
        Slot::Number(0.0),
        "expected an integer from 0 to 255, other than 0, found 0",
    );
    scalar::<Vec<u8>>(text("x"), "expected an array, found a string");
    scalar::<Form<Item>>(text("x"), "expected an object, found a string");
}

#[test]
fn form_data_where_an_object_was_expected_says_what_to_take() {
    let form = object(Node::FormData(vec![]));
    assert_eq!(refused::<Item>(&form), "expected an object, found form data; take Form to accept it");
}

#[test]
fn what_the_client_sent_is_repeated_in_part_only() {
    let long = "é".repeat(1000);
    let message = refused::<Kind>(&json(j!(long)));
    assert!(message.contains('…') && message.len() < 64 + 100, "{message}");
    let message = refused::<HashMap<String, u8>>(&json(j!({ long: "x" })));
    assert!(message.contains('…') && message.len() < 64 + 100, "{message}");
}

type Nested<T> = HashMap<String, HashMap<String, HashMap<String, T>>>;
/// 18 levels, whose names are the client's, and a value that is repeated when it is wrong.
type Deep = Nested<Nested<Nested<Nested<Nested<Nested<Kind>>>>>>;

/// Goal: names of a path and the value together repeat no more of a call than one name may. Method: `~` for all that the
/// client chose, which nothing of ours holds.
#[test]
fn what_one_error_repeats_is_bounded_as_a_whole() {
    for name_bytes in [1, 3, 4, 7, 31, 32, 33, 64, 1000] {
        for value_bytes in [1, 20, 32, 33, 1000] {
            let name = "~".repeat(name_bytes);
            let value = (0..18).fold(j!("~".repeat(value_bytes)), |value, _| j!({ &*name: value }));
            let message = refused::<Deep>(&json(value));
            let repeated = message.matches('~').count();
            assert!(repeated <= 64, "{repeated} bytes: {message}");
            assert!(
                repeated >= (name_bytes + value_bytes).min(32),
                "where it is wrong is not told: {message}"
            );
        }
    }
}

#[test]
fn the_middle_of_a_path_with_long_names_is_left_out() {
    let name = |letter: &str| letter.repeat(30);
    let value = j!({ name("a"): { name("b"): { name("c"): 1 } } });
    let message = refused::<Nested<String>>(&json(value));
    assert_eq!(message, format!("….{}: expected a string, found a number", name("c")));
    let message = refused::<Nested<bool>>(&json(j!({ "x": { name("b"): { "y": {} } } })));
    assert_eq!(message, format!(".x.{}.y: expected a boolean, found an object", name("b")));
    let message = refused::<Nested<bool>>(&json(j!({ "x": { name("b"): { name("c"): {} } } })));
    assert_eq!(message, format!(".x….{}: expected a boolean, found an object", name("c")));
}

#[test]
fn keys_that_are_no_names_stand_in_quotes() {
    let message = refused::<HashMap<String, u8>>(&json(j!({ "a \"b\"\n": null })));
    assert!(message.starts_with(r#"["a \"b\"\n"]: expected"#), "{message}");
}

#[test]
fn an_error_can_be_taken_apart() {
    let error = from_argument::<Order>(0, &json(j!({ "items": [{ "price": null }] }))).unwrap_err();
    assert_eq!(error.argument(), Some(1));
    assert_eq!(error.path(), ".items[0].price");
    assert_eq!(*error.problem(), Problem::Mismatch { expected: "a number".into(), found: "null".into() });
    assert_eq!(error.code(), ErrorCode::ArgumentMismatch);
}

#[test]
fn a_types_own_words_are_kept() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "u8")]
    struct Even;

    impl TryFrom<u8> for Even {
        type Error = &'static str;

        fn try_from(number: u8) -> Result<Self, &'static str> {
            if number.is_multiple_of(2) { Ok(Self) } else { Err("odd numbers are not sold") }
        }
    }

    assert_eq!(refused::<Vec<Even>>(&json(j!([2, 3]))), "[1]: odd numbers are not sold");
}
