//! What is written while it arrives or is made is read back to the same value, in whatever order things happen.

use std::collections::{HashMap, HashSet, VecDeque};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use proptest::prelude::*;

use super::{
    super::{Answer, Parser, RowKind, encode_answer},
    answers::{Gate, ready},
    arbitrary::{build, plans},
    *,
};
use crate::{
    js::{AsyncIterable, Later, Stream as Made},
    value::{Builder, Flow, Items, Live, Node, NodeId, Pending, Promise, Stream, StreamEnd, StreamKind},
};

/// Checks what must hold of every response: an id is one row, or one stream that is opened, filled and ended.
fn check_ids(rows: &[u8]) -> Result<(), TestCaseError> {
    let mut parser = Parser::new(usize::MAX);
    parser.push(rows);
    let (mut used, mut open) = (HashSet::new(), HashSet::new());
    while let Some(row) = parser.next_row().unwrap() {
        match row.kind {
            RowKind::Open(_) => {
                prop_assert!(used.insert(row.id) && open.insert(row.id), "row {:x} opens twice", row.id);
            }
            RowKind::Close => prop_assert!(open.remove(&row.id), "row {:x} closes nothing", row.id),
            RowKind::Error if open.remove(&row.id) => {}
            _ => prop_assert!(open.contains(&row.id) || used.insert(row.id), "row {:x} comes twice", row.id),
        }
    }
    prop_assert!(open.is_empty(), "{open:?} stay open");
    Ok(())
}

/// Any order, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// A value that is copied into a graph that grows, while its promises are settled and its streams filled.
struct Growing<'v> {
    complete: &'v Value,
    builder: Builder,
    ids: HashMap<NodeId, NodeId>,
    unfilled: Vec<NodeId>,
    steps: Vec<Step>,
    dice: Dice,
}

/// What is still to happen.
enum Step {
    Settle(Pending, Promise),
    Fill(Live, VecDeque<Slot>, StreamEnd),
}

impl Growing<'_> {
    fn slot(&mut self, slot: &Slot) -> Slot {
        let Slot::Node(id) = slot else { return slot.clone() };
        if let Some(known) = self.ids.get(id) {
            return Slot::Node(*known);
        }
        let new = self.builder.add(Node::Error);
        self.ids.insert(*id, new);
        self.unfilled.push(*id);
        Slot::Node(new)
    }

    fn slots(&mut self, slots: &[Slot]) -> Vec<Slot> {
        slots.iter().map(|slot| self.slot(slot)).collect()
    }

    /// Copies a place and all that is there from the beginning, and makes it visible.
    fn grow(&mut self, slot: &Slot) -> Slot {
        let slot = self.slot(slot);
        while let Some(id) = self.unfilled.pop() {
            let node = self.node(self.complete.graph().node(id));
            *self.builder.node_mut(self.ids[&id]) = node;
        }
        self.builder.publish();
        slot
    }

    fn node(&mut self, node: &Node) -> Node {
        let members = |growing: &mut Self, members: &[(JsString, Slot)]| {
            members.iter().map(|(key, slot)| (key.clone(), growing.slot(slot))).collect()
        };
        match node {
            Node::Array(items) => Node::Array(self.slots(items)),
            Node::Set(items) => Node::Set(self.slots(items)),
            Node::Iterator(items) => Node::Iterator(self.slots(items)),
            Node::Object(list) => Node::Object(members(self, list)),
            Node::FormData(list) => Node::FormData(members(self, list)),
            Node::Map(list) => {
                Node::Map(list.iter().map(|(key, value)| (self.slot(key), self.slot(value))).collect())
            }
            Node::ServerReference { id, bound } => {
                Node::ServerReference { id: id.clone(), bound: bound.as_ref().map(|bound| self.slots(bound)) }
            }
            Node::Promise(promise) if self.dice.below(3) > 0 => {
                let pending = Pending::new(&Flow::default());
                self.steps.push(Step::Settle(pending.clone(), promise.clone()));
                Node::Promise(Promise::Pending(pending))
            }
            Node::Promise(Promise::Fulfilled(slot)) => Node::Promise(Promise::Fulfilled(self.slot(slot))),
            Node::Stream(Stream { kind, items: Items::Complete { items, end } }) => {
                let live = Live::new(&Flow::default());
                self.steps.push(Step::Fill(live.clone(), items.clone().into(), end.clone()));
                Node::Stream(Stream { kind: *kind, items: Items::Live(live) })
            }
            other => other.clone(),
        }
    }

    /// Lets one thing happen; not if nothing is left.
    fn step(&mut self) -> bool {
        if self.steps.is_empty() {
            return false;
        }
        let step = self.dice.below(self.steps.len());
        match self.steps.swap_remove(step) {
            Step::Settle(pending, Promise::Fulfilled(slot)) => {
                let slot = self.grow(&slot);
                pending.settle(Promise::Fulfilled(slot));
            }
            Step::Settle(pending, promise) => pending.settle(promise),
            Step::Fill(live, mut items, end) => match (items.pop_front(), end) {
                (Some(item), end) => {
                    let item = self.grow(&item);
                    live.push(item, 1);
                    self.steps.push(Step::Fill(live, items, end));
                }
                (None, StreamEnd::Returned(slot)) => {
                    let slot = self.grow(&slot);
                    live.end(StreamEnd::Returned(slot));
                }
                (None, end) => live.end(end),
            },
        }
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_value_that_is_still_arriving_is_written_as_it_will_be(plans in plans(8), seed in 1..u64::MAX) {
        let (complete, _) = build(&plans);
        // What no client can be sent fails sooner or later.
        prop_assume!(graph_rows(&complete).is_ok());
        let mut growing = Growing {
            complete: &complete,
            builder: Builder::new(),
            ids: HashMap::new(),
            unfilled: Vec::new(),
            steps: Vec::new(),
            dice: Dice(seed),
        };
        let root = growing.grow(complete.slot());
        let value = growing.builder.publish_at(root);

        let Answer { head, rest } = encode_answer(&Handed(value), 0).unwrap();
        let mut rows = head.to_vec();
        let mut rest = rest;
        while growing.step() {
            if growing.dice.below(2) == 0 && let Some(rest) = &mut rest {
                rows.extend(ready(rest));
            }
        }
        if let Some(mut rest) = rest {
            rows.extend(ready(&mut rest));
            prop_assert_eq!(rest.open(), 0);
        }

        check_ids(&rows)?;
        prop_assert_eq!(read(&rows), complete, "{}", String::from_utf8_lossy(&rows));
    }
}

/// What an application returns.
#[derive(Clone, Debug)]
enum Plan {
    Number(u32),
    Text(String),
    List(Vec<Plan>),
    Later(Box<Plan>),
    Stream(Vec<Plan>),
    Iterable(Vec<Plan>),
}

fn plan() -> impl Strategy<Value = Plan> {
    let leaf = prop_oneof![any::<u32>().prop_map(Plan::Number), "[a$\u{feff}\n]{0,3}".prop_map(Plan::Text),];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            inner.prop_map(|plan| Plan::Later(Box::new(plan))),
            items.clone().prop_map(Plan::List),
            items.clone().prop_map(Plan::Stream),
            items.prop_map(Plan::Iterable),
        ]
    })
}

/// Gates in the order in which they are made; each future and each item waits at one of its own.
#[derive(Clone, Default)]
struct Gates(std::sync::Arc<std::sync::Mutex<Vec<Gate>>>);

impl Gates {
    fn add(&self) -> impl Future<Output = ()> + Send + 'static {
        let gate = Gate::default();
        self.0.lock().unwrap().push(gate.clone());
        gate.passed()
    }
}

struct Planned(Plan, Gates);

impl Serialize for Planned {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let gates = self.1.clone();
        let planned = |plan: &Plan| Planned(plan.clone(), gates.clone());
        let stream = |items: &[Plan]| {
            let items: Vec<_> = items.iter().map(|item| (planned(item), gates.add())).collect();
            stream::iter(items).then(|(item, gate)| gate.map(move |()| item))
        };
        match &self.0 {
            Plan::Number(number) => number.serialize(serializer),
            Plan::Text(text) => text.serialize(serializer),
            Plan::List(items) => serializer.collect_seq(items.iter().map(planned)),
            Plan::Later(plan) => {
                let (item, gate) = (planned(plan), gates.add());
                Later::new(gate.map(move |()| item)).serialize(serializer)
            }
            Plan::Stream(items) => Made::new(stream(items)).serialize(serializer),
            Plan::Iterable(items) => AsyncIterable::new(stream(items)).serialize(serializer),
        }
    }
}

fn expected(builder: &mut Builder, plan: &Plan) -> Slot {
    let node = match plan {
        Plan::Number(number) => return Slot::Number((*number).into()),
        Plan::Text(text) => return Slot::String(text.as_str().into()),
        Plan::List(items) => Node::Array(items.iter().map(|item| expected(builder, item)).collect()),
        Plan::Later(plan) => {
            // A promise of a promise settles as the inner one does.
            let mut inner = plan;
            while let Plan::Later(next) = &**inner {
                inner = next;
            }
            Node::Promise(Promise::Fulfilled(expected(builder, inner)))
        }
        Plan::Stream(items) | Plan::Iterable(items) => Node::Stream(Stream {
            kind: if matches!(plan, Plan::Stream(_)) {
                StreamKind::Values
            } else {
                StreamKind::AsyncIterable
            },
            items: Items::Complete {
                items: items.iter().map(|item| expected(builder, item)).collect(),
                end: StreamEnd::Closed,
            },
        }),
    };
    Slot::Node(builder.add(node))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_made_over_time_reads_back_whatever_is_ready_first(plan in plan(), seed in 1..u64::MAX) {
        let gates = Gates::default();
        let mut dice = Dice(seed);
        let Answer { head, rest } = encode_answer(&[Planned(plan.clone(), gates.clone())], 0).unwrap();
        let mut rows = head.to_vec();
        if let Some(mut rest) = rest {
            while rest.open() > 0 {
                let gate = {
                    let mut closed = gates.0.lock().unwrap();
                    let gate = (!closed.is_empty()).then(|| dice.below(closed.len()));
                    gate.map(|gate| closed.swap_remove(gate))
                };
                if let Some(gate) = gate {
                    gate.open();
                }
                rows.extend(ready(&mut rest));
            }
        }

        check_ids(&rows)?;
        let mut builder = Builder::new();
        let item = expected(&mut builder, &plan);
        let root = builder.add(Node::Array(vec![item]));
        prop_assert_eq!(read(&rows), builder.finish(Slot::Node(root)), "{}", String::from_utf8_lossy(&rows));
    }
}
