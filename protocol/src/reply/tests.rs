mod incoming;

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
        // Four bytes, a node and a slot; one more of each.
        (Limits { work_max: 7, ..default }, "[12]", "[1,2]"),
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

/// CVE-2025-55182: what is inherited is no member, of whatever the path has come to.
#[test]
fn paths_lead_over_own_members_alone() {
    for value in ["[1]", "{\"a\":1}", "\"text\"", "1", "null", "\"$D1970-01-01T00:00:00.000Z\"", "\"$n1\""] {
        for key in
            ["__proto__", "constructor", "then", "toString", "constructor:constructor", "0x0", "00", "-1"]
        {
            let body = format!("[{value},\"$0:0:{key}\"]");
            let error = text(&body, &Limits::default()).unwrap_err();
            assert!(matches!(error.kind, ReplyErrorKind::Reference { .. }), "{body}: {error}");
        }
    }
    for made in ["$Q1", "$W1", "$i1", "$h1", "$@1", "$K1", "$R1"] {
        let body = format!("[\"{made}\",\"$0:0:then\"]");
        assert!(parts(&[("1", "[]"), ("0", &body)]).is_err(), "{body}");
    }
}

/// CVE-2026-23869: a part is marked before anything is made of it, so one that fails is not tried again.
#[test]
fn a_container_that_fails_is_made_once() {
    let fields = [("0", r#"["$@1","$@2"]"#), ("3", "[[1,2],3]"), ("1", r#"["$Q3"]"#), ("2", r#"["$Q3"]"#)];
    let value = parts(&fields).unwrap();
    for slot in value.as_array().unwrap() {
        let Slot::Node(id) = slot else { panic!() };
        let promise = value.graph().node(*id);
        assert!(matches!(promise, Node::Promise(crate::value::Promise::Rejected { .. })), "{promise:?}");
    }
    let twice = parts(&[("3", "[[1,2]]"), ("0", r#"["$Q3","$W3"]"#)]).unwrap_err();
    assert_eq!(twice.kind, ReplyErrorKind::UsedTwice { what: "a set" });
}

#[test]
fn work_is_limited_however_it_is_spent() {
    let limits = Limits { work_max: 2000, ..Limits::default() };
    let rows: Vec<_> = std::iter::once(("0", r#"["$R1","$@2"]"#)).chain([("S1", "[1]"); 500]).collect();
    let rows: Vec<_> = rows.into_iter().map(|(name, value)| Part::text(name, value)).collect();
    let error = decode_parts(&rows, "", &limits, &known).unwrap_err();
    assert_eq!(error.kind, ReplyErrorKind::Limit { setting: "work_max", max: 2000 });

    let mut incoming = Incoming::new(limits, crate::value::Flow::default(), Box::new(known));
    let pushed: Vec<_> = rows.into_iter().map(|part| incoming.push(part)).collect();
    assert_eq!(pushed.last(), Some(&Err(error)));
    assert!(incoming.steps() < 2000 + 100, "{} steps", incoming.steps());
}
