//! `results.schema.json` is for other programs; it has to say what the types say.

use std::collections::BTreeSet;

use serde_json::Value;

use super::sample;

fn schema() -> Value {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("results.schema.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The keywords that this schema uses, and no others.
fn check(root: &Value, schema: &Value, value: &Value, place: &str, reached: &mut BTreeSet<String>) {
    for (keyword, wanted) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "properties" => {}
            "$ref" => {
                let pointer = wanted.as_str().unwrap().trim_start_matches('#');
                reached.insert(pointer.to_owned());
                check(root, root.pointer(pointer).unwrap(), value, place, reached);
            }
            "type" => {
                let names = wanted.as_array().map_or_else(|| vec![wanted], |names| names.iter().collect());
                assert!(
                    names.iter().any(|name| is_of(value, name.as_str().unwrap())),
                    "{place}: {value} is no {wanted}"
                );
            }
            "const" => assert_eq!(value, wanted, "{place}"),
            "minimum" => assert!(value.as_f64() >= wanted.as_f64(), "{place}"),
            "required" => {
                for key in wanted.as_array().unwrap() {
                    assert!(value.get(key.as_str().unwrap()).is_some(), "{place} has no {key}");
                }
            }
            "propertyNames" => {
                for key in value.as_object().unwrap().keys() {
                    if let Some(names) = wanted.get("enum") {
                        assert!(
                            names.as_array().unwrap().contains(&Value::from(key.as_str())),
                            "{place}.{key}"
                        );
                    }
                }
            }
            "additionalProperties" => {
                for (key, member) in value.as_object().unwrap() {
                    let place = format!("{place}.{key}");
                    match (schema.pointer(&format!("/properties/{key}")), wanted) {
                        (Some(known), _) => check(root, known, member, &place, reached),
                        (None, Value::Bool(false)) => panic!("the schema does not know {place}"),
                        (None, other) => check(root, other, member, &place, reached),
                    }
                }
            }
            "items" => {
                for item in value.as_array().unwrap() {
                    check(root, wanted, item, &format!("{place}[]"), reached);
                }
            }
            other => panic!("{place}: this test does not know {other}"),
        }
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    }
}

#[test]
fn the_schema_says_what_the_types_say() {
    let schema = schema();
    let mut reached = BTreeSet::new();
    for results in [sample::results(), sample::calm()] {
        // Nothing of the types is optional in what is written, so keys that the schema does not know show here.
        check(&schema, &schema, &serde_json::to_value(results).unwrap(), "results", &mut reached);
    }
    let defined = schema["$defs"].as_object().unwrap().keys().map(|name| format!("/$defs/{name}"));
    assert_eq!(reached, defined.collect(), "each definition stands for a type that is written");
    assert_eq!(schema["properties"]["schema"]["const"], crate::results::SCHEMA);
}

#[test]
fn the_schema_lists_every_outcome() {
    let outcomes = crate::results::Outcome::ALL.map(|outcome| {
        assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.word());
        outcome.word().to_owned()
    });
    let listed = schema()["$defs"]["outcomes"]["propertyNames"]["enum"].clone();
    let listed: BTreeSet<String> = serde_json::from_value(listed).unwrap();
    assert_eq!(listed, BTreeSet::from(outcomes));
}
