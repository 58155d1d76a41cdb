//! Values of the graph as rows: an object that is met more than once gets a row of its own, so that all who hold
//! it refer to one thing by a short name. (The reference writes paths instead, whose length is up to the value.)
//!
//! In a graph that is still growing, or of which a later row wrote another part before, nobody knows what will be met
//! again: there every object gets a row of its own.

mod items;
mod survey;
mod write;

use std::{collections::HashMap, sync::Arc};

use super::{
    FlightError,
    encoder::{Ids, Session, push_reference},
    producer::Producer,
};
use crate::{
    Value,
    value::{Graph, Node, NodeId},
};

/// The graphs met in one response.
#[derive(Default)]
pub(super) struct Graphs {
    /// Nothing stands in the places of graphs that nobody can hand over again.
    list: Vec<Option<Surveyed>>,
    free: Vec<usize>,
    /// Position in `list` by the graph's address, which stays its own as long as it is listed.
    by_address: HashMap<usize, usize>,
    /// The object that is all of the main row.
    main: Option<(usize, NodeId)>,
    /// Rows to be written.
    jobs: Vec<Job>,
    /// Streams that are open and whose items are to be written.
    streams: Vec<(u32, usize, NodeId)>,
    /// What goes on after the row.
    pub(super) started: Vec<(u32, Producer)>,
    /// Whether anything may.
    goes_on: bool,
    /// Objects met for the first time in this row; kept only where something goes on.
    journal: Vec<(usize, NodeId)>,
    /// Graphs met in this row.
    touched: Vec<usize>,
}

/// A graph, and what is known of its objects.
struct Surveyed {
    /// Any value of it. Keeps the graph, and with it its address.
    value: Value,
    marks: Vec<Mark>,
    /// Whether objects get rows of their own before they are met again.
    all_have_rows: bool,
    /// Whether an earlier row wrote some of it.
    is_written: bool,
}

/// What is known of an object.
#[derive(Clone, Copy, Default)]
struct Mark {
    /// The row that is this object; references name it.
    row: Option<u32>,
    progress: Progress,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Progress {
    #[default]
    Unseen,
    /// The survey is inside this object.
    Open,
    Seen,
}

/// A row that is still to be written.
#[derive(Clone, Copy)]
struct Job {
    row: u32,
    graph: usize,
    node: NodeId,
    part: Part,
}

/// What of an object stands in a row.
#[derive(Clone, Copy)]
enum Part {
    /// The object itself.
    Whole,
    /// What a promise that was pending when it was met is settled to.
    Awaited,
    /// What is in it, as its constructor takes it.
    Content,
    /// The bytes of a blob, from this one on.
    Bytes { offset_bytes: u64 },
    /// The arguments bound to a server reference.
    Bound,
}

impl Session {
    /// Takes an object that is all of the main row, which is numbered `row`.
    pub(super) fn hand_row(
        &mut self,
        value: &Value,
        node: NodeId,
        row: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), FlightError> {
        let has_own_row = matches!(
            value.graph().node(node),
            Node::Bytes(_) | Node::Promise(_) | Node::Stream(_) | Node::Temporary { .. }
        );
        let graph = self.graphs.list(value);
        if has_own_row || self.graphs.mark(graph, node).row.is_some() {
            return self.hand(value, node, out);
        }
        self.graphs.mark(graph, node).row = Some(row);
        self.graphs.main = Some((graph, node));
        self.survey(graph, value, node)
    }

    /// Takes an object that stands inside something else: writes a reference to its row.
    pub(super) fn hand(&mut self, value: &Value, node: NodeId, out: &mut Vec<u8>) -> Result<(), FlightError> {
        let graph = self.graphs.list(value);
        self.survey(graph, value, node)?;
        match value.graph().node(node) {
            Node::Temporary { path } => super::text::push_tagged(out, "$T", path),
            other => {
                push_reference(out, reference_tag(other), self.graphs.own_row(graph, node, &mut self.ids));
            }
        }
        Ok(())
    }
}

impl Graphs {
    /// Graphs of a response in which things may go on after their row.
    pub(super) fn that_go_on() -> Self {
        Self { goes_on: true, ..Self::default() }
    }

    /// Whether things may go on after their row.
    pub(super) fn may_go_on(&self) -> bool {
        self.goes_on
    }

    /// The position of a graph in the list, with marks for all objects that are there by now.
    fn list(&mut self, value: &Value) -> usize {
        let graph = value.graph();
        // Nearly always all values of a response are of one graph.
        let last = self.list.len().wrapping_sub(1);
        let position = match self.list.last() {
            Some(Some(surveyed)) if Arc::ptr_eq(surveyed.value.graph(), graph) => last,
            _ => *self.by_address.entry(Arc::as_ptr(graph).addr()).or_insert_with(|| {
                let surveyed = Surveyed {
                    value: value.clone(),
                    marks: Vec::new(),
                    all_have_rows: false,
                    is_written: false,
                };
                let position = self.free.pop().unwrap_or(self.list.len());
                if position == self.list.len() {
                    self.list.push(None);
                }
                self.list[position] = Some(surveyed);
                position
            }),
        };
        let goes_on = self.goes_on;
        let surveyed = self.surveyed(position);
        surveyed.marks.resize(graph.len(), Mark::default());
        if goes_on {
            surveyed.know_again();
            self.touched.push(position);
        }
        position
    }

    fn surveyed(&mut self, graph: usize) -> &mut Surveyed {
        self.list[graph].as_mut().expect("graphs are listed as long as they are held")
    }

    fn arena(&mut self, graph: usize) -> Arc<Graph> {
        Arc::clone(self.surveyed(graph).value.graph())
    }

    fn mark(&mut self, graph: usize, node: NodeId) -> &mut Mark {
        &mut self.surveyed(graph).marks[node.index()]
    }

    /// The row of an object, which from now on has one.
    fn own_row(&mut self, graph: usize, node: NodeId, ids: &mut Ids) -> u32 {
        self.own_row_with(graph, node, Part::Whole, ids)
    }

    fn own_row_with(&mut self, graph: usize, node: NodeId, part: Part, ids: &mut Ids) -> u32 {
        if let Some(row) = self.mark(graph, node).row {
            return row;
        }
        let row = ids.next();
        self.mark(graph, node).row = Some(row);
        self.jobs.push(Job { row, graph, node, part });
        row
    }

    /// Every object of a growing graph that was met in this row gets a row of its own.
    fn give_rows(&mut self, ids: &mut Ids) {
        for position in 0..self.journal.len() {
            let (graph, node) = self.journal[position];
            let surveyed = self.surveyed(graph);
            if surveyed.all_have_rows && !matches!(surveyed.value.graph().node(node), Node::Temporary { .. })
            {
                self.own_row(graph, node, ids);
            }
        }
    }

    /// The row is written, and the value that it was made of is gone.
    pub(super) fn end_row(&mut self) {
        self.journal.clear();
        for position in std::mem::take(&mut self.touched) {
            let Some(surveyed) = &mut self.list[position] else { continue };
            surveyed.is_written = true;
            if Arc::strong_count(surveyed.value.graph()) == 1 {
                // Nobody can hand over anything of it any more.
                self.by_address.remove(&Arc::as_ptr(surveyed.value.graph()).addr());
                self.list[position] = None;
                self.free.push(position);
            }
        }
    }

    /// Forgets what was noted for a row that is not written after all.
    pub(super) fn undo_row(&mut self) {
        for (graph, node) in std::mem::take(&mut self.journal) {
            *self.mark(graph, node) = Mark::default();
        }
        self.main = None;
        self.jobs.clear();
        self.streams.clear();
        self.started.clear();
        self.end_row();
    }
}

impl Surveyed {
    /// A graph of which an earlier row wrote a part is met again: from now on every object of it is written with a row
    /// of its own, once. Those that stand inside an earlier row cannot be referred to; they are copied.
    fn know_again(&mut self) {
        if self.is_written && !self.all_have_rows {
            self.all_have_rows = true;
            for mark in &mut self.marks {
                if mark.row.is_none() {
                    mark.progress = Progress::Unseen;
                }
            }
        }
    }
}

/// What stands before the id in a reference to an object's own row.
fn reference_tag(node: &Node) -> &'static str {
    if matches!(node, Node::Promise(_)) { "$@" } else { "$" }
}
