use super::*;
use crate::{
    ErrorCode,
    value::{Node, Slot},
};

fn known(_: &JsString) -> Resolution {
    Resolution::Known
}

fn text(body: &str, limits: &Limits) -> Result<Value, ReplyError> {
    decode_text(Bytes::copy_from_slice(body.as_bytes()), limits, &known)
}

fn parts(fields: &[(&str, &str)]) -> Result<Value, ReplyError> {
    let parts: Vec<_> = fields.iter().map(|(name, value)| Part::text(*name, *value)).collect();
    decode_parts(&parts, "", &Limits::default(), &known)
}

#[test]
fn each_limit_refuses_one_more() {
    let default = Limits::default();
    let cases = [
        (Limits { depth_max: 3, ..default }, "[[1]]", "[[[1]]]"),
        (Limits { nodes_max: 2, ..default }, "[[1]]", "[[],[]]"),
        (Limits { references_max: 1, ..default }, r#"[[],"$0:0"]"#, r#"[[],"$0:0","$0:0"]"#),
        (Limits { bytes_max: 3, ..default }, r#"["ab\n"]"#, r#"["abc\n"]"#),
        (Limits { array_slots_max: 3, ..default }, "[1,2]", "[1,2,3]"),
        (Limits { bigint_chars_max: 2, ..default }, r#"["$n12"]"#, r#"["$n123"]"#),
    ];
    for (limits, fits, too_much) in cases {
        assert!(text(fits, &limits).is_ok(), "{fits}");
        assert_eq!(text(too_much, &limits).unwrap_err().code(), ErrorCode::ReplyLimit, "{too_much}");
    }
}

#[test]
fn a_limit_refuses_the_reply_even_behind_a_promise() {
    let deep = format!("{}1{}", "[".repeat(600), "]".repeat(600));
    let error = parts(&[("0", r#"["$@1"]"#), ("1", &deep)]).unwrap_err();
    assert_eq!(error.kind, ReplyErrorKind::Limit { setting: "depth_max", max: 512 });
}

#[test]
fn arguments_are_an_array_of_limited_length() {
    let arguments = |body: &'static str| {
        let limits = Limits { arguments_max: 2, ..Limits::default() };
        decode_arguments(Body::Text(Bytes::from_static(body.as_bytes())), &limits, &known)
    };
    assert!(arguments("[1,2]").is_ok());
    assert_eq!(arguments("[1,2,3]").unwrap_err().code(), ErrorCode::TooManyArguments);
    assert_eq!(arguments("{}").unwrap_err().to_string(), "the arguments are an object, not an array");
}

#[test]
fn an_error_says_where_and_echoes_little() {
    let long = format!("[1,\n \"${}\"]", "z".repeat(500));
    let error = text(&long, &Limits::default()).unwrap_err().to_string();
    assert_eq!(error, format!("the reference \"${}\" names no part (part 0, byte 508)", "z".repeat(31)));
    let error = parts(&[("7", "[1 2]"), ("0", r#"["$W7"]"#)]).unwrap_err();
    assert_eq!(error.to_string(), "not JSON: expected a comma or ] (part 7, byte 3)");
}

#[test]
fn a_temporary_value_is_named_by_its_place() {
    let value =
        parts(&[("a", ""), ("10", r#"[["k",{"x":"$T"}]]"#), ("0", r#"["$Qa",{"f":["$T"]}]"#)]).unwrap();
    let mut paths: Vec<_> = value
        .graph()
        .nodes()
        .filter_map(|node| match node {
            Node::Temporary { path } => path.as_str(),
            _ => None,
        })
        .collect();
    paths.sort_unstable();
    assert_eq!(paths, ["0:1:f:0", "a:0:1:x"]);
    assert_eq!(text(r#"[{"a:b":"$T"}]"#, &Limits::default()).unwrap_err().kind, ReplyErrorKind::Temporary);
}

#[test]
fn references_that_lead_to_each_other_are_null() {
    for body in [r#"["$0:1","$0:0"]"#, r#"["$0:0"]"#, r#"[{"a":"$0:1"},"$0:0:a"]"#] {
        let value = text(body, &Limits::default()).unwrap();
        assert!(matches!(value.as_array().unwrap(), [.., Slot::Null]), "{body}");
    }
    assert!(text(r#"["$0:1:x","$0:0"]"#, &Limits::default()).is_err());
}

#[test]
fn references_lead_through_references_in_any_order() {
    let value = text(r#"["$0:1:b","$0:2",{"b":"$0:3"},7]"#, &Limits::default()).unwrap();
    assert!(matches!(value.as_array().unwrap()[0], Slot::Number(7.0)));
}

#[test]
fn a_path_leads_along_keys_with_lone_surrogates() {
    let value = text(r#"[{"\ud800":{"k":[]}},"$0:0:\ud800:k"]"#, &Limits::default()).unwrap();
    let expected = text(r#"[{"\ud800":{"k":[]}},"$0:0"]"#, &Limits::default()).unwrap();
    assert_ne!(value, expected);
    let Some([_, Slot::Node(id)]) = value.as_array() else { panic!() };
    assert!(matches!(value.graph().node(*id), Node::Array(_)));
}

#[test]
fn a_promise_of_itself_rejects_and_as_root_refuses() {
    let value = parts(&[("0", r#"["$@1","$@2"]"#), ("1", "\"$@2\""), ("2", "\"$@1\"")]).unwrap();
    let Some([Slot::Node(first), _]) = value.as_array() else { panic!() };
    assert!(matches!(value.graph().node(*first), Node::Promise(crate::value::Promise::Rejected { .. })));
    assert_eq!(parts(&[("0", "\"$@0\"")]).unwrap_err().kind, ReplyErrorKind::PromiseCycle);
}

#[test]
fn bound_arguments_that_fail_take_along_all_that_holds_the_reference() {
    let reference = ("1", r#"{"id":"a","bound":"$@2"}"#);
    assert!(parts(&[reference, ("0", r#"["$h1"]"#), ("2", "{")]).is_err());
    let promised = parts(&[("0", r#"["$@3"]"#), reference, ("3", r#"["$h1"]"#), ("2", "{")]).unwrap();
    let Some([Slot::Node(promise)]) = promised.as_array() else { panic!() };
    assert!(matches!(promised.graph().node(*promise), Node::Promise(crate::value::Promise::Rejected { .. })));
}

#[test]
fn a_form_data_value_behind_a_promise_that_settled_late_is_not_lost() {
    let fields = [
        ("0", r#"["$@1","$@2"]"#),
        ("_3_b", "second"),
        ("2", "\"$K3\""),
        ("_4_a", "first"),
        ("1", "\"$K4\""),
    ];
    let value = parts(&fields).unwrap();
    let full = |node: &&Node| matches!(node, Node::FormData(entries) if entries.len() == 1);
    assert_eq!(value.graph().nodes().filter(full).count(), 2);
}
