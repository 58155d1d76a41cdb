//! Values of the graph.

use proptest::prelude::*;

use super::{
    super::{FlightError, Problem},
    Handed,
    arbitrary::{build, plans},
    graph_rows, read, slot, text,
};
use crate::{
    Value,
    value::{Builder, Node, NodeId, Promise, Slot},
};

/// What arbitrary graphs may well hold, and what clients cannot make.
fn is_circle(error: &FlightError) -> bool {
    matches!(error.problem(), Problem::Cycle { .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_written_graph_reads_back(plans in plans(8)) {
        let (value, _) = build(&plans);
        match graph_rows(&value) {
            Ok(rows) => prop_assert_eq!(read(&rows), value, "{}", String::from_utf8_lossy(&rows)),
            Err(error) => prop_assert!(is_circle(&error), "{}", error),
        }
    }

    #[test]
    fn parts_handed_over_one_by_one_keep_what_they_share(plans in plans(8)) {
        let (value, ids) = build(&plans);
        let slots: Vec<Slot> = ids.into_iter().map(Slot::Node).collect();
        let parts: Vec<Handed> = slots.iter().map(|slot| Handed(value.at(slot))).collect();
        let mut builder = Builder::new();
        for node in value.graph().nodes() {
            builder.add(node.clone());
        }
        let all = builder.add(Node::Array(slots));
        let expected = builder.finish(Slot::Node(all));
        match super::encode(&parts, 0) {
            Ok(rows) => prop_assert_eq!(read(&rows), expected, "{}", String::from_utf8_lossy(&rows)),
            Err(error) => prop_assert!(is_circle(&error), "{}", error),
        }
    }
}

fn array(builder: &mut Builder, items: Vec<Slot>) -> NodeId {
    builder.add(Node::Array(items))
}

#[test]
fn rows_that_a_value_needs_stand_before_it() {
    let mut builder = Builder::new();
    let set = builder.add(Node::Set(vec![slot(1.0)]));
    let map = builder.add(Node::Map(vec![(Slot::Null, Slot::Node(set))]));
    let value = builder.finish(Slot::Node(map));

    assert_eq!(graph_rows(&value).unwrap(), b"1:[[null,\"$W2\"]]\n2:[1]\n0:\"$Q1\"\n");
}

#[test]
fn an_object_met_twice_has_a_row_of_its_own() {
    let mut builder = Builder::new();
    let inner = array(&mut builder, vec![slot(7.0)]);
    let root = array(&mut builder, vec![Slot::Node(inner), Slot::Node(inner)]);
    let value = builder.finish(Slot::Node(root));

    assert_eq!(graph_rows(&value).unwrap(), b"1:[7]\n0:[\"$1\",\"$1\"]\n");
}

#[test]
fn a_value_that_holds_itself_refers_to_its_row() {
    let mut builder = Builder::new();
    let root = array(&mut builder, Vec::new());
    *builder.node_mut(root) = Node::Array(vec![Slot::Node(root)]);
    let value = builder.finish(Slot::Node(root));

    assert_eq!(graph_rows(&value).unwrap(), b"0:[\"$0\"]\n");
    assert_eq!(text(&Handed(value)), "1:[\"$1\"]\n");
}

/// An object behind a map behind the object, as children that know their parent are.
#[test]
fn a_circle_through_a_map_is_written_if_an_object_begins_it() {
    let circle = |from_map: bool| {
        let mut builder = Builder::new();
        let map = builder.add(Node::Error);
        let object = builder.add(Node::Object(vec![("map".into(), Slot::Node(map))]));
        *builder.node_mut(map) = Node::Map(vec![(Slot::String("back".into()), Slot::Node(object))]);
        builder.finish(Slot::Node(if from_map { map } else { object }))
    };

    let rows = graph_rows(&circle(false)).unwrap();
    assert_eq!(rows, b"1:[[\"back\",\"$0\"]]\n0:{\"map\":\"$Q1\"}\n");
    assert_eq!(read(&rows), circle(false));
    let error = graph_rows(&circle(true)).unwrap_err();
    assert_eq!(error.to_string(), "a map that contains itself cannot be sent to a client at [0].map");
}

#[test]
fn promises_that_wait_for_each_other_are_refused() {
    let mut builder = Builder::new();
    let first = builder.add(Node::Error);
    let second = builder.add(Node::Promise(Promise::Fulfilled(Slot::Node(first))));
    *builder.node_mut(first) = Node::Promise(Promise::Fulfilled(Slot::Node(second)));
    let value = builder.finish(Slot::Node(first));

    assert_eq!(graph_rows(&value).unwrap_err().problem(), &Problem::EndlessPromise);
}

#[test]
fn what_rendering_makes_is_refused_with_its_place() {
    let mut builder = Builder::new();
    let element = builder.add(Node::Element { kind: Slot::Null, key: Slot::Null, props: Slot::Null });
    let items = array(&mut builder, vec![Slot::Null, Slot::Node(element)]);
    let root = builder.add(Node::Object(vec![("to do".into(), Slot::Node(items))]));
    let value = builder.finish(Slot::Node(root));

    let error = graph_rows(&value).unwrap_err();
    assert_eq!(error.to_string(), "an element cannot be sent to a client at [\"to do\"][1]");
    let error = super::encode(&[Handed(value)], 0).unwrap_err();
    assert_eq!(error.path().to_string(), "[0][\"to do\"][1]");
}

#[test]
fn depth_costs_no_stack() {
    let mut builder = Builder::new();
    let mut inner = Slot::Null;
    for _ in 0..200_000 {
        inner = Slot::Node(builder.add(Node::Array(vec![inner])));
    }
    let value = builder.finish(inner);

    assert_eq!(graph_rows(&value).unwrap().len(), 2 * 200_000 + 7);
}

#[test]
fn a_refused_value_leaves_the_buffer_as_it_was() {
    let mut builder = Builder::new();
    let lazy = builder.add(Node::Lazy(Promise::Fulfilled(Slot::Null)));
    let value = builder.finish(Slot::Node(lazy));
    let mut out = b"before".to_vec();

    assert!(super::RowWriter::new(&mut out, 3).graph(3, &value).is_err());
    assert_eq!(out, b"before");
}

#[test]
fn scalars_are_rows_too() {
    assert_eq!(graph_rows(&Value::undefined()).unwrap(), b"0:\"$undefined\"\n");
    assert_eq!(text(&Handed(Value::null())), "1:null\n");
}
