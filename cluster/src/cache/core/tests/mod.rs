//! Stories of a few nodes and one store: every message arrives at once, unless the story holds it.

mod outage;
mod outsiders;
mod rules;
mod stories;
mod weather;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use callboard_protocol::{
    identity::ProcessId,
    revalidation::{LogPosition, Tag},
};

use super::Core;
use crate::{
    cache::{
        Arrived, Freshness, Settings,
        io::{Connection, Input, Output, PublicationId, RequestId, Wait},
        memory::Store,
        store::{Command, Mark, Staleness},
    },
    clock::Instant,
    mutant::Mutants,
};

#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
struct Node {
    core: Core,
    performed: VecDeque<(RequestId, Command)>,
    /// Inputs that came while they were held.
    held: VecDeque<Input>,
    connecting: Vec<Connection>,
    /// Nothing it asks arrives at the store.
    is_cut: bool,
    /// Nothing that is pushed arrives at it.
    is_deaf: bool,
    /// What the store answers is held.
    is_held: bool,
    /// Nothing runs in it.
    is_asleep: bool,
    /// What stands in the log, as often as that was told.
    placed: Vec<PublicationId>,
    published: Vec<(PublicationId, Option<LogPosition>)>,
    refused: Vec<PublicationId>,
    /// How often it asked for the epoch.
    opens: usize,
    epochs: Vec<bool>,
    has_left: bool,
}

/// A strict publication, and where each node was when it was made: what was born there is older.
struct Promise {
    node: usize,
    id: PublicationId,
    tag: Tag,
    births: Vec<LogPosition>,
}

struct Lab {
    store: Store,
    now: Instant,
    nodes: Vec<Node>,
    promises: Vec<Promise>,
    ids: u64,
}

fn hard(name: &str) -> Mark {
    Mark { tag: Tag::named(name), staleness: Staleness::Hard }
}

fn process(node: usize) -> ProcessId {
    ProcessId::from_u128(node as u128 + 1)
}

impl Lab {
    /// Nodes that have just got their first leases.
    fn new(nodes: usize, mutants: Mutants) -> Self {
        Self::with(nodes, mutants, &Settings::default())
    }

    fn with(nodes: usize, mutants: Mutants, settings: &Settings) -> Self {
        let settings = Arc::new(Settings { tag_cells: 1 << 12, ..settings.clone() });
        let node = |number| {
            let declared = Arc::new([Tag::named(&format!("declared by {number}"))]);
            Node {
                core: Core::new(process(number), declared, Arc::clone(&settings), mutants),
                performed: VecDeque::new(),
                held: VecDeque::new(),
                connecting: Vec::new(),
                is_cut: false,
                is_deaf: false,
                is_held: false,
                is_asleep: false,
                placed: Vec::new(),
                published: Vec::new(),
                refused: Vec::new(),
                opens: 0,
                epochs: Vec::new(),
                has_left: false,
            }
        };
        let mut lab = Self {
            store: Store::new(mutants),
            now: Instant::from_micros(1_000_000),
            nodes: (0..nodes).map(node).collect(),
            promises: Vec::new(),
            ids: 0,
        };
        for number in 0..nodes {
            lab.feed(number, Input::Tick);
        }
        lab.run();
        lab
    }

    /// Nodes whose store has been in the same epoch for longer than any lease.
    fn settled(nodes: usize, mutants: Mutants) -> Self {
        let mut lab = Self::new(nodes, mutants);
        lab.after(1300);
        lab
    }

    fn feed(&mut self, number: usize, input: Input) {
        let node = &mut self.nodes[number];
        if node.is_asleep {
            return node.held.push_back(input);
        }
        for output in node.core.step(self.now, input) {
            match output {
                Output::Connect(connection) => node.connecting.push(connection),
                Output::Disconnect(Connection::Commands) => node.performed.clear(),
                Output::Disconnect(Connection::Pushes) => {}
                Output::Perform(request, command) => {
                    node.opens += usize::from(matches!(command, Command::Open { .. }));
                    node.performed.push_back((request, command));
                }
                Output::Placed(id) => node.placed.push(id),
                Output::Published(id, position) => node.published.push((id, position)),
                Output::Refused(id) => node.refused.push(id),
                Output::Epoch { carried_over } => node.epochs.push(carried_over),
                Output::Left => (node.has_left, node.is_deaf) = (true, true),
            }
        }
    }

    /// Delivers everything that is not held.
    fn run(&mut self) {
        loop {
            let mut is_quiet = true;
            for number in 0..self.nodes.len() {
                is_quiet &= !self.run_node(number);
            }
            for push in self.store.take_pushes() {
                is_quiet = false;
                for number in 0..self.nodes.len() {
                    if !self.nodes[number].is_deaf {
                        self.feed(number, Input::Pushed(push.clone()));
                    }
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    fn run_node(&mut self, number: usize) -> bool {
        let node = &mut self.nodes[number];
        if node.is_cut {
            return false;
        }
        if let Some(connection) = node.connecting.pop() {
            self.feed(number, Input::Connected(connection));
            return true;
        }
        let Some((request, command)) = node.performed.pop_front() else { return false };
        let answer = Input::Answered(request, Ok(self.store.execute(&command)));
        if self.nodes[number].is_held {
            self.nodes[number].held.push_back(answer);
        } else {
            self.feed(number, answer);
        }
        true
    }

    /// Time passes.
    fn after(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        loop {
            let awake = self.nodes.iter().filter(|node| !node.is_asleep);
            let next = awake.filter_map(|node| node.core.next_timer()).min().filter(|next| *next <= until);
            // One who slept is late.
            self.now = next.map_or(until, |next| next.max(self.now));
            for number in 0..self.nodes.len() {
                if !self.nodes[number].is_asleep {
                    self.feed(number, Input::Tick);
                }
            }
            self.run();
            if next.is_none() {
                return;
            }
        }
    }

    /// Nothing goes to a node or comes from it.
    fn isolate(&mut self, number: usize, is_isolated: bool) {
        (self.nodes[number].is_cut, self.nodes[number].is_deaf) = (is_isolated, is_isolated);
        if !is_isolated {
            self.run();
        }
    }

    /// What was held arrives.
    fn release(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        (node.is_held, node.is_asleep) = (false, false);
        for input in std::mem::take(&mut node.held) {
            self.feed(number, input);
        }
        self.run();
    }

    /// The store is of another memory, and what it knows is what it knew at an earlier instant.
    fn restart_as(&mut self, earlier: &Store) {
        self.store.restart(earlier);
    }

    fn publish_marks(&mut self, number: usize, marks: &[Mark], wait: Wait) -> PublicationId {
        self.ids += 1;
        let id = PublicationId(self.ids);
        self.feed(number, Input::Publish(id, marks.into(), wait));
        self.run();
        id
    }

    fn publish(&mut self, number: usize, name: &str, wait: Wait) -> PublicationId {
        let births = self.nodes.iter().map(|node| node.core.versions().applied()).collect();
        let id = self.publish_marks(number, &[hard(name)], wait);
        if wait == Wait::Strict {
            self.promises.push(Promise { node: number, id, tag: Tag::named(name), births });
        }
        id
    }

    fn answers(&self, number: usize, id: PublicationId) -> impl Iterator<Item = Option<LogPosition>> {
        let published = self.nodes[number].published.iter();
        published.filter(move |(published, _)| *published == id).map(|(_, position)| *position)
    }

    fn is_answered(&self, number: usize, id: PublicationId) -> bool {
        let answers = self.answers(number, id).count();
        assert!(answers < 2, "{id:?} was answered twice");
        answers == 1
    }

    /// Where a publication that was answered stands.
    fn position(&self, number: usize, id: PublicationId) -> Option<LogPosition> {
        assert!(self.is_answered(number, id));
        self.answers(number, id).next().flatten()
    }

    fn arrive(&self, number: usize) -> Arrived {
        self.nodes[number].core.versions().arrive(self.now)
    }

    /// Whether a node serves what was born there under this tag.
    fn serves(&self, number: usize, birth: LogPosition, tag: Tag) -> bool {
        let versions = self.nodes[number].core.versions();
        self.arrive(number).leased && versions.freshness(birth, &[tag]) == Freshness::Fresh
    }

    /// Whether a node serves nothing that is older than this position to who holds it.
    fn has_applied(&self, number: usize, position: LogPosition) -> bool {
        self.nodes[number].core.versions().has_applied(self.arrive(number), position)
    }

    /// Whether a node serves what an answered strict publication made stale.
    fn is_broken(&self) -> bool {
        let answered = self.promises.iter().filter(|promise| self.is_answered(promise.node, promise.id));
        answered.into_iter().any(|promise| {
            let mut births = promise.births.iter().enumerate();
            births.any(|(number, birth)| self.serves(number, *birth, promise.tag))
        })
    }

    /// Whether it ever is within a time.
    fn breaks_within(&mut self, ms: u64) -> bool {
        (0..ms).any(|_| {
            let is_broken = self.is_broken();
            self.after(1);
            is_broken
        })
    }
}
