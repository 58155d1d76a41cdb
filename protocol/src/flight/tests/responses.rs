//! Responses that no server of ours writes.

use proptest::prelude::*;

use super::super::{ActionResponse, Limits, ParseError, Response, Thrown, parse, parse_action};
use crate::value::{Node, Promise, Slot};

fn parsed(body: &str) -> Response {
    parse(body.as_bytes(), &Limits::default()).unwrap()
}

/// Claims that two bodies mean the same.
fn same(body: &str, other: &str) {
    assert_eq!(parsed(body), parsed(other), "{body:?} and {other:?}");
}

fn thrown(body: &str) -> Option<String> {
    parsed(body).root.expect_err(body).digest
}

#[test]
fn paths_lead_through_members_items_and_elements() {
    same("1:{\"a\":[0,{\"b:c\":1,\"\":2}]}\n0:[\"$1:a:1:\",\"$1:a:length\"]\n", "0:[2,2]\n");
    same(
        "1:[\"$\",\"p\",\"k\",{\"x\":3}]\n0:[\"$1:type\",\"$1:key\",\"$1:props:x\"]\n",
        "0:[\"p\",\"k\",3]\n",
    );
    same("0:[\"$1:0:0\"]\n1:[\"$2\"]\n2:[\"$3\"]\n3:7\n", "0:[7]\n");
    same("0:[\"$1:0\"]\n1:\"$L2\"\n2:[5]\n", "0:[5]\n");
}

#[test]
fn paths_that_lead_nowhere_reject_the_row() {
    for path in ["1:x", "1:0:a", "1:00", "1:-1", "1:0:length", "1:length:x", "z", "2"] {
        assert_eq!(thrown(&format!("1:[\"text\"]\n0:[\"${path}\"]\n")), None, "{path}");
    }
}

#[test]
fn references_in_a_circle_are_null() {
    same("0:[\"$0:0\"]\n", "0:[null]\n");
    same("0:[\"$0:1\",\"$0:0\"]\n", "0:[null,null]\n");
    same("0:\"$1\"\n1:\"$0\"\n", "0:null\n");
    same("0:\"$L0\"\n", "0:\"$L0\"\n");
    assert_eq!(thrown("0:[\"$1:0\"]\n1:\"$L1\"\n"), None);
}

#[test]
fn a_promise_that_leads_back_to_itself_is_rejected() {
    assert_eq!(thrown("0:\"$@0\"\n"), None);
    assert_eq!(thrown("0:\"$@1\"\n1:\"$@2\"\n2:\"$@1\"\n"), None);
    same("0:\"$@1\"\n1:\"$@2\"\n2:4\n", "0:4\n");
}

#[test]
fn of_equal_keys_the_last_counts() {
    same("0:{\"a\":\"$9\",\"b\":2,\"a\":1}\n9:0\n", "0:{\"a\":1,\"b\":2}\n");
    same("0:{\"a\":1,\"a\":\"$undefined\",\"__proto__\":\"$7\"}\n", "0:{}\n");
    same("1:[[1,2],[1,3],[\"$NaN\",4],[\"$NaN\",5]]\n0:\"$Q1\"\n", "1:[[1,3],[\"$NaN\",5]]\n0:\"$Q1\"\n");
    same("1:[0,\"$-0\",\"a\",\"a\"]\n0:\"$W1\"\n", "1:[0,\"a\"]\n0:\"$W1\"\n");
}

#[test]
fn collections_of_the_wrong_shape_reject_the_row() {
    for (tag, row) in [
        ("Q", "[1]"),
        ("Q", "{}"),
        ("W", "1"),
        ("i", "null"),
        ("K", "[[1,2]]"),
        ("K", "[[\"a\",1]]"),
        ("B", "[]"),
        ("B", "[\"\",1]"),
        ("h", "null"),
    ] {
        assert_eq!(thrown(&format!("1:{row}\n0:\"${tag}1\"\n")), None, "{tag} {row}");
    }
    same("1:null\n2:[]\n0:[\"$Q1\",\"$W1\"]\n", "2:[]\n0:[\"$Q2\",\"$W2\"]\n");
}

#[test]
fn an_error_in_an_element_stays_in_it() {
    let response = parsed("1:E{\"digest\":\"D\"}\n0:[1,[\"$\",\"p\",null,{\"x\":\"$1\"}]]\n");
    let root = response.root.unwrap();
    let items = root.as_array().unwrap();
    let rejected = Some("D".to_owned());
    assert!(matches!(
        root.at(&items[1]).node(),
        Some(Node::Lazy(Promise::Rejected { digest })) if *digest == rejected
    ));
}

#[test]
fn an_error_goes_as_far_as_plain_references() {
    assert_eq!(
        thrown("0:[\"$1\"]\n1:{\"a\":\"$Q2\"}\n2:[[1,\"$3\"]]\n3:E{\"digest\":\"D\"}\n").as_deref(),
        Some("D")
    );
    let root = parsed("0:[\"$@1\"]\n1:[\"$2\"]\n2:E{}\n").root.unwrap();
    let Slot::Node(promise) = root.as_array().unwrap()[0] else { panic!() };
    assert!(matches!(root.graph().node(promise), Node::Promise(Promise::Rejected { digest: None })));
}

#[test]
fn a_function_under_then_is_dropped() {
    same("1:{\"id\":\"x\",\"bound\":null}\n0:{\"then\":\"$h1\",\"a\":1}\n", "0:{\"then\":null,\"a\":1}\n");
}

#[test]
fn bound_arguments_must_be_there() {
    let bound = |rows: &str| parse(rows.as_bytes(), &Limits::default()).map(|_| ());
    assert_eq!(bound("1:{\"id\":\"x\",\"bound\":[1]}\n0:\"$h1\"\n"), Ok(()));
    assert_eq!(bound("1:{\"id\":\"x\",\"bound\":\"$@2\"}\n0:\"$h1\"\n"), Err(ParseError::Bound));
    assert_eq!(bound("1:{\"id\":\"x\",\"bound\":3}\n0:\"$h1\"\n"), Err(ParseError::Bound));
}

#[test]
fn limits_hold() {
    let limits = Limits { levels_max: 3, objects_max: 20, ..Limits::default() };
    let refused = |body: &str| parse(body.as_bytes(), &limits).unwrap_err();
    assert_eq!(refused("0:[[[[]]]]\n"), ParseError::TooDeep { levels_max: 3 });
    // Each mention makes another map.
    let maps = "1:[[1,1],[2,2],[3,3]]\n0:[\"$Q1\",\"$Q1\",\"$Q1\",\"$Q1\"]\n";
    assert_eq!(refused(maps), ParseError::TooLarge { objects_max: 20 });
    let blob = format!("1:o400,{}2:[\"\",\"$1\",\"$1\"]\n0:\"$B2\"\n", "x".repeat(1024));
    assert_eq!(refused(&blob), ParseError::TooLarge { objects_max: 20 });
    let items = "0:\"$1\"\n1:R\n".to_owned() + &"1:1\n".repeat(20);
    assert_eq!(refused(&items), ParseError::TooLarge { objects_max: 20 });
}

#[test]
fn long_chains_cost_no_stack() {
    use std::fmt::Write as _;
    let mut body = String::new();
    for id in 0..100_000 {
        writeln!(body, "{id:x}:[\"${:x}:0\"]", id + 1).unwrap();
    }
    writeln!(body, "{:x}:[5]", 100_000).unwrap();
    same(&body, "0:[5]\n");
}

#[test]
fn a_stream_takes_the_rows_of_its_id_until_it_ends() {
    same("1:x\n0:\"$1\"\n1:1\n1:T0,1:C\n1:2\n", "1:x\n0:\"$1\"\n1:1\n1:\"\"\n1:C\n");
    same("0:\"$1\"\n1:X\n1:\"$2\"\n1:C\"$3\"\n2:[5]\n3:7\n", "1:X\n0:\"$1\"\n1:[5]\n1:C7\n");
    // What is already something else is no stream, and what is open does not open again.
    same("1:[0]\n1:R\n0:\"$1\"\n", "1:[0]\n0:\"$1\"\n");
    same("1:R\n1:r\n1:1\n1:C\n0:\"$1\"\n", "1:R\n0:\"$1\"\n1:1\n1:C\n");
}

#[test]
fn a_stream_that_the_body_or_an_item_breaks_off_errs() {
    same("1:R\n0:\"$1\"\n1:1\n", "1:R\n0:\"$1\"\n1:1\n1:E{}\n");
    let broken = "1:R\n0:\"$1\"\n1:1\n1:E{\"digest\":\"D\"}\n";
    same("1:R\n0:\"$1\"\n1:1\n1:\"$2\"\n1:3\n1:C\n2:E{\"digest\":\"D\"}\n", broken);
    same("1:R\n0:\"$1\"\n1:1\n1:E{\"digest\":\"D\"}\n1:C\n", broken);
    // The client's controller throws, and the client reads no further.
    same("1:R\n1:1\n1:C\n1:2\n0:\"$1\"\n", "");
    for item in ["b0,", "T1,a", "1\n", "A1,a", "o1,a"] {
        same(
            &format!("0:[\"$1\",\"$@2\"]\n1:r\n1:{item}1:C\n2:2\n"),
            "0:[\"$1\",\"$@2\"]\n1:r\n1:E{}\n2:E{}\n",
        );
    }
}

#[test]
fn an_answer_without_a_is_none() {
    assert_eq!(parse_action(b"0:[1]\n"), Err(ParseError::NotAnAction));
    let broken = ActionResponse { build: None, result: Err(Thrown { digest: None }) };
    assert_eq!(parse_action(b""), Ok(broken));
}

/// Rows that are likely to mean something to each other.
fn rows() -> impl Strategy<Value = String> {
    let text = prop::sample::select(vec![
        "$0",
        "$1",
        "$2:0",
        "$1:a",
        "$Q1",
        "$W2",
        "$i1",
        "$K1",
        "$B2",
        "$h1",
        "$@0",
        "$@1",
        "$L2",
        "$L0",
        "$",
        "$Z",
        "$undefined",
        "$T1:0",
        "$Sx",
        "$n5",
        "$n0x",
        "$D2020",
        "text",
        "$$",
        "",
    ]);
    let leaf = prop_oneof![text.prop_map(|text| format!("{text:?}")), Just("1".to_owned())];
    let json = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(
                (prop::sample::select(vec!["a", "id", "bound", "then", "__proto__"]), inner),
                0..4
            )
            .prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(key, json)| format!("{key:?}:{json}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    let tag = prop::sample::select(vec!["", "", "", "", "I", "E", "P", "R", "x", "C", "C"]);
    prop::collection::vec((0..4, tag, json), 0..6).prop_map(|rows| {
        let rows: Vec<_> = rows.iter().map(|(id, tag, json)| format!("{id}:{tag}{json}\n")).collect();
        rows.concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_rows_are_read_without_panic(rows in rows()) {
        let _ = parse(rows.as_bytes(), &Limits::default());
    }

    #[test]
    fn any_bytes_are_read_without_panic(body: Vec<u8>) {
        let _ = parse(&body, &Limits::default());
    }
}
