//! What holds for every reply: round trips, and no panic on hostile bytes. What bodies cost is in `tests/cost`.

use callboard_protocol::{
    Value,
    js::{BigInt, Date, JsString},
    multipart::{self, Part},
    reply::{Encoded, Limits, Resolution, decode_parts, decode_text, encode},
    value::{
        ArrayKind, Blob, Builder, Items, Node, NodeId, Promise, Slot, Stream, StreamEnd, StreamKind,
        TypedArray,
    },
};
use proptest::prelude::*;

use crate::{golden_reply::vectors, limits::wide_open, reply, tagged};

pub(crate) fn known(_: &JsString) -> Resolution {
    Resolution::Known
}

/// One object of a graph to be built: its kind, and what it holds, where a number names another object.
#[derive(Clone, Debug)]
struct Plan {
    kind: u8,
    items: Vec<Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Scalar(Slot),
    Object(prop::sample::Index),
}

fn any_string() -> impl Strategy<Value = JsString> {
    prop_oneof![
        4 => "(\\$|[@DnT:]|[a-c]|\"|\\\\|\n|é|😀){0,6}".prop_map(JsString::from),
        1 => prop::collection::vec(prop_oneof![Just(0xD83D), Just(0xDE00), Just(0x24), 0x61..0x64_u16], 0..4)
            .prop_map(|units| JsString::from_units(&units)),
    ]
}

fn any_scalar() -> impl Strategy<Value = Slot> {
    prop_oneof![
        Just(Slot::Undefined),
        Just(Slot::Null),
        any::<bool>().prop_map(Slot::Bool),
        prop::num::f64::ANY.prop_map(Slot::Number),
        any::<i32>().prop_map(|number| Slot::Number(f64::from(number))),
        any_string().prop_map(Slot::String),
        any::<i128>().prop_map(|number| Slot::BigInt(BigInt::from(number))),
        (-8_000_000_000_000_000_i64..8_000_000_000_000_000)
            .prop_map(|millis| Slot::Date(Date::from_millis(millis as f64))),
    ]
}

pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let item =
        prop_oneof![any_scalar().prop_map(Item::Scalar), any::<prop::sample::Index>().prop_map(Item::Object)];
    let plan = (0_u8..12, prop::collection::vec(item, 0..6)).prop_map(|(kind, items)| Plan { kind, items });
    prop::collection::vec(plan, 1..14).prop_map(|plans| build(&plans))
}

/// Builds the graph; what cannot be told apart on the wire is left out.
fn build(plans: &[Plan]) -> Value {
    let mut builder = Builder::new();
    let ids: Vec<NodeId> = plans.iter().map(|_| builder.add(Node::Error)).collect();
    for (at, plan) in plans.iter().enumerate() {
        let slots = |skip: fn(u8) -> bool| -> Vec<Slot> {
            let slot = |item: &Item| match item {
                Item::Scalar(slot) => slot.clone(),
                Item::Object(index) if skip(plans[index.index(plans.len())].kind) => Slot::Null,
                Item::Object(index) => Slot::Node(ids[index.index(plans.len())]),
            };
            plan.items.iter().map(slot).collect()
        };
        let any = || slots(|_| false);
        let node = match plan.kind {
            // The root is no promise, which would be awaited.
            _ if at == 0 => Node::Array(any()),
            0 | 1 => Node::Array(any()),
            2 | 3 => Node::Object(
                (0..).zip(any()).filter(|(_, slot)| !matches!(slot, Slot::Undefined)).map(member).collect(),
            ),
            4 => Node::Map(distinct(any()).into_iter().zip(any()).collect()),
            5 => Node::Set(distinct(any())),
            6 => Node::Iterator(any()),
            7 => {
                let kind = ArrayKind::ALL[plan.items.len() % ArrayKind::ALL.len()];
                Node::Bytes(TypedArray {
                    kind,
                    bytes: vec![7; plan.items.len() * kind.element_bytes()].into(),
                })
            }
            8 => Node::FormData(form_entries(&mut builder, plan)),
            // A promise of a promise would be one promise.
            9 => match slots(|kind| kind == 9).into_iter().next() {
                Some(slot) => Node::Promise(Promise::Fulfilled(slot)),
                None => Node::Promise(Promise::Rejected { digest: None }),
            },
            // Nothing names what stands in a row but promises and server references.
            11 => Node::Stream(stream(slots(|kind| !matches!(kind, 9 | 10)), &mut builder)),
            _ => {
                let bound = (plan.items.len() % 2 == 1).then(any);
                Node::ServerReference { id: format!("action{at}").into(), bound }
            }
        };
        *builder.node_mut(ids[at]) = node;
    }
    builder.finish(Slot::Node(ids[0]))
}

/// A stream of these items; how it ends is up to the first.
fn stream(mut items: Vec<Slot>, builder: &mut Builder) -> Stream {
    let (kind, end) = match items.first() {
        None => {
            let bytes = TypedArray { kind: ArrayKind::Uint8, bytes: vec![1, 2].into() };
            items.push(Slot::Node(builder.add(Node::Bytes(bytes))));
            (StreamKind::Bytes, StreamEnd::Closed)
        }
        Some(Slot::Undefined | Slot::Null) => (StreamKind::Values, StreamEnd::Closed),
        Some(Slot::Bool(_)) => (StreamKind::Values, StreamEnd::Errored { digest: None }),
        Some(Slot::Number(_)) => (StreamKind::AsyncIterable, StreamEnd::Closed),
        Some(Slot::String(_)) => (StreamKind::AsyncIterator, StreamEnd::Closed),
        Some(slot) => (StreamKind::AsyncIterable, StreamEnd::Returned(slot.clone())),
    };
    Stream { kind, items: Items::Complete { items, end } }
}

fn member((at, slot): (usize, Slot)) -> (JsString, Slot) {
    (["a", "", "0", "__proto", "length", "é\"$"][at % 6].into(), slot)
}

fn form_entries(builder: &mut Builder, plan: &Plan) -> Vec<(JsString, Slot)> {
    let mut entries = Vec::new();
    for (at, item) in plan.items.iter().enumerate() {
        let slot = match item {
            Item::Scalar(Slot::String(text)) => Slot::String(text.to_text_lossy().as_ref().into()),
            _ => Slot::Node(builder.add(Node::Blob(Blob {
                name: Some("f".into()),
                media_type: "a/b".into(),
                content: vec![1; at].into(),
            }))),
        };
        entries.push((["x", "_1_", ""][at % 3].into(), slot));
    }
    entries
}

/// Keys that JavaScript would tell apart, as it would store them.
fn distinct(slots: Vec<Slot>) -> Vec<Slot> {
    let mut seen: Vec<String> = Vec::new();
    let mut kept = Vec::new();
    for slot in slots {
        let slot = match slot {
            Slot::Number(number) => Slot::Number(number + 0.0),
            other => other,
        };
        let shown = format!("{slot:?}");
        if matches!(slot, Slot::Date(_)) || !seen.contains(&shown) {
            seen.push(shown);
            kept.push(slot);
        }
    }
    kept
}

fn decode(encoded: &Encoded) -> Value {
    let limits = Limits::default();
    match encoded {
        Encoded::Text(text) => decode_text(text.clone().into(), &limits, &known),
        Encoded::Form(parts) => decode_parts(parts, "", &limits, &known),
    }
    .expect("what was encoded can be decoded")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn what_was_encoded_decodes_to_the_same_graph(value in any_value()) {
        let encoded = encode(&value).unwrap();
        prop_assert_eq!(&decode(&encoded), &value);
    }

    #[test]
    fn a_form_survives_the_way_through_multipart(value in any_value()) {
        if let Encoded::Form(parts) = encode(&value).unwrap() {
            let body = multipart::render(&parts, "boundary-7");
            let received = multipart::collect(body.into(), "boundary-7", multipart::Limits::default());
            prop_assert_eq!(received.unwrap(), parts);
        }
    }

    #[test]
    fn text_made_of_json_and_tags_is_decoded_or_refused(
        text in "(\\[|\\]|\\{|\\}|,|:|\"\\$[0-9a-zA-Z@:$-]{0,4}\"|\"a\"|\"\\\\ud8|[01]|null|-|\\\\){0,24}",
    ) {
        let _ = decode_text(text.into(), &Limits::default(), &known);
    }

    #[test]
    fn bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode_text(bytes.into(), &Limits::default(), &known);
    }

    #[test]
    fn parts_that_refer_to_each_other_are_decoded_or_refused(
        parts in prop::collection::vec(
            ("(_?[0-4](_a)?|S[0-3])", "(\"\\$[QWihK@Bo]?[0-4](:[01]|:a|:length){0,2}\"|\\[|\\]|,|1|\\{\"(id|bound|a|then)\":|\\}){0,9}"),
            0..7,
        ),
    ) {
        let mut parts: Vec<_> = parts.into_iter().map(|(name, text)| Part::text(name, text)).collect();
        parts.push(Part::file("4", "f", "a/b", "12345678"));
        let _ = decode_parts(&parts, "", &Limits::default(), &known);
    }
}

/// Every vector, with each character in turn left out or replaced by one that means something.
#[test]
fn mutated_vectors_are_decoded_or_refused() {
    for file in vectors("reply") {
        let json = tagged::read(&file).expect("a vector is JSON");
        let Ok(parts) = reply::parts(&json) else { continue };
        for mutated in 0..parts.len() {
            let Some(text) = parts[mutated].as_text().filter(|text| text.len() < 2000) else { continue };
            for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
                let (before, after) = text.split_at(at);
                let rest = after.chars().next().map_or("", |char| &after[char.len_utf8()..]);
                for middle in ["", "$", "\"", "[", "}", "0", ":", "\\"] {
                    let mut parts = parts.clone();
                    parts[mutated] =
                        Part::text(parts[mutated].name.clone(), format!("{before}{middle}{rest}"));
                    let _ = decode_parts(&parts, "", &Limits::default(), &known);
                }
            }
        }
    }
}

#[test]
fn nesting_of_any_depth_is_decoded_or_refused_without_recursion() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(decode_text(deep.clone().into(), &wide_open(), &known).is_ok());
    assert!(decode_text(deep.into(), &Limits::default(), &known).is_err());
}
