//! Forms into structs.

use serde::{Deserialize, Serialize};
use serde_json::json as j;

use super::{
    super::{Form, from_argument},
    *,
};
use crate::js::{BigInt, Date, File, FormData, JsString, Maybe, Set};

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
struct Entry {
    name: String,
    age: Option<u8>,
    height: f64,
    subscribed: bool,
    nickname: Option<String>,
    tags: Vec<String>,
    scores: Vec<u32>,
    size: Option<Size>,
    balance: i128,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Size {
    Small,
    Large,
}

fn form(entries: &[(&str, &str)]) -> Value {
    object(Node::FormData(entries.iter().map(|(name, value)| ((*name).into(), text(value))).collect()))
}

fn entry(entries: &[(&str, &str)]) -> Result<Entry, String> {
    from_argument::<Form<Entry>>(0, &form(entries)).map(Form::into_inner).map_err(|error| error.to_string())
}

#[test]
fn fields_are_parsed_as_their_types_ask() {
    let read = entry(&[
        ("tags", "a"),
        ("name", "Ada"),
        ("age", " 36 "),
        ("height", "1.7"),
        ("subscribed", "on"),
        ("tags", "b"),
        ("nickname", "countess"),
        ("scores", "1e3"),
        ("size", "large"),
        ("balance", "-170141183460469231731687303715884105728"),
        ("ignored", "x"),
    ]);
    let expected = Entry {
        name: "Ada".into(),
        age: Some(36),
        height: 1.7,
        subscribed: true,
        nickname: Some("countess".into()),
        tags: vec!["a".into(), "b".into()],
        scores: vec![1000],
        size: Some(Size::Large),
        balance: i128::MIN,
    };
    assert_eq!(read, Ok(expected));
}

#[test]
fn what_is_left_empty_is_none() {
    let read = entry(&[("name", ""), ("age", ""), ("nickname", ""), ("size", "")]);
    assert_eq!(read, Ok(Entry::default()));
    assert_eq!(entry(&[]), Ok(Entry::default()));
}

#[test]
fn a_box_is_ticked_or_not_or_not_there() {
    for (texts, ticked) in [
        (&["on"][..], true),
        (&["true"], true),
        (&["1"], true),
        (&["off"], false),
        (&["false"], false),
        (&["0"], false),
        (&[""], false),
        (&["false", "true"], true),
        (&[], false),
    ] {
        let entries: Vec<_> = texts.iter().map(|text| ("subscribed", *text)).collect();
        assert_eq!(entry(&entries).map(|entry| entry.subscribed), Ok(ticked), "{texts:?}");
    }
}

#[test]
fn mistakes_name_the_field() {
    let cases = [
        (("age", "abc"), r#"argument 1, .age: expected a whole number from 0 to 255, found "abc""#),
        (("age", "300"), r#"argument 1, .age: expected a whole number from 0 to 255, found "300""#),
        (("age", "1.5"), r#"argument 1, .age: expected a whole number from 0 to 255, found "1.5""#),
        (("height", "tall"), r#"argument 1, .height: expected a number, found "tall""#),
        (("height", "inf"), r#"argument 1, .height: expected a number, found "inf""#),
        (("height", ""), r#"argument 1, .height: expected a number, found """#),
        (("subscribed", "yes"), r#"argument 1, .subscribed: expected a boolean, found "yes""#),
        (("size", "huge"), r#"argument 1, .size: expected one of "small", "large", found "huge""#),
    ];
    for (field, message) in cases {
        assert_eq!(entry(&[field]), Err(message.into()));
    }
    assert_eq!(
        entry(&[("scores", "1"), ("scores", "x")]),
        Err(r#"argument 1, .scores[1]: expected a whole number from 0 to 4294967295, found "x""#.into())
    );
    assert_eq!(
        entry(&[("name", "a"), ("name", "b")]),
        Err("argument 1, .name: expected a string, found 2 values".into())
    );
}

#[test]
fn a_missing_field_is_named() {
    #[derive(Debug, Deserialize)]
    struct Named {
        #[expect(dead_code, reason = "only whether it is there is looked at")]
        name: String,
    }
    let error = from_argument::<Form<Named>>(0, &form(&[("nam", "x")])).unwrap_err();
    assert_eq!(error.to_string(), "argument 1, .name: missing");
    assert_eq!(error.path(), ".name");
}

#[test]
fn files_come_as_files_and_an_unused_input_as_none() {
    #[derive(Debug, Deserialize)]
    struct Upload {
        photo: Option<File>,
        #[serde(default)]
        more: Vec<Blob>,
        raw: Option<bytes::Bytes>,
    }
    let value = built(|builder| {
        let file = Slot::Node(builder.add(blob(Some("a.png"), b"png")));
        let entries =
            vec![("photo".into(), file.clone()), ("more".into(), file.clone()), ("raw".into(), file)];
        Slot::Node(builder.add(Node::FormData(entries)))
    });
    let upload: Form<Upload> = read(&value).unwrap();
    assert_eq!(upload.photo.as_ref().unwrap().name, "a.png");
    assert_eq!((upload.more.len(), upload.raw.as_deref()), (1, Some(&b"png"[..])));
    let unused = built(|builder| {
        let file = Slot::Node(builder.add(blob(Some(""), b"")));
        Slot::Node(builder.add(Node::FormData(vec![("photo".into(), file)])))
    });
    assert!(read::<Form<Upload>>(&unused).unwrap().photo.is_none());
    assert_eq!(
        refused::<Form<Upload>>(&form(&[("photo", "x")])),
        ".photo: expected an object, found a string"
    );
}

#[test]
fn newtypes_read_the_text() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Odd {
        day: Date,
        big: BigInt,
        text: JsString,
        any: Value,
        set: Set<u8>,
        maybe: Maybe<u8>,
        absent: Maybe<u8>,
    }
    let fields = [
        ("day", "1970-01-02"),
        ("big", "123456789012345678901234567890"),
        ("text", "t"),
        ("any", "a"),
        ("set", "1"),
        ("set", "2"),
        ("maybe", "7"),
    ];
    let odd: Form<Odd> = read(&form(&fields)).unwrap();
    let expected = Odd {
        day: Date::from_millis(86_400_000.0),
        big: BigInt::from_decimal("123456789012345678901234567890").unwrap(),
        text: "t".into(),
        any: text("a").into(),
        set: Set(vec![1, 2]),
        maybe: Maybe::Some(7),
        absent: Maybe::Undefined,
    };
    assert_eq!(odd.0, expected);
    let day = form(&[("day", "tomorrow")]);
    assert_eq!(refused::<Form<Odd>>(&day), r#".day: expected a date in ISO format, found "tomorrow""#);
}

#[test]
fn a_plain_object_is_a_form_as_well() {
    let value = json(j!({ "name": "Ada", "age": 36, "subscribed": true, "tags": ["a"] }));
    let form: Form<Entry> = read(&value).unwrap();
    assert_eq!((&*form.name, form.age, form.subscribed, form.tags.len()), ("Ada", Some(36), true, 1));
    let error = from_argument::<Form<Entry>>(0, &json(j!({ "age": "36" }))).unwrap_err();
    assert_eq!(error.to_string(), "argument 1, .age: expected a whole number from 0 to 255, found a string");
}

#[test]
fn a_form_of_a_form_or_of_anything_is_what_it_says() {
    let value = form(&[("a", "1"), ("a", "2")]);
    assert_eq!(read::<Form<FormData>>(&value).unwrap().get_all("a").count(), 2);
    assert_eq!(read::<Form<Value>>(&value).unwrap().0, value);
    assert!(read::<Form<()>>(&value).is_ok());
    let map: Form<std::collections::HashMap<String, Vec<u8>>> = read(&value).unwrap();
    assert_eq!(map["a"], [1, 2]);
    assert_eq!(read::<Option<Form<()>>>(&Value::undefined()), Ok(None));
}

#[test]
fn a_nested_form_is_read_where_it_stands() {
    let value = built(|builder| {
        let form = builder.add(Node::FormData(vec![("age".into(), text("x"))]));
        Slot::Node(builder.add(Node::Array(vec![Slot::Null, Slot::Node(form)])))
    });
    assert_eq!(
        refused::<(Option<u8>, Form<Entry>)>(&value),
        r#"[1].age: expected a whole number from 0 to 255, found "x""#
    );
}

#[test]
fn a_form_is_written_as_the_object_it_holds() {
    let written = serde_json::to_value(Form(j!({ "a": 1 }))).unwrap();
    assert_eq!(written, j!({ "a": 1 }));
}
