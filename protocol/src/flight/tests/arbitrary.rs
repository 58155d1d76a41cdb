//! Values of every kind that can be sent, with sharing and cycles.

use std::collections::HashSet;

use proptest::prelude::*;

use crate::{
    Value,
    js::{BigInt, Date, JsString},
    value::{
        ArrayKind, Blob, Builder, Items, Node, NodeId, Promise, Slot, Stream, StreamEnd, StreamKind,
        TypedArray,
    },
};

/// An object before it is known what its numbers name.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    kind: usize,
    slots: Vec<Leaf>,
    text: JsString,
    bytes: Vec<u8>,
}

/// A slot: an object by number, or a scalar.
#[derive(Clone, Debug)]
enum Leaf {
    Object(usize),
    Scalar(Slot),
}

fn string() -> impl Strategy<Value = JsString> {
    prop_oneof![
        4 => "[a-c$:@é\"\\\\\n\u{feff}😀]{0,12}".prop_map(JsString::from),
        1 => prop::collection::vec(prop_oneof![Just(0xD800), Just(0x24), Just(0xDC00), any::<u16>()], 0..5)
            .prop_map(|units| JsString::from_units(&units)),
    ]
}

fn scalar() -> impl Strategy<Value = Slot> {
    prop_oneof![
        Just(Slot::Undefined),
        Just(Slot::Null),
        any::<bool>().prop_map(Slot::Bool),
        any::<f64>().prop_map(Slot::Number),
        any::<i16>().prop_map(|number| Slot::Number(number.into())),
        prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e21, 5e-324])
            .prop_map(Slot::Number),
        string().prop_map(Slot::String),
        any::<i128>().prop_map(|number| Slot::BigInt(BigInt::from(number))),
        any::<i64>().prop_map(|millis| Slot::Date(Date::from_millis((millis >> 10) as f64))),
        Just(Slot::Date(Date::from_millis(f64::NAN))),
        string().prop_map(Slot::Symbol),
    ]
}

fn leaf(objects: usize) -> impl Strategy<Value = Leaf> {
    prop_oneof![
        1 => (0..objects).prop_map(Leaf::Object),
        1 => scalar().prop_map(Leaf::Scalar),
    ]
}

fn plan(objects: usize) -> impl Strategy<Value = Plan> {
    (
        0..28_usize,
        prop::collection::vec(leaf(objects), 0..5),
        string(),
        prop::collection::vec(any::<u8>(), 0..20),
    )
        .prop_map(|(kind, slots, text, bytes)| Plan { kind, slots, text, bytes })
}

/// Plans of graphs of up to this many objects.
pub(super) fn plans(objects: usize) -> impl Strategy<Value = Vec<Plan>> {
    (1..=objects).prop_flat_map(|objects| prop::collection::vec(plan(objects), objects))
}

/// Makes the graph, and gives the objects that were planned; its root is an array or an object.
pub(super) fn build(plans: &[Plan]) -> (Value, Vec<NodeId>) {
    let mut builder = Builder::new();
    let ids: Vec<NodeId> = plans.iter().map(|_| builder.add(Node::Error)).collect();
    for (index, plan) in plans.iter().enumerate() {
        let kind = if index == 0 { plan.kind % 2 } else { plan.kind };
        let node = node(&mut builder, &ids, plans, plan, kind, index);
        *builder.node_mut(ids[index]) = node;
    }
    (builder.finish(Slot::Node(ids[0])), ids)
}

fn is_promise(plans: &[Plan], index: usize) -> bool {
    index != 0 && matches!(plans[index].kind, 13 | 14)
}

fn node(
    builder: &mut Builder,
    ids: &[NodeId],
    plans: &[Plan],
    plan: &Plan,
    kind: usize,
    index: usize,
) -> Node {
    let slots: Vec<Slot> = plan
        .slots
        .iter()
        .map(|leaf| match leaf {
            Leaf::Object(object) => Slot::Node(ids[*object]),
            Leaf::Scalar(slot) => slot.clone(),
        })
        .collect();
    match kind {
        0 | 2 | 4 | 6 => Node::Array(slots),
        1 | 3 | 5 | 7 => Node::Object(named(slots, "a")),
        8 | 9 => {
            Node::Map(named(slots, "k").into_iter().map(|(key, slot)| (Slot::String(key), slot)).collect())
        }
        10 => Node::Set(distinct(slots)),
        11 => Node::Iterator(slots),
        12 => {
            let texts = slots.iter().enumerate().map(|(position, _)| {
                let text = plan.text.to_text_lossy().into_owned();
                let value = if position % 2 == 0 {
                    Slot::String(text.into())
                } else {
                    Slot::Node(builder.add(Node::Blob(blob(plan, Some("blob".into())))))
                };
                (JsString::from(format!("$f{position}")), value)
            });
            Node::FormData(texts.collect())
        }
        13 => Node::Promise(match plan.slots.first() {
            Some(Leaf::Object(object)) if !is_promise(plans, *object) => {
                Promise::Fulfilled(Slot::Node(ids[*object]))
            }
            Some(Leaf::Scalar(slot)) => Promise::Fulfilled(slot.clone()),
            _ => Promise::Rejected { digest: None },
        }),
        14 => Node::Promise(Promise::Rejected { digest: Some(plan.text.to_text_lossy().into_owned()) }),
        15 => Node::ServerReference { id: plan.text.clone(), bound: None },
        16 => Node::ServerReference { id: plan.text.clone(), bound: Some(slots) },
        17 => Node::Temporary { path: format!("0:{index}").into() },
        18 => Node::Error,
        19 => Node::Blob(blob(plan, None)),
        20 => Node::Stream(stream(plan, StreamKind::Values, slots)),
        21 => Node::Stream(stream(plan, StreamKind::AsyncIterable, slots)),
        22 => Node::Stream(stream(plan, StreamKind::AsyncIterator, slots)),
        23 => {
            let pieces = plan.bytes.chunks(7).map(|bytes| {
                let array = TypedArray { kind: ArrayKind::Uint8, bytes: bytes.to_vec().into() };
                Slot::Node(builder.add(Node::Bytes(array)))
            });
            let pieces = pieces.collect();
            Node::Stream(stream(plan, StreamKind::Bytes, pieces))
        }
        _ => {
            let kind = ArrayKind::ALL[plan.bytes.len() % ArrayKind::ALL.len()];
            let whole = plan.bytes.len() - plan.bytes.len() % kind.element_bytes();
            Node::Bytes(TypedArray { kind, bytes: plan.bytes[..whole].to_vec().into() })
        }
    }
}

/// A stream that ends in one of the ways in which its kind can.
fn stream(plan: &Plan, kind: StreamKind, mut items: Vec<Slot>) -> Stream {
    let end = match (plan.bytes.len() % 3, kind) {
        (0, _) => StreamEnd::Errored { digest: Some(plan.text.to_text_lossy().into_owned()) },
        (1, StreamKind::AsyncIterable | StreamKind::AsyncIterator) => match items.pop() {
            Some(Slot::Undefined) | None => StreamEnd::Closed,
            Some(slot) => StreamEnd::Returned(slot),
        },
        _ => StreamEnd::Closed,
    };
    Stream { kind, items: Items::Complete { items, end } }
}

fn blob(plan: &Plan, name: Option<JsString>) -> Blob {
    Blob { name, media_type: "text/$plain".into(), content: plan.bytes.clone().into() }
}

/// Members with names of their own; a member that is undefined is no member.
fn named(slots: Vec<Slot>, prefix: &str) -> Vec<(JsString, Slot)> {
    let mut slots: Vec<_> = slots
        .into_iter()
        .enumerate()
        .map(|(position, slot)| (JsString::from(format!("{prefix}:\"{position}")), slot))
        .collect();
    if prefix == "a" {
        slots.retain(|(_, slot)| !matches!(slot, Slot::Undefined));
    }
    slots
}

/// Objects once each, and numbers in the place of scalars.
fn distinct(slots: Vec<Slot>) -> Vec<Slot> {
    let mut known = HashSet::new();
    let objects = slots.into_iter().filter(|slot| match slot {
        Slot::Node(node) => known.insert(*node),
        _ => false,
    });
    objects.enumerate().flat_map(|(position, object)| [Slot::Number(position as f64), object]).collect()
}
