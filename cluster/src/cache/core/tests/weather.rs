//! Faults at random: whatever happens, promises are kept, and afterwards everything is well.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish(usize, u8, Wait),
    After(u64),
    Isolate(usize, bool),
    Deafen(usize, bool),
    Hold(usize),
    Sleep(usize),
    Release(usize),
    /// The store is of another memory; it lost what came after the last copy, or nothing.
    Restart(bool),
    Copy,
    Flush,
    Trim,
}

const NODES: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let node = 0..NODES;
    let wait = prop_oneof![Just(Wait::Strict), Just(Wait::Session), Just(Wait::Eventual)];
    prop_oneof![
        12 => (node.clone(), 0_u8..3, wait).prop_map(|(node, tag, wait)| Step::Publish(node, tag, wait)),
        8 => (1_u64..20).prop_map(Step::After),
        4 => (20_u64..400).prop_map(Step::After),
        1 => (400_u64..1500).prop_map(Step::After),
        4 => (node.clone(), any::<bool>()).prop_map(|(node, on)| Step::Isolate(node, on)),
        4 => (node.clone(), any::<bool>()).prop_map(|(node, on)| Step::Deafen(node, on)),
        2 => node.clone().prop_map(Step::Hold),
        2 => node.clone().prop_map(Step::Sleep),
        5 => node.prop_map(Step::Release),
        2 => any::<bool>().prop_map(Step::Restart),
        1 => Just(Step::Copy),
        1 => Just(Step::Flush),
        1 => Just(Step::Trim),
    ]
}

/// A publication of any kind, and where each node was when it was made.
struct Made {
    node: usize,
    id: PublicationId,
    tag: Tag,
    births: Vec<LogPosition>,
}

struct Weather {
    lab: Lab,
    made: Vec<Made>,
    copy: Store,
}

impl Weather {
    fn take(&mut self, step: Step) {
        let lab = &mut self.lab;
        match step {
            Step::Publish(node, tag, wait) => {
                // A process that is held up publishes nothing.
                if !lab.nodes[node].is_asleep {
                    let name = tag.to_string();
                    let births = lab.nodes.iter().map(|node| node.core.versions().applied()).collect();
                    let id = lab.publish(node, &name, wait);
                    self.made.push(Made { node, id, tag: Tag::named(&name), births });
                }
            }
            Step::After(ms) => lab.after(ms),
            Step::Isolate(node, is_isolated) => lab.isolate(node, is_isolated),
            Step::Deafen(node, is_deaf) => lab.nodes[node].is_deaf = is_deaf,
            Step::Hold(node) => lab.nodes[node].is_held = true,
            Step::Sleep(node) => lab.nodes[node].is_asleep = true,
            Step::Release(node) => lab.release(node),
            Step::Restart(loses) => {
                let earlier = if loses { self.copy.clone() } else { lab.store.clone() };
                lab.restart_as(&earlier);
            }
            Step::Copy => self.copy = lab.store.clone(),
            Step::Flush => lab.store.flush(),
            Step::Trim => lab.store.trim(1),
        }
    }

    /// Whoever holds a position that a node says it applied is served nothing older by it.
    fn is_session_broken(&self) -> bool {
        let lab = &self.lab;
        self.made.iter().any(|made| {
            let token = lab.answers(made.node, made.id).next().flatten();
            let serves = |number: usize| lab.serves(number, made.births[number], made.tag);
            let applied = |number: usize, token| lab.has_applied(number, token);
            token.is_some_and(|token| (0..NODES).any(|number| applied(number, token) && serves(number)))
        })
    }

    fn clear_up(&mut self) {
        for number in 0..NODES {
            self.lab.isolate(number, false);
            self.lab.release(number);
        }
        self.lab.after(5000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn promises_are_kept_in_any_weather(steps in prop::collection::vec(step(), 1..120)) {
        let lab = Lab::new(NODES, Mutants::NONE);
        let copy = lab.store.clone();
        let mut weather = Weather { lab, made: Vec::new(), copy };
        for step in steps {
            let what = format!("{step:?}");
            weather.take(step);
            prop_assert!(!weather.lab.is_broken(), "after {}", what);
            prop_assert!(!weather.is_session_broken(), "a session after {}", what);
        }
        weather.clear_up();
        let lab = &weather.lab;
        for made in &weather.made {
            prop_assert!(lab.is_answered(made.node, made.id), "{:?} is not answered", made.id);
            for (number, birth) in made.births.iter().enumerate() {
                prop_assert!(!lab.serves(number, *birth, made.tag), "{number} never heard of {:?}", made.id);
            }
        }
        for number in 0..NODES {
            let core = &lab.nodes[number].core;
            prop_assert!(lab.arrive(number).leased);
            prop_assert_eq!((core.outbox_marks(), core.counters().violations), (0, 0));
        }
    }
}
