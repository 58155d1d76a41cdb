//! Nodes: the core, driven.

use std::{array, collections::VecDeque, sync::Arc};

use callboard_cluster::cache::{Connection, FlightTable, Input, Output, core::Core};
use callboard_protocol::{identity::ProcessId, revalidation::Tag};
use rand::RngExt as _;

use super::{Event, Leaving, Link, Node, NodeEvent, TAGS, World, tag};

impl World {
    pub(super) fn fresh_node(&mut self, node: usize) -> Node {
        self.processes += 1;
        let process = ProcessId::from_u128(self.processes << 64 | u128::from(self.random.random::<u64>()));
        let nodes = self.plan.rates.len();
        let declared: Vec<usize> = (0..TAGS).filter(|tag| tag % nodes == node).collect();
        let tags: Arc<[Tag]> = declared.iter().map(|number| tag(*number)).collect();
        let core = Core::new(process, tags, Arc::clone(&self.settings), self.mutants);
        Node {
            versions: Arc::clone(core.versions()),
            core,
            process,
            declared,
            life: 0,
            alive: false,
            leaving: Leaving::Not,
            clock_offset: self.random.random_range(0..1_000_000_000),
            paused: false,
            cut_up: 0,
            cut_down: 0,
            slow: (0, 0),
            slow_until: 0,
            deaf_until: 0,
            backlog: VecDeque::new(),
            links: array::from_fn(|_| Link::default()),
            timer_at: None,
            kept: array::from_fn(|_| None),
            renders: array::from_fn(|_| super::Rendering::default()),
            flights: FlightTable::new(self.mutants),
            waiting: Vec::new(),
            actions: 0,
            hits: 0,
        }
    }

    pub(super) fn node_event(&mut self, node: usize, what: NodeEvent) {
        match what {
            NodeEvent::Timer => {
                self.nodes[node].timer_at = None;
                self.step(node, Input::Tick);
            }
            NodeEvent::Connected { connection, number } => {
                if self.is_current(node, connection, number) {
                    self.step(node, Input::Connected(connection));
                }
            }
            NodeEvent::Disconnected { connection, number } => {
                if self.is_current(node, connection, number) {
                    self.nodes[node].links[connection as usize].open = false;
                    self.step(node, Input::Disconnected(connection));
                }
            }
            NodeEvent::Answered { number, request, answer } => {
                if self.arrives(node, Connection::Commands, number) {
                    self.step(node, Input::Answered(request, *answer));
                }
            }
            NodeEvent::Pushed { number, push } => {
                if self.arrives(node, Connection::Pushes, number) {
                    self.step(node, Input::Pushed(*push));
                }
            }
            NodeEvent::Settles { action } => self.settles(node, action),
            NodeEvent::Renders { page, step } => self.renders(node, page, step),
            NodeEvent::HeldUp(reader) => self.look_up(node, reader),
            NodeEvent::Leaves => self.step(node, Input::Leave),
            NodeEvent::GivesUp => self.give_up(node),
        }
    }

    fn is_current(&self, node: usize, connection: Connection, number: u64) -> bool {
        self.nodes[node].links[connection as usize].number == number
    }

    /// Whether something that was on its way arrives: of what a broken connection held, half does not.
    fn arrives(&mut self, node: usize, connection: Connection, number: u64) -> bool {
        let is_broken = self.nodes[node].links[connection as usize].dead;
        self.is_current(node, connection, number) && !(is_broken && self.random.random_bool(0.5))
    }

    pub(super) fn step(&mut self, node: usize, input: Input) {
        let now = self.clock(node);
        for output in self.nodes[node].core.step(now, input) {
            match output {
                Output::Connect(connection) => self.connect(node, connection),
                Output::Disconnect(connection) => self.close(node, connection),
                Output::Perform(request, command) => self.perform(node, request, command),
                Output::Placed(_) => {}
                Output::Published(publication, position) => self.responds(node, publication.0, position),
                Output::Epoch { carried_over: true } => self.checker.count("carried over"),
                Output::Epoch { carried_over: false } => self.checker.count("not carried over"),
                Output::Refused(publication) => self.refused(node, publication.0),
                Output::Left => self.leaves(node),
            }
        }
        self.set_timer(node);
        self.wake(node);
    }

    fn set_timer(&mut self, node: usize) {
        let Some(next) = self.nodes[node].core.next_timer() else { return };
        let at = self.when(node, next).max(self.now + 1);
        if self.nodes[node].timer_at.is_none_or(|timer| timer > at) {
            self.nodes[node].timer_at = Some(at);
            let life = self.nodes[node].life;
            self.schedule(at, Event::Node { node, life, what: NodeEvent::Timer });
        }
    }
}
